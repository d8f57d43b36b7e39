"""The constants of X-STARS' alignment of sensors. A part of `train.config`, where those who read a configuration find it."""

from __future__ import annotations

from dataclasses import dataclass

from train.checks import guess_name
from train.errors import ConfigError

FIRST_TEMPERATURE = 0.07
"""Where the temperature begins."""
LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.01, 1.0
"""Between which it stays."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The constants of X-STARS beside those of DINO: what is compared between sensors, and how much that counts.

    References:
        Marsocci and Audebert, Cross-sensor self-supervised training and alignment for remote sensing,
        https://arxiv.org/abs/2405.09922; its released code.
    """

    weight: float = 0.1
    """Of the alignment in the loss, the paper's alpha; at 0 it is computed, and its heads stay as they were drawn."""
    dim: int = 1024
    """Length of an embedding."""
    dropout: float = 0.2
    """Share of the heads' residual branches that is dropped in training."""
    temperature: float = FIRST_TEMPERATURE
    """Where the learnt temperature begins."""
    crop_m: float | None = None
    """Side of the box on the ground that all sensors show, metres; the square's where none."""
    size_px: int = 224
    """Side of the view of that box, pixels."""
    class_token: bool = False
    """Compare the class token too, as published, beside every token of ground."""
    shared_patch_embedding: bool = False
    """Cut images of all sensors, of as many bands then, into tokens with one layer, as published, rather than with one each."""
    adapt_sensor: str | None = None
    """Train on this sensor alone, of two; a frozen copy of the initial backbone encodes the other one. None trains on all."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A number is out of range.
        """
        if not self.weight >= 0:
            raise ConfigError(f"alignment weight is {self.weight}; expected 0 or more.")
        for name in ("dim", "size_px"):
            if getattr(self, name) < 1:
                raise ConfigError(f"alignment {name} is {getattr(self, name)}; expected 1 or more.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"alignment dropout is {self.dropout}; expected 0 or more and below 1.")
        if not LEAST_TEMPERATURE <= self.temperature <= GREATEST_TEMPERATURE:
            raise ConfigError(
                f"alignment temperature is {self.temperature}; expected {LEAST_TEMPERATURE:g} to {GREATEST_TEMPERATURE:g}."
            )
        if self.crop_m is not None and not self.crop_m > 0:
            raise ConfigError(f"A box of {self.crop_m:g} m shows no ground. Give a side above 0, or none for the whole square.")

    def first_encoded(self, sensors: tuple[str, ...]) -> str:
        """The sensor that the initial backbone encodes: the first one, or where it adapts to a sensor the other one."""
        return next(sensor for sensor in sensors if sensor != self.adapt_sensor)

    def in_order(self, sensors: tuple[str, ...]) -> tuple[str, ...]:
        """The sensors, that to adapt to before the other one: the first is one that is trained on."""
        return tuple(sorted(sensors, key=lambda sensor: sensor != self.adapt_sensor))

    def check_part(self, locations: int) -> None:
        """Refuse parts of a batch that have no negatives.

        Args:
            locations: That are computed together, on all processes: of a batch, or of a part of one that accumulates.

        Raises:
            ConfigError: There are fewer than two.
        """
        if locations < 2:
            raise ConfigError(
                "A part of one location has no other one to tell it from: its alignment would be 0 without a gradient. Choose "
                "a --batch-size of at least twice --accumulate."
            )

    def check_sensors(self, sensors: tuple[str, ...]) -> None:
        """Refuse sensors that cannot be aligned.

        Args:
            sensors: Their ids.

        Raises:
            ConfigError: There are fewer than two, one comes twice, or the one to adapt to is not among exactly two.
        """
        twice = [sensor for sensor in dict.fromkeys(sensors) if sensors.count(sensor) > 1]
        if twice:
            raise ConfigError(f"Sensor {twice[0]} is there twice. Name each sensor once.")
        if len(sensors) < 2:
            raise ConfigError(
                f"{', '.join(sensors) or 'No sensor'} cannot be aligned with another one. Name two sensors or more, of a "
                "catalog that has them."
            )
        adapted = self.adapt_sensor
        if adapted is not None and (adapted not in sensors or len(sensors) != 2):
            raise ConfigError(
                f"Adapting to {adapted} takes it and the one sensor that the initial weights are of; the sensors are "
                f"{', '.join(sensors)}. Choose two with --sensors, it among them.{guess_name(adapted, sensors)}"
            )

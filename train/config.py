"""What a training is: frozen records, checked when made, written to and read from JSON as they are.

A `TrainConfig` says everything that the weights depend on. Recipes (`train.recipes`) are functions that return one; the
command line replaces some of its fields; a run folder keeps it as `config.json`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from train.errors import ConfigError

Record = TypeVar("Record")
INTERPOLATIONS = ("bilinear", "bicubic")
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "step", "constant")
PRECISIONS = ("auto", "32-true", "bf16-mixed")


@dataclass(frozen=True, slots=True)
class Crop:
    """How a view is cut: a random box, resized, perhaps flipped (torchvision's `RandomResizedCrop`)."""

    size_px: int
    """Side of the view."""
    scale: tuple[float, float] = (0.2, 1.0)
    """Least and greatest share of the patch's area."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and greatest width over height."""
    interpolation: str = "bilinear"
    """`bilinear` or `bicubic`, antialiased."""
    flip: float = 0.5
    """Probability of a horizontal flip."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A size, share or ratio is out of range, or the interpolation is unknown.
        """
        _check_range("crop scale", self.scale, 0.0, 1.0)
        if self.size_px < 1:
            raise ConfigError(f"A view of {self.size_px} px has no pixels. Give a size above 0.")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ConfigError(f"Crop ratio {self.ratio} is no range of width over height. Give two positive numbers in order.")
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        _check_probability("flip", self.flip)


@dataclass(frozen=True, slots=True)
class Photometric:
    """What is done to the values of a view, in reflectance scaled to [0, 1], before normalising."""

    jitter: float = 0.0
    """Probability of the jitter."""
    brightness: float = 0.0
    """Factor from 1 - x to 1 + x, on red, green and blue; the gain of every further band."""
    contrast: float = 0.0
    """Factor from 1 - x to 1 + x towards the mean luminance, on red, green and blue."""
    saturation: float = 0.0
    """Factor from 1 - x to 1 + x towards gray, on red, green and blue."""
    hue: float = 0.0
    """Shift from -x to x of a turn, on red, green and blue."""
    band_offset: float = 0.0
    """Offset from -x to x of every band beyond red, green and blue, apart."""
    grayscale: float = 0.0
    """Probability that colour is taken away."""
    blur: float = 0.0
    """Probability of a Gaussian blur."""
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Least and greatest standard deviation of the blur, pixels of the view."""
    solarize: float = 0.0
    """Probability that values of 0.5 and above are turned round: x to 1 - x."""
    drop_band: float = 0.0
    """Probability that a band is set to its mean, each apart; one at least stays."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A probability is outside 0 to 1, or a strength is negative.
        """
        for name in ("jitter", "grayscale", "blur", "solarize", "drop_band"):
            _check_probability(name, getattr(self, name))
        for name in ("brightness", "contrast", "saturation", "hue", "band_offset"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        if self.hue > 0.5:
            raise ConfigError(f"hue is {self.hue}; expected at most 0.5, half a turn.")
        if not 0 < self.blur_sigma[0] <= self.blur_sigma[1]:
            raise ConfigError(f"blur_sigma is {self.blur_sigma}; expected two positive numbers in order.")


@dataclass(frozen=True, slots=True)
class View:
    """One view of a sample: which of its scenes, how cut, how coloured."""

    name: str
    """Such as `query`, `key_0`."""
    scene: int
    """Which of the scenes drawn for the sample, from 0."""
    crop: Crop
    """How it is cut."""
    photometric: Photometric = field(default_factory=Photometric)
    """What is done to its values."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What weights expect of their input: enough to feed them from raw numbers, with nothing to guess."""

    sensor: str
    """Id of the sensor, such as `sentinel-2-l2a`."""
    bands: tuple[str, ...]
    """Names of the channels, in their order."""
    low: tuple[float, ...]
    """Reflectance that becomes 0, of each band; less is clipped."""
    high: tuple[float, ...]
    """Reflectance that becomes 1, of each band; more is clipped."""
    mean: tuple[float, ...]
    """Subtracted from the scaled value, of each band."""
    std: tuple[float, ...]
    """The scaled value less `mean` is divided by it, of each band."""
    size_px: int
    """Side of the image that features are computed from."""
    interpolation: str = "bilinear"
    """How images are resized to `size_px`, antialiased."""

    def __post_init__(self) -> None:
        """Check that every band has its numbers.

        Raises:
            ConfigError: Counts differ, a range is empty, or a standard deviation is not positive.
        """
        for name in ("low", "high", "mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                raise ConfigError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.bands)} bands: give one per band."
                )
        for band, low, high, std in zip(self.bands, self.low, self.high, self.std, strict=True):
            if not low < high:
                raise ConfigError(f"Band {band} is scaled from {low} to {high}; expected a low value below the high one.")
            if not std > 0:
                raise ConfigError(f"Band {band} has standard deviation {std}; expected more than 0. Is the band constant?")
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How weights move."""

    name: str = "sgd"
    """`sgd` or `adamw`."""
    lr: float = 0.03
    """Peak learning rate, for the whole batch of all processes."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-4
    """On every weight, as SeCo does."""
    schedule: str = "cosine"
    """`cosine` down to `final_lr`, `step` by `gamma` at `milestones`, or `constant`."""
    warmup_epochs: float = 0.0
    """Linear rise from 0."""
    final_lr: float = 0.0
    """End of the cosine."""
    milestones: tuple[float, ...] = ()
    """Shares of the training, in 0 to 1, at which `step` multiplies by `gamma`."""
    gamma: float = 0.1
    """See `milestones`."""
    max_norm: float | None = None
    """Greatest norm of all gradients together; none for no clipping."""

    def __post_init__(self) -> None:
        """Check choices and signs.

        Raises:
            ConfigError: A choice is unknown, or a number has the wrong sign.
        """
        check_choice("optimizer", self.name, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        if not self.lr > 0:
            raise ConfigError(f"lr is {self.lr}; expected more than 0.")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is {self.momentum}; expected 0 or more and below 1.")
        for name in ("weight_decay", "warmup_epochs", "final_lr", "gamma"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        if not all(0 <= each <= 1 for each in self.milestones):
            raise ConfigError(f"milestones are {self.milestones}; expected shares of the training, from 0 to 1.")
        if self.warmup_epochs < 0:
            raise ConfigError(f"warmup_epochs is {self.warmup_epochs}; expected 0 or more.")
        if sorted(self.milestones) != list(self.milestones) or any(not 0 < share < 1 for share in self.milestones):
            raise ConfigError(f"milestones are {self.milestones}; expected shares of the training in order, between 0 and 1.")
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma is {self.gamma}; expected more than 0 and at most 1.")
        if self.max_norm is not None and not self.max_norm > 0:
            raise ConfigError(f"max_norm is {self.max_norm}; expected more than 0, or none for no clipping.")


@dataclass(frozen=True, slots=True)
class Contrast:
    """The constants of the MoCo family."""

    dim: int = 128
    """Length of an embedding."""
    queue: int | None = None
    """Keys that are kept as negatives; none for the largest that fits, at most 65,536."""
    force_queue: bool = False
    """Take `queue` though it holds more than half of the training locations."""
    temperature: float = 0.07
    """Of the softmax."""
    ema_momentum: float = 0.999
    """Of the key encoder."""
    distinct_dates: bool = True
    """Draw different scenes for a sample; with replacement otherwise, as released."""
    mask_same_date: bool = True
    """Never take another view of the query's own date as a negative where season is what must be told."""
    mask_own_location: bool = True
    """Never take a key of the query's own location out of the queue as a negative."""
    gather_negatives: bool = True
    """Take SeCo's extra negatives from all processes, rather than from each one's own batch."""
    shuffle_batch_norm: bool = True
    """Spread the keys over the processes in another order than the queries, so that batch statistics tell nothing."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A number is out of range.
        """
        if self.dim < 1:
            raise ConfigError(f"dim is {self.dim}; expected 1 or more.")
        if self.queue is not None and self.queue < 1:
            raise ConfigError(
                f"A queue of {self.queue} keys is empty. Give 1 or more, or leave it away for the largest that fits."
            )
        if not self.temperature > 0:
            raise ConfigError(f"temperature is {self.temperature}; expected more than 0.")
        if not 0 <= self.ema_momentum < 1:
            raise ConfigError(f"ema_momentum is {self.ema_momentum}; expected 0 or more and below 1.")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that the weights depend on."""

    method: str
    """`moco`, `moco-tp` or `seco`."""
    recipe: str
    """Name of the recipe that it came from."""
    views: tuple[View, ...]
    """Of one sample."""
    contrast: Contrast
    """Constants of the method."""
    optimizer: Optimizer
    """How weights move."""
    backbone: str = "resnet50"
    """timm's name."""
    drop_path: float = 0.0
    """Rate of stochastic depth."""
    sensor: str | None = None
    """Id of the sensor; none for the catalog's only one."""
    bands: tuple[str, ...] = ()
    """In the order of the channels; empty for all that the catalog has, in the sensor's order."""
    scaling: str = "measured"
    """How reflectance becomes [0, 1]: `measured` (2nd and 98th percentile of each band), `native` (as it is), or `seco`."""
    batch_size: int = 256
    """Locations per step, of all processes together."""
    accumulate: int = 1
    """Parts that a batch is computed in, one after the other."""
    epochs: int = 200
    """Times that every location is seen."""
    seed: int = 0
    """Of everything that is drawn."""
    precision: str = "auto"
    """`bf16-mixed` on a GPU and `32-true` elsewhere, if `auto`."""
    sync_batch_norm: bool = False
    """Take batch statistics of all processes together, on GPUs; on CPUs each process has its own. Not for the MoCo family,
    where Shuffle-BN is there for the opposite."""
    channels_last: bool = True
    """Memory format of convolutional backbones."""
    compile: bool = False
    """Compile the student's forward pass."""
    deterministic: bool = False
    """Choose only algorithms that give the same bits again."""

    def __post_init__(self) -> None:
        """Check what one record can tell.

        Raises:
            ConfigError: A setting is out of range, or two do not fit together.
        """
        for name in ("batch_size", "accumulate", "epochs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more.")
        if self.batch_size % self.accumulate:
            raise ConfigError(
                f"A batch of {self.batch_size} does not divide into {self.accumulate} equal parts. "
                "Choose accumulate among the divisors of the batch size."
            )
        if not 0 <= self.drop_path < 1:
            raise ConfigError(f"drop_path is {self.drop_path}; expected 0 or more and below 1.")
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("scaling", self.scaling, ("measured", "native", "seco"))
        if not self.views:
            raise ConfigError("A method without views sees nothing. Give one or more.")

    @property
    def scenes(self) -> int:
        """Scenes that a sample needs."""
        return 1 + max(view.scene for view in self.views)


def to_json(record: Any) -> dict[str, Any]:
    """A record as values that JSON can hold; its tuples are written as lists."""
    return asdict(record)


def from_json(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """The exact inverse of `to_json`.

    Args:
        kind: A record of these, or one made of them.
        content: What `to_json` gave, also after a pass through a file.

    Raises:
        ConfigError: A field is missing or unknown, or has too many or too few values.
    """
    assert is_dataclass(kind), f"{kind} is no record"
    known = {each.name: each for each in fields(kind)}
    for name in content:
        if name not in known:
            raise ConfigError(
                f"Unknown setting {name!r} of {kind.__name__}.{_guess(name, known)} Was it written by another version?"
            )
    missing = [name for name, each in known.items() if name not in content and each.default is each.default_factory is MISSING]
    if missing:
        raise ConfigError(f"{kind.__name__} lacks {', '.join(missing)}. Was it written by another version?")
    hints = typing.get_type_hints(kind)
    made: Record = kind(**{name: _read(hints[name], value) for name, value in content.items()})
    return made


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among a few.

    Raises:
        ConfigError: It is not; the message lists them and guesses.
    """
    if value not in choices:
        raise ConfigError(f"Unknown {what} {value!r}. Choose from: {', '.join(choices)}.{_guess(value, choices)}")


def _read(hint: Any, value: Any) -> Any:
    """A value of JSON as its field's type."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if value is None:
        return None
    if is_dataclass(hint):
        return from_json(typing.cast("type[Any]", hint), value)
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(value):
            raise ConfigError(f"{value} has {len(value)} values; expected {len(kinds)}. Was it written by another version?")
        return tuple(_read(kind, each) for kind, each in zip(kinds, value, strict=True))
    return value


def _guess(name: str, known: Any) -> str:
    guess = get_close_matches(name, list(known), 1, 0.5)
    return f" Did you mean {guess[0]!r}?" if guess else ""


def _check_probability(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value}; expected a probability from 0 to 1.")


def _check_range(name: str, value: tuple[float, float], low: float, high: float) -> None:
    if not low < value[0] <= value[1] <= high:
        raise ConfigError(f"{name} is {value}; expected two numbers in order, above {low:g} and up to {high:g}.")

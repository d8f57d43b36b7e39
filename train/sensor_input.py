"""What a training reads of each of its sensors; several have the same locations, on squares of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs.bands import find_sensor
from catalogs.stack import Stack, open_stack
from train.checks import guess_name
from train.config import InputSpec, TrainConfig
from train.errors import ConfigError, DataError
from train.samples import Samples, find_samples

if TYPE_CHECKING:
    from catalogs import Catalog


@dataclass(frozen=True, eq=False)
class SensorInput:
    """What is read of one sensor."""

    stack: Stack
    """Pixels of its items."""
    samples: Samples
    """Locations to train on, with its items."""
    spec: InputSpec
    """What the network expects of it."""


def choose_sensors(config: TrainConfig, catalog: Catalog) -> tuple[str, ...]:
    """The sensors to train on: one, or of a method that aligns sensors all that are asked for.

    Raises:
        ConfigError: One must be chosen, or several cannot be aligned, or one is not there.
        DataError: The catalog has none.
    """
    if config.sensor is not None:
        return (config.sensor,)
    if not catalog.sensors:
        raise DataError(f"{catalog} holds no scenes of a sensor that we know. Build it first: curate build {catalog.href}.")
    if config.alignment is None:
        if len(catalog.sensors) > 1:
            raise ConfigError(
                f"{catalog} has several sensors: {', '.join(catalog.sensors)}. Choose one with --sensor {catalog.sensors[0]}."
            )
        return catalog.sensors
    for sensor in config.sensors:
        if sensor not in catalog.sensors:
            raise ConfigError(
                f"{catalog} has no scenes of {sensor!r}: it has {', '.join(catalog.sensors)}. "
                f"Choose among them with --sensors.{guess_name(sensor, catalog.sensors)}"
            )
    sensors = config.sensors or catalog.sensors
    config.alignment.check_sensors(sensors)
    return config.alignment.in_order(sensors)


def open_sensor(catalog: Catalog, sensor: str, config: TrainConfig, *, cache: Path | None, pack: bool | None) -> Stack:
    """Open the pixels of all items of a sensor.

    Raises:
        CatalogError: The catalog cannot be read, or lacks a band.
        ConfigError: The sensor has no band of a common name.
        DataError: There are no items yet.
    """
    items = catalog.items(sensor=sensor)
    if not len(items):
        raise DataError(f"{catalog} has no items of {sensor} yet. Build it first: curate build {catalog.href}.")
    bands = config.bands if config.alignment is None else name_bands(sensor, config.bands)
    return open_stack(catalog, items, bands or None, cache=cache, pack=pack)


def name_bands(sensor: str, common_names: Sequence[str]) -> tuple[str, ...]:
    """The bands of a sensor that have some common names, in their order.

    Raises:
        ConfigError: It has no such band; the message says which names it knows, and guesses.

    Examples:
        >>> name_bands("sentinel-2-l2a", ("red", "nir"))
        ('B04', 'B08')
    """
    bands = {band.common_name: band.name for band in find_sensor(sensor).bands if band.common_name}
    for name in common_names:
        if name not in bands:
            raise ConfigError(
                f"{sensor} has no band with the common name {name!r}; it has {', '.join(bands) or 'none'}. Bands of several "
                f"sensors go by the names that all of them have.{guess_name(name, bands)}"
            )
    return tuple(bands[name] for name in common_names)


def common_names(sensor: str, bands: Sequence[str]) -> tuple[str, ...]:
    """What bands of a sensor are called whatever the sensor; a band without such a name keeps its own.

    Examples:
        >>> common_names("sentinel-2-l2a", ("B04", "B08")), common_names("sentinel-1-rtc", ("vv",))
        (('red', 'nir'), ('vv',))
    """
    names = {band.name: band.common_name or band.name for band in find_sensor(sensor).bands}
    return tuple(names.get(band, band) for band in bands)


def check_same_bands(bands: Mapping[str, Sequence[str]]) -> None:
    """Refuse bands of sensors that one patch embedding would take for each other.

    Args:
        bands: Of each sensor, in the order of the channels, by its id.

    Raises:
        ConfigError: They differ by their common names, or in their order.
    """
    names = {sensor: common_names(sensor, each) for sensor, each in bands.items()}
    if len(set(names.values())) > 1:
        words = "; ".join(f"{', '.join(each)} of {sensor}" for sensor, each in names.items())
        raise ConfigError(
            f"One patch embedding for all sensors needs the same bands of each, in one order, and there are {words}. Name "
            "bands that all have, such as --bands red,green,blue, or give each sensor its own (--separate-patch-embeddings)."
        )


def share_locations(stacks: Sequence[Stack], *, dates: int) -> tuple[list[Samples], dict[str, int]]:
    """The training locations that every sensor has, the same for each.

    Args:
        stacks: Of each sensor.
        dates: Different days that each location must have of each.

    Returns:
        Samples of each; and how many locations were left out for want of each sensor, where there were any.

    Raises:
        DataError: A sensor has no location to train on, or no location has all sensors.
    """
    found = [find_samples(stack, dates=dates) for stack in stacks]
    if len(found) == 1:
        return found, {}
    common = set(found[0].locations).intersection(*(samples.locations for samples in found[1:]))
    if not common:
        counts = ", ".join(f"{stack.sensor} has {len(each):,}" for stack, each in zip(stacks, found, strict=True))
        raise DataError(
            f"No location of the train split has scenes of all sensors: {counts}, none in common. Build pairs: curate build "
            f"CATALOG {' '.join(f'--sensor {stack.sensor}' for stack in stacks)}."
        )
    everywhere = set().union(*(samples.locations for samples in found))
    lacking = {stack.sensor: len(everywhere.difference(each.locations)) for stack, each in zip(stacks, found, strict=True)}
    return [samples.keep(common) for samples in found], {sensor: count for sensor, count in lacking.items() if count}


def describe_lacking(lacking: Mapping[str, int]) -> str:
    """Say how many locations were left out for want of which sensor.

    Examples:
        >>> describe_lacking({"spot-ortho": 2, "naip": 1})
        'Left out for want of a sensor: 2 locations without spot-ortho, 1 location without naip.'
    """
    parts = (f"{count:,} location{'s' if count > 1 else ''} without {sensor}" for sensor, count in lacking.items())
    return f"Left out for want of a sensor: {', '.join(parts)}."


def square_side_m(stacks: Sequence[Stack]) -> float:
    """Side of every location's square, which all bands of all sensors cover.

    Raises:
        DataError: They differ, between sensors or bands of one.
    """
    sides = {
        (stack.sensor, round(count * layer.gsd, 6))
        for stack in stacks for layer in stack.layers for count in (layer.height, layer.width)
    }  # fmt: skip
    found = sorted({side for _, side in sides})
    if len(found) > 1:
        words = ", ".join(f"{side:g} m of {sensor}" for sensor, side in sorted(sides))
        raise DataError(
            f"Squares differ in size: {words}. Tokens of sensors are the same ground on squares of one size alone. "
            "Choose sensors that share one with --sensors, or build all of them in one catalog."
        )
    return found[0]

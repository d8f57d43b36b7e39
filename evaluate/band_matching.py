"""Pixels of the bands that weights ask for: what a catalog calls them, and what stands for those that it lacks.

Bands are found by name, with two exceptions. Red, green and blue of a picture are those of any sensor, and those of Sentinel-2
are those of a picture. And a band that the catalog lacks may be filled, by `--fill`, with one number for every pixel.

Their numbers are reflectance, or what somebody stretched for the eye. Weights made for the one are fed from the other as if a
picture were white from one reflectance on: `Settings.white`, which is written into the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogs.band_guess import guess_name
from catalogs.bands import SENSORS, Sensor, find_sensor
from catalogs.errors import MissingBandError
from catalogs.items import Items
from catalogs.layers import Layer
from catalogs.reader import Catalog
from catalogs.stack import Pixels, Stack, open_stack
from evaluate.errors import InputError
from evaluate.result import Score
from train.config import InputSpec

COLORS = ("red", "green", "blue")
"""What the bands of a picture are called."""
ANY = "BAND"
"""What stands for the name of a band that is not known."""
MEAN = "mean"
"""What fills a band with the mean that the weights were trained with: 0 once it is normalised."""
_COLOR_BANDS = {
    band.name for sensor in ("sentinel-2-l2a", "rgb-image") for band in find_sensor(sensor).bands if band.common_name in COLORS
}
Fill = Mapping[str, float | None]
"""Reflectance of each filled band, by its name; none for the weights' own mean."""


def read_fill(words: Sequence[str] | None) -> dict[str, float | None]:
    """Bands to fill as they were typed, such as `B10=mean` or `B09=0.05`.

    Raises:
        InputError: No sensor has such a band, one is there twice, or it is filled with neither `mean` nor a number.

    Examples:
        >>> read_fill(["B10=mean", "B09=0.05"])
        {'B10': None, 'B09': 0.05}
    """
    fill: dict[str, float | None] = {}
    for word in words or ():
        band, _, value = word.partition("=")
        _check_band(band)
        if band in fill:
            raise InputError(f"--fill has {band} twice. Give each band once.")
        fill[band] = None if value == MEAN else _read_reflectance(word, band, value)
    return fill


def _read_reflectance(word: str, band: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"--fill {word!r} fills {band} with {value!r}; expected {band}={MEAN}, the mean of the weights, or a reflectance "
            f"such as {band}=0.05."
        )
    return number


@dataclass(frozen=True, slots=True, eq=False)
class BandReader:
    """Opens pixels of some items by the names that weights have for their bands."""

    catalog: Catalog
    """Where they are."""
    items: Items
    """Of one sensor."""
    sensor: str
    """Its id."""
    fill: Fill
    """Bands to fill; those that nobody asks for do not matter."""
    white: float
    """Reflectance that is white in a picture."""
    cache: Path | None = None
    """Folder that keeps what is fetched of a remote catalog."""

    def chosen(self, bands: Sequence[str] | None, like: InputSpec | None) -> Stack:
        """Open the pixels for whatever says nothing of its own.

        Args:
            bands: Those that the user asks for, by the catalog's own names.
            like: Input of weights, whose bands are taken otherwise; all that every item has, where there is none.

        Raises:
            MissingBandError: See `own`.
            InputError: See `own`.
        """
        if bands or like is None:
            return open_stack(self.catalog, self.items, bands, cache=self.cache)
        return self.own(like.bands)

    def own(self, bands: Sequence[str]) -> Stack:
        """Open bands under the catalog's own names and in its own numbers, less those that are filled.

        Args:
            bands: As weights call them.

        Raises:
            MissingBandError: The catalog lacks one; the message names `--fill`.
            InputError: All are filled.
        """
        sensor = find_sensor(self.sensor)
        read = [name for name in bands if name not in self.fill]
        if not read:
            raise InputError(f"--fill fills every band that is read, {', '.join(bands)}. Leave at least one as it is.")
        try:
            return open_stack(self.catalog, self.items, [_match(name, sensor) for name in read], cache=self.cache)
        except MissingBandError as error:
            raise MissingBandError(_with_advice(str(error), read, sensor)) from error

    def open(self, bands: Sequence[str], made_for: str | None = None) -> Stack:
        """Open the pixels of the bands that weights ask for.

        Args:
            bands: As the weights call them, in their order.
            made_for: Id of the sensor that the weights were made for; the catalog's own where absent.

        Returns:
            A stack whose bands are called as the weights call them, in the numbers that they were made for. The filled ones are
            in a layer of one pixel.

        Raises:
            MissingBandError: The catalog lacks a band that is not filled; the message names `--fill`.
            InputError: A band is filled that the catalog has, all are filled, or one or two of red, green and blue.
        """
        filled = [name for name in bands if name in self.fill]
        read = [name for name in bands if name not in self.fill]
        stack = self.own(bands)
        self._check_filled(filled, read)
        factor = display_factor(made_for or self.sensor, self.sensor, white=self.white)
        stack = _rename(stack, dict(zip(stack.bands, read, strict=True)), factor)
        return _add_filled(stack, bands, {name: self.fill[name] for name in filled}) if filled else stack

    def _check_filled(self, filled: Sequence[str], read: Sequence[str]) -> None:
        """Refuse what cannot be filled, or need not be."""
        colors = [sorted(set(names) & _COLOR_BANDS) for names in (filled, read)]
        if all(colors):
            raise InputError(
                f"--fill fills {', '.join(colors[0])} but {', '.join(colors[1])} is read: red, green and blue are one picture. "
                "Fill all three or none."
            )
        for name in filled:
            if self._has(name):
                raise InputError(f"--fill fills {name}, which {self.catalog} has. Leave it out.")

    def _has(self, name: str) -> bool:
        """Whether every item has a band."""
        try:
            open_stack(self.catalog, self.items, [_match(name, find_sensor(self.sensor))])
        except MissingBandError:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class FilledPixels:
    """Pixels with one more layer, the same for every item; goes to another process as it is."""

    pixels: Pixels
    """Of the other layers."""
    values: NDArray[np.float32]
    """Of the last layer, (bands, 1, 1)."""

    def read_into(self, item: int, out: Sequence[NDArray[Any]]) -> None:
        """See `Stack.read_into`."""
        self.pixels.read_into(item, out[:-1])
        out[-1][...] = self.values


def display_factor(made_for: str, sensor: str, *, white: float) -> float:
    """By what the numbers of a sensor are multiplied to mean what weights were made for; 1 where both show the same.

    Args:
        made_for: Id of the weights' sensor.
        sensor: Id of the catalog's.
        white: Reflectance that is white in a picture.

    Examples:
        >>> display_factor("sentinel-2-l2a", "eurosat-rgb", white=0.3)
        0.3
        >>> display_factor("sentinel-2-l2a", "sentinel-2-l1c", white=0.3)
        1.0
    """
    wanted, there = shows_pictures(made_for), shows_pictures(sensor)
    if wanted == there:
        return 1.0
    return white if there else 1 / white


def white_taken(scores: Iterable[Score], sensor: str, white: float) -> dict[str, float]:
    """What a result says of white: nothing unless some weights read pictures for reflectance, or the other way round.

    Args:
        scores: Of a result; each says which sensor its weights were made for.
        sensor: Id of the catalog's.
        white: Reflectance that is white in a picture.
    """
    made_for = {str(each.input["sensor"]) for each in scores if each.input}
    return {"white": white} if any(shows_pictures(each) != shows_pictures(sensor) for each in made_for) else {}


def shows_pictures(sensor: str) -> bool:
    """Whether a sensor's numbers were stretched for the eye, as those of orthophotos are too."""
    known = find_sensor(sensor)
    return known.is_display or any(band.name in COLORS for band in known.bands)


def _match(name: str, sensor: Sensor) -> str:
    """What a sensor calls a band."""
    own = {band.name: band.common_name for band in sensor.bands}
    if name in own:
        return name
    if name in COLORS:
        return next((each for each, common in own.items() if common == name), name)
    color = {band.name: band.common_name for band in find_sensor("sentinel-2-l2a").bands}.get(name)
    return color if color in COLORS and color in own else name


def _rename(stack: Stack, names: Mapping[str, str], factor: float) -> Stack:
    """A stack whose bands have other names, and whose numbers are multiplied."""
    layers = tuple(replace(layer, bands=tuple(names[band] for band in layer.bands)) for layer in stack.layers)
    scale, offset = (np.multiply(each, factor, dtype=np.float32) for each in (stack.scale, stack.offset))
    return replace(stack, bands=tuple(names[band] for band in stack.bands), layers=layers, scale=scale, offset=offset)


def _add_filled(stack: Stack, bands: Sequence[str], fill: Fill) -> Stack:
    """A stack with one more layer, of one pixel.

    It is not a number where the weights' mean is wanted: that is what stands wherever there is no measurement.
    """
    finest = stack.layers[0]
    values = np.array([[[np.nan if value is None else value]] for value in fill.values()], np.float32)
    layer = Layer(finest.gsd * finest.height, tuple(fill), "float32", 1, 1, (None,) * len(fill))
    order = [(*stack.bands, *fill).index(name) for name in bands]
    ones = np.ones((len(stack), len(fill)), np.float32)
    items = stack.items
    if np.isnan(values).any():
        place = items.schema.get_field_index("valid_percent")
        items = items.set_column(place, "valid_percent", pa.array(np.zeros(len(stack))))
    return replace(
        stack,
        items=items,
        bands=tuple(bands),
        layers=(*stack.layers, layer),
        scale=np.concatenate([stack.scale, ones], axis=1)[:, order],
        offset=np.concatenate([stack.offset, 0 * ones], axis=1)[:, order],
        pixels=FilledPixels(stack.pixels, values),
    )


def _with_advice(message: str, read: Sequence[str], sensor: Sensor) -> str:
    """What is wrong, and how the band may be filled that the sensor lacks."""
    own = {band.name for band in sensor.bands}
    lacking = [name for name in read if _match(name, sensor) not in own] or [ANY]
    flags = " ".join(f"--fill {name}={MEAN}" for name in lacking)
    if lacking != [ANY]:
        has = ", ".join(band.name for band in sensor.bands)
        message = f"The weights read {', '.join(lacking)}, and {sensor.id} has {has}. Take weights of these bands."
    return f"{message} Or say what stands for it: {flags}, the mean that the weights were trained with, or a reflectance."


def _check_band(band: str) -> None:
    known = {each.name for sensor in SENSORS.values() for each in sensor.bands}
    if band not in known:
        guess = guess_name(band, sorted(known))
        meant = f" Did you mean {guess}?" if guess else ""
        raise InputError(f"--fill names {band!r}, a band that no sensor has. Expected such as B10={MEAN}.{meant}")

"""What the pixels of many items have in common: bands by pixel size, in one shape and type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalogs import fields
from catalogs.from_stac import classes_from_stac


@dataclass(frozen=True, slots=True)
class Layer:
    """The bands of one pixel size."""

    gsd: float
    """Side of a pixel, metres."""
    bands: tuple[str, ...]
    """Their names, in the order of arrays."""
    data_type: str
    """numpy's name of the native type."""
    height: int
    """Rows of a patch."""
    width: int
    """Columns of a patch."""
    nodata: tuple[float | None, ...]
    """Of each band, the DN that says there is no measurement."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(bands, height, width)."""
        return len(self.bands), self.height, self.width

    @property
    def size(self) -> int:
        """Bytes of one item."""
        return math.prod(self.shape) * np.dtype(self.data_type).itemsize


@dataclass(frozen=True, slots=True)
class Form:
    """What a raster is, whatever its pixels: most items of a sensor share one per asset."""

    key: str
    """Of the asset."""
    bands: tuple[str, ...]
    """In the order of the file."""
    nodata: tuple[float | None, ...]
    """Of each band."""
    gsd: float
    """Metres."""
    data_type: str
    """numpy's name."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    is_mask: bool
    """Classes or bits rather than measurements."""
    classes: tuple[str, ...] = ()
    """Of a label raster: names of its values."""

    @classmethod
    def of(cls, key: str, asset: Mapping[str, Any]) -> Form:
        """The form of an asset in row form."""
        height, width = asset["proj:shape"]
        return cls(
            key,
            tuple(band["name"] for band in asset["bands"]),
            tuple(one_nan(band.get("nodata")) for band in asset["bands"]),
            float(asset["gsd"]),
            asset["data_type"],
            height,
            width,
            not fields.NO_MEASUREMENTS.isdisjoint(asset["roles"]),
            classes_from_stac(key, asset),
        )

    @property
    def size(self) -> tuple[float, str, int, int]:
        """What bands of one layer share: gsd, type, height, width."""
        return self.gsd, self.data_type, self.height, self.width


def one_nan(value: float | None) -> float | None:
    """A number, NaN always the same object, so that records that hold it are equal."""
    return math.nan if value is not None and math.isnan(value) else value


def group_layers(bands: Iterable[str], forms: Mapping[str, Form]) -> tuple[Layer, ...]:
    """Bands by pixel size, finest first; within a layer in the order given.

    Args:
        bands: Their names.
        forms: The raster that holds each.
    """
    groups: dict[tuple[float, str, int, int], list[str]] = {}
    for band in bands:
        groups.setdefault(forms[band].size, []).append(band)
    layers = []
    for (gsd, data_type, height, width), names in sorted(groups.items()):
        nodata = tuple(forms[name].nodata[forms[name].bands.index(name)] for name in names)
        layers.append(Layer(gsd, tuple(names), data_type, height, width, nodata))
    return tuple(layers)

"""What a map of tested locations shows: its frame, in degrees, and dots that do not hide each other. Pure functions.

Longitude and latitude on a grid true to scale in the middle of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, floor, log10, radians

import numpy as np
from numpy.typing import NDArray

CELLS = 72
"""Columns of cells of which one dot each is drawn at most."""
KM_PER_DEGREE = 111.32
"""Along a meridian, and along a parallel times the cosine of its latitude."""
LEAST_DEGREES = 0.02
"""Height of the smallest map."""
ASPECTS = (0.6, 2.2)
"""Width by height of a map at least and at most."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dot:
    """Tested locations that lie near each other."""

    lon: float
    """Their middle, degrees east of `Frame.west`."""
    lat: float
    """Their middle, degrees."""
    locations: int
    """How many they are."""
    right: float
    """Share of right answers, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The ground that a map shows."""

    west: float
    """Longitude of its left side, degrees, -180 to 180."""
    south: float
    """Latitude of its lower side, degrees."""
    width: float
    """Degrees of longitude."""
    height: float
    """Degrees of latitude."""

    @property
    def shrink(self) -> float:
        """A degree of longitude by one of latitude, at the middle."""
        return _shrink(self.south + self.height / 2)

    @property
    def aspect(self) -> float:
        """Width by height, on the ground."""
        return self.width * self.shrink / self.height

    @property
    def width_km(self) -> float:
        """Along the middle."""
        return self.width * self.shrink * KM_PER_DEGREE

    def x(self, lon: float) -> str:
        """Place from the left, of degrees east of the left side."""
        return f"{100 * lon / self.width:.2f}%"

    def y(self, lat: float) -> str:
        """Place from the top."""
        return f"{100 - 100 * (lat - self.south) / self.height:.2f}%"


def frame_of(lonlat: Floats) -> Frame:
    """The smallest map that shows all places, with a margin.

    Args:
        lonlat: Degrees, (places, 2); those on both sides of 180 degrees are shown side by side.
    """
    lons = np.unique(lonlat[:, 0] % 360)
    gaps = np.diff(lons, append=lons[0] + 360)
    start = float(lons[(int(gaps.argmax()) + 1) % len(lons)])
    span = 360 - float(gaps.max())
    south, north = float(lonlat[:, 1].min()), float(lonlat[:, 1].max())
    height = max(1.15 * (north - south), LEAST_DEGREES)
    shrink = _shrink((south + north) / 2)
    width = max(1.15 * span, LEAST_DEGREES / shrink, ASPECTS[0] * height / shrink)
    height = max(height, width * shrink / ASPECTS[1])
    west = start + span / 2 - width / 2
    return Frame((west + 180) % 360 - 180, (south + north) / 2 - height / 2, width, height)


def dots_of(frame: Frame, lonlat: Floats, locations: NDArray[np.str_], right: Floats) -> list[Dot]:
    """Pool places, so that dots do not hide each other.

    Args:
        frame: The map.
        lonlat: Of each item, degrees, (items, 2).
        locations: Ids of their locations, (items,).
        right: Share of right answers of each, (items,).

    Returns:
        From the north to the south.
    """
    lon, lat = (lonlat[:, 0] - frame.west) % 360, lonlat[:, 1]
    side = frame.width * frame.shrink / CELLS
    corners = np.stack([np.floor(-lat / side), np.floor(lon * frame.shrink / side)], axis=1)
    _, cell = np.unique(corners, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    items = np.bincount(cell)
    means = [np.bincount(cell, values) / items for values in (lon, lat, right)]
    first = np.unique(locations, return_index=True)[1]
    count = np.bincount(cell[first], minlength=len(items))
    return [
        Dot(lon=place[0], lat=place[1], locations=number, right=place[2])
        for place, number in zip(np.stack(means, axis=1).tolist(), count.tolist(), strict=True)
    ]


def nice_step(span: float, *, lines: int) -> float:
    """1, 2 or 5 times a power of ten, of which about so many go into a span.

    Examples:
        >>> nice_step(7.3, lines=6)
        2.0
    """
    least = span / lines
    power = 10.0 ** floor(log10(least))
    return next(float(power * times) for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))


def _shrink(lat: float) -> float:
    """A degree of longitude by one of latitude; not all the way to nothing at the poles."""
    return max(cos(radians(lat)), 0.05)

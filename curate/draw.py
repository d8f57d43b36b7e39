"""Candidate *k* of a sample: a pure function of seed, region, strategy and *k*.

Philox is a counter-based generator: its block *k* is a function of key and counter, so any machine can draw any stretch of the
candidates, and all agree. Each candidate has one block, four numbers in [0, 1), however many of them its strategy needs.

References:
    Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, https://doi.org/10.1145/2063384.2063405
    SeCo, Mañas et al. 2021, section 3.1: 50 km around the 10,000 largest cities, https://arxiv.org/abs/2103.16607
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from curate.cells import areas
from curate.errors import RegionError
from curate.places import Places, load_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.areas import Region

NUMBERS = 4
"""64-bit numbers in a block of Philox."""


class Strategy(Protocol):
    """Where candidates fall."""

    def points(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes, degrees, of candidates `start` to `start + count`."""


@dataclass(frozen=True)
class AroundPlaces:
    """A place, then a Gaussian around it, the same in metres east and north."""

    seed: NDArray[np.uint64]
    """Key of the generator; see `draw_key`."""
    places: Places
    """To choose from."""
    std_m: float
    """Standard deviation, metres, in each direction."""
    by_population: bool = False
    """Whether a place is chosen as often as it has inhabitants, or each equally often."""

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return shares(self.places.population if self.by_population else np.ones(len(self.places)))

    def points(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes, degrees, of candidates `start` to `start + count`.

        Two independent Gaussians are a uniform bearing and a Rayleigh distance; both are laid off as a geodesic of WGS 84.
        """
        from pyproj import Geod

        which, bearing, radius, _ = numbers(self.seed, start, count).T
        place = pick(self._cumulative, which)
        distance_m = self.std_m * np.sqrt(-2 * np.log1p(-radius))
        lon, lat, _ = Geod(ellps="WGS84").fwd(self.places.lon[place], self.places.lat[place], 360 * bearing, distance_m)
        return np.asarray(lon), np.asarray(lat)


@dataclass(frozen=True)
class EqualArea:
    """The same number of candidates on every square kilometre."""

    seed: NDArray[np.uint64]
    """Key of the generator; see `draw_key`."""
    cells: NDArray[np.float64]
    """Boxes to draw in, (boxes, 4) as (west, south, east, north), degrees."""

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return shares(areas(self.cells))

    def points(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes, degrees, of candidates `start` to `start + count`."""
        which, along, up, _ = numbers(self.seed, start, count).T
        west, south, east, north = self.cells[pick(self._cumulative, which)].T
        low, high = np.sin(np.radians(south)), np.sin(np.radians(north))
        return west + along * (east - west), np.degrees(np.arcsin(low + up * (high - low)))


def make_strategy(name: str, region: Region, *, seed: int, cities: int, std_m: float) -> Strategy:
    """The strategy of a name over a region.

    Args:
        name: `cities`, `population` or `uniform`.
        region: To sample from.
        seed: Of the whole sample.
        cities: How many of the largest places `cities` chooses from; all where there are fewer.
        std_m: Standard deviation around them, metres.

    Raises:
        RegionError: The region holds no place, or no land.
    """
    key = draw_key(seed, region.identity, name)
    if name == "uniform":
        if not len(region.cells):
            raise RegionError(
                f"Region {_named(region)} is empty: it holds no land. Widen it, or pass a file with exact borders."
            )
        return EqualArea(key, region.cells)
    places = load_places()
    home = places.subset(region.is_home(places))
    if not len(home):
        raise RegionError(
            f"Region {_named(region)} is empty for --strategy {name}: it holds no place of 500 inhabitants or more. "
            "Pass --strategy uniform, or widen the region."
        )
    return AroundPlaces(key, home.largest(cities) if name == "cities" else home, std_m, by_population=name == "population")


def _named(region: Region) -> str:
    """A region for people; of a box its edges, whose order may be the mistake."""
    kind, _, edges = region.identity.partition(":")
    return f'"{edges}" (west,south,east,north)' if kind == "box" else f'"{region.slug}"'


def draw_key(*parts: object) -> NDArray[np.uint64]:
    """Key of a generator, from what identifies its numbers."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return np.frombuffer(digest[:16], "<u8").astype(np.uint64)


def numbers(key: NDArray[np.uint64], start: int, count: int) -> NDArray[np.float64]:
    """Four numbers in [0, 1) for each of the candidates `start` to `start + count`, (count, 4)."""
    raw = np.random.Philox(key=key, counter=start).random_raw(NUMBERS * count)
    return np.asarray((raw >> np.uint64(11)).reshape(count, NUMBERS) * 2.0**-53, np.float64)


def seeded_order(key: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """A permutation of `count` things."""
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable")


def shares(weights: NDArray[np.generic]) -> NDArray[np.float64]:
    """Upper ends, in 0 to 1, of stretches as long as the weights."""
    total = np.cumsum(weights.astype(float))
    return np.asarray(total / total[-1])


def pick(cumulative: NDArray[np.float64], number: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which stretch each number in [0, 1) falls into."""
    return np.minimum(np.searchsorted(cumulative, number, side="right"), len(cumulative) - 1)

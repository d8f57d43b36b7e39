"""How many blocks are fetched twice because units of locations end somewhere: computed, nothing is fetched.

Squares of 264 pixels of 10 m lie on a raster without gaps over nine grid squares of one zone, or on a part of its places. Each
grid square has a tile as Sentinel-2 has: 109.8 km from the upper left corner, with blocks of 1,024 pixels in bands of 10, 20
and 60 m. A location takes the tile of its own grid square where that covers it, and the first of its dates that is clear there.
Shown is what units fetch beyond each block once, per cent, beside two other ways of making units:

* `along blocks`: strips end where a row of blocks of 20 m does, and so one of 10 m;
* `whole squares`: no strips, one unit for a grid square, whatever it holds.

Run `python -m tests.benchmarks.unit_borders`.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from catalogs.bands import find_sensor
from catalogs.lattice import grid_square
from catalogs.records import Location
from curate.unit import neighbourhoods
from tests.benchmarks.machine import asked

EPSG, LEFT, BOTTOM = 32631, 400_000, 4_900_000
SQUARE_M, TILE_M, SIDE_M, BLOCK_PX = 100_000, 109_800, 2_640, 1_024
ACROSS = 3
"""Grid squares."""
SHARES = (0.07, 0.28, 0.52, 1.0)
"""Of the places that have a location: 100, 400, 740 (as disjoint squares all over France have) and 1,420 in a grid square."""
CLEAR = (1.0, 0.5)
"""Chances that a date is clear over a location."""
BANDS = Counter(int(band.gsd) for band in find_sensor("sentinel-2-l2a").bands)
"""How many there are of a pixel size."""

Scene = tuple[int, int, int]
"""(column, row) of its tile among the grid squares, and its date."""


def make_locations(share: float, *, seed: int = 0) -> list[Location]:
    """Locations on a share of the places."""
    count = ACROSS * SQUARE_M // SIDE_M
    places = [(LEFT + 20 + SIDE_M * column, BOTTOM + 20 + SIDE_M * row) for column in range(count) for row in range(count)]
    chosen = random.Random(seed).sample(places, int(len(places) * share))
    return [
        Location(f"a-{number:06d}", EPSG, (x // 60 * 60, y // 60 * 60, x // 60 * 60 + SIDE_M, y // 60 * 60 + SIDE_M))
        for number, (x, y) in enumerate(chosen)
    ]


def choose(locations: Iterable[Location], *, clear: float, seed: int = 0) -> dict[Location, Scene]:
    """The scene of each location."""
    rng = random.Random(seed)
    chosen = {}
    for location in locations:
        date = 0
        while rng.random() > clear:
            date += 1
        chosen[location] = (*_tile(location), date)
    return chosen


def _tile(location: Location) -> tuple[int, int]:
    x, y = location.centre_xy
    own = min(int(x - LEFT) // SQUARE_M, ACROSS - 1), min(int(y - BOTTOM) // SQUARE_M, ACROSS - 1)
    tiles = [(column, row) for column in range(ACROSS) for row in range(ACROSS)]
    covering = [tile for tile in tiles if _covers(tile, location)]
    return own if own in covering or not covering else covering[0]


def _covers(tile: tuple[int, int], location: Location) -> bool:
    left, top = _corner(*tile)
    return (
        left <= location.bounds[0]
        and location.bounds[2] <= left + TILE_M
        and location.bounds[3] <= top
        and location.bounds[1] >= top - TILE_M
    )


def _corner(column: int, row: int) -> tuple[int, int]:
    """(left, top) of a tile, on the raster of 60 m."""
    return (LEFT + SQUARE_M * column) // 60 * 60, -(-(BOTTOM + SQUARE_M * (row + 1)) // 60) * 60


def count_blocks(locations: Iterable[Location], scenes: dict[Location, Scene]) -> int:
    """Blocks of all bands that locations need, each once."""
    needed = {block for location in locations for block in _blocks(location, scenes[location])}
    return sum(BANDS[gsd] for _, gsd, _, _ in needed)


def _blocks(location: Location, scene: Scene) -> Iterator[tuple[Scene, int, int, int]]:
    left, top = _corner(*scene[:2])
    west, south, east, north = location.bounds
    for gsd in BANDS:
        side = gsd * BLOCK_PX
        for row in range(math.floor((top - north) / side), math.ceil((top - south) / side)):
            for column in range(math.floor((west - left) / side), math.ceil((east - left) / side)):
                yield scene, gsd, row, column


def whole_squares(locations: Iterable[Location]) -> list[list[Location]]:
    """A unit per grid square."""
    units = defaultdict(list)
    for location in locations:
        units[grid_square(location)].append(location)
    return list(units.values())


def along_blocks(locations: Sequence[Location]) -> list[list[Location]]:
    """As many strips of each square as `neighbourhoods` makes, of like heights, between rows of blocks of 20 m."""
    strips = Counter(grid_square(unit[0]) for unit in neighbourhoods(locations))
    units = []
    for square in whole_squares(locations):
        rows = defaultdict(list)
        for location in square:
            _, top = _corner(*_tile(square[0]))
            rows[int(top - location.bounds[3]) // (20 * BLOCK_PX)].append(location)
        count, ordered = strips[grid_square(square[0])], sorted(rows)
        edges = [len(ordered) * number // count for number in range(count + 1)]
        units += [[place for row in ordered[start:end] for place in rows[row]] for start, end in pairwise(edges)]
    return [unit for unit in units if unit]


WAYS: dict[str, Callable[[Sequence[Location]], Sequence[Sequence[Location]]]] = {
    "as built": neighbourhoods,
    "along blocks": along_blocks,
    "whole squares": whole_squares,
}


def twice(locations: Sequence[Location], units: Sequence[Sequence[Location]], *, clear: float) -> float:
    """Share of the needed blocks that units fetch besides, since another one has them too."""
    scenes = choose(locations, clear=clear)
    return sum(count_blocks(unit, scenes) for unit in units) / count_blocks(locations, scenes) - 1


def main() -> None:
    """Print the table."""
    asked(__doc__)
    print(f"{'per square':>10} {'clear':>6} " + " ".join(f"{name:>20}" for name in WAYS))
    for share in SHARES:
        locations = make_locations(share)
        for clear in CLEAR:
            made = [way(locations) for way in WAYS.values()]
            told = [f"{twice(locations, units, clear=clear):6.1%} in {len(units):3} units" for units in made]
            print(f"{len(locations) / ACROSS**2:10.0f} {clear:6.0%} " + " ".join(f"{cell:>20}" for cell in told))


if __name__ == "__main__":
    main()

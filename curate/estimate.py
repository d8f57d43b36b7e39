"""What is expected of a build before a pixel is seen: how often it looks and fetches, and how many blocks that touches. Pure.

**Looking.** Whether a square is clear is not known before its mask is read; what is known is the cloud cover c that the source
states of the whole scene. Clouds come with shadows, so that a mask finds 1 - (1 - c)^1.8 of the ground not clear in the mean,
and not less than 4 %. Over squares that are small beside the cloud fields most are either clear or not: the share that is not
clear is taken as Beta(n m, n (1 - m)) of mean m and n = 0.5, and the chance that it is at most --max-cloud is that
distribution's. Candidates are looked at in the order in which a build looks at them, each given that those before it failed.
(The three numbers were fitted to 1,308 squares of the simulated world.)

Where nobody states a scene's cover, a square is 36 % not clear in the mean, and clear at 10 % with a chance of 0.46. In the
archive below 67 of 144 dates are, whatever their cover; in a folder of loose files, whose 12 dates somebody picked, 26 of 36
squares (`s2_boadella` of the shared data). A scene without a mask that is judged by its pixels has the same chance, but that
shows only once its measurements are fetched.

Measured with --max-cloud 10 on a real archive of one square in Flanders: of 118 dates of Sentinel-2 55.6 were expected to be
clear and 55 are; of 26 of Landsat 8, 14.1 and 12. By the cover that is stated:

| cover, % | dates | expected clear | clear |
|---|---|---|---|
| 0 to 10 | 72 | 0.92 | 0.93 |
| 10 to 50 | 7 | 0.42 | 0.00 |
| above 50 | 65 | 0.01 | 0.00 |

(That archive's scenes are hardly larger than the square, which is why its squares of half-covered scenes are not clear.) Nobody
knows the weather of one square, so a forecast comes with a range: see `curate.likely_range`.

**Blocks.** A block is fetched where any square that touches it wants its scene. Squares are taken to want independently of
each other, which errs towards more blocks. Blocks that follow each other in a file go in one request, up to 4 MB. That holds
for files whose headers are followed; of others, such as JPEG 2000, GDAL fetches up to half as much again: see
`FileHeader.mean_block_bytes`.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import find_sensor
from curate.choose import Candidate, are_many, order_combinations
from curate.reading.blocks import JOINED_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHADOW_POWER = 1.8
LEAST_COVER = 0.04
LUMPS = 0.5
UNSTATED_MEAN = 0.36
"""Share of a square that is not clear in the mean, where the cover of its scene is not stated."""
DRAWS = 24
"""Of the weather over several sensors, whose combinations have no simple expectation."""
DRAWS_OF_MANY = 4
"""The same where combinations are so many that a build looks at all masks before it forms them."""
MOST_WALKED = 400
"""Combinations of a season that are followed; the rest hardly ever comes to pass."""
NEARLY_SURE = 1 - 1e-9
ALL_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Visit:
    """How likely one season of one location is to use a candidate."""

    look: float
    """That its mask is read."""
    fetch: float
    """That its measurements are."""
    keep: float
    """That it becomes an item."""
    again: float = 0.0
    """That its measurements are read once more, after another scene that tells whether its offset is right."""


@lru_cache(maxsize=100_000)
def clear_chance(cloud_percent: float | None, max_cloud: float) -> float:
    """The chance that at most `max_cloud` percent of a square of a scene is not clear.

    Args:
        cloud_percent: Of the whole scene, as its source states it; none where it does not.
        max_cloud: Percent.

    Examples:
        >>> [round(clear_chance(cloud, 10.0), 1) for cloud in (0.0, 20.0, 50.0, 100.0)]
        [0.9, 0.5, 0.1, 0.0]
        >>> clear_chance(100.0, 100.0)
        1.0
    """
    from scipy.special import betainc

    mean = UNSTATED_MEAN
    if cloud_percent is not None:
        cover = min(max(cloud_percent, 0.0), ALL_PERCENT) / 100
        mean = min(max(1 - (1 - cover) ** SHADOW_POWER, LEAST_COVER), 1 - 1e-6)
    return float(betainc(LUMPS * mean, LUMPS * (1 - mean), min(max(max_cloud / 100, 0.0), 1.0)))


def expect_visits(
    by_sensor: Mapping[str, Sequence[Candidate]],
    *,
    max_cloud: float,
    max_delta_days: float | None,
    judged: Container[str] = (),
) -> dict[str, list[Visit]]:
    """How likely each candidate of one season is to be looked at, fetched and kept.

    Args:
        by_sensor: The candidates, one per acquisition.
        max_cloud: Greatest share of a square that is not clear, percent.
        max_delta_days: Greatest time between the sensors, days.
        judged: Ids of the sensors whose scenes, where they have no mask, are judged by their measurements.

    Returns:
        By sensor, in the order of its candidates.
    """
    if not all(by_sensor.values()):
        return {sensor: [Visit(0.0, 0.0, 0.0)] * len(found) for sensor, found in by_sensor.items()}
    if len(by_sensor) == 1:
        ((sensor, found),) = by_sensor.items()
        return {sensor: _of_one_sensor([_chances(candidate, max_cloud, judged) for candidate in found], found)}
    chances = [_chances(candidate, max_cloud, judged) for found in by_sensor.values() for candidate in found]
    return _of_several_sensors(chances, by_sensor, max_delta_days)


_Chances = tuple[bool, float, float]
"""Whether a candidate is looked at before it is fetched, the chance that it passes that, and that it is then kept."""


def _chances(candidate: Candidate, max_cloud: float, judged: Container[str]) -> _Chances:
    scene = candidate.scene
    mask = find_sensor(scene.sensor).mask
    has_mask = mask is not None and mask.name in scene.bands
    clear = 1.0 if candidate.covers or max_cloud >= ALL_PERCENT else 0.0
    if has_mask or scene.sensor in judged:
        clear *= clear_chance(scene.cloud_percent, max_cloud)
    return (True, clear, 1.0) if has_mask else (False, 1.0, clear)


def _of_one_sensor(chances: Sequence[_Chances], found: Sequence[Candidate]) -> list[Visit]:
    """Exactly: each candidate in its order, given that all before it failed."""
    place = {id(candidate): number for number, candidate in enumerate(found)}
    visits = [Visit(0.0, 0.0, 0.0)] * len(found)
    open_ = 1.0
    for (candidate,) in order_combinations({"": found}, None, lambda _: True):
        has_mask, clear, whole = chances[place[id(candidate)]]
        visits[place[id(candidate)]] = Visit(open_ if has_mask else 0.0, open_ * clear, open_ * clear * whole)
        open_ *= 1 - clear * whole
    return visits


def _of_several_sensors(
    chances: Sequence[_Chances], by_sensor: Mapping[str, Sequence[Candidate]], max_delta_days: float | None
) -> dict[str, list[Visit]]:
    """The mean of some draws of what is clear, each followed as a build would; the same for the same candidates."""
    candidates = [candidate for found in by_sensor.values() for candidate in found]
    place = {id(candidate): number for number, candidate in enumerate(candidates)}
    has_mask, clear, whole = (np.array(column) for column in zip(*chances, strict=True))
    many = are_many(by_sensor)
    draws = DRAWS_OF_MANY if many else DRAWS
    counts = np.zeros((3, len(candidates)))
    rng = np.random.default_rng(len(candidates))
    order: list[list[int]] = []
    for draw in range(draws):
        is_clear, is_whole = rng.random(len(candidates)) < clear, rng.random(len(candidates)) < whole
        if many or not draw:
            clear_now = {number for number in place.values() if is_clear[number]}
            order = _order(by_sensor, max_delta_days, place, clear_now)
        _follow(order, is_clear, is_whole, counts)
    if many:
        counts[0] = draws
    look, fetch, keep = counts / draws
    look = look * has_mask
    visits = [Visit(*map(float, values)) for values in zip(look, fetch, keep, strict=True)]
    return {sensor: [visits[place[id(candidate)]] for candidate in found] for sensor, found in by_sensor.items()}


def _order(
    by_sensor: Mapping[str, Sequence[Candidate]], max_delta_days: float | None, place: Mapping[int, int], clear: Container[int]
) -> list[list[int]]:
    """The first combinations in the order in which a build tries them, as numbers of their candidates."""
    tried = order_combinations(by_sensor, max_delta_days, lambda candidate: place[id(candidate)] in clear)
    return [[place[id(candidate)] for candidate in combination] for combination in islice(tried, MOST_WALKED)]


def _follow(order: Sequence[Sequence[int]], clear: NDArray[np.bool_], whole: NDArray[np.bool_], counts: NDArray[Any]) -> None:
    """Go through the combinations of one draw and count what is looked at, fetched and kept."""
    looked: set[int] = set()
    fetched: set[int] = set()
    for combination in order:
        for number in combination:
            looked.add(number)
            if not clear[number]:
                break
        else:
            fetched.update(combination)
            if all(whole[number] for number in combination):
                counts[2, list(combination)] += 1
                break
    else:
        looked.update(range(len(clear)))
    counts[0, list(looked)] += 1
    counts[1, list(fetched)] += 1


@dataclass(frozen=True, slots=True)
class FileShape:
    """A file of a sensor's scenes: how it is cut and what its blocks weigh."""

    bands: tuple[str, ...]
    """What it holds of what is wanted."""
    is_mask: bool
    """Whether it is read to choose, before measurements are."""
    gsd: float
    """Pixel size, metres."""
    corner_xy: tuple[float, float]
    """A corner of a block, metres: where the cut begins."""
    block_px: tuple[int, int]
    """(rows, columns) of a block."""
    blocks: int
    """In the whole file."""
    across: int
    """In a row of it; the last of a row is followed by the first of the next."""
    block_bytes: float
    """As fetched, in the mean."""
    decoded_bytes: float
    """Of a block's pixels."""
    header_bytes: int
    """Fetched to know where the blocks are; 0 where that is known from another file shape."""
    is_sampled: bool = False
    """Whether a header of the source says all this, or it is as is usual."""
    is_local: bool = False
    """Whether it lies on this machine, so that it is read and not fetched."""

    @property
    def joined(self) -> int:
        """Blocks beside each other that go in one request at most."""
        return max(1, int(JOINED_BYTES // max(self.block_bytes, 1.0)))

    @property
    def cut(self) -> tuple[Any, ...]:
        """What the number of blocks and requests hangs on: the same for files that are cut alike."""
        return self.is_mask, self.gsd, self.corner_xy, self.block_px, self.blocks, self.across, self.joined


def expect_blocks(shape: FileShape, bounds: NDArray[np.float64], left_out: NDArray[np.float64]) -> tuple[Any, Any]:
    """Blocks and requests that some squares are expected to need of a file, scene by scene.

    Args:
        shape: The file.
        bounds: (left, bottom, right, top) of each square, metres, (squares, 4).
        left_out: Natural logarithm of the chance that a square does not want a scene, (squares, scenes).

    Returns:
        Two arrays, (scenes,): expected blocks, and expected ranges of neighbouring blocks.
    """
    cells = _cells(shape, bounds)
    wanted = sorted({cell for mine in cells for cell in mine})
    number = {cell: place for place, cell in enumerate(wanted)}
    touches = np.zeros((len(wanted), len(bounds)))
    both = np.zeros_like(touches)
    for square, mine in enumerate(cells):
        touches[[number[cell] for cell in mine], square] = 1
        both[[number[cell] for cell in mine if _before(cell, shape.across) in mine], square] = 1
    absent = touches @ left_out
    before = np.array([number.get(_before(cell, shape.across), -1) for cell in wanted])
    absent_before = np.where(before[:, None] >= 0, absent[before], 0.0)
    starts = np.exp(absent_before) - np.exp(absent_before + absent - both @ left_out)
    blocks = np.minimum((1 - np.exp(absent)).sum(axis=0), shape.blocks)
    return blocks, np.minimum(np.maximum(starts.sum(axis=0), blocks / shape.joined), blocks)


def _before(cell: tuple[int, int], across: int) -> tuple[int, int]:
    """The block that a block follows in the file."""
    row, column = cell
    return (row, column - 1) if column % across else (row - 1, column + across - 1)


def _cells(shape: FileShape, bounds: NDArray[np.float64]) -> list[set[tuple[int, int]]]:
    """The blocks, (row, column), that each square touches."""
    height, width = (pixels * shape.gsd for pixels in shape.block_px)
    x0, y0 = shape.corner_xy
    left, right = (bounds[:, 0] - x0) / width, (bounds[:, 2] - x0) / width
    top, bottom = (y0 - bounds[:, 3]) / height, (y0 - bounds[:, 1]) / height
    found = []
    for a, b, c, d in zip(left, right, top, bottom, strict=True):
        columns, rows = range(math.floor(a), math.ceil(b)), range(math.floor(c), math.ceil(d))
        found.append({(row, column) for row in rows for column in columns})
    return found


def log_left_out(chance: float) -> float:
    """Natural logarithm of the chance that something does not happen; finite even where it surely does."""
    return math.log1p(-min(chance, NEARLY_SURE))

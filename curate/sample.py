"""From a region to locations: `sample_locations`.

Candidates come in stretches, judged by tests that look at each alone (arrays), then one after another by those that look at
what was kept before. Nothing depends on how long the stretches are, and the first thousand of two thousand locations are the
same thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from catalogs.records import SPLITS, Location
from curate.areas import UTM_LATITUDES, first_failed
from curate.disjoint import KeptSquares
from curate.draw import Strategy, draw_key, make_strategy, seeded_order
from curate.errors import RegionError
from curate.excluded import Excluded
from curate.named_squares import named_squares
from curate.refusal import Refusal
from curate.sample_request import DRAWN, MAX_COUNT, SampleRequest
from curate.split import NO_SPLIT, Shares, assign_splits
from curate.squares import Squares
from curate.tiling import grid_squares, in_zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_REFUSED = 100_000
"""So many candidates in a row are refused before the region counts as full."""
LONGEST_STRETCH = 65_536
WARN_BEYOND = 0.05
WARN_FROM = 100


@dataclass(frozen=True)
class Sample:
    """Locations, and what it took to find them."""

    locations: list[Location]
    """In the order in which they were accepted."""
    candidates: int
    """How many were looked at, up to the last one accepted; with `grid` and `file`, all that were."""
    refused: dict[str, int]
    """How many of them were not accepted, by the reason in words."""
    wanted: Shares
    """Shares of train, val and test that were asked for."""
    splits: dict[str, int] = field(init=False)
    """Locations by split."""

    def __post_init__(self) -> None:
        """Count the splits."""
        counts = dict.fromkeys(SPLITS, 0)
        for location in self.locations:
            counts[location.split] += 1
        object.__setattr__(self, "splits", {split: count for split, count in counts.items() if count or split != "none"})

    @property
    def shares(self) -> dict[str, float]:
        """Shares of train, val and test among the locations that have one of them."""
        parted = sum(count for split, count in self.splits.items() if split != "none")
        return {split: self.splits[split] / max(parted, 1) for split in SPLITS[:3]}

    def warnings(self) -> list[str]:
        """Splits whose share is over five points from what was asked for; of fewer than 100 locations any share is chance."""
        if sum(self.splits.values()) < WARN_FROM:
            return []
        return [
            f"{split} has {self.shares[split]:.1%} of the locations, not {wanted:.1%}: whole blocks of 20 km share a split. "
            "Another --seed, or more locations, gives other shares."
            for split, wanted in zip(SPLITS[:3], self.wanted, strict=True)
            if abs(self.shares[split] - wanted) > WARN_BEYOND
        ]


@dataclass
class _Stretch:
    """Some candidates in order: their squares, why each is refused so far, and its split."""

    squares: Squares
    reason: NDArray[np.int8]
    split: NDArray[np.int8]

    @classmethod
    def of(cls, squares: Squares) -> _Stretch:
        return cls(squares, np.zeros(len(squares), np.int8), np.full(len(squares), NO_SPLIT, np.int8))

    def __getitem__(self, chosen: NDArray[np.int64]) -> _Stretch:
        return _Stretch(self.squares[chosen], self.reason[chosen], self.split[chosen])

    @property
    def left(self) -> NDArray[np.int64]:
        """Which are not refused so far."""
        return np.flatnonzero(self.reason == Refusal.NONE)


def sample_locations(
    request: SampleRequest, *, longest_stretch: int = LONGEST_STRETCH, progress: Callable[[int], None] | None = None
) -> Sample:
    """Choose locations.

    Args:
        request: What to sample.
        longest_stretch: How many candidates to judge at once; changes memory and speed, never the locations.
        progress: Called now and then with the number of locations so far.

    Raises:
        RegionError: The region is empty, or cannot hold so many locations; the message names how many.
        ContractError: The side of the squares does not divide by 60 m.
    """
    drawn = request.strategy in DRAWN
    stretches = _drawn(request, longest_stretch) if drawn else _listed(request, longest_stretch)
    excluded = None if request.excluded is None else Excluded(request.excluded)
    tally = _Tally(request, most_in_vain=MAX_REFUSED if drawn else inf, may_touch=not drawn)
    for stretch in stretches:
        _judge_alone(stretch, request, excluded)
        tally.take(stretch)
        if progress is not None:
            progress(tally.found)
        if tally.is_over:
            break
    tally.check_enough()
    return Sample(_locations(request.slug, tally.pieces), tally.candidates, tally.refused, request.shares)


def _judge_alone(stretch: _Stretch, request: SampleRequest, excluded: Excluded | None) -> None:
    """The tests that look at one square only."""
    left = stretch.left
    stretch.split[left] = assign_splits(stretch.squares[left], seed=request.seed, shares=request.shares)
    if request.strategy in DRAWN:
        stretch.reason[left[stretch.split[left] == NO_SPLIT]] = Refusal.SPLIT_BORDER
    if excluded is not None:
        left = stretch.left
        stretch.reason[left[excluded.touched_by(stretch.squares[left])]] = Refusal.EXCLUDED


def _drawn(request: SampleRequest, longest: int) -> Iterator[_Stretch]:
    """Candidates of a strategy without end."""
    assert request.region is not None, "checked when the request was made"
    assert request.count is not None, "the same"
    strategy = make_strategy(request.strategy, request.region, seed=request.seed, cities=request.cities, std_m=request.std_m)
    start, length = 0, min(max(2 * request.count, 1024), longest)
    while True:
        yield _draw(strategy, request, start, length)
        start, length = start + length, min(2 * length, longest)


def _draw(strategy: Strategy, request: SampleRequest, start: int, count: int) -> _Stretch:
    assert request.region is not None, "checked when the request was made"
    lon, lat = strategy.points(start, count)
    possible = (lat >= UTM_LATITUDES[0]) & (lat <= UTM_LATITUDES[1])
    stretch = _Stretch.of(Squares.around(lon, np.clip(lat, *UTM_LATITUDES), request.side_m))
    stretch.reason = first_failed([(Refusal.OUTSIDE_UTM, ~possible), (Refusal.ZONE_BORDER, ~in_zone(stretch.squares))])
    left = stretch.left
    near_place = request.strategy != "uniform"
    stretch.reason[left] = request.region.refuse(*stretch.squares[left].centres(), near_place=near_place)
    return stretch


def _listed(request: SampleRequest, longest: int) -> Iterator[_Stretch]:
    """The squares of `grid` and `file`: all in order, or shuffled where some of them are asked for."""
    squares = _list(request)
    if request.count is None and len(squares) > MAX_COUNT:
        raise RegionError(
            f"The {request.strategy} has {len(squares):,} squares; ids have six digits. Pass --count {MAX_COUNT} or fewer."
        )
    if request.count is not None:
        squares = squares[seeded_order(draw_key(request.seed, request.strategy), len(squares))]
    for start in range(0, len(squares), longest):
        stretch = _Stretch.of(squares[start : start + longest])
        if request.strategy == "file" and request.region is not None:
            stretch.reason = request.region.refuse(*stretch.squares.centres(), near_place=False)
        yield stretch


def _list(request: SampleRequest) -> Squares:
    if request.strategy == "grid":
        assert request.region is not None, "checked when the request was made"
        return grid_squares(request.region, request.side_m)
    assert request.shapes is not None, "checked when the request was made"
    return named_squares(request.shapes, request.side_m, tile=request.tile)


class _Tally:
    """What was kept and what was refused so far."""

    def __init__(self, request: SampleRequest, *, most_in_vain: float, may_touch: bool) -> None:
        self._request = request
        self._most_in_vain = most_in_vain
        self._kept = KeptSquares(
            request.side_m, min_distance_m=request.min_distance_m, no_overlap=request.no_overlap, may_touch=may_touch
        )
        self._reasons = np.zeros(len(Refusal), np.int64)
        self._in_vain = 0
        self.pieces: list[_Stretch] = []
        self.found = 0
        self.candidates = 0

    @property
    def is_full(self) -> bool:
        """Whether as many were kept as are asked for."""
        return self.found == self._request.count

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to look for."""
        return self.is_full or self._in_vain >= self._most_in_vain

    @property
    def refused(self) -> dict[str, int]:
        """How many were refused, by the reason in words."""
        return {reason.words: int(self._reasons[reason]) for reason in Refusal if reason and self._reasons[reason]}

    def take(self, stretch: _Stretch) -> None:
        """Judge a stretch one candidate after another, until enough are kept or too many were refused in a row."""
        left = stretch.left
        wanted = inf if self._request.count is None else self._request.count - self.found
        verdicts = self._kept.judge(stretch.squares[left], wanted)
        stretch.reason[left[: len(verdicts)]] = verdicts
        kept = left[: len(verdicts)][verdicts == Refusal.NONE]
        too_late = np.diff(kept, prepend=-1 - self._in_vain) > self._most_in_vain
        kept = kept[: np.argmax(too_late)] if too_late.any() else kept
        self.pieces.append(stretch[kept])
        self.found += len(kept)
        seen = int(kept[-1]) + 1 if self.is_full else len(stretch.reason)
        self._in_vain = seen - 1 - int(kept[-1]) if len(kept) else self._in_vain + seen
        self._reasons += np.bincount(stretch.reason[:seen], minlength=len(Refusal))
        self.candidates += seen

    def check_enough(self) -> None:
        """Refuse a sample that is empty or too small.

        Raises:
            RegionError: Fewer were kept than are asked for, or none.
        """
        request, fit = self._request, self.found
        if fit and (request.count is None or self.is_full):
            return
        why = "; ".join(f"{count:,} {words}" for words, count in self.refused.items()) or "there is no square in it"
        if not fit:
            raise RegionError(
                f"No square of {request.side_m} m fits into {request.slug} with --strategy {request.strategy}: {why}. "
                "Choose a smaller --patch-m, another region, or fewer conditions."
            )
        end = f" after {MAX_REFUSED:,} refused candidates in a row" if request.strategy in DRAWN else ""
        raise RegionError(
            f"Only {fit:,} of {request.count:,} locations fit into {request.slug}{end} ({why}). Pass --count {fit} or fewer, "
            "widen the region, or ask for less distance, smaller squares or overlap."
        )


def _locations(slug: str, pieces: Sequence[_Stretch]) -> list[Location]:
    squares = Squares.joined(piece.squares for piece in pieces)
    splits = [SPLITS[split] for piece in pieces for split in piece.split]
    rows = zip(squares.epsg.tolist(), map(tuple, squares.bounds.tolist()), splits, strict=True)
    return [Location(f"{slug}-{number:06d}", epsg, bounds, split) for number, (epsg, bounds, split) in enumerate(rows)]

"""What to sample: a region, a strategy and its conditions, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalogs.records import check_side
from curate.areas import Region
from curate.errors import CurateError
from curate.split import Shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWN = ("cities", "population", "uniform")
STRATEGIES = (*DRAWN, "grid", "file")
MAX_COUNT = 1_000_000
"""Ids have six digits."""


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """What to sample; all of it identifies the sample."""

    slug: str
    """Start of the locations' ids."""
    region: Region | None = None
    """To sample from; may be absent with `file`."""
    strategy: str = "cities"
    """One of `STRATEGIES`."""
    count: int | None = None
    """Locations; with `grid` and `file`, none for all of them."""
    seed: int = 0
    """Of every choice."""
    side_m: int = 2640
    """Side of the squares, metres."""
    cities: int = 10_000
    """How many of the largest places `cities` draws from."""
    std_m: float = 50_000
    """Standard deviation around a place, metres, east and north."""
    shares: Shares = (0.9, 0.05, 0.05)
    """Wanted shares of train, val and test."""
    min_distance_m: float = 0
    """Least distance between centres, metres."""
    no_overlap: bool = False
    """Whether squares must not overlap."""
    excluded: NDArray[Any] | None = None
    """Geometries, lon/lat, that no square may touch."""
    shapes: NDArray[Any] | None = None
    """Points and polygons, lon/lat, of `file`."""
    tile: bool = False
    """Whether the squares of `file` cover its polygons."""

    def __post_init__(self) -> None:
        """Check what can be checked before any work.

        Raises:
            ContractError: The side does not divide by 60 m.
            CurateError: A value that is out of range, or one that the strategy needs and that is absent.
        """
        check_side(self.side_m)
        if self.strategy not in STRATEGIES:
            raise CurateError(f"Unknown strategy {self.strategy!r}. Expected one of {', '.join(STRATEGIES)}.")
        if self.region is None and self.strategy != "file":
            raise CurateError(f"Strategy {self.strategy} needs a region. Pass --region, such as france or 5.9,45.8,10.5,47.8.")
        if self.shapes is None and self.strategy == "file":
            raise CurateError("Strategy file needs a file of points or polygons. Pass --from FILE.")
        if self.count is None and self.strategy in DRAWN:
            raise CurateError(f"Strategy {self.strategy} draws without end. Pass --count, such as --count 1000.")
        if self.count is not None and not 1 <= self.count <= MAX_COUNT:
            raise CurateError(f"--count is {self.count}; expected 1 to {MAX_COUNT:,}, since ids have six digits.")
        for flag, value in (("--cities", self.cities), ("--std-km", self.std_m / 1000)):
            if not value > 0:
                raise CurateError(f"{flag} is {value}; expected a number above 0.")
        if not self.min_distance_m >= 0:
            raise CurateError(f"--min-distance-m is {self.min_distance_m}; expected 0 or more.")

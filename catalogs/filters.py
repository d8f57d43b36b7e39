"""Which items are wanted, decided on columns: the statistics of a row group first, then its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs import fields
from catalogs.errors import ContractError
from catalogs.records import SPLITS

CLOUD = "eo:cloud_cover"
TIMES = ("datetime", "start_datetime", "end_datetime")


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that an item meets all of; none of them where absent."""

    split: str | None = None
    """Split of its location."""
    season: int | None = None
    """Which of its location's date windows it answers, from 0."""
    max_cloud_percent: float | None = None
    """Most cloud on its square; an item that states none does not meet it."""
    locations: frozenset[str] | None = None
    """Ids of locations."""
    bbox: tuple[float, float, float, float] | None = None
    """(west, south, east, north) that its own box touches, degrees; west > east across 180 degrees."""
    start: datetime | None = None
    """It ends at this instant or later."""
    end: datetime | None = None
    """It starts before this instant."""

    @classmethod
    def of(
        cls,
        *,
        split: str | None = None,
        season: int | None = None,
        max_cloud_percent: float | None = None,
        location: str | Sequence[str] | None = None,
        bbox: Sequence[float] | None = None,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
    ) -> Filter:
        """A filter from what a person writes: one location or several, times as text.

        Raises:
            ContractError: The split is unknown, the box has no four edges, or a time cannot be read.
        """
        if split is not None and split not in SPLITS:
            raise ContractError(f"Unknown split {split!r}. Choose from: {', '.join(SPLITS)}.")
        if bbox is not None and (len(bbox) != 4 or bbox[1] > bbox[3]):
            raise ContractError(f"Bounding box {tuple(bbox)} is not (west, south, east, north) in degrees, south below north.")
        return cls(
            split,
            season,
            max_cloud_percent,
            None if location is None else frozenset([location] if isinstance(location, str) else location),
            None if bbox is None else (bbox[0], bbox[1], bbox[2], bbox[3]),
            _instant(start),
            _instant(end),
        )

    @property
    def columns(self) -> list[str]:
        """What `matches` needs of a table."""
        needed = {
            fields.SPLIT: self.split,
            fields.SEASON: self.season,
            CLOUD: self.max_cloud_percent,
            fields.LOCATION: self.locations,
            "bbox": self.bbox,
            **dict.fromkeys(TIMES, self.start or self.end),
        }
        return [name for name, value in needed.items() if value is not None]

    @property
    def ranges(self) -> dict[str, tuple[Any, Any]]:
        """Least and greatest value that a column may have; a row group outside needs no reading.

        Longitudes are not among them, since a box across 180 degrees has its west above its east.
        """
        locations = self.locations or ("",)
        bounds = {
            fields.SPLIT: (self.split, self.split),
            fields.SEASON: (self.season, self.season),
            CLOUD: (None, self.max_cloud_percent),
            fields.LOCATION: (min(locations), max(locations)) if self.locations else (None, None),
            "bbox.ymin": (None, self.bbox and self.bbox[3]),
            "bbox.ymax": (self.bbox and self.bbox[1], None),
        }
        return {path: (low, high) for path, (low, high) in bounds.items() if (low, high) != (None, None)}

    def may_match(self, least_and_greatest: Mapping[str, tuple[Any, Any]]) -> bool:
        """Whether rows of such statistics can hold a match; columns without statistics are not judged."""
        for path, (low, high) in self.ranges.items():
            least, greatest = least_and_greatest.get(path, (None, None))
            if least is not None and ((low is not None and greatest < low) or (high is not None and least > high)):
                return False
        return True

    def matches(self, table: pa.Table) -> NDArray[np.int64]:
        """Positions of the matching rows of a table that has `columns`."""
        matching = np.ones(len(table), bool)
        if self.locations is not None:
            matching &= _true(pc.is_in(_text(table[fields.LOCATION]), pa.array(sorted(self.locations), pa.string())))
        if self.split is not None:
            matching &= _true(pc.equal(table[fields.SPLIT], self.split))
        if self.season is not None:
            matching &= _true(pc.equal(table[fields.SEASON], self.season))
        if self.max_cloud_percent is not None:
            matching &= _true(pc.less_equal(table[CLOUD], self.max_cloud_percent))
        if self.start or self.end:
            matching &= self._in_time(table)
        if self.bbox is not None:
            matching &= self._touches(table["bbox"])
        return np.flatnonzero(matching)

    def _in_time(self, table: pa.Table) -> NDArray[np.bool_]:
        at, first, last = (table[name] for name in TIMES)
        matching = np.ones(len(table), bool)
        if self.start:
            matching &= _true(pc.greater_equal(pc.coalesce(last, at), pa.scalar(self.start, at.type)))
        if self.end:
            matching &= _true(pc.less(pc.coalesce(first, at), pa.scalar(self.end, at.type)))
        return matching

    def _touches(self, boxes: pa.ChunkedArray) -> NDArray[np.bool_]:
        assert self.bbox is not None, "asked only where there is a box"
        left, bottom, right, top = self.bbox
        west, south, east, north = (pc.struct_field(boxes, name).to_numpy() for name in ("xmin", "ymin", "xmax", "ymax"))
        both_wrap = (west > east) & (left > right)
        either_wraps = (west > east) | (left > right)
        beside = np.where(either_wraps, (west <= right) | (east >= left), (west <= right) & (east >= left))
        touching: NDArray[np.bool_] = (both_wrap | beside) & (south <= top) & (north >= bottom)
        return touching


def _instant(when: str | datetime | None) -> datetime | None:
    """A time, taken for UTC where it does not say."""
    if when is None:
        return None
    try:
        parsed = when if isinstance(when, datetime) else datetime.fromisoformat(when)
    except ValueError as error:
        raise ContractError(f"Time {when!r} cannot be read. Expected such as 2023-07-14 or 2023-07-14T10:50:31Z.") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _true(flags: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Flags as numpy's, unknown as false."""
    return np.asarray(flags.fill_null(fill_value=False), bool)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column

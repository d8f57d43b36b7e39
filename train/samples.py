"""Samples: which scenes of a catalog a location can show, in which order locations come, and which scenes are drawn.

Order and drawn scenes are pure functions of (seed, epoch, location): no worker, batch or process takes part in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from train.draws import location_key, permutation, uniforms
from train.errors import ConfigError, DataError

if TYPE_CHECKING:
    from catalogs.stack import Stack

SAME_DAY = "D"


@dataclass(frozen=True, eq=False)
class Samples:
    """The locations that are trained on, and the items of each."""

    locations: tuple[str, ...]
    """Their ids, sorted."""
    keys: NDArray[np.uint64]
    """What their draws hang on, (locations,)."""
    starts: NDArray[np.int64]
    """Where the items of location i begin in `items`, (locations + 1,)."""
    items: NDArray[np.int64]
    """Numbers of their items in the stack, location by location, in the stack's order."""
    days: NDArray[np.int64]
    """Day of each of `items`, since 1970."""
    left_out: dict[int, int]
    """How many locations were left out for having so many dates: {dates: locations}."""

    def __len__(self) -> int:
        return len(self.locations)

    def keep(self, locations: Collection[str]) -> Samples:
        """Some of the locations, in their order here, with all of their items."""
        kept = np.array([location in locations for location in self.locations], bool)
        sizes = np.diff(self.starts)
        inside = np.repeat(kept, sizes)
        return replace(
            self,
            locations=tuple(location for location in self.locations if location in locations),
            keys=self.keys[kept],
            starts=np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64),
            items=self.items[inside],
            days=self.days[inside],
        )

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The locations in the order of an epoch, (locations,)."""
        order: NDArray[np.int64] = permutation(seed, "order", epoch=epoch, locations=self.keys)
        return order

    def draw_items(
        self,
        chosen: NDArray[np.int64],
        count: int,
        *,
        seed: int,
        epoch: int,
        distinct: bool = True,
        sensor: str | None = None,
    ) -> NDArray[np.int64]:
        """Draw items of some locations.

        Args:
            chosen: Numbers of the locations, (batch,).
            count: Items per location.
            seed: Of the training.
            epoch: Each epoch draws anew.
            distinct: Of different days; else with replacement, as SeCo's released code does.
            sensor: Of several, each of which draws for itself.

        Returns:
            Places in `items`, (batch, count), in the order drawn.
        """
        first, sizes = self.starts[chosen], np.diff(self.starts)[chosen]
        numbers = count if not distinct else int(sizes.max(initial=1))
        keys = self.keys[chosen]
        draws = uniforms(seed, "scenes", epoch=epoch, locations=keys, view=0, count=numbers, sensor=sensor)
        if not distinct:
            drawn: NDArray[np.int64] = first[:, None] + (draws * sizes[:, None]).astype(np.int64)
            return drawn
        return np.stack(
            [self._distinct(begin, draw[:size], count) for begin, size, draw in zip(first, sizes, draws, strict=True)]
        )

    def _distinct(self, begin: int, draws: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        """The items with the least draws, one per day."""
        places = begin + np.argsort(draws, kind="stable")
        _, firsts = np.unique(self.days[places], return_index=True)
        return places[np.sort(firsts)[:count]]


def find_samples(stack: Stack, *, dates: int) -> Samples:
    """The locations of the training split that have enough dates; all locations of a catalog without splits.

    Args:
        stack: The pixels of a sensor's items.
        dates: Different days that each location must have.

    Raises:
        DataError: There is no item to train on, or no location has so many dates; the message counts how many lack how many.
    """
    table = stack.items
    rows = _training_rows(table)
    if not len(rows):
        shares = Counter(table["split"].to_pylist())
        raise DataError(
            f"The catalog has no {stack.sensor} item of the train split to train on; its splits are {dict(shares)}. "
            "Sample locations with --splits, or build the catalog first."
        )
    chosen = table.select(["location", "datetime", "start_datetime"]).take(pa.array(rows))
    order = pc.sort_indices(chosen, [("location", "ascending")]).to_numpy().astype(np.int64)
    encoded = chosen["location"].take(pa.array(order)).combine_chunks().dictionary_encode()
    number = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    when = pc.coalesce(chosen["datetime"], chosen["start_datetime"]).take(pa.array(order))
    days = when.cast(pa.timestamp("us")).to_numpy().astype(f"datetime64[{SAME_DAY}]").astype(np.int64)
    return _with_dates(encoded.dictionary.to_pylist(), number, rows[order], days, dates=dates)


def _training_rows(table: pa.Table) -> NDArray[np.int64]:
    split = table["split"]
    wanted = pc.equal(split, "train")
    if pc.all(pc.equal(split, "none")).as_py():
        return np.arange(len(table))
    return np.flatnonzero(wanted.to_numpy(zero_copy_only=False)).astype(np.int64)


def _with_dates(
    names: list[str], number: NDArray[np.int64], items: NDArray[np.int64], days: NDArray[np.int64], *, dates: int
) -> Samples:
    """Keep the locations that have so many days; `number` is the location of each item, sorted."""
    pairs = np.unique(np.stack([number, days]), axis=1)[0]
    has = np.bincount(pairs, minlength=len(names))
    keep = has >= dates
    left_out = dict(sorted(Counter(has[~keep].tolist()).items()))
    if not keep.any():
        raise DataError(
            f"No location has the {dates} dates that this method needs: {describe_left_out(left_out)}. "
            f"Build more seasons (curate build --seasons {max(dates, 4)}), or train moco, which needs one date."
        )
    ids = tuple(name for name, kept in zip(names, keep, strict=True) if kept)
    inside = keep[number]
    counts = np.bincount(number[inside], minlength=len(names))[keep]
    return Samples(
        locations=ids,
        keys=np.array([location_key(name) for name in ids], np.uint64),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        items=items[inside],
        days=days[inside],
        left_out=left_out,
    )


def refuse_large_batch(batch_size: int, locations: int) -> None:
    """Refuse a batch that the data cannot fill.

    Raises:
        ConfigError: It is larger than the data; the message has a size that leaves as many locations for a queue.
    """
    if batch_size > locations:
        fitting = 1 << max((locations // 2).bit_length() - 1, 0)
        raise ConfigError(
            f"A batch of {batch_size:,} locations is larger than the data: {locations:,} to train on. "
            f"Choose --batch-size {fitting} or less, or sample more locations."
        )


def describe_left_out(left_out: dict[int, int]) -> str:
    """Say how many locations have how many dates.

    Examples:
        >>> describe_left_out({1: 12, 2: 1})
        '12 locations have 1 date, 1 location has 2 dates'
    """
    return ", ".join(
        f"{count:,} location{'s have' if count > 1 else ' has'} {dates} date{'s' if dates != 1 else ''}"
        for dates, count in left_out.items()
    )

"""The items that a reader asked for: a table, of which records are made when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc

from catalogs import fields
from catalogs.errors import ContractError
from catalogs.filters import Filter
from catalogs.foreign import resolve_href
from catalogs.picks import Picks
from catalogs.rows import FILTERED
from catalogs.stores import AnyScene, Rows, Store

CHUNK = 500
"""Records made at a time while iterating."""
RENAMED = {
    fields.LOCATION: "location", fields.SPLIT: "split", fields.SEASON: "season", fields.LABELS: "labels",
    "eo:cloud_cover": "cloud_percent",
}  # fmt: skip


class Items(Sequence[AnyScene]):
    """Items of one or several sensors, sorted by (location, sensor, id).

    `items[0]` is a record, `items[:10]` are items again. Looking at one in ten thousand decodes its row group of the index;
    looking at them in order decodes each row group once.
    """

    def __init__(self, picks: Picks) -> None:
        """Make them with `Catalog.items`."""
        self._picks = picks

    def __len__(self) -> int:
        return len(self._picks)

    def __repr__(self) -> str:
        return f"<{len(self)} items of {', '.join(self._picks.sensors) or 'nothing'}>"

    @overload
    def __getitem__(self, place: int) -> AnyScene: ...

    @overload
    def __getitem__(self, place: slice) -> Items: ...

    def __getitem__(self, place: int | slice) -> AnyScene | Items:
        if isinstance(place, slice):
            return Items(self._picks.at(place))
        number = range(len(self))[place]
        return self._picks.at(slice(number, number + 1)).gather(_scenes)[0]

    def __iter__(self) -> Iterator[AnyScene]:
        for start in range(0, len(self), CHUNK):
            yield from self._picks.at(slice(start, start + CHUNK)).gather(_scenes)

    @property
    def picks(self) -> Picks:
        """Which they are: by store, and by row."""
        return self._picks

    @cached_property
    def table(self) -> pa.Table:
        """What the items are, without making records: one row each, in their order.

        Columns `id`, `sensor`, `location`, `split`, `season`, `datetime`, `start_datetime`, `end_datetime`, `cloud_percent`,
        `labels` (list of strings, null where an item has none) and `bbox` (struct of `xmin`, `ymin`, `xmax`, `ymax`, degrees;
        `xmin` > `xmax` across 180 degrees, `ymin` > `ymax` where nobody knows the ground).
        """
        table = self._picks.columns([name for name, _ in FILTERED])
        table = table.rename_columns([RENAMED.get(name, name) for name in table.column_names])
        sensors = pa.array([store.sensor for store in self._picks.stores], pa.string())
        return table.add_column(1, "sensor", pa.DictionaryArray.from_arrays(pa.array(self._picks.which), sensors))

    def by_location(self) -> Iterator[tuple[str, Items]]:
        """The items of each location, the locations in the order of their ids.

        Raises:
            ContractError: The items are another catalog's, which knows no locations.
        """
        column = self._picks.columns([fields.LOCATION])[fields.LOCATION].combine_chunks()
        if column.null_count:
            raise ContractError("Items of another catalog belong to no location. Build a catalog from them with curate build.")
        runs = pc.run_end_encode(column)
        start = 0
        for location, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            yield location, self[start:end]
            start = end

    def filter(
        self,
        *,
        split: str | None = None,
        season: int | None = None,
        max_cloud_percent: float | None = None,
        location: str | Sequence[str] | None = None,
        bbox: Sequence[float] | None = None,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
    ) -> Items:
        """Those of the items that meet further conditions; see `Catalog.items`."""
        wanted = Filter.of(
            split=split, season=season, max_cloud_percent=max_cloud_percent, location=location, bbox=bbox, start=start, end=end
        )
        return Items(self._picks.matching(wanted))

    def to_stac(self) -> Iterator[dict[str, Any]]:
        """The items as STAC dictionaries, their assets' hrefs absolute: for `pystac.Item.from_dict` and other tools."""
        for start in range(0, len(self), CHUNK):
            yield from self._picks.at(slice(start, start + CHUNK)).gather(_stac)


def _scenes(store: Store, rows: Rows) -> list[AnyScene]:
    return store.scenes(rows)


def _stac(store: Store, rows: Rows) -> list[dict[str, Any]]:
    def absolute(assets: dict[str, Any]) -> dict[str, Any]:
        return {key: {**asset, "href": resolve_href(asset["href"], f"{store.folder}/")} for key, asset in assets.items()}

    return [{**item, "assets": absolute(item["assets"])} for item in store.items(rows)]

"""What a catalog holds, counted from columns of its indexes: quick at a million items, no file is asked for its size."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, files, layout
from catalogs.bands import SENSORS
from catalogs.checks.coverage import READ as PLACED
from catalogs.checks.coverage import Cells, seasons_of
from catalogs.checks.tree import Tree
from catalogs.errors import ContractError, MissingAssetError
from catalogs.index_listing import hash_as_listed, listed_index
from catalogs.locations import read_locations_table
from catalogs.pack_listing import ASSET, pack_assets
from catalogs.recipe import CONTRACT, items_section
from catalogs.records import LABEL_KEYS
from catalogs.terms import NOTICE_AFTER

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNTED = (fields.SPLIT, fields.SEASON)
READ = (
    fields.LOCATION, *COUNTED, "datetime", "start_datetime", "end_datetime", "eo:cloud_cover",
    fields.SIMULATED, fields.SOURCE, fields.LABELS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spread:
    """How values lie."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class PackSummary:
    """The pack of one sensor, as its collection lists it."""

    size: int
    """Bytes."""
    bands: Sequence[str]
    """By pixel size, finest first."""
    is_fresh: bool
    """Whether the items are still those that it was made of."""

    @classmethod
    def of(cls, collection: Mapping[str, Any]) -> PackSummary | None:
        """The pack that a collection lists; none where it lists none."""
        assets = pack_assets(collection)
        if not assets:
            return None
        bands = dict.fromkeys(band["name"] for asset in assets.values() for band in asset.get("bands", ()))
        size = sum(asset["file:size"] for asset in assets.values())
        return cls(size, list(bands), assets[ASSET][fields.INDEX_HASH] == hash_as_listed(collection))


@dataclass(frozen=True, slots=True)
class SensorSummary:
    """The items of one sensor."""

    sensor: str
    """Its id."""
    items: int
    """All of them."""
    locations: int
    """Locations with any."""
    seasons: Mapping[int, int]
    """Items of each date window."""
    splits: Mapping[str, int]
    """Items of each split."""
    labels: Mapping[str, int]
    """Items of each label, most frequent first; an item may have several, or none."""
    label_rasters: Mapping[str, int]
    """Items that have labels of each pixel, by the key of these."""
    first: datetime | None
    """Start of the first."""
    last: datetime | None
    """End of the last."""
    cloud_percent: Spread | None
    """Cloud on the square; none for a sensor whose product tells none."""
    size: int
    """Bytes of all assets."""
    sizes: Mapping[str, int]
    """Bytes by asset key."""
    bands: Mapping[str, int]
    """Items that have a band, in the sensor's order."""
    absent: Mapping[str, int]
    """Bands that were wanted and that the source lacks, with the number of items without."""
    simulated: int
    """Items that are rendered, not measured."""
    sources: Mapping[str, int]
    """Items of each source, most frequent first; nothing of items that do not say theirs."""
    license: str
    """SPDX identifier, or `other`."""
    notice: str
    """What the licences ask to be said."""
    is_redistributable: bool
    """Whether no source forbids to hand them on."""
    pack: PackSummary | None
    """Its pack, if it has one."""


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """What could not be completed for one reason."""

    reason: str
    """A word."""
    count: int
    """Seasons of locations."""
    locations: int
    """Locations."""
    example: str
    """The first message."""


@dataclass(frozen=True, slots=True)
class CatalogSummary:
    """What a catalog holds."""

    catalog: str
    """Path or address."""
    name: str
    """Its id."""
    locations: int
    """What was sampled."""
    splits: Mapping[str, int]
    """Locations of each split."""
    sides_m: Sequence[int]
    """Sides of the squares, metres."""
    complete: int
    """Locations with every season of every sensor."""
    incomplete: int
    """Locations that were done, with something missing."""
    unbuilt: int
    """Locations that no build has come to."""
    stopped: bool
    """Whether the last run left something to be linked, and none is at work."""
    is_being_written: bool
    """Whether a build or a packing is at work in it."""
    sensors: Sequence[SensorSummary]
    """In the order of the recipe."""
    failures: Sequence[FailureSummary]
    """Most frequent first."""
    recipe: Mapping[str, Any]
    """What identifies it."""

    @property
    def items(self) -> int:
        """All items."""
        return sum(sensor.items for sensor in self.sensors)

    @property
    def size(self) -> int:
        """Bytes of all assets."""
        return sum(sensor.size for sensor in self.sensors)

    @property
    def simulated(self) -> int:
        """Items that are rendered, not measured."""
        return sum(sensor.simulated for sensor in self.sensors)

    def to_json(self) -> dict[str, Any]:
        """The summary in JSON's types."""
        content = {"items": self.items, "size": self.size, "simulated": self.simulated, **asdict(self)}
        for sensor in content["sensors"]:
            for name in ("first", "last"):
                sensor[name] = sensor[name] and sensor[name].isoformat()
            sensor["seasons"] = {str(season): count for season, count in sensor["seasons"].items()}
        return content


def summarize(href: str) -> CatalogSummary:
    """Count what a catalog of ours holds.

    Args:
        href: A folder, or an `http(s)://` or `s3://` address.

    Raises:
        NotACatalogError: There is no catalog.
        ContractError: It is not one of ours.
        CatalogUnreachableError: Its server does not answer.
    """
    tree = Tree.at(href)
    tree.check_ours()
    is_being_written = tree.is_being_written()
    recipe = _read_json(tree, layout.RECIPE)
    if CONTRACT not in recipe:
        raise ContractError(
            f"{tree.shown} has no {layout.RECIPE} of ours: `curate info` counts what curate has made. "
            "Give the folder of a catalog that `curate sample` began."
        )
    table = read_locations_table(io.BytesIO(tree.read(layout.LOCATIONS)), ["id", "split", "left", "right"])
    failures = _read_failures(tree)
    sensors, done = [], []
    whole: list[NDArray[np.bool_]] = []
    cells = Cells(table["id"].combine_chunks(), seasons_of(recipe) or 1)
    failed = cells.of(failures, "location", "season")
    asked = items_section(recipe)
    for sensor in asked.get("sensors", ()):
        count, collection = _Count(sensor), _read_json(tree, f"{sensor}/{layout.COLLECTION}")
        for part in _read_index(tree, sensor, listed_index(collection)):
            count.add(part)
        sensors.append(count.summary(collection, asked.get("bands") or ()))
        done.append(count.cells(cells))
        whole.append(np.all(done[-1] | count.shared(cells, recipe) & ~failed | ~cells.asked(sensor), axis=1))
    complete, incomplete, unbuilt = _completeness(failed, done, whole)
    return CatalogSummary(
        catalog=tree.shown,
        name=_read_json(tree, layout.CATALOG).get("id") or recipe.get("sample", {}).get("name") or tree.shown,
        locations=len(table),
        splits=_tally(table["split"]),
        sides_m=pc.unique(pc.subtract(table["right"], table["left"])).to_pylist(),
        complete=complete,
        incomplete=incomplete,
        unbuilt=unbuilt,
        stopped=not tree.is_settled() and not is_being_written,
        is_being_written=is_being_written,
        sensors=sensors,
        failures=_failures(failures),
        recipe=recipe,
    )


class _Count:
    """Counts the items of one sensor, a row group at a time."""

    def __init__(self, sensor: str) -> None:
        self._sensor = sensor
        self._items = 0
        self._places: list[pa.Table] = []
        self._clouds: list[NDArray[np.float64]] = []
        self._times: list[datetime] = []
        tallied = (*COUNTED, fields.SIMULATED, fields.SOURCE, fields.LABELS, "size", "band")
        self._tallies: dict[str, Counter[Any]] = {name: Counter() for name in tallied}

    def add(self, table: pa.Table) -> None:
        """Take in rows of its index."""
        self._items += len(table)
        self._places.append(table.select(PLACED))
        self._clouds.append(pc.drop_null(table["eo:cloud_cover"]).to_numpy())
        for name in (*COUNTED, fields.SIMULATED):
            self._tallies[name].update(_tally(table[name]))
        if fields.SOURCE in table.column_names:  # else of contract 1.4
            self._tallies[fields.SOURCE].update(_tally(table[fields.SOURCE]))
        if fields.LABELS in table.column_names:  # else of contract 1.0
            self._tallies[fields.LABELS].update(_tally(pc.list_flatten(table[fields.LABELS])))
        starts, ends = (pc.coalesce(table[name], table["datetime"]) for name in ("start_datetime", "end_datetime"))
        self._times += [when.as_py() for when in (pc.min(starts), pc.max(ends)) if when.is_valid]
        assets = table["assets"].combine_chunks()
        for asset in assets.type:
            part = pc.struct_field(assets, asset.name)
            self._tallies["size"][asset.name] += pc.sum(pc.struct_field(part, "file:size")).as_py() or 0
            self._tallies["band"].update(_tally(pc.struct_field(pc.list_flatten(pc.struct_field(part, "bands")), "name")))

    def cells(self, cells: Cells) -> NDArray[np.bool_]:
        """Which (location, season) it has items of."""
        table = pa.concat_tables(self._places) if self._places else None
        return cells.of(table, fields.LOCATION, fields.SEASON) & cells.asked(self._sensor)

    def shared(self, cells: Cells, recipe: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Which (location, season) its vintages answer beside those that they state."""
        return cells.shared(pa.concat_tables(self._places) if self._places else None, recipe)

    def summary(self, collection: Mapping[str, Any], wanted: Sequence[str]) -> SensorSummary:
        """What was counted.

        Args:
            collection: Its collection, as STAC.
            wanted: Names of the bands that were asked for; all of the sensor where none.
        """
        sensor = SENSORS[self._sensor]
        names = [band.name for band in sensor.bands]
        has = self._tallies["band"]
        asked = [name for name in names if name in wanted] if wanted else names
        clouds = np.concatenate(self._clouds) if self._clouds else np.empty(0)
        return SensorSummary(
            sensor=self._sensor,
            items=self._items,
            locations=pc.count_distinct(pa.concat_tables(self._places)[fields.LOCATION]).as_py() if self._places else 0,
            seasons=dict(sorted(self._tallies[fields.SEASON].items())),
            splits=dict(self._tallies[fields.SPLIT].most_common()),
            labels=_most_first(self._tallies[fields.LABELS]),
            label_rasters={key: has[key] for key in LABEL_KEYS if has[key]},
            first=min(self._times, default=None),
            last=max(self._times, default=None),
            cloud_percent=Spread(float(clouds.min()), float(np.median(clouds)), float(clouds.max())) if clouds.size else None,
            size=self._tallies["size"].total(),
            sizes=dict(self._tallies["size"]),
            bands={name: has[name] for name in names if has[name]},
            absent={name: self._items - has[name] for name in asked if has[name] < self._items},
            simulated=self._tallies[fields.SIMULATED][True],
            sources=_most_first(self._tallies[fields.SOURCE]),
            license=collection.get("license", sensor.license),
            notice=str(collection.get("description", sensor.attribution)).rpartition(NOTICE_AFTER)[2],
            is_redistributable=collection.get(fields.REDISTRIBUTABLE) is not False,
            pack=PackSummary.of(collection),
        )


def _read_index(tree: Tree, sensor: str, names: Iterable[str]) -> Iterable[pa.Table]:
    """What is counted of an index, a row group at a time; nothing where there is none yet."""
    try:
        file = tree.open_index([f"{sensor}/{name}" for name in names])
    except MissingAssetError:
        return
    with file:
        parts = ("file:size", "bands.list.element.name")
        columns = [*READ, *(f"assets.{key}.{part}" for key in file.asset_keys for part in parts)]
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def _read_json(tree: Tree, href: str) -> dict[str, Any]:
    """A JSON object; empty where there is none yet."""
    try:
        return files.read_json(tree.address(href))
    except MissingAssetError:
        return {}


def _read_failures(tree: Tree) -> pa.Table | None:
    try:
        return pq.read_table(io.BytesIO(tree.read(layout.FAILURES)))
    except MissingAssetError:
        return None


def _failures(table: pa.Table | None) -> list[FailureSummary]:
    rows = table.to_pylist() if table is not None else []
    found = []
    for reason, count in Counter(row["reason"] for row in rows).most_common():
        mine = [row for row in rows if row["reason"] == reason]
        found.append(FailureSummary(reason, count, len({row["location"] for row in mine}), mine[0]["message"]))
    return found


def _completeness(
    failed: NDArray[np.bool_], done: Sequence[NDArray[np.bool_]], whole: Sequence[NDArray[np.bool_]]
) -> tuple[int, int, int]:
    """How many locations are complete, incomplete, and not built yet; `whole` tells of each sensor which have all of it."""
    begun = np.any([failed, *done], axis=0).any(axis=1)
    complete = np.all(whole, axis=0) if whole else np.zeros_like(begun)
    return int(complete.sum()), int((begun & ~complete).sum()), int((~begun).sum())


def _most_first(tally: Counter[str]) -> dict[str, int]:
    """Counts, the greatest first, then by name."""
    return dict(sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])))


def _tally(values: pa.Array | pa.ChunkedArray) -> dict[Any, int]:
    """How often each value occurs; absent ones are left out."""
    return {row["values"]: row["counts"] for row in pc.value_counts(pc.drop_null(values)).to_pylist()}

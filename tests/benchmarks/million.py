"""A million items: write the index, open the catalog, filter, iterate locations; against stac-geoparquet and DuckDB by hand.

    python -m tests.benchmarks.million [--count 1000000] [--theirs 50000]

Both sides get the same synthetic Sentinel-2 items (four assets, 13 bands, a source per band). Each step runs in a process of
its own, whose peak memory is told; imports do not count as time (pandas among them, which Arrow loads where it is there).
stac-geoparquet writes fewer items, since its memory grows with their number, and its figures are then scaled. The answers of
both sides are compared before their times are.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from importlib import import_module
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from catalogs import find_sensor, layout, open_catalog
from catalogs.index import items_schema, merge_items, write_items
from catalogs.to_stac import catalog_to_stac, collection_to_stac, scene_to_item
from tests.benchmarks.machine import describe_machine
from tests.catalogs.scenes import make_scene

SENSOR = find_sensor("sentinel-2-l2a")
VISITS = 4
ASKED = {"split": "train", "max_cloud_percent": 20, "bbox": (0.0, 44.0, 4.0, 48.0)}
WHERE = """ "seastars:split" = 'train' AND "eo:cloud_cover" <= 20
           AND bbox.xmin <= 4 AND bbox.xmax >= 0 AND bbox.ymin <= 48 AND bbox.ymax >= 44 """
LOCATIONS = 10_000
LOCATION = '"seastars:location"'
Measured = tuple[Any, float, float]
"""What a step gave, its seconds, and the peak memory of its process in GB."""


def synthetic_items(count: int) -> Iterator[dict[str, Any]]:
    """Items in row form and in order, made from one template: what is unique of an item is unique here too."""
    template = scene_to_item(make_scene())
    for number in range(count):
        yield synthetic_item(template, *divmod(number, VISITS))


def synthetic_item(template: dict[str, Any], place: int, visit: int) -> dict[str, Any]:
    """One of them."""
    location = f"france-{place:06d}"
    west, south = round(-4 + 12 * (place * 0.6180339887 % 1), 7), round(43 + 7 * (place * 0.7548776662 % 1), 7)
    east, north = round(west + 0.035, 7), round(south + 0.024, 7)
    stem, number = f"2023{3 * visit + 1:02d}14T105031", place * VISITS + visit
    properties = template["properties"] | {
        "datetime": f"2023-{3 * visit + 1:02d}-14T10:50:31Z",
        "eo:cloud_cover": round(number * 7.31 % 100, 4),
        "seastars:location": location,
        "seastars:split": ("train", "train", "val", "test")[place % 4],
        "seastars:season": visit,
    }
    assets = {}
    for key, asset in template["assets"].items():
        digest = sha256(f"{number} {key}".encode()).hexdigest()
        sources = [
            {
                **source,
                "href": source["href"].replace("20230114", stem[:8]),
                "window": [number % 10_000, place % 10_000, 264, 264],
            }
            for source in asset["seastars:sources"]
        ]
        href = f"31UDQ/{location}/{stem}_{key}.tif"
        assets[key] = {
            **asset,
            "href": href,
            "file:checksum": f"1220{digest}",
            "file:size": number,
            "seastars:sources": sources,
        }
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return template | {
        "id": f"{location}_{stem}",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": properties,
        "assets": assets,
    }


def measured(step: Callable[..., Any], *args: Any) -> Measured:
    """Run a step in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_timed, step, args).result()


def _timed(step: Callable[..., Any], args: tuple[Any, ...]) -> Measured:
    libraries = ("catalogs.reader",) if step.__name__.endswith("ours") else ("duckdb", "stac_geoparquet.arrow")
    for library in ("pandas", *libraries):
        import_module(library)
    start = time.perf_counter()
    result = step(*args)
    return result, time.perf_counter() - start, _peak_gb()


def _peak_gb() -> float:
    """Peak memory of this process; Linux keeps it apart from that of the process it was forked from, `getrusage` does not."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def make_items_only(count: int) -> int:
    """The cost of making the items, which both sides pay."""
    return sum(1 for _ in synthetic_items(count))


def write_ours(folder: Path, count: int) -> int:
    """A catalog of ours, by its index alone."""
    index = folder / SENSOR.id / layout.INDEX
    written = write_items(index, synthetic_items(count), items_schema(SENSOR, SENSOR.bands, has_mask=True))
    documents = {
        layout.CATALOG: catalog_to_stac("million", "A benchmark.", [SENSOR.id]),
        f"{SENSOR.id}/{layout.COLLECTION}": collection_to_stac(
            SENSOR, SENSOR.bands, bbox=None, interval=None, children=[], index={layout.INDEX: "1220"}
        ),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    return written


def merge_ours(folder: Path) -> None:
    """A checkpoint: a thousand more items into the index."""
    index = folder / SENSOR.id / layout.INDEX
    template = scene_to_item(make_scene())
    new = [synthetic_item(template, 500_000 + place, 0) for place in range(1000)]
    merge_items(index, new, items_schema(SENSOR, SENSOR.bands, has_mask=True))


def write_theirs(path: Path, count: int) -> int:
    """The same items by stac-geoparquet, as its documentation shows it."""
    import stac_geoparquet.arrow

    items = (copy.copy(item) for item in synthetic_items(count))
    stac_geoparquet.arrow.to_parquet(stac_geoparquet.arrow.parse_stac_items_to_arrow(items), path, compression="zstd")
    return count


def open_ours(folder: Path) -> int:
    """Open and count."""
    return len(open_catalog(folder).items(sensor=SENSOR.id))


def open_theirs(path: Path) -> int:
    """Connect and count."""
    return int(_query(path, "SELECT count(*) AS n FROM items")[0]["n"])


def filter_ours(folder: Path) -> list[str]:
    """Ids of what meets four conditions."""
    ids: list[str] = open_catalog(folder).items(sensor=SENSOR.id, **ASKED).table["id"].to_pylist()
    return ids


def filter_theirs(path: Path) -> list[str]:
    """The same in SQL, with the columns that `Items.table` has."""
    columns = """ id, "seastars:location", "seastars:split", "seastars:season", epoch_us(datetime), "eo:cloud_cover", bbox """
    return [row["id"] for row in _query(path, f"SELECT {columns} FROM items WHERE {WHERE} ORDER BY id")]


def group_ours(folder: Path) -> int:
    """Items of every location, by location, without records; how many there are."""
    return sum(len(scenes) for _, scenes in open_catalog(folder).items(sensor=SENSOR.id).by_location())


def group_theirs(path: Path) -> int:
    """The same as lists of ids."""
    return sum(len(row["ids"]) for row in _query(path, f"SELECT {LOCATION}, list(id) AS ids FROM items GROUP BY 1 ORDER BY 1"))


def locations_ours(folder: Path) -> list[tuple[str, int]]:
    """All items of the first 10,000 locations, as records."""
    places = open_catalog(folder).items(sensor=SENSOR.id).by_location()
    return [(location, len(list(scenes))) for (location, scenes), _ in zip(places, range(LOCATIONS), strict=False)]


def locations_theirs(path: Path) -> list[tuple[str, int]]:
    """The same as dictionaries."""
    first = f"SELECT DISTINCT {LOCATION} FROM items ORDER BY 1 LIMIT {LOCATIONS}"
    query = f"SELECT * EXCLUDE (datetime, geometry) FROM items WHERE {LOCATION} IN ({first}) ORDER BY {LOCATION}, id"
    rows = groupby(_query(path, query), key=lambda row: row["seastars:location"])
    return [(location, len(list(items))) for location, items in rows]


def _query(path: Path, query: str) -> list[dict[str, Any]]:
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute(f"CREATE VIEW items AS SELECT * FROM read_parquet('{path}')")
    rows: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return rows


def report(name: str, ours: Measured, theirs: Measured, scale: float = 1.0) -> None:
    """One line: both sides, and how many times ours theirs is; `scale` is how many times as many items ours had."""
    seconds, memory = scale * theirs[1], max(1, scale) * theirs[2]
    print(
        f"{name:38} {ours[1]:8.2f} s {ours[2]:6.2f} GB   {seconds:8.2f} s {memory:6.2f} GB   "
        f"{seconds / ours[1]:6.1f} x   {memory / ours[2]:5.1f} x"
    )


def main() -> None:
    """Run all steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="items that we write")
    parser.add_argument("--theirs", type=int, default=50_000, help="items that stac-geoparquet writes")
    given = parser.parse_args()
    print(f"{describe_machine()}; {given.count:,} items, stac-geoparquet {given.theirs:,} of them\n")
    with tempfile.TemporaryDirectory() as home:
        large, small, theirs = Path(home) / "large", Path(home) / "small", Path(home) / "theirs.parquet"
        made = measured(make_items_only, given.count)
        print(f"{'making the items, part of all writing':38} {made[1]:8.2f} s")
        print(f"{'':38} {'ours':>19}   {'by hand':>19}   {'time':>8}   {'memory':>7}")
        whole, part = measured(write_ours, large, given.count), measured(write_ours, small, given.theirs)
        by_hand = measured(write_theirs, theirs, given.theirs)
        report(f"write {given.theirs:,}", part, by_hand)
        report(f"write {given.count:,} (theirs scaled)", whole, by_hand, given.count / given.theirs)
        for folder, path, count in ((small, theirs, given.theirs), (large, large / SENSOR.id / layout.INDEX, given.count)):
            for name, ours, other in (
                ("open", open_ours, open_theirs),
                ("filter", filter_ours, filter_theirs),
                ("group by location", group_ours, group_theirs),
                (f"{LOCATIONS:,} locations as records", locations_ours, locations_theirs),
            ):
                mine, yours = measured(ours, folder), measured(other, path)
                assert mine[0] == yours[0], f"{name}: the answers differ"
                report(f"{name} of {count:,}", mine, yours)
        merged = measured(merge_ours, large)
        print(f"{'merge 1,000 into the index':38} {merged[1]:8.2f} s {merged[2]:6.2f} GB")
        print(f"index: {(large / SENSOR.id / layout.INDEX).stat().st_size / given.count:.0f} bytes per item")


if __name__ == "__main__":
    main()

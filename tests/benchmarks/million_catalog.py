"""A catalog of a million items with their files: what its build, `curate merge`, `verify`, `info` and training's opening cost.

    python -m tests.benchmarks.million_catalog [--count 1000000] [--sample 20] [--home FOLDER]

The items are of three bands and a mask, four to a location, rows of a divided index. Their files are names of a few: pixels of
12 x 12, rendered once. Only the locations whose files `verify --sample` reads have files of their own. Each step runs in a
process of its own, whose peak memory is told; answers are checked before figures are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from heapq import nsmallest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from catalogs import layout, open_catalog
from catalogs.console import Progress, progress
from catalogs.locations import read_locations, write_locations
from catalogs.recipe import write_section
from catalogs.records import Location, Raster
from catalogs.scene_writer import Patch, write_patch
from catalogs.testing import make_scene
from catalogs.to_stac import scene_to_item
from catalogs.validate import _draw, check_catalog
from catalogs.writer import CatalogWriter
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.million import SENSOR, VISITS, _peak_gb

SECTION = {
    "source": "simulated", "sensors": [SENSOR.id], "bands": ["B02", "B03", "B04"], "seasons": VISITS, "start": "2023-01-01",
    "end": "2024-01-01", "window_days": None, "max_cloud": 10.0, "max_scene_cloud": 100.0, "max_delta_days": None,
    "items": "parquet",
}  # fmt: skip
BANDS = tuple(band for band in SENSOR.bands if band.name in SECTION["bands"])
THREE_BANDS = replace(SENSOR, bands=BANDS)
CHECKPOINT_EVERY = 10_000
"""Locations."""
PER_ROW, STEP_M, SIDE_M = 600, 600, 120
NAMES_OF_A_FILE = 30_000
"""Fewer than any file system allows."""


Measured = tuple[Any, float, float, float]
"""What a step gave, its seconds, its seconds of CPU, and the peak memory of its process in GB."""


def places(count: int) -> list[Location]:
    """Squares side by side, from the middle of zone 31 on: in as many grid squares as it takes."""
    splits = ("train", "train", "val", "test")
    found = []
    for number in range(count):
        row, column = divmod(number, PER_ROW)
        left, bottom = 300_000 + STEP_M * column, 4_800_000 + STEP_M * row
        bounds = (left, bottom, left + SIDE_M, bottom + SIDE_M)
        found.append(Location(f"large-{number:06d}", 32631, bounds, splits[number % 4]))
    return found


def sample_ours(folder: Path, count: int) -> int:
    """The locations and the recipe."""
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "benchmark", "seed": 0})
    write_section(folder, "build", SECTION)
    write_locations(folder / layout.LOCATIONS, places(count // VISITS))
    return count // VISITS


def build_ours(folder: Path, sample: int) -> int:
    """A build without fetching: files named, items journalled, checkpoints taken."""
    locations = read_locations(folder / layout.LOCATIONS)
    writer = _writer(folder, locations)
    drawn = set(nsmallest(sample, (location.id for location in locations), key=_draw))
    named = _Named(folder.with_name("files"), folder / SENSOR.id)
    folders = layout.Layout.of(locations)
    for number, location in enumerate(locations, start=1):
        place = folders.folder(location)
        (folder / SENSOR.id / place).mkdir(parents=True)
        items = []
        for visit in range(VISITS):
            scene, patches = make_scene(THREE_BANDS, location, visit, seed=number * VISITS + visit) if (
                location.id in drawn) else named.scene(location, visit)  # fmt: skip
            stem = f"{place}/{layout.stem(scene.datetime, None, None)}"
            rasters = [named.place(patch, f"{stem}_{patch.key}.tif", visit, location) for patch in patches]
            items.append(scene_to_item(replace(scene, rasters=tuple(rasters))))
        writer.finish(location, items, [])
        if number % CHECKPOINT_EVERY == 0:
            writer.checkpoint()
    writer.close()
    return VISITS * len(locations)


class _Named:
    """Files that many items share."""

    def __init__(self, home: Path, collection: Path) -> None:
        self._home, self._collection = home, collection
        self._first = places(1)[0]
        self._scenes = [make_scene(THREE_BANDS, self._first, visit, seed=visit) for visit in range(VISITS)]
        self._known = {id(patch): (visit, patch) for visit, (_, patches) in enumerate(self._scenes) for patch in patches}
        self._names: dict[tuple[int, str], list[Any]] = {}

    def scene(self, location: Location, visit: int) -> tuple[Any, Sequence[Patch]]:
        """A scene of a location whose pixels are another's."""
        scene, patches = self._scenes[visit]
        return replace(scene, location=location), patches

    def place(self, patch: Patch, href: str, visit: int, location: Location) -> Raster:
        """Give a file another name; write it where nobody shares it."""
        if id(patch) not in self._known:
            return write_patch(self._collection, href, patch)
        count, raster = self._names.get((visit, patch.key), [0, None])
        if count % NAMES_OF_A_FILE == 0:
            raster = write_patch(self._home, f"{visit}-{patch.key}-{count}.tif", patch)
        self._names[visit, patch.key] = [count + 1, raster]
        os.link(self._home / raster.href, self._collection / href)
        return replace(raster, href=href, grid=location.grid(raster.grid.gsd))


def continue_ours(folder: Path) -> int:
    """The same build again, which finds nothing to do; the locations that are done."""
    writer = _writer(folder, read_locations(folder / layout.LOCATIONS))
    writer.close()
    return len(writer.done)


def checkpoint_ours(folder: Path) -> int:
    """One more checkpoint, of 500 locations all over; the rows that it leaves."""
    writer = _writer(folder, read_locations(folder / layout.LOCATIONS))
    ids = sorted(writer.done)
    some = ids[:: max(len(ids) // 500, 1)]
    known = {location.id: location for location in read_locations(folder / layout.LOCATIONS)}
    for id_, items in writer.items_of(some).items():
        writer.finish(known[id_], items, [])
    writer.close()
    return len(open_catalog(folder).items())


def merge_ours(folder: Path) -> int:
    """A merge of the one part that is everything: all files named once more, all rows sorted once more."""
    from curate.merge import merge_parts

    out = folder.with_name("merged") / folder.name
    items = merge_parts([folder], out, watch=_quiet).items
    assert open_catalog(out).index_hash(SENSOR.id) == open_catalog(folder).index_hash(SENSOR.id)
    return items


def sampled_ours(folder: Path, sample: int) -> tuple[bool, int, int]:
    """`curate verify --sample`: whether it is valid, items, files read."""
    report = check_catalog(folder, sample=sample)
    assert not report.problems, report.problems[:3]
    return report.is_valid, report.checked["items"], report.checked["assets read"]


def info_ours(folder: Path) -> int:
    """`curate info`: the items counted."""
    from curate.summary import summarize

    return summarize(str(folder)).items


def train_ours(folder: Path) -> int:
    """What training opens: the items of a split, and where their pixels are."""
    from catalogs.stack import open_stack

    catalog = open_catalog(folder)
    return len(open_stack(catalog, catalog.items(sensor=SENSOR.id, split="train")))


def measured(step: Callable[..., Any], *args: Any) -> Measured:
    """Run a step in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_timed, step, args).result()


def _timed(step: Callable[..., Any], args: tuple[Any, ...]) -> Measured:
    began, cpu = time.perf_counter(), time.process_time()
    result = step(*args)
    return result, time.perf_counter() - began, time.process_time() - cpu, _peak_gb()


def _writer(folder: Path, locations: Sequence[Location]) -> CatalogWriter:
    bands = {SENSOR.id: BANDS}
    return CatalogWriter(folder, locations, bands, description="A benchmark.", json_items=False)


def _quiet(total: int, description: str) -> AbstractContextManager[Progress]:
    return progress(total, description, quiet=True)


def steps(folder: Path, count: int, sample: int) -> Iterator[tuple[str, Measured, Any]]:
    """Every step with its name, what it took, and the answer that it should have given."""
    places_ = count // VISITS
    yield "locations and recipe", measured(sample_ours, folder, count), places_
    yield "build: files named, journal, checkpoints", measured(build_ours, folder, sample), count
    yield "build again: nothing to do", measured(continue_ours, folder), places_
    yield "one checkpoint of 500 locations", measured(checkpoint_ours, folder), count
    yield f"verify --sample {sample}", measured(sampled_ours, folder, sample), (True, count, sample * VISITS * 2)
    yield "info", measured(info_ours, folder), count
    yield "train: opening half of them", measured(train_ours, folder), count // 2
    yield "merge of one part", measured(merge_ours, folder), count


def main() -> None:
    """Run all steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="items, a multiple of 16")
    parser.add_argument("--sample", type=int, default=20, help="locations whose files are read")
    parser.add_argument("--home", type=Path, help="where to work: 3 GB and 600,000 files at a million items")
    given = parser.parse_args()
    print(f"{describe_machine()}; {given.count:,} items\n", flush=True)
    home = Path(tempfile.mkdtemp(dir=given.home))
    try:
        for name, (result, seconds, cpu, memory), expected in steps(home / "large", given.count, given.sample):
            assert result == expected, f"{name}: {result}, not {expected}"
            print(f"{name:42} {seconds:8.1f} s {cpu:8.1f} s of CPU {memory:6.2f} GB", flush=True)
        size = sum(path.stat().st_size for path in (home / "large" / SENSOR.id / layout.INDEX_FOLDER).iterdir())
        print(f"index: {size / given.count:.0f} bytes per item")
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()

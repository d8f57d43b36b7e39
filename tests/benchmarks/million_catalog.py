"""A catalog of a million items with their files: what `plan`, `build`, `verify`, `info`, `merge` and training's opening cost.

    python -m tests.benchmarks.million_catalog [--count 1000000] [--sample 20] [--deep] [--home FOLDER]

The items are of three bands and a mask, four to a location, rows of a divided index. Their files are real ones of 12 x 12
pixels, rendered once: those of two places differ by the corner in their header. The first build is that of the catalog's
writer alone, since nothing is fetched or rendered here; what is called by a command's name is that command. Each step runs in
a process of its own, whose peak memory is told, its libraries among it; answers are checked before figures are.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, closing, redirect_stdout
from dataclasses import replace
from datetime import date
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from catalogs import layout, open_catalog
from catalogs.console import Progress, progress
from catalogs.locations import read_locations, write_locations
from catalogs.pixels import encode_raster, multihash
from catalogs.recipe import write_section
from catalogs.records import Location, Raster
from catalogs.scene_writer import Patch
from catalogs.testing import make_scene
from catalogs.to_stac import scene_to_item
from catalogs.validate import FILES_READ
from catalogs.writer import CatalogWriter
from curate.build_request import BuildRequest, resolve_request
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.million import SENSOR, VISITS, _peak_gb

REQUEST = BuildRequest(
    source="simulated", sensors=[SENSOR.id], bands=["B02", "B03", "B04"], seasons=str(VISITS), items="parquet",
    start=date(2023, 1, 1), end=date(2024, 1, 1),
)  # fmt: skip
BANDS = tuple(band for band in SENSOR.bands if band.name in REQUEST.bands)
THREE_BANDS = replace(SENSOR, bands=BANDS)
FILES = 2
"""Of an item."""
CHECKPOINT_EVERY = 10_000
"""Locations."""
PER_ROW, STEP_M, SIDE_M = 600, 600, 120

Measured = tuple[Any, float, float, float]
"""What a step gave, its seconds, its seconds of CPU, and the peak memory of its process in GB."""
Step = tuple[str, Measured, Any]
"""Its name, what it gave and took, and what it should have given."""


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
    squares = places(count // VISITS)
    write_section(folder, "sample", {"region": "benchmark", "seed": 0})
    write_section(folder, "build", resolve_request(REQUEST, None, today=REQUEST.end, locations=len(squares)))
    write_locations(folder / layout.LOCATIONS, squares)
    return len(squares)


def build_ours(folder: Path) -> int:
    """A build without fetching: files written, items journalled, checkpoints taken."""
    locations = read_locations(folder / layout.LOCATIONS)
    writer = _writer(folder, locations)
    files = _Files(folder / SENSOR.id, locations[0])
    folders = layout.Layout.of(locations)
    for number, location in enumerate(locations, start=1):
        place = folders.folder(location)
        (folder / SENSOR.id / place).mkdir(parents=True)
        writer.finish(location, [files.write(location, visit, place) for visit in range(VISITS)], [])
        if number % CHECKPOINT_EVERY == 0:
            writer.checkpoint()
    writer.close()
    return VISITS * len(locations)


class _Files:
    """Scenes whose files are encoded once: of another place only the corner in their header is another."""

    def __init__(self, collection: Path, first: Location) -> None:
        self._collection = collection
        self._scenes = [make_scene(THREE_BANDS, first, visit, seed=visit) for visit in range(VISITS)]
        self._contents = [
            {patch.key: encode_raster(patch.pixels, patch.grid, patch.bands).split(_corner(first)) for patch in patches}
            for _, patches in self._scenes
        ]

    def write(self, location: Location, visit: int, place: str) -> dict[str, Any]:
        """Write the files of a scene; give its item in row form."""
        scene, patches = self._scenes[visit]
        stem = layout.stem(scene.datetime, None, None)
        rasters = tuple(self._write(location, visit, patch, f"{place}/{stem}_{patch.key}.tif") for patch in patches)
        return scene_to_item(replace(scene, location=location, rasters=rasters))

    def _write(self, location: Location, visit: int, patch: Patch, href: str) -> Raster:
        content = _corner(location).join(self._contents[visit][patch.key])
        (self._collection / href).write_bytes(content)
        return Raster(
            patch.key, href, patch.bands, location.grid(patch.grid.gsd), patch.pixels.dtype.name, multihash(content),
            len(content), sources=patch.sources, is_mask=patch.is_mask,
        )  # fmt: skip


def _corner(location: Location) -> bytes:
    """The tie point of a GeoTIFF, as it stands in the file: its first pixel is at the upper left corner."""
    left, _, _, top = location.bounds
    return struct.pack("<6d", 0, 0, 0, left, top, 0)


def checkpoint_ours(folder: Path) -> int:
    """One more checkpoint, of 500 locations all over; the rows that it leaves."""
    locations = {location.id: location for location in read_locations(folder / layout.LOCATIONS)}
    writer = _writer(folder, list(locations.values()))
    ids = sorted(writer.done)
    some = ids[:: max(len(ids) // 500, 1)]
    with closing(writer.items_of(some)) as found:
        for id_, items in found.items():
            writer.finish(locations[id_], items, [])
    writer.close()
    return len(open_catalog(folder).items())


def merge_ours(folder: Path) -> int:
    """A merge of the one part that is everything: all files named once more, all rows sorted once more."""
    from curate.merge import merge_parts

    out = folder.with_name("merged") / folder.name
    items = merge_parts([folder], out, watch=_quiet).items
    assert open_catalog(out).index_hash(SENSOR.id) == open_catalog(folder).index_hash(SENSOR.id)
    return items


def info_ours(folder: Path) -> int:
    """`curate info`: the items counted."""
    from curate.summary import summarize

    return summarize(str(folder)).items


def train_ours(folder: Path) -> int:
    """What training opens: the items of a split, and where their pixels are."""
    from catalogs.stack import open_stack

    catalog = open_catalog(folder)
    return len(open_stack(catalog, catalog.items(sensor=SENSOR.id, split="train")))


def planned(folder: Path) -> tuple[int, int]:
    """`curate plan`: locations and seasons to do."""
    told = _curate("plan", folder)
    return told["locations"], told["seasons"]


def built(folder: Path) -> tuple[int, int]:
    """`curate build`: complete locations, and items that it wrote."""
    told = _curate("build", folder)
    return told["complete"], told["items_written"]


def verified(folder: Path, *how: object) -> tuple[bool, int, int]:
    """`curate verify`: whether it is valid, items, files read."""
    told = _curate("verify", folder, *how)
    return told["valid"], told["checked"]["items"], told["checked"]["assets read"]


def verified_in_part(folder: Path) -> tuple[bool, int, float]:
    """The same as it is without flags, where files are drawn: these as a share of what is read at most."""
    is_valid, items, files = verified(folder)
    return is_valid, items, round(files / FILES_READ, 1)


def _curate(*words: object) -> Any:
    """Run a command as its users do; give what it tells machines."""
    from curate.cli import main

    told, code = io.StringIO(), None
    try:
        with redirect_stdout(told):
            main([*map(str, words), "--json", "--quiet"])
    except SystemExit as ended:
        code = ended.code
    assert not code, f"curate {words[0]} left with {code}: {told.getvalue()[:2000]}"
    return json.loads(told.getvalue())


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


def steps(folder: Path, count: int, sample: int) -> Iterator[Step]:
    """Every step but those that read many files, with its name, what it took, and the answer that it should have given."""
    places_ = count // VISITS
    yield "locations and recipe", measured(sample_ours, folder, count), places_
    yield "curate plan: everything to do", measured(planned, folder), (places_, count)
    yield "build: files written, journal, checkpoints", measured(build_ours, folder), count
    yield "curate build: nothing to do", measured(built, folder), (places_, 0)
    yield "curate plan: nothing to do", measured(planned, folder), (0, 0)
    yield "one checkpoint of 500 locations", measured(checkpoint_ours, folder), count
    yield (
        f"curate verify --sample {sample}",
        measured(verified, folder, "--sample", sample),
        (True, count, sample * VISITS * FILES),
    )
    yield "info", measured(info_ours, folder), count
    yield "train: opening half of them", measured(train_ours, folder), count // 2
    yield "merge of one part", measured(merge_ours, folder), count


def reading_steps(folder: Path, count: int, *, deep: bool) -> Iterator[Step]:
    """Those that read many files, some 3 ms of CPU each."""
    files = count * FILES
    yield "curate verify", measured(verified_in_part, folder), (True, count, round(min(1, files / FILES_READ), 1))
    if deep:
        yield "curate verify --deep", measured(verified, folder, "--deep"), (True, count, files)


def main() -> None:
    """Run all steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="items, a multiple of 16")
    parser.add_argument("--sample", type=int, default=20, help="locations whose files are read")
    parser.add_argument("--deep", action="store_true", help="read all files once, too")
    parser.add_argument("--home", type=Path, help="where to work: 10 GB and 2,500,000 files at a million items")
    given = parser.parse_args()
    print(f"{describe_machine()}; {given.count:,} items\n", flush=True)
    home = Path(tempfile.mkdtemp(dir=given.home))
    folder = home / "large"
    try:
        all_steps = chain(steps(folder, given.count, given.sample), reading_steps(folder, given.count, deep=given.deep))
        for name, (result, seconds, cpu, memory), expected in all_steps:
            assert result == expected, f"{name}: {result}, not {expected}"
            print(f"{name:42} {seconds:8.1f} s {cpu:8.1f} s of CPU {memory:6.2f} GB", flush=True)
        size = sum(path.stat().st_size for path in (folder / SENSOR.id / layout.INDEX_FOLDER).iterdir())
        print(f"index: {size / given.count:.0f} bytes per item")
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()

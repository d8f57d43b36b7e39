"""The benchmark of reading, small enough for a test: what does not hang on the machine's mood; and the judge judged."""

import dataclasses

import numpy as np
import pytest
import rasterio

from tests.benchmarks.curation.run import Row, measure, prepare
from tests.benchmarks.curation.scenes import BANDS, QUICK, Layout, make_scenes, scene_folder
from tests.benchmarks.curation.table import floors, tables
from tests.benchmarks.curation.tasks import Density, Needed, block_range, draw_task, needed, true_pixels
from tests.benchmarks.curation.whole import build

LATENCY_MS = 20
ROW = Row("ours", "sparse", 20, 0, 20, 1.0, 0.5, 200.0, 100.0, 10, 1000, 4, 4, 4, 0.1, 0, Needed(4, 6, 1000))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    make_scenes(folder, QUICK)
    return folder


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize("density", ["sparse", "dense"])
def test_ours_reads_the_same_pixels_from_the_needed_bytes_with_less_processor_time_than_rasterio(scenes, density):
    prepared = prepare(scenes, QUICK, density)
    rows = list(measure(prepared, LATENCY_MS, ["ours", "rasterio"], 2))
    print(*tables(rows), sep="\n")
    assert [row.wrong for row in rows] == [0, 0, 0, 0]
    judged = {floor.what: floor for floor in floors(rows)}
    asked = ("bytes", "requests", "connections", "CPU s over rasterio")
    assert [judged[what] for what in asked if not judged[what].met] == []


@pytest.mark.slow
@pytest.mark.benchmark
def test_scenes_are_what_a_provider_has_and_are_made_once(scenes):
    paths = [scene_folder(scenes, 0) / f"{band.key}.tif" for band in BANDS]
    for path, band in zip(paths, BANDS, strict=True):
        with rasterio.open(path) as file:
            assert (file.block_shapes, file.dtypes, file.nodata) == ([(1024, 1024)], (band.data_type,), 0)
            assert (file.width, file.res) == (QUICK.side(band.gsd), (band.gsd, band.gsd))
            tags = file.tags(ns="IMAGE_STRUCTURE")
            assert (tags["LAYOUT"], tags["COMPRESSION"], tags["PREDICTOR"]) == ("COG", "DEFLATE", "2")
            assert file.overviews(1)
    times = [path.stat().st_mtime_ns for path in paths]
    make_scenes(scenes, QUICK)
    assert [path.stat().st_mtime_ns for path in paths] == times
    with rasterio.open(paths[0]) as file:
        start, end = block_range(file, 1, 1)
    assert 1.2 < (end - start) / 1024**2 < 1.5


@pytest.mark.slow
@pytest.mark.benchmark
def test_the_needed_blocks_are_those_a_plain_count_finds(scenes):
    task = draw_task("", QUICK, Density(2, 3))
    blocks = set()
    for patch, band in task.reads():
        column, row, width, height = patch.window(band)
        corners = [(x, y) for x in (column, column + width - 1) for y in (row, row + height - 1)]
        blocks |= {(patch.scene, band.key, x // 1024, y // 1024) for x, y in corners}
    found = needed(scenes, task)
    assert (found.files, found.blocks) == (14, len(blocks))
    assert len(set(true_pixels(scenes, task))) == len(task.patches) * len(BANDS)


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_whole_build_asks_each_block_once_and_writes_every_patch(scenes):
    built = build(scenes, QUICK, patches=10, latency_ms=LATENCY_MS)
    print(built)
    everything = needed(scenes, draw_task("", QUICK, Density(1, 400)))
    assert built.patches == 10
    assert built.requests <= everything.files + everything.blocks
    assert built.bytes <= everything.bytes + everything.files * 16384
    assert built.peak_mb < 500


def test_places_are_the_same_each_time_and_lie_inside_on_even_pixels():
    layout = Layout(1200, 2)
    task = draw_task("http://host", layout, Density(3, 40))
    assert task == draw_task("http://host", layout, Density(3, 40))
    assert {patch.scene for patch in task.patches} == {"@0/scene-0", "@1/scene-1", "@2/scene-0"}
    assert len(set(task.patches)) > 100
    for patch, band in task.reads():
        column, row, width, height = patch.window(band)
        assert min(column, row) >= 0
        assert max(column + width, row + height) <= layout.side(band.gsd)
        assert width * band.gsd == 2640
    assert np.all(np.array([(patch.column, patch.row) for patch in task.patches]) % 2 == 0)
    assert type(task).from_json(task.to_json() | {"patches": [dataclasses.asdict(patch) for patch in task.patches]}) == task


def test_ratios_are_of_pairs_and_their_median_is_judged():
    ours = [dataclasses.replace(ROW, turn=turn, seconds=seconds) for turn, seconds in enumerate((1.0, 4.0, 1.0))]
    theirs = [
        dataclasses.replace(row, contender="rasterio", seconds=seconds, cpu_s=1.0)
        for row, seconds in zip(ours, (1.6, 8.0, 1.0), strict=True)
    ]
    judged = {floor.what: floor for floor in floors([*ours, *theirs])}
    assert judged["patches/s over rasterio"] == ("sparse", 20, "patches/s over rasterio", 1.6, 1.5, True, 3)
    assert judged["CPU s over rasterio"][3:6] == (0.5, 0.6, False)
    assert all(floor.met for floor in judged.values())
    slower = [dataclasses.replace(row, latency_ms=80) for row in (*ours, *theirs)]
    assert not {floor.what: floor for floor in floors(slower)}["patches/s over rasterio"].met


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("bytes", {"bytes": 1020 + 4 * 16384 + 1}),
        ("requests", {"requests": 11}),
        ("connections", {"connections": 67}),
        ("wrong pixels", {"wrong": 1}),
    ],
)
def test_a_floor_that_is_missed_is_told(what, changed):
    rows = [ROW, dataclasses.replace(ROW, turn=1, **changed)]
    assert [floor.what for floor in floors(rows) if not floor.met] == [what]
    assert sum("MISSED" in line for line in tables(rows)) == 1


def test_other_contenders_have_floors_of_their_own():
    rows = [dataclasses.replace(ROW, contender=name, seconds=2.5) for name in ("odc-stac", "stackstac", "gets")]
    sparse = [dataclasses.replace(row, latency_ms=80) for row in (ROW, *rows)]
    crowded = [
        dataclasses.replace(row, density="crowded") for row in (ROW, *rows, dataclasses.replace(ROW, contender="rasterio"))
    ]
    speeds = [floor for floor in floors([*sparse, *crowded]) if floor.what.startswith("patches/s")]
    assert [(floor.what, floor.floor, floor.met) for floor in speeds] == [
        ("patches/s over odc-stac", 2.7, False),
        ("patches/s over stackstac", 2.7, False),
        ("patches/s over rasterio", 5.0, False),
    ]

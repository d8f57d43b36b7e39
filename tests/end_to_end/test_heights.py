"""Heights beside Sentinel-2 from end to end: one static layer of a location, put together from squares of a degree."""

import json
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio

from catalogs import layout, open_catalog
from catalogs.lattice import squares_around
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Location
from tests.conftest import ROOT
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import SIDE_M, footprint, plant_numbers, write_band
from tests.heights import DEM, heights_on, square_item, write_square
from tests.servers import serve_api, serve_dask, serve_files
from tests.trees import tree

S2 = "sentinel-2-l2a"
BORDER, CORNER, COAST, SEA = (1.0, 52.5), (1.0, 50.0), (3.0, 52.5), (2.5, 54.5)
"""Places: between two squares side by side; where four meet, the northern two with wider pixels; beside a square that is not
there; far from any."""
SQUARES = {(0, 52): BORDER, (1, 52): BORDER, (0, 49): CORNER, (1, 49): CORNER, (0, 50): CORNER, (1, 50): CORNER, (2, 52): COAST}
DATES = ("--seasons", 2, "--start", "2023-01-01", "--end", "2024-01-01", "--source", "earth-search", "--bands", "B04,elevation")
BOTH = ("--sensor", S2, "--sensor", DEM)
NEAR_M = 0.01
"""By which heights on a line between two others are off; half a pixel is 0.4 m and more."""


def location_at(lonlat, number=0):
    epsg, bounds = squares_around([lonlat[0]], [lonlat[1]], 600)
    return Location(f"place-{number:06d}", int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")


def sampled(folder, *places):
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_locations(folder / layout.LOCATIONS, [location_at(place, number) for number, place in enumerate(places)])
    return folder


def optical_item(files, location, day, clouds):
    """A scene of Sentinel-2 around a location, its files written; `clouds` is what its mask says everywhere."""
    left, _, _, top = location.bounds
    left, top = left - 2100, top + 2100
    name = f"S2B_{location.id}_{day}"
    for key, pixels in (("red", plant_numbers("B04", 10, 1000)), ("scl", np.full((SIDE_M // 20,) * 2, clouds, "uint8"))):
        write_band(files / name / f"{key}.tif", pixels, epsg=location.zone, left=left, top=top)
    geometry, bbox = footprint(location.zone, left, top)
    bands = {"red": [{"nodata": 0, "scale": 1e-4, "offset": -0.1}], "scl": [{"nodata": 0}]}
    return {
        "type": "Feature", "stac_version": "1.0.0", "stac_extensions": [], "id": name, "collection": "sentinel-2-c1-l2a",
        "geometry": geometry, "bbox": bbox, "links": [],
        "properties": {
            "datetime": f"{day}T11:00:00Z", "platform": "sentinel-2b", "eo:cloud_cover": 5.0, "proj:epsg": location.zone,
            "s2:processing_baseline": "05.11",
        },
        "assets": {
            key: {"href": f"FILES/{name}/{key}.tif", "type": "image/tiff", "roles": ["data"], "raster:bands": stated}
            for key, stated in bands.items()
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The files of all heights."""
    folder = tmp_path_factory.mktemp("archive")
    for (west, south), place in SQUARES.items():
        write_square(folder, west, south, place)
    return folder


@pytest.fixture(scope="module")
def api(archive):
    """An API with those heights, and of each place a clear scene in spring and a cloudy one in autumn."""
    items = [
        optical_item(archive, location_at(place, number), day, clouds)
        for number, place in enumerate((BORDER, CORNER, COAST, SEA))
        for day, clouds in (("2023-04-01", 4), ("2023-10-01", 9))
    ]
    with serve_files(archive) as files:
        found = json.loads(json.dumps(items).replace("FILES", files)) + [square_item(files, *square) for square in SQUARES]
        with serve_api(found) as url:
            yield url


@pytest.fixture(autouse=True)
def earth_search(api, monkeypatch):
    monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", api)


def failures_of(folder):
    path = folder / layout.FAILURES
    return [(row["location"], row["season"], row["sensor"], row["reason"]) for row in pq.read_table(path).to_pylist()]


def read_heights(folder, number):
    """Heights of a location, and its item."""
    (found,) = [(path, item) for path, item in items_of(folder, DEM) if f"-{number:06d}_" in item["id"]]
    path, item = found
    with rasterio.open(path.parent / item["assets"]["30m"]["href"]) as raster:
        return raster.read(1), item


@pytest.fixture(scope="module")
def built(tmp_path_factory, api):
    """All places, built of both sensors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEASTARS_EARTH_SEARCH_URL", api)
        folder = sampled(tmp_path_factory.mktemp("built") / "cat", BORDER, CORNER, COAST, SEA)
        assert curate("build", folder, *DATES, *BOTH, "--quiet") == 0
    return folder


def test_heights_across_the_borders_of_squares_are_those_of_the_ground(built):
    pixels, item = read_heights(built, 0)
    assert (pixels.shape, pixels.dtype) == ((20, 20), np.float32)
    assert np.abs(pixels - heights_on(location_at(BORDER))).max() < NEAR_M
    assert item["properties"]["seastars:valid_percent"] == 100


def test_where_pixels_of_two_sizes_meet_one_row_has_neighbours_on_one_side_alone(built):
    pixels, item = read_heights(built, 1)
    off = np.abs(pixels - heights_on(location_at(CORNER, 1)))
    assert (off > NEAR_M).mean() == 0.05
    assert off.max() < 0.9
    assert item["properties"]["seastars:valid_percent"] == 100


def test_the_item_is_of_no_season_and_of_the_interval_in_which_heights_were_measured(built):
    _, item = read_heights(built, 0)
    properties, asset = item["properties"], item["assets"]["30m"]
    assert item["id"] == "place-000000_20101212_20150116"
    assert properties["datetime"] is None
    assert (properties["start_datetime"], properties["end_datetime"]) == ("2010-12-12T00:00:00Z", "2015-01-16T23:59:59Z")
    assert not {"seastars:season", "eo:cloud_cover", "seastars:radiometry"} & set(properties)
    assert (properties["seastars:source"], properties["platform"]) == ("earth-search", "tandem-x")
    assert asset["seastars:resampling"] == "bilinear"
    assert asset["bands"] == [{"name": "elevation", "gsd": 30, "nodata": -32767, "raster:scale": 1, "raster:offset": 0}]
    assert asset["seastars:sources"][0]["href"].endswith("_00_DEM.tif")
    collection = json.loads((built / DEM / layout.COLLECTION).read_text())
    assert collection["item_assets"]["30m"]["bands"][0]["unit"] == "m"
    assert collection["description"].endswith("under COPERNICUS by the European Union and ESA; all rights reserved.")
    assert collection["extent"]["temporal"]["interval"] == [["2010-12-12T00:00:00Z", "2015-01-16T23:59:59Z"]]
    assert [each.id for each in pystac.Catalog.from_file(built / layout.CATALOG).get_child(DEM).get_items(recursive=True)]


def test_beside_a_square_that_is_not_there_what_is_missing_is_told_and_at_sea_a_failure_is(built):
    pixels, item = read_heights(built, 2)
    expected = heights_on(location_at(COAST, 2))
    is_sea = pixels == -32767
    assert item["properties"]["seastars:valid_percent"] == pytest.approx(100 * (1 - is_sea.mean()), abs=0.01)
    assert 0.4 < is_sea.mean() < 0.6
    assert np.abs(pixels - expected)[~is_sea].max() < NEAR_M
    assert len(items_of(built, DEM)) == 3
    autumn = [(f"place-{number:06d}", 1, S2, "not-clear") for number in range(4)]
    assert failures_of(built) == sorted([*autumn, ("place-000003", -1, DEM, "no-scene")])


def test_the_seasons_of_other_sensors_are_the_same_bytes_without_it(built, tmp_path):
    alone = sampled(tmp_path / "alone", BORDER, CORNER, COAST, SEA)
    words = [*DATES[:-1], "B04"]
    assert curate("build", alone, *words, "--sensor", S2, "--quiet") == 0
    assert len(items_of(alone, S2)) == 4
    assert tree(alone / S2) == tree(built / S2)


def test_it_is_verified_counted_and_read_as_any_other_layer(built, capfd):
    assert curate("verify", built, "--deep", "--quiet") == 0
    capfd.readouterr()
    assert curate("info", built, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["complete"], told["incomplete"], told["unbuilt"]) == (0, 4, 0)
    heights = told["sensors"][1]
    assert (heights["items"], heights["locations"], heights["seasons"], heights["absent"]) == (3, 3, {}, {})
    assert curate("info", built) == 0
    assert "seasons   none: a static layer" in capfd.readouterr().out
    catalog = open_catalog(built)
    items = catalog.items(sensor=DEM)
    assert len(items) == 3
    assert len(catalog.items(sensor=S2, season=0)) == 4
    assert catalog.read(items[0], bands=["elevation"]).shape == (1, 20, 20)


def test_heights_alone_are_built_as_rows_and_tried_again_where_they_failed(tmp_path, capfd):
    folder = sampled(tmp_path / "cat", BORDER, COAST, SEA)
    words = ("--source", "earth-search", "--sensor", DEM, "--start", "2023-01-01", "--end", "2024-01-01", "--items", "parquet")
    assert curate("plan", folder, *words) == 0
    assert ": 3 locations to do, from earth-search" in capfd.readouterr().out
    assert curate("build", folder, *words) == 0
    words_of_sea = r"1 x no-scene, for example: No cop-dem-glo-30 over location place-000002 (54.50N, 2.50E): no file of it"
    assert words_of_sea in capfd.readouterr().err
    assert curate("verify", folder, "--quiet") == 0
    assert failures_of(folder) == [("place-000002", -1, DEM, "no-scene")]
    before = tree(folder / DEM)
    assert curate("build", folder, *words, "--retry-failed") == 0
    assert "Building: 1/1" in capfd.readouterr().err
    assert tree(folder / DEM) == before


def test_what_both_cost_is_foreseen_with_heights_once_per_location(tmp_path, capfd):
    folder = sampled(tmp_path / "cat", BORDER, COAST, SEA)
    assert curate("plan", folder, *DATES, *BOTH, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["locations"], told["seasons"]) == (3, 6)
    heights = told["sensors"][DEM]
    assert (heights["candidates"], heights["scenes"]) == (3, 3)  # squares of a degree
    assert (heights["looks"], heights["patches"]) == (0, 2)
    alone = sampled(tmp_path / "alone", BORDER, COAST, SEA)
    assert curate("plan", alone, *DATES[:-1], "B04", "--sensor", S2, "--json") == 0
    assert json.loads(capfd.readouterr().out)["sensors"][S2] == told["sensors"][S2]


def test_heights_that_cannot_be_read_now_are_added_by_the_same_command(tmp_path, archive, capfd):
    folder = sampled(tmp_path / "cat", BORDER, COAST)
    west = archive / "Copernicus_DSM_COG_10_N52_00_E000_00_DEM.tif"
    west.rename(tmp_path / "away.tif")
    try:
        assert curate("build", folder, *DATES, *BOTH, "--quiet") == 4
    finally:
        (tmp_path / "away.tif").rename(west)
    assert failures_of(folder)[0] == ("place-000000", -1, DEM, "unreadable")
    assert curate("verify", folder, "--quiet") == 0
    before = {name: content for name, content in tree(folder / S2).items() if name.endswith((".tif", "Z.json"))}
    assert curate("build", folder, *DATES, *BOTH, "--quiet") == 0
    assert failures_of(folder)[0] == ("place-000000", 1, S2, "not-clear")
    assert len(items_of(folder, DEM)) == 2
    assert before.items() <= tree(folder / S2).items()
    whole = without_work(folder)
    assert curate("build", folder, *DATES, *BOTH, "--retry-failed", "--quiet") == 0  # the cloudy autumn, beside heights
    assert without_work(folder) == whole
    assert curate("verify", folder, "--quiet") == 0


@pytest.mark.slow
@pytest.mark.parametrize("writes", [2, 5])
def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path, built, writes):
    folder = sampled(tmp_path / "cat", BORDER, CORNER, COAST, SEA)
    program = f"""
import itertools, os, signal
from catalogs.scene_writer import SceneWriter
write, count = SceneWriter.write_scene, itertools.count(1)
def write_or_die(self, *words):
    next(count) < {writes} or os.kill(os.getpid(), signal.SIGKILL)
    return write(self, *words)
SceneWriter.write_scene = write_or_die
from curate.cli import main
main()
"""
    words = [sys.executable, "-c", program, "build", folder, *DATES, *BOTH, "--quiet"]
    assert subprocess.run(list(map(str, words)), cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert curate("build", folder, *DATES, *BOTH, "--quiet") == 0
    assert curate("verify", folder, "--quiet") == 0
    assert without_work(folder) == without_work(built)


@pytest.mark.slow
def test_parts_are_joined_to_what_the_undivided_build_is(tmp_path, built):
    parts = []
    for number in (1, 2):
        parts.append(sampled(tmp_path / f"part-{number}", BORDER, CORNER, COAST, SEA))
        assert curate("build", parts[-1], *DATES, *BOTH, "--part", f"{number}/2", "--quiet") == 0
    assert curate("merge", *parts, "--out", tmp_path / "cat", "--quiet") == 0
    assert curate("verify", tmp_path / "cat", "--quiet") == 0
    assert without_work(tmp_path / "cat") == without_work(built)


@pytest.mark.slow
def test_a_cluster_builds_the_same(tmp_path, built):
    folder = sampled(tmp_path / "cat", BORDER, CORNER, COAST, SEA)
    with serve_dask(1) as cluster:
        assert curate("build", folder, *DATES, *BOTH, "--scheduler", cluster.address, "--quiet") == 0
    assert without_work(folder) == without_work(built)


def without_work(folder):
    """A catalog's files, those aside that its runs keep for themselves."""
    return {name: content for name, content in tree(folder).items() if not name.startswith(f"{layout.WORK}/")}

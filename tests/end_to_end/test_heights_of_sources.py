"""Heights of Planetary Computer, of two sources at once, of a file of one's own, and where the globe's ends meet."""

import json

import numpy as np
import pytest
import rasterio

from catalogs import layout
from catalogs.lattice import squares_around
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Location
from tests.end_to_end.commands import curate, items_of
from tests.heights import DEM, heights_on, square_item, write_square
from tests.planetary_computer_double import serve_planetary_computer, used
from tests.planted import assert_nowhere
from tests.servers import serve_api, serve_files

BORDER = (1.0, 52.5)
CONTAINER = "http://elevationeuwest.blob.core.windows.net/copernicus-dem/COP30_hh"
DATES = ("--sensor", DEM, "--start", "2023-01-01", "--end", "2024-01-01", "--quiet")
NEAR_M = 0.01


def location_at(lonlat):
    epsg, bounds = squares_around([lonlat[0]], [lonlat[1]], 600)
    return Location("place-000000", int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")


def sampled(folder, lonlat=BORDER):
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_locations(folder / layout.LOCATIONS, [location_at(lonlat)])
    return folder


def read_heights(folder):
    ((path, item),) = items_of(folder, DEM)
    with rasterio.open(path.parent / item["assets"]["30m"]["href"]) as raster:
        return raster.read(1), item["properties"], [each["href"] for each in item["assets"]["30m"]["seastars:sources"]]


def assert_heights(pixels, lonlat=BORDER):
    np.testing.assert_allclose(pixels, heights_on(location_at(lonlat)), atol=NEAR_M, rtol=0)


def test_heights_of_planetary_computer_are_read_with_the_token_of_their_container(tmp_path, monkeypatch, capfd):
    for west in (0, 1):
        write_square(tmp_path / "storage/copernicus-dem/COP30_hh", west, 52, BORDER)
    items = [square_item(CONTAINER, west, 52) for west in (0, 1)]
    folder = sampled(tmp_path / "cat")
    with serve_api(items) as url, serve_planetary_computer(tmp_path / "storage") as double, used(double, monkeypatch):
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", url)
        assert curate("build", folder, "--source", "planetary-computer", *DATES) == 0
        assert len(double.lent) == 1
    pixels, told, files = read_heights(folder)
    assert_heights(pixels)
    assert told["seastars:source"] == "planetary-computer"
    assert all(file.startswith(CONTAINER) and file.endswith(".tif") for file in files)
    assert curate("verify", folder, "--quiet") == 0
    assert_nowhere(["plantedSignature"], folder, *capfd.readouterr())


def test_of_two_sources_the_one_that_has_the_whole_square_is_read(tmp_path, monkeypatch):
    for name, wests in (("ours", [1]), ("theirs", [0, 1])):
        for west in wests:
            write_square(tmp_path / name / "copernicus-dem/COP30_hh", west, 52, BORDER)
    folder = sampled(tmp_path / "cat")
    with (
        serve_files(tmp_path / "ours") as files,
        serve_api([square_item(f"{files}/copernicus-dem/COP30_hh", 1, 52)]) as half,
        serve_api([square_item(CONTAINER, west, 52) for west in (0, 1)]) as whole,
        serve_planetary_computer(tmp_path / "theirs") as double,
        used(double, monkeypatch),
    ):
        monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", half)
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", whole)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert curate("build", folder, "--source", "earth-search,planetary-computer", *DATES) == 0
    pixels, told, _ = read_heights(folder)
    assert_heights(pixels)
    assert told["seastars:source"] == "planetary-computer"


def test_a_catalog_with_heights_is_a_source_of_them(tmp_path):
    with serve_files(tmp_path) as files:
        write_square(tmp_path, 1, 52, (1.05, 52.5))
        (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": [square_item(files, 1, 52)]}))
        first = sampled(tmp_path / "first", (1.05, 52.5))
        assert curate("build", first, "--source", tmp_path / "items.json", *DATES) == 0
    second = sampled(tmp_path / "second", (1.05, 52.5))
    assert curate("build", second, "--source", first, *DATES) == 0
    (one, told, _), (other, retold, _) = read_heights(first), read_heights(second)
    np.testing.assert_array_equal(one, other)
    assert told["start_datetime"] == retold["start_datetime"] == "2010-12-12T00:00:00Z"
    assert curate("verify", second, "--quiet") == 0


@pytest.mark.parametrize(("place", "zone"), [((180.0, -16.5), 32701), ((179.9995, -16.5), 32760)])
def test_where_the_ends_of_the_globe_meet_heights_are_those_of_both(tmp_path, place, zone):
    assert location_at(place).epsg == zone
    for west, lon in ((179, 180.0), (-180, -180.0)):
        write_square(tmp_path / "files", west, -17, (lon, place[1]))
    folder = sampled(tmp_path / "cat", place)
    with serve_files(tmp_path / "files") as files, serve_api([square_item(files, west, -17) for west in (179, -180)]) as url:
        assert curate("build", folder, "--source", url, *DATES) == 0
    pixels, told, _ = read_heights(folder)
    assert_heights(pixels, place)
    assert told["seastars:valid_percent"] == 100


def test_squares_in_a_folder_of_one_s_own_need_no_date_in_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for west in (0, 1):
        write_square(tmp_path / "dem", west, 52, BORDER)
    mapping = f'folder = "dem"\n[sensors.{DEM}]\nfiles = "Copernicus_DSM_COG_10_*.tif"\nbands = ["elevation"]\n'
    (tmp_path / "dem.toml").write_text(mapping)
    folder = sampled(tmp_path / "cat")
    assert curate("build", folder, "--source", "dem.toml", *DATES) == 0
    pixels, told, _ = read_heights(folder)
    assert_heights(pixels)
    assert told["start_datetime"] == "2010-12-12T00:00:00Z"
    assert curate("verify", folder, "--quiet") == 0

"""Archives of a user's own, by a mapping file: loose GeoTIFFs in degrees without masks, and an API with names of its own."""

import json
import re
import shutil
import warnings

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from catalogs import open_catalog
from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand
from catalogs.lattice import transformer
from catalogs.locations import read_locations
from curate.fetch import PlaneAsk, read_plane
from curate.sources.rasters import open_raster
from tests.curate.sources.archive import archive_items
from tests.end_to_end.commands import curate, items_of
from tests.planted import assert_nowhere
from tests.servers import serve_api

S2, L1C = "sentinel-2-l2a", "sentinel-2-l1c"
SECRET = "planted-7c1e9b"
BOX = "2.7950,42.3330,2.8350,42.3620"
MAPPING = """
folder = "{folder}"
title = "Boadella reservoir"

[sensors.sentinel-2-l2a]
files = "Boadella_{{date}}.tif"
bands = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
scale = 0.0001
offset = 0
license = "MIT"
"""
BUILD = ("--start", "2020-01-01", "--end", "2022-12-31", "--seasons", 6, "--workers", 2, "--quiet")


@pytest.fixture(scope="module")
def reservoir(tmp_path_factory, shared_data):
    home = tmp_path_factory.mktemp("reservoir")
    (home / "boadella.toml").write_text(MAPPING.format(folder=shared_data / "s2_boadella"))
    sampled = "sample", "--region", BOX, "--strategy", "uniform", "--count", 3, "--seed", 1, "--patch-m", 960
    assert curate(*sampled, "--out", home / "cat", "--quiet") == 0
    assert curate("build", home / "cat", "--source", home / "boadella.toml", *BUILD) == 0
    return home


def test_loose_geotiffs_become_a_valid_catalog(reservoir, capsys):
    assert curate("verify", reservoir / "cat", "--deep") == 0
    assert "is valid" in capsys.readouterr().out
    items = [item for _, item in items_of(reservoir / "cat", S2)]
    assert len(items) == 14


def test_items_say_when_who_judged_and_what_decided(reservoir):
    for _, item in items_of(reservoir / "cat", S2):
        told = item["properties"]
        day = told["seastars:source_id"].removeprefix("Boadella_").removesuffix(".tif")
        assert told["datetime"] is None
        assert (told["start_datetime"], told["end_datetime"]) == (f"{day}T00:00:00Z", f"{day}T23:59:59Z")
        assert told["seastars:cloud_source"] == "brightness"
        assert 0 <= told["eo:cloud_cover"] <= 10
        assert told["seastars:source"] == "boadella"
        assert told["seastars:radiometry"]["decision"] == "collection"
        assert told["seastars:radiometry"]["check"] in ("consistent", "unchecked")
        assert day not in ("2020-01-18", "2020-01-23")  # overcast, and broken cloud
        assert item["assets"]["10m"]["data_type"] == "int16"
        assert {band["raster:offset"] for band in item["assets"]["10m"]["bands"]} == {0}


def test_pixels_in_degrees_are_where_they_belong(reservoir, shared_data):
    path, item = items_of(reservoir / "cat", S2)[0]
    with rasterio.open(path.parent / item["assets"]["10m"]["href"]) as ours:
        pixels, grid, epsg = ours.read(1), ours.transform, ours.crs.to_epsg()
    with rasterio.open(shared_data / "s2_boadella" / item["properties"]["seastars:source_id"]) as theirs:
        rows, columns = np.mgrid[2:94:7, 2:94:7]
        lonlats = transformer(epsg, 4326).transform(*(grid @ (columns + 0.5, rows + 0.5)))
        nearest = np.array([value[1] for value in theirs.sample(zip(*map(np.ravel, lonlats), strict=True))])
    found = pixels[rows, columns].ravel()
    assert np.corrcoef(found, nearest)[0, 1] > 0.9
    assert abs(np.median(found - nearest.astype(int))) < 15


def test_a_catalog_of_loose_geotiffs_is_read_and_packed(reservoir):
    catalog = open_catalog(reservoir / "cat")
    item = next(iter(catalog.items(sensor=S2)))
    pixels = catalog.read(item, ["B02", "B08"], reflectance=True)
    assert pixels.shape == (2, 96, 96)
    assert 0 < np.nanmedian(pixels[0]) < 0.15
    assert curate("pack", reservoir / "cat", "--bands", "B02,B03,B04", "--quiet") == 0


def test_a_mapping_may_move_and_a_changed_one_is_noticed(reservoir, tmp_path, capsys):
    home = shutil.copytree(reservoir, tmp_path / "copy")
    mapping = home / "boadella.toml"
    assert curate("build", home / "cat", "--source", mapping) == 0  # another path
    assert str(mapping) in (home / "cat" / "recipe.json").read_text()
    whole = mapping.read_text()
    mapping.write_text(f"# a comment\n{whole}")
    assert curate("build", home / "cat", "--quiet") == 0
    mapping.write_text(whole.replace("offset = 0", "offset = -0.1"))
    capsys.readouterr()
    assert curate("build", home / "cat") == 2
    assert "was changed since the catalog was begun" in capsys.readouterr().err
    assert curate("build", home / "cat", "--source", mapping) == 2
    assert "source was " in capsys.readouterr().err
    mapping.unlink()
    assert curate("build", home / "cat") == 2
    assert f"is built from {mapping}, as seen from the folder where" in capsys.readouterr().err


def test_a_mistake_in_a_mapping_ends_with_2_and_its_words(reservoir, tmp_path, capsys):
    (tmp_path / "wrong.toml").write_text(MAPPING.format(folder=reservoir).replace('"B02"', '"B2"'))
    assert curate("build", reservoir / "cat", "--source", tmp_path / "wrong.toml") == 2
    told = capsys.readouterr().err
    assert "wrong.toml: sensors.sentinel-2-l2a.bands[2] 'B2' is unknown. sentinel-2-l2a has B01" in told


def test_an_api_under_other_names_gives_what_the_archive_gives(tmp_path, shared_data, capfd):
    archive = shared_data / "archive"
    items = [strange(item) for item in archive_items(archive, archive.as_uri()) if item["collection"] == S2]
    names = {"B02": "p", "B03": "q", "B04": "r", "B08": "s"}
    with serve_api(items) as url:
        bands = "\n".join(f'bands.{name} = "{key}"' for name, key in names.items())
        (tmp_path / "mine.toml").write_text(
            f'api = "{url}?token={SECRET}"\n[sensors.{S2}]\ncollection = "ours"\nmask = "t"\n'
            f"scale = 1e-4\noffset = 0\n{bands}\n"
        )
        pixels = {}
        for source in (archive / "catalog.json", tmp_path / "mine.toml"):
            out = tmp_path / source.stem
            place = "--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600
            assert curate("sample", *place, "--out", out, "--quiet") == 0
            asked = "--start", "2018-01-01", "--end", "2018-10-01", "--seasons", 3, "--bands", ",".join(names), "--quiet"
            assert curate("build", out, "--source", source, *asked) == 0
            found = items_of(out, S2)
            pixels[source.stem] = [(item["id"], item["assets"]["10m"]["file:checksum"]) for _, item in found]
    assert len(pixels["mine"]) == 3
    assert pixels["mine"] == pixels["catalog"]
    assert {item["properties"]["seastars:cloud_source"] for _, item in items_of(tmp_path / "mine", S2)} == {"scl"}
    assert_nowhere([SECRET], tmp_path / "mine", *capfd.readouterr())


def test_loose_files_of_one_band_each_are_copied_with_their_mask(tmp_path, shared_data):
    archive = shared_data / "archive"
    (tmp_path / "loose.toml").write_text(
        f'folder = "{archive / S2}"\n[sensors.{S2}]\nfiles = "S2_T31UDS_{{datetime}}_L2A/{{band}}.tif"\n'
        'scale = 1e-4\noffset = 0\nbands.B02 = "B02"\nbands.B11 = "B11"\nmask = "SCL"\n'
    )
    out = tmp_path / "cat"
    place = "--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600
    assert curate("sample", *place, "--out", out, "--quiet") == 0
    asked = "--start", "2018-01-01", "--end", "2018-10-01", "--seasons", 3, "--bands", "B02,B11", "--quiet"
    assert curate("build", out, "--source", tmp_path / "loose.toml", *asked) == 0
    assert curate("verify", out, "--deep", "--quiet") == 0
    found = items_of(out, S2)
    assert len(found) == 3
    for path, item in found:
        told = item["properties"]
        when = re.sub("[-:Z]", "", told["datetime"])
        assert told["seastars:source_id"] == f"S2_T31UDS_{when}_L2A/{{band}}.tif"
        assert told["seastars:cloud_source"] == "scl"
        for key, name in (("10m", "B02"), ("20m", "B11"), ("scl", "SCL")):
            with (
                rasterio.open(path.parent / item["assets"][key]["href"]) as ours,
                rasterio.open(archive / S2 / told["seastars:source_id"].format(band=name)) as theirs,
            ):
                assert (ours.read(1) == theirs.read(1, window=theirs.window(*ours.bounds))).all()


def test_level_1c_is_judged_by_s2cloudless(tmp_path, shared_data):
    """Real ground of EuroSAT, laid out four times, and on an earlier day a cloud that somebody painted over it."""
    bands = [band for band in SENSORS[L1C].bands if band.name != "B8A"] + [SENSORS[L1C].band("B8A")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the files' corners are a hair apart
        with rasterio.open(next((shared_data / "eurosat_ms" / "Pasture").glob("*.tif"))) as file:
            ground = np.tile(file.read(), (1, 2, 2)).astype("uint16")
    cloud = np.array([3000 if band.name == "B09" else 600 if band.name == "B10" else 6000 for band in bands], "uint16")
    for day, pixels in (("20200610", np.maximum(ground, cloud[:, None, None])), ("20200620", ground)):
        profile = {"driver": "GTiff", "count": 13, "height": 128, "width": 128, "dtype": "uint16", "crs": "EPSG:32631"}
        with rasterio.open(tmp_path / f"{day}.tif", "w", transform=Affine(10, 0, 500000, 0, -10, 5400000), **profile) as file:
            file.write(pixels)
    names = json.dumps([band.name for band in bands])
    (tmp_path / "mine.toml").write_text(
        f'folder = "."\n[sensors.{L1C}]\nfiles = "{{date}}.tif"\nbands = {names}\nscale = 1e-4\noffset = 0\n'
    )
    lon, lat = transformer(32631, 4326).transform(500640, 5399360)
    place = "--region", f"{lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}", "--strategy", "uniform", "--count", 1
    assert curate("sample", *place, "--patch-m", 600, "--out", tmp_path / "cat", "--quiet") == 0
    asked = "--sensor", L1C, "--seasons", 1, "--start", "2020-06-01", "--end", "2020-07-01", "--quiet"
    assert curate("build", tmp_path / "cat", "--source", tmp_path / "mine.toml", *asked) == 0
    ((_, item),) = items_of(tmp_path / "cat", L1C)
    told = item["properties"]
    assert (told["seastars:source_id"], told["seastars:cloud_source"], told["eo:cloud_cover"]) == (
        "20200620.tif",
        "s2cloudless",
        0,
    )
    assert curate("verify", tmp_path / "cat", "--deep", "--quiet") == 0


def strange(item):
    """An item whose assets nobody could tell."""
    keys = {"blue": "p", "green": "q", "red": "r", "nir": "s", "scl": "t"}
    assets = {keys[key]: {"href": asset["href"]} for key, asset in item["assets"].items() if key in keys}
    return json.loads(json.dumps(item)) | {"collection": "ours", "assets": assets}


def test_a_plane_of_a_whole_file_in_degrees_costs_a_few_of_its_pixels(reservoir, shared_data):
    path = min((shared_data / "s2_boadella").glob("*.tif"))
    location = read_locations(reservoir / "cat" / "locations.parquet")[0]
    ask = PlaneAsk(SourceBand(path.as_posix(), 2), location, gsd=60, fallback_gsd=60, kernel="cubic", nodata=0)

    class Files:
        def open(self, band):
            return open_raster(band)

    plane = read_plane(Files(), ask)
    assert plane.pixels.shape == (16, 16)
    assert plane.source.window[2] < 96 + 2 * 4 * 8

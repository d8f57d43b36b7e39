"""The default source from end to end: Earth Search's recorded answers, its items' pixels behind a web server with ranges."""

import json

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.windows import from_bounds

from catalogs import layout
from catalogs.console import progress
from catalogs.lattice import squares_around
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Location
from curate.build_request import BuildRequest
from curate.pipeline import Build
from curate.sources.earth_search import check, earth_search
from tests.curate.sources.test_earth_search import HOST, LANDING
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import sampled
from tests.servers import Recording, replay, serve_files

PIXELS = "https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com"
OLDER_PIXELS = "https://sentinel-cogs.s3.us-west-2.amazonaws.com"
SCENE = "S2B_T24MWV_20250731T130245_L2A"
S2 = "sentinel-2-l2a"


@pytest.fixture
def place():
    epsg, bounds = squares_around([-38.6], [-4.75], 600)
    return Location("ceara-000000", int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")


@pytest.fixture
def scenes_folder(tmp_path, shared_data, place):
    """The recorded scene's files, as large as they are, with pixels around the place alone: the rest is sparse."""
    (item,) = [item for item in answer(shared_data)["features"] if item["id"] == SCENE]
    rng = np.random.default_rng(0)
    for asset in item["assets"].values():
        path = tmp_path / "bucket" / asset["href"].removeprefix(PIXELS).lstrip("/")
        if path.suffix == ".tif" and "proj:transform" in asset and len(asset.get("raster:bands", ())) == 1:
            write_around(path, asset, place, item["properties"]["proj:epsg"], rng)
    return tmp_path / "bucket"


def write_around(path, asset, place, epsg, rng, *, darkest=1200):
    path.parent.mkdir(parents=True, exist_ok=True)
    (height, width), transform = asset["proj:shape"], Affine(*asset["proj:transform"][:6])
    left, bottom, right, top = place.bounds
    window = from_bounds(left - 3000, bottom - 3000, right + 3000, top + 3000, transform).round_offsets().round_lengths()
    data_type = asset["raster:bands"][0]["data_type"]
    shape = (int(window.height), int(window.width))
    pixels = rng.integers(darkest, 4000, shape) if data_type == "uint16" else np.full(shape, 4)
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "SPARSE_OK": True}
    profile = {"height": height, "width": width, "count": 1, "dtype": data_type, "nodata": 0, "crs": f"EPSG:{epsg}"}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile, **blocks) as raster:
        raster.write(pixels.astype(data_type), 1, window=window)


def answer(shared_data):
    return Recording.read(shared_data / "stac_recorded" / "api" / "006_e84_v1_search.json").answer


@pytest.fixture
def address(shared_data, scenes_folder):
    folder = shared_data / "stac_recorded" / "api"
    first, second = (Recording.read(folder / name) for name in ("005_e84_v1_search.json", "006_e84_v1_search.json"))
    second.answer["links"] = [link for link in second.answer["links"] if link["rel"] != "next"]
    first.body = {}
    with serve_files(scenes_folder) as files:
        for page in (first, second):
            page.answer = json.loads(json.dumps(page.answer).replace(PIXELS, files))
        recordings = [Recording("GET", "/v1", LANDING), Recording.read(folder / "003_e84_v1_collections.json"), second, first]
        with replay(recordings, instead_of=HOST) as running:
            yield f"{running.url}/v1"


def test_a_recorded_scene_becomes_a_patch_of_its_own_pixels(tmp_path, address, scenes_folder, place):
    out = tmp_path / "cat"
    out.mkdir()
    write_section(out, "sample", {"region": "ceara", "seed": 0})
    write_locations(out / layout.LOCATIONS, [place])
    request = BuildRequest(
        seasons="1", start=np.datetime64("2025-07-31").astype(object), end=np.datetime64("2025-08-01").astype(object)
    )
    build = Build.prepare(out, request, lambda _name, **options: earth_search(address=address, **options))
    assert build.recipe["source"] == "earth-search"
    summary = build.run(workers=4, watch=lambda total, words: progress(total, words, quiet=True))
    assert (summary.complete, summary.failures) == (1, [])
    ((path, item),) = items_of(out, S2)
    assert item["properties"]["seastars:source_id"] == SCENE
    assert item["properties"]["seastars:radiometry"]["decision"] == "metadata"
    assert item["properties"]["processing:version"] == "05.11"
    assert sorted(item["assets"]) == ["10m", "20m", "60m", "scl"]
    for asset in item["assets"].values():
        with rasterio.open(path.parent / asset["href"]) as ours:
            for index, (band, source) in enumerate(zip(asset["bands"], asset["seastars:sources"], strict=True), 1):
                assert band.get("raster:offset") == (None if band["name"] == "scl" else -0.1)
                assert source["checksum"].startswith("1220")
                with rasterio.open(next(scenes_folder.rglob(f"{band['name'].upper()}.tif"))) as theirs:
                    window = from_bounds(*ours.bounds, theirs.transform)
                    assert (ours.read(index) == theirs.read(1, window=window)).all()
                    assert tuple(source["window"]) == (window.col_off, window.row_off, window.width, window.height)
        assert "seastars:resampling" not in asset
    assert curate("verify", out, "--quiet") == 0


def test_where_collection_1_lacks_the_tile_it_comes_from_the_older_collection(tmp_path, shared_data, place, monkeypatch):
    page = Recording.read(shared_data / "stac_recorded" / "api" / "006_e84_v1_search.json")
    page.answer["features"] = [item for item in page.answer["features"] if item["id"] != SCENE]
    page.answer["links"], page.body = [], {}
    (older,) = [item for item in page.answer["features"] if item["id"] == "S2B_24MWV_20250731_0_L2A"]
    rng = np.random.default_rng(0)
    for asset in older["assets"].values():
        if asset["href"].startswith(OLDER_PIXELS) and len(asset.get("raster:bands", ())) == 1:
            path = tmp_path / "bucket" / asset["href"].removeprefix(OLDER_PIXELS).lstrip("/")
            write_around(path, asset, place, older["properties"]["proj:epsg"], rng, darkest=150)
    out = sampled(tmp_path / "cat", place)
    with serve_files(tmp_path / "bucket") as files:
        page.answer = json.loads(json.dumps(page.answer).replace(OLDER_PIXELS, files))
        with replay([Recording("GET", "/v1", LANDING), page], instead_of=HOST) as running:
            monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", f"{running.url}/v1")
            words = ("--source", "earth-search", "--seasons", 1, "--start", "2025-07-31", "--end", "2025-08-01", "--quiet")
            assert curate("build", out, *words) == 0
    ((_, item),) = items_of(out, S2)
    assert item["properties"]["seastars:source"] == "earth-search"
    assert item["properties"]["seastars:source_id"] == older["id"]
    assert {band["raster:offset"] for asset in item["assets"].values() for band in asset["bands"] if band["name"] != "scl"} == {
        0.0
    }
    assert curate("verify", out, "--quiet") == 0


@pytest.mark.network
def test_earth_search_itself_answers_and_gives_a_catalog_that_verifies(tmp_path):
    assert check().startswith("answers; ")
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 1, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    code = curate(
        "build", out, "--seasons", 1, "--start", "2023-06-01", "--end", "2023-09-01", "--max-scene-cloud", 40, "--quiet"
    )
    assert code == 0
    assert len(items_of(out, S2)) == 1
    assert curate("verify", out, "--quiet") == 0

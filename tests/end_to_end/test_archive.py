"""The main job on real input: 600 m squares over the shared archive, from its files and through a STAC API over HTTP."""

import json

import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
from rasterio.windows import from_bounds

from catalogs import open_catalog
from catalogs.masks import mask_shares
from tests.end_to_end.commands import curate, items_of
from tests.servers import serve_api, serve_files

S2, LANDSAT = "sentinel-2-l2a", "landsat-c2-l2"
YEAR = ("--seasons", 4, "--start", "2017-09-01", "--end", "2018-09-01")
JUNE = ("--seasons", 1, "--start", "2022-06-01", "--end", "2022-07-01")


def sample_flanders(archive, out):
    words = ("--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600, "--out", out)
    assert curate("sample", *words, "--quiet") == 0
    return out


def sample_tyrol(archive, out):
    words = ("--region", archive / "tyrol_region.geojson", "--strategy", "grid", "--patch-m", 600, "--out", out)
    assert curate("sample", *words, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def archive(shared_data):
    return shared_data / "archive"


@pytest.fixture(scope="module")
def flanders(archive, tmp_path_factory):
    out = sample_flanders(archive, tmp_path_factory.mktemp("flanders") / "cat")
    assert curate("build", out, "--source", archive, *YEAR, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def pairs(archive, tmp_path_factory):
    out = sample_flanders(archive, tmp_path_factory.mktemp("pairs") / "cat")
    assert curate("build", out, "--source", archive, "--sensor", S2, "--sensor", LANDSAT, *YEAR, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def tyrol(archive, tmp_path_factory):
    out = sample_tyrol(archive, tmp_path_factory.mktemp("tyrol") / "cat")
    assert curate("build", out, "--source", archive, *JUNE, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def api(archive):
    """The archive's items behind rustac's STAC API, its pixels behind a web server with range requests."""
    with serve_files(archive) as files:
        items, collections = [], []
        for sensor in (S2, LANDSAT):
            collections.append(json.loads((archive / sensor / "collection.json").read_text()))
            for path in sorted((archive / sensor).glob("*/*.json")):
                item = json.loads(path.read_text())
                for asset in item["assets"].values():
                    asset["href"] = f"{files}/{sensor}/{path.parent.name}/{asset['href'].removeprefix('./')}"
                items.append({**item, "links": []})
        with serve_api(items, [{**collection, "links": []} for collection in collections]) as address:
            yield address


def assert_pixels_are_the_sources(folder, archive):
    """Every written Sentinel-2 pixel equals the source's at its coordinates: a plain window read of every asset."""
    compared = 0
    for path, item in items_of(folder, S2):
        source = archive / S2 / item["properties"]["seastars:source_id"]
        for asset in item["assets"].values():
            with rasterio.open(path.parent / asset["href"]) as ours:
                for index, band in enumerate(asset["bands"], 1):
                    with rasterio.open(source / f"{band['name'].upper()}.tif") as theirs:
                        window = from_bounds(*ours.bounds, theirs.transform)
                        assert window.width == ours.width
                        assert (ours.read(index) == theirs.read(1, window=window)).all()
                        compared += 1
    return compared


def test_flanders_has_four_seasons_clear_by_their_own_scl(flanders):
    items = items_of(flanders, S2)
    assert [item["properties"]["seastars:season"] for _, item in items] == [0, 1, 2, 3]
    for path, item in items:
        with rasterio.open(path.parent / item["assets"]["scl"]["href"]) as raster:
            shares = mask_shares(raster.read(1), "scl")
        assert shares.not_clear <= 10
        assert item["properties"]["eo:cloud_cover"] == shares.not_clear
        assert item["properties"]["seastars:simulated"] is False
    assert pq.read_table(flanders / "failures.parquet").num_rows == 0


def test_every_flanders_pixel_is_the_sources(flanders, archive):
    assert assert_pixels_are_the_sources(flanders, archive) == 4 * 11


def test_the_spring_pair_is_a_recorded_failure(pairs):
    (failure,) = pq.read_table(pairs / "failures.parquet").to_pylist()
    assert (failure["season"], failure["sensor"], failure["reason"]) == (2, LANDSAT, "not-clear")
    assert "the clearest of 2 candidates has 99.7 %" in failure["message"]
    assert "raise --max-cloud" in failure["message"]
    for sensor in (S2, LANDSAT):
        assert [item["properties"]["seastars:season"] for _, item in items_of(pairs, sensor)] == [0, 1, 3]


def test_pairs_are_the_nearest_clear_ones(pairs, archive):
    """Against a plain search over all pairs of clear acquisitions, their masks read whole."""
    clear = {S2: [], LANDSAT: []}
    square = (501360, 5629080, 501960, 5629680)
    for sensor, mask in ((S2, "SCL"), (LANDSAT, "qa_pixel")):
        for path in sorted((archive / sensor).glob("*/*.json")):
            item = json.loads(path.read_text())
            if item["properties"]["proj:epsg"] == 32631:
                with rasterio.open(path.parent / f"{mask}.tif") as raster:
                    shares = mask_shares(raster.read(1, window=from_bounds(*square, raster.transform)), mask.lower())
                if shares.not_clear <= 10:
                    clear[sensor].append(np.datetime64(item["properties"]["datetime"].rstrip("Z")))
    edges = np.datetime64("2017-09-01T00:00") + np.arange(5) * np.timedelta64(365 * 24 * 15, "m")
    for (_, ours), (_, other) in zip(items_of(pairs, S2), items_of(pairs, LANDSAT), strict=True):
        season = ours["properties"]["seastars:season"]
        inside = {sensor: [t for t in times if edges[season] <= t < edges[season + 1]] for sensor, times in clear.items()}
        best = min(abs(a - b) for a in inside[S2] for b in inside[LANDSAT])
        gap = abs(np.datetime64(ours["properties"]["datetime"][:19]) - np.datetime64(other["properties"]["datetime"][:19]))
        assert gap == best


def test_landsat_says_how_it_was_resampled(pairs):
    for _, item in items_of(pairs, LANDSAT):
        assert item["properties"]["processing:expression"] == {"format": "gdal-warp", "expression": "cubic"}
        assert item["assets"]["30m"]["seastars:resampling"] == "cubic"
        assert item["assets"]["30m"]["proj:shape"] == [20, 20]


def test_all_items_of_a_location_share_its_footprint(pairs):
    geometries = {json.dumps(item["geometry"]) for sensor in (S2, LANDSAT) for _, item in items_of(pairs, sensor)}
    assert len(geometries) == 1


def test_tyrol_has_all_its_squares_in_four_bands(tyrol, archive):
    items = items_of(tyrol, S2)
    failures = pq.read_table(tyrol / "failures.parquet").to_pylist()
    assert len(items) + len(failures) == 165
    assert len(items) >= 150
    assert {tuple(band["name"] for band in item["assets"]["10m"]["bands"]) for _, item in items} == {
        ("B02", "B03", "B04", "B08")
    }
    assert {tuple(sorted(item["assets"])) for _, item in items} == {("10m", "scl")}
    assert assert_pixels_are_the_sources(tyrol, archive) == len(items) * 5


def test_the_real_catalogs_verify_and_open(flanders, pairs, tyrol):
    for folder in (flanders, pairs, tyrol):
        assert curate("verify", folder, "--quiet") == 0
        assert len(open_catalog(str(folder)).items()) == len(
            list(pystac.Catalog.from_file(str(folder / "catalog.json")).get_items(recursive=True))
        )


def test_info_names_the_bands_that_the_source_lacks(tyrol, capsys):
    capsys.readouterr()
    assert curate("info", tyrol) == 0
    words = capsys.readouterr().out
    assert all(band in words for band in ("B05", "B8A", "B11", "B12"))


@pytest.mark.parametrize("place", ["flanders", "tyrol", "pairs"])
def test_a_stac_api_over_http_gives_the_same_pixels(place, api, archive, tmp_path, request):
    local = request.getfixturevalue(place)
    if place == "tyrol":
        out = sample_tyrol(archive, tmp_path / "cat")
        assert curate("build", out, "--source", api, *JUNE, "--quiet") == 0
    else:
        out = sample_flanders(archive, tmp_path / "cat")
        sensors = ("--sensor", S2, "--sensor", LANDSAT) if place == "pairs" else ()
        assert curate("build", out, "--source", api, *sensors, *YEAR, "--quiet") == 0
    rasters = [path.relative_to(local) for path in sorted(local.rglob("*.tif"))]
    assert rasters == [path.relative_to(out) for path in sorted(out.rglob("*.tif"))]
    assert all((local / path).read_bytes() == (out / path).read_bytes() for path in rasters)
    assert curate("verify", out, "--quiet") == 0
    assert "127.0.0.1" in (out / "recipe.json").read_text()

"""Sentinel-1 of Earth Search from end to end: items, products in a bucket whose requester pays, and what fails."""

import copy
import json
import logging
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio

from catalogs.lattice import transformer
from catalogs.reader import open_catalog
from curate.reading import buckets
from curate.sources import access
from tests.curate.sources.sentinel1.orbit import Orbit
from tests.curate.sources.sentinel1.products import NAME, write_product
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import api_landing, place_at, sampled
from tests.paying_bucket import serve_paying_bucket
from tests.planted import assert_nowhere
from tests.servers import Recording, replay, serve_dask

SENSOR = "sentinel-1-gec"
API = "https://api.test"
RECORDED = "stac_recorded/api/005_e84_v1_search.json"
PLACE = (2.6, 48.4)
KEYS = {"AKIAPLANTED000000003": "plantedSecretKeyOfTheThird+/="}
SECRETS = [*KEYS, *KEYS.values(), "X-Amz-Signature", "X-Amz-Credential"]
FOLDER = f"sentinel-s1-l1c/GRD/2024/3/11/IW/DV/{NAME}"
NODATA = -32768


def swells(lon, lat):
    """Sigma nought of waves some 600 m long."""
    x, y = transformer(4326, 32631).transform(lon, lat)
    return 0.1 * (1 + 0.5 * np.sin(x / 100) * np.cos(y / 90))


@pytest.fixture(scope="module")
def bucket_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    orbit = Orbit.over(*PLACE, ascending=True, height=400, width=420)
    product = write_product(folder / FOLDER, orbit, swells)
    _, _, lons, lats, *_ = product.grid
    ring = [(0, 0), (0, -1), (-1, -1), (-1, 0), (0, 0)]
    outline = [[float(lons[at]), float(lats[at])] for at in ring]
    (folder / "outline.json").write_text(json.dumps(outline))
    return folder


@pytest.fixture(scope="module")
def item(shared_data, bucket_folder):
    """Earth Search's own item, of VV and VH, over the made-up product; beside it one of another mode and one of HH."""
    page = json.loads((shared_data / RECORDED).read_text())["response"]["json"]
    recorded = next(item for item in page["features"] if item["collection"] == "sentinel-1-grd")
    outline = json.loads((bucket_folder / "outline.json").read_text())
    lons, lats = zip(*outline, strict=True)
    item = copy.deepcopy(recorded) | {"links": [], "id": NAME[:-5], "bbox": [min(lons), min(lats), max(lons), max(lats)]}
    item["geometry"] = {"type": "Polygon", "coordinates": [outline]}
    item["properties"] |= {"datetime": "2024-03-11T17:40:05.5Z", "sar:polarizations": ["VV", "VH"]}
    for name in ("start_datetime", "end_datetime"):
        item["properties"].pop(name)
    assets = json.dumps(recorded["assets"])
    old = recorded["assets"]["hh"]["href"].removeprefix("s3://").rpartition("/measurement/")[0]
    item["assets"] = {}
    for name in ("vv", "vh"):
        item["assets"] |= json.loads(assets.replace(old, FOLDER).replace("hh", name).replace("HH", name.upper()))
    return item


@pytest.fixture
def account(monkeypatch):
    """Sets variables of AWS, and has the signer read them."""
    for name in ("REGION", "DEFAULT_REGION", "ENDPOINT_URL", "PROFILE", "SKIP_SIGNATURE", "SESSION_TOKEN", "ACCESS_KEY_ID"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)

    def forget():
        buckets.forget_credentials()
        buckets.signer.cache_clear()
        access._signers.cache_clear()

    def use(variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget()

    forget()
    yield use
    forget()


@contextmanager
def served(folder, items, account, monkeypatch):
    """The API and the store, and the variables that lead to them."""
    page = {"type": "FeatureCollection", "features": items, "links": []}
    answers = [Recording("GET", "/", api_landing(API)), Recording("POST", "/search", page)]
    with serve_paying_bucket(folder, "eu-central-1", KEYS) as store, replay(answers, instead_of=API) as api:
        monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", api.url)
        account(store.environment)
        yield store, api


@pytest.fixture
def store(bucket_folder, item, account, monkeypatch):
    with served(bucket_folder, [item], account, monkeypatch) as running:
        yield running


@pytest.fixture
def catalog(tmp_path):
    square, _, _ = place_at(*PLACE)
    return sampled(tmp_path / "cat", square)


def build(catalog, *more, source="earth-search"):
    dates = ("--seasons", 1, "--start", "2024-03-01", "--end", "2024-04-01")
    return curate("build", catalog, "--source", source, "--sensor", SENSOR, *dates, *more)


def test_a_square_is_searched_signed_paid_for_calibrated_and_brought_to_the_ground(catalog, store, item, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    bucket, api = store
    assert build(catalog) == 0
    ((path, built),) = items_of(catalog, SENSOR)
    (asset,) = built["assets"].values()
    assert [band["name"] for band in asset["bands"]] == ["vv", "vh"]
    with rasterio.open(path.parent / asset["href"]) as raster:
        assert (raster.dtypes, raster.nodata, raster.shape) == (("float32",) * 2, NODATA, (60, 60))
        columns, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(60) + 0.5)
        lon, lat = transformer(raster.crs.to_epsg(), 4326).transform(*(raster.transform @ (columns, rows)))
        pixels = raster.read()
    for number, share in enumerate((1.0, 0.1)):
        assert np.abs(pixels[number] - 10 * np.log10(share * swells(lon, lat))).max() < 0.15
    told = built["properties"]
    assert (told["platform"], told["sat:relative_orbit"], told["sat:orbit_state"]) == ("sentinel-1a", 56, "ascending")
    assert (told["datetime"], told["seastars:source"]) == ("2024-03-11T17:40:05.500000Z", "earth-search")
    assert (told["processing:level"], told["seastars:valid_percent"]) == ("GEC", 100)
    assert asset["seastars:resampling"] == "bilinear"
    assert told["processing:expression"] == {"format": "seastars-sentinel1", "expression": "bilinear"}
    assert [source["href"] for source in asset["seastars:sources"]] == [
        item["assets"][name]["href"] for name in ("vv", "vh")
    ], "without a mark"
    assert bucket.refusals == []
    assert [body["query"] for method, _, body in api.requests if method == "POST"] == [{"sar:instrument_mode": {"eq": "IW"}}]
    assert curate("verify", catalog, "--deep", "--quiet") == 0
    assert_nowhere(SECRETS, catalog, *capfd.readouterr(), caplog.text)


def test_our_reader_opens_what_was_built(catalog, store):
    assert build(catalog, "--quiet") == 0
    opened = open_catalog(catalog)
    assert opened.sensors == (SENSOR,)
    (found,) = list(opened.items(sensor=SENSOR))
    assert opened.read(found, bands=["vh"]).shape == (1, 60, 60)


def test_a_second_run_asks_nothing_and_changes_no_byte(catalog, store):
    bucket, _ = store
    assert build(catalog, "--quiet") == 0
    ((path, _),) = items_of(catalog, SENSOR)
    before, reads = path.read_bytes(), len(bucket.reads)
    assert build(catalog, "--quiet") == 0
    assert path.read_bytes() == before
    assert len(bucket.reads) == reads


def test_a_plan_of_it_needs_no_header_and_says_what_it_costs(catalog, store, capfd):
    bucket, _ = store
    dates = ("--seasons", 1, "--start", "2024-03-01", "--end", "2024-04-01")
    assert curate("plan", catalog, "--source", "earth-search", "--sensor", SENSOR, *dates) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert f"What belongs to the scenes of {SENSOR} is not predicted: annotation and calibration, two requests" in told
    assert bucket.reads == []


def test_a_busy_store_delays_it_only(catalog, store):
    bucket, _ = store
    bucket.failures = [503, 500, 429, 503]
    assert build(catalog, "--quiet") == 0
    assert bucket.failures == []


@pytest.mark.slow
def test_workers_of_a_cluster_write_the_same_bytes(tmp_path, store):
    square, _, _ = place_at(*PLACE)
    found = []
    with serve_dask(1) as cluster:
        for place, more in (("threads", ()), ("cluster", ("--scheduler", cluster.address))):
            folder = sampled(tmp_path / place, square)
            assert build(folder, "--quiet", *more) == 0
            ((path, _),) = items_of(folder, SENSOR)
            found.append({each.name: each.read_bytes() for each in sorted(path.parent.iterdir())})
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_without_an_account_it_says_who_pays_and_who_has_radar_free(catalog, account, capfd):
    account({})
    assert build(catalog) == 2
    told = " ".join(capfd.readouterr().err.split())
    assert (
        f"earth-search has no {SENSOR}. Its files are in a bucket whose requester pays: AWS bills an account of yours" in told
    )
    assert "planetary-computer has sentinel-1-rtc free, which is corrected for terrain" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("annotation/iw-vv.xml", "Without its annotation a radar image cannot be calibrated and brought to the ground"),
        ("annotation/calibration/calibration-iw-vh.xml", "Without its calibration a radar image cannot be calibrated"),
        ("measurement/iw-vh.tiff", "404 Not Found"),
    ],
)
def test_a_file_that_is_missing_is_named(catalog, bucket_folder, item, account, monkeypatch, capfd, tmp_path, name, words):
    folder = shutil.copytree(bucket_folder, tmp_path / "store")
    (folder / FOLDER / name).unlink()
    with served(folder, [item], account, monkeypatch):
        assert build(catalog) == 4
    said = capfd.readouterr()
    told = " ".join(said.err.split())
    assert words in told
    assert f"s3://{FOLDER}/{name}" in told
    assert_nowhere(SECRETS, catalog, *said)


def test_scenes_of_other_modes_and_polarisations_are_not_taken(catalog, bucket_folder, item, account, monkeypatch, capfd):
    hh = json.loads(json.dumps(item).replace('"vv"', '"hh"').replace('"vh"', '"hv"').replace("iw-v", "iw-h")) | {"id": "hh"}
    wide = json.loads(json.dumps(item).replace("/iw-v", "/ew-v")) | {"id": "wide"}
    with served(bucket_folder, [hh, wide], account, monkeypatch):
        assert build(catalog) == 2
    told = capfd.readouterr().err
    for name in ("hh", "wide"):
        assert f"Skipped {name}: none of its assets could be told to be a band of sentinel-1-gec" in told
    assert "1 x no-scene, for example: No scene of sentinel-1-gec over location place-000000" in told

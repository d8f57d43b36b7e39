"""USGS and other buckets whose requester pays, from end to end: recorded items, a strict stand-in for S3, `curate build`."""

import copy
import json
import logging
import time
from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio

from curate import outage
from curate.reading import buckets, transport
from curate.reading.retries import Patience
from curate.sources import access, usgs
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import (
    SIDE_M,
    api_landing,
    footprint,
    place_at,
    plant_numbers,
    sampled,
    write_band,
)
from tests.paying_bucket import serve_paying_bucket
from tests.planted import assert_nowhere
from tests.servers import Recording, replay

LANDSAT, L1C = "landsat-c2-l2", "sentinel-2-l1c"
API = "https://api.test"
RECORDED_LANDSAT = "stac_recorded/stacchip/landsat-c2l2-sr-LC09_L2SR_086107_20240311_20240312_02_T2_SR.json"
RECORDED_PAGE = "stac_recorded/api/006_e84_v1_search.json"
PLACE = (2.6, 48.4)
KEYS = {"AKIAPLANTED000000001": "plantedSecretKeyOfTheFirst+/=", "AKIAPLANTED000000002": "plantedSecretKeyOfTheSecond"}
SECRETS = [*KEYS, *KEYS.values(), "X-Amz-Signature", "X-Amz-Credential"]
LANDSAT_BANDS = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "nir08": "B05",
    "swir16": "B06",
    "swir22": "B07",
}
REFLECTANCE = {"B01": 0.03, "B02": 0.03, "B03": 0.05, "B04": 0.03, "B05": 0.3, "B06": 0.15, "B07": 0.08}
CLEAR = 21824
"""QA_PIXEL of clear land."""


def on_small_tile(item, keys, gsd_of):
    """A recorded item moved to a small tile in France, with the assets of some keys."""
    item = copy.deepcopy(item) | {"links": []}
    square, left, top = place_at(*PLACE)
    item["geometry"], item["bbox"] = footprint(square.epsg, left, top)
    for name in ("proj:transform", "proj:shape"):
        item["properties"].pop(name, None)
    item["properties"] |= {"proj:epsg": square.epsg, "datetime": "2024-03-11T10:44:56Z"}
    item["assets"] = {key: item["assets"][key] for key in keys}
    for key, asset in item["assets"].items():
        gsd = gsd_of(key)
        asset |= {"proj:transform": [gsd, 0, left, 0, -gsd, top], "proj:shape": [SIDE_M // gsd] * 2}
    return item


def put(folder, asset, pixels):
    """Write an asset's file where its `s3://` address leads in the stand-in."""
    square, left, top = place_at(*PLACE)
    address = asset.get("alternate", {}).get("s3", asset)["href"]
    write_band(folder / address.removeprefix("s3://"), pixels, epsg=square.epsg, left=left, top=top)


@pytest.fixture(scope="module")
def landsat_item(shared_data):
    """The item as the API gives it: with addresses that want a login first."""
    item = json.loads((shared_data / RECORDED_LANDSAT).read_text()) | {"collection": "landsat-c2l2-sr"}
    item = on_small_tile(item, [*LANDSAT_BANDS, "qa_pixel"], lambda _: 30)
    for asset in item["assets"].values():
        asset["href"] = asset["href"].replace("s3://usgs-landsat", "https://landsatlook.usgs.gov/data")
    return item


@pytest.fixture(scope="module")
def landsat_files(landsat_item, tmp_path_factory):
    folder = tmp_path_factory.mktemp("landsat")
    rng = np.random.default_rng(1)
    side = SIDE_M // 30
    for key, name in LANDSAT_BANDS.items():
        reflectance = REFLECTANCE[name] * rng.uniform(0.8, 1.2, (side, side))
        put(folder, landsat_item["assets"][key], np.round((reflectance + 0.2) / 2.75e-5).astype("uint16"))
    put(folder, landsat_item["assets"]["qa_pixel"], np.full((side, side), CLEAR, "uint16"))
    return folder


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


@pytest.fixture
def store(landsat_files):
    with serve_paying_bucket(landsat_files, "us-west-2", KEYS) as running:
        yield running


@pytest.fixture
def api(landsat_item, monkeypatch):
    with serve_item(landsat_item) as running:
        monkeypatch.setenv("SEASTARS_USGS_URL", running.url)
        yield running


def serve_item(item):
    page = {"type": "FeatureCollection", "features": [item], "links": []}
    return replay([Recording("GET", "/", api_landing(API)), Recording("POST", "/search", page)], instead_of=API)


@pytest.fixture
def catalog(tmp_path):
    square, _, _ = place_at(*PLACE)
    return sampled(tmp_path / "cat", square)


def build(catalog, source="usgs", sensor=LANDSAT):
    dates = ("--seasons", 1, "--start", "2024-03-01", "--end", "2024-04-01")
    return curate("build", catalog, "--source", source, "--sensor", sensor, *dates)


def assert_pixels_are_those_of(folder, path, item, keys):
    """Every band is its file's own pixels, where its address says."""
    for asset in item["assets"].values():
        with rasterio.open(path.parent / asset["href"]) as ours:
            for index, (band, source) in enumerate(zip(asset["bands"], asset["seastars:sources"], strict=True), 1):
                with rasterio.open(folder / source["href"].removeprefix("s3://")) as theirs:
                    column, row, width, height = source["window"]
                    pixels = theirs.read(1)[row : row + height, column : column + width]
                assert set(np.unique(ours.read(index))) <= set(np.unique(pixels)), band["name"]
                assert band["name"] in keys


def test_landsat_is_searched_signed_paid_for_read_and_written_with_its_reflectance(
    catalog, api, store, account, landsat_files, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    account(store.environment)
    assert build(catalog) == 0
    ((path, item),) = items_of(catalog, LANDSAT)
    assert item["properties"]["seastars:source"] == "usgs"
    assert item["properties"]["platform"] == "landsat-9"
    assert_pixels_are_those_of(landsat_files, path, item, [*REFLECTANCE, "qa_pixel"])
    for asset in item["assets"].values():
        with rasterio.open(path.parent / asset["href"]) as ours:
            for index, band in enumerate(asset["bands"], 1):
                if band["name"] in REFLECTANCE:
                    found = ours.read(index) * band["raster:scale"] + band["raster:offset"]
                    np.testing.assert_allclose(found.mean(), REFLECTANCE[band["name"]], rtol=0.05)
    hrefs = {source["href"] for asset in item["assets"].values() for source in asset["seastars:sources"]}
    assert all(href.startswith("s3://usgs-landsat/collection02/") and "?" not in href for href in hrefs)
    assert store.refusals == []
    assert curate("verify", catalog, "--quiet") == 0
    assert_nowhere(SECRETS, catalog, *capfd.readouterr(), caplog.text)


def test_without_an_account_it_says_who_pays_what_and_how(catalog, api, store, account, capfd):
    account({"AWS_ENDPOINT_URL": store.server.url})
    assert build(catalog) == 2
    told = capfd.readouterr().err
    assert "is in a bucket whose requester pays: AWS bills an account of yours for each request" in told
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in told
    assert store.server.asked == []


@pytest.mark.parametrize("sensor", [LANDSAT, L1C, "naip"])
def test_without_an_account_earth_search_has_not_what_costs_and_says_so(catalog, account, capfd, sensor):
    account({})
    assert build(catalog, "earth-search", sensor) == 2
    told = " ".join(capfd.readouterr().err.split())
    assert (
        f"earth-search has no {sensor}. Its files are in a bucket whose requester pays: AWS bills an account of yours" in told
    )
    assert "has it free" in told


def test_keys_that_are_refused_are_named_by_their_variables_and_the_build_goes_on_with_others(
    catalog, api, store, account, capfd
):
    second = list(KEYS)[1]
    store.keys = {second: KEYS[second]}
    account(
        store.environment
        | {"AWS_ACCESS_KEY_ID": "AKIAPLANTED000000001", "AWS_SECRET_ACCESS_KEY": "plantedSecretKeyOfTheFirst+/="}
    )
    assert build(catalog) == 4
    said = capfd.readouterr()
    assert "403 Forbidden, InvalidAccessKeyId. Check AWS_ACCESS_KEY_ID and its companions, or AWS_PROFILE" in said.err
    assert "run the same command again" in said.err
    assert_nowhere(SECRETS, catalog, *said)
    account(store.environment)
    assert build(catalog) == 0
    assert len(items_of(catalog, LANDSAT)) == 1


def test_signatures_that_the_store_takes_for_expired_are_given_anew(catalog, api, store, account, monkeypatch):
    account(store.environment)
    sign, signed = buckets.web_address, []

    def sign_for_nothing_at_first(href, region, for_s):
        signed.append(href)
        return sign(href, region, for_s if signed.count(href) > 1 else 1)

    monkeypatch.setattr(buckets, "web_address", sign_for_nothing_at_first)
    store.clock = lambda: time.time() + 60
    assert build(catalog) == 0
    assert set(store.refusals) == {"AccessDenied"}
    assert len(store.refusals) >= len(LANDSAT_BANDS) + 1


@pytest.mark.parametrize("region", ["us-west-2", "eu-west-3"])
def test_a_busy_store_and_one_that_has_moved_delay_it_only(catalog, api, store, account, region):
    store.failures, store.region = [503, 500, 429], region
    account(store.environment)
    assert build(catalog) == 0
    assert set(store.refusals) <= {"AuthorizationQueryParametersError"}
    assert bool(store.refusals) == (region != "us-west-2")


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([404] * 1000, "404 Not Found. Expected a raster at that address: check it and your access to it"),
        ([503] * 100_000, "503 Service Unavailable"),
    ],
)
def test_files_that_are_gone_and_a_store_that_stays_down_end_it_with_words(
    catalog, api, store, account, monkeypatch, capfd, statuses, words
):
    monkeypatch.setattr(outage, "OUTAGE_S", 0.3)
    monkeypatch.setattr(outage, "LOOK_S", 0.1)
    monkeypatch.setattr(transport, "Patience", lambda **_: Patience(attempts=2, base_s=0.01, longest_s=0.02))
    store.failures = statuses
    account(store.environment)
    assert build(catalog) == 4
    said = capfd.readouterr()
    assert words in said.err
    assert_nowhere(SECRETS, catalog, *said)


def test_an_api_that_stays_busy_is_told(catalog, account, monkeypatch, capfd):
    from curate.sources import documents

    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(outage, "OUTAGE_S", 0.3)
    monkeypatch.setattr(outage, "LOOK_S", 0.1)
    account(dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), next(iter(KEYS.items())), strict=True)))
    busy = [Recording("GET", "/", api_landing(API)), Recording("POST", "/search", {}, status=429)]
    with replay(busy, instead_of=API) as running:
        monkeypatch.setenv("SEASTARS_USGS_URL", running.url)
        assert build(catalog) == 4
    said = capfd.readouterr()
    assert "usgs (http://127.0.0.1" in said.err
    assert "limits how often it is asked (HTTP 429" in said.err
    assert "check the address" not in said.err
    assert_nowhere(SECRETS, catalog, *said)


# Sentinel-2 Level-1C of Earth Search: JPEG 2000, which GDAL alone reads, from another region


@pytest.fixture(scope="module")
def l1c_item(shared_data):
    page = json.loads((shared_data / RECORDED_PAGE).read_text())["response"]["json"]
    item = next(item for item in page["features"] if item["collection"] == L1C)
    keys = [key for key, asset in item["assets"].items() if asset["href"].endswith(".jp2") and key != "visual"]
    return on_small_tile(item, keys, lambda key: item["assets"][key]["gsd"])


@pytest.fixture(scope="module")
def l1c_files(l1c_item, tmp_path_factory):
    folder = tmp_path_factory.mktemp("l1c")
    for asset in l1c_item["assets"].values():
        put(folder, asset, plant_numbers(asset["eo:bands"][0]["name"], asset["gsd"], 1000))
    return folder


def test_jpeg_2000_of_a_paid_bucket_is_read_by_gdal_though_its_keys_are_replaced_in_the_middle(
    catalog, l1c_item, l1c_files, account, monkeypatch, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    first, second = KEYS
    with serve_paying_bucket(l1c_files, "eu-central-1", KEYS) as store, serve_item(l1c_item) as api:
        account(store.environment)
        monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", api.url)

        def replace_keys():
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", second)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[second])
            store.keys = {second: KEYS[second]}

        store.after[60] = replace_keys
        assert build(catalog, "earth-search", L1C) == 0
        assert set(store.refusals) == {"InvalidAccessKeyId"}
        assert store.reads[:60] == [first] * 60
        assert set(store.reads[60:]) == {second}
    ((path, item),) = items_of(catalog, L1C)
    assert item["properties"]["seastars:source"] == "earth-search"
    bands = [asset["eo:bands"][0]["name"] for asset in l1c_item["assets"].values()]
    assert_pixels_are_those_of(l1c_files, path, item, bands)
    assert sorted(band["name"] for asset in item["assets"].values() for band in asset["bands"]) == sorted(bands)
    assert curate("verify", catalog, "--quiet") == 0
    assert_nowhere(SECRETS, catalog, *capfd.readouterr(), caplog.text)


@pytest.mark.network
def test_usgs_itself_answers_and_a_real_window_is_read():
    assert "s3://usgs-landsat gives their files" in usgs.check()
    june = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 7, 1, tzinfo=UTC))
    scene = usgs.usgs().search(LANDSAT, (2.3, 48.8, 2.4, 48.9), *june)[0]
    with usgs.usgs().open(scene.bands["B04"]) as raster:
        assert raster.read((4000, 4000, 64, 64)).any()

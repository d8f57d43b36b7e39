"""The Copernicus Data Space from end to end: its items, JPEG 2000 that GDAL wrote, keys (moto) or an account (a double)."""

from datetime import UTC, datetime

import boto3
import numpy as np
import pytest

from curate import outage
from curate.reading import transport
from curate.reading.retries import Patience
from curate.sources import access, cdse, documents, gdal_files, tokens
from curate.sources.cdse import check
from tests.cdse_double import MOST, serve_cdse, stranger
from tests.cdse_items import DOWNLOADS, EPSG, PLACE, STORE, cdse_item
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import (
    SIDE_M,
    api_landing,
    built_reflectance,
    place_at,
    plant_numbers,
    sampled,
    write_band,
)
from tests.planted import assert_nowhere
from tests.ranged_files import Answer, serve_answers
from tests.servers import Recording, replay, serve_s3

API = "https://stac.dataspace.copernicus.eu"
L2A, L1C = "sentinel-2-l2a", "sentinel-2-l1c"
DATES = ("2026-06-15", "2026-07-15")
KEYS = ("PLANTEDACCESSKEY0000", "plantedSecretKey0000")


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    """The files that the items of both levels name and that we read, by their keys in the store."""
    folder = tmp_path_factory.mktemp("eodata")
    _, left, top = place_at(*PLACE)
    for level in ("L2A", "L1C"):
        for key, asset in cdse_item(level)["assets"].items():
            band, gsd = key.partition("_")[0], asset.get("gsd")
            if asset["type"] == "image/jp2" and band not in {"TCI", "AOT"}:
                pixels = np.full((SIDE_M // gsd,) * 2, 4, "uint8") if band == "SCL" else plant_numbers(band, gsd, 1000)
                write_band(folder / asset["href"].removeprefix(f"{STORE}/"), pixels, epsg=EPSG, left=left, top=top)
    return folder


@pytest.fixture(scope="module")
def store(granules):
    """The store that has them; gives its address."""
    with serve_s3("eodata") as environment:
        client = boto3.client(
            "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1],
        )  # fmt: skip
        for path in granules.rglob("*.jp2"):
            client.upload_file(path, "eodata", f"Sentinel-2/MSI/{path.relative_to(granules)}")
        yield environment["AWS_ENDPOINT_URL"]


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No credentials but those that a test plants, short pauses, and the limit of connections for this machine too."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(gdal_files, "RETRY_DELAYS_S", (0.01, 0.01))
    monkeypatch.setitem(gdal_files.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr(tokens, "YOUNG_S", 0.0)
    monkeypatch.setitem(access.MOST_CONNECTIONS, "127.0.0.1", MOST)
    with stranger(monkeypatch):
        yield


def api_of(downloads=DOWNLOADS):
    items = {level: [cdse_item(level, downloads=downloads)] for level in ("L2A", "L1C")}
    pages = {level: {"type": "FeatureCollection", "features": found, "links": []} for level, found in items.items()}
    recordings = [
        Recording("GET", "/v1", api_landing(f"{API}/v1")),
        Recording("POST", "/v1/search", pages["L2A"], {"collections": [L2A]}),
        Recording("POST", "/v1/search", pages["L1C"], {"collections": [L1C]}),
    ]
    return replay(recordings, instead_of=API)


@pytest.fixture
def keys(store, monkeypatch):
    """A user with S3 keys, who has some for AWS too."""
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", KEYS[0])
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", KEYS[1])
    monkeypatch.setenv("SEASTARS_CDSE_S3_URL", store)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "plantedForAws")
    with api_of() as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        yield running


@pytest.fixture
def account(granules, monkeypatch):
    """A user with a name and a password; gives the double of login and downloads."""
    with serve_cdse(granules) as double, api_of(double.url) as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", double.token_url)
        monkeypatch.setenv("SEASTARS_CDSE_DOWNLOAD_URL", double.url)
        monkeypatch.setenv("CDSE_USERNAME", double.user)
        monkeypatch.setenv("CDSE_PASSWORD", double.password)
        yield double


@pytest.fixture
def catalog(tmp_path):
    return sampled(tmp_path / "cat", place_at(*PLACE)[0])


def build(catalog, *words):
    return curate("build", catalog, "--source", "cdse", "--seasons", 1, "--start", DATES[0], "--end", DATES[1], *words)


def check_catalog(catalog, sensor, bands):
    ((path, item),) = items_of(catalog, sensor)
    assert item["properties"]["seastars:source"] == "cdse"
    assert item["properties"]["seastars:radiometry"]["decision"] == "metadata"
    for name in bands:
        reflectance = built_reflectance(path.parent, item, name)
        gsd = 600 // reflectance.shape[0]
        skipped = 2100 // gsd
        expected = plant_numbers(name, gsd, 0)[
            skipped : skipped + reflectance.shape[0], skipped : skipped + reflectance.shape[0]
        ]
        np.testing.assert_allclose(reflectance, expected * 1e-4, atol=1e-9)
    assert curate("verify", catalog, "--quiet") == 0
    return item


def test_level_2a_is_built_with_keys_through_gdal(catalog, keys, capfd, caplog):
    caplog.set_level("DEBUG")
    assert build(catalog) == 0
    item = check_catalog(catalog, L2A, ("B01", "B02", "B8A", "B09", "B12"))
    sources = [source["href"] for asset in item["assets"].values() for source in asset["seastars:sources"]]
    assert all(href.startswith("s3://eodata/Sentinel-2/MSI/L2A/2026/06/28/") for href in sources)
    assert_nowhere([*KEYS, "plantedForAws", "X-Amz-Signature"], catalog, *capfd.readouterr(), caplog.text)


@pytest.mark.slow
def test_level_1c_with_its_cirrus_band_is_built_with_keys(catalog, keys, capfd):
    assert build(catalog, "--sensor", L1C) == 0
    check_catalog(catalog, L1C, ("B02", "B10", "B12"))
    assert_nowhere(KEYS, catalog, *capfd.readouterr())


def test_with_an_account_alone_the_downloads_are_read_by_four_connections_with_one_login(catalog, account, capfd, caplog):
    caplog.set_level("DEBUG")
    account.taking_s = 0.005
    assert build(catalog) == 0
    item = check_catalog(catalog, L2A, ("B01", "B02", "B8A", "B09", "B12"))
    sources = [source["href"] for asset in item["assets"].values() for source in asset["seastars:sources"]]
    assert all("/odata/v1/Products(" in href and href.endswith(".jp2)/$value") for href in sources)
    assert account.grants == ["password"]
    assert 1 < account.most_at_once <= MOST
    assert account.refusals == 0
    assert_nowhere(account.secrets, catalog, *capfd.readouterr(), caplog.text)


def test_a_token_that_ends_in_the_middle_is_renewed_without_the_password(catalog, account, capfd):
    account.reads_per_token = 60
    assert build(catalog) == 0
    assert len(items_of(catalog, L2A)) == 1
    assert account.refusals >= 1
    assert account.grants[0] == "password"
    assert set(account.grants[1:]) == {"refresh_token"}
    assert_nowhere(account.secrets, catalog, *capfd.readouterr())


def test_a_wrong_password_ends_the_build_at_once_after_one_login(catalog, account, monkeypatch, capfd):
    monkeypatch.setenv("CDSE_PASSWORD", "plantedWrong")
    asked = account._log_in
    logins = []
    monkeypatch.setattr(account, "_log_in", lambda form: logins.append(form) or asked(form))
    assert build(catalog) == 2
    said = capfd.readouterr()
    assert "refuses CDSE_USERNAME and CDSE_PASSWORD (HTTP 401)" in said.err
    assert len(logins) == 1
    assert_nowhere(["plantedWrong", account.user], catalog, *said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "Check CDSE_USERNAME and CDSE_PASSWORD"), (403, "Check CDSE_USERNAME and CDSE_PASSWORD"), (404, "404")],
)
def test_files_that_are_refused_or_gone_say_so(catalog, account, capfd, status, told):
    account.file_failures = [(status, {})] * 10_000
    assert build(catalog) == 4
    said = capfd.readouterr()
    assert told in said.err
    assert "run the same command again" in said.err
    assert_nowhere(account.secrets, catalog, *said)


@pytest.mark.slow
def test_busy_downloads_and_a_busy_login_delay_it_only(catalog, account):
    account.token_failures = [(429, {}, b""), (503, {}, b"")]
    account.file_failures = [(429, {"Retry-After": "0"}), (503, {}), (500, {})]
    assert build(catalog) == 0
    assert len(items_of(catalog, L2A)) == 1


@pytest.mark.slow
def test_a_login_that_stays_down_ends_the_build_with_words(catalog, account, monkeypatch, capfd):
    monkeypatch.setattr(outage, "OUTAGE_S", 0.3)
    monkeypatch.setattr(outage, "LOOK_S", 0.1)
    monkeypatch.setattr(tokens, "FAILED_S", 0.05)
    account.token_failures = [(503, {}, b"")] * 10_000
    assert build(catalog) == 4
    said = capfd.readouterr()
    assert "The login of the Copernicus Data Space gives no token (HTTP 503)" in said.err
    assert_nowhere(account.secrets, catalog, *said)


def test_without_credentials_the_build_says_what_to_set_before_it_searches(catalog, monkeypatch, capfd):
    with api_of() as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        assert build(catalog) == 2
        assert running.requests == []
    told = capfd.readouterr().err
    assert "neither are CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY both set, nor CDSE_USERNAME and CDSE_PASSWORD" in told


def test_an_api_that_limits_searches_says_so(catalog, monkeypatch, capfd):
    monkeypatch.setenv("CDSE_TOKEN", "eyJmine")
    landing, waf = Recording("GET", "/v1", api_landing(f"{API}/v1")), {"error": "WAF", "message": "Rate limit exceeded"}
    with replay([landing, Recording("POST", "/v1/search", waf, status=429)], instead_of=API) as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        assert build(catalog) == 4
    said = capfd.readouterr().err
    assert "cdse (http://127.0.0.1" in said
    assert "limits how often it is asked (HTTP 429" in said
    assert "Run the same command again in some minutes" in said
    assert "check the address" not in said


QUOTA = "403 Forbidden. Your quota there is used up: wait until it is renewed (`curate sources` tells how much it is)"


def test_a_quota_of_the_store_that_is_used_up_is_no_matter_of_the_keys(catalog, keys, monkeypatch, capfd):
    page = b"<?xml version='1.0'?><Error><Code>QuotaExceeded</Code><BucketName>eodata</BucketName></Error>"
    with serve_answers(lambda _: Answer(403, page)) as store:
        monkeypatch.setenv("SEASTARS_CDSE_S3_URL", store)
        assert build(catalog) == 4
    said = capfd.readouterr()
    assert QUOTA.replace(".", ", QuotaExceeded.", 1) in said.err
    assert "run the same command again" in said.err
    assert "Check CDSE_S3_ACCESS_KEY" not in said.err
    assert_nowhere([*KEYS, "X-Amz-Signature"], catalog, *said)


@pytest.mark.parametrize(
    ("status", "page", "told"),
    [
        (403, b'{"detail": "Monthly transfer limit exceeded"}', QUOTA),
        (429, b'{"code": "DAT-ZIP-100", "message": "Max session number exceeded"}', "It limits how often it is asked"),
    ],
    ids=["month", "sessions"],
)
def test_downloads_over_a_limit_say_so_and_are_done_later(catalog, account, monkeypatch, capfd, status, page, told):
    monkeypatch.setattr(transport, "Patience", lambda **_: Patience(attempts=2, base_s=0.01, longest_s=0.02, throttles=1))
    account.file_failures, account.file_failure = [(status, {})] * 10_000, page
    assert build(catalog) == 4
    said = capfd.readouterr()
    assert told in said.err
    assert "CDSE_PASSWORD" not in said.err
    assert account.grants == ["password"]
    assert_nowhere(account.secrets, catalog, *said)
    account.file_failures = []
    assert build(catalog, "--quiet") == 0
    assert len(items_of(catalog, L2A)) == 1


@pytest.mark.network
def test_the_data_space_itself_knows_the_user_and_a_real_window_is_read(monkeypatch):
    monkeypatch.undo()  # the user's own credentials
    assert check().startswith("answers; ")
    june = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 6, 15, tzinfo=UTC))
    source = cdse.open_source("", max_scene_cloud=100)
    scene = source.search(L2A, (2.3, 48.8, 2.4, 48.9), *june)[0]
    with source.open(scene.bands["B09"]) as raster:
        assert raster.read((900, 900, 64, 64)).any()

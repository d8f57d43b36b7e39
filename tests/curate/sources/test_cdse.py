"""The Copernicus Data Space as a source: what its items become, which of two addresses is opened, what `check` asks."""

from datetime import UTC, datetime

import pytest

from curate.errors import ClusterError, CurateError, SourceSensorError, SourceUnavailableError
from curate.source_limits import check_processes
from curate.sources import cdse, open_source, tokens
from curate.sources.cdse import access as cdse_access
from curate.sources.cdse import check, with_openable_files
from curate.sources.scenes import read_scene
from tests.catalogs.foreign_items import SENTINEL_2
from tests.cdse_double import serve_cdse, stranger
from tests.cdse_items import cdse_item
from tests.curate.sources.told import assert_bands_as_told
from tests.end_to_end.provider_scenes import api_landing
from tests.servers import Recording, replay

DAY = (datetime(2026, 6, 28, tzinfo=UTC), datetime(2026, 6, 29, tzinfo=UTC))
IRELAND = (-8.5, 52.0, -8.0, 53.0)


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01, 0.01))
    with stranger(monkeypatch):
        yield


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "PLANTEDKEY")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "plantedSecretKey")


@pytest.fixture
def api(monkeypatch):
    pages = {"type": "FeatureCollection", "features": [cdse_item(), cdse_item("L1C")], "links": []}
    recordings = [Recording("GET", "/v1", api_landing(cdse.ADDRESS)), Recording("POST", "/v1/search", pages)]
    with replay(recordings, instead_of="https://stac.dataspace.copernicus.eu") as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        yield running


@pytest.mark.parametrize(
    ("level", "bands"), [("L2A", [*SENTINEL_2, "scl"]), ("L1C", [*SENTINEL_2[:10], "B10", *SENTINEL_2[10:]])]
)
def test_an_item_has_all_bands_at_their_own_pixel_size_with_the_offset_that_it_states(level, bands):
    skipped = {}
    scene = read_scene(cdse_item(level), skipped)
    assert skipped == {}
    assert (scene.sensor, list(scene.bands)) == (f"sentinel-2-{level.lower()}", bands)
    assert_bands_as_told("cdse", [scene])
    sizes = {"B01": 60, "B02": 10, "B8A": 20, "B09": 60, "scl": 20}
    for name, band in scene.bands.items():
        assert band.href.startswith("s3://eodata/Sentinel-2/MSI/")
        assert (band.scale, band.offset) == ((None, None) if name == "scl" else (1e-4, -0.1))
        if level == "L2A" and name in sizes:
            assert band.href.endswith(f"_{name.upper()}_{sizes[name]}m.jp2")
    assert (scene.radiometry, scene.baseline, scene.platform, scene.epsg) == ("metadata", "05.12", "sentinel-2a", 32629)
    assert (scene.relative_orbit, scene.orbit_state, scene.cloud_percent) == (23, "descending", 8.41)


def test_an_item_stays_as_it_is_with_keys_or_without_anything(monkeypatch):
    assert with_openable_files(cdse_item()) == cdse_item()
    monkeypatch.setenv("CDSE_TOKEN", "eyJmine")
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "key")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "secret")
    assert with_openable_files(cdse_item()) == cdse_item()


@pytest.mark.parametrize("variables", [("CDSE_TOKEN",), ("CDSE_USERNAME", "CDSE_PASSWORD")])
def test_with_an_account_alone_the_downloads_are_opened(monkeypatch, variables):
    for name in variables:
        monkeypatch.setenv(name, "mine")
    scene = read_scene(with_openable_files(cdse_item()), {})
    for band in scene.bands.values():
        assert band.href.startswith("https://download.dataspace.copernicus.eu/odata/v1/Products(")
        assert band.href.endswith(".jp2)/$value")
        assert cdse_access.signer().signs(band.href)
    assert list(scene.bands) == [*SENTINEL_2, "scl"]


def test_an_asset_without_an_alternate_keeps_its_address(monkeypatch):
    monkeypatch.setenv("CDSE_TOKEN", "eyJmine")
    item = cdse_item()
    del item["assets"]["B02_10m"]["alternate"]
    item["assets"]["B03_10m"]["alternate"] = {"https": {"auth:refs": ["oidc"]}}
    prepared = with_openable_files(item)["assets"]
    assert [prepared[key]["href"][:5] for key in ("B02_10m", "B03_10m", "B04_10m")] == ["s3://", "s3://", "https"]


def test_it_has_both_levels_by_its_own_collections(api, keys):
    source = open_source("cdse")
    assert (source.name, source.simulated, list(source.sensors())) == ("cdse", False, ["sentinel-2-l2a", "sentinel-2-l1c"])
    for sensor in source.sensors():
        (scene,) = source.search(sensor, IRELAND, *DAY)
        assert (scene.sensor, scene.source) == (sensor, "cdse")
    assert [body["collections"] for method, _, body in api.requests if method == "POST"] == [
        ["sentinel-2-l2a"],
        ["sentinel-2-l1c"],
    ]


def test_landsat_is_refused_with_where_to_find_it(keys):
    with pytest.raises(SourceSensorError, match=r"cdse has no landsat-c2-l2\. Landsat is free at planetary-computer\. It has"):
        open_source("cdse").search("landsat-c2-l2", IRELAND, *DAY)


@pytest.mark.parametrize("scheduler", ["local", "local:2", "tcp://10.0.0.5:8786"])
def test_workers_that_would_open_four_connections_each_are_refused(keys, scheduler):
    words = (
        rf"--scheduler {scheduler} may be several processes, but cdse is read by one\. CDSE grants a user four connections in"
    )
    with pytest.raises(ClusterError, match=words):
        check_processes(open_source("cdse"), scheduler)
    check_processes(open_source("cdse"), "local:1")
    assert "runs in one process" in cdse.ABOUT.limits


def test_a_detail_is_a_typing_error():
    with pytest.raises(CurateError, match=r"Unknown source 'cdse:abc'\. Nothing follows its name"):
        open_source("cdse:abc")


@pytest.fixture
def checked(monkeypatch):
    """The API with a scene where `check` looks for one; gives that scene's first file."""
    pages = {"type": "FeatureCollection", "features": [cdse_item(day="20230628")], "links": []}
    recordings = [Recording("GET", "/v1", api_landing(cdse.ADDRESS)), Recording("POST", "/v1/search", pages)]
    with replay(recordings, instead_of="https://stac.dataspace.copernicus.eu") as running:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
        yield next(iter(read_scene(cdse_item(day="20230628"), {}).bands.values())).href


@pytest.mark.parametrize("opened", [lambda: open_source("cdse"), check])
def test_without_credentials_it_is_not_opened_and_says_what_to_set(checked, opened):
    words = r"neither are CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY both set, nor CDSE_USERNAME and CDSE_PASSWORD\. Register at"
    with pytest.raises(CurateError, match=words) as told:
        opened()
    assert told.value.exit_code == 2


def test_on_a_machine_that_reads_the_bucket_as_its_own_it_is_opened(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://eodata.example")
    assert open_source("cdse").name == "cdse"


def test_check_logs_in_and_reads_the_beginning_of_a_download(monkeypatch, tmp_path):
    (tmp_path / "T29UNU_20230628T115421_B01_60m.jp2").write_bytes(b"jP" * 4096)
    with serve_cdse(tmp_path) as double:
        item = cdse_item(day="20230628", downloads=double.url)
        pages = {"type": "FeatureCollection", "features": [item], "links": []}
        recordings = [Recording("GET", "/v1", api_landing(cdse.ADDRESS)), Recording("POST", "/v1/search", pages)]
        with replay(recordings, instead_of="https://stac.dataspace.copernicus.eu") as running:
            monkeypatch.setenv("SEASTARS_CDSE_URL", f"{running.url}/v1")
            monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", double.token_url)
            monkeypatch.setenv("SEASTARS_CDSE_DOWNLOAD_URL", double.url)
            monkeypatch.setenv("CDSE_USERNAME", double.user)
            monkeypatch.setenv("CDSE_PASSWORD", double.password)
            assert check() == f"answers; scenes of sentinel-2-l2a within 16 days: 1; {double.url} gives their files"
        assert (double.grants, double.reads) == (["password"], ["T29UNU_20230628T115421_B01_60m.jp2"])


def test_check_reads_the_beginning_of_an_object_with_the_keys(checked, monkeypatch, keys):
    path = checked.replace("s3://", "/")
    with replay([Recording("GET", path, b"jP" * 4096)]) as store:
        monkeypatch.setenv("SEASTARS_CDSE_S3_URL", store.url)
        assert check().startswith("answers; scenes of sentinel-2-l2a within 16 days: 1; s3://eodata gives")
        assert all("X-Amz-Credential=PLANTEDKEY" in asked for _, asked, _ in store.requests)


def test_check_names_the_variables_where_the_keys_are_refused(checked, monkeypatch, keys):
    answer = b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>PLANTEDKEY</AWSAccessKeyId></Error>"
    with replay([Recording("GET", checked.replace("s3://", "/"), answer, status=403)]) as store:
        monkeypatch.setenv("SEASTARS_CDSE_S3_URL", store.url)
        with pytest.raises(SourceUnavailableError, match=r"403.*Check CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY") as raised:
            check()
    assert "PLANTEDKEY" not in str(raised.value)

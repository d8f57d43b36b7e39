"""Planetary Computer from end to end: a recorded item of it, a double of its token server and its storage, `curate build`."""

import copy
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio

from catalogs.foreign import SourceBand
from curate import outage
from curate.sources import documents, planetary_computer, tokens
from curate.sources.planetary_computer import check
from curate.sources.planetary_computer import tokens as planetary_computer_tokens
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import (
    SIDE_M,
    api_landing,
    built_reflectance,
    footprint,
    place_at,
    plant_numbers,
    sampled,
    write_band,
)
from tests.planetary_computer_double import serve_planetary_computer, used
from tests.planted import assert_nowhere
from tests.servers import Recording, replay

S2 = "sentinel-2-l2a"
API = "https://planetarycomputer.microsoft.com"
RECORDED = "stac_recorded/odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json"
OLD = ("2019-06-15", "2019-07-15")
NEW = ("2023-06-15", "2023-07-15")
PLACE = (-149.8, 60.8)
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


@pytest.fixture(scope="module")
def items(shared_data):
    """The recorded item of baseline 02.12 on a small tile, and the same place in 2023, of baseline 05.09."""
    old = json.loads((shared_data / RECORDED).read_text())
    new = json.loads(
        json.dumps(old).replace("20190629T", "20230628T").replace("2019/06/29", "2023/06/28").replace("N0212", "N0509")
    )
    new["properties"] |= {"datetime": "2023-06-28T21:25:29.024Z", "s2:processing_baseline": "05.09"}
    return [on_small_tile(old), on_small_tile(new)]


def on_small_tile(item):
    item = copy.deepcopy(item)
    epsg = item["properties"]["proj:epsg"]
    _, left, top = place_at(*PLACE)
    item["geometry"], item["bbox"] = footprint(epsg, left, top)
    for asset in item["assets"].values():
        asset["href"] = asset["href"].replace("https://sentinel2l2a01", "http://sentinel2l2a01")
        if "proj:shape" in asset:
            gsd = asset["proj:transform"][0]
            asset["proj:shape"], asset["proj:transform"] = [int(SIDE_M / gsd)] * 2, [gsd, 0, left, 0, -gsd, top]
    item["links"] = []
    return item


@pytest.fixture(scope="module")
def storage(tmp_path_factory, items):
    """The items' files: the same reflectance in both, with 1,000 more in the numbers of the later one."""
    folder = tmp_path_factory.mktemp("storage")
    _, left, top = place_at(*PLACE)
    for item, offset in zip(items, (0, 1000), strict=True):
        place = {"epsg": item["properties"]["proj:epsg"], "left": left, "top": top}
        for name in BANDS:
            asset = item["assets"][name]
            numbers = plant_numbers(name, int(asset["proj:transform"][0]), offset)
            write_band(folder / urlsplit(asset["href"]).path.lstrip("/"), numbers, **place)
        clear = np.full((SIDE_M // 20,) * 2, 4, "uint8")
        write_band(folder / urlsplit(item["assets"]["SCL"]["href"]).path.lstrip("/"), clear, **place)
    return folder


@pytest.fixture
def api(items, monkeypatch):
    """Its API with the two items on two pages, joined as it joins them."""
    link = {"rel": "next", "type": "application/geo+json", "method": "POST", "href": f"{API}/api/stac/v1/search"}
    pages = [
        {
            "type": "FeatureCollection",
            "features": items[:1],
            "links": [link | {"body": {"token": "next:second"}, "merge": True}],
        },
        {"type": "FeatureCollection", "features": items[1:], "links": []},
    ]
    recordings = [
        Recording("GET", "/api/stac/v1", api_landing(f"{API}/api/stac/v1")),
        Recording("POST", "/api/stac/v1/search", pages[1], {"token": "next:second"}),
        Recording("POST", "/api/stac/v1/search", pages[0]),
    ]
    with replay(recordings, instead_of=API) as running:
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", f"{running.url}/api/stac/v1")
        yield running


@pytest.fixture
def double(storage, monkeypatch):
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr(tokens, "YOUNG_S", 0.0)
    with serve_planetary_computer(storage) as running, used(running, monkeypatch):
        yield running


@pytest.fixture
def catalog(tmp_path):
    square, _, _ = place_at(*PLACE)
    return sampled(tmp_path / "cat", square)


def build(catalog, dates, *words):
    return curate(
        "build", catalog, "--source", "planetary-computer", "--seasons", 1, "--start", dates[0], "--end", dates[1], *words
    )


def test_one_page_after_the_other_is_searched_and_the_same_ground_is_the_same_reflectance_in_both_baselines(
    tmp_path, api, double, capfd, caplog
):
    caplog.set_level("DEBUG")
    square, _, _ = place_at(*PLACE)
    found = {}
    for dates, offset, baseline in ((OLD, 0.0, "02.12"), (NEW, -0.1, "05.09")):
        out = sampled(tmp_path / baseline, square)
        assert build(out, dates) == 0
        ((path, item),) = items_of(out, S2)
        assert item["properties"]["seastars:source"] == "planetary-computer"
        assert item["properties"]["processing:version"] == baseline
        assert item["properties"]["seastars:radiometry"]["decision"] == "baseline"
        assert {
            band["raster:offset"] for asset in item["assets"].values() for band in asset["bands"] if "raster:offset" in band
        } == {offset}
        found[baseline] = {name: built_reflectance(path.parent, item, name) for name in BANDS}
        assert curate("verify", out, "--quiet") == 0
        assert_nowhere(double.lent, out, *capfd.readouterr(), caplog.text)
    for name in BANDS:
        np.testing.assert_allclose(found["02.12"][name], found["05.09"][name], atol=1e-9)
    posts = [body for method, _, body in api.requests if method == "POST"]
    assert posts[0]["collections"] == [S2]
    assert posts[1]["token"] == "next:second"


def test_a_token_that_is_revoked_in_the_middle_is_replaced_for_all_threads(catalog, api, double, capfd):
    double.reads_per_token = 24
    assert build(catalog, OLD) == 0
    assert len(items_of(catalog, S2)) == 1
    assert len(double.lent) == 2
    assert double.refusals >= 1
    assert {signature for _, signature in double.reads} == set(double.lent)
    assert_nowhere(double.lent, catalog, *capfd.readouterr())


@pytest.mark.slow
def test_tokens_that_end_while_the_build_runs_are_replaced_before_they_do(catalog, api, double, capfd):
    double.lasting_s = 0.4 + tokens.LAST_S  # access asks for another one 20 s before its end, the cache at half its time
    double.file_failures = [(503, {"Retry-After": "1"})] * 2
    assert build(catalog, OLD) == 0
    assert double.refusals == 0


@pytest.mark.slow
def test_a_busy_token_server_and_a_busy_storage_delay_it_only(catalog, api, double):
    double.token_failures = [(429, {}), (429, {"Retry-After": "0"})]
    double.file_failures = [(503, {}), (500, {}), (429, {"Retry-After": "0"})]
    assert build(catalog, OLD) == 0
    assert len(items_of(catalog, S2)) == 1


def test_a_file_that_only_gdal_reads_is_opened_with_the_token_too(double, storage, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    numbers, name = plant_numbers("B04", 10, 0), "lzw.tif"
    with rasterio.open(
        storage / "sentinel2-l2" / name, "w", driver="GTiff", dtype="uint16", count=1, height=480, width=480, crs="EPSG:32606",
        transform=rasterio.Affine(10, 0, 4e5, 0, -10, 6.7e6), tiled=True, blockxsize=128, blockysize=128, compress="lzw",
    ) as raster:  # fmt: skip
        raster.write(numbers, 1)
    source = planetary_computer.open_source("", max_scene_cloud=100)
    with source.open(SourceBand(f"http://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/{name}")) as raster:
        np.testing.assert_array_equal(raster.read((100, 90, 200, 210)), numbers[90:300, 100:300])
    assert len(double.lent) == 1
    assert double.reads
    assert_nowhere(double.lent, storage, caplog.text)


@pytest.fixture
def impatient(monkeypatch):
    """Hosts are waited for as in the night, only shorter."""
    monkeypatch.setattr(outage, "OUTAGE_S", 0.3)
    monkeypatch.setattr(outage, "LOOK_S", 0.1)
    monkeypatch.setattr(tokens, "FAILED_S", 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 502])
def test_a_token_server_that_stays_busy_ends_the_build_with_words_and_keeps_what_is_done(
    catalog, api, double, impatient, capfd, status
):
    double.token_failures = [(status, {})] * 10_000
    assert build(catalog, OLD) == 4
    told = capfd.readouterr()
    assert f"The token server of Planetary Computer gives no token (HTTP {status})" in told.err
    assert "run the same command again" in told.err
    double.token_failures = []
    assert build(catalog, OLD) == 0
    assert len(items_of(catalog, S2)) == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "It was refused with a token that was just lent, so that the file may have been withdrawn"),
        (404, "Expected a raster at that address: check it and your access to it"),
    ],
)
def test_files_that_are_refused_or_gone_say_so_without_the_token(catalog, api, double, capfd, status, told):
    double.file_failures = [(status, {})] * 10_000
    assert build(catalog, OLD) == 4
    said = capfd.readouterr()
    assert told in said.err
    assert f"its server says {status}" in said.err
    assert double.lent
    assert len(double.lent) <= 20
    assert_nowhere(double.lent, catalog, *said)


def test_a_refused_key_is_a_matter_of_the_command(catalog, api, double, monkeypatch, capfd):
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "plantedKey")
    assert build(catalog, OLD) == 2
    said = capfd.readouterr()
    assert "refuses your subscription key (HTTP 401)" in said.err
    assert_nowhere(["plantedKey"], catalog, *said)


def test_a_search_that_is_limited_says_so_and_is_done_later(catalog, api, double, monkeypatch, capfd):
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    page = {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}
    root = "/api/stac/v1"
    busy = [Recording("GET", root, api_landing(f"{API}{root}")), Recording("POST", f"{root}/search", page, status=429)]
    with replay(busy, instead_of=API) as running, monkeypatch.context() as here:
        here.setenv("SEASTARS_PLANETARY_COMPUTER_URL", f"{running.url}{root}")
        assert build(catalog, OLD) == 4
    told = capfd.readouterr().err
    assert "planetary-computer (http://127.0.0.1" in told
    assert "limits how often it is asked (HTTP 429" in told
    assert "Run the same command again in some minutes" in told
    assert not double.lent
    assert build(catalog, OLD) == 0
    assert len(items_of(catalog, S2)) == 1


def test_without_the_package_the_user_is_told_at_once(catalog, monkeypatch, capfd):
    monkeypatch.setattr(planetary_computer_tokens, "is_installed", lambda: False)
    assert build(catalog, OLD) == 2
    assert "pip install 'seastars[planetary-computer]'" in capfd.readouterr().err


def test_a_detail_is_a_typing_error(catalog, capfd):
    assert curate("build", catalog, "--source", "planetary-computer:abc", "--seasons", 1) == 2
    assert "Unknown source 'planetary-computer:abc'" in capfd.readouterr().err


def test_it_is_checked_by_a_search_and_the_beginning_of_a_file(api, double):
    host = "http://sentinel2l2a01.blob.core.windows.net"
    assert check() == f"answers; scenes of {S2} within 16 days: 1; {host} gives their files"
    assert (len(double.lent), len(double.reads)) == (1, 1)


@pytest.mark.network
def test_planetary_computer_itself_answers_and_a_real_window_is_read():
    assert check().startswith("answers; ")
    source = planetary_computer.open_source("", max_scene_cloud=100)
    june = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 6, 15, tzinfo=UTC))
    scene = source.search(S2, (2.3, 48.8, 2.4, 48.9), *june)[0]
    with source.open(scene.bands["B04"]) as raster:
        assert raster.read((4096, 4096, 64, 64)).any()

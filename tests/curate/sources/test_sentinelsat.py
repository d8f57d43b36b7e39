"""A DHuS hub through sentinelsat itself: search, download, checksum, resumption, archive, refusals, and a whole build."""

import json
import shutil
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio

from catalogs.locations import read_locations
from curate import outage
from curate.errors import CurateError, HostDownError, SourceSensorError, SourceUnavailableError, StoppedError, StorageError
from curate.fetch import PlaneAsk
from curate.planes import open_planes
from curate.sources import documents, open_source, sentinelsat
from curate.sources.sentinelsat import downloads as dhus_downloads
from curate.sources.sentinelsat.account import checked_address
from tests.curate.sources.told import assert_bands_as_told
from tests.dhus_double import PASSWORD, USER, Fault, serve_dhus
from tests.end_to_end.commands import curate, items_of
from tests.planted import assert_nowhere
from tests.safe_products import LEFT, TOP, Product, write_product
from tests.servers import serve_dask

pytest.importorskip("sentinelsat", reason="sentinelsat is not installed (pip install 'seastars[sentinelsat]')")
L2A, L1C = "sentinel-2-l2a", "sentinel-2-l1c"
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
SUMMER = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))
CENTRE = (3.017, 51.4404)


def day(number):
    return Product().when + timedelta(days=number)


PRODUCTS = (Product(), Product(when=day(5), baseline="03.01", satellite="B", cloud=60.0), Product(when=day(10), level="L1C"))


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    root = tmp_path_factory.mktemp("zips")
    return [write_product(root, product, zipped=True) for product in PRODUCTS]


@pytest.fixture
def hub(zips, tmp_path, monkeypatch):
    """A hub with three products; everything is quick, and the cache empty."""
    monkeypatch.setenv("DHUS_USER", USER)
    monkeypatch.setenv("DHUS_PASSWORD", PASSWORD)
    monkeypatch.setenv("SEASTARS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(documents, "BACKOFF_S", 0.001)
    monkeypatch.setattr(dhus_downloads, "PAUSES_S", (0.01, 0.01))
    with serve_dhus() as hub:
        for path, product in zip(zips, PRODUCTS, strict=True):
            hub.add(path, product)
        yield hub


@pytest.fixture
def source(hub):
    return open_source(f"sentinelsat:{hub.url}")


def scenes(source, sensor=L2A, box=EVERYWHERE, span=SUMMER):
    return source.search(sensor, box, *span)


def read(source, scene, name="B02"):
    with source.open(scene.bands[name]) as raster:
        return raster.read((0, 0, raster.grid.width, raster.grid.height))


def test_opening_asks_nothing_and_keeps_no_secret_in_the_name(hub, source):
    assert hub.requests == []
    assert source.name == f"sentinelsat:{hub.url}"
    assert source.sensors() == [L2A, L1C]


def test_a_search_gives_scenes_with_what_their_names_and_the_hub_tell(source, hub):
    first, second = scenes(source)
    assert [first.id, second.id] == [PRODUCTS[0].title, PRODUCTS[1].title]
    assert list(first.bands) == [*(band.name for band in PRODUCTS[0].sensor.bands), "scl"]
    assert_bands_as_told("sentinelsat", [first])
    assert (first.bands["B02"].scale, first.bands["B02"].offset, first.bands["B02"].nodata) == (1e-4, -0.1, 0)
    assert (second.bands["B02"].scale, second.bands["B02"].offset) == (1e-4, 0.0)
    assert first.bands["scl"].scale is None
    assert (first.radiometry, first.source, first.baseline, first.epsg) == ("baseline", "sentinelsat", "05.09", 32631)
    assert (first.cloud_percent, first.platform, first.relative_orbit, first.orbit_state) == (
        12.5,
        "sentinel-2a",
        51,
        "descending",
    )
    assert first.datetime.isoformat() == "2023-06-14T10:50:31.024000+00:00"
    assert first.href == f"{hub.url}/odata/v1/Products('{hub.entries[0].uuid}')"
    assert hub.counted("value") == hub.counted("product") == 0


def test_place_time_level_and_cloud_narrow_a_search_at_the_hub(source, hub):
    assert [scene.sensor for scene in scenes(source, L1C)] == [L1C]
    assert scenes(source, box=(10.0, 10.0, 11.0, 11.0)) == []
    assert [scene.id for scene in scenes(source, span=(day(1), day(9)))] == [PRODUCTS[1].title]
    assert scenes(source, span=(day(1), scenes(source)[1].datetime)) == []
    clear = open_source(f"sentinelsat:{hub.url}", max_scene_cloud=50)
    assert [scene.id for scene in scenes(clear)] == [PRODUCTS[0].title]


def test_the_pilot_production_of_level_2a_is_found_too(source, hub, zips):
    pilot = Product(when=day(3), baseline="02.07")
    hub.add(zips[0], pilot)
    assert pilot.title in [scene.id for scene in scenes(source)]


def test_all_pages_of_a_search_are_read(source, hub, zips):
    hub.entries.clear()
    expected = [Product(when=day(number / 10)) for number in range(230)]
    for product in expected:
        hub.add(zips[0], product)
    assert [scene.id for scene in scenes(source, span=(day(-1), day(100)))] == [product.title for product in expected]
    assert hub.counted("search") == 3


def test_products_that_are_of_no_use_are_skipped_in_words(source, hub, monkeypatch):
    monkeypatch.setattr(type(hub.entries[0]), "wkt", "POINT(3 51)")
    assert scenes(source) == []
    assert "footprint cannot be read" in source.skipped[PRODUCTS[0].title]
    monkeypatch.setattr(Product, "title", "S2A_OPER_PRD_MSIL1C_PDMC_20160318T145513_R008_V20160318T104217_20160318T104217")
    assert scenes(source) == []
    assert "made before December 2016" in source.skipped[PRODUCTS[0].title]


def test_other_sensors_are_refused_with_a_guess(source):
    with pytest.raises(SourceSensorError, match=r"sentinel-2-l2a and sentinel-2-l1c only.*Did you mean 'sentinel-2-l2a'"):
        scenes(source, "sentinel-2-l2")
    with pytest.raises(SourceSensorError, match="Choose another --source"):
        scenes(source, "naip")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA3-256"])
def test_a_band_is_read_from_the_downloaded_product_which_stays(source, hub, algorithm):
    hub.entries[0].algorithm = algorithm
    first, _ = scenes(source)
    np.testing.assert_array_equal(read(source, first), PRODUCTS[0].numbers("B02"))
    np.testing.assert_array_equal(read(source, first, "scl"), PRODUCTS[0].classes())
    assert hub.counted("value") == 1
    kept = dhus_downloads.cache_folder() / hub.url.split("/")[2].replace(":", "_") / f"{PRODUCTS[0].title}.zip"
    assert kept.read_bytes() == hub.entries[0].content
    assert not list(kept.parent.glob("*.part"))
    read(open_source(f"sentinelsat:{hub.url}"), first)
    assert hub.counted("value") == 1


def test_a_download_that_broke_off_goes_on_where_it_was(source, hub, monkeypatch):
    monkeypatch.setattr(dhus_downloads, "CHUNK", 100)
    hub.faults += [Fault("value", cut=1000), Fault("value", cut=500)]
    read(source, scenes(source)[0])
    asked = [wanted for kind, _, wanted in hub.requests if kind == "value"]
    assert asked == ["", "bytes=1000-", "bytes=1500-"]
    assert hub.sent == len(hub.entries[0].content)


def test_a_hub_that_knows_no_ranges_gives_the_whole_again(source, hub, monkeypatch):
    monkeypatch.setattr(dhus_downloads, "CHUNK", 100)
    hub.ranges = False
    hub.faults.append(Fault("value", cut=1000))
    np.testing.assert_array_equal(read(source, scenes(source)[0]), PRODUCTS[0].numbers("B02"))
    assert hub.sent == len(hub.entries[0].content) + 1000
    assert hub.counted("value") == 2


def test_what_another_run_has_left_is_gone_on_with_unless_it_is_too_long(source, hub):
    first, second = scenes(source)
    downloads = source._downloads
    for scene, content in ((first, hub.entries[0].content[:300]), (second, bytes(len(hub.entries[1].content) + 1))):
        part = downloads.path(scene.id).with_name(f"{scene.id}.zip.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        read(source, scene)
    assert [wanted for kind, _, wanted in hub.requests if kind == "value"] == ["bytes=300-", ""]


def test_a_download_that_came_damaged_is_fetched_again(source, hub):
    hub.faults.append(Fault("value", spoiled=True))
    np.testing.assert_array_equal(read(source, scenes(source)[0]), PRODUCTS[0].numbers("B02"))
    assert hub.counted("value") == 2


def test_a_download_that_is_always_damaged_is_given_up_and_leaves_nothing(source, hub):
    hub.faults += [Fault("value", spoiled=True)] * 3
    with pytest.raises(SourceUnavailableError, match=r"came 3 times from .* with a wrong MD5 checksum"):
        read(source, scenes(source)[0])
    assert not source._downloads.path(PRODUCTS[0].title).exists()
    assert not list(dhus_downloads.cache_folder().rglob("*.part"))


def test_a_product_in_the_archive_is_ordered_once_and_the_user_told_to_come_back(source, hub, monkeypatch):
    hub.entries[0].online = False
    first, words = scenes(source)[0], []
    for _ in range(2):
        with pytest.raises(
            SourceUnavailableError, match=r"is in the long-term archive of .*ordered.*takes hours: later run"
        ) as told:
            read(source, first)
        words.append(told.value)
    assert words[0] is not words[1]
    assert not isinstance(told.value, HostDownError)
    assert hub.counted("value") == 1
    hub.entries[0].online = True
    monkeypatch.setattr(dhus_downloads, "REMEMBERED_S", 0)
    np.testing.assert_array_equal(read(source, first), PRODUCTS[0].numbers("B02"))


@pytest.mark.parametrize("has_locks", [True, False])
def test_two_products_are_downloaded_at_once_and_no_more(source, hub, zips, monkeypatch, has_locks):
    """Each once; also on a network's file system that has no locks."""
    if not has_locks:
        monkeypatch.setattr(dhus_downloads, "_try_lock", lambda _: True)
    for number in range(20, 24):
        hub.add(zips[0], Product(when=day(number)))
    hub.open = False
    products = [(entry.uuid, entry.product.title) for entry in hub.entries]
    threading.Timer(0.3, setattr, (hub, "open", True)).start()
    other = open_source(f"sentinelsat:{hub.url}")  # of the same cache, as another process's
    wishes = ((source, products), (other, products[::-1]))
    both = [threading.Thread(target=lambda s=s, wanted=wanted: list(s._downloads.fetch_all(wanted))) for s, wanted in wishes]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert hub.most_at_once == 2
    assert hub.counted("value") == len(products)


def test_a_stopped_download_ends_and_what_came_stays(source, hub, monkeypatch):
    monkeypatch.setattr(dhus_downloads, "CHUNK", 100)
    hub.faults.append(Fault("value", cut=1000))
    downloads = source._downloads
    products = [(entry.uuid, entry.product.title) for entry in hub.entries[:1]]
    monkeypatch.setattr(dhus_downloads, "PAUSES_S", (60.0,))
    threading.Timer(0.3, downloads.stop).start()
    with pytest.raises(StoppedError, match="The download was stopped"):
        list(downloads.fetch_all(products))
    part = downloads.path(PRODUCTS[0].title).with_name(f"{PRODUCTS[0].title}.zip.part")
    assert part.read_bytes() == hub.entries[0].content[:1000]


def test_a_full_disk_is_told_before_anything_is_fetched(source, hub, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(StorageError, match=r"has 0.00 GB free; .* needs 0.00 GB. Make room, or set SEASTARS_CACHE"):
        read(source, scenes(source)[0])
    assert hub.counted("value") == 0


@pytest.mark.parametrize(
    ("fault", "words", "is_passing"),
    [
        (Fault("search", 403), "does not let the account of DHUS_USER have a search", False),
        (Fault("search", 404, text="<html>no</html>"), "does not know a search", False),
        (Fault("search", 429, headers={"Retry-After": "0"}), "asked too often", True),
        (Fault("search", 500), r"fails at a search \(HTTP 500\)", True),
        (Fault("search", 503), r"fails at a search \(HTTP 503\)", True),
        (Fault("search", text="<html>welcome</html>"), "not as a DHuS hub does", False),
        (Fault("search", text='{"feed": {}}'), "not as a DHuS hub does", False),
    ],
)
def test_what_a_search_meets_is_told_in_words(source, hub, fault, words, is_passing):
    hub.faults += [fault] * 8
    with pytest.raises(SourceUnavailableError, match=words) as told:
        scenes(source)
    assert isinstance(told.value, HostDownError) is is_passing
    assert told.value.exit_code == 4


QUOTA = f"User '{USER}' offline products retrieval quota exceeded (20 fetches max)"
FLOWS = f'Maximum number of 2 concurrent flows achieved by the user "{USER}"'


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault("value", 403, cause=QUOTA),
            r"The quota of the account of DHUS_USER at .* is used up \(HTTP 403\), at S2A_MSIL2A",
        ),
        (Fault("value", 403, cause=FLOWS), "has as many downloads of this account as it allows"),
        (Fault("value", 403), "does not let the account of DHUS_USER have S2A_MSIL2A"),
        (Fault("value", 500), r"fails at S2A_MSIL2A\S+ \(HTTP 500\)"),
        (Fault("product", 404, text="<html/>"), "does not know S2A_MSIL2A"),
    ],
)
def test_what_a_download_meets_is_told_in_words_without_the_user_s_name(source, hub, fault, words, capfd, caplog):
    first = scenes(source)[0]
    hub.faults += [fault] * 40
    with pytest.raises(SourceUnavailableError, match=words) as told:
        read(source, first)
    said = capfd.readouterr()
    assert not any(secret in text for secret in (USER, PASSWORD) for text in (str(told.value), said.out, said.err, caplog.text))


def test_a_quota_of_the_archive_is_told_and_what_the_hub_says_of_the_user_is_in_no_log(source, hub, capfd, caplog):
    hub.entries[0].online = False
    hub.faults.append(Fault("value", 403, cause=QUOTA))
    with pytest.raises(SourceUnavailableError, match=r"quota of the account of DHUS_USER at .* is used up"):
        read(source, scenes(source)[0])
    said = capfd.readouterr()
    assert not any(USER in text for text in (said.out, said.err, caplog.text))


def test_too_many_downloads_elsewhere_are_waited_for(source, hub):
    hub.faults += [Fault("value", 403, cause=FLOWS)] * 2
    np.testing.assert_array_equal(read(source, scenes(source)[0]), PRODUCTS[0].numbers("B02"))


def test_a_product_that_the_hub_has_no_more_is_told(source, hub):
    first = scenes(source)[0]
    hub.entries.clear()
    with pytest.raises(SourceUnavailableError, match=r"does not know S2A_MSIL2A\S+ \(HTTP 404\)"):
        read(source, first)


def test_a_wrong_password_is_told_by_its_variables(hub, monkeypatch):
    monkeypatch.setenv("DHUS_PASSWORD", "wrong-and-planted")
    with pytest.raises(
        SourceUnavailableError, match=r"refuses the user name or the password \(HTTP 401\).*DHUS_PASSWORD"
    ) as told:
        scenes(open_source(f"sentinelsat:{hub.url}"))
    assert "wrong-and-planted" not in str(told.value)


def test_a_hub_where_nobody_listens_is_busy(monkeypatch, hub):
    source = open_source("sentinelsat:http://127.0.0.1:9/dhus")
    with pytest.raises(HostDownError, match=r"127.0.0.1:9/dhus does not answer \(ConnectionError\)"):
        scenes(source)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", r"needs a hub, and none is named.*--source cdse"),
        ("hub.example/dhus", "is no http"),
        ("somebody:planted", "is no http"),
        ("https://apihub.copernicus.eu/apihub", "closed: ESA ended its DHuS hubs in October 2023.*--source cdse"),
        ("https://scihub.copernicus.eu/dhus", "scihub.copernicus.eu is closed"),
        ("https://catalogue.dataspace.copernicus.eu/odata", "does not work with the Copernicus Data Space. Use --source cdse"),
        ("http://hub.example/dhus", "would send your password in the clear. Use its https"),
        ("https://somebody:planted@hub.example/dhus", "The address of hub.example holds a user name or a password"),
        ("somebody:planted@hub.example/dhus", "The address of hub.example holds a user name or a password.*DHUS_PASSWORD"),
        ("https://planted:plan/ted@hub.example:8443/dhus", "The address of hub.example:8443 holds a user name"),
        ("hub.example/dhus?token=planted", "The address of hub.example holds"),
        ("https://me:planted/", r"what is named is no http\(s\) address"),
        ("https://[bad", r"what is named is no http\(s\) address"),
    ],
)
def test_addresses_that_cannot_work_are_refused_with_what_to_do(address, words):
    with pytest.raises(CurateError, match=words) as told:
        checked_address(address)
    assert "planted" not in str(told.value)
    assert told.value.exit_code == 2


def test_the_hub_may_be_named_by_a_variable(hub, monkeypatch):
    monkeypatch.setenv("DHUS_URL", f"{hub.url}/")
    assert open_source("sentinelsat").name == f"sentinelsat:{hub.url}"
    told = sentinelsat.check()
    assert told == f"{hub.url.split('/')[2]} answers; 3 products of Sentinel-2"
    monkeypatch.delenv("DHUS_URL")
    assert sentinelsat.check(hub.url) == told


def test_without_an_account_it_is_said_which_variables_are_missing(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("DHUS_PASSWORD")
    with pytest.raises(CurateError, match=r"needs an account, and DHUS_PASSWORD is not set\. Register at the hub"):
        open_source(f"sentinelsat:{hub.url}")
    monkeypatch.delenv("DHUS_USER")
    with pytest.raises(CurateError, match=r"DHUS_USER and DHUS_PASSWORD are not set.*add a line for 127.0.0.1 to ~/.netrc"):
        open_source(f"sentinelsat:{hub.url}")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    assert len(scenes(open_source(f"sentinelsat:{hub.url}"))) == 2


def test_without_the_package_it_is_said_how_to_install_it(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentinelsat", None)
    monkeypatch.setattr("curate.sources.sentinelsat.account.find_spec", lambda _: None)
    with pytest.raises(CurateError, match=r"not installed. Run: pip install 'seastars\[sentinelsat\]'"):
        open_source(f"sentinelsat:{hub.url}")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A catalog of the square in the middle of the tile, not built yet."""
    place, out = tmp_path_factory.mktemp("place") / "centre.geojson", tmp_path_factory.mktemp("sampled") / "catalog"
    place.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": CENTRE}}))
    assert curate("sample", "--strategy", "file", "--from", place, "--patch-m", 600, "--out", out, "--quiet") == 0
    return out


def build(out, hub, *words, days=(13, 17)):
    span = ("--start", f"2023-06-{days[0]}", "--end", f"2023-06-{days[1]}")
    return curate("build", out, "--source", f"sentinelsat:{hub.url}", "--sensor", L2A, "--seasons", 1, *span, *words)


def test_a_build_from_a_hub_is_the_products_own_pixels_and_holds_no_secret(hub, sampled, tmp_path, capfd, caplog):
    out = shutil.copytree(sampled, tmp_path / "catalog")
    hub.faults += [Fault("value", cut=5000), Fault("value", spoiled=True)]
    assert build(out, hub) == 0
    ((path, item),) = items_of(out, L2A)
    with rasterio.open(path.parent / item["assets"]["10m"]["href"]) as file:
        column, row = round((file.transform.c - LEFT) / 10), round((TOP - file.transform.f) / 10)
        np.testing.assert_array_equal(file.read(1), PRODUCTS[0].numbers("B02")[row : row + 60, column : column + 60])
    assert item["properties"]["seastars:source"] == "sentinelsat"
    assert item["properties"]["seastars:radiometry"]["decision"] == "baseline"
    source = item["assets"]["10m"]["seastars:sources"][0]
    assert source["href"] == f"sentinelsat://{hub.url.split('/')[2]}/{hub.entries[0].uuid}/{PRODUCTS[0].title}/B02"
    assert source["window"] == [column, row, 60, 60]
    assert hub.entries[0].uuid in next(link["href"] for link in item["links"] if link["rel"] == "derived_from")
    assert curate("verify", out, "--quiet") == 0
    said = capfd.readouterr()
    assert "Expected: about 1 (0 to 1) item of about 1 scene; about 1 request, " in said.err
    assert "Whole products are downloaded, even if only their clouds are looked at" in said.err
    assert_nowhere([PASSWORD, USER], out, said.out, said.err, caplog.text)


def test_a_build_waits_for_a_hub_that_is_down_for_a_while(hub, sampled, tmp_path, monkeypatch):
    monkeypatch.setattr(outage, "LOOK_S", 0.01)
    out = shutil.copytree(sampled, tmp_path / "catalog")
    hub.faults += [Fault("product", 503)] * 20
    assert build(out, hub, "--quiet") == 0
    assert len(items_of(out, L2A)) == 1


def test_a_build_of_archived_products_is_to_be_run_again_and_then_goes_on(hub, sampled, tmp_path, capfd):
    out = shutil.copytree(sampled, tmp_path / "catalog")
    hub.entries[0].online = False
    assert build(out, hub) == 4
    said = capfd.readouterr().err
    assert "is in the long-term archive of" in said
    assert "run the same command again" in said
    hub.entries[0].online = True
    assert build(out, hub, "--quiet") == 0
    assert len(items_of(out, L2A)) == 1


def test_a_plan_counts_whole_products(hub, sampled, tmp_path, capfd):
    out = shutil.copytree(sampled, tmp_path / "catalog")
    words = ("--sensor", L2A, "--seasons", 1, "--start", "2023-06-13", "--end", "2023-06-17", "--bands", "B02")
    assert curate("plan", out, "--source", f"sentinelsat:{hub.url}", *words, "--json", "--quiet") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["requests"] == 1
    assert told["bytes"] == pytest.approx(len(hub.entries[0].content), abs=10)
    assert curate("plan", out, "--source", f"sentinelsat:{hub.url}", *words, "--quiet") == 0
    assert "note  Whole products are downloaded" in capfd.readouterr().out
    assert hub.counted("value") == 0


def test_a_plan_of_a_hub_beside_others_counts_its_products_whole(hub, sampled, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sentinelsat.SentinelsatSource, "scene_bytes", lambda self, sensor: 1e12)
    write_product(tmp_path / "mine", Product(when=day(18), seed=1))
    out = shutil.copytree(sampled, tmp_path / "catalog")
    span = ("--start", "2023-06-13", "--end", "2023-07-05", "--window-days", 11, "--max-scene-cloud", 50)
    names = f"sentinelsat:{hub.url},{tmp_path / 'mine'}"
    words = ("--source", names, "--sensor", L2A, "--seasons", 2, *span, "--bands", "B02", "--quiet")
    assert curate("plan", out, *words) == 0
    assert f"note  sentinelsat:{hub.url}: Whole products are downloaded" in capfd.readouterr().out
    assert curate("plan", out, *words, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert 1e12 < told["bytes"] < 1.01e12
    assert curate("build", out, *words, "--budget-gb", 999) == 2
    assert "This build is expected to fetch about 1.0" in capfd.readouterr().err
    assert hub.counted("value") == 0


def test_a_budget_that_whole_products_exceed_is_refused_before_any_download(hub, sampled, tmp_path, capfd):
    out = shutil.copytree(sampled, tmp_path / "catalog")
    assert build(out, hub, "--budget-gb", 0.0001, "--quiet") == 2
    assert "This build is expected to fetch" in capfd.readouterr().err
    assert hub.counted("value") == 0


def test_a_product_whose_metadata_state_another_offset_than_its_baseline_is_not_used(hub, tmp_path, source):
    other = Product(when=day(30), offsets={"B03": -900})
    hub.add(write_product(tmp_path, other, zipped=True), other)
    scene = scenes(source)[-1]
    assert scene.id == other.title
    with pytest.raises(
        SourceUnavailableError, match=r"states scale 0.0001 and offset -0.09 of B03 .*; expected 0.0001 and -0.1"
    ):
        read(source, scene, "B03")
    np.testing.assert_array_equal(read(source, scene), other.numbers("B02"))


def test_a_file_that_holds_another_product_than_its_name_says_is_not_read(hub, source):
    first, second = scenes(source)
    read(source, first)
    shutil.copy(source._downloads.path(first.id), source._downloads.path(second.id))
    with pytest.raises(
        SourceUnavailableError, match=rf"{second.id}.zip holds {first.id}; expected {second.id}\. Remove that file"
    ):
        read(source, second)


def test_planes_of_a_product_that_cannot_be_had_are_errors_and_others_are_not(hub, source, sampled):
    (location,) = read_locations(sampled / "locations.parquet")
    hub.entries[0].online = False
    first, second = scenes(source)
    asks = [(scene.id, PlaneAsk(scene.bands["B02"], location, 10, 10, "cubic", 0)) for scene in (first, second)]
    with closing(open_planes(source, connections=2)) as reader:
        answers = dict(reader.read(asks))
        assert reader.fetched.bytes == len(hub.entries[1].content)
    assert isinstance(answers[first.id], SourceUnavailableError)
    assert answers[second.id].source.href == second.bands["B02"].href


def test_beside_another_source_each_is_read_in_its_own_way(hub, sampled, tmp_path):
    other = Product(when=day(18), seed=1)
    write_product(tmp_path / "mine", other)
    out = shutil.copytree(sampled, tmp_path / "catalog")
    span = ("--start", "2023-06-13", "--end", "2023-07-05", "--window-days", 11, "--max-scene-cloud", 50)
    names = f"sentinelsat:{hub.url},{tmp_path / 'mine'}"
    assert curate("build", out, "--source", names, "--sensor", L2A, "--seasons", 2, *span, "--bands", "B02", "--quiet") == 0
    items = [item for _, item in items_of(out, L2A)]
    assert [item["properties"]["seastars:source"] for item in items] == ["sentinelsat", str(tmp_path / "mine")]
    assert [item["properties"]["seastars:radiometry"]["decision"] for item in items] == ["baseline", "metadata"]


@pytest.mark.slow
def test_workers_of_a_cluster_download_what_they_need(hub, sampled, tmp_path):
    out = shutil.copytree(sampled, tmp_path / "catalog")
    with serve_dask(1) as cluster:
        assert build(out, hub, "--scheduler", cluster.address, "--quiet") == 0
    assert len(items_of(out, L2A)) == 1
    assert hub.counted("value") == 1
    assert_nowhere([PASSWORD, USER], out)


@pytest.mark.network
def test_a_real_hub_answers_and_gives_a_window():
    """Needs DHUS_URL, DHUS_USER and DHUS_PASSWORD of a hub that runs; downloads one product."""
    assert " answers; " in sentinelsat.check()
    source = open_source("sentinelsat", max_scene_cloud=20)
    end = datetime.now(UTC)
    scene = next(iter(source.search(L1C, (2.9, 51.3, 3.1, 51.5), end - timedelta(days=60), end)))
    with source.open(scene.bands["B02"]) as raster:
        assert raster.read((0, 0, 64, 64)).shape == (64, 64)

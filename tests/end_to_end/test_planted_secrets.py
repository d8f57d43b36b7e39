"""Secrets of two accounts at once, planted: a plan, a check and a build that goes from one to the other show none of them."""

import json
from urllib.parse import urlsplit

import numpy as np
import pytest

from curate.reading import transport
from curate.reading.retries import Patience
from curate.sources import documents, planetary_computer, tokens
from tests.cdse_double import serve_cdse, stranger
from tests.cdse_items import EPSG, PLACE, STORE, cdse_item
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import SIDE_M, api_landing, footprint, place_at, plant_numbers, sampled, write_band
from tests.planetary_computer_double import serve_planetary_computer, used
from tests.planted import assert_nowhere
from tests.servers import Recording, replay

S2 = "sentinel-2-l2a"
RECORDED = "stac_recorded/odc_stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json"
HERE = "https://api.test"
KEY = "plantedSubscriptionKey"
EARLY, LATE = "20230608", "20230628"
BOTH = "planetary-computer,cdse"
SEEN = ("B01_60m", "B02_10m", "SCL_20m")
"""Files of the Data Space that are read: by its check, and by a build."""
WANTED = ("--bands", "B02", "--seasons", 2, "--start", "2023-05-29", "--end", "2023-07-08")


def lent_item(recorded, day):
    """The recorded item of Planetary Computer, moved to the tile of the Data Space's and to a day of 2023."""
    _, left, top = place_at(*PLACE)
    text = json.dumps(recorded)
    told = {
        "20190629T": f"{day}T", "2019/06/29": f"{day[:4]}/{day[4:6]}/{day[6:]}", "N0212": "N0509", "T06VVN": "T29UNU",
        "S2B": "S2A", "Sentinel-2B": "Sentinel-2A", "https://sentinel2l2a01": "http://sentinel2l2a01",
    }  # fmt: skip
    for old, new in told.items():
        text = text.replace(old, new)
    item = json.loads(text)
    item["properties"] |= {"datetime": f"2023-06-{day[6:]}T11:54:21.024Z", "s2:processing_baseline": "05.09", "proj:epsg": EPSG}
    item["geometry"], item["bbox"] = footprint(EPSG, left, top)
    item["assets"] = {name: item["assets"][name] for name in ("B02", "SCL")}
    for asset in item["assets"].values():
        gsd = int(asset["proj:transform"][0])
        asset |= {"proj:shape": [SIDE_M // gsd] * 2, "proj:transform": [gsd, 0, left, 0, -gsd, top]}
    return item | {"links": []}


def api_of(*items):
    page = {"type": "FeatureCollection", "features": list(items), "links": []}
    return replay([Recording("GET", "/v1", api_landing(f"{HERE}/v1")), Recording("POST", "/v1/search", page)], instead_of=HERE)


def write_files(folder, path_of, item, names, plants):
    """Some files of an item: bands of some plants' numbers, and the mask."""
    _, left, top = place_at(*PLACE)
    for name in names:
        gsd = int(item["assets"][name]["proj:transform"][0])
        clear = np.full((SIDE_M // gsd,) * 2, 4, "uint8")
        pixels = clear if name.startswith("SCL") else plant_numbers(plants, gsd, 1000)
        write_band(folder / path_of(item["assets"][name]["href"]), pixels, epsg=EPSG, left=left, top=top)


@pytest.fixture(scope="module")
def recorded(shared_data):
    return json.loads((shared_data / RECORDED).read_text())


@pytest.fixture(scope="module")
def folders(recorded, tmp_path_factory):
    """Files of both; the first lists the later acquisition too, whose files it has no more."""
    storage, granules = tmp_path_factory.mktemp("storage"), tmp_path_factory.mktemp("eodata")
    write_files(storage, lambda href: urlsplit(href).path.lstrip("/"), lent_item(recorded, EARLY), ("B02", "SCL"), "B02")
    write_files(granules, lambda href: href.removeprefix(f"{STORE}/"), cdse_item(day=LATE), SEEN, "B04")
    return storage, granules


@pytest.fixture
def lender(folders, recorded, monkeypatch):
    """Planetary Computer, with a subscription key; gives its double."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01,))
    monkeypatch.setattr(transport, "Patience", lambda **_: Patience(attempts=2, base_s=0.01, longest_s=0.02, throttles=1))
    items = [lent_item(recorded, day) for day in (EARLY, LATE)]
    with serve_planetary_computer(folders[0]) as double, used(double, monkeypatch), api_of(*items) as api:
        double.subscription_key = KEY
        monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", KEY)
        monkeypatch.setenv("SEASTARS_PLANETARY_COMPUTER_URL", f"{api.url}/v1")
        monkeypatch.setattr(planetary_computer, "CHECKED", ((-8.21, 52.69, -8.19, 52.71), "2023-06-01"))
        yield double


@pytest.fixture
def account(folders, monkeypatch):
    """The Data Space, with a name and a password; gives its double."""
    with stranger(monkeypatch), serve_cdse(folders[1]) as double, api_of(cdse_item(day=LATE, downloads=double.url)) as api:
        monkeypatch.setenv("SEASTARS_CDSE_URL", f"{api.url}/v1")
        monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", double.token_url)
        monkeypatch.setenv("SEASTARS_CDSE_DOWNLOAD_URL", double.url)
        monkeypatch.setenv("CDSE_USERNAME", double.user)
        monkeypatch.setenv("CDSE_PASSWORD", double.password)
        yield double


@pytest.fixture
def catalog(tmp_path):
    return sampled(tmp_path / "cat", place_at(*PLACE)[0])


@pytest.fixture
def assert_hidden(lender, account, catalog, capfd, caplog):
    """Fails where a secret of either stands in the catalog, in what was printed since the last time, or in the log."""
    caplog.set_level("DEBUG")

    def check():
        said = capfd.readouterr()
        assert lender.lent
        assert account.lent
        assert_nowhere([KEY, *lender.lent, *account.secrets], catalog, *said, caplog.text)
        return said

    return check


def test_plans_show_no_secret(catalog, assert_hidden):
    for source in ("cdse", BOTH):  # of both it is the files of the first that are looked at
        assert curate("plan", catalog, "--source", source, *WANTED) == 0
    told = assert_hidden().out
    assert "to do, from cdse" in told
    assert f"to do, from {BOTH}" in told
    assert curate("plan", catalog, "--source", BOTH, *WANTED, "--json") == 0
    assert json.loads(assert_hidden().out)["requests"] > 0


def test_a_build_that_goes_from_one_account_to_the_other_shows_no_secret(catalog, account, assert_hidden):
    assert curate("build", catalog, "--source", BOTH, *WANTED) == 0
    assert "Wrote 2 items" in assert_hidden().err
    assert [item["properties"]["seastars:source"] for _, item in items_of(catalog, S2)] == ["planetary-computer", "cdse"]
    assert account.reads
    assert curate("verify", catalog, "--quiet") == 0


def test_a_check_shows_no_secret_whether_it_is_answered_or_refused(lender, account, assert_hidden):
    names = ("planetary-computer", "cdse", "--check")
    assert curate("sources", *names) == 0
    assert assert_hidden().out.count("check  answers; ") == 2
    lender.file_failures, account.file_failures = [(403, {})] * 1000, [(403, {})] * 1000
    assert curate("sources", *names) == 4
    assert assert_hidden().out.count("check  NO: ") == 2
    assert curate("sources", *names, "--json") == 4
    assert [told["check"]["ok"] for told in json.loads(assert_hidden().out)["sources"]] == [False, False]

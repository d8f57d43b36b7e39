"""What a user reads when Earth Search or its files refuse, lack, limit or fail, and that a later run does the rest."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from catalogs.validate import check_catalog
from curate import outage
from curate.reading import transport
from curate.reading.retries import Patience
from curate.sources import documents
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import SIDE_M, api_landing, footprint, place_at, plant_numbers, sampled, write_band
from tests.ranged_files import Answer, Request, serve_answers

S2 = "sentinel-2-l2a"
RECORDED = "stac_recorded/api/006_e84_v1_search.json"
SCENE = "S2B_T24MWV_20250731T130245_L2A"
PIXELS = "https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com"
PLACE = (2.6, 48.4)
BANDS = {"red": "B04", "swir16": "B11", "scl": "SCL"}
AGAIN = "un the same command again"


@dataclass
class Service:
    """Earth Search's API and the bucket of its files, as one server."""

    item: dict
    """The only one that it finds; its files are at addresses of this server."""
    folder: Path
    """Of the files."""
    url: str = ""
    """Its address."""
    search_status: int = 200
    """HTTP status of searches."""
    file_status: int = 200
    """HTTP status of files."""
    files_asked: int = 0
    """Requests of files so far."""

    def answer(self, request: Request) -> Answer:
        """What it answers."""
        if request.target == "/v1":
            return _json(api_landing(f"{self.url}/v1"))
        if request.target.startswith("/v1/search"):
            return self._found() if self.search_status == 200 else _json({"code": "Made up"}, self.search_status)
        self.files_asked += 1
        if self.file_status != 200:
            return Answer(self.file_status, b"<Error><Code>MadeUp</Code></Error>")
        return Answer(body=self.folder / request.target.lstrip("/"), headers={"ETag": '"1"'})

    def _found(self) -> Answer:
        page = {"type": "FeatureCollection", "features": [self.item], "links": []}
        return Answer(body=json.dumps(page).replace(PIXELS, self.url).encode())


def _json(document: dict, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode())


@pytest.fixture(scope="module")
def item(shared_data):
    """A recorded item on a small tile in France, with two bands and the mask."""
    page = json.loads((shared_data / RECORDED).read_text())["response"]["json"]
    item = copy.deepcopy(next(item for item in page["features"] if item["id"] == SCENE)) | {"links": []}
    square, left, top = place_at(*PLACE)
    item["geometry"], item["bbox"] = footprint(square.epsg, left, top)
    item["properties"] |= {"proj:epsg": square.epsg}
    item["assets"] = {key: item["assets"][key] for key in BANDS}
    for asset in item["assets"].values():
        gsd = int(asset["proj:transform"][0])
        asset |= {"proj:transform": [gsd, 0, left, 0, -gsd, top], "proj:shape": [SIDE_M // gsd] * 2}
    return item


@pytest.fixture(scope="module")
def files(item, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bucket")
    square, left, top = place_at(*PLACE)
    for key, asset in item["assets"].items():
        gsd = int(asset["proj:transform"][0])
        clear = np.full((SIDE_M // gsd,) * 2, 4, "uint8")
        pixels = clear if key == "scl" else plant_numbers(BANDS[key], gsd, 1000)
        write_band(folder / asset["href"].removeprefix(f"{PIXELS}/"), pixels, epsg=square.epsg, left=left, top=top)
    return folder


@pytest.fixture
def service(item, files, monkeypatch):
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(outage, "OUTAGE_S", 0.3)
    monkeypatch.setattr(outage, "LOOK_S", 0.1)
    impatient = Patience(attempts=2, base_s=0.01, longest_s=0.02, throttles=2)
    monkeypatch.setattr(transport, "Patience", lambda **_: impatient)
    service = Service(item, files)
    with serve_answers(service.answer) as service.url:
        monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", f"{service.url}/v1")
        yield service


@pytest.fixture
def catalog(tmp_path):
    return sampled(tmp_path / "cat", place_at(*PLACE)[0])


def build(catalog):
    dates = ("--seasons", 1, "--start", "2025-07-15", "--end", "2025-08-15", "--bands", "B04,B11")
    return curate("build", catalog, "--source", "earth-search", *dates)


def assert_empty(catalog):
    """A catalog that is in order and has nothing."""
    assert not items_of(catalog, S2)
    assert not [path for path in catalog.rglob("*") if ".tif" in path.name]
    assert not check_catalog(str(catalog)).problems


@pytest.mark.parametrize(
    ("status", "of_searches", "of_files"),
    [
        (401, ("refuses", "no account"), ("401 Unauthorized", "your access to it")),
        (403, ("refuses", "no account"), ("403 Forbidden", "your access to it")),
        (404, ("HTTP 404",), ("404 Not Found", f"{SCENE}/SCL.tif", "Expected a raster at that address: check it")),
        (429, ("HTTP 429", "limits how often it is asked"), ("429 Too Many Requests", "It limits how often it is asked")),
        (503, ("HTTP 503", "has a fault"), ("503 Service Unavailable", "the provider's status")),
    ],
)
def test_what_fails_is_told_leaves_nothing_half_written_and_is_done_once_it_works(
    catalog, service, capfd, status, of_searches, of_files
):
    service.search_status = status
    assert build(catalog) == 4
    said = capfd.readouterr().err
    assert all(words in said for words in (*of_searches, "earth-search", AGAIN)), said
    assert not service.files_asked
    assert_empty(catalog)
    service.search_status, service.file_status = 200, status
    assert build(catalog) == 4
    said = capfd.readouterr().err
    assert all(words in said for words in (*of_files, AGAIN)), said
    assert_empty(catalog)
    service.file_status = 200
    assert build(catalog) == 0
    assert len(items_of(catalog, S2)) == 1
    assert curate("verify", catalog, "--quiet") == 0

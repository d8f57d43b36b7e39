"""The default source against recorded answers of Earth Search v1."""

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.sources import PROVIDERS, open_source
from curate.sources.about import PAID
from curate.sources.earth_search import ABOUT, ADDRESS, COLLECTIONS, check, earth_search
from tests.catalogs.foreign_items import SENTINEL_2
from tests.curate.sources.told import assert_bands_as_told
from tests.servers import Recording, replay

HOST = "https://earth-search.aws.element84.com"
DAY = (datetime(2025, 7, 31, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC))
WORLD = (-180.0, -90.0, 180.0, 90.0)
FIRST = ["S2B_T20EPT_20250731T131905_L2A", "S2B_T24MUV_20250731T130245_L2A", "S2B_T24MVV_20250731T130245_L2A"]
SECOND = ["S2B_T24MWV_20250731T130245_L2A", "S2B_T24MXV_20250731T130245_L2A", "S2B_T24MUA_20250731T130245_L2A"]
LANDING = {
    "type": "Catalog", "stac_version": "1.0.0", "id": "earth-search-aws", "description": "A STAC API of public datasets on AWS",
    "conformsTo": [
        "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/collections",
        "https://api.stacspec.org/v1.0.0/item-search", "https://api.stacspec.org/v1.0.0/item-search#sort",
        "https://api.stacspec.org/v1.0.0/item-search#query",
    ],
    "links": [
        {"rel": "root", "type": "application/json", "href": f"{HOST}/v1"},
        {"rel": "data", "type": "application/json", "href": f"{HOST}/v1/collections"},
        {"rel": "search", "method": "GET", "type": "application/geo+json", "href": f"{HOST}/v1/search"},
        {"rel": "search", "method": "POST", "type": "application/geo+json", "href": f"{HOST}/v1/search"},
    ],
}  # fmt: skip


@pytest.fixture
def server(shared_data):
    """Two recorded pages behind a landing page; of the second the link to a third, which nobody recorded, is taken away."""
    folder = shared_data / "stac_recorded/api"
    first, second = (Recording.read(folder / name) for name in ("005_e84_v1_search.json", "006_e84_v1_search.json"))
    second.answer["links"] = [link for link in second.answer["links"] if link["rel"] != "next"]
    listed = Recording.read(folder / "003_e84_v1_collections.json")
    first.body = {}
    with replay([Recording("GET", "/v1", LANDING), listed, second, first], instead_of=HOST) as running:
        yield running


def recorded(server_answer, item_id):
    return next(item for item in server_answer["features"] if item["id"] == item_id)


def test_both_pages_are_read_and_collection_1_is_preferred(server):
    source = earth_search(address=f"{server.url}/v1")
    scenes = source.search("sentinel-2-l2a", WORLD, *DAY)
    assert sorted(scene.id for scene in scenes) == sorted(FIRST + SECOND)
    assert_bands_as_told("earth-search", scenes)
    assert [scene.datetime for scene in scenes] == sorted(scene.datetime for scene in scenes)
    posts = [(path, body) for method, path, body in server.requests if method == "POST"]
    assert [path for path, _ in posts] == ["/v1/search", "/v1/search"]
    assert posts[0][1]["collections"] == ["sentinel-2-c1-l2a", "sentinel-2-l2a"]
    assert posts[1][1] == {"next": "2025-07-31T13:03:25.899000Z,S2B_T24MVV_20250731T130245_L2A,sentinel-2-c1-l2a"}


def test_every_scene_has_all_bands_by_their_files_the_offset_and_what_the_record_needs(server, shared_data):
    scenes = earth_search(address=f"{server.url}/v1").search("sentinel-2-l2a", WORLD, *DAY)
    pages = [json.loads((shared_data / f"stac_recorded/api/{n}_e84_v1_search.json").read_text()) for n in ("005", "006")]
    answers = {item["id"]: item for page in pages for item in page["response"]["json"]["features"]}
    for scene in scenes:
        item = answers[scene.id]
        assert list(scene.bands) == [*SENTINEL_2, "scl"]
        for name, band in scene.bands.items():
            assert band.href.endswith(f"{scene.id}/{name.upper()}.tif")
            assert urlsplit(band.href).query == ""
            assert (band.scale, band.offset) == ((None, None) if name == "scl" else (1e-4, -0.1))
            assert (band.index, band.nodata) == (1, 0)
            assert band.checksum.startswith("1220")
        assert (scene.radiometry, scene.baseline, scene.platform) == ("metadata", "05.11", "sentinel-2b")
        assert (scene.epsg, scene.relative_orbit) == (item["properties"]["proj:epsg"], 95)
        assert scene.sun_elevation == item["properties"]["view:sun_elevation"]
        assert scene.sun_azimuth == item["properties"]["view:sun_azimuth"]
        assert scene.cloud_percent == item["properties"]["eo:cloud_cover"]
        assert scene.created == item["properties"]["s2:generation_time"]
        assert scene.href.endswith(f"/v1/collections/sentinel-2-c1-l2a/items/{scene.id}")


def test_a_box_and_a_limit_on_cloud_narrow_it(server):
    ceara = (-38.5, -4.8, -38.4, -4.7)
    every = earth_search(address=f"{server.url}/v1").search("sentinel-2-l2a", ceara, *DAY)
    assert [scene.id for scene in every] == ["S2B_T24MWV_20250731T130245_L2A"]
    assert every[0].cloud_percent == 25.342679
    limited = earth_search(address=f"{server.url}/v1", max_scene_cloud=25)
    assert limited.search("sentinel-2-l2a", ceara, *DAY) == []
    assert "query" not in server.requests[-2][2], "of a cloudy tile of one collection the other has a copy"


def test_the_older_collection_gives_the_tiles_that_collection_1_lacks(shared_data):
    page = Recording.read(shared_data / "stac_recorded/api/006_e84_v1_search.json")
    assert "S2B_24MXV_20250731_0_L2A" not in {scene.id for scene in found_in(page)}
    page.answer["features"] = [item for item in page.answer["features"] if item["id"] != "S2B_T24MXV_20250731T130245_L2A"]
    (filling,) = [scene for scene in found_in(page) if scene.id == "S2B_24MXV_20250731_0_L2A"]
    assert filling.bands["B04"].href.startswith(
        "https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/24/M/XV/"
    )
    assert filling.source == "earth-search"


def found_in(page, sensor="sentinel-2-l2a", days=DAY):
    """What one recorded page gives."""
    page.answer["links"], page.body = [], {}
    with replay([Recording("GET", "/v1", LANDING), page], instead_of=HOST) as running:
        return earth_search(address=f"{running.url}/v1").search(sensor, WORLD, *days)


@pytest.mark.parametrize(
    ("page", "sensor", "count", "href"),
    [
        ("006", "sentinel-2-l1c", 3, "s3://sentinel-s2-l1c/tiles/24/M/"),
        ("064", "landsat-c2-l2", 1, "s3://usgs-landsat/collection02/level-2/standard/oli-tirs/2023/033/032/"),
    ],
)
def test_what_its_requester_pays_for_is_found_with_an_account_alone(shared_data, aws, page, sensor, count, href):
    recording = Recording.read(shared_data / f"stac_recorded/api/{page}_e84_v1_search.json")
    ages = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    scenes = found_in(recording, sensor, ages)
    assert len(scenes) == count
    assert_bands_as_told("earth-search", scenes)
    assert all(band.href.startswith(href) for scene in scenes for band in scene.bands.values())
    aws.delenv("AWS_ACCESS_KEY_ID")
    words = rf"earth-search has no {sensor}\. Its files are in a bucket whose requester pays: AWS bills .* has it free"
    with pytest.raises(SourceSensorError, match=words):
        found_in(recording, sensor, ages)
    with pytest.raises(SourceSensorError, match="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"):
        found_in(recording, sensor, ages)


def test_without_an_account_another_source_may_stand_in_for_what_costs(aws):
    assert earth_search().sensors() == list(COLLECTIONS)
    aws.setenv("AWS_SKIP_SIGNATURE", "true")
    assert earth_search().sensors() == ["sentinel-2-l2a", "cop-dem-glo-30"]


def test_other_sensors_are_refused_with_what_it_has_and_without_a_request(server):
    source = earth_search(address=f"{server.url}/v1")
    words = (
        r"earth-search has no spot-ortho\. It has sentinel-2-l2a \(its collection sentinel-2-c1-l2a, sentinel-2-l2a\), "
        r"cop-dem-glo-30 \(its collection cop-dem-glo-30\)\. Choose another --sensor or --source\."
    )
    with pytest.raises(SourceSensorError, match=words):
        source.search("spot-ortho", WORLD, *DAY)
    words = r"has no sentinel-1-rtc\. Its collection sentinel-1-grd .* is read as sentinel-1-gec, .* has sentinel-1-rtc\."
    with pytest.raises(SourceSensorError, match=words):
        source.search("sentinel-1-rtc", WORLD, *DAY)
    assert server.requests == []


def test_what_it_says_of_itself_is_what_it_serves(monkeypatch):
    assert [product.sensor for product in ABOUT.products] == list(COLLECTIONS)
    assert [product.collection for product in ABOUT.products] == [", ".join(ids) for ids in COLLECTIONS.values()]
    assert ["AWS bills your account" in product.note for product in ABOUT.products] == [False, True, True, True, True, False]
    assert [product.access == PAID for product in ABOUT.products] == [False, True, True, True, True, False]
    assert PROVIDERS[ABOUT.name] == "curate.sources.earth_search"


def test_a_detail_is_a_typing_error():
    with pytest.raises(CurateError, match=r"Unknown source 'earth-search:me'\. Nothing follows its name; say 'earth-search'"):
        open_source("earth-search:me")


def test_it_is_checked_at_the_address_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("SEASTARS_EARTH_SEARCH_URL", f"{server.url}/v1")
    with pytest.raises(SourceUnavailableError, match="earth-search answers, but has no sentinel-2-l2a at"):
        check()
    assert server.requests[-1][2] == {"next": "2025-07-31T13:03:25.899000Z,S2B_T24MVV_20250731T130245_L2A,sentinel-2-c1-l2a"}


def test_the_same_api_by_its_address_serves_every_sensor_of_ours_that_it_lists(server, aws):
    source = open_source(f"{server.url}/v1")
    assert list(source.sensors()) == ["sentinel-2-l2a", "sentinel-2-l1c", "landsat-c2-l2", "naip", "cop-dem-glo-30"]
    scenes = source.search("sentinel-2-l1c", WORLD, *DAY)
    assert len(scenes) == 5
    assert all(list(scene.bands)[10] == "B10" for scene in scenes)


def test_it_is_the_source_of_that_name_at_its_public_address(monkeypatch):
    source = open_source("earth-search", max_scene_cloud=40)
    assert (source.name, source.simulated, source.max_scene_cloud) == ("earth-search", False, 40)
    assert f"{HOST}/v1" == ADDRESS

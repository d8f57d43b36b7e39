"""STAC APIs: a real server over the archive, and recorded landing pages that declare this or that."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from catalogs.errors import NotACatalogError
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.sources.stac_api import StacApiSource
from curate.sources.static_catalog import StaticCatalogSource
from tests.catalogs.foreign_items import asset, small_item
from tests.conftest import NOWHERE
from tests.curate.sources.archive import AGES, SENSORS, WORLD, archive_items
from tests.servers import Recording, replay, serve_api, serve_files

S2 = "sentinel-2-l2a"
CORE = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
EXTENDED = [*CORE, "https://api.stacspec.org/v1.0.0-rc.1/item-search#query", "https://api.stacspec.org/v1.0.0/item-search#sort"]
HERE = "http://api.test"


def landing(conforms=CORE, methods=("GET", "POST")):
    searches = [
        {"rel": "search", "href": f"{HERE}/search", "type": "application/geo+json", "method": method} for method in methods
    ]
    data = {"rel": "data", "href": f"{HERE}/collections", "type": "application/json"}
    root = {"rel": "root", "href": f"{HERE}/", "type": "application/json"}
    page = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "An API.", "conformsTo": conforms}
    return Recording("GET", "/", page | {"links": [root, data, *searches]})


def collections(*ids):
    return Recording("GET", "/collections", {"collections": [{"type": "Collection", "id": name} for name in ids], "links": []})


def items(*found, next_body=None, **options):
    links = [{"rel": "next", "href": f"{HERE}/search", "method": "POST", "body": next_body, "merge": True}] if next_body else []
    return Recording("POST", "/search", {"type": "FeatureCollection", "features": list(found), "links": links}, **options)


def item(name="a", **changes):
    found = small_item() | {"id": name, "assets": {"B04": asset("https://host/B04.tif")}}
    return found | {"properties": found["properties"] | changes}


def serve(*recordings):
    return replay(recordings, instead_of=HERE)


def everything(source, sensor=S2):
    return source.search(sensor, WORLD, *AGES)


def placeless(scene):
    """A scene without addresses and its source's name, which differ between servers."""
    bands = {name: replace(band, href=band.href.rpartition("/archive/")[2]) for name, band in scene.bands.items()}
    return replace(scene, href=None, source=None, bands=bands)


def test_a_real_api_gives_the_scenes_of_the_archive_over_several_pages(shared_data):
    archive = shared_data / "archive"
    static = StaticCatalogSource(str(archive))
    with serve_api(archive_items(archive, archive.as_posix())) as url:
        source = StacApiSource(url)
        assert source.name == url
        assert not source.simulated
        assert list(source.sensors()) == list(SENSORS)
        for sensor, count in SENSORS.items():
            scenes = everything(source, sensor)
            assert len(scenes) == count
            assert [placeless(scene) for scene in scenes] == [placeless(scene) for scene in everything(static, sensor)]
            assert all(scene.href.startswith(f"{url}/collections/{sensor}/items/") for scene in scenes)
        assert source.skipped == {}


def test_a_real_api_narrows_by_box_time_and_cloud_as_the_static_catalog_does(shared_data):
    archive = shared_data / "archive"
    flanders = (3.02, 50.81, 3.03, 50.82)
    spans = [
        (datetime(2017, 9, 1, tzinfo=UTC), datetime(2017, 12, 1, tzinfo=UTC)),
        (datetime(2017, 9, 3, 10, 55, 15, tzinfo=UTC), datetime(2017, 9, 23, tzinfo=UTC)),
        (datetime(2017, 8, 20, tzinfo=UTC), datetime(2017, 9, 3, 10, 55, 15, tzinfo=UTC)),
    ]
    counts = []
    with serve_api(archive_items(archive, archive.as_posix())) as url:
        for limit in (100, 20):
            remote, local = StacApiSource(url, max_scene_cloud=limit), StaticCatalogSource(str(archive), max_scene_cloud=limit)
            for span in spans:
                ids = [scene.id for scene in remote.search(S2, flanders, *span)]
                assert ids == [scene.id for scene in local.search(S2, flanders, *span)]
                counts.append(len(ids))
    assert min(counts[:3]) > 0
    assert 0 < counts[3] < counts[0]


def test_pixels_of_a_web_server_behind_an_api_equal_those_of_the_folder(shared_data):
    archive = shared_data / "archive"
    with serve_files(archive) as files, serve_api(archive_items(archive, files)) as url:
        source, local = StacApiSource(url), StaticCatalogSource(str(archive))
        for sensor in SENSORS:
            for there, here in list(zip(everything(source, sensor), everything(local, sensor), strict=True))[::25]:
                for name, band in there.bands.items():
                    with source.open(band) as raster, local.open(here.bands[name]) as file:
                        assert band.href.startswith(files)
                        assert np.array_equal(raster.read((5, 7, 20, 20)), file.read((5, 7, 20, 20)))


def test_several_threads_search_at_once(shared_data):
    archive = shared_data / "archive"
    with serve_api(archive_items(archive, archive.as_posix())) as url:
        source = StacApiSource(url)
        with ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(lambda sensor: len(everything(source, sensor)), [*SENSORS] * 8))
    assert counts == [*SENSORS.values()] * 8


def test_what_is_too_cloudy_in_the_preferred_collection_is_no_gap_for_another_to_fill():
    """Two collections state another cloud cover of one tile; the limit lies between them."""
    c1 = "sentinel-2-c1-l2a"
    tile = {"grid:code": "MGRS-31UDQ"}
    new = item("new", **{"eo:cloud_cover": 31}, **tile) | {"collection": c1}
    old = item("old", **{"eo:cloud_cover": 29}, **tile) | {"collection": S2}
    with serve(landing(EXTENDED), collections(S2), items(new, old)) as server:
        source = StacApiSource(server.url, collections={S2: (c1, S2)}, max_scene_cloud=30)
        assert everything(source) == []
        assert "query" not in server.requests[-1][2]
        assert [scene.id for scene in everything(StacApiSource(server.url, collections={S2: (c1, S2)}))] == ["new"]


def test_cloud_and_order_are_asked_only_where_they_are_declared():
    answer = items(item("a", **{"eo:cloud_cover": 31}), item("b", **{"eo:cloud_cover": 30}), item("c"))
    for conforms, asked in ((CORE, set()), (EXTENDED, {"query", "sortby"})):
        with serve(landing(conforms), collections(S2), answer) as server:
            assert [scene.id for scene in everything(StacApiSource(server.url, max_scene_cloud=30))] == ["b", "c"]
            body = server.requests[-1][2]
            assert set(body) == {"bbox", "collections", "datetime", "limit"} | asked
            assert body["collections"] == [S2]
            assert body["bbox"] == list(WORLD)
            assert body["datetime"] == "2000-01-01T00:00:00Z/2100-01-01T00:00:00Z"
            if asked:
                assert body["query"] == {"eo:cloud_cover": {"lte": 30}}
                assert body["sortby"] == [{"field": "properties.datetime", "direction": "asc"}]


def test_fractions_of_a_second_and_other_zones_reach_the_api():
    zone = timezone(timedelta(hours=2))
    start, end = datetime(2023, 7, 14, 2, 0, 0, 500000, zone), datetime(2023, 7, 15, 1, 59, 59, 250000, zone)
    with serve(landing(), collections(S2), items(item())) as server:
        assert [scene.id for scene in StacApiSource(server.url).search(S2, WORLD, start, end)] == ["a"]
        assert server.requests[-1][2]["datetime"] == "2023-07-14T00:00:00.500000Z/2023-07-14T23:59:59.250000Z"


def test_cloud_is_not_asked_where_no_limit_is_set_or_the_sensor_sees_none():
    with serve(landing(EXTENDED), collections(S2, "sentinel-1-rtc"), items(item())) as server:
        everything(StacApiSource(server.url))
        everything(StacApiSource(server.url, max_scene_cloud=30), "sentinel-1-rtc")
        assert all("query" not in body for _, _, body in server.requests)


def test_all_pages_are_followed_and_an_item_on_two_is_one_scene():
    pages = (
        items(item("c"), body={"token": "3"}),
        items(item("b"), item("a"), next_body={"token": "3"}, body={"token": "2"}),
        items(item("a"), next_body={"token": "2"}),
    )
    with serve(landing(), collections(S2), *pages) as server:
        assert [scene.id for scene in everything(StacApiSource(server.url))] == ["a", "b", "c"]
        assert [body.get("token") for method, _, body in server.requests if method == "POST"] == [None, "2", "3"]


def test_an_api_that_ignores_what_it_is_asked_is_filtered_here():
    far = item("far") | {"geometry": {"type": "Polygon", "coordinates": [[[50, 0], [51, 0], [51, 1], [50, 0]]]}}
    other = item("other") | {"collection": "sentinel-2-l1c"}
    end = datetime(2023, 7, 15, tzinfo=UTC)
    late = item("late", datetime="2023-07-15T00:00:00Z")
    last = item("last", datetime="2023-07-14T23:59:59.999999Z")
    vintage = item("vintage", datetime=None, start_datetime="2023-01-01T00:00:00Z", end_datetime="2024-01-01T00:00:00Z")
    with serve(landing(), collections(S2, "sentinel-2-l1c"), items(far, other, late, last, vintage)) as server:
        scenes = StacApiSource(server.url).search(S2, (2, 48, 3, 49), end - timedelta(days=1), end)
    assert [scene.id for scene in scenes] == ["vintage", "last"]


def test_a_search_is_sent_as_get_where_nothing_else_is_offered():
    answer = replace(items(item()), method="GET")
    with serve(landing(methods=("GET",)), collections(S2), answer) as server:
        assert [scene.id for scene in everything(StacApiSource(server.url))] == ["a"]
        assert server.requests[-1][0] == "GET"


@pytest.mark.parametrize(
    ("ids", "chosen"),
    [
        (("sentinel-2-c1-l2a", "sentinel-2-l2a"), "sentinel-2-l2a"),
        (("sentinel-2-pre-c1-l2a", "sentinel-2-c1-l2a"), "sentinel-2-c1-l2a"),
        (("naip", "sentinel-s2-l2a-cogs"), "sentinel-s2-l2a-cogs"),
    ],
)
def test_the_collection_of_the_sensor_s_own_id_serves_it_or_else_an_alias(ids, chosen):
    with serve(landing(), collections(*ids), items()) as server:
        everything(StacApiSource(server.url))
        assert server.requests[-1][2]["collections"] == [chosen]


def test_a_collection_of_another_name_serves_a_sensor_by_its_summaries():
    mine = {"type": "Collection", "id": "mine", "summaries": {"constellation": ["sentinel-2"], "processing:level": ["L2A"]}}
    listed = Recording("GET", "/collections", {"collections": [mine], "links": []})
    with serve(
        landing(),
        listed,
        items(item() | {"collection": "mine", "properties": item()["properties"] | {"processing:level": "L2A"}}),
    ) as server:
        assert [scene.id for scene in everything(StacApiSource(server.url))] == ["a"]


def test_collections_that_are_given_are_not_asked_for_unless_their_terms_matter():
    with serve(landing(), Recording("GET", "/collections/ours", {"type": "Collection", "id": "ours"})) as server:
        assert StacApiSource(server.url, collections={S2: "ours"}).sensors() == [S2]
        assert server.requests == []
        source = StacApiSource(server.url, collections={S2: "ours"}, asks_terms=True)
        assert source.sensors() == source.sensors() == [S2]
        assert [path for _, path, _ in server.requests] == ["/", "/collections/ours"]
        assert source.terms == {}


def test_a_collection_that_is_given_and_is_not_there_is_told_with_a_guess():
    many = [f"theirs-{number}" for number in range(14)]
    words = r"^mine has no collection 'ors'\. It has ours, theirs-0, .*theirs-10 and 3 more\. Did you mean 'ours'\?$"
    with serve(landing(), collections("ours", *many)) as server:
        source = StacApiSource(server.url, name="mine", collections={S2: ("ours", "ors")}, asks_terms=True)
        with pytest.raises(SourceSensorError, match=words):
            source.sensors()
        assert StacApiSource(server.url, collections={S2: "ours"}, asks_terms=True).sensors() == [S2]


def test_an_api_that_tells_nothing_of_its_collections_is_searched_all_the_same():
    with serve(landing(), items(item())) as server:
        source = StacApiSource(server.url, collections={S2: S2}, asks_terms=True)
        assert source.sensors() == [S2]
        assert len(source.search(S2, WORLD, *AGES)) == 1


def test_a_list_of_collections_over_several_pages_is_read_to_its_end():
    first = {"collections": [{"id": "naip"}], "links": [{"rel": "next", "href": f"{HERE}/collections/more"}]}
    pages = (
        Recording("GET", "/collections", first),
        Recording("GET", "/collections/more", {"collections": [{"id": S2}], "links": []}),
    )
    with serve(landing(), *pages) as server:
        assert list(StacApiSource(server.url).sensors()) == [S2, "naip"]


def test_a_sensor_that_the_api_lacks_is_told_with_those_it_has():
    with serve(landing(), collections("sentinel-2-c1-l2a", "modis-13q1-061")) as server:
        words = (
            r"has no naip\. Of its collections modis-13q1-061 we do not know the sensor: a mapping file \(\*\.toml\) can say "
            r"it\. It has sentinel-2-l2a \(its collection sentinel-2-c1-l2a\)\. Choose another --sensor or --source\."
        )
        with pytest.raises(SourceSensorError, match=words):
            everything(StacApiSource(server.url), "naip")
    words = r"It has no collection of a sensor that we know\."
    with serve(landing(), collections("cop-dem-glo-90")) as server, pytest.raises(SourceSensorError, match=words):
        everything(StacApiSource(server.url), "naip")


def test_items_of_no_use_are_counted():
    old = item("old", platform="landsat-7") | {"collection": "landsat-c2-l2"}
    with serve(landing(), collections("landsat-c2-l2"), items(old)) as server:
        source = StacApiSource(server.url)
        assert everything(source, "landsat-c2-l2") == []
        assert source.skipped == {"old": "collection landsat-c2-l2, landsat-7: no sensor of ours"}


def test_a_busy_api_is_asked_again_by_post_too(quick):
    recordings = (items(status=503, times=2), items(item()))
    with serve(landing(), collections(S2), *recordings) as server:
        assert [scene.id for scene in everything(StacApiSource(server.url))] == ["a"]


def test_an_api_that_breaks_on_large_pages_is_asked_for_small_ones(quick):
    answers = (items(item(), body={"limit": 20}), items(status=502))
    with serve(landing(), collections(S2), *answers) as server:
        assert [scene.id for scene in everything(StacApiSource(server.url))] == ["a"]


@pytest.mark.parametrize(
    ("status", "tries", "words"),
    [
        (400, 1, r"refuses what it was asked \(HTTP 400: .*the limit is 7.*: check the address"),
        (429, 6, r"limits how often it is asked \(HTTP 429: .*the limit is 7.* again in some minutes"),
        (503, 6, r"has a fault \(HTTP 503: .*the limit is 7.* again later"),
    ],
)
def test_an_api_that_fails_is_unavailable_and_says_why(quick, status, tries, words):
    refusal = Recording("POST", "/search", {"description": "the limit is 7"}, status=status)
    with serve(landing(), collections(S2), refusal) as server:
        with pytest.raises(SourceUnavailableError, match=words) as caught:
            everything(StacApiSource(f"{server.url}/?token=hidden"))
        assert "hidden" not in str(caught.value)
        assert len([method for method, _, _ in server.requests if method == "POST"]) == tries


@pytest.mark.parametrize("status", [401, 403])
def test_an_api_that_refuses_whoever_asks_says_where_an_account_is_given(status, quick):
    refusal = Recording("POST", "/search", {"description": "log in"}, status=status)
    words = rf"refuses whoever asks \(HTTP {status}: .*log in.*\)\. .* in ~/\.netrc .*: check that account and its rights"
    with serve(landing(), collections(S2), refusal) as server, pytest.raises(SourceUnavailableError, match=words):
        everything(StacApiSource(server.url))


def test_what_an_api_says_is_not_repeated_where_it_holds_a_secret(quick):
    refusal = Recording("POST", "/search", {"description": "Bearer abcdefgh1234 is stale"}, status=403)
    with serve(landing(), collections(S2), refusal) as server, pytest.raises(SourceUnavailableError, match=r"\(HTTP 403\)"):
        everything(StacApiSource(server.url))


def test_an_address_where_nobody_listens_is_unavailable(quick):
    source = StacApiSource(f"{NOWHERE.replace('//', '//ada:pw@')}/v1?sig=hidden")
    with pytest.raises(
        SourceUnavailableError, match=r"^http://127\.0\.0\.1:9/v1 cannot be reached \(no connection\)\. Check the address"
    ) as caught:
        source.sensors()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("answer", [{"hello": 1}, b"<html>", {"type": "Feature", "stac_version": "1.0.0"}, [1]])
def test_an_address_that_answers_something_else_is_no_api(answer):
    words = r"answers, but not as a STAC API does .* Expected a landing page"
    with serve(Recording("GET", "/", answer)) as server, pytest.raises(NotACatalogError, match=words):
        StacApiSource(server.url).sensors()

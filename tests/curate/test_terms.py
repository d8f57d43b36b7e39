"""Terms of the sources that a recipe names, by the names that items have of them."""

import json

import pytest

from catalogs import layout
from catalogs.terms import NOTICE_AFTER, SourceTerms
from catalogs.testing import make_catalog, make_locations
from catalogs.writer import GEONAMES_NOTICE
from curate.errors import CurateError, SourceUnavailableError
from curate.sources import earth_search, open_source
from curate.sources.failover import FailoverSource
from curate.sources.member import UnopenedSource
from curate.terms import terms_of, terms_of_parts
from tests.servers import serve_api, serve_files

S2 = "sentinel-2-l2a"
HOST = {"name": "Example host", "roles": ["host"]}
FORBIDDEN = SourceTerms((HOST,), "other", "Example archive", is_redistributable=False)
MAPPING = """
api = "http://127.0.0.1:1/stac"
title = "Example archive"
name = "example"

[sensors.sentinel-2-l2a]
collection = "s2"
license = "CC-BY-NC-4.0"
attribution = "Example archive 2024"
redistributable = false

[sensors.naip]
collection = "naip"
"""


@pytest.fixture
def mapping(tmp_path):
    path = tmp_path / "archive.toml"
    path.write_text(MAPPING)
    return path


def known_of(text):
    return terms_of(open_source(text))


def test_a_provider_is_named_as_the_host():
    found = known_of("earth-search")("earth-search", S2)
    assert found == SourceTerms((earth_search.ABOUT.host,))
    assert known_of("earth-search,planetary-computer")("earth-search:detail", S2) == found


def test_of_another_source_nothing_is_known():
    assert known_of("earth-search")("another", S2) == SourceTerms()
    assert known_of("earth-search")("https://stac.example.org/v1", S2) == SourceTerms()


@pytest.mark.parametrize("name", ["archive.toml", "Archive.TOML", "a,b.toml"])
def test_a_mapping_file_has_terms_of_its_own_for_each_sensor(tmp_path, name):
    (tmp_path / name).write_text(MAPPING)
    stored = open_source(str(tmp_path / name)).name
    assert "#" in stored
    host = ({"name": "Example archive", "roles": ["host"]},)
    for source in (str(tmp_path / name), stored, *([] if "," in name else [f"earth-search,{stored}"])):
        find = known_of(source)
        assert find("example", S2) == SourceTerms(host, "CC-BY-NC-4.0", "Example archive 2024", is_redistributable=False)
        assert find("example", "naip") == SourceTerms(host)


@pytest.fixture
def ours(tmp_path):
    """A catalog of ours that must not be handed on, with the words and the host of its own source."""
    folder = make_catalog(tmp_path / "ours", locations=make_locations(1, side_m=120), seasons=1)
    path = folder / S2 / layout.COLLECTION
    document = json.loads(path.read_text())
    asked = {"seastars:redistributable": False, "license": "other", "providers": [*document["providers"], HOST]}
    title = document["description"].partition(NOTICE_AFTER)[0]
    words = f"{title}{NOTICE_AFTER}Example archive. {GEONAMES_NOTICE}"
    path.write_text(json.dumps(document | asked | {"description": words}))
    return folder


def places_of(folder):
    """What a user may name of a catalog: its folder, its files, one collection, one square, one item."""
    item = next(folder.glob(f"{S2}/*/*/*.json"))
    within = [path.relative_to(folder).as_posix() for path in (item.parent.parent / layout.CATALOG, item)]
    return ["", layout.CATALOG, f"{S2}/{layout.COLLECTION}", *within]


def test_a_catalog_of_ours_hands_on_what_it_must_not_by_whatever_it_is_named(ours):
    for place in places_of(ours):
        source = open_source(str(ours / place))
        assert terms_of(source)(source.name, S2) == FORBIDDEN, place
        assert terms_of(source)(source.name, "naip") == SourceTerms()


def test_a_catalog_of_ours_behind_a_server_hands_it_on_too(ours):
    with serve_files(ours) as url:
        for place in places_of(ours):
            source = open_source(f"{url}/{place}{'?token=hidden' if place else ''}")
            assert "hidden" not in source.name
            assert terms_of(source)(source.name, S2) == FORBIDDEN, place
            both = open_source(f"earth-search,{url}/{place}")
            assert terms_of(both)(source.name, S2) == FORBIDDEN


def behind_an_api(folder, name=S2):
    """The catalog behind a STAC API (rustac's), its collection under a name of the API's own."""
    items = [json.loads(path.read_text()) for path in folder.glob(f"{S2}/*/*/*.json")]
    collection = json.loads((folder / S2 / layout.COLLECTION).read_text())
    return serve_api([{**item, "links": [], "collection": name} for item in items], [{**collection, "id": name, "links": []}])


def test_a_catalog_of_ours_behind_an_api_hands_it_on_too(ours):
    with behind_an_api(ours) as url:
        for text in (url, f"earth-search,{url}"):
            source = open_source(text)
            find = terms_of(source)
            assert find(url, S2) == SourceTerms()
            assert S2 in source.sensors()
            assert find(url, S2) == FORBIDDEN
            assert find(url, "naip") == SourceTerms()


def test_a_mapping_of_an_api_of_such_a_catalog_allows_nothing(ours, tmp_path):
    path = tmp_path / "mine.toml"
    with behind_an_api(ours, "theirs") as url:
        path.write_text(f'api = "{url}"\ntitle = "Mine"\n[sensors.{S2}]\ncollection = "theirs"\nredistributable = true\n')
        source = open_source(str(path))
        find = terms_of(source)
        assert source.sensors() == [S2]
    mine = {"name": "Mine", "roles": ["host"]}
    assert find("mine", S2) == SourceTerms((mine, HOST), "other", "Example archive", is_redistributable=False)


@pytest.mark.parametrize("said", ["", 'license = "CC-BY-4.0"\nattribution = "My words"\nredistributable = true'])
def test_a_mapping_of_such_a_catalog_allows_nothing(ours, tmp_path, said):
    path = tmp_path / "mine.toml"
    path.write_text(f'catalog = "{ours}"\ntitle = "Mine"\n[sensors.{S2}]\ncollection = "{S2}"\n{said}\n')
    license_, words = ("CC-BY-4.0", "My words") if said else ("other", "Example archive")
    hosts = ({"name": "Mine", "roles": ["host"]}, HOST)
    for text in (str(path), f"{path},earth-search"):
        assert known_of(text)("mine", S2) == SourceTerms(hosts, license_, words, is_redistributable=False)


def test_an_address_that_is_opened_later_tells_then(ours):
    address = "https://stac.example.org/catalog.json"

    def opener(text, *, max_scene_cloud):
        assert text == address
        return open_source(str(ours), max_scene_cloud=max_scene_cloud)

    late = UnopenedSource(address, SourceUnavailableError("It answers 503."), opener, max_scene_cloud=100)
    find = terms_of(FailoverSource([late, open_source("earth-search")]))
    assert find(address, S2) == SourceTerms()
    with pytest.raises(SourceUnavailableError):
        late.sensors()
    late.sensors()
    assert find(address, S2) == FORBIDDEN


def test_a_mapping_file_that_is_gone_is_an_error(mapping):
    source = open_source(str(mapping))
    mapping.unlink()
    with pytest.raises(CurateError, match=r"archive\.toml"):
        terms_of(source)


def test_parts_tell_of_sources_that_are_not_here(ours):
    collection = json.loads((ours / S2 / layout.COLLECTION).read_text())
    free = collection | {"license": "other", "providers": collection["providers"][:1]}
    free.pop("seastars:redistributable")
    find = terms_of_parts({S2: [free, collection], "naip": []}, [GEONAMES_NOTICE])
    assert find("/elsewhere/archive", S2) == FORBIDDEN
    assert find("earth-search", S2) == SourceTerms((earth_search.ABOUT.host,), is_redistributable=False)
    assert find("/elsewhere/archive", "naip") == SourceTerms()


def test_nobody_elses_catalog_is_followed_upwards(ours):
    """A request more of a server that may not answer it; what another's collections say is not read as ours."""
    path = ours / S2 / layout.COLLECTION
    document = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in document.items() if not key.startswith("seastars:")}))
    square = next(ours.glob(f"{S2}/*/{layout.CATALOG}"))
    assert open_source(str(square)).terms == {}
    square.write_text(json.dumps(json.loads(square.read_text()) | {"description": "Somebody's."}))
    path.unlink()
    assert open_source(str(square)).skipped == {}

"""What a user may name as a source, and the words for what nobody knows."""

import json

import pytest

from catalogs.errors import NotACatalogError
from curate.errors import CurateError, SourceUnavailableError
from curate.sources import PROVIDERS, open_source
from curate.sources.archives.mosaics import MosaicSource
from curate.sources.protocol import for_sensors
from curate.sources.stac_api import StacApiSource
from curate.sources.static_catalog import StaticCatalogSource
from tests.catalogs.foreign_items import asset, small_item
from tests.conftest import NOWHERE
from tests.curate.sources.archive import archive_items
from tests.servers import Recording, replay, serve_api

CATALOG = {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "description": "", "links": []}


WANTING = {"cdse": "Register at", "earth-engine": "project", "sentinelsat": "hub"}
"""Providers that are not opened without the user's account, project or hub, and a word of what they ask for."""


def test_each_name_opens_a_source_of_that_name_without_a_request(monkeypatch):
    for name in ("CDSE_S3_ACCESS_KEY", "CDSE_USERNAME", "CDSE_TOKEN", "AWS_ENDPOINT_URL", "EARTHENGINE_PROJECT", "DHUS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in PROVIDERS:
        if name in WANTING:
            with pytest.raises(CurateError, match=WANTING[name]):
                open_source(name)
            continue
        source = open_source(name)
        assert source.name == name
        assert source.simulated is (name == "simulated")


def test_a_path_opens_a_static_catalog_under_the_name_as_given(shared_data, monkeypatch):
    monkeypatch.chdir(shared_data)
    for text in ("archive", "./archive/catalog.json", str(shared_data / "archive")):
        source = open_source(text, max_scene_cloud=30)
        assert isinstance(source, StaticCatalogSource)
        assert (source.name, source.max_scene_cloud) == (text, 30)


def test_an_address_opens_an_api_or_a_static_catalog_by_what_its_root_says(shared_data):
    archive = shared_data / "archive"
    with serve_api(archive_items(archive, archive.as_posix())) as url:
        api = open_source(url, max_scene_cloud=30)
        assert isinstance(for_sensors(api, ["sentinel-2-l2a", "landsat-c2-l2"]), StacApiSource)
        assert isinstance(for_sensors(api, ["sentinel-2-l2a", "naip"]), MosaicSource)
        assert (api.name, api.max_scene_cloud) == (url, 30)
    searchable = CATALOG | {"links": [{"rel": "search", "href": "/search"}]}
    recordings = [Recording("GET", "/catalog.json", CATALOG), Recording("GET", "/old", searchable)]
    with replay(recordings) as server:
        static = open_source(f"{server.url}/catalog.json?token=hidden")
        assert isinstance(static, StaticCatalogSource)
        assert static.name == f"{server.url}/catalog.json"
        assert isinstance(for_sensors(open_source(f"{server.url}/old"), ["sentinel-2-l2a"]), StacApiSource)
        assert open_source(f"{server.url}/old?sig=hidden").name == f"{server.url}/old"


def test_orthophotos_are_mosaics_wherever_their_files_are_found(tmp_path, monkeypatch):
    """Of the two providers that have them, and of a catalog; a catalog without any is opened as it is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    photo = small_item() | {"collection": "naip", "assets": {"image": asset("./a.tif", **{"eo:bands": [{"name": "red"}]})}}
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [photo]}))
    for name in ("planetary-computer", "earth-search", str(path)):
        source = open_source(name)
        assert "naip" in source.sensors()
        assert isinstance(for_sensors(source, ["naip"]), MosaicSource)
        assert not isinstance(for_sensors(source, ["sentinel-2-l2a"]), MosaicSource)


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("earth_search", "Did you mean 'earth-search'?"),
        ("eartsearch", "Did you mean 'earth-search'?"),
        ("simulate", "Did you mean 'simulated'?"),
        ("earth-search/", "Did you mean 'earth-search'?"),
        ("Earth Search", "Did you mean 'earth-search'?"),
        ("Copernicus Data Space", "Did you mean 'cdse'?"),
        ("gee", "Did you mean 'earth-engine'?"),
        ("nowhere", "There is no such path."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones_and_a_guess(text, guess):
    with pytest.raises(CurateError) as caught:
        open_source(text)
    assert str(caught.value) == (
        f"Unknown source {text!r}. Choose from: {', '.join(PROVIDERS)}, the http(s) address of a STAC API or catalog, "
        f"or the path of a catalog or mapping file (*.toml). {guess}"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "earth-search planetary-computer",
            "Several sources have commas between them: --source earth-search,planetary-computer",
        ),
        ("earth-search;cdse", "Several sources have commas between them: --source earth-search,cdse"),
        ("stac.example.org/v1", "An address begins with https:// or http://. Did you mean 'https://stac.example.org/v1'?"),
        ("htps://stac.example.org/v1", "Did you mean 'https://stac.example.org/v1'?"),
        (
            "s3://bucket/catalog.json",
            "A catalog is searched over http(s) or in a folder, not by s3://. Name its https:// address",
        ),
        ("nowhere/at/all", "There is no such path. Expected that of a STAC catalog, of a folder of Sentinel-2 products"),
        ("me:planted@stac.example.org/v1", "Unknown source 'stac.example.org/v1'."),
    ],
)
def test_what_is_written_in_a_wrong_way_is_told_with_the_right_one(text, words):
    with pytest.raises(CurateError, match=r"^Unknown source") as caught:
        open_source(text)
    assert words in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sensor"), [("sentinel-2-l2a", "sentinel-2-l2a"), ("naip", "naip"), ("landsat-c2", "landsat-c2-l2")]
)
def test_a_sensor_in_a_source_s_place_is_told(text, sensor):
    with pytest.raises(CurateError, match=rf"--source is '{text}', as sensors are called.*Say --sensor {sensor}, and --source"):
        open_source(text)


@pytest.mark.parametrize("text", ["", " "])
def test_a_source_without_a_name_is_not_the_folder_at_hand(text):
    with pytest.raises(CurateError, match=r"--source is empty\. Choose from: earth-search.*Leave it out for earth-search"):
        open_source(text)


def test_nothing_is_said_to_what_is_simulated():
    with pytest.raises(CurateError, match=r"Unknown source 'simulated:3'\. Nothing follows its name; say 'simulated'"):
        open_source("simulated:3")


def test_an_address_where_nobody_listens_is_unavailable(quick):
    with pytest.raises(SourceUnavailableError, match=r"^http://127\.0\.0\.1:9 cannot be reached") as caught:
        open_source(NOWHERE)
    assert caught.value.exit_code == 4


def test_an_address_that_is_no_stac_is_named_with_what_it_gives():
    with (
        replay([Recording("GET", "/", b"<html>Hello</html>")]) as server,
        pytest.raises(NotACatalogError, match=r"is no STAC catalog: it gives text that is not JSON \(it begins '<html>Hello"),
    ):
        open_source(f"{server.url}/")


def test_an_address_within_an_api_is_answered_with_its_root():
    root = {"rel": "root", "href": "../"}
    collection = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": "s2",
        "links": [root, {"rel": "items", "href": "./items"}],
    }
    recordings = [
        Recording("GET", "/collections", {"collections": [collection]}),
        Recording("GET", "/collections/s2", collection),
    ]
    with replay(recordings) as server:
        with pytest.raises(NotACatalogError, match=r"/collections is an API's list of collections\. Expected its root"):
            open_source(f"{server.url}/collections")
        words = rf"/s2 is one collection of an API, 's2', and cannot be .* root, {server.url}/: name that\..*mapping file"
        with pytest.raises(NotACatalogError, match=words):
            open_source(f"{server.url}/collections/s2")


def test_a_folder_or_a_file_that_is_no_stac_is_named(tmp_path):
    with pytest.raises(NotACatalogError, match=r"is a folder without catalog\.json or collection\.json"):
        open_source(str(tmp_path))
    (tmp_path / "notes.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(
        NotACatalogError, match=r"notes\.json is no STAC catalog: it gives JSON without stac_version \(its fields: a\)"
    ):
        open_source(str(tmp_path / "notes.json"))

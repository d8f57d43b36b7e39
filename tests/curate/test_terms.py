"""Terms of the sources that a recipe names, by the names that items have of them."""

import json

import pytest

from catalogs import layout
from catalogs.terms import SourceTerms
from catalogs.testing import make_catalog, make_locations
from curate.errors import CurateError
from curate.sources import earth_search, open_source
from curate.terms import terms_of

S2 = "sentinel-2-l2a"
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


def test_a_provider_is_named_as_the_host():
    found = terms_of("earth-search")("earth-search", S2)
    assert found == SourceTerms(earth_search.ABOUT.host)
    assert terms_of("earth-search:detail")("earth-search:detail", S2) == found


def test_of_an_address_nothing_is_known():
    assert terms_of("https://stac.example.org/v1")("https://stac.example.org/v1", S2) == SourceTerms()
    assert terms_of("earth-search")("another", S2) == SourceTerms()


def test_a_mapping_file_has_terms_of_its_own_for_each_sensor(mapping):
    name = f"earth-search,{open_source(str(mapping)).name}"
    assert "#" in name
    find, host = terms_of(name), {"name": "Example archive", "roles": ["host"]}
    assert find("example", S2) == SourceTerms(host, "CC-BY-NC-4.0", "Example archive 2024", is_redistributable=False)
    assert find("example", "naip") == SourceTerms(host)
    assert find("earth-search", S2).host == earth_search.ABOUT.host


def test_a_catalog_of_ours_hands_on_what_it_must_not(tmp_path):
    folder = make_catalog(tmp_path / "ours", locations=make_locations(1, side_m=120), seasons=1)
    name = open_source(str(folder)).name
    assert terms_of(name)(name, S2) == SourceTerms(license="CC0-1.0")
    path = folder / S2 / layout.COLLECTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seastars:redistributable": False, "license": "other"}))
    assert terms_of(f"earth-search,{name}")(name, S2) == SourceTerms(license="other", is_redistributable=False)
    assert terms_of(name)(name, "naip") == SourceTerms()


def test_a_mapping_file_that_is_gone_is_an_error(mapping):
    name = open_source(str(mapping)).name
    mapping.unlink()
    with pytest.raises(CurateError, match=r"archive\.toml"):
        terms_of(name)

"""Which providers have which sensors, by what they say of themselves."""

import pytest

from catalogs.bands import SENSORS
from curate.errors import SourceSensorError
from curate.sources import PROVIDERS, open_source
from curate.sources.offers import check_offered, choice, providers_with

ASK_NOTHING = ("earth-search", "planetary-computer", "geoplateforme", "simulated")
"""Providers that open without an account of the user's, and whose sensors are known without a request."""


def test_what_providers_say_they_have_is_what_their_sources_have(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for name in ASK_NOTHING[:-1]:
        for sensor in open_source(name).sensors():
            assert name in providers_with(sensor)
    known = {sensor for sensor in SENSORS if providers_with(sensor)}
    assert {"sentinel-2-l2a", "landsat-c2-l2", "naip", "spot-ortho"} <= known
    assert "eurosat-rgb" not in known


def test_what_is_rendered_is_nowhere_to_be_had():
    assert "simulated" in PROVIDERS
    assert "simulated" not in providers_with("sentinel-2-l2a")


@pytest.mark.parametrize("text", ["cdse", "cdse:me", "cdse,geoplateforme"])
def test_a_sensor_that_no_provider_that_is_named_has_is_refused_with_who_has_it(text):
    check_offered(text, ["sentinel-2-l2a"])
    words = r"has no naip\. It has: sentinel-2-l2a, .*--source for naip: earth-search, planetary-computer\.$"
    with pytest.raises(SourceSensorError, match=words):
        check_offered(text, ["sentinel-2-l2a", "naip"])


def test_nothing_is_known_of_an_archive_of_the_user_s_own():
    check_offered("cdse,https://stac.example.org", ["naip"])
    check_offered("mine.toml", ["naip"])


def test_a_sensor_of_a_data_set_is_had_nowhere():
    assert choice("eurosat-rgb", ["naip"]) == "It has: naip. Choose one of them with --sensor, or another --source."
    assert choice("spot-ortho", []) == "Choose another --source for spot-ortho: geoplateforme."

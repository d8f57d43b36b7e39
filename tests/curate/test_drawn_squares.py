"""What squares cost that are drawn anew, beside scenes in files."""

from types import SimpleNamespace

import pytest

from catalogs.testing import make_locations
from curate.drawn_squares import with_drawn_squares
from curate.plan import Forecast, SensorForecast

WANTED = SimpleNamespace(sensors={"a": [SimpleNamespace(name="red"), SimpleNamespace(name="nir")]})
PLACES = make_locations(2)


class Drawing:
    """A source that draws squares."""

    name = "drawing"

    def square_cost(self, sensor, bands, side_m):
        assert (sensor, bands, side_m) == ("a", ["red", "nir"], PLACES[0].side_m)
        return 3.0, 1000.0


class Joined:
    """Sources beside each other."""

    name = "drawing,files"
    sources = (Drawing(), SimpleNamespace(name="files"))


def told(**by_source):
    sensor = SensorForecast(
        scenes=sum(by_source.values()), patches=40.0, requests=100.0, bytes=8e6, decoded_bytes=2e6, scenes_by_source=by_source
    )
    return Forecast(2, 4, {"a": sensor})


def test_what_is_drawn_costs_what_its_source_says_for_each_patch():
    each = with_drawn_squares(told(drawing=1.0), Drawing(), WANTED, PLACES).sensors["a"]
    assert (each.requests, each.bytes, each.decoded_bytes, each.is_sampled) == (120, 40_000, 40_000, True)


def test_beside_files_it_costs_its_share():
    each = with_drawn_squares(told(drawing=1.0, files=3.0), Joined(), WANTED, PLACES).sensors["a"]
    assert each.requests == pytest.approx(100 * 0.75 + 40 * 0.25 * 3)
    assert each.bytes == pytest.approx(8e6 * 0.75 + 40 * 0.25 * 1000)
    assert not each.is_sampled


@pytest.mark.parametrize("by_source", [{"files": 2.0}, {"drawing": 0.0}, {}])
def test_without_a_scene_of_it_nothing_changes(by_source):
    assert with_drawn_squares(told(**by_source), Joined(), WANTED, PLACES).sensors == told(**by_source).sensors


def test_other_sources_are_as_they_were():
    forecast = told(files=2.0)
    assert with_drawn_squares(forecast, SimpleNamespace(name="files"), WANTED, PLACES) is forecast

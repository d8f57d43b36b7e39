"""Several sources in a forecast: each is counted and told of in its own way."""

import pytest

from curate.cli.planning import fetch_notes, plan_notes
from curate.foresight import with_whole_scenes
from curate.plan import SensorForecast
from curate.sources.failover import FailoverSource
from curate.sources.protocol import members_of

S2 = "sentinel-2-l2a"


class Blocks:
    """A source whose files are read in blocks."""

    simulated, reads_files, skipped = False, True, {}

    def __init__(self, name):
        self.name = name


class Whole(Blocks):
    """A source whose scenes are fetched whole."""

    whole_words = "Whole products are downloaded."

    def scene_bytes(self, sensor):
        return 1e9


class Asked(Blocks):
    """A source that is best asked for all masks at once."""

    looks_at_all, plan_note = True, "Hours are not predicted."


def test_what_is_to_be_known_of_each_of_several_sources_is_told_with_its_name():
    several = FailoverSource([Blocks("one"), Whole("hub:https://x"), Asked("earth-engine")])
    assert [each.name for each in members_of(several)] == ["one", "hub:https://x", "earth-engine"]
    assert list(fetch_notes(several)) == [
        "hub:https://x: Whole products are downloaded.",
        "earth-engine: Beside others its masks are asked for one by one. Name it alone to save requests.",
    ]
    assert list(plan_notes(several)) == ["earth-engine: Hours are not predicted."]


def test_of_a_source_alone_nothing_is_said_of_others():
    assert list(fetch_notes(Whole("hub"))) == ["Whole products are downloaded."]
    assert list(fetch_notes(Asked("earth-engine"))) == []
    assert list(plan_notes(Asked("earth-engine"))) == ["Hours are not predicted."]


def told(**by_source):
    """Four scenes in blocks: 40 requests, 400 bytes; their masks a tenth of that."""
    costs = {"requests": 40.0, "bytes": 400.0, "mask_requests": 4.0, "mask_bytes": 40.0}
    return SensorForecast(scenes=4.0, scenes_by_source=by_source, **costs)


def costs(forecast):
    return forecast.requests, forecast.bytes, forecast.mask_requests, forecast.mask_bytes, forecast.is_sampled


@pytest.mark.parametrize(
    ("by_source", "expected"),
    [
        ({"one": 4.0}, (40, 400, 4, 40, False)),
        ({"hub": 4.0}, (4, 4e9, 0, 0, True)),
        ({"one": 3.0, "hub": 1.0}, (30 + 1, 300 + 1e9, 3, 30, False)),
    ],
)
def test_scenes_that_are_fetched_whole_are_counted_so_and_the_others_in_blocks(by_source, expected):
    hub = {"hub:https://x": Whole("hub:https://x")}
    assert costs(with_whole_scenes(S2, told(**by_source), hub)) == pytest.approx(expected)

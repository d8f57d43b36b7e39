"""Seasons that lie in one vintage keep one item of it, and nothing is missing: whom the catalog is told to be complete by."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.index import read_items
from catalogs.journal import Failure
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_locations, make_scene
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from curate.seasons import SeasonPlan
from curate.summary import summarize
from tests.end_to_end.commands import curate

S2, SPOT = "sentinel-2-l2a", "spot-ortho"
PLACES = make_locations(2, side_m=60)
YEAR = {"start": "2023-01-01", "end": "2024-01-01"}
SPRING = (datetime(2023, 4, 15, tzinfo=UTC), datetime(2023, 9, 20, tzinfo=UTC))
"""A vintage that touches seasons 1 and 2 of four."""


def made(folder, states, *, failed=(), sensor=SPOT, dates=YEAR, seasons=4):
    """A catalog of two locations, each with one item.

    Args:
        folder: Where to.
        states: The season that the item states.
        failed: Seasons that could not be completed.
        sensor: Of the item; where it is no vintage, of the first day of one.
        dates: What the recipe tells of them.
        seasons: As in the recipe.
    """
    write_section(folder, "sample", {"region": "test", "seed": 3})
    write_section(folder, "build", {"sensors": [sensor], "seasons": seasons, "window_days": None, **dates})
    write_locations(folder / layout.LOCATIONS, PLACES)
    writer = CatalogWriter(folder, PLACES, {sensor: find_sensor(sensor).bands}, description="A catalog for tests.")
    for place in PLACES:
        scene, patches = make_scene(find_sensor(sensor), place, 0, seed=1)
        times = {"start_datetime": SPRING[0], "end_datetime": SPRING[1]} if sensor == SPOT else {"datetime": SPRING[0]}
        item = writer.write_scene(replace(scene, season=states, **times), patches)
        failures = [Failure(place.id, season, sensor, "no-scene", "None there.") for season in failed]
        writer.finish(place, [item], failures)
    writer.close()
    return folder


def missed(folder):
    """Seasons that `verify` misses, of each location; and whether it finds anything else."""
    problems = check_catalog(folder).problems
    found = {place.id: [] for place in PLACES}
    for problem in problems:
        season = re.fullmatch(r"Has neither an item of \S+ for season (\d) nor a recorded failure\.", problem.message)
        assert season, problem
        found[problem.where].append(int(season[1]))
    assert len({tuple(seasons) for seasons in found.values()}) == 1
    return found[PLACES[0].id]


@pytest.mark.parametrize(
    ("states", "failed", "expected"),
    [
        (2, (0, 3), []),
        (2, (3,), [0]),
        (2, (0,), [3]),
        (2, (0, 1, 3), []),
        (1, (0, 3), [2]),
        (3, (0,), []),
    ],
)
def test_a_vintage_answers_the_season_that_it_states_and_earlier_ones_that_it_touches(tmp_path, states, failed, expected):
    assert missed(made(tmp_path / "cat", states, failed=failed)) == expected


def test_an_acquisition_answers_its_season_alone(tmp_path):
    assert missed(made(tmp_path / "cat", 2, failed=(0, 3), sensor=S2)) == [1]


def test_without_dates_a_vintage_answers_its_season_alone(tmp_path):
    assert missed(made(tmp_path / "cat", 1, seasons=2, dates={})) == [0]


def test_secos_dates_are_held_against_each_locations_own_windows(tmp_path):
    """At both locations the vintage touches other dates."""
    dates = {"start": "2022-01-01", "end": "2024-01-01"}
    plan = SeasonPlan(datetime(2022, 1, 1).date(), datetime(2024, 1, 1).date(), None, seed=3)  # noqa: DTZ001
    folder = made(tmp_path / "cat", 4, dates=dates, seasons="seco")
    expected = [
        (place.id, window.season)
        for place in PLACES
        for window in plan.windows(place.id)[:4]
        if not (window.start <= SPRING[1] and window.end > SPRING[0])
    ]
    problems = check_catalog(folder).problems
    assert [(problem.where, int(re.search(r"season (\d)", problem.message)[1])) for problem in problems] == expected
    assert 0 < len(expected) < 8


@pytest.mark.parametrize(("states", "failed"), [(3, ()), (3, (0,)), (2, (0, 1, 3)), (1, (2,))])
def test_a_season_that_failed_or_is_missing_makes_a_location_incomplete(tmp_path, states, failed):
    summary = summarize(str(made(tmp_path / "cat", states, failed=failed)))
    assert (summary.complete, summary.incomplete) == (0, 2)


@pytest.mark.parametrize(("failed", "complete"), [((), 2), ((0,), 0)])
def test_locations_whose_seasons_share_a_vintage_are_complete_unless_one_failed(tmp_path, failed, complete):
    dates = {"start": "2023-04-01", "end": "2023-10-01"}
    summary = summarize(str(made(tmp_path / "cat", 1, failed=failed, seasons=2, dates=dates)))
    assert (summary.complete, summary.incomplete, summary.unbuilt) == (complete, 2 - complete, 0)
    assert summary.sensors[0].seasons == {1: 2}


@pytest.mark.parametrize("sensors", [(SPOT,), (S2, SPOT)])
def test_a_build_whose_seasons_share_a_vintage_is_valid_and_complete(tmp_path, capsys, sensors):
    out = tmp_path / "cat"
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations(side_m=120))
    words = [word for sensor in sensors for word in ("--sensor", sensor)]
    dates = ("--seasons", 2, "--start", "2023-04-01", "--end", "2023-10-01")
    assert curate("build", out, "--source", "simulated", *words, *dates, "--quiet") == 0
    assert [item["properties"]["seastars:season"] for item in read_items(out / SPOT / layout.INDEX)] == [1, 1, 1]
    capsys.readouterr()
    assert curate("verify", out, "--deep") == 0
    assert " is valid. " in capsys.readouterr().out
    assert curate("info", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["complete"], told["incomplete"], told["failures"]) == (3, 0, [])


def test_secos_dates_of_acquisitions_are_counted_as_they_state_them(tmp_path):
    folder = made(tmp_path / "cat", 4, failed=(0, 1, 2, 3), sensor=S2, seasons="seco")
    assert missed(folder) == []
    assert summarize(str(folder)).incomplete == 2

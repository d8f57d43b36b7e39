from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from curate.simulation.acquisitions import (
    LOWEST_SUN,
    SIMULATED_SENSORS,
    acquisition_named,
    acquisitions_in,
    acquisitions_of,
    vintage,
)
from curate.simulation.sun import day_of, sun_angles
from curate.simulation.tiles import tile_named

START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
PARIS = (2.3, 48.8, 2.4, 48.9)


@pytest.mark.parametrize("sensor", SIMULATED_SENSORS)
def test_every_scene_is_found_again_by_its_id(sensor):
    found = acquisitions_in(sensor, PARIS, START, END, seed=4)
    assert found
    assert all(acquisition_named(each.id, 4) == each for each in found)
    assert len({each.id for each in found}) == len(found)


def test_one_track_gives_a_sentinel_2_scene_every_five_days():
    found = acquisitions_of("sentinel-2-l2a", tile_named("31UDQ"), START, END, seed=0)
    by_track: dict[int, list[datetime]] = {}
    for each in found:
        by_track.setdefault(each.flight.track, []).append(each.when)
    for times in by_track.values():
        days = np.diff(sorted({when.date().toordinal() for when in times}))
        assert set(days.tolist()) == {5}


def test_dark_scenes_are_not_taken():
    north = acquisitions_of("sentinel-2-l2a", tile_named("33XWG"), START, END, seed=0)
    assert {each.when.month for each in north}.isdisjoint({11, 12, 1})
    assert len({each.when.month for each in north}) >= 6
    assert all(sun_angles(*each.tile.centre, day_of(each.when))[0] >= LOWEST_SUN for each in north)


def test_the_span_of_time_includes_its_start_and_not_its_end():
    found = acquisitions_of("sentinel-2-l2a", tile_named("31UDQ"), START, END, seed=0)
    first, later = found[0].when, found[0].when + timedelta(days=5)
    assert acquisitions_of("sentinel-2-l2a", found[0].tile, first, first + timedelta(seconds=1), seed=0)[0] == found[0]
    assert all(each.when < later for each in acquisitions_of("sentinel-2-l2a", found[0].tile, first, later, seed=0))


def test_mosaics_count_where_their_season_touches_the_span():
    tile = tile_named("31UDQ")

    def years(*days):
        span = (datetime(*day, tzinfo=UTC) for day in days)
        return [each.when.year for each in acquisitions_of("spot-ortho", tile, *span, seed=0)]

    assert years((2021, 6, 1), (2023, 6, 1)) == [2021, 2022, 2023]
    assert years((2021, 10, 1), (2022, 4, 1)) == []
    assert years((2021, 9, 30), (2021, 10, 5)) == [2021]
    first, last = vintage(2021)
    assert (first.month, last.month) == (4, 9)


def test_about_one_scene_in_fifty_is_reprocessed():
    span = (datetime(2018, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    found = acquisitions_in("sentinel-2-l2a", (2.0, 48.0, 3.0, 49.0), *span, seed=0)
    again = [each for each in found if each.version]
    assert 0.01 < len(again) / len(found) < 0.035
    first = {(each.tile.name, each.when) for each in found if not each.version}
    assert all((each.tile.name, each.when) in first for each in again)


def test_what_a_scene_sees_ends_at_the_swath_and_at_the_frame():
    for sensor in ("sentinel-2-l2a", "landsat-c2-l2"):
        for each in acquisitions_in(sensor, PARIS, START, START + timedelta(days=20), seed=0):
            corners = each.footprint()
            assert each.inside(corners[:, 0], corners[:, 1]).min() > -1500
            middle = corners.mean(axis=0)
            assert each.inside(middle[:1], middle[1:]) > 0

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalogs.bands import find_sensor
from catalogs.foreign import from_item
from curate.sources.copies import Copy, without_copies
from tests.catalogs.foreign_items import small_item

WHEN = datetime(2023, 6, 1, 10, 50, tzinfo=UTC)
SCENE = replace(from_item(small_item(), find_sensor("sentinel-2-l2a")), datetime=WHEN, platform="sentinel-2a", epsg=32631)


def square(left, bottom, side=1.0):
    ring = [(left, bottom), (left + side, bottom), (left + side, bottom + side), (left, bottom + side), (left, bottom)]
    return {"type": "Polygon", "coordinates": [ring]}


def copy(name, rank, tile=None, *, minutes=0.0, **changes):
    moved = {"datetime": WHEN + timedelta(minutes=minutes), "footprint": square(2, 48)} | changes
    return Copy(replace(SCENE, id=name, **moved), rank, tile)


def kept(*copies):
    return sorted(scene.id for scene in without_copies(copies))


def test_a_tile_that_the_preferred_collection_has_is_not_taken_from_another():
    assert kept(copy("old", 1, "MGRS-31UDQ", minutes=-3), copy("new", 0, "MGRS-31UDQ")) == ["new"]


@pytest.mark.parametrize(
    "other",
    [
        copy("other", 1, "MGRS-31UDP"),
        copy("other", 1, "MGRS-31UDQ", minutes=11),
        copy("other", 1, "MGRS-31UDQ", platform="sentinel-2b"),
    ],
)
def test_another_tile_another_pass_and_another_platform_are_no_copies(other):
    assert kept(copy("new", 0, "MGRS-31UDQ"), other) == ["new", "other"]


@pytest.mark.parametrize("minutes", [-9.9, -0.1, 0.1, 9.9])
def test_copies_on_both_sides_of_a_full_ten_minutes_are_found(minutes):
    assert kept(copy("new", 0, "T"), copy("old", 1, "T", minutes=minutes)) == ["new"]


def test_of_a_tile_received_in_two_strips_the_strip_that_is_lacking_is_taken():
    north, south = {"footprint": square(2, 48.5, 0.5)}, {"footprint": square(2, 48, 0.52)}
    strips = copy("new-north", 0, "T", **north), copy("old-north", 1, "T", **north), copy("old-south", 1, "T", **south)
    assert kept(*strips) == ["new-north", "old-south"]


def test_a_gap_is_filled_by_the_first_collection_that_has_the_tile():
    assert kept(copy("c", 2, "T"), copy("b", 1, "T"), copy("x", 0, "U")) == ["b", "x"]


def test_two_versions_within_one_collection_are_both_kept():
    assert kept(copy("05.09", 0, "T"), copy("05.10", 0, "T"), copy("old", 1, "T")) == ["05.09", "05.10"]


def test_tiles_without_a_code_are_told_apart_by_their_footprints():
    assert kept(copy("new", 0), copy("old", 1, footprint=square(2.2, 48))) == ["new"]
    assert kept(copy("new", 0), copy("part", 1, footprint=square(2.5, 48.2, 0.3))) == ["new"]
    assert kept(copy("new", 0), copy("neighbour", 1, footprint=square(2.9, 48))) == ["neighbour", "new"]
    assert kept(copy("new", 0), copy("zone", 1, epsg=32632)) == ["new", "zone"]

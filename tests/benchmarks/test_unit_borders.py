"""The count of blocks that are fetched twice: by head for one location, and that fewer borders cost less."""

from catalogs.records import Location
from tests.benchmarks.unit_borders import CLEAR, WAYS, choose, count_blocks, make_locations, twice


def test_blocks_of_one_location_are_counted_in_all_bands():
    """The corner of the tile is 1,020 m from the first; the second straddles two columns of blocks of 10 m."""
    inside = Location("a-000000", 32631, (400_980, 4_996_380, 403_620, 4_999_020))
    straddling = Location("a-000001", 32631, (409_020, 4_996_380, 411_660, 4_999_020))
    assert [count_blocks([place], choose([place], clear=1.0)) for place in (inside, straddling)] == [12, 16]
    both = [inside, straddling]
    assert count_blocks(both, choose(both, clear=1.0)) == 16
    assert twice(both, [both], clear=1.0) == 0
    assert twice(both, [[place] for place in both], clear=1.0) == 12 / 16


def test_every_location_is_in_one_unit_and_fewer_borders_cost_less():
    locations = make_locations(0.3)
    shares = {}
    for name, way in WAYS.items():
        units = way(locations)
        assert sorted(place.id for unit in units for place in unit) == sorted(place.id for place in locations)
        shares[name] = [twice(locations, units, clear=clear) for clear in CLEAR]
    assert all(whole < built for whole, built in zip(shares["whole squares"], shares["as built"], strict=True))
    assert all(all_clear > half_clear for all_clear, half_clear in shares.values())

"""Footprints across 180 degrees become two parts; all others stay as they are."""

import pytest
from shapely.geometry import shape

from catalogs.errors import ContractError
from catalogs.foreign_footprints import read_footprint

TWO_PARTS = {
    "type": "MultiPolygon",
    "coordinates": [
        [[[179, -17], [180, -17], [180, -16], [179, -16], [179, -17]]],
        [[[-180, -17], [-179, -17], [-179, -16], [-180, -16], [-180, -17]]],
    ],
}


def polygon(*ring):
    return {"type": "Polygon", "coordinates": [[list(point) for point in ring]]}


@pytest.mark.parametrize(
    "geometry",
    [
        polygon((179, -17), (-179, -17), (-179, -16), (179, -16), (179, -17)),
        polygon((179, -17), (181, -17), (181, -16), (179, -16), (179, -17)),
        polygon((-181, -17), (-179, -17), (-179, -16), (-181, -16), (-181, -17)),
        polygon((179, -17, 5), (181, -17, 5), (181, -16, 5), (179, -16, 5), (179, -17, 5)),
    ],
)
def test_every_way_of_writing_it_becomes_the_same_two_parts(geometry):
    found = read_footprint({"geometry": geometry})
    assert found["type"] == "MultiPolygon"
    assert shape(found).equals(shape(TWO_PARTS))


def test_a_box_whose_west_is_beyond_its_east_crosses_180_degrees():
    assert shape(read_footprint({"bbox": [179, -17, -179, -16]})).equals(shape(TWO_PARTS))


@pytest.mark.parametrize(
    "geometry",
    [
        TWO_PARTS,
        polygon((2, 48), (3, 48), (3, 49), (2, 48)),
        polygon((-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)),
        polygon((-90, 0), (90, 0), (90, 10), (-90, 10), (-90, 0)),
    ],
)
def test_other_footprints_stay_as_they_are(geometry):
    assert read_footprint({"geometry": geometry}) == geometry


@pytest.mark.parametrize(
    "geometry",
    [{"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon"}, {"type": "Polygon", "coordinates": [[[1], [2]]]}, {"a": 1}],
)
def test_what_is_no_polygon_is_refused_in_words(geometry):
    with pytest.raises(
        ContractError, match=r"Item a has a geometry that is no GeoJSON polygon \(.*\)\. Repair it in its catalog\."
    ):
        read_footprint({"id": "a", "geometry": geometry})

"""Footprints as WKB are those of shapely."""

import pytest
import shapely
from shapely.geometry import mapping, shape

from catalogs.errors import ContractError
from catalogs.lattice import footprint
from catalogs.wkb import from_wkb, to_wkb
from tests.catalogs.scenes import make_location

GEOMETRIES = [
    footprint(make_location())[0],
    footprint(make_location(lonlat=(179.9999, -17.8)))[0],
    {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]]},
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_wkb_equals_shapelys(geometry):
    assert to_wkb(geometry) == shapely.to_wkb(shape(geometry), byte_order=1)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_wkb_comes_back_as_it_was(geometry):
    assert from_wkb(to_wkb(geometry)) == geometry
    assert shape(from_wkb(to_wkb(geometry))) == shape(geometry)


def test_no_geometry_is_an_empty_polygon_and_back():
    assert to_wkb(None) == shapely.to_wkb(shapely.Polygon(), byte_order=1)
    assert from_wkb(to_wkb(None)) is None


def test_other_geometries_are_refused():
    with pytest.raises(ContractError, match="A footprint is a Point; expected a Polygon, or a MultiPolygon across 180 degrees"):
        to_wkb(mapping(shapely.Point(1, 2)))
    with pytest.raises(ContractError, match="WKB of type 1, byte order 1; expected type 3 or 6"):
        from_wkb(shapely.to_wkb(shapely.Point(1, 2), byte_order=1))

"""Vector files as longitudes and latitudes: tables of points, and files without any geometry."""

import pytest
import shapely

from curate.errors import RegionError
from curate.vectors import read_geometries


@pytest.mark.parametrize("header", ["lon,lat,name", "Longitude,Latitude,name", "x,y,name"])
def test_a_table_with_columns_of_degrees_is_points(tmp_path, header):
    path = tmp_path / "places.csv"
    path.write_text(f"{header}\n2.35,48.85,Paris\n4.83,45.76,Lyon\n")
    assert shapely.get_coordinates(read_geometries(path)).tolist() == [[2.35, 48.85], [4.83, 45.76]]


def test_a_table_without_them_is_refused_with_its_columns(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("town,people\nParis,2100000\n")
    with pytest.raises(RegionError, match=r"places.csv has no geometries; its columns are town, people. Expected GeoJSON"):
        read_geometries(path)

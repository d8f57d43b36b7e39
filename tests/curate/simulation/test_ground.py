import numpy as np
import pytest

from catalogs.lattice import transformer
from catalogs.records import Grid
from curate.simulation.ground import Cells, cells_of, earth_centred, east_north, nodes_around


@pytest.mark.parametrize(
    ("epsg", "left", "top"),
    [(32631, 166_020, 60_000), (32631, 447_000, 5_410_680), (32633, 600_000, 9_200_040), (32760, 833_000, 8_030_020)],
)
def test_positions_between_nodes_are_exact_to_a_millimetre_over_10_km(epsg, left, top):
    cells = Cells(epsg, 97.0, left, top, 103, 103)
    nodes = nodes_around(cells)
    lon, lat = nodes.at(cells, np.stack([nodes.lon, nodes.lat]))
    true_lon, true_lat = transformer(epsg, 4326).transform(*np.meshgrid(cells.x, cells.y))
    east = np.radians((lon - true_lon + 180) % 360 - 180) * 6.4e6 * np.cos(np.radians(lat))
    assert np.abs(east).max() < 1e-3
    assert np.abs(np.radians(lat - true_lat)).max() * 6.4e6 < 1e-3


def test_earth_centred_coordinates_are_those_of_proj():
    lon, lat = np.array([-179.9, 0, 2.35, 190.0]), np.array([-79.0, 0, 48.85, 10.0])
    expected = transformer(4979, 4978).transform(lon, lat, np.zeros(4))
    assert np.allclose(earth_centred(lon, lat), expected, atol=1e-3)


def test_a_step_to_the_east_and_north_moves_as_the_unit_vectors_say():
    lon, lat, step = np.array([151.2]), np.array([-33.9]), 1e-5
    east, north = east_north(lon, lat)
    for vector, moved in (
        (east, earth_centred(lon + step, lat)),
        (north, earth_centred(lon, lat + step)),
    ):
        change = moved - earth_centred(lon, lat)
        assert np.allclose(change / np.linalg.norm(change), vector, atol=1e-6)


def test_longitudes_do_not_jump_at_the_antimeridian():
    cells = Cells(32760, 500.0, 800_000, 8_100_000, 10, 200)
    lon = nodes_around(cells).lon
    assert lon.max() > 180
    assert np.diff(lon, axis=1).min() > 0


def test_pixels_of_a_window_have_the_positions_that_they_have_in_the_raster():
    grid = Grid(32631, (10.0, 0.0, 399_960.0, 0.0, -10.0, 5_500_020.0), 10_980, 10_980)
    part = cells_of(grid, (7, 5, 3, 2))
    assert np.array_equal(part.x, cells_of(grid).x[7:10])
    assert np.array_equal(part.y, cells_of(grid).y[5:7])


def test_cells_grow_and_change_size_around_the_same_ground():
    cells = Cells(32631, 20.0, 1000, 2000, 3, 4)
    assert cells.grown(60) == Cells(32631, 20.0, 940, 2060, 9, 10)
    assert cells.resized(5) == Cells(32631, 5, 1000, 2000, 12, 16)


def test_interpolation_does_not_depend_on_the_window():
    big = Cells(32631, 10.0, 447_000, 5_410_680, 264, 264)
    part = Cells(32631, 10.0, 447_000 + 370, 5_410_680 - 1110, 50, 60)
    fields = []
    for cells in (big, part):
        nodes = nodes_around(cells)
        fields.append(nodes.at(cells, np.stack([nodes.lon, nodes.lat])))
    assert np.array_equal(fields[0][:, 111:161, 37:97], fields[1])

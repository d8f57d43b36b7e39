"""Ground to lines and pixels, against a made-up orbit that knows them exactly and a plain search."""

import numpy as np
import pytest
from pyproj import Transformer

from catalogs.records import Grid
from curate.sources.sentinel1.annotation import GeolocationGrid
from curate.sources.sentinel1.geometry import MARGIN_PX, Nodes, locate, needed_window, pixel_centres, project
from tests.curate.sources.sentinel1.orbit import Orbit

PLACES = [(2.5, 46.5, True, 32631), (2.5, 46.5, False, 32631), (-60.0, -3.0, True, 32720), (25.0, 68.0, False, 32635)]
PIXEL_M = 10


@pytest.fixture(params=PLACES, ids=["France, rising", "France, falling", "Amazon", "Lapland"], scope="module")
def scene(request):
    """An orbit, and the points of its geolocation grid in the zone of the middle of its image."""
    lon, lat, ascending, epsg = request.param
    orbit = Orbit.over(lon, lat, ascending=ascending)
    return orbit, project(GeolocationGrid(*orbit.grid()), epsg), Transformer.from_crs(4326, epsg, always_xy=True)


def places_in(orbit, count=1500, height_m=0.0):
    """Some lines and pixels of an image and the ground that they show."""
    rng = np.random.default_rng(3)
    lines, pixels = rng.uniform(0, orbit.height - 1, count), rng.uniform(0, orbit.width - 1, count)
    return lines, pixels, *orbit.ground(lines, pixels, height_m)


def test_the_made_up_orbit_gives_back_what_it_shows():
    orbit = Orbit.over(2.5, 46.5, ascending=True)
    lines, pixels, lon, lat = places_in(orbit, 50)
    seen = orbit.seen(lon, lat, 0.0)
    np.testing.assert_allclose(seen, [lines, pixels], atol=1e-6)
    assert orbit.ground(orbit.height / 2, orbit.width / 2, 0.0) == pytest.approx((2.5, 46.5), abs=1e-6)
    angles = orbit.grid()[5]
    assert 29 < angles.min() < 31
    assert 45 < angles.max() < 46
    heading = orbit.ground(orbit.height - 1.0, 9e3, 0.0)[1] - orbit.ground(0.0, 9e3, 0.0)[1]
    assert heading > 0, "it rises"


def test_places_are_found_within_two_metres_across_and_a_fifth_of_one_along_the_track(scene):
    orbit, nodes, transform = scene
    lines, pixels, lon, lat = places_in(orbit)
    found = locate(nodes, *transform.transform(lon, lat))
    near = np.abs(lon - lon.mean()) < 3.5  # as far from the zone's middle as its own squares are
    along, across = (found[0] - lines)[near] * PIXEL_M, (found[1] - pixels)[near] * PIXEL_M
    assert np.abs(along).max() < 0.2
    assert np.abs(across).max() < 2
    assert np.sqrt(np.mean(across**2)) < 1.2


def test_what_is_higher_than_the_grid_is_seen_nearer_by_its_height_over_the_tangent_of_the_incidence():
    orbit = Orbit.over(2.5, 46.5, ascending=True)
    nodes = project(GeolocationGrid(*orbit.grid()), 32631)
    lines, pixels, lon, lat = places_in(orbit, 300, height_m=500.0)
    found = locate(nodes, *Transformer.from_crs(4326, 32631, always_xy=True).transform(lon, lat))
    expected_m = 500 / np.tan(np.radians(orbit.incidence(lines, lon, lat, np.full(300, 500.0))))
    np.testing.assert_allclose((found[1] - pixels) * PIXEL_M, expected_m, atol=4)
    np.testing.assert_allclose((found[0] - lines) * PIXEL_M, 0, atol=3)


def test_a_grid_that_states_the_terrain_leaves_no_such_shift():
    orbit = Orbit.over(2.5, 46.5, ascending=True)
    nodes = project(GeolocationGrid(*orbit.grid(lambda line, _: np.full_like(line, 500.0))), 32631)
    lines, pixels, lon, lat = places_in(orbit, 300, height_m=500.0)
    found = locate(nodes, *Transformer.from_crs(4326, 32631, always_xy=True).transform(lon, lat))
    np.testing.assert_allclose(found, [lines, pixels], atol=0.2)


def rough_nodes(seed=0):
    """A grid whose cells are no parallelograms."""
    rng = np.random.default_rng(seed)
    lines, pixels = np.array([0.0, 100, 250, 400]), np.array([0.0, 80, 170, 300, 420])
    line, pixel = np.meshgrid(lines, pixels, indexing="ij")
    x = 5e5 + 9.8 * pixel - 2 * line + rng.uniform(-150, 150, line.shape)
    y = 5e6 - 2 * pixel - 9.8 * line + rng.uniform(-150, 150, line.shape)
    return Nodes(lines, pixels, x, y)


def bilinear_plainly(nodes, values, line, pixel):
    """A value at a line and pixel, written out."""
    row = max(n for n in range(len(nodes.lines) - 1) if nodes.lines[n] <= line)
    column = max(n for n in range(len(nodes.pixels) - 1) if nodes.pixels[n] <= pixel)
    down = (line - nodes.lines[row]) / (nodes.lines[row + 1] - nodes.lines[row])
    across = (pixel - nodes.pixels[column]) / (nodes.pixels[column + 1] - nodes.pixels[column])
    upper = values[row, column] * (1 - across) + values[row, column + 1] * across
    lower = values[row + 1, column] * (1 - across) + values[row + 1, column + 1] * across
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("seed", range(5))
def test_the_inverse_leads_back_to_the_ground_where_cells_are_skewed(seed):
    nodes, rng = rough_nodes(seed), np.random.default_rng(seed)
    lines, pixels = rng.uniform(0, 400, 200), rng.uniform(0, 420, 200)
    x, y = (
        np.array([bilinear_plainly(nodes, values, *place) for place in zip(lines, pixels, strict=True)])
        for values in (nodes.x, nodes.y)
    )
    np.testing.assert_allclose(locate(nodes, x, y), [lines, pixels], atol=1e-3)


def test_the_points_themselves_are_found_at_their_lines_and_pixels():
    nodes = rough_nodes()
    lines, pixels = locate(nodes, nodes.x, nodes.y)
    np.testing.assert_allclose(lines, np.broadcast_to(nodes.lines[:, None], lines.shape), atol=1e-3)
    np.testing.assert_allclose(pixels, np.broadcast_to(nodes.pixels, pixels.shape), atol=1e-3)


def test_a_grid_that_lies_on_a_line_finds_nothing():
    nodes = rough_nodes()
    flat = Nodes(nodes.lines, nodes.pixels, nodes.x, nodes.x)
    assert np.isnan(locate(flat, nodes.x + 50.0, nodes.y)).all()


def square(left, top, side=60):
    return Grid(32631, (10.0, 0.0, left, 0.0, -10.0, top), side, side)


def test_centres_of_pixels_are_half_a_pixel_from_their_corners():
    x, y = pixel_centres(square(500_000, 5_000_000, 2))
    assert x.tolist() == [[500_005, 500_015]] * 2
    assert y.tolist() == [[4_999_995] * 2, [4_999_985] * 2]


def test_the_window_of_a_square_holds_every_pixel_that_its_pixels_lie_between(scene):
    orbit, nodes, transform = scene
    epsg_left, epsg_top = transform.transform(*orbit.ground(8000.0, 12_000.0, 0.0))
    grid = square(epsg_left, epsg_top, 264)
    column, row, width, height = needed_window(nodes, grid, (orbit.height, orbit.width))
    lines, pixels = locate(nodes, *pixel_centres(grid))
    assert row <= np.floor(lines.min())
    assert np.ceil(lines.max()) < row + height
    assert column <= np.floor(pixels.min())
    assert np.ceil(pixels.max()) < column + width
    assert np.floor(lines.min()) - row <= MARGIN_PX + 1, "and few others"
    assert column + width - np.ceil(pixels.max()) <= MARGIN_PX + 2


def test_the_window_ends_where_the_image_does_and_is_none_beyond_it():
    orbit = Orbit.over(2.5, 46.5, ascending=True, height=1500, width=1500)
    nodes = project(GeolocationGrid(*orbit.grid(shape=(3, 3))), 32631)
    to_zone = Transformer.from_crs(4326, 32631, always_xy=True)
    corner = square(*to_zone.transform(*orbit.ground(0.0, 0.0, 0.0)))
    column, row, width, height = needed_window(nodes, corner, (1500, 1500))
    assert column + width <= 1500
    assert row == 0 or row + height <= 1500
    assert min(width, height) > 0
    assert needed_window(nodes, square(0, 5_600_000), (1500, 1500)) is None

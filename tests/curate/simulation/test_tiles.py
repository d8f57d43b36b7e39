import numpy as np
import pytest

from catalogs.lattice import squares_around, to_lonlat, to_utm
from curate.simulation.orbits import LANDSAT, SENTINEL_2, Pass
from curate.simulation.tiles import (
    FRAME_HALF_M,
    frame_footprint,
    frame_middle,
    frame_named,
    frames_in,
    tile_footprint,
    tile_named,
    tiles_in,
)


def random_places(count, seed, south=-79.5, north=83.5):
    rng = np.random.default_rng(seed)
    sine = rng.uniform(np.sin(np.radians(south)), np.sin(np.radians(north)), count)
    return rng.uniform(-180, 180, count), np.degrees(np.arcsin(sine))


@pytest.mark.parametrize(
    ("name", "epsg", "left", "top"),
    [("31UDQ", 32631, 399_960, 5_500_020), ("31UFQ", 32631, 600_000, 5_500_020), ("60KYF", 32760, 699_960, 8_100_040)],
)
def test_tiles_lie_where_sentinel_2s_lie(name, epsg, left, top):
    tile = tile_named(name)
    assert (tile.name, tile.epsg, tile.left, tile.top) == (name, epsg, left, top)
    assert tile.grid(60).shape == (1830, 1830)


@pytest.mark.parametrize("name", ["31UDZ", "61UDQ", "31IDQ", "31ADQ", "31UDQX", "", "32UAA"])
def test_there_is_no_tile_of_a_name_that_mgrs_lacks(name):
    assert tile_named(name) is None


def test_tiles_lie_on_the_lattice_of_their_hemisphere():
    for box in ((2, 48, 3, 49), (20, -34, 21, -33), (29.5, -0.5, 30.5, 0.5)):
        for tile in tiles_in(box):
            south = tile.epsg > 32700
            assert tile.left % 60 == 0
            assert (tile.top - (40 if south else 0)) % 60 == 0


def test_the_largest_square_of_any_place_lies_wholly_in_one_tile_of_its_own_zone():
    lon, lat = random_places(400, 0)
    away = np.abs(lat) > 0.1
    epsg, bounds = squares_around(lon[away], lat[away], 9780)
    for code, (left, bottom, right, top), place in zip(epsg, bounds, zip(lon[away], lat[away], strict=True), strict=True):
        tiles = [tile for tile in tiles_in((place[0], place[1], place[0], place[1])) if tile.epsg == code]
        grown = tiles_in((place[0] - 0.01, place[1] - 0.2, place[0] + 0.01, min(place[1] + 0.2, 84)))
        holds = [
            tile
            for tile in {*tiles, *(each for each in grown if each.epsg == code)}
            if tile.left <= left and right <= tile.left + tile.side and tile.top - tile.side <= bottom and top <= tile.top
        ]
        assert holds, (code, place)


def test_a_square_across_the_equator_lies_in_a_tile_of_the_northern_zone():
    (tile,) = [tile for tile in tiles_in((31.2, -0.001, 31.2, -0.001)) if tile.epsg == 32636]
    assert tile.top - tile.side == -9780


def test_every_name_leads_back_to_its_tile():
    lon, lat = random_places(300, 1)
    for west, south in zip(lon, lat, strict=True):
        for tile in tiles_in((west, south, west, south)):
            assert tile_named(tile.name) == tile


def test_tiles_of_a_box_are_those_that_touch_it():
    assert [tile.name for tile in tiles_in((2.3, 48.8, 2.4, 48.9))] == ["31UDQ"]
    both = {tile.epsg for tile in tiles_in((5.9, 49.2, 6.1, 49.3))}
    assert both == {32631, 32632}


@pytest.mark.parametrize("box", [(179.9, -17, 180, -16.9), (-180, -17, -179.9, -16.9)])
def test_tiles_on_both_sides_of_the_antimeridian_are_found(box):
    assert {tile.epsg for tile in tiles_in(box)} == {32760, 32701}


def test_norway_and_svalbard_have_the_zones_of_mgrs():
    assert {tile.epsg for tile in tiles_in((5.5, 60.4, 5.6, 60.5))} == {32632}
    assert {tile.epsg for tile in tiles_in((15.0, 78.2, 16.0, 78.4))} == {32633}


def test_landsat_frames_have_their_pixel_edges_at_15_modulo_30_in_northern_zones():
    for box in ((2.3, 48.8, 2.4, 48.9), (20, -33, 20.1, -32.9)):
        for frame in frames_in(box):
            assert frame.left % 30 == 15
            assert frame.top % 30 == 15
            assert 32601 <= frame.epsg <= 32660
            assert frame_named(frame.name) == frame


def test_the_largest_square_of_any_place_lies_wholly_in_one_landsat_frame():
    lon, lat = random_places(50, 2, -70, 75)
    epsg, bounds = squares_around(lon, lat, 9780)
    for code, (left, bottom, right, top) in zip(epsg, bounds, strict=True):
        corners = to_lonlat([left, right, right, left], [bottom, bottom, top, top], code)
        west = float(corners[0].min())
        box = (west, float(corners[1].min()), west + 1e-6, float(corners[1].max())) if np.ptp(corners[0]) > 180 else (
            west, float(corners[1].min()), float(corners[0].max()), float(corners[1].max()))  # fmt: skip
        inside = []
        for frame in frames_in(box):
            across, along = Pass(LANDSAT, 0, int(frame.name[:3]) - 1).beside(*corners)
            edge = np.minimum(LANDSAT.half_swath_m - np.abs(across), FRAME_HALF_M - np.abs(along - frame_middle(frame)))
            inside.append(edge.min() >= 0)
        assert any(inside)


def test_the_raster_of_a_frame_holds_all_that_the_frame_sees():
    for place in ((2.3, 48.8), (100.0, 0.1), (-150.0, 70.0), (20.0, -55.0)):
        for frame in frames_in((*place, *place)):
            x, y = to_utm(*frame_footprint(frame).T, frame.epsg)
            assert frame.left <= x.min()
            assert x.max() <= frame.left + frame.side
            assert frame.top - frame.side <= y.min()
            assert y.max() <= frame.top


def test_the_footprint_of_a_tile_ends_where_the_swath_ends():
    tile = tile_named("31UDQ")
    lon, lat = tile.spread(30)
    cut = 0
    for track in range(SENTINEL_2.orbits):
        flight = Pass(SENTINEL_2, 0, track)
        inside = SENTINEL_2.half_swath_m - np.abs(flight.beside(lon, lat)[0])
        if not (inside > 0).any():
            continue
        corners = tile_footprint(tile, flight)
        edge = SENTINEL_2.half_swath_m - np.abs(flight.beside(corners[:, 0], corners[:, 1])[0])
        assert edge.min() > -1500
        cut += bool((inside < 0).any())
        assert (len(corners) != 4) <= bool((inside < 0).any())
    assert cut >= 1

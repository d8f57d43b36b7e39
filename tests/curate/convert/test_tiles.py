"""Tiles lie side by side and on the ground that their image lies on, or on none."""

import numpy as np
import pytest

from catalogs.records import Grid
from curate.convert.tiles import Ground, common_ground, cut_window, ground_of, tile_location, tile_name, tile_windows


@pytest.mark.parametrize("shape", [(7, 5), (4, 4), (3, 9), (8, 8), (2, 2)])
@pytest.mark.parametrize("side", [1, 2, 4])
def test_tiles_cover_every_pixel_once_but_those_of_a_border_narrower_than_a_tile(shape, side):
    image = np.arange(np.prod(shape)).reshape(1, *shape)
    tiles = [cut_window(image, window) for window in tile_windows(*shape, side)]
    assert all(tile.shape == (1, side, side) for tile in tiles)
    kept = image[:, : shape[0] // side * side, : shape[1] // side * side]
    assert sorted(np.concatenate([[], *(tile.ravel() for tile in tiles)])) == kept.ravel().tolist()


def grid(epsg=32631, gsd=0.5, left=500_003.0, top=5_400_016.0, skew=0.0):
    return Grid(epsg, (gsd, skew, left, 0.0, -gsd, top), 64, 64)


def test_ground_is_known_on_whole_metres_of_utm_alone():
    assert ground_of(grid(), 16) == Ground(32631, 500_003, 5_400_016, 0.5)
    assert ground_of(grid(gsd=0.1), 30) == Ground(32631, 500_003, 5_400_016, 0.1)
    for odd in (grid(epsg=None), grid(epsg=2154), grid(left=500_003.2), grid(top=0.5), grid(skew=0.1), grid(gsd=0.3)):
        assert ground_of(odd, 16) is None
    assert ground_of(grid(), 15) is None
    oblong = Grid(32631, (0.5, 0.0, 500_003.0, 0.0, -1.0, 5_400_016.0), 64, 64)
    assert ground_of(oblong, 16) is None


def test_a_tile_lies_where_its_pixels_do():
    ground = Ground(32631, 500_003, 5_400_016, 0.5)
    location = tile_location("a-000001", "val", (32, 16, 16, 16), ground, gsd=1)
    assert (location.bounds, location.epsg, location.off_lattice) == ((500_019, 5_400_000, 500_027, 5_400_008), 32631, True)
    nowhere = tile_location("a-000001", "val", (32, 16, 16, 16), None, gsd=10)
    assert (nowhere.bounds, nowhere.epsg, nowhere.split) == ((0, 0, 160, 160), None, "val")
    assert tile_name("paris", (192, 96, 96, 96)) == "paris_96_192"


def test_ground_is_that_of_all_images_or_of_none():
    one, other = Ground(32631, 0, 0, 0.5), Ground(32632, 60, 60, 1.0)
    assert common_ground([one, one]) == (True, None)
    assert common_ground([None, None]) == (False, None)
    assert common_ground([one, None])[1].endswith("in one pixel size, and 1 of 2 do.")
    assert common_ground([one, other])[1].endswith("and pixels are of 2 sizes.")

"""What is read of a location as requests: as few as fit, and cut into the very pixels of each band."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs.records import Grid
from curate.sources.earth_engine import requests as earth_engine_requests
from curate.sources.earth_engine.failures import RefusedError
from curate.sources.earth_engine.images import EngineBand
from curate.sources.earth_engine.requests import MOST_BANDS, MOST_BYTES, MOST_SIDE_PX, TILE_PX, BandRead, cut, plan_requests


def band(gsd, *, left=500_000.0, top=5_700_000.0, image="a", name="B", epsg=32631, data_type="uint16", side=110_000):
    grid = Grid(epsg, (gsd, 0.0, left, 0.0, -gsd, top), int(side // gsd), int(side // gsd))
    return EngineBand(image, name, grid, data_type, 0)


def reads_of(bands, *, x=3_000, y=6_000, side_m=2_640):
    """The same square of several bands whose corners are the scene's."""
    found = []
    for number, each in enumerate(bands):
        gsd = each.grid.gsd
        column, row = round((500_000 + x - each.grid.transform[2]) / gsd), round((each.grid.transform[5] - 5_700_000 + y) / gsd)
        found.append(BandRead(number, each, (column, row, round(side_m / gsd), round(side_m / gsd))))
    return found


def truth(read):
    """A number for each pixel of a band, whatever window it is read in."""
    column, row, width, height = read.window
    rows, columns = np.mgrid[row : row + height, column : column + width]
    return (rows * 7919 + columns * 31 + read.key * 13).astype(read.band.data_type)


def answer(request):
    """What Earth Engine gives: each band's pixel that holds the middle of each pixel asked for."""
    column, row, width, height = request.window
    lattice = request.lattice
    x = lattice.transform[2] + (column + np.arange(width) + 0.5) * lattice.gsd
    y = lattice.transform[5] - (row + np.arange(height) + 0.5) * lattice.gsd
    pixels = np.zeros((height, width), [(f"b{number}", read.band.data_type) for number, read in enumerate(request.reads)])
    for number, read in enumerate(request.reads):
        grid = read.band.grid
        columns = np.floor((x - grid.transform[2]) / grid.gsd).astype(int)
        rows = np.floor((grid.transform[5] - y) / grid.gsd).astype(int)
        pixels[f"b{number}"] = (rows[:, None] * 7919 + columns * 31 + read.key * 13).astype(read.band.data_type)
    return pixels


def read_all(reads):
    """The windows, from the answers to their requests."""
    requests = plan_requests(reads)
    windows = {read.key: np.zeros((read.window[3], read.window[2]), read.band.data_type) for read in reads}
    seen = {read.key: np.zeros((read.window[3], read.window[2]), int) for read in reads}
    for request in requests:
        width, height = request.window[2:]
        assert request.nbytes <= MOST_BYTES
        assert max(width, height) <= MOST_SIDE_PX
        assert 0 < len(request.reads) <= MOST_BANDS
        for read, (row, column), piece in cut(request, answer(request)):
            windows[read.key][row : row + piece.shape[0], column : column + piece.shape[1]] = piece
            seen[read.key][row : row + piece.shape[0], column : column + piece.shape[1]] += 1
    assert all((each == 1).all() for each in seen.values())
    for read in reads:
        np.testing.assert_array_equal(windows[read.key], truth(read))
    return requests


def test_five_dates_of_twelve_bands_are_one_request_of_eight_megabytes():
    gsds = (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 20, 20)
    requests = read_all(reads_of([band(gsd, image=f"date-{date}") for date in range(5) for gsd in gsds]))
    assert [(request.nbytes, len(request.reads)) for request in requests] == [(264 * 264 * 60 * 2, 60)]
    assert requests[0].images == [f"date-{date}" for date in range(5)]


def test_two_tiles_of_one_zone_share_a_request_and_another_zone_has_its_own():
    tiles = [band(10), band(20, left=499_980.0, top=5_700_060.0), band(10, left=600_000.0 - 3_000, image="east")]
    other = band(10, epsg=32632)
    assert len(read_all(reads_of(tiles))) == 1
    assert len(read_all(reads_of([*tiles, other]))) == 2


def test_a_lattice_that_is_half_a_pixel_off_has_its_own_request():
    assert len(read_all(reads_of([band(30), band(30, left=500_015.0, top=5_700_015.0)], x=3_015, y=5_985))) == 2


def test_windows_that_reach_differently_far_are_cut_out_of_their_hull():
    reads = reads_of([band(10), band(20), band(60)])
    wider = [replace(read, window=(read.window[0] - k, read.window[1] - 2, read.window[2] + 4 + k, read.window[3] + 5))
             for k, read in enumerate(reads)]  # fmt: skip
    assert len(read_all(wider)) == 1


def test_a_year_of_masks_is_one_request():
    masks = [band(20, image=f"scene-{number}", data_type="uint8") for number in range(150)]
    assert [request.nbytes for request in read_all(reads_of(masks))] == [132 * 132 * 150]


@pytest.fixture
def small(monkeypatch):
    """Limits that small windows reach."""
    monkeypatch.setattr(earth_engine_requests, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(earth_engine_requests, "TILE_PX", 512)


def test_what_does_not_fit_goes_by_pixel_size_so_that_nothing_is_repeated(small):
    gsds = (60, 10, 10, 20)
    reads = reads_of([band(gsd, image=f"date-{date}") for date in range(8) for gsd in gsds], side_m=1_980)
    requests = read_all(reads)
    useful = sum(read.window[2] * read.window[3] * 2 for read in reads)
    assert sum(request.nbytes for request in requests) == useful
    assert [request.lattice.gsd for request in requests] == [10, 10, 20, 60]
    assert all(request.nbytes <= 1 << 20 for request in requests)


def test_more_bands_than_a_request_may_have_are_two():
    many = [band(20, image=f"scene-{number}", data_type="uint8") for number in range(MOST_BANDS + 1)]
    assert [len(request.reads) for request in read_all(reads_of(many, side_m=60))] == [MOST_BANDS, 1]


def test_a_window_that_is_too_large_by_itself_comes_in_tiles(small):
    requests = read_all(reads_of([band(10), band(20)], side_m=7_800))
    assert [request.lattice.gsd for request in requests] == [10, 10, 10, 10, 20]
    assert max(request.nbytes for request in requests) <= 1 << 20


def test_a_window_at_the_limit_is_one_request_and_a_larger_one_is_not():
    side = 5_016
    assert side**2 * 2 <= MOST_BYTES < (side + 1) ** 2 * 2
    assert [len(plan_requests(reads_of([band(10)], side_m=10 * each))) for each in (side, side + 1)] == [1, 4]
    assert TILE_PX**2 * 4 <= MOST_BYTES


def test_pixels_of_odd_lattices_are_found_without_rounding_errors():
    assert len(read_all(reads_of([band(10, left=499_984.2, top=5_700_003.7)], x=2_984.2, y=5_996.3))) == 1


def test_bands_that_were_resampled_are_refused():
    (request,) = plan_requests(reads_of([band(10), band(20, image="b")]))
    pixels = answer(request)
    pixels["b1"][0, 1] += 1
    pixels["b1"][1, 1] += 1
    with pytest.raises(
        RefusedError, match=r"Earth Engine resampled b/B, whose pixels of 20 m should be repeated on a grid of 10 m"
    ):
        list(cut(request, pixels))


def test_an_answer_of_another_size_is_refused():
    (request,) = plan_requests(reads_of([band(10)]))
    with pytest.raises(RefusedError, match=r"gave 1 bands of \(264, 263\) pixels; 1 of \(264, 264\) were asked"):
        list(cut(request, answer(request)[:, 1:]))


def test_a_part_of_a_request_asks_for_some_images_only():
    (request,) = plan_requests(reads_of([band(10, image="a"), band(10, image="b"), band(20, image="a")]))
    part = request.of_images(["a"])
    assert [read.key for read in part.reads] == [0, 2]
    assert part.window == request.window

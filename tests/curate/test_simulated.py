import hashlib
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand
from catalogs.lattice import squares_around, to_lonlat, to_utm
from catalogs.records import Grid
from catalogs.testing import make_locations
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.simulation.acquisitions import acquisition_named
from curate.simulation.ground import Cells
from curate.simulation.landscape import cover_of
from curate.simulation.tiles import tile_named
from curate.simulation.truth import truth
from curate.sources.protocol import Labelled
from curate.sources.simulated import SimulatedSource
from tests.curate.sources.told import assert_bands_as_told

YEAR = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
SUMMER = (datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 8, 1, tzinfo=UTC))
PARIS = (2.3, 48.8, 2.31, 48.81)
SQUARE = (447_000, 5_408_040, 449_640, 5_410_680)


@pytest.fixture(scope="module")
def source():
    return SimulatedSource()


def window_of(grid: Grid, bounds=SQUARE):
    """The window of a raster that covers bounds, which lie on its lattice."""
    size, _, left, _, _, top = grid.transform
    return (
        round((bounds[0] - left) / size), round((top - bounds[3]) / size),
        round((bounds[2] - bounds[0]) / size), round((bounds[3] - bounds[1]) / size),
    )  # fmt: skip


def read(source, scene, name, bounds=SQUARE):
    with source.open(scene.bands[name]) as raster:
        return raster.read(window_of(raster.grid, bounds))


def reflectance(source, scene, name, bounds=SQUARE):
    band = scene.bands[name]
    return read(source, scene, name, bounds) * band.scale + band.offset


def clear_scenes(source, sensor="sentinel-2-l2a", span=SUMMER, bounds=SQUARE, box=PARIS):
    """Scenes of zone 31 without a cloud or a shadow over the bounds."""
    found = []
    for scene in source.search(sensor, box, *span):
        if scene.epsg != 32631:
            continue
        mask = read(source, scene, "scl", bounds)
        if np.isin(mask, (4, 5, 6)).mean() > 0.99:
            found.append(scene)
    return found


# Searching


@pytest.mark.parametrize("sensor", ["sentinel-2-l2a", "landsat-c2-l2", "sentinel-1-rtc", "spot-ortho"])
def test_scenes_are_sorted_and_within_the_span_of_time(source, sensor):
    found = source.search(sensor, (2, 48, 3, 49), *YEAR)
    times = [scene.datetime or scene.start_datetime for scene in found]
    assert found
    assert sorted(zip(times, [scene.id for scene in found], strict=True)) == list(
        zip(times, [scene.id for scene in found], strict=True)
    )
    assert all(YEAR[0] <= when < YEAR[1] for when in times)
    assert all(scene.sensor == sensor for scene in found)
    assert all(scene.simulated for scene in found)


@pytest.mark.parametrize("sensor", ["sentinel-2-l2a", "landsat-c2-l2", "sentinel-1-rtc", "spot-ortho"])
def test_scenes_have_all_bands_of_their_sensor_the_mask_last(source, sensor):
    (scene, *_) = source.search(sensor, PARIS, *YEAR)
    table = SENSORS[sensor]
    assert_bands_as_told("simulated", [scene])
    assert list(scene.bands) == [band.name for band in (*table.bands, *((table.mask,) if table.mask else ()))]
    for band in table.bands:
        taken = scene.bands[band.name]
        assert (taken.scale, taken.offset, taken.nodata) == (band.scale, band.offset, band.nodata)
        assert taken.href.startswith("simulated://world/0/")


def test_labels_are_those_of_the_worlds_own_seed():
    locations = make_locations(6)
    for seed in (0, 3):
        source = SimulatedSource(seed)
        assert isinstance(source, Labelled)
        assert [source.labels(place) for place in locations] == [(truth(place, seed=seed).dominant,) for place in locations]
    assert [SimulatedSource(0).labels(place) for place in locations] != [
        SimulatedSource(3).labels(place) for place in locations
    ]


def test_a_vintage_has_an_interval_and_no_instant(source):
    (scene,) = source.search("spot-ortho", PARIS, *YEAR)
    assert scene.datetime is None
    assert (scene.start_datetime.month, scene.end_datetime.month) == (4, 9)
    assert scene.cloud_percent is None


def test_the_cloud_cover_of_scenes_varies_and_is_that_of_another_search(source):
    found = source.search("sentinel-2-l2a", PARIS, *YEAR)
    percents = [scene.cloud_percent for scene in found]
    assert min(percents) < 5
    assert max(percents) > 95
    alone = SimulatedSource().search("sentinel-2-l2a", PARIS, found[3].datetime, found[3].datetime + timedelta(seconds=1))
    assert [scene for scene in alone if scene.id == found[3].id] == [found[3]]


def test_overlapping_tiles_of_one_pass_are_seen_on_the_same_day_seconds_apart(source):
    found = source.search("sentinel-2-l2a", (5.9, 49.47, 6.0, 49.56), *SUMMER)
    apart = [
        (second.datetime - first.datetime).total_seconds()
        for first, second in pairwise(found)
        if first.relative_orbit == second.relative_orbit and first.datetime.date() == second.datetime.date()
    ]
    assert len(apart) > 20
    assert any(0 < seconds < 30 for seconds in apart)
    days = Counter((scene.datetime.date(), scene.relative_orbit) for scene in found)
    zones = {(scene.datetime.date(), scene.relative_orbit): set() for scene in found}
    for scene in found:
        zones[scene.datetime.date(), scene.relative_orbit].add(scene.epsg)
    assert max(days.values()) >= 4
    assert {32631, 32632} in zones.values()


def test_a_reprocessing_has_the_same_time_and_tile_a_later_creation_and_other_noise(source):
    span = (datetime(2018, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    found = source.search("sentinel-2-l2a", PARIS, *span)
    again = next(scene for scene in found if scene.baseline == "05.11")
    first = next(scene for scene in found if scene.id == again.id.removesuffix("_R1"))
    assert (first.datetime, first.epsg, first.footprint) == (again.datetime, again.epsg, again.footprint)
    assert first.baseline == "05.10"
    assert first.created < again.created
    old, new = (read(source, scene, "B04").astype(int) for scene in (first, again))
    assert (old != new).mean() > 0.5 or old.max() == 0
    assert np.abs(old - new).max() < 700
    assert np.array_equal(read(source, first, "scl"), read(source, again, "scl"))


def test_a_year_of_a_square_degree_is_found_by_every_sensor(source):
    for sensor in source.sensors():
        found = source.search(sensor, (10, 45, 11, 46), *YEAR)
        assert len({scene.id for scene in found}) == len(found) > 0


def test_a_footprint_across_the_antimeridian_is_split(source):
    found = source.search("landsat-c2-l2", (179.9, -17, 180, -16.9), *SUMMER)
    shapes = {scene.footprint["type"] for scene in found}
    assert "MultiPolygon" in shapes
    for scene in found:
        rings = scene.footprint["coordinates"] if scene.footprint["type"] == "Polygon" else [
            ring for part in scene.footprint["coordinates"] for ring in part]  # fmt: skip
        assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for ring in rings for lon, lat in ring)


def test_an_unknown_sensor_is_named_with_those_there_are(source):
    with pytest.raises(SourceSensorError, match=r"no sensor 'sentinel-2-l1c'. Choose from: sentinel-2-l2a.*Did you mean"):
        source.search("sentinel-2-l1c", PARIS, *YEAR)


# Reading


@pytest.mark.parametrize("box", [PARIS, (20, -33, 20.01, -32.99), (179.9, -17, 180, -16.9), (31.2, -0.01, 31.21, -0.005)])
@pytest.mark.parametrize("sensor", ["sentinel-2-l2a", "landsat-c2-l2", "sentinel-1-rtc", "spot-ortho"])
def test_a_window_is_the_crop_of_a_larger_one_bit_for_bit(source, sensor, box):
    scene = source.search(sensor, box, *SUMMER)[-1]
    for band in scene.bands.values():
        with source.open(band) as raster:
            step = max(round(60 / raster.grid.gsd), 1)
            row = column = raster.grid.width // 2 // step * step
            whole = raster.read((column, row, 12 * step, 12 * step))
        for across, down, width, height in ((0, 0, 5, 9), (3 * step, 2 * step, 7 * step, 6 * step), (7, 5, 1, 1)):
            with SimulatedSource().open(band) as raster:
                part = raster.read((column + across, row + down, width, height))
            assert np.array_equal(part, whole[down : down + height, across : across + width])


def test_a_window_that_is_rendered_in_blocks_has_no_seams(source):
    (scene, *_) = source.search("sentinel-2-l2a", PARIS, *SUMMER)
    with source.open(scene.bands["B11"]) as raster:
        whole = raster.read((2000, 2000, 600, 520))
        assert np.array_equal(whole[200:300, 250:350], raster.read((2250, 2200, 100, 100)))


def test_pixels_are_the_same_in_another_process(source):
    scenes = [source.search(sensor, PARIS, *SUMMER)[0] for sensor in source.sensors()]
    bands = [band.href for scene in scenes for band in list(scene.bands.values())[::3]]
    code = (
        "import hashlib\nfrom catalogs.foreign import SourceBand\nfrom curate.sources.simulated import SimulatedSource\n"
        f"for href in {bands!r}:\n    with SimulatedSource().open(SourceBand(href)) as raster:\n"
        "        print(hashlib.sha256(raster.read((900, 1200, 40, 50)).tobytes()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    here = []
    for href in bands:
        with source.open(SourceBand(href)) as raster:
            here.append(hashlib.sha256(raster.read((900, 1200, 40, 50)).tobytes()).hexdigest())
    assert told == here


def test_threads_read_the_same_pixels(source):
    scene = source.search("sentinel-2-l2a", PARIS, *SUMMER)[2]
    names = [*scene.bands] * 3
    fresh = SimulatedSource()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: read(fresh, scene, name), names))
    assert all(np.array_equal(part, read(source, scene, name)) for part, name in zip(together, names, strict=True))


def test_overlapping_tiles_of_one_zone_have_the_same_pixels(source):
    found = source.search("sentinel-2-l2a", (2.99, 48.66, 3.0, 48.67), *SUMMER)
    pairs = [
        (first, second)
        for first, second in pairwise(found)
        if first.epsg == second.epsg
        and first.relative_orbit == second.relative_orbit
        and first.datetime.date() == second.datetime.date()
    ]
    bounds = (500_040, 5_391_000, 501_240, 5_392_200)
    same = 0
    for first, second in pairs[:6]:
        tiles = {scene.href.split("/")[-2] for scene in (first, second)}
        if len(tiles) == 2:
            assert np.array_equal(read(source, first, "B04", bounds), read(source, second, "B04", bounds))
            same += 1
    assert same


@pytest.mark.parametrize("sensor", ["sentinel-2-l2a", "landsat-c2-l2", "sentinel-1-rtc", "spot-ortho"])
def test_numbers_mean_missing_data_outside_the_swath_and_only_there(source, sensor):
    table, inside, outside = SENSORS[sensor], 0, 0
    for scene in source.search(sensor, (2.0, 48.4, 3.5, 49.4), *SUMMER)[:8]:
        for band in (*table.bands[:2], *table.bands[-1:]):
            with source.open(scene.bands[band.name]) as raster:
                assert raster.data_type == table.data_type
                assert raster.nodata == band.nodata
                for place in (0.02, 0.3, 0.5, 0.7, 0.98):
                    column, row = int(raster.grid.width * place), raster.grid.height // 2
                    edge = covered(scene, raster.grid, column, row)
                    part = raster.read((column, row, 20, 20))
                    assert part.dtype == table.data_type
                    if edge > 2000:
                        assert (part != band.nodata).all()
                        assert part.max() < {"uint16": 60_000, "uint8": 256, "float32": 50}[table.data_type]
                        inside += 1
                    elif edge < -2000:
                        assert (part == band.nodata).all()
                        outside += 1
    assert inside > 20
    assert outside or sensor == "spot-ortho"


def covered(scene, grid, column, row):
    """Distance of a pixel inside what the scene sees, metres; negative outside."""
    size, _, left, _, _, top = grid.transform
    lon, lat = to_lonlat([left + column * size], [top - row * size], grid.epsg)
    return float(acquisition_named(scene.id, 0).inside(lon, lat)[0])


def test_the_mask_has_no_data_where_the_bands_have_none(source):
    tile = tile_named("31UDQ")
    found = source.search("sentinel-2-l2a", PARIS, *SUMMER)
    scene = next(scene for scene in found if acquisition_named(scene.id, 0).inside(*tile.spread(9)).min() < -20_000)
    across = [acquisition_named(scene.id, 0).inside(*to_lonlat([400_000 + 60 * k], [5_450_040], 32631))[0] for k in range(1820)]
    column = int(np.argmin(np.abs(across)))
    left = 399_960 + 60 * column
    bounds = (left - 600, 5_449_440, left + 600, 5_450_640)
    mask, blue = read(source, scene, "scl", bounds), read(source, scene, "B02", bounds)
    assert 0.1 < (mask == 0).mean() < 0.9
    differ = np.kron(mask == 0, np.ones((2, 2), bool)) != (blue == 0)
    assert differ.mean() < 0.05


def test_rasters_lie_on_the_grids_that_the_contract_expects(source):
    with source.open(source.search("sentinel-2-l2a", (20, -33, 20.01, -32.99), *SUMMER)[0].bands["B02"]) as raster:
        assert raster.grid.epsg == 32734
        assert raster.grid.transform[5] % 60 == 40
        assert raster.grid.shape == (10_980, 10_980)
    with source.open(source.search("landsat-c2-l2", (20, -33, 20.01, -32.99), *SUMMER)[0].bands["B02"]) as raster:
        assert raster.grid.epsg == 32634
        assert raster.grid.transform[5] < 0
        assert raster.grid.transform[2] % 30 == 15


def test_a_window_beyond_the_raster_is_refused(source):
    (scene, *_) = source.search("sentinel-2-l2a", PARIS, *SUMMER)
    with source.open(scene.bands["B02"]) as raster:
        for window in ((10_979, 0, 2, 2), (-1, 0, 5, 5), (0, 0, 0, 4)):
            with pytest.raises(ValueError, match=r"is not inside the raster of 10980 x 10980 pixels. Crop it"):
                raster.read(window)


@pytest.mark.parametrize("href", ["https://elsewhere/B02.tif", "simulated://world/7/31UDQ/SIM_31UDQ_20230706T105619/B02"])
def test_an_address_of_another_world_is_refused(source, href):
    with pytest.raises(
        SourceUnavailableError, match=r"is no band of the simulated world of seed 0\. Expected simulated://world/0/"
    ):
        source.open(SourceBand(href)).__enter__()


def test_a_scene_that_never_was_is_refused(source):
    with pytest.raises(SourceUnavailableError, match="has no scene 'SIM_31UDQ_20230101T000000'"):
        source.open(SourceBand("simulated://world/0/31UDQ/SIM_31UDQ_20230101T000000/B02")).__enter__()


# What the pixels show


def shift_between(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Sub-pixel shift of `second` against `first`, in pixels down and right, from the peak of their correlation."""
    size = len(first)
    taper = np.hanning(size)[:, None] * np.hanning(size)
    a, b = (np.fft.fft2((part - part.mean()) * taper) for part in (first, second))
    found = np.fft.fftshift(np.fft.ifft2(a.conj() * b).real)
    row, column = np.unravel_index(np.argmax(found), found.shape)

    def refine(before, peak, after):
        return (before - after) / (2 * (before - 2 * peak + after))

    down = refine(found[row - 1, column], found[row, column], found[row + 1, column])
    right = refine(found[row, column - 1], found[row, column], found[row, column + 1])
    return row - size // 2 + down, column - size // 2 + right


def at_30_m(fine: np.ndarray, offset: int) -> np.ndarray:
    """Means over 30 m of a 10 m array, `offset` metres in from its upper left corner."""
    halves = np.kron(fine, np.ones((2, 2)))[offset // 5 :, offset // 5 :]
    count = len(halves) // 6
    return halves[: count * 6, : count * 6].reshape(count, 6, count, 6).mean(axis=(1, 3))


def test_pairs_of_sensors_align(source):
    pairs = 0
    for landsat in source.search("landsat-c2-l2", (2.3, 48.84, 2.31, 48.85), *SUMMER):
        bounds = (SQUARE[0] + 15, SQUARE[1] + 15, SQUARE[2] - 15, SQUARE[3] - 15)
        if landsat.epsg != 32631 or (read(source, landsat, "qa_pixel", bounds) & 0b11111).any():
            continue
        coarse = reflectance(source, landsat, "B05", bounds)
        for scene in clear_scenes(source)[:2]:
            fine = reflectance(source, scene, "B08")
            down, right = shift_between(at_30_m(fine, 15)[:87, :87], coarse[:87, :87])
            assert abs(down) < 0.1
            assert abs(right) < 0.1
            moved = shift_between(at_30_m(fine[:, 1:], 15)[:80, :80], coarse[:80, :80])
            assert moved[1] == pytest.approx(1 / 3, abs=0.12)
            pairs += 1
        if pairs >= 2:
            return
    pytest.fail("no clear pair was found")


def test_bands_of_all_pixel_sizes_of_one_scene_align(source):
    (scene, *_) = clear_scenes(source)
    fine = reflectance(source, scene, "B08").reshape(132, 2, 132, 2).mean(axis=(1, 3))
    down, right = shift_between(fine, reflectance(source, scene, "B8A"))
    assert abs(down) < 0.05
    assert abs(right) < 0.05
    coast, blue = reflectance(source, scene, "B01"), reflectance(source, scene, "B02").reshape(44, 6, 44, 6).mean(axis=(1, 3))
    assert np.corrcoef(coast.ravel(), blue.ravel())[0, 1] > 0.8


def test_an_orthophoto_shows_the_same_ground_in_more_detail(source):
    bounds = (448_200, 5_409_240, 448_800, 5_409_840)
    (mosaic,) = source.search("spot-ortho", PARIS, *YEAR)
    photo = read(source, mosaic, "red", bounds).astype(float)
    assert photo.shape == (400, 400)
    (scene, *_) = clear_scenes(source)
    inner = photo[: 400 // 20 * 20].reshape(20, 20, 20, 20).mean(axis=(1, 3))
    blurred = np.kron(inner, np.ones((20, 20)))
    assert photo.std() > 1.2 * blurred.std()
    structure = [
        np.hypot(*np.gradient(part))
        for part in (inner, reflectance(source, scene, "B04", bounds).reshape(20, 3, 20, 3).mean(axis=(1, 3)))
    ]
    assert np.corrcoef(structure[0].ravel(), structure[1].ravel())[0, 1] > 0.15


def test_clouds_are_bright_and_shadows_dark_where_the_mask_has_them(source):
    clouds, shadows = [], []
    for scene in source.search("sentinel-2-l2a", PARIS, *SUMMER):
        if scene.epsg != 32631:
            continue
        mask = read(source, scene, "scl")
        land = np.isin(mask, (4, 5))
        if land.mean() < 0.2:
            continue
        blue, nir = (reflectance(source, scene, name).reshape(132, 2, 132, 2).mean(axis=(1, 3)) for name in ("B02", "B08"))
        if (mask == 9).mean() > 0.02:
            clouds.append(np.median(blue[mask == 9]) - np.median(blue[land]))
            assert np.quantile(blue[mask == 9], 0.02) > np.quantile(blue[land], 0.95)
        if (mask == 3).mean() > 0.02:
            shadows.append(np.median(nir[mask == 3]) / np.median(nir[land]))
    assert min(clouds) > 0.2
    assert len(shadows) >= 2
    assert max(shadows) < 0.85


def test_vegetation_is_greener_in_summer(source):
    def median_ndvi(span):
        found = []
        for scene in clear_scenes(source, span=span)[:3]:
            red, nir = (reflectance(source, scene, name) for name in ("B04", "B08"))
            found.append(np.median((nir - red) / (nir + red)))
        return np.mean(found)

    winter = median_ndvi((datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)))
    summer = median_ndvi((datetime(2023, 5, 15, tzinfo=UTC), datetime(2023, 7, 15, tzinfo=UTC)))
    assert summer > winter + 0.1


def test_dates_of_one_place_share_their_texture_and_differ_in_colour(source):
    scenes = clear_scenes(source, span=YEAR)
    first, other = scenes[0], scenes[len(scenes) // 2]
    images = [reflectance(source, scene, "B04") for scene in (first, other)]
    edges = [np.hypot(*np.gradient(image)) for image in images]
    elsewhere = np.roll(edges[1], 90, axis=(0, 1))
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.25
    assert abs(np.corrcoef(edges[0].ravel(), elsewhere.ravel())[0, 1]) < 0.15
    colours = np.array(
        [[reflectance(source, scene, name).mean() for name in ("B04", "B08", "B11")] for scene in (first, other)]
    )
    assert np.abs(np.log(colours[0] / colours[1])).max() > 0.1


def test_radar_tells_water_from_houses(source):
    epsg, bounds = 32631, SQUARE
    for left in range(420_000, 480_000, 3000):
        bounds = (left, SQUARE[1], left + 2640, SQUARE[3])
        cover = cover_of(Cells(epsg, 10.0, bounds[0], bounds[3], 264, 264), 0)
        if (cover == 9).mean() > 0.02 and (cover == 6).mean() > 0.02:
            break
    grid = Grid(32631, (10.0, 0.0, bounds[0], 0.0, -10.0, bounds[3]), 264, 264)
    found = source.search("sentinel-1-rtc", PARIS, *SUMMER)
    scene = next(scene for scene in found if covered(scene, grid, 132, 132) > 5000)
    power = read(source, scene, "vv", bounds)
    assert power.dtype == np.float32
    assert power.min() > 0
    assert power[cover == 6].mean() > 4 * power[cover == 9].mean()


def test_a_square_of_two_zones_is_the_same_ground_in_both(source):
    lon, lat = [5.99], [49.5]
    epsg, (bounds,) = squares_around(lon, lat, 1200)
    assert epsg[0] == 32631
    found = source.search("sentinel-2-l2a", (5.985, 49.497, 5.995, 49.503), *SUMMER)
    centre_lon, centre_lat = to_lonlat([(bounds[0] + bounds[2]) / 2], [(bounds[1] + bounds[3]) / 2], 32631)
    by_pass: dict[tuple, dict] = {}
    for scene in found:
        by_pass.setdefault((scene.datetime.date(), scene.relative_orbit), {})[scene.epsg] = scene
    for both in by_pass.values():
        if len(both) < 2:
            continue
        means = []
        for code, scene in both.items():
            x, y = to_utm(centre_lon, centre_lat, code)
            left, bottom = round((x[0] - 600) / 60) * 60, round((y[0] - 600) / 60) * 60
            means.append(reflectance(source, scene, "B8A", (left, bottom, left + 1200, bottom + 1200)).mean())
        assert means[0] == pytest.approx(means[1], rel=0.06)
        return
    pytest.fail("no pass was seen from both zones")

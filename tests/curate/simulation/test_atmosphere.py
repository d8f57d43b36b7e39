from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from catalogs.lattice import to_utm
from curate.simulation.acquisitions import acquisition_named, acquisitions_in, acquisitions_of
from curate.simulation.atmosphere import CLOUD_MARGIN, cloud_margin, cloud_percents
from curate.simulation.ground import Cells, earth_centred, nodes_around
from curate.simulation.noise import draw, hash_of
from curate.simulation.sun import day_of, sun_angles
from curate.simulation.tiles import tile_named
from curate.simulation.world import World


def scenes(name="31UDQ", start=(2023, 1, 1), end=(2024, 1, 1)):
    span = (datetime(*day, tzinfo=UTC) for day in (start, end))
    return [each for each in acquisitions_of("sentinel-2-l2a", tile_named(name), *span, seed=0) if not each.version]


def test_clouds_cover_from_nothing_to_all_of_the_sky_and_more_of_it_in_winter():
    percents = cloud_percents(scenes(), 0)
    assert sum(percent < 10 for percent in percents) > 0.1 * len(percents)
    assert sum(percent > 80 for percent in percents) > 0.1 * len(percents)
    assert 25 < np.mean(percents) < 65
    points = np.random.default_rng(0).uniform([-5, 42], [30, 60], (300, 2)).T
    xyz = earth_centred(*points)
    cover = [
        np.mean(cloud_margin(xyz, points[1], days=[first + k for k in range(90)], takes=list(range(90)), seed=0) > CLOUD_MARGIN)
        for first in (8370.0, 8552.0)
    ]
    assert cover[0] > cover[1] + 0.08


def test_the_stated_cloud_cover_is_about_that_of_the_whole_scene():
    chosen, tile = scenes(start=(2023, 5, 1), end=(2023, 7, 1)), tile_named("31UDQ")
    lon, lat = (part.ravel() for part in tile.spread(80))
    days, takes = [each.day for each in chosen], [each.seed(0) for each in chosen]
    margins = cloud_margin(earth_centred(lon, lat), lat, days=days, takes=takes, seed=0)
    for each, margin, stated in zip(chosen, margins, cloud_percents(chosen, 0), strict=True):
        assert abs(100 * np.mean(margin[each.inside(lon, lat) >= 0] > CLOUD_MARGIN) - stated) < 16


def test_cloud_cover_differs_between_squares_of_one_scene():
    world, spread = World(0), []
    for each, stated in zip(scenes()[:60], cloud_percents(scenes()[:60], 0), strict=True):
        if 25 < stated < 75 and each.inside(*tile_named("31UDQ").spread(5)).min() > 0:
            squares = [Cells(32631, 60.0, 410_040 + 9000.0 * k, 5_480_040 - 7020.0 * k, 44, 44) for k in range(10)]
            spread.append(np.std([np.mean(world.sky(each, square).is_cloud()) for square in squares]))
    assert len(spread) > 5
    assert np.median(spread) > 0.15


def test_two_zones_see_the_same_clouds_of_one_pass():
    box = (5.9, 48.9, 6.1, 49.1)
    span = (datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 8, 1, tzinfo=UTC))
    found = acquisitions_in("sentinel-2-l2a", box, *span, seed=0)
    lon, lat = (part.ravel() for part in np.meshgrid(np.linspace(5.98, 6.02, 3), np.linspace(48.98, 49.02, 3)))
    world, same = World(0), 0
    for first in (each for each in found if each.tile.epsg == 32631):
        for second in (each for each in found if each.tile.epsg == 32632 and each.flight == first.flight):
            skies = []
            for each in (first, second):
                x, y = to_utm(lon, lat, each.tile.epsg)
                values = [world.sky(each, Cells(each.tile.epsg, 10.0, a - 5, b + 5, 1, 1)) for a, b in zip(x, y, strict=True)]
                skies.append(np.array([[sky.cloud[0, 0], sky.shade[0, 0], sky.haze[0, 0]] for sky in values]))
            assert np.allclose(skies[0], skies[1], atol=0.03)
            same += 1
            if same == 3:
                return
    pytest.fail("no pass was seen from both zones")


@pytest.mark.parametrize("name", ["31UDQ", "56HLH"])
def test_shadows_fall_away_from_the_sun_by_the_height_of_the_cloud(name):
    tile = tile_named(name)
    middle = Cells(tile.epsg, 60.0, tile.left + 40_020, tile.top - 40_020, 300, 300)
    checked = 0
    for each in scenes(name):
        sky = World(0).sky(each, middle)
        if not 0.1 < np.mean(sky.is_cloud()) < 0.6 or sky.edge.min() < 0:
            continue
        nodes = nodes_around(Cells(tile.epsg, 60.0, middle.x[150] - 30, middle.y[150] + 30, 1, 1))
        elevation, azimuth = sun_angles(nodes.lon.mean(), nodes.lat.mean(), day_of(each.when))
        height = draw(hash_of(each.seed(0)), "cloud base", 700, 2400)[0]
        away = height / np.tan(np.radians(elevation))
        turned = np.radians(azimuth) - nodes.convergence.mean()
        peak = correlation_peak(sky.shade, sky.cloud)
        expected = -np.cos(turned) * away / -60, np.sin(turned) * away / -60
        assert np.allclose(peak, expected, atol=2.5, rtol=0.05), (each.id, peak, expected)
        checked += 1
        if checked == 3:
            break
    assert checked == 3


def correlation_peak(moved: np.ndarray, still: np.ndarray) -> tuple[int, int]:
    """Rows and columns by which `moved` lies further down and to the right than `still`."""
    first, second = (np.fft.rfft2((part - part.mean()) * np.hanning(300)[:, None] * np.hanning(300)) for part in (moved, still))
    found = np.fft.irfft2(first * np.conj(second))
    row, column = np.unravel_index(np.argmax(found), found.shape)
    return (int(row) + 150) % 300 - 150, (int(column) + 150) % 300 - 150


def test_a_mosaic_and_a_radar_see_no_clouds():
    world = World(0)
    cells = Cells(32631, 60.0, 447_000, 5_410_680, 44, 44)
    radar = acquisitions_of(
        "sentinel-1-rtc", tile_named("31UDQ"), datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC), seed=0
    )
    for each in (acquisition_named("SIM_SPOT_31UDQ_2023", 0), *radar[:3]):
        sky = world.sky(each, cells)
        assert not sky.is_cloud().any()
        assert not sky.is_shadow().any()


def test_slopes_that_face_the_sun_are_brighter():
    world = World(0)
    each = scenes(start=(2023, 11, 1), end=(2023, 12, 1))[0]
    light = world.sky(each, Cells(32631, 60.0, 447_000, 5_410_680, 160, 160)).light
    assert light.std() > 0.01
    assert abs(light.mean() - 1) < 0.05
    noon = replace(each, flight=None, when=datetime(2023, 6, 21, 12, tzinfo=UTC))
    assert world.sky(noon, Cells(32631, 60.0, 447_000, 5_410_680, 160, 160)).light.std() < light.std()

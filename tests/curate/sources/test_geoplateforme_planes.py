"""Squares of a mosaic: the same numbers whoever asks, few requests, and nothing where nothing was measured."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from catalogs.foreign import SourceBand
from catalogs.lattice import squares_around
from catalogs.records import Location
from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.fetch import PlaneAsk
from curate.sources.geoplateforme import GeoplateformeSource
from curate.sources.geoplateforme import planes as module
from curate.sources.geoplateforme import wms as wms_module
from curate.sources.geoplateforme.planes import BLANK_PX, GeoplateformePlanes, MosaicLayer, mark_blank, open_layer
from curate.sources.geoplateforme.wms import WmsClient
from curate.sources.pace import Pace
from tests.wms_double import DoubleLayer, Fault, exception, serve_wms, shown

SPOT, AERIAL = "ORTHOIMAGERY.ORTHO-SAT.SPOT.2022", "ORTHOIMAGERY.ORTHOPHOTOS2021"
X0, Y0 = 652_000.0, 6_862_000.0
"""Lambert-93 of a place in Paris."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(wms_module, "PAUSES_S", (0.01,))
    monkeypatch.setattr(wms_module, "BAN_S", 0.01)


def place(lon=2.345, lat=48.86, side_m=600, name="paris-000000"):
    epsg, bounds = squares_around([lon], [lat], side_m)
    return Location(name, int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")


def asks_of(wms, layer=SPOT, where=None, bands=(1, 2, 3), gsd=1.5):
    where = where or place()
    return [
        (
            (where.id, layer, index),
            PlaneAsk(SourceBand(f"{wms.url}?LAYERS={layer}", index, nodata=0), where, gsd, gsd, "cubic", None),
        )
        for index in bands
    ]


def read_all(wms, asks, connections=4):
    reader = GeoplateformePlanes(WmsClient(wms.url, Pace(1e6)), connections=connections)
    try:
        return dict(reader.read(asks))
    finally:
        reader.close()


def window_of(wms, layer, window, gsd=1.5):
    with ThreadPoolExecutor(4) as pool:
        return MosaicLayer(WmsClient(wms.url, Pace(1e6)), layer, gsd).read(window, pool)


def column_row(x, y, gsd=1.5):
    return round(x / gsd), round((7_200_000 - y) / gsd)


def test_a_window_holds_what_the_layer_shows_there_and_overlaps_agree():
    layer = DoubleLayer()
    with serve_wms({SPOT: layer}) as wms:
        column, row = column_row(X0, Y0)
        one = window_of(wms, SPOT, (column, row, 700, 300))
        other = window_of(wms, SPOT, (column + 90, row + 40, 500, 200))
    x = (column + np.arange(700) + 0.5) * 1.5
    y = 7_200_000 - (row + np.arange(300) + 0.5) * 1.5
    np.testing.assert_array_equal(one, shown(layer, *np.meshgrid(x, y)))
    np.testing.assert_array_equal(other, one[:, 40:240, 90:590])


def test_every_image_lies_on_the_lattice_of_tiles():
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        read_all(wms, asks_of(wms))
        read_all(wms, asks_of(wms, where=place(2.351, 48.857)))
        boxes = [tuple(map(float, query["BBOX"].split(","))) for query in wms.asked]
    side = 1024 * 1.5
    assert all((left % side, (7_200_000 - top) % side, right - left) == (0, 0, side) for left, _, right, top in boxes)


def test_three_bands_of_a_square_come_from_the_same_images_and_are_warped_to_it():
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        planes = read_all(wms, asks_of(wms))
        images = wms.maps
        alone = read_all(wms, asks_of(wms, bands=(2,)))
    assert images == len({query["BBOX"] for query in wms.asked}) <= 4
    assert wms.maps == 2 * images, "one band alone costs what all three cost"
    for (_, _, index), plane in planes.items():
        assert plane.pixels.shape == (400, 400)
        assert plane.resampling == "cubic"
        assert plane.pixels.min() >= 38
        assert plane.source.href.endswith(f"/wms-r?LAYERS={SPOT}")
        if index == 2:
            np.testing.assert_array_equal(plane.pixels, next(iter(alone.values())).pixels)


def test_pixels_lie_where_their_square_says():
    from pyproj import Transformer

    where, layer = place(), DoubleLayer()
    with serve_wms({SPOT: layer}) as wms:
        planes = read_all(wms, asks_of(wms, where=where))
    left, _, _, top = where.bounds
    x, y = np.meshgrid(left + (np.arange(400) + 0.5) * 1.5, top - (np.arange(400) + 0.5) * 1.5)
    x, y = Transformer.from_crs(where.epsg, 2154, always_xy=True).transform(x, y)
    for (_, _, index), plane in planes.items():
        np.testing.assert_allclose(plane.pixels.astype(int), shown(layer, x, y)[index - 1].astype(int), atol=2)


def test_outside_of_a_mosaic_nothing_was_measured():
    half = DoubleLayer(covered=(X0, 6_000_000.0, 1_300_000.0, 7_200_000.0))
    column, row = column_row(X0, Y0)
    with serve_wms({SPOT: half}) as wms:
        pixels = window_of(wms, SPOT, (column - 100, row, 300, 200))
        nothing = window_of(wms, SPOT, (column - 1000, row, 300, 200))
    assert (pixels[:, :, :100] == 0).all()
    assert (pixels[:, :, 100:] > 0).all()
    assert not nothing.any()


@pytest.mark.parametrize("has_opacity", [False, True])
def test_windows_that_overlap_at_the_edge_of_a_mosaic_agree(has_opacity):
    column, row = column_row(X0, Y0)
    roof = ((column + 30) * 1.5, 7_200_000 - (row + 60) * 1.5, (column + 50) * 1.5, 7_200_000 - (row + 40) * 1.5)
    half = DoubleLayer(covered=(column * 1.5, 0.0, 1_300_000.0, 7_200_000.0), roofs=(roof,), has_opacity=has_opacity)
    with serve_wms({SPOT: half}) as wms:
        large = window_of(wms, SPOT, (column - 300, row, 700, 400))
        strip = window_of(wms, SPOT, (column - 10, row, 66, 400))
        small = window_of(wms, SPOT, (column - 2, row + 30, 49, 40))
    np.testing.assert_array_equal(strip, large[:, :, 290:356])
    np.testing.assert_array_equal(small, large[:, 30:70, 298:347])
    assert not large[:, :, :300].any()
    assert (large[:, :, 300:] > 0).all()
    assert (large[:, 40:60, 330:350] == 255).all(), "the roof was measured"


def test_the_fringe_that_jpeg_puts_along_the_edge_of_a_mosaic_is_no_measurement():
    """What is kept in JPEG rings over 16 pixels beyond the edge."""
    column, row = column_row(X0, Y0)
    half = DoubleLayer(covered=(column * 1.5, 0.0, 1_300_000.0, 7_200_000.0), in_jpeg=True)
    with serve_wms({SPOT: half}) as wms:
        pixels = window_of(wms, SPOT, (column - 100, row, 200, 400))
    x, y = np.meshgrid((column - 100 + np.arange(200) + 0.5) * 1.5, 7_200_000 - (row + np.arange(400) + 0.5) * 1.5)
    assert not pixels[:, :, :98].any()
    assert (pixels[:, :, 101:] > 0).all()
    off = np.abs(pixels[:, :, 110:].astype(int) - shown(half, x, y)[:, :, 110:])
    assert off.mean() < 3


def test_what_is_nearly_white_beside_a_blank_area_is_blank_and_elsewhere_measured():
    pixels = np.full((3, 200, 200), 230, np.uint8)
    pixels[:, :, :100] = 255
    pixels[:, 50, 100:] = 120
    marked = mark_blank(pixels)
    assert not marked[:, 60, :124].any()
    assert (marked[:, 60, 124:] == 230).all()
    assert (marked[:, 50, 100:] == 120).all()
    assert (mark_blank(pixels[:, :, 100:]) == pixels[:, :, 100:]).all()


def test_a_transparent_area_is_nodata_however_small_and_a_glance_knows_it():
    elsewhere = DoubleLayer(covered=(X0 + 100_000, 6_000_000.0, 1_300_000.0, 7_200_000.0), has_opacity=True)
    image = np.full((4, 60, 60), 255, np.uint8)
    image[:3, :, :] = 100
    image[:, 3:5, 7:9] = 0
    marked = mark_blank(image)
    assert marked.shape == (3, 60, 60)
    assert not marked[:, 3:5, 7:9].any()
    assert (marked == 100).sum() == 3 * (3600 - 4)
    with serve_wms({AERIAL: elsewhere}) as wms:
        planes = read_all(wms, asks_of(wms, layer=AERIAL, gsd=0.2, where=place(side_m=480)))
        assert wms.maps == 1
    assert not any(plane.pixels.any() for plane in planes.values())


def test_what_was_measured_within_a_blank_area_stays():
    pixels = np.full((3, 200, 200), 255, np.uint8)
    pixels[:, 90:110, 90:110] = 100
    marked = mark_blank(pixels)
    assert (marked[:, 90:110, 90:110] == 100).all()
    assert (marked > 0).sum() == 3 * 400


def test_an_image_smaller_than_a_blank_area_is_measured():
    assert (mark_blank(np.full((3, 49, 49), 255, np.uint8)) == 255).all()


def test_a_square_beside_a_mosaic_costs_one_glance():
    elsewhere = DoubleLayer(covered=(X0 + 100_000, 6_000_000.0, 1_300_000.0, 7_200_000.0))
    with serve_wms({AERIAL: elsewhere}) as wms:
        planes = read_all(wms, asks_of(wms, layer=AERIAL, gsd=0.2, where=place(side_m=480)))
        assert wms.maps == 1
    assert not any(plane.pixels.any() for plane in planes.values())
    assert {plane.pixels.shape for plane in planes.values()} == {(2400, 2400)}


def test_a_square_outside_of_lambert_93_is_empty_without_a_request():
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        (plane,) = read_all(wms, asks_of(wms, where=place(-50, 10), bands=(1,))).values()
        assert not wms.asked
    assert not plane.pixels.any()


@pytest.mark.parametrize(("value", "kept"), [(255, False), (253, False), (0, False), (2, False), (252, True), (3, True)])
def test_large_areas_of_white_or_black_are_blank(value, kept):
    pixels = np.full((3, 200, 200), 100, np.uint8)
    pixels[:, :100, :100] = value
    assert (mark_blank(pixels)[:, :100, :100] > 0).all() == kept
    assert (mark_blank(pixels)[:, 100:] == 100).all()


def test_small_areas_of_white_or_black_are_measured_and_a_measured_0_is_1():
    pixels = np.full((3, 300, 300), 100, np.uint8)
    side = int(BLANK_PX**0.5)
    pixels[:, : side - 1, : side - 1] = 255
    pixels[:, 200:210, 200:210] = 0
    pixels[0, 250, 250] = 0
    marked = mark_blank(pixels)
    assert (marked[:, : side - 1, : side - 1] == 255).all()
    assert (marked[:, 200:210, 200:210] == 1).all()
    assert list(marked[:, 250, 250]) == [1, 100, 100]


def test_white_and_black_are_told_apart_by_all_bands_together():
    pixels = np.full((3, 100, 100), 255, np.uint8)
    pixels[1] = 254
    pixels[2] = 200
    assert (mark_blank(pixels) == pixels).all()


def test_a_square_with_too_many_pixels_is_refused_with_the_side_to_choose():
    with serve_wms({AERIAL: DoubleLayer()}) as wms:
        with pytest.raises(CurateError, match=r"2640 m is 13,200 x 13,200 pixels of 0.2 m.*--patch-m 1200 or less") as caught:
            read_all(wms, asks_of(wms, layer=AERIAL, gsd=0.2, where=place(side_m=2640)))
        assert not wms.asked
    assert caught.value.exit_code == 2


def test_one_failed_image_spoils_its_layer_over_its_square_alone():
    places = [place(), place(5.37, 43.3, name="marseille-000000")]
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        wms.faults.append(Fault(body=exception("NoApplicableCode", "broken tile")))
        got = read_all(wms, [ask for where in places for ask in asks_of(wms, where=where)], connections=1)
    for (name, _, _), plane in got.items():
        assert isinstance(plane, SourceUnavailableError) == (name == "paris-000000")
    assert len(got) == 6


def test_a_host_that_is_down_is_asked_for_one_square_alone():
    places = [place(), place(5.37, 43.3, name="marseille-000000")]
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        wms.faults.append(Fault(status=503, times=1000))
        got = read_all(wms, [ask for where in places for ask in asks_of(wms, where=where)], connections=1)
        assert wms.maps <= 2 * 2
    assert all(isinstance(plane, HostDownError) for plane in got.values())


def test_a_reader_that_is_stopped_gives_no_more():
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        reader = GeoplateformePlanes(WmsClient(wms.url, Pace(1e6)), connections=2)
        reader.stop()
        assert list(reader.read(asks_of(wms))) == []
        assert not wms.asked
        reader.close()


def test_what_was_fetched_is_counted():
    with serve_wms({SPOT: DoubleLayer()}) as wms:
        reader = GeoplateformeSource(address=wms.url).planes(connections=64)
        list(reader.read(asks_of(wms)))
        assert reader.fetched.requests == wms.maps
        assert reader.fetched.bytes > 1024 * 1024 * 3
        reader.close()


def test_one_band_can_be_opened_by_itself():
    layer = DoubleLayer()
    with serve_wms({SPOT: layer}) as wms:
        source = GeoplateformeSource(address=wms.url)
        with source.open(SourceBand(f"{wms.url}?LAYERS={SPOT}", 3)) as raster:
            assert (raster.grid.epsg, raster.grid.gsd, raster.nodata, raster.data_type) == (2154, 1.5, 0, "uint8")
            column, row = column_row(X0, Y0)
            pixels = raster.read((column, row, 20, 10))
    x, y = (column + np.arange(20) + 0.5) * 1.5, 7_200_000 - (row + np.arange(10) + 0.5) * 1.5
    np.testing.assert_array_equal(pixels, shown(layer, *np.meshgrid(x, y))[2])


@pytest.mark.parametrize("href", ["https://data.geopf.fr/wms-r", "https://data.geopf.fr/wms-r?LAYERS=SCAN25", "/data/B04.tif"])
def test_an_address_that_names_no_layer_is_refused(href):
    with pytest.raises(SourceUnavailableError, match="names no layer of the Geoplateforme that can be read"):
        open_layer(WmsClient("http://127.0.0.1:9", Pace(1e6)), SourceBand(href))


def test_the_lattice_begins_at_whole_pixels_of_both_products():
    for gsd in module.GSDS.values():
        assert all(abs(value / gsd - round(value / gsd)) < 1e-6 for value in module.ORIGIN_XY)

"""Mosaics in many files: squares across their edges, files that do not fit together, and where nothing was measured."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.errors import WarpOperationError
from rasterio.warp import Resampling, reproject
from shapely.geometry import shape

from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand
from catalogs.lattice import squares_around
from catalogs.records import Location
from curate.errors import SourceUnavailableError
from curate.fetch import PlaneAsk
from curate.search import Searches, location_boxes
from curate.sources.archives.file_dates import FilePattern
from curate.sources.archives.mapped_bands import MappedBand
from curate.sources.archives.mapping import MappedSensor
from curate.sources.archives.mosaic_parts import add_parts, narrow_parts
from curate.sources.archives.mosaic_planes import as_measured
from curate.sources.archives.mosaics import MosaicSource, join, with_mosaics
from curate.sources.archives.tiff_folder import TiffFolderSource
from curate.sources.failover import FailoverSource
from curate.sources.member import UnopenedSource
from curate.sources.protocol import for_sensors
from curate.sources.scenes import SceneIndex
from curate.sources.stac_api import StacApiSource
from curate.sources.static_catalog import StaticCatalogSource
from tests.curate.test_planes import restate
from tests.servers import free_port, serve_api, serve_files

SPOT, NAIP = "spot-ortho", "naip"
LEFT, TOP = 652_000.5, 6_862_001.0
"""Lambert-93 of a place in Paris; no whole multiple of a pixel."""
PX = 400
YEARS = (datetime(2021, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))


def ground(column, row, shape, seed=0):
    """Numbers of a made-up mosaic, 3 to 252, (3, *shape), a function of place alone."""
    rows, columns = np.mgrid[row : row + shape[0], column : column + shape[1]]
    return np.stack([3 + (columns * (3 + band) + rows * 7 + 11 * band + 50 * seed) % 250 for band in range(3)]).astype(np.uint8)


def write_tile(path, column, row, *, seed=0, gsd=1.5, shift=0.0, nodata=None, epsg=2154, pixels=None):
    """A file of a mosaic whose upper left pixel is (column, row) of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = ground(column, row, (PX, PX), seed) if pixels is None else pixels
    place = {"crs": f"EPSG:{epsg}", "transform": Affine(gsd, 0, LEFT + column * gsd + shift, 0, -gsd, TOP - row * gsd)}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "nodata": nodata}
    with rasterio.open(path, "w", driver="GTiff", count=3, height=PX, width=PX, dtype="uint8", **place, **layout) as file:
        file.write(pixels)


@pytest.fixture
def folder(tmp_path):
    """Open-Canopy's layout: a folder a year, four tiles each, the second year other numbers."""
    for year, seed in ((2021, 1), (2022, 2)):
        for column in (0, PX):
            for row in (0, PX):
                write_tile(tmp_path / "spot" / str(year) / f"tile_{column}_{row}.tif", column, row, seed=seed)
    return tmp_path / "spot"


def loose_files(folder, sensor=SPOT):
    bands = {name: MappedBand("", number) for number, name in enumerate(("red", "green", "blue"), 1)}
    mapped = MappedSensor(find_sensor(sensor), bands, files=FilePattern("{year}/*.tif"))
    return TiffFolderSource(folder.as_posix(), {sensor: mapped}, name="canopy")


def open_folder(folder, sensor=SPOT):
    return MosaicSource(loose_files(folder, sensor))


def square(x=LEFT + PX * 1.5, y=TOP - PX * 1.5, side_m=300, epsg=2154):
    """A square about a place in some system; the four tiles meet at the default."""
    from catalogs.lattice import transformer

    lon, lat = transformer(epsg, 4326).transform(x, y)
    zone, bounds = squares_around([lon], [lat], side_m)
    return Location("paris-000000", int(zone[0]), tuple(int(edge) for edge in bounds[0]), "train")


def planes_of(source, scene, where, gsd=1.5, nodata=0):
    asks = [(name, PlaneAsk(band, where, gsd, gsd or 1.5, "cubic", nodata)) for name, band in scene.bands.items()]
    reader = source.planes(connections=4)
    try:
        return dict(reader.read(asks))
    finally:
        reader.close()


def scenes_over(source, where, sensor=SPOT):
    (box,) = location_boxes([where])
    return source.search(sensor, box, *YEARS)


def warped(mosaic, where, gsd=1.5, left=LEFT, top=TOP, epsg=2154):
    """All of a mosaic warped to a square, the plain way."""
    side = round(where.side_m / gsd)
    target = np.zeros((mosaic.shape[0], side, side), np.uint8)
    reproject(
        mosaic, target, src_transform=Affine(gsd, 0, left, 0, -gsd, top), src_crs=f"EPSG:{epsg}", src_nodata=0,
        dst_transform=Affine(gsd, 0, where.bounds[0], 0, -gsd, where.bounds[3]), dst_crs=f"EPSG:{where.epsg}", dst_nodata=0,
        resampling=Resampling.cubic, tolerance=0.0,
    )  # fmt: skip
    return target


@pytest.mark.parametrize("broken", ["rasterio.warp.transform_bounds", "rasterio.warp.reproject"])
def test_what_proj_or_gdal_cannot_bring_to_a_square_spoils_its_planes_alone(folder, monkeypatch, broken):
    def fail(*_, **__):
        raise WarpOperationError("Chunk and warp failed")

    source = open_folder(folder)
    first, _ = scenes_over(source, square())
    monkeypatch.setattr(broken, fail)
    planes = planes_of(source, first, square())
    assert len(planes) == 3
    for plane in planes.values():
        assert isinstance(plane, SourceUnavailableError)
        assert "cannot be brought to location paris-000000 (EPSG:32631): it states EPSG:2154" in str(plane)


def test_a_file_of_a_mosaic_with_a_code_that_nobody_knows_spoils_its_squares_alone(folder):
    source = open_folder(folder)
    _, second = scenes_over(source, square())
    restate(folder / "2022" / "tile_0_0.tif", 20100)
    for plane in planes_of(source, second, square()).values():
        assert "2022/tile_0_0.tif states EPSG:20100, which PROJ does not know" in str(plane)


def test_files_of_a_year_are_one_scene_with_the_year_as_its_interval(folder):
    scheme = "mosaic://fee5dfd4/"
    scenes = scenes_over(open_folder(folder), square())
    assert [scene.id for scene in scenes] == [
        "spot-ortho_20210101T000000_20211231T235959",
        "spot-ortho_20220101T000000_20221231T235959",
    ]
    assert [(scene.datetime, scene.start_datetime.year) for scene in scenes] == [(None, 2021), (None, 2022)]
    green = scenes[0].bands["green"]
    assert replace(green, parts=()) == SourceBand(f"{scheme}spot-ortho/20210101T000000_20211231T235959/green", 1, None, None, 0)
    names = [f"tile_{column}_{row}.tif" for column in (0, PX) for row in (0, PX)]
    assert [part.band for part in green.parts] == [SourceBand((folder / "2021" / name).as_posix(), 2) for name in names]
    west = min(x for x, _ in scenes[0].footprint["coordinates"][0])
    assert west < location_boxes([square(LEFT + 10, TOP - 10, 60)])[0][0] + 0.001


def test_a_square_where_four_files_meet_is_as_if_they_were_one(folder):
    source, where = open_folder(folder), square()
    for scene, seed in zip(scenes_over(source, where), (1, 2), strict=True):
        planes = planes_of(source, scene, where)
        expected = warped(ground(0, 0, (2 * PX, 2 * PX), seed), where)
        for number, name in enumerate(("red", "green", "blue")):
            np.testing.assert_array_equal(planes[name].pixels, expected[number])
            assert planes[name].resampling == "cubic"
            assert planes[name].pixels.min() > 0


def test_an_item_tells_the_file_that_holds_most_of_a_square_and_where(folder):
    source, where = open_folder(folder), square(LEFT + PX * 1.5 + 70, TOP - PX * 1.5 - 70, 180)
    planes = planes_of(source, scenes_over(source, where)[0], where)
    told = planes["red"].source
    assert told.href == (folder / "2021" / f"tile_{PX}_{PX}.tif").as_posix()
    column, row, width, height = told.window
    with rasterio.open(told.href) as file:
        left, top = file.transform @ (column, row)
        right, bottom = file.transform @ (column + width, row + height)
    from catalogs.lattice import transformer

    x, y = transformer(where.epsg, 2154).transform(*where.centre_xy)
    assert left < x < right
    assert bottom < y < top
    assert 120 <= width <= 140
    assert min(column, row) < 0, "it reaches beyond the file"


def test_a_square_beyond_the_last_file_has_nothing_there(folder):
    source, where = open_folder(folder), square(LEFT + 2 * PX * 1.5, TOP - 500)
    planes = planes_of(source, scenes_over(source, where)[0], where)
    expected = warped(ground(0, 0, (2 * PX, 2 * PX), 1), where)
    np.testing.assert_array_equal(planes["red"].pixels, expected[0])
    assert 0.3 < (planes["red"].pixels == 0).mean() < 0.7


def test_files_of_another_lattice_are_warped_by_themselves_and_fill_what_the_others_lack(folder):
    write_tile(folder / "2021" / "odd.tif", PX, 0, shift=0.7, seed=9)
    (folder / "2021" / f"tile_{PX}_0.tif").unlink()
    source, where = open_folder(folder), square()
    planes = planes_of(source, scenes_over(source, where)[0], where)
    lacking = ground(0, 0, (2 * PX, 2 * PX), 1)
    lacking[:, :PX, PX:] = 0
    expected = warped(lacking, where)
    odd = warped(ground(PX, 0, (PX, PX), 9), where, left=LEFT + PX * 1.5 + 0.7)
    assert (expected == 0).any()
    np.testing.assert_array_equal(planes["blue"].pixels, np.where(expected == 0, odd, expected)[2])
    assert "odd" not in planes["blue"].source.href


def test_files_of_another_pixel_size_fill_the_grid_of_those_that_hold_most(tmp_path):
    write_tile(tmp_path / "2021" / "fine.tif", 0, 0, epsg=32632)
    write_tile(tmp_path / "2021" / "coarse.tif", PX // 2, 0, gsd=3, epsg=32632)
    source, where = open_folder(tmp_path), square(LEFT + PX * 1.5 - 60, TOP - 300, epsg=32632)
    for plane in planes_of(source, scenes_over(source, where)[0], where, gsd=None).values():
        assert (plane.grid.gsd, plane.pixels.shape) == (1.5, (200, 200))
        assert plane.source.href.endswith("fine.tif")
        assert plane.pixels.min() > 0


def test_files_of_another_type_of_numbers_are_left_out(folder):
    path = folder / "2021" / f"tile_{PX}_0.tif"
    with rasterio.open(path) as file:
        profile, pixels = file.profile | {"dtype": "uint16"}, file.read()
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels.astype("uint16"))
    source, where = open_folder(folder), square()
    planes = planes_of(source, scenes_over(source, where)[0], where)
    lacking = ground(0, 0, (2 * PX, 2 * PX), 1)
    lacking[:, :PX, PX:] = 0
    np.testing.assert_array_equal(planes["red"].pixels, warped(lacking, where)[0])


def test_scenes_within_one_second_are_one_mosaic_since_its_name_tells_no_more(folder):
    where, when = square(), datetime(2021, 7, 1, 12, 30, 5, tzinfo=UTC)
    (box,) = location_boxes([where])
    year = loose_files(folder).search(SPOT, box, YEARS[0], datetime(2021, 2, 1, tzinfo=UTC))
    moments = [
        replace(scene, datetime=when + timedelta(milliseconds=number), start_datetime=None, end_datetime=None)
        for number, scene in enumerate(year)
    ]
    source = MosaicSource(Given(*moments))
    (scene,) = source.search(SPOT, box, *YEARS)
    assert len(source._tiles(scene.bands["red"], where).bands) == 4


@pytest.mark.parametrize(("nodata", "missing"), [(None, False), (0, True)])
def test_a_black_collar_counts_as_measured_unless_somebody_says_it_was_not(tmp_path, nodata, missing):
    collar = ground(0, 0, (PX, PX))
    collar[:, :, PX // 2 :] = 0
    write_tile(tmp_path / "2021" / "a.tif", 0, 0, pixels=collar)
    bands = {name: MappedBand("", number, nodata=nodata) for number, name in enumerate(("red", "green", "blue"), 1)}
    mapped = MappedSensor(find_sensor(NAIP), bands, files=FilePattern("{year}/*.tif"))
    source = MosaicSource(TiffFolderSource(tmp_path.as_posix(), {NAIP: mapped}, name="naip"))
    where = square(LEFT + 300, TOP - 300, 120)
    planes = planes_of(source, scenes_over(source, where, NAIP)[0], where, nodata=None)
    assert bool((planes["red"].pixels == 0).any()) is missing


def test_where_files_overlap_the_first_by_name_wins_and_its_gaps_are_filled(folder):
    holed = ground(0, 0, (PX, PX), 1)
    holed[:, 250:300, 250:300] = 0
    write_tile(folder / "2021" / "tile_0_0.tif", 0, 0, pixels=holed, nodata=0)
    write_tile(folder / "2021" / "tile_over.tif", 200, 200, seed=5)
    source, where = open_folder(folder), square(LEFT + 280 * 1.5, TOP - 280 * 1.5, 120)
    planes = planes_of(source, scenes_over(source, where)[0], where)
    whole = ground(0, 0, (2 * PX, 2 * PX), 1)
    whole[:, 250:300, 250:300] = ground(250, 250, (50, 50), 5)
    np.testing.assert_array_equal(planes["red"].pixels, warped(whole, where)[0])


@pytest.mark.parametrize(
    ("nodata", "expected"),
    [(0, [0, 9, 255]), (255, [1, 9, 0]), (9, [1, 0, 255]), (None, [1, 9, 255])],
)
def test_a_measured_number_is_never_the_mosaic_s_nodata(nodata, expected):
    assert list(as_measured(np.array([[0, 9, 255]], np.uint8), nodata, 0)[0]) == expected


def test_a_file_that_says_nothing_has_the_nodata_of_its_sensor_if_that_has_one(tmp_path):
    black = np.zeros((3, PX, PX), np.uint8)
    black[:, :, : PX // 2] = 80
    write_tile(tmp_path / "2021" / "a.tif", 0, 0, pixels=black)
    where = square(LEFT + 300, TOP - 300, 120)
    spot, naip = open_folder(tmp_path), open_folder(tmp_path, sensor=NAIP)
    assert (planes_of(spot, scenes_over(spot, where)[0], where)["red"].pixels == 0).mean() > 0.4
    measured = planes_of(naip, scenes_over(naip, where, NAIP)[0], where, nodata=None)["red"].pixels
    assert measured.min() >= 1


def test_a_nodata_that_no_pixel_can_have_gives_way_to_that_of_the_file(tmp_path):
    pixels = ground(0, 0, (PX, PX))
    pixels[:, :, : PX // 2] = 255
    write_tile(tmp_path / "2021" / "a.tif", 0, 0, pixels=pixels, nodata=255)
    bands = {name: MappedBand("", number, nodata=-9999) for number, name in enumerate(("red", "green", "blue"), 1)}
    mapped = MappedSensor(find_sensor(NAIP), bands, files=FilePattern("{year}/*.tif"))
    source = MosaicSource(TiffFolderSource(tmp_path.as_posix(), {NAIP: mapped}, name="canopy"))
    where = square(LEFT + 300, TOP - 300, 120)
    plane = planes_of(source, scenes_over(source, where, NAIP)[0], where, nodata=None)["red"]
    assert plane.nodata == 0
    assert 0.2 < (plane.pixels == 0).mean() < 0.4
    assert (plane.pixels == 255).mean() < 0.05


def test_a_file_that_cannot_be_read_spoils_the_planes_that_need_it_alone(folder):
    broken = folder / "2021" / f"tile_{PX}_{PX}.tif"
    source = open_folder(folder)
    both = [square(), square(LEFT + 200, TOP - 200, 120)]
    scenes = [scenes_over(source, where)[0] for where in both]
    broken.write_bytes(broken.read_bytes()[:3000])
    assert all(isinstance(plane, SourceUnavailableError) for plane in planes_of(source, scenes[0], both[0]).values())
    assert not any(isinstance(plane, SourceUnavailableError) for plane in planes_of(source, scenes[1], both[1]).values())


def test_a_mosaic_whose_files_are_gone_is_told(folder):
    source, where = open_folder(folder), square()
    scene = scenes_over(source, where)[0]
    far = square(LEFT + 90_000, TOP)
    (plane, *_) = planes_of(source, scene, far).values()
    assert "has no file over location paris-000000, though the search found some" in str(plane)


def test_a_mosaic_is_not_opened_as_one_file(folder):
    source = open_folder(folder)
    scene = scenes_over(source, square())[0]
    with pytest.raises(SourceUnavailableError, match="is a mosaic of files; expected one file"):
        source.open(scene.bands["red"])
    assert source.holds(scene.bands["red"])
    assert not source.holds(SourceBand("mosaic://another/spot-ortho/20210101T000000_20211231T235959/red"))
    with source.open(SourceBand((folder / "2021" / "tile_0_0.tif").as_posix())) as raster:
        assert raster.grid.epsg == 2154


def test_bands_are_those_that_all_files_have(folder):
    scenes = scenes_over(open_folder(folder), square())
    fewer = join([scenes[0], replace(scenes[0], id="z", bands={"red": scenes[0].bands["red"]})], "mosaic://a/")
    assert list(fewer.bands) == ["red"]


def test_a_static_catalog_of_tiles_is_a_mosaic_too(folder, tmp_path):
    """The same files under STAC items of one vintage, as somebody publishes a mosaic."""
    where = square()
    (box,) = location_boxes([where])
    items = [item_of(scene) for scene in loose_files(folder).search(SPOT, box, *YEARS)]
    assert len(items) == 8
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    source = MosaicSource(StaticCatalogSource(path.as_posix()))
    scenes = scenes_over(source, where)
    assert len(scenes) == 2
    planes = planes_of(source, scenes[1], where)
    np.testing.assert_array_equal(planes["green"].pixels, warped(ground(0, 0, (2 * PX, 2 * PX), 2), where)[1])


def spoilt(items):
    """What an API has later: a tile less, and one that wins where it lies over the others, with other numbers."""
    other = items[4]["assets"]["image"]["href"]
    over = items[0] | {"id": "a", "assets": {"image": items[0]["assets"]["image"] | {"href": other}}}
    return [over, *items[1:3], *items[4:]]


@pytest.mark.parametrize("becomes", [spoilt, lambda _: None])
def test_pixels_rest_on_the_saved_answer_whatever_becomes_of_the_api(folder, tmp_path, becomes):
    where, port = square(), free_port()
    expected = warped(ground(0, 0, (2 * PX, 2 * PX), 1), where)
    with serve_files(folder) as files:
        items = items_over(folder, where, files)
        for has in (items, becomes(items)):
            with serve_api(has, port=port) if has else nullcontext(f"http://127.0.0.1:{port}") as url:
                source = MosaicSource(StacApiSource(url))
                scenes = [found.scene for found in Searches(source, tmp_path, [where], YEARS).candidates(SPOT, where)]
                planes = planes_of(source, scenes[0], where)
            np.testing.assert_array_equal(np.stack([planes[name].pixels for name in ("red", "green", "blue")]), expected)


def items_over(folder, where, address):
    """Items of the files over a square, at another address."""
    (box,) = location_boxes([where])
    items = [item_of(scene) for scene in loose_files(folder).search(SPOT, box, *YEARS)]
    return json.loads(json.dumps(items).replace(folder.as_posix(), address))


def without_parts(scene):
    return replace(scene, bands={name: replace(band, parts=()) for name, band in scene.bands.items()})


def test_an_answer_that_was_saved_without_parts_is_searched_again(folder):
    source, where = open_folder(folder), square()
    scene = scenes_over(source, where)[0]
    planes, older = planes_of(source, scene, where), planes_of(source, without_parts(scene), where)
    for name, plane in planes.items():
        np.testing.assert_array_equal(plane.pixels, older[name].pixels)
        assert plane.source == older[name].source


@pytest.mark.parametrize(("x", "y", "side_m"), [(300, 300, 60), (600, 600, 120), (600, 300, 60), (1150, 30, 120)])
def test_parts_over_a_square_are_the_files_that_a_search_there_finds(folder, x, y, side_m):
    source, where = open_folder(folder), square(LEFT + x, TOP - y, side_m)
    red = scenes_over(source, square(side_m=1500))[0].bands["red"]
    assert len(red.parts) == 4
    told = source._tiles(red, where)
    assert told == source._tiles(replace(red, parts=()), where)
    assert 1 <= len(told.bands) <= 4


def test_a_mosaic_is_narrowed_to_the_parts_over_some_boxes(folder):
    scene = scenes_over(open_folder(folder), square(side_m=1500))[0]
    boxes = [box for x in (200, 1000) for box in location_boxes([square(LEFT + x, TOP - 200, 60)])]
    for count, chosen in ((1, boxes[:1]), (2, boxes), (4, [(10.0, 0.0, 11.0, 1.0)])):
        narrow = narrow_parts(scene, chosen)
        assert [len(band.parts) for band in narrow.bands.values()] == [count] * 3
        assert narrow == replace(scene, bands=narrow.bands)
    plain = without_parts(scene)
    assert narrow_parts(plain, boxes) is plain


def test_a_mosaic_that_two_boxes_have_parts_of_is_one(folder):
    source = open_folder(folder)
    left, right = (scenes_over(source, square(LEFT + x, TOP - 600, 180))[0] for x in (200, 1000))
    whole = scenes_over(source, square())[0]
    both = add_parts(right, left)
    for other in (both, add_parts(left, right)):
        assert [other.bands[name].parts for name in other.bands] == [whole.bands[name].parts for name in whole.bands]
    assert [len(each.bands["red"].parts) for each in (left, right, both)] == [2, 2, 4]
    assert shape(both.footprint).equals(shape(whole.footprint))
    assert add_parts(both, left) == both
    plain = without_parts(right)
    assert add_parts(plain, left) is plain


def item_of(scene):
    bands = [{"name": name, "eo:common_name": name} for name in scene.bands]
    image = {"href": scene.bands["red"].href, "type": "image/tiff; application=geotiff", "roles": ["data"], "bands": bands}
    return {
        "type": "Feature", "stac_version": "1.1.0", "id": scene.id, "collection": SPOT, "geometry": dict(scene.footprint),
        "properties": {
            "datetime": None, "constellation": "spot",
            "start_datetime": scene.start_datetime.isoformat(), "end_datetime": scene.end_datetime.isoformat(),
        },
        "assets": {"image": image},
        "links": [],
    }  # fmt: skip


class Given:
    """A source that has some scenes."""

    name, simulated, skipped, reads_files = "given", False, {}, True

    def __init__(self, *scenes):
        self.index = SceneIndex(scenes)

    def search(self, sensor, box, start, end):
        return self.index.search(box, start, end)


def test_only_files_of_the_very_same_time_are_put_together(folder):
    """A summer lies within its year, and an instant within both; none of them is taken for another."""
    where, when = square(), datetime(2021, 7, 1, 12, 30, 5, tzinfo=UTC)
    (box,) = location_boxes([where])
    year = loose_files(folder).search(SPOT, box, YEARS[0], datetime(2021, 2, 1, tzinfo=UTC))
    summer = [
        replace(scene, id=f"s-{scene.id}", start_datetime=when, end_datetime=when + timedelta(days=60)) for scene in year[:2]
    ]
    instant = [replace(scene, id=f"i-{scene.id}", datetime=when, start_datetime=None, end_datetime=None) for scene in year[2:]]
    source = MosaicSource(Given(*year, *summer, *instant))
    tiles = [source._tiles(scene.bands["red"], where).bands for scene in source.search(SPOT, box, *YEARS)]
    assert sorted(map(len, tiles)) == [2, 2, 4]


def test_a_build_without_orthophotos_has_the_source_itself(folder):
    """So that whatever reads files by their addresses does as before: a plan, a worker of a cluster, several sources."""
    files, other = loose_files(folder), StaticCatalogSource(nothing(folder))
    both = FailoverSource([MosaicSource(files), other])
    assert not both.reads_files
    assert for_sensors(MosaicSource(files), ["sentinel-2-l2a"]) is files
    assert for_sensors(both, ["sentinel-2-l2a"]).reads_files
    assert for_sensors(both, ["sentinel-2-l2a"]).sources == [files, other]
    kept = for_sensors(both, ["sentinel-2-l2a", SPOT])
    assert isinstance(kept.sources[0], MosaicSource)
    assert not kept.reads_files
    assert for_sensors(other, [SPOT]) is other


def test_an_address_that_answers_only_later_gives_files_not_mosaics(folder):
    """The build began when nobody knew what it has, and reads its bands as files."""
    late = UnopenedSource(
        "https://a.b", SourceUnavailableError("down"), lambda _, **__: open_folder(folder), max_scene_cloud=100
    )
    with pytest.raises(SourceUnavailableError, match="down"):
        late.sensors()
    scenes = scenes_over(late, square())
    assert len(scenes) == 8
    assert all(late.reads_files and scene.bands["red"].href.endswith(".tif") for scene in scenes)


def nothing(folder):
    path = folder / "nothing.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    return path.as_posix()


def test_only_orthophotos_are_joined(folder):
    source = open_folder(folder)
    assert isinstance(with_mosaics(source, ["sentinel-2-l2a", NAIP]), MosaicSource)
    assert with_mosaics(source, ["sentinel-2-l2a", "sentinel-2-l1c"]) is source

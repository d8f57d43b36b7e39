"""A folder of loose GeoTIFFs: the real dates of a reservoir, and made-up files with this or that fault."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from shapely.geometry import box, shape

from catalogs.bands import SENSORS
from catalogs.lattice import transformer
from catalogs.records import Grid
from curate.errors import CurateError, SourceSensorError
from curate.sources import open_source
from curate.sources.archives.file_dates import FilePattern
from curate.sources.archives.mapped_bands import MappedBand
from curate.sources.archives.mapping import MappedSensor
from curate.sources.archives.tiff_folder import TiffFolderSource, outline
from tests.curate.sources.archive import AGES, WORLD

S2 = "sentinel-2-l2a"
BANDS = {"B02": MappedBand("", 2, 1e-4, 0.0, -1), "B03": MappedBand("", 1, 1e-4, 0.0)}


def mapped(pattern="*_{date}.tif", bands=BANDS, sensor=S2):
    return {sensor: MappedSensor(SENSORS[sensor], bands, files=FilePattern(pattern))}


def write(path, *, count=2, epsg=32631, left=500_000.0, top=5_000_000.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "height": 20, "width": 30, "count": count, "dtype": "int16"}
    with rasterio.open(path, "w", crs=f"EPSG:{epsg}", transform=Affine(10, 0, left, 0, -10, top), **profile) as raster:
        raster.write(np.ones((count, 20, 30), "int16"))
    return path


def test_real_files_in_degrees_are_scenes_of_their_days(shared_data):
    folder = shared_data / "s2_boadella"
    source = TiffFolderSource(str(folder), mapped("Boadella_{date}.tif"), name="boadella")
    scenes = source.search(S2, WORLD, *AGES)
    assert [scene.id for scene in scenes] == sorted(path.name for path in folder.glob("*.tif"))
    first = scenes[0]
    assert (first.datetime, first.start_datetime) == (None, datetime(2020, 1, 13, tzinfo=UTC))
    assert first.end_datetime == datetime(2020, 1, 13, 23, 59, 59, tzinfo=UTC)
    assert (first.epsg, first.cloud_percent, first.platform) == (4326, None, None)
    assert shape(dict(first.footprint)).bounds == pytest.approx((2.7920278, 42.3305787, 2.8380215, 42.3645714), abs=1e-6)
    assert list(first.bands) == ["B02", "B03"]
    assert (first.bands["B02"].index, first.bands["B02"].nodata) == (2, -1)
    with source.open(first.bands["B02"]) as raster, rasterio.open(folder / first.id) as file:
        assert (raster.read((5, 6, 7, 8)) == file.read(2)[6:14, 5:12]).all()


def test_a_day_is_found_by_any_hour_of_it(tmp_path):
    write(tmp_path / "a_20200113.tif")
    source = TiffFolderSource(str(tmp_path), mapped(), name="a")
    noon = datetime(2020, 1, 13, 12, tzinfo=UTC)
    assert len(source.search(S2, WORLD, noon, AGES[1])) == len(source.search(S2, WORLD, AGES[0], noon)) == 1
    assert source.search(S2, WORLD, AGES[0], datetime(2020, 1, 13, tzinfo=UTC)) == []
    assert source.search(S2, (100.0, 0.0, 101.0, 1.0), *AGES) == []


def test_an_instant_in_the_name_is_the_scenes(tmp_path):
    write(tmp_path / "2020" / "a_20200113T105401.tif")
    (scene,) = TiffFolderSource(str(tmp_path), mapped("2020/*_{datetime}.tif"), name="a").search(S2, WORLD, *AGES)
    assert (scene.datetime, scene.start_datetime) == (datetime(2020, 1, 13, 10, 54, 1, tzinfo=UTC), None)
    assert scene.id == "2020/a_20200113T105401.tif"


def test_what_is_of_no_use_is_counted_with_its_reason(tmp_path):
    write(tmp_path / "a_20200113.tif")
    write(tmp_path / "b_20200113.tif", count=1)
    write(tmp_path / "c_20201399.tif")
    write(tmp_path / "sub" / "d_20200113.tif")
    (tmp_path / "e_20200114.tif").write_bytes(b"none")
    (tmp_path / "notes.txt").write_text("passed over")
    source = TiffFolderSource(str(tmp_path), mapped(), name="a")
    assert [scene.id for scene in source.search(S2, WORLD, *AGES)] == ["a_20200113.tif"]
    reasons = dict(sorted(source.skipped.items()))
    assert list(reasons) == ["b_20200113.tif", "c_20201399.tif", "e_20200114.tif", "sub/d_20200113.tif"]
    assert "it has 1 band, and the mapping file names a band 2" in reasons["b_20200113.tif"]
    assert "20201399 is no date" in reasons["c_20201399.tif"]
    assert "its name is not as '*_{date}.tif' in the mapping file" in reasons["sub/d_20200113.tif"]


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        (None, 2, r"has no file that is as the mapping file says\. It has no GeoTIFF\.$"),
        ("a.tif", 2, r"has no file that is as .*\. a\.tif: its name is not as '\*_\{date\}\.tif' in the mapping file\.$"),
        ("a_20200113.tif", 1, r"a_20200113\.tif: it has 1 band, and the mapping file names a band 2\.$"),
        ("a_20201399.tif", 2, r"a_20201399\.tif: 20201399 is no date\.$"),
    ],
)
def test_a_folder_without_a_scene_is_told_with_a_reason(tmp_path, name, count, words):
    if name:
        write(tmp_path / name, count=count)
    with pytest.raises(CurateError, match=words) as caught:
        TiffFolderSource(str(tmp_path), mapped(), name="a")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("names", ['["B02", "B03"]', '["B02", "-", "B03", "-"]'])
def test_a_list_of_bands_that_is_not_as_long_as_the_files_is_refused_since_it_may_be_shifted(tmp_path, names):
    archive = tmp_path / "archive.toml"
    text = 'folder = "."\n[sensors.sentinel-2-l2a]\nfiles = "a_{date}.tif"\nscale = 0.0001\noffset = 0\nbands = '
    archive.write_text(f"{text}{names}\n")
    write(tmp_path / "a_20200113.tif", count=3)
    words = (
        rf"a_20200113\.tif: it has 3 bands, and the mapping lists {names.count(',') + 1}\. Name each, '-' for one to pass over"
    )
    with pytest.raises(CurateError, match=words):
        open_source(str(archive))
    archive.write_text(f'{text}["B02", "-", "B03"]\n')
    (scene,) = open_source(str(archive)).search(S2, WORLD, *AGES)
    assert {name: band.index for name, band in scene.bands.items()} == {"B02": 1, "B03": 3}


def test_a_file_with_a_band_more_than_the_others_is_left_out_with_a_reason(tmp_path):
    (tmp_path / "archive.toml").write_text(
        'folder = "."\n[sensors.naip]\nfiles = "a_{date}.tif"\nbands = ["red", "green", "blue"]\n'
    )
    write(tmp_path / "a_20200113.tif", count=3)
    write(tmp_path / "a_20200114.tif", count=4)
    source = open_source(str(tmp_path / "archive.toml"))
    (reason,) = source.skipped.values()
    assert reason.startswith("it has 4 bands, and the mapping lists 3")


def test_where_each_band_is_a_file_a_scene_has_several(tmp_path):
    for name in ("B02", "blue-ish", "green", "x9"):
        write(tmp_path / "T31" / f"20200113_{name}.tif", count=1)
        write(tmp_path / "T32" / f"20200118_{name}.tif", count=1)
    (tmp_path / "T32" / "20200118_green.tif").unlink()
    bands = {"B03": MappedBand("green", 1, 1e-4, 0.0), "B02": MappedBand("B02", 1, 1e-4, 0.0)}
    source = TiffFolderSource(str(tmp_path), mapped("*/{date}_{band}.tif", bands), name="a")
    (scene,) = source.search(S2, WORLD, *AGES)
    assert scene.id == "T31/20200113_{band}.tif"
    assert {name: (Path(band.href).name, band.index) for name, band in scene.bands.items()} == {
        "B02": ("20200113_B02.tif", 1), "B03": ("20200113_green.tif", 1),
    }  # fmt: skip
    assert list(scene.bands) == ["B02", "B03"]
    assert source.skipped["T32/20200118_{band}.tif"] == "there is no file 'green' for B03"
    assert "T31/20200113_blue-ish.tif" in source.skipped


def test_a_sensor_that_no_file_has_is_told(tmp_path):
    write(tmp_path / "a_20200113.tif")
    source = TiffFolderSource(str(tmp_path), mapped(), name="mine")
    assert source.sensors() == [S2]
    with pytest.raises(SourceSensorError, match=r"mine has no naip\. It has sentinel-2-l2a \(1 files\)"):
        source.search("naip", WORLD, *AGES)


@pytest.mark.parametrize("epsg", [32631, 2154, 4326])
def test_an_outline_is_as_bent_as_the_raster(epsg):
    a, left, top = (0.001, 2.0, 45.0) if epsg == 4326 else (100.0, 500_000.0, 6_000_000.0)
    grid = Grid(epsg, (a, 0.0, left, 0.0, -a, top), 1000, 1000)
    found = shape(dict(outline(grid)))
    west, south, east, north = grid.bounds
    for share in np.linspace(0.01, 0.99, 7):
        for x, y in ((west, south + share * (north - south)), (west + share * (east - west), north)):
            lon, lat = transformer(epsg, 4326).transform(x, y)
            assert found.boundary.distance(box(lon, lat, lon, lat)) < 2e-5
    assert found.is_valid


def test_a_raster_that_reaches_across_180_degrees_is_cut_there():
    lon, lat = transformer(4326, 32660).transform(179.9, -17.0)
    found = outline(Grid(32760, (100.0, 0.0, lon, 0.0, -100.0, lat + 10_000_000), 300, 300))
    assert found["type"] == "MultiPolygon"

"""Files that only GDAL reads: each needed block once, a damaged one spoils only its own."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.reading import gdal_blocks
from curate.reading.gdal_blocks import gdal_header, read_blocks
from curate.reading.reader import BlockReader
from curate.reading.transport import Transport
from tests.curate.reading.disk import DiskTransport, by_rasterio, cut_out, read_all, windows_of, wishes, write_raster

LZW = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "lzw"}


def test_the_header_is_what_gdal_tells(tmp_path):
    write_raster(tmp_path / "a.tif", count=2, nodata=4, **LZW)
    header = gdal_header(str(tmp_path / "a.tif"))
    assert (header.grid.epsg, header.grid.shape, header.count) == (32631, (300, 340), 2)
    assert (header.data_types, header.nodata) == (("uint16", "uint16"), (4.0, 4.0))
    assert (header.cuts[1].block_height, header.cuts[1].block_width) == (64, 64)
    assert header.packing is None


@pytest.mark.parametrize(("count", "interleave"), [(1, "band"), (3, "band"), (3, "pixel")])
def test_a_tiff_tells_what_its_blocks_take_without_overviews(tmp_path, count, interleave):
    write_raster(tmp_path / "a.tif", count=count, interleave=interleave, **LZW)
    bare = (tmp_path / "a.tif").stat().st_size
    with rasterio.open(tmp_path / "a.tif", "r+") as raster:
        raster.build_overviews([2, 4])
    assert (tmp_path / "a.tif").stat().st_size > 1.2 * bare
    told = gdal_header(str(tmp_path / "a.tif")).mean_block_bytes
    assert told * 30 * count == pytest.approx(bare, rel=0.03)


def test_blocks_that_were_never_written_are_not_in_the_mean(tmp_path):
    write_raster(tmp_path / "a.tif", **LZW)
    told = gdal_header(str(tmp_path / "a.tif")).stated_block_bytes
    with (
        rasterio.open(tmp_path / "a.tif") as raster,
        rasterio.open(tmp_path / "b.tif", "w", **{**raster.profile, "sparse_ok": True}) as sparse,
    ):
        sparse.write(raster.read(window=((0, 128), (0, 128))), window=((0, 128), (0, 128)))
    assert gdal_header(str(tmp_path / "b.tif")).stated_block_bytes == pytest.approx(told, rel=0.3)


def test_of_a_jpeg_2000_only_the_whole_is_known(tmp_path):
    options = {"driver": "JP2OpenJPEG", "quality": "100", "reversible": "yes", "blockxsize": 64, "blockysize": 64}
    write_raster(tmp_path / "a.jp2", **options)
    header = gdal_header(str(tmp_path / "a.jp2"))
    assert (header.stated_block_bytes, header.mean_block_bytes) == (None, None)
    assert replace(header, size=30_015).mean_block_bytes == 1_000


def test_blocks_come_one_by_one_cut_off_at_the_edge(tmp_path):
    pixels = write_raster(tmp_path / "a.tif", count=2, **LZW)
    href = str(tmp_path / "a.tif")
    found = dict(read_blocks(href, gdal_header(href), [(1, 0), (2, 29)], is_over=lambda: False))
    assert (found[1, 0] == pixels[0, :64, :64]).all()
    assert (found[2, 29] == pixels[1, 256:, 320:]).all()
    assert found[2, 29].shape == (44, 20)


def test_it_stops_when_told(tmp_path):
    write_raster(tmp_path / "a.tif", **LZW)
    href = str(tmp_path / "a.tif")
    asked = iter([False, False, True])
    assert len(list(read_blocks(href, gdal_header(href), [(1, n) for n in range(9)], is_over=lambda: next(asked)))) == 2


def test_each_needed_block_is_read_once_however_many_windows(tmp_path, monkeypatch):
    pixels = write_raster(tmp_path / "a.tif", count=3, interleave="pixel", **LZW)
    read = []
    plain = gdal_blocks.read_blocks
    monkeypatch.setattr(
        "curate.reading.sweep.read_blocks",
        lambda href, header, blocks, **options: (read.extend(blocks), plain(href, header, blocks, **options))[1],
    )
    windows = windows_of(count=20)[1:]
    reader = BlockReader(DiskTransport(tmp_path), fetchers=4)
    found = read_all(reader, wishes(f"{tmp_path}/a.tif", windows, [3, 1]))
    for (_, band, window), array in found.items():
        assert (array == cut_out(pixels[band - 1], window)).all()
    assert len(read) == len(set(read)) <= 60
    assert {band for band, _ in read} == {1, 3}


def test_what_gdal_reads_of_a_local_file_is_counted_as_its_blocks_take_in_it(tmp_path):
    write_raster(tmp_path / "a.tif", **LZW)
    transport = DiskTransport(tmp_path)
    read_all(BlockReader(transport, fetchers=4), wishes(f"{tmp_path}/a.tif", [(0, 0, 340, 300)]))
    assert transport.counts.requests == 30
    assert transport.counts.bytes == pytest.approx((tmp_path / "a.tif").stat().st_size, rel=0.01)


def test_a_damaged_block_spoils_its_own_windows_alone(tmp_path):
    write_raster(tmp_path / "a.tif", compress="zstd", blockysize=50, tiled=False, nbits=12)
    pixels = by_rasterio(tmp_path / "a.tif")[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[-1000:] = bytes(1000)
    (tmp_path / "a.tif").write_bytes(content)
    reader = BlockReader(DiskTransport(tmp_path), fetchers=4)
    windows = [(0, row, 30, 20) for row in range(5, 300, 50)]
    found = read_all(reader, wishes(f"{tmp_path}/a.tif", windows))
    errors = [key[2] for key, result in found.items() if isinstance(result, SourceUnavailableError)]
    assert errors == windows[-1:]
    assert "a.tif cannot be read as a raster" in str(found[f"{tmp_path}/a.tif", 1, windows[-1]])
    for window in windows[:-1]:
        assert np.array_equal(found[f"{tmp_path}/a.tif", 1, window], cut_out(pixels, window))


def test_a_local_file_that_is_replaced_by_one_of_the_same_grid_is_read_anew(tmp_path):
    write_raster(tmp_path / "a.tif", **LZW)
    href, size = f"{tmp_path}/a.tif", (tmp_path / "a.tif").stat().st_size
    transport = Transport()
    reader = BlockReader(transport, fetchers=4)
    reader.rasters([SourceBand(href)])
    pixels = write_raster(tmp_path / "a.tif", nodata=3, seed=9, **LZW)
    assert (tmp_path / "a.tif").stat().st_size != size
    for (_, _, window), array in read_all(reader, wishes(href, windows_of())).items():
        assert (array == cut_out(pixels[0], window)).all()
    assert reader.rasters([SourceBand(href)])[0].nodata == 3


def test_a_file_that_is_gone_by_then_spoils_its_windows(tmp_path):
    write_raster(tmp_path / "a.tif", **LZW)
    href = f"{tmp_path}/a.tif"
    reader = BlockReader(Transport(), fetchers=4)
    reader.rasters([SourceBand(href)])
    (tmp_path / "a.tif").unlink()
    for error in read_all(reader, wishes(href, windows_of())).values():
        assert "a.tif does not exist" in str(error)
    with pytest.raises(SourceUnavailableError, match="does not exist"):
        gdal_header(href)

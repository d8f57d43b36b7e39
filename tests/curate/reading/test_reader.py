"""Windows of every layout are rasterio's; headers and blocks are fetched once; what goes wrong spoils only what it touches."""

import threading
import time
import zlib

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio import Affine

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.reading.decode import Encoding
from curate.reading.headers import HEADER_BYTES
from curate.reading.reader import BlockReader, WindowRead
from curate.reading.transport import Fetched
from tests.curate.reading.disk import ROOT, DiskTransport, by_rasterio, cut_out, read_all, windows_of, wishes, write_raster

TILED = {"tiled": True, "blockxsize": 64, "blockysize": 128}
SMALL = {"tiled": True, "blockxsize": 64, "blockysize": 64}
YCBCR = {"count": 3, "photometric": "ycbcr", "interleave": "pixel"}
LAYOUTS = {
    "tiles": TILED,
    "strips": {"blockysize": 7},
    "one strip": {"blockysize": 300},
    "bigtiff": {**TILED, "bigtiff": "yes"},
    "big endian": {**TILED, "endianness": "big"},
    "big endian bigtiff strips": {"blockysize": 33, "endianness": "big", "bigtiff": "yes"},
    "together": {**TILED, "interleave": "pixel", "count": 3},
    "apart": {**TILED, "interleave": "band", "count": 3},
    "strips together": {"blockysize": 16, "interleave": "pixel", "count": 2},
    "big endian together": {**TILED, "interleave": "pixel", "count": 3, "endianness": "big"},
}
TYPES = {
    "uint8": (1, 2), "int8": (1, 2), "uint16": (1, 2), "int16": (1, 2), "uint32": (1, 2), "int32": (2,), "float32": (1, 2, 3),
    "float64": (2, 3),
}  # fmt: skip
"""With the predictors that GDAL writes for them."""


def reader_of(transport, **settings):
    return BlockReader(transport, **{"fetchers": 8, "decoders": 2, **settings})


def assert_is_rasterios(folder, name, *, root=ROOT):
    """Every window of a file; gives the transport that counted."""
    pixels = by_rasterio(folder / name)
    transport = DiskTransport(folder)
    reads = wishes(root + name, windows_of(pixels.shape[1:]), range(1, len(pixels) + 1))
    for (_, band, window), found in read_all(reader_of(transport), reads).items():
        assert isinstance(found, np.ndarray), found
        assert found.dtype == pixels.dtype
        assert found.tobytes() == cut_out(pixels[band - 1], window).tobytes(), (band, window)
    return transport


@pytest.mark.parametrize("compress", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_type_and_predictor_is_read_as_rasterio_reads_it(tmp_path, layout, compress):
    for data_type, predictors in TYPES.items():
        for predictor in predictors if compress != "none" else (None,):
            options = {**LAYOUTS[layout], "compress": compress, "data_type": data_type}
            if predictor:
                options["predictor"] = predictor
            write_raster(tmp_path / "a.tif", size=(140, 150), **options)
            assert_is_rasterios(tmp_path, "a.tif")


@pytest.mark.parametrize("options", [{}, {"add_mask": True}, {"nodata": 7.0}, {"data_type": "uint8"}])
def test_a_cog_with_overviews_masks_and_ghosts_is_read(tmp_path, options):
    pixels = write_raster(tmp_path / "plain.tif", size=(700, 600), data_type=options.get("data_type", "uint16"))
    with rasterio.open(tmp_path / "plain.tif", "r+") as plain:
        plain.nodata = options.get("nodata")
        if "add_mask" in options:
            plain.write_mask(pixels[0] > 50)
    settings = {"driver": "COG", "blocksize": 128, "compress": "deflate", "predictor": "yes"}
    rasterio.shutil.copy(tmp_path / "plain.tif", tmp_path / "a.tif", **settings)
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.overviews(1)
    transport = assert_is_rasterios(tmp_path, "a.tif")
    needed = (tmp_path / "a.tif").stat().st_size
    assert len(transport.ranges) < 10, "neighbouring blocks come together"
    assert transport.bytes <= needed + HEADER_BYTES


@pytest.mark.parametrize("nodata", [None, 0.0, 9999.0])
def test_blocks_that_were_never_written_are_nodata(tmp_path, nodata):
    options = {**SMALL, "compress": "deflate", "sparse_ok": "true", "dtype": "uint16", "count": 2, "nodata": nodata}
    settings = {"crs": "EPSG:32631", "transform": Affine(10, 0, 0, 0, -10, 0), "height": 256, "width": 200, **options}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **settings) as raster:
        raster.write(np.full((64, 64), 5, np.uint16), 1, window=rasterio.windows.Window(64, 64, 64, 64))
    assert_is_rasterios(tmp_path, "a.tif")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lzw.tif", {**SMALL, "compress": "lzw", "predictor": 2}),
        ("jpeg.tif", {**SMALL, **YCBCR, "compress": "jpeg", "data_type": "uint8"}),
        ("packed.tif", {**SMALL, "compress": "deflate", "nbits": 12}),
        ("inverted.tif", {**SMALL, "compress": "deflate", "photometric": "miniswhite"}),
        ("plain.jp2", {"driver": "JP2OpenJPEG", "quality": "100", "reversible": "yes", "blockxsize": 64, "blockysize": 64}),
        ("lerc.tif", {**SMALL, "compress": "lerc", "data_type": "float32"}),
    ],
)  # fmt: skip
def test_what_only_gdal_can_read_comes_the_same_way(tmp_path, name, options):
    write_raster(tmp_path / name, size=(200, 210), **options)
    assert_is_rasterios(tmp_path, name, root=f"{tmp_path}/")


@pytest.mark.parametrize(
    "options", [{}, {"count": 3, "interleave": "band"}, {"nodata": 3.0}, {"data_type": "float32", "nodata": -9999.0}]
)
def test_rasters_are_told_as_gdal_tells_them(tmp_path, options):
    write_raster(tmp_path / "a.tif", **TILED, compress="deflate", **options)
    with rasterio.open(tmp_path / "a.tif") as raster:
        for index in range(1, raster.count + 1):
            band = SourceBand(ROOT + "a.tif", index, checksum="1220ab")
            (found,) = reader_of(DiskTransport(tmp_path)).rasters([band])
            assert (found.grid.epsg, *found.grid.transform) == (32631, *raster.transform[:6])
            assert found.grid.shape == raster.shape
            assert (found.nodata, found.data_type) == (raster.nodatavals[index - 1], raster.dtypes[index - 1])
            assert found.checksum == "1220ab"


def test_a_window_that_is_not_inside_is_refused(tmp_path):
    write_raster(tmp_path / "a.tif")
    for window in ((0, 0, 341, 1), (-1, 0, 5, 5), (0, 0, 0, 5)):
        with pytest.raises(ValueError, match=r"not inside https://store.test/a.tif, which is 340 x 300 pixels"):
            read_all(reader_of(DiskTransport(tmp_path)), wishes(ROOT + "a.tif", [window]))


def test_nothing_asked_is_nothing_given(tmp_path):
    assert list(reader_of(DiskTransport(tmp_path)).read([])) == []


def test_headers_and_blocks_are_fetched_once_however_many_windows(tmp_path):
    hrefs = [f"scene-{scene}/B0{band}.tif" for scene in range(3) for band in range(2, 5)]
    for number, href in enumerate(hrefs):
        write_raster(
            tmp_path / href, size=(1024, 1024), seed=number, tiled=True, blockxsize=256, blockysize=256, compress="deflate"
        )
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    rng = np.random.default_rng(0)
    corners = [(int(rng.integers(0, 960)), int(rng.integers(0, 960)), 60, 60) for _ in range(40)]
    reads = [wish for href in hrefs for wish in wishes(ROOT + href, corners)]
    assert len(reader.rasters([read.band for _, read in reads])) == len(reads)
    found = read_all(reader, reads)
    pixels = {href: by_rasterio(tmp_path / href)[0] for href in hrefs}
    for (href, _, window), array in found.items():
        assert (array == cut_out(pixels[href.removeprefix(ROOT)], window)).all()
    headers = [name for name, start, end in transport.ranges if (start, end) == (0, HEADER_BYTES)]
    assert sorted(headers) == sorted(hrefs)
    blocks = [(name, start, end) for name, start, end in transport.ranges if (start, end) != (0, HEADER_BYTES)]
    for href in hrefs:
        ends = 0
        for _, start, end in sorted(place for place in blocks if place[0] == href):
            assert start >= ends, "no byte of a block is fetched twice"
            ends = end
    assert len(transport.ranges) <= len(hrefs) * (1 + 16)
    assert len(blocks) < 16 * len(hrefs), "neighbours are joined"


def test_bytes_are_those_of_the_needed_blocks(tmp_path):
    write_raster(tmp_path / "plain.tif", size=(1500, 1500))
    rasterio.shutil.copy(tmp_path / "plain.tif", tmp_path / "a.tif", driver="COG", blocksize=128, compress="deflate")
    transport = DiskTransport(tmp_path)
    windows = [(column, row, 30, 30) for column in range(0, 1400, 300) for row in range(50, 1400, 300)]
    read_all(reader_of(transport), wishes(ROOT + "a.tif", windows))
    cut = reader_of(transport)._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    touched = {number for window in windows for number in cut.cuts[0].touched(window)}
    needed = sum(int(cut.packing.sizes[number]) for number in touched)
    del transport.ranges[-1]
    assert transport.bytes <= 1.02 * needed + HEADER_BYTES
    assert len(transport.ranges) <= 1 + len(touched)


def test_windows_come_as_they_are_complete_and_few_are_begun_at_a_time(tmp_path):
    for band in "234":
        write_raster(tmp_path / f"B0{band}.tif", size=(2048, 256), seed=int(band), compress="deflate", **SMALL)
    reads = [
        wish for band in "432" for wish in wishes(f"{ROOT}B0{band}.tif", [(20, row, 80, 40) for row in range(1990, 0, -60)])
    ]
    reader = reader_of(DiskTransport(tmp_path), fetchers=1)
    rows = [key[2][1] for key, _ in reader.read(reads)]
    assert len(rows) == len(reads)
    below = [max(rows[:number], default=0) - row for number, row in enumerate(rows)]
    assert max(below) <= 3 * 64, "a window waits for its own rows of blocks only"


def test_what_is_fetched_and_not_decoded_is_bounded(tmp_path):
    write_raster(
        tmp_path / "a.tif", data_type="uint32", size=(1024, 1024), tiled=True, blockxsize=256, blockysize=256, compress="none"
    )
    transport = DiskTransport(tmp_path)
    held = []

    def watch(name, start, end, part):
        if end - start > HEADER_BYTES:
            held.append(transport.at_once)
            threading.Event().wait(0.01)
        return part

    transport.fault = watch
    windows = [(column, row, 20, 20) for column in range(10, 1024, 512) for row in range(10, 1024, 256)]
    block = 256 * 256 * 4
    read_all(reader_of(transport, fetchers=8, undecoded_bytes=2 * block), wishes(ROOT + "a.tif", windows))
    assert 1 <= max(held) <= 2


def test_a_block_larger_than_the_bound_comes_alone(tmp_path):
    write_raster(tmp_path / "a.tif", **SMALL)
    assert len(read_all(reader_of(DiskTransport(tmp_path), undecoded_bytes=1), wishes(ROOT + "a.tif", windows_of()))) == 10


def test_complete_windows_that_nobody_takes_stop_the_fetching(tmp_path):
    write_raster(tmp_path / "a.tif", size=(1024, 64), blockysize=16, compress="none")
    transport = DiskTransport(tmp_path)
    windows = [(0, row, 64, 8) for row in range(0, 1024, 128)]
    reads = reader_of(transport, fetchers=1, undecoded_bytes=2100).read(wishes(ROOT + "a.tif", windows))
    next(reads)
    for _ in range(50):
        threading.Event().wait(0.002)
    assert len(transport.ranges) < 1 + len(windows)
    assert len(list(reads)) == len(windows) - 1


def test_closing_early_ends_all_threads(tmp_path):
    write_raster(tmp_path / "a.tif", size=(2048, 256), compress="deflate", **SMALL)
    reads = reader_of(DiskTransport(tmp_path)).read(wishes(ROOT + "a.tif", [(0, row, 9, 9) for row in range(0, 2000, 60)]))
    next(reads)
    reads.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


def of_many_files(folder, count):
    """A window of each of so many files, a block each."""
    for number in range(count):
        write_raster(folder / f"{number}.tif", size=(64, 64), compress="deflate", **SMALL)
    return [read for number in range(count) for read in wishes(f"{ROOT}{number}.tif", [(0, 2, 9, 9)])]


def test_as_many_fetch_at_the_same_time_as_slow_answers_take(tmp_path):
    reads = of_many_files(tmp_path, 16)
    transport = DiskTransport(tmp_path)
    together = threading.Barrier(8)

    def meet(name, start, end, part):
        if start:
            together.wait(timeout=20)
        return part

    transport.fault = meet
    assert all(isinstance(found, np.ndarray) for found in read_all(reader_of(transport), reads).values())
    assert transport.most_at_once >= 8


@pytest.mark.parametrize(("latency_s", "least", "most"), [(0.0, 2, 4), (1.0, 40, 64)], ids=["at once", "late"])
def test_as_many_threads_fetch_as_the_way_to_the_server_takes(tmp_path, monkeypatch, latency_s, least, most):
    monkeypatch.setattr("curate.reading.sweep.HUNGRY_S", 60.0)
    reads = of_many_files(tmp_path, 64)
    transport = DiskTransport(tmp_path)
    transport.latency_s = latency_s
    transport.fault = lambda name, start, end, part: (start and time.sleep(0.01 + latency_s / 5), part)[1]
    reader = reader_of(transport, fetchers=64, decoders=2)
    reader.rasters([read.band for _, read in reads])
    transport.most_at_once = 0
    assert len(read_all(reader, reads)) == 64
    assert least <= transport.most_at_once <= most


def test_few_threads_fetch_where_decoding_takes_the_time(tmp_path, monkeypatch):
    reads = of_many_files(tmp_path, 64)
    unpack, seen = Encoding.unpack, set()

    def slowly(self, *arguments):
        seen.add(threading.current_thread().name)
        time.sleep(0.02)
        return unpack(self, *arguments)

    monkeypatch.setattr(Encoding, "unpack", slowly)
    reader = reader_of(DiskTransport(tmp_path), fetchers=64)
    assert len(read_all(reader, reads)) == 64
    assert 2 <= len(seen) < 32


def test_a_request_that_hangs_does_not_hold_up_who_closes(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.reading.sweep.LAST_WAIT_S", 0.05)
    write_raster(tmp_path / "a.tif", size=(2048, 64), compress="deflate", **SMALL)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport, fetchers=2, undecoded_bytes=20_000)
    header = reader._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    go = threading.Event()
    late = header.packing.offsets[30]

    def hang(name, start, end, part):
        if start >= late:
            assert go.wait(20)
        return part

    transport.fault = hang
    reads = reader.read(wishes(ROOT + "a.tif", [(0, row, 9, 9) for row in (2, 2000)]))
    key, _ = next(reads)
    assert key[2][1] == 2
    reads.close()
    hanging = [thread for thread in threading.enumerate() if thread.name.startswith("reading")]
    assert len(hanging) == 1
    go.set()
    hanging[0].join(10)
    assert not hanging[0].is_alive()


def late_headers(folder, *, until, name="b/1.tif"):
    """Two scenes of two files, and a transport on which the header of one file waits; wishes in any order of scenes."""
    for href in ("a/1.tif", "a/2.tif", "b/1.tif", "b/2.tif"):
        write_raster(folder / href, compress="deflate", **SMALL)
    transport = DiskTransport(folder)
    transport.fault = lambda asked, start, end, part: (asked != name or until.wait(20), part)[1]
    hrefs = ("a/1.tif", "b/1.tif", "a/2.tif", "b/2.tif")
    return transport, [wish for href in hrefs for wish in wishes(ROOT + href, [(0, 0, 20, 20), (90, 90, 30, 30)])]


def test_a_scene_is_read_while_headers_of_the_next_are_on_their_way(tmp_path):
    until = threading.Event()
    transport, asked = late_headers(tmp_path, until=until)
    reads = reader_of(transport).read(asked)
    first = [next(reads)[0][0] for _ in range(4)]
    assert not until.is_set()
    assert sorted(first) == sorted([ROOT + "a/1.tif", ROOT + "a/2.tif"] * 2)
    until.set()
    assert len(list(reads)) == 4


def test_a_header_that_hangs_does_not_hold_up_who_closes(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.reading.sweep.LAST_WAIT_S", 0.05)
    until = threading.Event()
    transport, asked = late_headers(tmp_path, until=until)
    reads = reader_of(transport).read(asked)
    for _ in range(4):  # all of the first scene: its feeder then waits for the header, or is about to
        next(reads)
    reads.close()
    assert not until.is_set()
    feeders = [thread for thread in threading.enumerate() if thread.name.startswith("reading")]
    until.set()
    for feeder in feeders:
        feeder.join(10)
        assert not feeder.is_alive()
    assert not [name for name, start, _ in transport.ranges if name == "b/2.tif" and start], "no pixels after the end"


def test_a_failure_that_is_nobodys_file_reaches_who_reads(tmp_path):
    write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    reader.rasters([SourceBand(ROOT + "a.tif")])

    def stop(*_):
        raise RuntimeError("stopped")

    transport.fault = stop
    with pytest.raises(RuntimeError, match="stopped"):
        list(reader.read(wishes(ROOT + "a.tif", windows_of())))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


# ---------------------------------------------------------------------------------------------------------------- faults

WINDOWS = [(column, row, 40, 40) for column in (4, 200) for row in (4, 200)]


def spoilt(tmp_path, spoil, *, times=99, **settings):
    """Reads four windows of separate blocks of a file, the block of the first (bytes) changed on its way so many times."""
    options = {"compress": "deflate", **SMALL, **settings}
    pixels = write_raster(tmp_path / "a.tif", **options)
    write_raster(tmp_path / "b.tif", **options)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    header = reader._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    first = int(header.packing.offsets[0])
    left = [times]

    def fault(name, start, end, part):
        if name == "a.tif" and start <= first < end and end - start != HEADER_BYTES and left[0] > 0:
            left[0] -= 1
            return spoil(part)
        return part

    transport.fault = fault
    found = read_all(reader, wishes(ROOT + "a.tif", WINDOWS) + wishes(ROOT + "b.tif", WINDOWS))
    for (href, _, window), array in found.items():
        if window != WINDOWS[0] or href.endswith("b.tif") or times < 3:
            assert (array == cut_out(pixels[0], window)).all()
    return found[ROOT + "a.tif", 1, WINDOWS[0]], transport


def flip_a_bit(part):
    return part[: len(part) // 2] + bytes([part[len(part) // 2] ^ 4]) + part[len(part) // 2 + 1 :]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (flip_a_bit, "does not inflate to 8192 bytes of its own checksum"),
        (lambda part: part[:-7], "bytes where its header promises"),
        (lambda part: part[:0], "has 0 bytes where its header promises"),
        (lambda part: zlib.compress(b"\0" * 8190).ljust(len(part), b"\0"), "holds 8190 bytes of pixels; expected 8192"),
        (lambda part: zlib.compress(b"\0" * 8194).ljust(len(part), b"\0"), "does not inflate to 8192 bytes"),
    ],
)
def test_a_damaged_block_is_fetched_three_times_and_then_spoils_its_own_windows_alone(tmp_path, spoil, words):
    error, transport = spoilt(tmp_path, spoil)
    assert isinstance(error, SourceUnavailableError)
    assert words in str(error)
    assert "a.tif: the block at row 0, column 0 (bytes" in str(error)
    assert "it was fetched 3 times. Restore the file or tell its provider, then run the same command again" in str(error)
    ranges = [place for place in transport.ranges if place[0] == "a.tif"]
    assert len(ranges) == 1 + 4 + 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_damaged_block_that_is_good_later_goes_through(tmp_path, times):
    _, transport = spoilt(tmp_path, flip_a_bit, times=times)
    assert len([place for place in transport.ranges if place[0] == "a.tif"]) == 1 + 4 + times


def test_a_damaged_block_among_joined_ones_is_fetched_again_by_itself(tmp_path):
    write_raster(tmp_path / "a.tif", compress="zstd", **SMALL)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    reader.rasters([SourceBand(ROOT + "a.tif")])
    transport.fault = lambda name, start, end, part: part if len(transport.ranges) > 2 else part[:-3]
    found = read_all(reader, wishes(ROOT + "a.tif", windows_of()))
    assert all(isinstance(array, np.ndarray) for array in found.values())
    assert len(transport.ranges) == 3
    assert transport.ranges[2][2] == transport.ranges[1][2]
    assert transport.ranges[2][1] > transport.ranges[1][1]


def test_a_file_that_is_cut_off_spoils_the_windows_beyond_its_end_without_a_request(tmp_path):
    pixels = write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) * 2 // 3])
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    header = reader._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    assert header.packing is not None, "its directory is before its blocks"
    found = read_all(reader, wishes(ROOT + "a.tif", WINDOWS))
    assert (found[ROOT + "a.tif", 1, WINDOWS[0]] == cut_out(pixels[0], WINDOWS[0])).all()
    lost = found[ROOT + "a.tif", 1, WINDOWS[3]]
    assert isinstance(lost, SourceUnavailableError)
    assert "where its header promises a block up to byte" in str(lost)
    assert "cut off. Restore the file or tell its provider" in str(lost)
    assert all(end == HEADER_BYTES or end <= len(content) * 2 // 3 for _, _, end in transport.ranges)


def test_a_missing_file_spoils_its_own_windows_alone(tmp_path):
    pixels = write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    reader = reader_of(DiskTransport(tmp_path))
    found = read_all(reader, wishes(ROOT + "no.tif", WINDOWS) + wishes(ROOT + "a.tif", WINDOWS))
    for (href, _, window), result in found.items():
        if href.endswith("no.tif"):
            assert "no.tif is not there (404)" in str(result)
        else:
            assert (result == cut_out(pixels[0], window)).all()
    (told,) = reader.rasters([SourceBand(ROOT + "no.tif")])
    assert isinstance(told, SourceUnavailableError)


def test_a_missing_band_is_told(tmp_path):
    write_raster(tmp_path / "a.tif", count=2)
    reader = reader_of(DiskTransport(tmp_path))
    (told,) = reader.rasters([SourceBand(ROOT + "a.tif?sig=secret", 3)])
    assert "https://store.test/a.tif has 2 bands, its item names band 3. Repair the source's item." in str(told)
    ((_, result),) = reader.read(wishes(ROOT + "a.tif", [(0, 0, 1, 1)], [3]))
    assert "has 2 bands" in str(result)


def replaced(tmp_path, versions):
    """Reads a file that is replaced after its header is read, once by each of `versions`, between two ranges."""
    write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport, fetchers=1)
    reader.rasters([SourceBand(ROOT + "a.tif")])
    coming = iter(range(len(versions)))

    def change(name, start, end, part):
        if (start, end) != (0, HEADER_BYTES):
            number = next(coming, None)
            if number is not None:
                versions[number]()
                transport.etags["a.tif"] = f"version {number}"
        return part

    transport.fault = change
    return read_all(reader, wishes(ROOT + "a.tif", WINDOWS)), transport


def test_a_file_that_is_replaced_is_read_anew(tmp_path):
    new = {"seed": 5, "compress": "zstd", "tiled": True, "blockxsize": 128, "blockysize": 32}
    found, transport = replaced(tmp_path, [lambda: write_raster(tmp_path / "a.tif", **new)])
    pixels = by_rasterio(tmp_path / "a.tif")[0]
    for (_, _, window), array in found.items():
        assert (array == cut_out(pixels, window)).all()
    assert [place[1:] for place in transport.ranges].count((0, HEADER_BYTES)) == 2


def test_a_file_that_is_replaced_by_one_of_another_grid_is_refused(tmp_path):
    found, _ = replaced(tmp_path, [lambda: write_raster(tmp_path / "a.tif", size=(400, 400), compress="deflate", **SMALL)])
    for error in found.values():
        assert "a.tif was replaced by one of another grid or type while it was read; expected a file that stays" in str(error)


def test_a_window_that_was_chosen_on_another_grid_is_refused(tmp_path):
    pixels = write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    band, window = SourceBand(ROOT + "a.tif?sig=secret"), (0, 0, 20, 30)
    (told,) = reader_of(DiskTransport(tmp_path)).rasters([band])
    again = reader_of(DiskTransport(tmp_path))
    ((_, array),) = again.read([("it", WindowRead(band, window, told.grid))])
    assert (array == cut_out(pixels[0], window)).all()
    write_raster(tmp_path / "a.tif", compress="deflate", transform=Affine(10, 0, 500040, 0, -10, 5700000), **SMALL)
    later = reader_of(DiskTransport(tmp_path))
    ((_, error),) = later.read([("it", WindowRead(band, window, told.grid))])
    assert "test/a.tif was replaced by one of another grid since its header was read first" in str(error)


def test_a_file_that_is_replaced_again_and_again_is_refused(tmp_path):
    def change():
        write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)

    found, _ = replaced(tmp_path, [change] * 8)
    assert len(found) == 4
    for error in found.values():
        assert "a.tif was replaced again and again while it was read" in str(error)


def test_a_file_of_another_size_is_another_file_where_there_are_no_etags(tmp_path):
    write_raster(tmp_path / "a.tif", compress="none", **SMALL)
    transport = DiskTransport(tmp_path)
    transport.etags["a.tif"] = None
    reader = reader_of(transport)
    reader.rasters([SourceBand(ROOT + "a.tif")])
    pixels = write_raster(tmp_path / "a.tif", compress="deflate", seed=4, **SMALL)
    for (_, _, window), array in read_all(reader, wishes(ROOT + "a.tif", WINDOWS)).items():
        assert (array == cut_out(pixels[0], window)).all()


def test_what_still_comes_of_a_replaced_file_is_thrown_away(tmp_path):
    """One thread holds the old file's last range while the other finds it replaced and reads it anew."""
    old = write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    is_renewed, is_late = threading.Event(), threading.Event()

    class Replacing(DiskTransport):
        late = None

        def fetch(self, href, start, end):
            if start == 0 and self.ranges:
                is_renewed.set()
            found = super().fetch(href, start, end)
            thread = threading.current_thread()
            if start == 0:
                return found
            if is_renewed.is_set():
                if thread is self.late:
                    is_late.set()
                assert is_late.wait(10)
                return found
            if self.late is None:
                self.late = thread
                assert is_renewed.wait(10)
                return found
            self.etags["a.tif"] = "two"
            return Fetched(found.content, "two", found.size)

    reader = reader_of(Replacing(tmp_path), fetchers=2)
    reader.rasters([SourceBand(ROOT + "a.tif")])
    for (_, _, window), array in read_all(reader, wishes(ROOT + "a.tif", WINDOWS)).items():
        assert (array == cut_out(old[0], window)).all()


def test_what_no_window_needs_any_more_is_not_fetched(tmp_path):
    write_raster(tmp_path / "a.tif", compress="deflate", blockysize=50, size=(200, 2000))
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport, fetchers=1)
    header = reader._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    transport.fault = lambda name, start, end, part: part[:5] if start == header.packing.offsets[0] else part
    header.packing.offsets[1] += 20_000  # so that the blocks are not joined
    first, last = (0, 45, 10, 10), (0, 160, 10, 10)
    found = read_all(reader, wishes(ROOT + "a.tif", [first, last]))
    assert isinstance(found[ROOT + "a.tif", 1, first], SourceUnavailableError)
    assert isinstance(found[ROOT + "a.tif", 1, last], np.ndarray)
    starts = [start for _, start, _ in transport.ranges[1:]]
    assert starts == [header.packing.offsets[0]] * 3 + [header.packing.offsets[3]]


def test_the_header_of_a_damaged_block_is_not_trusted_any_more(tmp_path):
    write_raster(tmp_path / "a.tif", compress="deflate", **SMALL)
    transport = DiskTransport(tmp_path)
    reader = reader_of(transport)
    damaged = reader._headers.read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    damaged.packing.offsets[0] += 1
    reads = wishes(ROOT + "a.tif", WINDOWS)
    assert isinstance(read_all(reader, reads)[reads[0][0]], SourceUnavailableError)
    assert isinstance(read_all(reader, reads)[reads[0][0]], np.ndarray)

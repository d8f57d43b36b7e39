"""Planes of many squares at once, against each read by itself through GDAL."""

import math
import re
import struct
import time
from threading import Thread

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.errors import WarpOperationError

from catalogs.foreign import SourceBand
from catalogs.lattice import transformer
from catalogs.records import Location
from curate.errors import SourceUnavailableError
from curate.fetch import PlaneAsk, read_plane
from curate.planes import FilePlanes, SinglePlanes, open_planes
from curate.sources.rasters import open_raster
from tests.range_server import Fault, serve_ranges


class Files:
    """A source of files: whoever likes may read them by their address."""

    name, simulated, reads_files = "files", False, True

    def __init__(self):
        self.opened = []

    def open(self, band):
        self.opened.append(band.href)
        return open_raster(band)


def square(left, bottom, epsg=32631):
    return Location(f"a-{left}-{bottom}", epsg, (left, bottom, left + 600, bottom + 600))


def write(path, pixels, *, left, top, gsd, epsg=32631, nodata=0):
    shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "dtype": pixels.dtype}
    place = {"crs": f"EPSG:{epsg}", "transform": Affine(gsd, 0, left, 0, -gsd, top), "nodata": nodata}
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate", "predictor": 2}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place, **tiled) as raster:
        raster.write(pixels, 1)
    return str(path)


def restate(path, epsg):
    """Have a file state another code for the coordinate system of its projection; GDAL writes none that PROJ lacks."""
    content, key = path.read_bytes(), struct.pack("<HHH", 3072, 0, 1)
    start = content.index(key) + len(key)
    path.write_bytes(content[:start] + struct.pack("<H", epsg) + content[start + 2 :])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene: 10 m and 20 m, a mask, one of half a pixel, one of another zone, one that is cut short."""
    out = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)

    def noise(side, most=4000, kind="uint16"):
        return rng.integers(1, most, (side, side)).astype(kind)

    write(out / "fine.tif", noise(300), left=499980, top=5403000, gsd=10)
    write(out / "coarse.tif", noise(150), left=499980, top=5403000, gsd=20)
    write(out / "mask.tif", noise(150, 11, "uint8"), left=499980, top=5403000, gsd=20)
    write(out / "half.tif", noise(100), left=499965, top=5403015, gsd=30)
    x, y = transformer(32631, 32632).transform(500340, 5401500)
    write(out / "zone.tif", noise(300), left=round(x) - 1500, top=round(y) + 1500, gsd=10, epsg=32632)
    (out / "cut.tif").write_bytes((out / "fine.tif").read_bytes()[:3000])
    return out


SQUARES = [square(left, bottom) for left in (499980, 500220, 502380) for bottom in (5400000, 5400660, 5402460)]


def asks_of(home):
    """Every file over every square, one of which lies beyond the rasters in part."""
    kinds = {
        "fine": (10, "cubic"),
        "coarse": (20, "cubic"),
        "mask": (None, "nearest"),
        "half": (30, "cubic"),
        "zone": (10, "cubic"),
    }
    return [
        ((name, place.id), PlaneAsk(SourceBand(f"{home}/{name}.tif"), place, gsd, gsd or 20, kernel, 0))
        for name, (gsd, kernel) in kinds.items()
        for place in (*SQUARES, square(502680, 5402700), square(540000, 5400000))
    ]


def assert_same(plane, other):
    assert np.array_equal(plane.pixels, other.pixels)
    assert plane.pixels.dtype == other.pixels.dtype
    assert (plane.grid, plane.source, plane.resampling) == (other.grid, other.source, other.resampling)


def test_planes_of_a_folder_are_those_that_gdal_reads(folder):
    source, asks = Files(), asks_of(folder)
    reader = open_planes(source, connections=4)
    assert isinstance(reader, FilePlanes)
    planes = dict(reader.read(asks))
    reader.close()
    assert not source.opened
    assert planes.keys() == {key for key, _ in asks}
    for key, ask in asks:
        assert_same(planes[key], read_plane(source, ask))


def test_planes_behind_a_web_server_cost_each_header_and_block_once(folder):
    with serve_ranges(folder) as server:
        asks = asks_of(server.url)
        reader = open_planes(Files(), connections=4)
        planes = dict(reader.read(asks))
        fetched = reader.fetched
        reader.close()
        asked = [(request.path, request.range) for request in server.log()]
    local = dict(SinglePlanes(Files()).read(asks_of(folder)))
    for key, plane in planes.items():
        assert np.array_equal(plane.pixels, local[key].pixels)
    assert len(asked) == len(set(asked)) == fetched.requests
    assert fetched.retries == 0


def test_what_cannot_be_read_spoils_its_own_planes(folder):
    asks = [
        *asks_of(folder)[:3],
        (("cut", ""), PlaneAsk(SourceBand(f"{folder}/cut.tif"), SQUARES[0], 10, 10, "cubic", 0)),
        (("none", ""), PlaneAsk(SourceBand(f"{folder}/none.tif"), SQUARES[0], 10, 10, "cubic", 0)),
        (("band", ""), PlaneAsk(SourceBand(f"{folder}/fine.tif", 2), SQUARES[0], 10, 10, "cubic", 0)),
    ]
    reader = open_planes(Files(), connections=4)
    planes = dict(reader.read(asks))
    reader.close()
    failed = {key[0]: str(plane) for key, plane in planes.items() if isinstance(plane, SourceUnavailableError)}
    assert failed.keys() == {"cut", "none", "band"}
    assert "none.tif does not exist" in failed["none"]
    assert "has 1 band, its item names band 2" in failed["band"]


@pytest.mark.parametrize(
    ("epsg", "words"),
    [
        (20100, r"odd\.tif states (EPSG:20100, which PROJ does not know,|'LOCAL_CS.*') where a coordinate system with an EPSG"),
        (32660, r"odd\.tif cannot be brought to location a-499980-5400000 \(EPSG:32631\): it states EPSG:32660, 499980 to"),
    ],
)
def test_a_file_that_lies_nowhere_near_spoils_its_own_planes(folder, tmp_path, monkeypatch, epsg, words):
    (tmp_path / "odd.tif").write_bytes((folder / "fine.tif").read_bytes())
    restate(tmp_path / "odd.tif", epsg)
    if epsg == 32660:  # which PROJ brings somewhere, or nowhere, as its versions like
        monkeypatch.setattr("rasterio.warp.transform_bounds", lambda *_, **__: (math.inf,) * 4)
    fine = asks_of(folder)[0]
    odd = (("odd", ""), PlaneAsk(SourceBand(f"{tmp_path}/odd.tif"), SQUARES[0], 10, 10, "cubic", 0))
    for reader in (open_planes(Files(), connections=4), SinglePlanes(Files())):
        planes = dict(reader.read([odd, fine]))
        reader.close()
        assert isinstance(planes["odd", ""], SourceUnavailableError)
        assert re.search(words, str(planes["odd", ""]))
        assert_same(planes[fine[0]], read_plane(Files(), fine[1]))


def test_pixels_that_gdal_cannot_warp_spoil_their_own_planes(folder, monkeypatch):
    def fail(*_, **__):
        raise WarpOperationError("Chunk and warp failed")

    monkeypatch.setattr("rasterio.warp.reproject", fail)
    reader = open_planes(Files(), connections=4)
    planes = dict(reader.read(asks_of(folder)))
    reader.close()
    failed = {key[0] for key, plane in planes.items() if isinstance(plane, SourceUnavailableError)}
    assert failed == {"half", "zone"}
    words = r"half\.tif cannot be brought .*: it states EPSG:32631, 499965 to 502965 .*\(Chunk and warp failed\)\. Expected a"
    assert re.search(words, str(planes["half", SQUARES[0].id]))


def test_what_is_stopped_ends_without_a_word(folder):
    with serve_ranges(folder, faults=[Fault("stall")]) as server:
        reader = open_planes(Files(), connections=4)
        given = []
        thread = Thread(target=lambda: given.extend(reader.read(asks_of(server.url))))
        thread.start()
        while not server.log():
            time.sleep(0.02)
        reader.stop()
        thread.join(10)
        assert not thread.is_alive()
        assert given == []
        reader.close()


def test_a_source_that_is_no_source_of_files_is_asked_itself(folder):
    class Guarded(Files):
        reads_files = False

    source, asks = Guarded(), asks_of(folder)[:4]
    reader = open_planes(source, connections=4)
    assert not reader.gathers
    assert reader.fetched is None
    planes = dict(reader.read([*asks, (("none", ""), PlaneAsk(SourceBand("none.tif"), SQUARES[0], 10, 10, "cubic", 0))]))
    assert len(source.opened) == 5
    assert "none.tif does not exist" in str(planes["none", ""])
    assert_same(planes[asks[0][0]], read_plane(Files(), asks[0][1]))

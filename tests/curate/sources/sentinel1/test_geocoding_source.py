"""A source of files with radar images among them: each is read in its own way, alone and beside other sources."""

from datetime import UTC, datetime

import numpy as np
import pytest

from catalogs.foreign import SourceBand
from curate.errors import SourceUnavailableError
from curate.fetch import PlaneAsk
from curate.planes import HasPlanes, open_planes
from curate.several_planes import HoldsBands, SeveralPlanes
from curate.sources.archives.mosaics import MosaicSource
from curate.sources.earth_search import open_source
from curate.sources.failover import FailoverSource
from curate.sources.protocol import for_sensors, opened_as, reads_files, why_lacking
from curate.sources.rasters import open_raster
from curate.sources.sentinel1 import GeocodingSource
from curate.sources.sentinel1.addresses import MARK, SENSOR
from tests.curate.sources.sentinel1.conftest import PLACE, square_at
from tests.curate.test_planes import write

DAYS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))


class Files:
    """A source of files, with radar among them."""

    simulated, reads_files, max_scene_cloud = False, True, 40

    def __init__(self, name="files"):
        self.name = name
        self.skipped = {"a": "broken"}
        self.lacking = {"naip": "Ask USDA."}
        self.terms = {SENSOR: "free"}

    def sensors(self):
        return [SENSOR, "sentinel-2-l2a"]

    def search(self, sensor, box, start, end):
        return [(sensor, box, start, end)]

    def open(self, band):
        return open_raster(band)


@pytest.fixture
def asks(product, tmp_path):
    """A radar image and a file on a map grid, over one square."""
    place = square_at(*PLACE)
    left, _, _, top = place.bounds
    path = write(tmp_path / "map.tif", np.arange(3600, dtype="uint16").reshape(60, 60), left=left, top=top, gsd=10)
    bands = {"radar": SourceBand(f"{product.images['vv']}{MARK}"), "map": SourceBand(path)}
    return {name: PlaneAsk(band, place, 10, 10, "cubic", None) for name, band in bands.items()}


def test_it_is_what_it_wraps_but_for_how_bands_are_read():
    source = GeocodingSource(Files())
    assert (source.name, opened_as(source), source.simulated, source.max_scene_cloud) == ("files", "files", False, 40)
    assert (source.skipped, source.terms, why_lacking(source, "naip")) == ({"a": "broken"}, {SENSOR: "free"}, "Ask USDA.")
    assert source.sensors() == [SENSOR, "sentinel-2-l2a"]
    assert source.search(SENSOR, (1, 2, 3, 4), *DAYS) == [(SENSOR, (1, 2, 3, 4), *DAYS)]
    assert not reads_files(source)
    assert isinstance(source, HasPlanes)
    assert isinstance(source, HoldsBands)


def test_without_radar_it_is_out_of_the_way():
    source = open_source("", max_scene_cloud=100)
    assert reads_files(for_sensors(source, ["sentinel-2-l2a"]))
    assert isinstance(for_sensors(source, ["naip"]), MosaicSource)
    radar = for_sensors(source, [SENSOR, "sentinel-2-l2a"])
    assert isinstance(radar, GeocodingSource)
    assert not radar.holds(SourceBand("s3://bucket/B04.tif"))


def test_both_kinds_of_bands_are_read_by_one_reader(asks):
    reader = open_planes(GeocodingSource(Files()), connections=4)
    try:
        given = dict(reader.read(list(asks.items())))
    finally:
        reader.close()
    assert given["map"].pixels[1, 1] == 61
    assert given["map"].resampling is None
    assert given["radar"].pixels.dtype == np.float32
    assert given["radar"].nodata == -32768, "though nobody asked for a number"
    assert reader.fetched.requests > 4, "of both"


def test_beside_other_sources_each_reads_its_own(asks):
    source = FailoverSource([Files("other"), GeocodingSource(Files())])
    reader = open_planes(source, connections=4)
    assert isinstance(reader, SeveralPlanes)
    try:
        given = dict(reader.read(list(asks.items())))
    finally:
        reader.close()
    assert given["map"].pixels.dtype == np.uint16
    assert given["radar"].pixels.dtype == np.float32


def test_a_radar_image_is_not_opened_as_a_file(asks):
    source = GeocodingSource(Files())
    with source.open(asks["map"].band) as raster:
        assert raster.grid.epsg == 32631
    with pytest.raises(SourceUnavailableError, match="is in the radar's own geometry; expected a file on a map grid"):
        source.open(asks["radar"].band)

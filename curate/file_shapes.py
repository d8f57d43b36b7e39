"""How the files of a sensor's scenes are cut into blocks, from one scene's headers or as is usual, and how fast they decode."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from catalogs.bands import Sensor, find_sensor
from catalogs.files import is_remote
from catalogs.foreign import SourceScene
from catalogs.lattice import squares_around, transformer
from catalogs.records import LATTICE_M, Band, Grid
from curate.errors import SourceUnavailableError
from curate.estimate import FileShape
from curate.pixel_size import is_in_degrees, pixel_size_m

if TYPE_CHECKING:
    from curate.reading.headers import Headers
    from curate.reading.tiff_layout import FileHeader

HEADER_BYTES = 16 << 10
"""Of a file, asked for at once."""
USUAL_BLOCK_PX = 1024
USUAL_TILE_M = 109_800.0
"""Side of a scene of Sentinel-2."""
USUAL_SHARE = 0.68
"""Of their pixels' bytes that blocks of measurements take in a file: 1.36 bytes per pixel of Sentinel-2."""
USUAL_MASK_SHARE = 0.07
"""The same of masks."""
TRIED_S = 0.15
"""For which the decoder is tried, seconds."""


def sampled_shapes(scene: SourceScene, bands: Sequence[Band], headers: Headers) -> list[FileShape]:
    """The files of a scene, from their headers: one request each.

    Args:
        scene: Of a source of files.
        bands: Those wanted of its sensor; its mask is taken with them.
        headers: Reads them.

    Returns:
        The files; none where a header cannot be read, or a file lacks a band that the source says is in it.
    """
    sensor = find_sensor(scene.sensor)
    by_href: dict[str, list[Band]] = defaultdict(list)
    for band in (*bands, *((sensor.mask,) if sensor.mask else ())):
        if band.name in scene.bands:
            by_href[scene.bands[band.name].href].append(band)
    found = headers.read_all(by_href)
    shapes: list[FileShape] = []
    for href, held in by_href.items():
        header = found[href]
        if isinstance(header, SourceUnavailableError) or not all(
            1 <= scene.bands[band.name].index <= header.count for band in held
        ):
            return []
        shapes += _of_file(header, held, scene, sensor)
    return shapes


def _of_file(header: FileHeader, held: Sequence[Band], scene: SourceScene, sensor: Sensor) -> Iterator[FileShape]:
    """One shape per set of blocks: of bands that lie together all of them, else each by itself."""
    apart = header.packing.are_apart if header.packing else False
    groups = [[band] for band in held] if apart else [list(held)]
    for number, group in enumerate(groups):
        index = scene.bands[group[0].name].index - 1
        cut = header.cuts[index]
        each = np.dtype(header.data_types[index]).itemsize * (1 if apart else header.count)
        decoded = float(cut.block_height * cut.block_width * each)
        yield FileShape(
            bands=tuple(band.name for band in group),
            is_mask=all(band == sensor.mask for band in group),
            gsd=max(pixel_size_m(header.grid)),
            corner_xy=_corner_m(header.grid),
            block_px=(cut.block_height, cut.block_width),
            blocks=cut.count,
            across=cut.across,
            block_bytes=_mean_block(header, index, decoded),
            decoded_bytes=decoded,
            header_bytes=0 if number else min(HEADER_BYTES, header.size or HEADER_BYTES),
            is_sampled=True,
            is_local=not is_remote(scene.bands[group[0].name].href),
        )


def _corner_m(grid: Grid) -> tuple[float, float]:
    """Where a raster begins, metres; of one in degrees in its UTM zone, as squares are there."""
    left, top = grid.transform[2], grid.transform[5]
    if grid.epsg is None or not is_in_degrees(grid.epsg):
        return left, top
    lon, lat = transformer(grid.epsg, 4326).transform(left, top)
    zones, _ = squares_around([lon], [lat], LATTICE_M)
    x, y = transformer(4326, int(zones[0])).transform(lon, lat)
    return float(x), float(y)


def _mean_block(header: FileHeader, index: int, decoded: float) -> float:
    """What a block takes in the file in the mean, those that were never written left out.

    Of a file that GDAL reads all bands are taken to lie together; see `FileHeader.mean_block_bytes` for what that leaves out.
    """
    if header.packing is None:
        return header.count * (header.mean_block_bytes or 0) or decoded * USUAL_SHARE
    sizes = header.packing.sizes
    if header.packing.are_apart:
        sizes = np.array_split(sizes, header.count)[index]
    written = sizes[sizes > 0]
    return float(written.mean()) if written.size else 0.0


def usual_shapes(sensor_id: str, bands: Sequence[Band]) -> list[FileShape]:
    """The files of a sensor's scenes as they usually are: a file per band, blocks of 1,024 pixels, deflate.

    Args:
        sensor_id: Id of the sensor.
        bands: Those wanted.
    """
    sensor = find_sensor(sensor_id)
    shapes = []
    for band in (*bands, *((sensor.mask,) if sensor.mask else ())):
        is_mask = band == sensor.mask
        each = np.dtype(sensor.mask_type if is_mask else sensor.data_type).itemsize
        decoded = float(USUAL_BLOCK_PX**2 * each)
        across = int(-(-USUAL_TILE_M // (USUAL_BLOCK_PX * band.gsd)))
        shapes.append(
            FileShape(
                bands=(band.name,),
                is_mask=is_mask,
                gsd=band.gsd,
                corner_xy=(0.0, 0.0),
                block_px=(USUAL_BLOCK_PX, USUAL_BLOCK_PX),
                blocks=across**2,
                across=across,
                block_bytes=decoded * (USUAL_MASK_SHARE if is_mask else USUAL_SHARE),
                decoded_bytes=decoded,
                header_bytes=HEADER_BYTES,
            )
        )
    return shapes


def decoding_speed() -> float:
    """Bytes of pixels that one core of this machine inflates and undoes the differences of in a second: a trial of 0.15 s."""
    import zlib

    from catalogs.tiff_header import DEFLATE, DIFFERENCES
    from curate.reading.blocks import Cut
    from curate.reading.decode import Encoding

    side = 512
    rng = np.random.default_rng(0)
    differences = rng.normal(0, 12, (side, side)).astype(np.int16).astype(np.uint16)
    packed = zlib.compress(differences.tobytes(), 6)
    encoding = Encoding(np.dtype(np.uint16), 1, DEFLATE, DIFFERENCES, side)
    part = Cut(side, side, side, side).part(0, (0, 0, side, side))
    target = np.empty((side, side), np.uint16)
    began, done = time.process_time(), 0
    while (spent := time.process_time() - began) < TRIED_S:
        encoding.scatter(encoding.unpack(packed, side, side), part, 0, target)
        done += target.nbytes
    return done / spent

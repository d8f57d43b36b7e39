"""One Sentinel-2 product as ESA packs it, as a scene: each band's file at its own pixel size, and what its metadata say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from catalogs.bands import Sensor, find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.records import Band
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.sources.safe.files import ProductFiles, open_files
from curate.sources.safe.metadata import ProductMetadata, read_metadata, read_sizes, read_tile
from curate.sources.safe.names import SENSORS_OF_LEVELS

_IMAGE = re.compile(r"GRANULE/(?P<granule>[^/]+)/IMG_DATA/(?:R\d+m/)?[^/]+_(?P<band>B\d\d|B8A|SCL)(?:_(?P<gsd>\d+)m)?\.jp2")
"""Of a band: in a folder per pixel size at Level-2A, which has most bands at several sizes."""
_TILE = re.compile(r"GRANULE/[^/]+/MTD_TL\.xml", re.IGNORECASE)
MASK_NAME, MANIFEST = "SCL", "manifest.safe"


def read_product(place: Path) -> SourceScene:
    """Read a product's metadata and find its bands; of pixels nothing is read.

    Args:
        place: A folder `*.SAFE`, or a zip file of it.

    Raises:
        SourceUnavailableError: It is damaged, incomplete, or of another kind.
    """
    files, shown = open_files(place), without_secrets(place.as_posix())
    metadata = read_metadata(files.read(files.metadata), shown)
    sensor = find_sensor(SENSORS_OF_LEVELS[metadata.level])
    images = _images(files, sensor, shown)
    _check_sizes(files, images, shown)
    tile = read_tile(files.read(_tile_name(files, shown)), shown)
    return SourceScene(
        id=metadata.title,
        sensor=sensor.id,
        footprint=metadata.footprint,
        bands={band.name: _source_band(files.href(images[band.name]), band, metadata) for band in _all_bands(sensor)},
        datetime=metadata.datetime,
        epsg=tile.epsg,
        cloud_percent=metadata.cloud_percent,
        href=files.href(files.metadata),
        platform=metadata.platform,
        sun_elevation=tile.sun_elevation,
        sun_azimuth=tile.sun_azimuth,
        relative_orbit=metadata.relative_orbit,
        orbit_state=metadata.orbit_state,
        baseline=metadata.baseline,
        created=metadata.created,
        radiometry="metadata",
    )


def _all_bands(sensor: Sensor) -> tuple[Band, ...]:
    return (*sensor.bands, *((sensor.mask,) if sensor.mask else ()))


def _source_band(href: str, band: Band, metadata: ProductMetadata) -> SourceBand:
    if band.scale is None:
        return SourceBand(href, nodata=band.nodata)
    offset = metadata.offsets.get(band.name, 0.0) / metadata.quantification
    return SourceBand(href, scale=1 / metadata.quantification, offset=offset, nodata=band.nodata)


def _images(files: ProductFiles, sensor: Sensor, shown: str) -> Mapping[str, str]:
    """Name of each band's file at the band's own pixel size.

    Raises:
        SourceUnavailableError: One is missing or empty, or there are several tiles.
    """
    found, granules = {}, set()
    for name, size in files.sizes.items():
        match = _IMAGE.fullmatch(name)
        if match:
            granules.add(match["granule"])
            found[match["band"], match["gsd"]] = name if size else None
    if len(granules) > 1:
        raise SourceUnavailableError(
            f"{shown} holds {len(granules)} tiles; expected one, as products have had since December 2016. Fetch the tiles' "
            "reprocessed versions (Collection 1)."
        )
    images = {band.name: _image(found, band, sensor) for band in _all_bands(sensor)}
    lacking = [name.upper() for name, image in images.items() if image is None]
    if lacking:
        raise SourceUnavailableError(
            f"{shown} is incomplete: of {len(images)} files of bands {len(lacking)} are missing or empty "
            f"({', '.join(lacking)}). Fetch it again."
        )
    return {name: image for name, image in images.items() if image}


def _check_sizes(files: ProductFiles, images: Mapping[str, str], shown: str) -> None:
    """Compare the bands' files with what the product's manifest says of them, where it has one.

    Raises:
        SourceUnavailableError: One is shorter or longer.
    """
    if MANIFEST not in files.sizes:
        return
    told = read_sizes(files.read(MANIFEST), shown)
    for name in images.values():
        if files.sizes[name] != told.get(name, files.sizes[name]):
            raise SourceUnavailableError(
                f"{shown} is damaged: {name.rpartition('/')[2]} has {files.sizes[name]:,} bytes, its {MANIFEST} says "
                f"{told[name]:,}. Fetch it again."
            )


def _image(found: Mapping[tuple[str, str | None], str | None], band: Band, sensor: Sensor) -> str | None:
    name = MASK_NAME if band == sensor.mask else band.name
    return found.get((name, f"{band.gsd:g}")) or found.get((name, None))


def _tile_name(files: ProductFiles, shown: str) -> str:
    found = [name for name in files.sizes if _TILE.fullmatch(name)]
    if len(found) != 1:
        raise SourceUnavailableError(f"{shown} is incomplete: it has {len(found)} MTD_TL.xml; expected one. Fetch it again.")
    return found[0]

"""One asset's file against its item: size, checksum, grid, bands, pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.checks.frames import frame_digest, frame_fault
from catalogs.checks.report import Problem
from catalogs.masks import unknown_labels
from catalogs.pixels import multihash
from catalogs.records import JPEG, PNG, UNKNOWN_LABEL, Grid, Raster, Transform
from catalogs.secrets import secret_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio import DatasetReader

DRIVERS = {"JPEG": "JPEG", "PNG": "PNG", "GeoTIFF": "GTiff"}
"""GDAL's names of the kinds of files that there are."""
SHOWN = 4
"""Values that are told of one label raster."""


@dataclass(slots=True)
class Seen:
    """What was learned from one file."""

    where: str
    """Its href, relative to the catalog."""
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with it."""
    pixels: NDArray[Any] | None = None
    """(bands, height, width); none where the file is not what its item says."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """Of each band of measurements that is a picture."""

    def add(self, kind: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, self.where, message))


def check_size(size: int, stated: int, where: str) -> list[Problem]:
    """Compare a file's size with that of its item, bytes."""
    if size == stated:
        return []
    kind = "truncated-asset" if size < stated else "altered-asset"
    return [Problem(kind, where, f"Has {size} bytes; its item says {stated}.")]


def enter_gdal() -> None:
    """Begin GDAL's environment for this thread, which keeps it: begun for each small file, it is a sixth of the time."""
    import rasterio

    rasterio.Env().__enter__()


def check_file(content: bytes, raster: Raster, where: str, *, may_clip: bool = False) -> Seen:
    """Check the bytes of an asset.

    Args:
        content: The whole file.
        raster: What its item says of it.
        where: Its href, for messages.
        may_clip: Whether its pixels are display values, which their publisher may have clipped.
    """
    from rasterio.errors import RasterioError

    seen = Seen(where, check_size(len(content), raster.size, where))
    checksum = multihash(content)
    if not seen.problems and checksum != raster.checksum:
        seen.add("altered-asset", f"Has checksum {checksum}; its item says {raster.checksum}.")
    if seen.problems:
        return seen
    try:
        _read(content, raster, seen, may_clip=may_clip)
    except RasterioError as error:
        seen.add("unreadable", f"Is no {driver_of(raster)} that GDAL reads ({error}).")
    return seen


def _read(content: bytes, raster: Raster, seen: Seen, *, may_clip: bool) -> None:
    """Look at a file's header, then at its pixels."""
    from rasterio.io import MemoryFile

    with MemoryFile(content) as memory, memory.open(driver=DRIVERS[driver_of(raster)]) as file:
        _check_header(file, raster, seen)
        secret = secret_kind("\n".join(map(str, file.tags().values())))
        if secret:
            seen.add("secret", f"Its tags hold {secret}; expected addresses without anything secret.")
        pixels = file.read()
    if seen.problems:
        return
    seen.pixels = pixels
    if raster.is_labels:
        _check_labels(pixels, raster, seen)
        return
    for band, plane in zip(raster.bands, pixels, strict=True):
        fault = frame_fault(plane, band, is_mask=raster.is_mask, may_clip=may_clip)
        if fault:
            seen.add(*fault)
        elif not raster.is_mask and plane.min() != plane.max():
            seen.digests[band.name] = frame_digest(plane)


def _check_labels(pixels: NDArray[Any], raster: Raster, seen: Seen) -> None:
    """Note values of a label raster that no class has."""
    strange = unknown_labels(pixels, raster.classes)
    if strange:
        share = 100 * float(np.isin(pixels, strange).mean())
        seen.add(
            "labels",
            f"Has {', '.join(map(str, strange[:SHOWN]))} in {share:.3g} % of its pixels; expected numbers of its "
            f"{len(raster.classes)} classes, 0 to {len(raster.classes) - 1}, or {UNKNOWN_LABEL} where nobody knows.",
        )


def _check_header(file: DatasetReader, raster: Raster, seen: Seen) -> None:
    """Note where a file's header disagrees with its item."""
    a, b, c, d, e, f = tuple(file.transform)[:6]
    transform: Transform = (a, b, c, d, e, f)
    real = Grid(epsg_of(file.crs.to_wkt() if file.crs else ""), transform, file.height, file.width)
    if raster.is_released and raster.grid.epsg is None:  # what such a file says of its ground is not looked at
        real = replace(raster.grid, height=file.height, width=file.width)
    if real != raster.grid:
        seen.add("grid", f"Lies on {show_grid(real)}; its item says {show_grid(raster.grid)}.")
        return
    names = [band.name for band in raster.bands]
    told = {
        "band count": (file.count, len(names)),
        "type": (" and ".join(sorted(set(file.dtypes))), raster.data_type),
        **({} if raster.is_released else _our_tags(file, raster)),
    }
    for what, (found, stated) in told.items():
        if found != stated:
            seen.add("raster", f"Its {what} is {found!r}; its item says {stated!r}.")


def _our_tags(file: DatasetReader, raster: Raster) -> dict[str, tuple[Any, Any]]:
    """What files of our own say of nodata and the names of bands, and what their item does."""
    names = [band.name for band in raster.bands]
    return {
        "nodata": (file.nodata, raster.bands[0].nodata),
        "bands": ([name for name in file.descriptions if name] or names, names),
    }


def driver_of(raster: Raster) -> str:
    """What kind of file a raster is, of `DRIVERS`."""
    return {JPEG: "JPEG", PNG: "PNG"}.get(raster.media_type, "GeoTIFF")


def show_grid(grid: Grid) -> str:
    """A grid in words."""
    corner = f"{grid.transform[2]:.10g}, {grid.transform[5]:.10g}"
    system = "no coordinate system" if grid.epsg is None else f"EPSG:{grid.epsg}"
    return f"{system} from {corner}, {grid.width} x {grid.height} px of {grid.gsd:g} m"


@lru_cache(maxsize=256)
def epsg_of(wkt: str) -> int | None:
    """EPSG code of a coordinate system; 0 of one without a code, none where there is no system."""
    if not wkt:
        return None
    from rasterio.crs import CRS

    return CRS.from_wkt(wkt).to_epsg() or 0

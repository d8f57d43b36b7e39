"""One asset's file against its item: size, checksum, grid, bands, pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from catalogs.checks.frames import frame_digest, frame_fault
from catalogs.checks.report import Problem
from catalogs.checks.tree import check_text
from catalogs.pixels import multihash
from catalogs.records import Grid, Raster

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio import DatasetReader

    from catalogs.checks.report import Findings


@dataclass(slots=True)
class Seen:
    """What was learned from one file."""

    problems: list[Problem] = field(default_factory=list)
    """What is wrong with it."""
    pixels: NDArray[Any] | None = None
    """(bands, height, width); none where the file is not what its item says."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """Of each band of measurements that is a picture."""


def check_size(size: int, stated: int, where: str) -> list[Problem]:
    """Compare a file's size with that of its item, bytes."""
    if size == stated:
        return []
    return [Problem("truncated-asset" if size < stated else "altered-asset", where, f"Has {size} bytes; its item says {stated}.")]


def check_file(content: bytes, raster: Raster, where: str, findings: Findings) -> Seen:
    """Check the bytes of an asset.

    Args:
        content: The whole file.
        raster: What its item says of it.
        where: Its href, for messages.
        findings: Where secrets in its tags are noted.
    """
    seen = Seen(check_size(len(content), raster.size, where))
    if not seen.problems and multihash(content) != raster.checksum:
        seen.problems.append(Problem("altered-asset", where, f"Has checksum {multihash(content)}; its item says {raster.checksum}."))
    if seen.problems:
        return seen
    _read(content, raster, where, findings, seen)
    return seen


def _read(content: bytes, raster: Raster, where: str, findings: Findings, seen: Seen) -> None:
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        with MemoryFile(content) as memory, memory.open(driver="GTiff") as file:
            seen.problems += _header_errors(file, raster, where)
            check_text("\n".join(map(str, file.tags().values())), where, findings)
            findings.checked["pixels"] += file.width * file.height * file.count
            pixels = file.read()
    except RasterioError as error:
        seen.problems.append(Problem("unreadable", where, f"Is no GeoTIFF that GDAL reads ({error})."))
        return
    if not seen.problems:
        seen.pixels = pixels
        _look(pixels, raster, where, seen)


def _look(pixels: NDArray[Any], raster: Raster, where: str, seen: Seen) -> None:
    """Judge every band."""
    for band, plane in zip(raster.bands, pixels, strict=True):
        fault = frame_fault(plane, band, is_mask=raster.is_mask)
        if fault:
            seen.problems.append(Problem(fault[0], where, fault[1]))
        elif not raster.is_mask and plane.min() != plane.max():
            seen.digests[band.name] = frame_digest(plane)


def _header_errors(file: DatasetReader, raster: Raster, where: str) -> list[Problem]:
    """Where a file's header disagrees with its item."""
    real = Grid(epsg_of(file.crs.to_wkt() if file.crs else ""), tuple(file.transform)[:6], file.height, file.width)  # type: ignore[arg-type]
    if real != raster.grid:
        return [Problem("grid", where, f"Lies on {show_grid(real)}; its item says {show_grid(raster.grid)}.")]
    names = [band.name for band in raster.bands]
    told = {
        "band count": (file.count, len(names)),
        "type": (set(file.dtypes), {raster.data_type}),
        "nodata": (file.nodata, raster.bands[0].nodata),
        "bands": ([name for name in file.descriptions if name] or names, names),
    }
    return [Problem("raster", where, f"Its {what} is {real!r}; its item says {stated!r}.") for what, (real, stated) in told.items() if real != stated]


def show_grid(grid: Grid) -> str:
    """A grid in words."""
    return f"EPSG:{grid.epsg} from {grid.transform[2]:.10g}, {grid.transform[5]:.10g}, {grid.width} x {grid.height} px of {grid.gsd:g} m"


@lru_cache(maxsize=256)
def epsg_of(wkt: str) -> int:
    """EPSG code of a coordinate system; 0 where it has none."""
    from rasterio.crs import CRS

    return (CRS.from_wkt(wkt).to_epsg() if wkt else None) or 0

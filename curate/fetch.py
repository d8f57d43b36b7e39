"""Scenes to pixels on a location's square.

Where a source's grid agrees with the square's, its pixels are copied; where it does not (another UTM zone, Landsat's half
pixel, a national projection), they are warped by GDAL and the kernel is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.foreign import SourceBand, SourceScene
from catalogs.records import Band, Grid, Location, SourceWindow, Transform, Window
from catalogs.secrets import without_secrets
from catalogs.writer import Patch
from curate.sources.protocol import Source, SourceRaster

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERNEL = "cubic"
"""How measurements are warped; masks are always `nearest`."""
KERNEL_REACH_PX = 4
"""Pixels of the source that a kernel needs beyond the square."""
FALSE_NORTHING_M = 10_000_000.0
"""Of the southern half of a UTM zone."""
EXACT = 0.0
"""Error that GDAL may make in the position of a pixel: its default of an eighth of a pixel saves nothing on a patch."""
_WARPING = Lock()
"""rasterio mutes a needless warning of its own during a warp in a way that threads undo for each other: about one warp in ten
thousand would warn (odc-geo, issue 131), and the process's warning filters would stay altered."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One band on the square."""

    pixels: NDArray[Any]
    """(height, width), native type."""
    grid: Grid
    """On the square."""
    source: SourceWindow
    """Where they came from."""
    resampling: str | None
    """Kernel of the warp, if there was one."""


def read_mask(source: Source, scene: SourceScene, mask: Band, location: Location) -> Patch:
    """The scene's own classification or quality of the square, at its source's pixel size where that divides the square."""
    plane = read_plane(
        source, scene.bands[mask.name], location, gsd=None, fallback_gsd=mask.gsd, kernel="nearest", nodata=mask.nodata
    )
    band = replace(mask, gsd=plane.grid.gsd)
    return Patch(mask.name, plane.pixels[None], (band,), plane.grid, (plane.source,), plane.resampling, is_mask=True)


def read_bands(source: Source, scene: SourceScene, bands: Sequence[Band], location: Location) -> list[Patch]:
    """The scene's measurements of the square, one patch per pixel size; bands that the scene lacks are left out."""
    patches = []
    for gsd in sorted({band.gsd for band in bands}):
        group = [band for band in bands if band.gsd == gsd and band.name in scene.bands]
        if group:
            patches.append(_read_group(source, scene, group, location))
    return patches


def valid_percent(patches: Sequence[Patch]) -> float:
    """Share of the square with a measurement in every band, percent; of several pixel sizes the least. Masks do not count."""
    shares = [100.0]
    for patch in (patch for patch in patches if not patch.is_mask):
        missing = [patch.pixels[i] == band.nodata for i, band in enumerate(patch.bands) if band.nodata is not None]
        if missing:
            shares.append(100 * (1 - float(np.mean(np.any(missing, axis=0)))))
    return round(min(shares), 4)


def _read_group(source: Source, scene: SourceScene, bands: Sequence[Band], location: Location) -> Patch:
    gsd = bands[0].gsd
    planes = [
        read_plane(source, scene.bands[band.name], location, gsd=gsd, fallback_gsd=gsd, kernel=KERNEL, nodata=band.nodata)
        for band in bands
    ]
    stated = tuple(_as_stated(band, scene.bands[band.name]) for band in bands)
    resampling = next((plane.resampling for plane in planes if plane.resampling), None)
    pixels = np.stack([plane.pixels for plane in planes])
    return Patch(f"{gsd:g}m", pixels, stated, planes[0].grid, tuple(plane.source for plane in planes), resampling)


def _as_stated(band: Band, stated: SourceBand) -> Band:
    """The sensor's band with the scale and offset of this very scene."""
    if stated.scale is None:
        return band
    return replace(band, scale=stated.scale, offset=stated.offset or 0.0)


def read_plane(
    source: Source,
    band: SourceBand,
    location: Location,
    *,
    gsd: float | None,
    fallback_gsd: float,
    kernel: str,
    nodata: float | None,
) -> Plane:
    """One band on the square.

    Args:
        source: Who has it.
        band: Which file and band.
        location: The square.
        gsd: Pixel size of the square's grid, metres; the source's own where absent.
        fallback_gsd: Pixel size where the source's own does not divide the square.
        kernel: Of the warp, if one is needed.
        nodata: What pixels outside the source's raster become.
    """
    with source.open(band) as raster:
        is_own = northing_difference(raster.grid.epsg, location.epsg) is not None and location.side_m % raster.grid.gsd == 0
        own_gsd = raster.grid.gsd if is_own else fallback_gsd
        grid = location.grid(gsd or own_gsd)
        fill = raster.nodata if nodata is None else nodata
        window = aligned_window(raster.grid, grid)
        resampling = None if window else kernel
        if window:
            pixels = _read_filled(raster, window, fill)
        else:
            window = covering_window(raster.grid, grid)
            pixels = _warp(raster, window, grid, kernel=kernel, fill=fill)
        told = SourceWindow(without_secrets(band.href), window, band.checksum or raster.checksum)
        return Plane(pixels, grid, told, resampling)


def aligned_window(source: Grid, target: Grid) -> Window | None:
    """The source's pixels that are the target's pixels; none where the grids disagree.

    Examples:
        >>> tile = Grid(32631, (10.0, 0.0, 499980.0, 0.0, -10.0, 5700000.0), 10980, 10980)
        >>> aligned_window(tile, Grid(32631, (10.0, 0.0, 500040.0, 0.0, -10.0, 5699940.0), 60, 60))
        (6, 6, 60, 60)
    """
    north = northing_difference(source.epsg, target.epsg)
    if north is None or source.gsd != target.gsd or source.transform[4] != target.transform[4]:
        return None
    column = (target.transform[2] - source.transform[2]) / source.gsd
    row = (source.transform[5] - target.transform[5] + north) / source.gsd
    if abs(column - round(column)) > 1e-6 or abs(row - round(row)) > 1e-6:
        return None
    return round(column), round(row), target.width, target.height


def northing_difference(source_epsg: int | None, target_epsg: int | None) -> float | None:
    """What to take from a northing of the target's system to have it in the source's; none between unlike systems.

    The two halves of a UTM zone are one projection, and the lattice passes through the equator: a tile of the north that
    reaches across it, or Landsat, which keeps to northern zones, is copied into a southern square.

    Examples:
        >>> northing_difference(32636, 32636), northing_difference(32636, 32736), northing_difference(32636, 32637)
        (0.0, 10000000.0, None)
    """
    if source_epsg is None or target_epsg is None:
        return None
    if source_epsg == target_epsg:
        return 0.0
    if {source_epsg // 100, target_epsg // 100} == {326, 327} and source_epsg % 100 == target_epsg % 100:
        return FALSE_NORTHING_M if target_epsg > source_epsg else -FALSE_NORTHING_M
    return None


def covering_window(source: Grid, target: Grid) -> Window:
    """The source's pixels that a warp to the target needs, clipped to the source's raster."""
    from rasterio.warp import transform_bounds

    left, bottom, right, top = transform_bounds(f"EPSG:{target.epsg}", f"EPSG:{source.epsg}", *target.bounds, densify_pts=21)
    reach = KERNEL_REACH_PX * max(1, math.ceil(target.gsd / source.gsd))
    x0, y0, size = source.transform[2], source.transform[5], source.gsd
    column, end_column = (
        min(max(value, 0), source.width)
        for value in (math.floor((left - x0) / size) - reach, math.ceil((right - x0) / size) + reach)
    )
    row, end_row = (
        min(max(value, 0), source.height)
        for value in (math.floor((y0 - top) / size) - reach, math.ceil((y0 - bottom) / size) + reach)
    )
    return column, row, end_column - column, end_row - row


def _moved(grid: Grid, window: Window) -> Transform:
    """The transform of a window of a grid."""
    a, b, left, d, e, top = grid.transform
    return a, b, left + window[0] * a, d, e, top + window[1] * e


def _read_filled(raster: SourceRaster, window: Window, fill: float | None) -> NDArray[Any]:
    """A window that may reach beyond the raster, filled there."""
    column, row, width, height = window
    inside = (max(column, 0), max(row, 0), min(column + width, raster.grid.width), min(row + height, raster.grid.height))
    part = (inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1])
    if part == window:
        return raster.read(window)
    pixels = np.full((height, width), fill or 0, dtype=raster.data_type)
    if part[2] > 0 and part[3] > 0:
        pixels[part[1] - row : part[1] - row + part[3], part[0] - column : part[0] - column + part[2]] = raster.read(part)
    return pixels


def _warp(raster: SourceRaster, window: Window, grid: Grid, *, kernel: str, fill: float | None) -> NDArray[Any]:
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    pixels = np.full(grid.shape, fill or 0, dtype=raster.data_type)
    if window[2] == 0 or window[3] == 0:
        return pixels
    read = raster.read(window)
    with _WARPING:
        reproject(
            read,
            pixels,
            src_transform=Affine(*_moved(raster.grid, window)),
            src_crs=f"EPSG:{raster.grid.epsg}",
            src_nodata=raster.nodata if raster.nodata is not None else fill,
            dst_transform=Affine(*grid.transform),
            dst_crs=f"EPSG:{grid.epsg}",
            dst_nodata=fill,
            resampling=Resampling[kernel],
            tolerance=EXACT,
        )
    return pixels

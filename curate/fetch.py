"""Scenes to pixels on a location's square.

Where a source's grid agrees with the square's, its pixels are copied; where it does not (another UTM zone, Landsat's half
pixel, a national projection), they are warped by GDAL and the kernel is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.records import Band, Grid, Location, SourceWindow, Transform, Window
from catalogs.secrets import without_secrets
from catalogs.writer import Patch
from curate.errors import SourceUnavailableError
from curate.pixel_size import TURN, beside, pixel_size_m
from curate.sources.protocol import RasterInfo, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERNEL = "cubic"
"""How measurements are warped; masks are always `nearest`."""
STATIC_KERNEL = "bilinear"
"""How static layers, which are heights, are warped: nothing lies above or below the measured points around it, where cubic
overshoots at cliffs and shores."""
KERNEL_REACH_PX = 4
"""Pixels of the source that a kernel needs beyond the square."""
FOUR_AROUND = {"XSCALE": 1, "YSCALE": 1}
"""Lets GDAL take the four pixels around a point. It takes more where pixels get larger, which it judges by the rows and columns
that a square touches: of one that is small and turned in its zone wrongly, so that heights were off by a 20th of a pixel."""
FALSE_NORTHING_M = 10_000_000.0
"""Of the southern half of a UTM zone."""
UNSTATED = 0.0
"""What pixels beyond a raster become where nobody states a number for them."""
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
    nodata: float | None = None
    """What pixels without a measurement have; none where all have one, or where it is NaN."""


@dataclass(frozen=True, slots=True)
class PlaneAsk:
    """One band that is wanted on one square."""

    band: SourceBand
    """Which file and band."""
    location: Location
    """The square."""
    gsd: float | None
    """Pixel size of the square's grid, metres; the source's own where absent."""
    fallback_gsd: float
    """Pixel size where the source's own does not divide the square."""
    kernel: str
    """Of the warp, if one is needed."""
    nodata: float | None
    """What pixels outside the source's raster become."""


def has_mask(scene: SourceScene) -> bool:
    """Whether a scene has its sensor's own classification or quality."""
    mask = find_sensor(scene.sensor).mask
    return mask is not None and mask.name in scene.bands


def mask_ask(scene: SourceScene, location: Location) -> PlaneAsk:
    """What to read of a scene that has a mask: its pixels of the square, at their own size where that divides the square."""
    mask = _mask_of(scene)
    return PlaneAsk(scene.bands[mask.name], location, None, mask.gsd, "nearest", mask.nodata)


def mask_patch(scene: SourceScene, plane: Plane) -> Patch:
    """The mask of a scene, from the plane that `mask_ask` asks for."""
    mask = replace(_mask_of(scene), gsd=plane.grid.gsd)
    return Patch(mask.name, plane.pixels[None], (mask,), plane.grid, (plane.source,), plane.resampling, is_mask=True)


def band_asks(scene: SourceScene, bands: Sequence[Band], location: Location) -> list[PlaneAsk]:
    """What to read of a scene's measurements; bands that the scene lacks are left out."""
    kernel = STATIC_KERNEL if find_sensor(scene.sensor).is_static else KERNEL
    return [
        PlaneAsk(scene.bands[band.name], location, band.gsd, band.gsd, kernel, band.nodata)
        for group in _groups(scene, bands)
        for band in group
    ]


def band_patches(scene: SourceScene, bands: Sequence[Band], planes: Sequence[Plane]) -> list[Patch]:
    """The measurements of a scene, one patch per pixel size, from the planes that `band_asks` asks for, in its order."""
    patches, rest = [], list(planes)
    for group in _groups(scene, bands):
        patches.append(_patch(scene, group, rest[: len(group)]))
        del rest[: len(group)]
    return patches


def valid_percent(patches: Sequence[Patch]) -> float:
    """Share of the square with a measurement in every band, percent; of several pixel sizes the least. Masks do not count."""
    shares = [100.0]
    for patch in (patch for patch in patches if not patch.is_mask):
        missing = [patch.pixels[i] == band.nodata for i, band in enumerate(patch.bands) if band.nodata is not None]
        if patch.pixels.dtype.kind == "f":
            missing.extend(np.isnan(patch.pixels))
        if missing:
            shares.append(100 * (1 - float(np.mean(np.any(missing, axis=0)))))
    return round(min(shares), 4)


def can_hold(data_type: str, value: float) -> bool:
    """Whether pixels of a type can have a value.

    Examples:
        >>> can_hold("uint8", 255), can_hold("uint8", -9999), can_hold("uint8", math.nan), can_hold("float32", math.nan)
        (True, False, False, True)
    """
    type_ = np.dtype(data_type)
    if type_.kind == "f":
        return not math.isfinite(value) or abs(value) <= float(np.finfo(type_).max)
    return float(value).is_integer() and int(np.iinfo(type_).min) <= value <= int(np.iinfo(type_).max)


def _mask_of(scene: SourceScene) -> Band:
    mask = find_sensor(scene.sensor).mask
    assert mask is not None, f"{scene.sensor} has no mask; ask has_mask first"
    return mask


def _groups(scene: SourceScene, bands: Sequence[Band]) -> list[list[Band]]:
    """The bands that a scene has, by pixel size, the finest first."""
    groups: dict[float, list[Band]] = {gsd: [] for gsd in sorted({band.gsd for band in bands})}
    for band in bands:
        if band.name in scene.bands:
            groups[band.gsd].append(band)
    return [group for group in groups.values() if group]


def _patch(scene: SourceScene, group: Sequence[Band], planes: Sequence[Plane]) -> Patch:
    stated = tuple(_as_stated(band, scene.bands[band.name], plane.nodata) for band, plane in zip(group, planes, strict=True))
    resampling = next((plane.resampling for plane in planes if plane.resampling), None)
    pixels = np.stack([plane.pixels for plane in planes])
    return Patch(f"{group[0].gsd:g}m", pixels, stated, planes[0].grid, tuple(plane.source for plane in planes), resampling)


def _as_stated(band: Band, stated: SourceBand, nodata: float | None) -> Band:
    """The sensor's band with the scale and offset of this very scene, and the nodata of its pixels."""
    band = replace(band, nodata=nodata)
    if stated.scale is None:
        return band
    return replace(band, scale=stated.scale, offset=stated.offset or 0.0)


@dataclass(frozen=True, slots=True)
class PlanePlan:
    """Which pixels of a raster make a plane, and how."""

    ask: PlaneAsk
    """What is wanted."""
    raster: RasterInfo
    """What the file's header says."""
    grid: Grid
    """On the square."""
    window: Window
    """The raster's pixels that are the square's, or that a warp to it needs; the former may lie beyond the raster in part."""
    part: Window | None
    """What of the window lies inside the raster: the pixels to read; none where nothing does."""
    resampling: str | None
    """Kernel of the warp, if there is one."""
    is_whole: bool
    """Whether the raster surely holds the whole square."""


def plan_plane(raster: RasterInfo, ask: PlaneAsk) -> PlanePlan:
    """Find the pixels of a raster that a plane needs.

    Raises:
        SourceUnavailableError: The square has no place in the raster's coordinate system.
    """
    is_own = northing_difference(raster.grid.epsg, ask.location.epsg) is not None
    own_gsd = raster.grid.gsd if is_own and ask.location.side_m % raster.grid.gsd == 0 else ask.fallback_gsd
    grid = ask.location.grid(ask.gsd or own_gsd)
    aligned = aligned_window(raster.grid, grid)
    with _told_of_file(ask, raster.grid):
        needed = aligned or _needed_window(raster.grid, grid)
    window = aligned or _clipped(raster.grid, needed)
    is_whole = _clipped(raster.grid, needed) == needed
    return PlanePlan(ask, raster, grid, window, _inside(raster.grid, window), None if aligned else ask.kernel, is_whole)


def finish_plane(plan: PlanePlan, pixels: NDArray[Any] | None) -> Plane:
    """Make a plane of what was read.

    Where neither sensor nor source nor file has a number for what was not measured, and the raster may end within the square,
    that number is 0 and a measured 0 becomes 1, as in mosaics: what lies beyond a file never passes for black ground.

    Args:
        plan: Of the plane.
        pixels: Those of its part, (height, width), native type; none where it has none.

    Raises:
        SourceUnavailableError: They cannot be warped to the square.
    """
    make, fill = _warped if plan.resampling else _filled, _fill(plan)
    if pixels is not None:
        pixels = _with_one_nodata(plan, pixels, fill)
    if fill is None and not plan.is_whole:
        fill, pixels = UNSTATED, pixels if pixels is None else np.where(pixels == UNSTATED, np.ones_like(pixels), pixels)
    told = SourceWindow(without_secrets(plan.ask.band.href), plan.window, plan.ask.band.checksum or plan.raster.checksum)
    nodata = None if fill is None or math.isnan(fill) else fill
    return Plane(make(plan, pixels, fill), plan.grid, told, plan.resampling, nodata)


def read_plane(source: Source, ask: PlaneAsk) -> Plane:
    """One band on the square, read by itself.

    Raises:
        SourceUnavailableError: The file cannot be read, or not be brought to the square.
    """
    with source.open(ask.band) as raster:
        plan = plan_plane(raster, ask)
        return finish_plane(plan, raster.read(plan.part) if plan.part else None)


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
    return _clipped(source, _needed_window(source, target))


def _needed_window(source: Grid, target: Grid) -> Window:
    """The pixels that a warp to the target needs, as if the source's raster had no end."""
    from rasterio.warp import transform_bounds

    left, bottom, right, top = transform_bounds(f"EPSG:{target.epsg}", f"EPSG:{source.epsg}", *target.bounds, densify_pts=21)
    if right < left:  # in degrees, on both sides of 180
        right += TURN
    shift = beside(source, (left + right) / 2).transform[2] - source.transform[2]
    left, right = left - shift, right - shift
    reach = KERNEL_REACH_PX * max(1, math.ceil(target.gsd / min(pixel_size_m(source))))
    width, _, x0, _, drop, y0 = source.transform
    column, end_column = math.floor((left - x0) / width) - reach, math.ceil((right - x0) / width) + reach
    row, end_row = math.floor((y0 - top) / -drop) - reach, math.ceil((y0 - bottom) / -drop) + reach
    return column, row, end_column - column, end_row - row


def _clipped(grid: Grid, window: Window) -> Window:
    """A window without what lies beyond the raster; one without pixels where all does."""
    column, end_column = (min(max(value, 0), grid.width) for value in (window[0], window[0] + window[2]))
    row, end_row = (min(max(value, 0), grid.height) for value in (window[1], window[1] + window[3]))
    return column, row, end_column - column, end_row - row


def _moved(grid: Grid, window: Window) -> Transform:
    """The transform of a window of a grid."""
    a, b, left, d, e, top = grid.transform
    return a, b, left + window[0] * a, d, e, top + window[1] * e


def _inside(grid: Grid, window: Window) -> Window | None:
    """What of a window lies inside a raster."""
    column, row, width, height = window
    left, top = max(column, 0), max(row, 0)
    right, bottom = min(column + width, grid.width), min(row + height, grid.height)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _filled(plan: PlanePlan, pixels: NDArray[Any] | None, fill: float | None) -> NDArray[Any]:
    """A window that may reach beyond the raster, filled there."""
    column, row, width, height = plan.window
    if pixels is not None and plan.part == plan.window:
        return pixels
    filled = np.full((height, width), fill or 0, dtype=plan.raster.data_type)
    if pixels is not None and plan.part:
        left, top = plan.part[0] - column, plan.part[1] - row
        filled[top : top + plan.part[3], left : left + plan.part[2]] = pixels
    return filled


def _warped(plan: PlanePlan, pixels: NDArray[Any] | None, fill: float | None) -> NDArray[Any]:
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    raster = plan.raster
    warped = np.full(plan.grid.shape, fill or 0, dtype=raster.data_type)
    if pixels is None:
        return warped
    with _WARPING, _told_of_file(plan.ask, raster.grid):
        reproject(
            pixels,
            warped,
            src_transform=Affine(*_moved(raster.grid, plan.window)),
            src_crs=f"EPSG:{raster.grid.epsg}",
            src_nodata=fill,
            dst_transform=Affine(*plan.grid.transform),
            dst_crs=f"EPSG:{plan.grid.epsg}",
            dst_nodata=fill,
            resampling=Resampling[plan.ask.kernel],
            tolerance=EXACT,
            **(FOUR_AROUND if plan.ask.kernel == STATIC_KERNEL else {}),
        )
    return warped


@contextmanager
def _told_of_file(ask: PlaneAsk, grid: Grid) -> Iterator[None]:
    """Say whose header it is where PROJ or GDAL cannot bring a raster's pixels to a square; other files are read on."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, CPLE_BaseError, ArithmeticError, ValueError) as error:  # the latter two where they are infinite
        left, bottom, right, top = grid.bounds
        raise SourceUnavailableError(
            f"{without_secrets(ask.band.href)} cannot be brought to location {ask.location.id} (EPSG:{ask.location.epsg}): it "
            f"states EPSG:{grid.epsg}, {left:g} to {right:g} and {bottom:g} to {top:g} ({error}). Expected a raster where its "
            "item's footprint is, in a coordinate system that holds the square: correct the file or its item."
        ) from None


def _with_one_nodata(plan: PlanePlan, pixels: NDArray[Any], fill: float | None) -> NDArray[Any]:
    """Pixels where what the file, or its source, calls no measurement is what its sensor calls so, as is what is no number."""
    if pixels.dtype.kind == "f" and fill is not None and not math.isnan(fill):
        pixels = _exchanged(pixels, np.isnan(pixels), fill)
    for stated in (plan.raster.nodata, plan.ask.band.nodata):
        if stated is not None and fill is not None and stated != fill:
            pixels = _exchanged(pixels, pixels == stated, fill)
    return pixels


def _exchanged(pixels: NDArray[Any], is_missing: NDArray[np.bool_], fill: float) -> NDArray[Any]:
    return np.where(is_missing, np.asarray(fill, pixels.dtype), pixels) if is_missing.any() else pixels


def _fill(plan: PlanePlan) -> float | None:
    """What pixels without a measurement become: the first number stated that the raster's type can hold, else NaN if it can."""
    stated = plan.ask.nodata, plan.ask.band.nodata, plan.raster.nodata, math.nan
    held = (value for value in stated if value is not None and can_hold(plan.raster.data_type, value))
    return next(held, None)

"""From a scene to an array: which file holds which band, and what its numbers mean. Reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogs.band_guess import guess_name
from catalogs.bands import find_sensor
from catalogs.errors import ContractError, MissingBandError
from catalogs.foreign import SourceScene
from catalogs.layout import item_id, stem
from catalogs.records import Scene
from catalogs.stores import AnyScene

ReadRaster = Callable[[str, Sequence[int]], NDArray[Any]]
"""Gives the bands of a file, by numbers from 1, as (bands, height, width)."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One band of a scene, and where it is."""

    name: str
    """Of the band."""
    href: str
    """Of its file: relative to the collection's folder in a catalog of ours."""
    index: int
    """In the file, from 1."""
    gsd: float | None
    """Metres; none where only the file tells."""
    scale: float | None
    """`reflectance = scale * DN + offset`; none for a mask."""
    offset: float | None
    """See `scale`."""
    nodata: float | None
    """The DN that says there is no measurement."""
    is_mask: bool
    """Classes or bits rather than measurements."""


def scene_id(scene: AnyScene) -> str:
    """Id of a scene's item."""
    if isinstance(scene, SourceScene):
        return scene.id
    return item_id(scene.location.id, stem(scene.datetime, scene.start_datetime, scene.end_datetime))


def list_planes(scene: AnyScene) -> list[Plane]:
    """All bands of a scene, the mask included."""
    if isinstance(scene, Scene):
        return [
            Plane(band.name, raster.href, number, raster.grid.gsd, band.scale, band.offset, band.nodata, raster.is_mask)
            for raster in scene.rasters
            for number, band in enumerate(raster.bands, 1)
        ]
    sensor = find_sensor(scene.sensor)
    mask = sensor.mask.name if sensor.mask else None
    return [
        Plane(name, band.href, band.index, None, band.scale, band.offset, band.nodata, name == mask)
        for name, band in scene.bands.items()
    ]


def choose_planes(scene: AnyScene, names: Sequence[str] | None) -> list[Plane]:
    """The bands asked for, in that order; all measurements where none are.

    Raises:
        MissingBandError: The scene lacks one.
        ContractError: They are of several pixel sizes, so no array can hold them.
    """
    planes = {plane.name: plane for plane in list_planes(scene)}
    wanted = list(names) if names is not None else [plane.name for plane in planes.values() if not plane.is_mask]
    for name in wanted:
        if name not in planes:
            guess = guess_name(name, planes)
            raise MissingBandError(
                f"Item {scene_id(scene)} has no band {name!r}; it has {', '.join(planes)}."
                f"{f' Did you mean {guess!r}?' if guess else ' Its source may have lacked it: see curate info.'}"
            )
    chosen = [planes[name] for name in wanted]
    if not chosen:
        raise ContractError(f"No band of item {scene_id(scene)} was asked for; it has {', '.join(planes)}.")
    _check_one_size(scene, {plane.name: f"{plane.gsd:g} m" if plane.gsd else "" for plane in chosen})
    return chosen


def choose_mask(scene: AnyScene) -> Plane:
    """The mask of a scene.

    Raises:
        MissingBandError: It has none.
    """
    mask = find_sensor(scene.sensor).mask
    for plane in list_planes(scene):
        if mask is not None and plane.name == mask.name:
            return plane
    raise MissingBandError(f"Item {scene_id(scene)} of {scene.sensor} has no mask. Read masks of sensors that come with one.")


def read_planes(scene: AnyScene, planes: Sequence[Plane], read: ReadRaster) -> NDArray[Any]:
    """Bands as (bands, height, width), each file read once.

    Raises:
        ContractError: Their files differ in size.
    """
    files = {href: [plane for plane in planes if plane.href == href] for href in dict.fromkeys(plane.href for plane in planes)}
    found: dict[str, NDArray[Any]] = {}
    for href, mine in files.items():
        found.update(zip((plane.name for plane in mine), read(href, [plane.index for plane in mine]), strict=True))
    _check_one_size(scene, {name: " x ".join(map(str, found[name].shape)) + " px" for name in found})
    return np.stack([found[plane.name] for plane in planes])


def to_reflectance(scene: AnyScene, planes: Sequence[Plane], pixels: NDArray[Any]) -> NDArray[np.float32]:
    """`scale * DN + offset` of each band, float32, NaN where there is no measurement.

    Args:
        scene: Whose bands they are.
        planes: The bands.
        pixels: Their DN, (bands, height, width).

    Raises:
        ContractError: A band has no scale, as masks have none.
    """
    values = np.empty(pixels.shape, np.float32)
    for number, plane in enumerate(planes):
        if plane.scale is None or plane.offset is None:
            raise ContractError(
                f"Band {plane.name} of item {scene_id(scene)} has no scale and offset: read it without reflectance."
            )
        values[number] = pixels[number] * np.float32(plane.scale) + np.float32(plane.offset)
        if plane.nodata is not None:
            values[number][pixels[number] == plane.nodata] = np.nan
    return values


def _check_one_size(scene: AnyScene, sizes: dict[str, str]) -> None:
    groups: dict[str, list[str]] = {}
    for name, size in sizes.items():
        groups.setdefault(size, []).append(name)
    if len(groups) > 1:
        listed = "; ".join(f"{size}: {', '.join(names)}" for size, names in groups.items())
        raise ContractError(
            f"The bands of item {scene_id(scene)} have several pixel sizes ({listed}), and an array has one. "
            f"Read them one size at a time, such as bands={next(iter(groups.values()))}."
        )

"""What a scene's pixels, all its bands together, say against its item: offset, cloud and snow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from catalogs import fields
from catalogs.bands import find_sensor
from catalogs.checks.report import Problem
from catalogs.masks import mask_shares
from catalogs.radiometry import check_scene, first_instant
from catalogs.records import Band, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVER_TOLERANCE = 0.001
"""Percent."""


def judge_offset(scene: Scene, pixels: Mapping[str, NDArray[Any]]) -> str | None:
    """What a scene's dark pixels say to its offset: as `catalogs.radiometry.check_scene`; none where no band could be read.

    Args:
        scene: As its item tells it.
        pixels: Those of its rasters that could be read, by asset key, (bands, height, width) DN.
    """
    mask, planes = mask_and_planes(scene, pixels)
    if not planes:
        return None
    decision = scene.radiometry.decision if scene.radiometry else None
    return check_scene(find_sensor(scene.sensor), planes, mask, scene.baseline, when=first_instant(scene), decision=decision)


def check_pixels(scene: Scene, pixels: Mapping[str, NDArray[Any]], where: str, verdict: str | None) -> Iterator[Problem]:
    """Hold a scene's pixels against its item.

    Args:
        scene: As its item tells it.
        pixels: Those of its rasters that could be read, by asset key, (bands, height, width) DN.
        where: How problems name it.
        verdict: Of `judge_offset`.
    """
    sensor = find_sensor(scene.sensor)
    mask, planes = mask_and_planes(scene, pixels)
    if verdict == "conflict":
        said = f"{planes[0][0].offset:g} (processing version {scene.baseline or 'unknown'})"
        yield Problem(
            "offset", where, f"Its dark pixels contradict its offset {said}; expected dark ground at 0 to 0.1 reflectance."
        )
    if mask is not None and sensor.mask:
        yield from _cover_problems(scene, mask, sensor.mask.name, where)


def mask_and_planes(
    scene: Scene, pixels: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any] | None, list[tuple[Band, NDArray[Any]]]]:
    """The sensor's own mask of a scene, if it has one, and its bands with their pixels; see `check_pixels`."""
    sensor = find_sensor(scene.sensor)
    mask = pixels[sensor.mask.name][0] if sensor.mask and sensor.mask.name in pixels else None
    read = [raster for raster in scene.rasters if not raster.is_mask and raster.key in pixels]
    return mask, [plane for raster in read for plane in zip(raster.bands, pixels[raster.key], strict=True)]


def _cover_problems(scene: Scene, mask: NDArray[Any], mask_name: str, where: str) -> Iterator[Problem]:
    shares = mask_shares(mask, mask_name)
    told = {
        "eo:cloud_cover": (scene.cloud_percent, shares.not_clear),
        "eo:snow_cover": (scene.snow_percent, shares.snow),
        fields.UNCLASSIFIED_PERCENT: (scene.unclassified_percent, shares.unclassified),
    }
    for name, (stated, real) in told.items():
        if stated is not None and abs(stated - real) > COVER_TOLERANCE:
            yield Problem("cover", where, f"Its {name} is {stated:g}; its mask {mask_name} has {real:g}.")

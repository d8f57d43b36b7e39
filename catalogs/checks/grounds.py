"""What the items of one location say against each other's offsets: ground is not 0.1 brighter in all bands at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalogs.bands import find_sensor
from catalogs.checks.report import Problem
from catalogs.checks.scenes import mask_and_planes
from catalogs.radiometry import OFFSET_SENSORS, check_scene, may_carry_offset
from catalogs.records import Scene
from catalogs.same_ground import Ground, check_moved, moved_between, see_ground

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class _Seen:
    """An item whose ground was seen."""

    where: str
    when: datetime
    ground: Ground
    offset: float | None
    may_lack: bool
    check: str | None


class Grounds:
    """Compares the items of one sensor at one location, once all of them were read."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: list[_Seen] = []

    def add(self, scene: Scene, pixels: Mapping[str, NDArray[Any]], where: str) -> None:
        """Note what an item shows.

        Args:
            scene: As its item tells it.
            pixels: Those of its rasters that could be read, by asset key, (bands, height, width) DN.
            where: How problems name it.
        """
        mask, planes = mask_and_planes(scene, pixels)
        if scene.sensor not in OFFSET_SENSORS or scene.datetime is None or mask is None or not planes:
            return
        sensor, offset = find_sensor(scene.sensor), planes[0][0].offset
        check = check_scene(sensor, planes, mask, scene.baseline, when=scene.datetime)
        carries = may_carry_offset(scene.baseline, scene.datetime)
        self._seen.append(_Seen(where, scene.datetime, see_ground(sensor, planes, mask), offset, carries, check))

    def problems(self) -> Iterator[Problem]:
        """Items whose own dark pixels do not tell, and that differ by an offset from the nearest date whose pixels do."""
        proven = [seen for seen in self._seen if seen.check == "consistent"]
        for seen in self._seen:
            if seen.check != "unchecked" or not proven:
                continue
            other = min(proven, key=lambda one: (abs(one.when - seen.when), one.where))
            moved = moved_between(seen.ground, other.ground)
            if check_moved(moved, seen.offset, may_lack=seen.may_lack) == "conflict":
                words = (
                    f"Contradicts its offset {seen.offset or 0:g} next to {other.where}, another date of its location: all "
                    "visible bands are off by as much. Build it again with --radiometry strict or pixels."
                )
                yield Problem("offset", seen.where, words)

"""What the items of one location say against each other's offsets: ground is not 0.1 brighter in all bands at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalogs.bands import find_sensor
from catalogs.checks.report import Problem
from catalogs.checks.scenes import mask_and_planes
from catalogs.radiometry import OFFSET_SENSORS, first_instant, may_lack_offset
from catalogs.records import Scene
from catalogs.same_ground import Ground, check_moved, moved_between, see_ground

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPARED = ("date", "provider")
"""Evidence of another scene: see `catalogs.records.Radiometry`."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """An item whose ground was seen."""

    where: str
    when: datetime
    ground: Ground
    offset: float | None
    may_lack: bool
    check: str | None
    """What its own dark pixels say."""
    has_been_compared: bool
    """Whether its build has found its offset right by other scenes, which may be nearer than any of the catalog."""


class Grounds:
    """Compares the items of one sensor at one location, once all of them were read."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: list[_Seen] = []

    def add(self, scene: Scene, pixels: Mapping[str, NDArray[Any]], where: str, verdict: str | None) -> None:
        """Note what an item shows.

        Args:
            scene: As its item tells it.
            pixels: Those of its rasters that could be read, by asset key, (bands, height, width) DN.
            where: How problems name it.
            verdict: Of `catalogs.checks.scenes.judge_offset`.
        """
        (mask, planes), when = mask_and_planes(scene, pixels), first_instant(scene)
        if scene.sensor not in OFFSET_SENSORS or when is None or mask is None or not planes:
            return
        sensor, offset = find_sensor(scene.sensor), planes[0][0].offset
        decision = scene.radiometry.decision if scene.radiometry else None
        may_lack = may_lack_offset(scene.baseline, when, decision)
        ground = see_ground(sensor, planes, mask)
        self._seen.append(_Seen(where, when, ground, offset, may_lack, verdict, _has_been_compared(scene)))

    def problems(self) -> Iterator[Problem]:
        """Items that differ by an offset from the nearest date whose own dark pixels tell.

        Passed over are those whose own tell, and those that their build has held against another scene and found right.
        """
        proven = [seen for seen in self._seen if seen.check == "consistent"]
        for seen in self._seen:
            if seen.check != "unchecked" or seen.has_been_compared or not proven:
                continue
            other = min(proven, key=lambda one: (abs(one.when - seen.when), one.where))
            moved = moved_between(seen.ground, other.ground)
            if check_moved(moved, seen.offset, may_lack=seen.may_lack) == "conflict":
                words = (
                    f"Contradicts its offset {seen.offset or 0:g} next to {other.where}, another date of its location: all "
                    "visible bands are off by as much. Build it again with --radiometry strict or pixels, or, if it is of a "
                    "provider whose word a build takes for its offset, from another --source."
                )
                yield Problem("offset", seen.where, words)


def _has_been_compared(scene: Scene) -> bool:
    told = scene.radiometry
    return told is not None and told.check == "consistent" and told.evidence in COMPARED

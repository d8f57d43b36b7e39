"""Scenes of a source: read from items, counted where they are of no use, and found by box and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from catalogs.bands import find_sensor
from catalogs.errors import ContractError
from catalogs.foreign import SourceScene, from_item, match_sensor
from curate.sources.protocol import LonLatBox


def read_scene(item: Mapping[str, Any], skipped: dict[str, str], *, base_href: str | None = None) -> SourceScene | None:
    """Read an item, or note why it is of no use.

    Args:
        item: A STAC item as a dictionary.
        skipped: Receives the reason by the item's id.
        base_href: Path or address of the item.

    Returns:
        The scene; none where the item is of no sensor of ours, has no band that can be told, or is broken.
    """
    name = str(item.get("id"))
    sensor = match_sensor(item)
    if sensor is None:
        platform = item.get("properties", {}).get("platform", "unknown platform")
        skipped[name] = f"collection {item.get('collection')}, {platform}: no sensor of ours"
        return None
    try:
        scene = from_item(item, find_sensor(sensor), base_href=base_href)
    except ContractError as error:
        skipped[name] = str(error)
        return None
    if not scene.bands:
        skipped[name] = f"none of its assets could be told to be a band of {sensor}"
        return None
    return scene


class SceneIndex:
    """Scenes in order of time, ready to be searched."""

    def __init__(self, scenes: Iterable[SourceScene]) -> None:
        """Sort scenes by (time, id), each once, and index their footprints."""
        from shapely import STRtree
        from shapely.geometry import shape

        unique = {(scene.id, scene.href): scene for scene in scenes}
        self.scenes = sorted(unique.values(), key=lambda scene: (_span(scene)[0], scene.id, scene.href or ""))
        spans = [_span(scene) for scene in self.scenes]
        self._first = np.array([first.timestamp() for first, _ in spans])
        self._last = np.array([last.timestamp() for _, last in spans])
        self._tree = STRtree([shape(dict(scene.footprint)) for scene in self.scenes])

    def search(self, box: LonLatBox, start: datetime, end: datetime, *, max_scene_cloud: float = 100) -> list[SourceScene]:
        """Scenes that touch a box from `start` (inclusive) to `end` (exclusive), sorted by (datetime, id).

        Args:
            box: (west, south, east, north), degrees, west <= east.
            start: First instant.
            end: Instant after the last; a scene of an interval is found where the two intersect.
            max_scene_cloud: Percent; scenes whose cloud nobody states are kept.
        """
        from shapely import box as rectangle

        near = np.sort(self._tree.query(rectangle(*box), predicate="intersects"))
        found = near[(self._first[near] < end.timestamp()) & (self._last[near] >= start.timestamp())]
        scenes = [self.scenes[place] for place in found]
        return [scene for scene in scenes if scene.cloud_percent is None or scene.cloud_percent <= max_scene_cloud]


def _span(scene: SourceScene) -> tuple[datetime, datetime]:
    first, last = scene.datetime or scene.start_datetime, scene.datetime or scene.end_datetime
    assert first is not None and last is not None, "from_item reads an instant or an interval"  # noqa: PT018
    return first, last

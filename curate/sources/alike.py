"""Scenes of several sources that are named alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalogs.foreign import SourceScene


def add_scenes(found: dict[str, SourceScene], scenes: Sequence[SourceScene]) -> None:
    """Add scenes to those that were found before.

    Two sources may mean one scene by an id, or not at all: folders whose files are named by their dates have the same ids of
    other ground. So both scenes are kept, and `curate.choose.merge_copies` finds out over each square.

    Args:
        found: By id; a scene with the id of another source's gets its own source's name beside it.
        scenes: Of one source, or of a later search, each with its source's name.
    """
    for scene in scenes:
        earlier = found.get(scene.id)
        is_named_alike = earlier is not None and earlier.source != scene.source
        own = replace(scene, id=f"{scene.id} ({scene.source})") if is_named_alike else scene
        found[own.id] = own

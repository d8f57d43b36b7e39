"""Files of a collection that a stopped build left; only where files can be listed."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from catalogs import layout
from catalogs.checks.tree import Visit

OWN_NAMES = (layout.CATALOG, layout.COLLECTION, layout.INDEX)
TEMPORARY = "temporary file"
UNLINKED = "item not linked yet"
UNNAMED = "file that no item names"


def note_leftovers(visit: Visit, sensor: str, known: Collection[str], index: Collection[str]) -> None:
    """Note files of a collection in folders that no item of its index names.

    Args:
        visit: The check that this is part of; nothing is done where the catalog is remote.
        sensor: The collection.
        known: Folders of its items, relative to its own, whose files were looked at already.
        index: Files of its index, relative to the root.
    """
    if visit.tree.is_remote:
        return
    root = Path(visit.tree.address(sensor))
    for folder, folders, names in os.walk(root):
        relative = Path(folder).relative_to(root).as_posix()
        if relative in known:
            folders.clear()
            continue
        folders.sort()
        for name in sorted(names):
            href = Path(sensor, relative, name).as_posix()
            if name not in OWN_NAMES and href not in index:
                visit.findings.leave(kind_of_loose(name), [href])


def kind_of_loose(name: str) -> str:
    """What a file is that nothing names."""
    if name.endswith(layout.TEMPORARY):
        return TEMPORARY
    return UNLINKED if name.endswith(".json") else UNNAMED

"""What a build that was stopped left behind, and texts that nothing else reads. Only where files can be listed."""

from __future__ import annotations

import gzip
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from catalogs import layout
from catalogs.checks.places import kind_of_loose
from catalogs.checks.tree import Visit, check_text

TEXTS = (".json", ".jsonl", ".geojson", ".md", ".txt", ".csv", ".html", ".xml", ".yaml", ".yml", ".cff", ".gz")
LARGEST = 64 << 20
"""Bytes of a text beyond which it is read in part."""
OWN_NAMES = (layout.CATALOG, layout.COLLECTION, layout.INDEX)


def note_leftovers(visit: Visit, sensor: str, known: Collection[str]) -> None:
    """Note files of a collection in folders that no item of its index names.

    Args:
        visit: The check that this is part of; nothing is done where the catalog is remote.
        sensor: The collection.
        known: Folders of its items, relative to its own, whose files were looked at already.
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
            if name not in OWN_NAMES:
                visit.findings.leave(kind_of_loose(name), [Path(sensor, relative, name).as_posix()])


def check_loose_texts(visit: Visit) -> None:
    """Look for secrets in texts beside the STAC files, saved searches and the journal among them."""
    if visit.tree.is_remote:
        return
    root = Path(visit.tree.root)
    for path in _texts_below(root):
        where = path.relative_to(root).as_posix()
        if path.name.endswith(layout.TEMPORARY):
            visit.findings.leave("temporary file", [where])
        elif path.suffix in TEXTS and where not in (layout.CATALOG, layout.RECIPE):
            check_text(_text(path), where, visit.findings)


def _texts_below(root: Path) -> Iterator[Path]:
    """Files at the root, and all of the build's own folder."""
    yield from sorted(path for path in root.iterdir() if path.is_file())
    yield from sorted(path for path in (root / layout.WORK).rglob("*") if path.is_file())


def _text(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except (OSError, EOFError):
        return ""

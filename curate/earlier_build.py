"""One catalog, one recipe: what a folder was begun with, and whether a build goes on, begins anew or belongs elsewhere.

A build that has given no item binds nobody: with other flags it begins anew. One with items keeps its recipe.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.errors import ContractError
from catalogs.index_files import open_index
from catalogs.index_listing import listed_index
from catalogs.journal import Journal
from catalogs.publication import read_target
from catalogs.recipe import differences, read_recipe, replace_section, write_section
from curate.errors import RecipeError
from curate.locking import only_writer
from curate.sample_command import FILES, another_folder, sample_command
from curate.sources.same_source import is_same_source

SECTION = "build"


@dataclass(frozen=True)
class EarlierBuild:
    """What earlier runs of `curate build` have left in a catalog's folder."""

    folder: Path
    """The catalog's."""
    recipe: Mapping[str, Any]
    """Of `recipe.json`, with its section `sample`."""

    @classmethod
    def read(cls, folder: Path) -> EarlierBuild:
        """As it stands on the disk.

        Raises:
            ContractError: The recipe is not ours.
        """
        return cls(folder, read_recipe(folder))

    @property
    def section(self) -> Mapping[str, Any] | None:
        """What they were asked for; none where there was none."""
        section: Mapping[str, Any] | None = self.recipe.get(SECTION)
        return section

    @cached_property
    def has_items(self) -> bool:
        """Whether an item is finished, or files may lie elsewhere that only the same build can go on with."""
        if self.section is None:
            return False
        journal = Journal(self.folder)
        if journal.is_begun and read_target(self.folder):
            return True
        return any(entry.items for entry in journal.entries()) or any(
            _has_rows(self.folder / sensor) for sensor in self.section["sensors"]
        )

    def changes(self, section: Mapping[str, Any]) -> str:
        """How what is asked now differs from what was asked before, in words; empty where it goes on."""
        old = self.section
        if old is None:
            return ""
        now = json.loads(json.dumps(section))
        if is_same_source(old["source"], now["source"]):
            now["source"] = old["source"]
        return differences(old, now)

    def refuse(self, changes: str) -> RecipeError:
        """That a build with those changes belongs into another folder, and how to make it."""
        return RecipeError(
            f"{self.folder} was made from another recipe ({SECTION}): {changes}. A catalog keeps one recipe: pass the same "
            f"values again, or {self.elsewhere}"
        )

    @property
    def elsewhere(self) -> str:
        """How the same locations are built with other flags; the command has a line of its own."""
        sample = self.recipe["sample"]
        files = [name for name in (*FILES, "region") if isinstance(sample.get(name), Mapping)]
        paths = " (say where its files are)" if files else ""
        out = another_folder(self.folder)
        return (
            f"sample the same locations, with the same ids and splits, for another folder, and build that{paths}:\n"
            f"  {sample_command(sample, out)}"
        )

    def go_on(self, section: Mapping[str, Any]) -> None:
        """Record what is asked now; where it differs from before, what was begun is removed: it has no item.

        Raises:
            CurateError: Another build is at work.
            RecipeError: The folder is not ours, or it has items of another recipe by now.
        """
        if self.section in (None, json.loads(json.dumps(section))):
            try:
                write_section(self.folder, SECTION, section)
            except ContractError as error:
                raise RecipeError(str(error)) from error
            return
        with only_writer(self.folder):
            now = EarlierBuild.read(self.folder)
            changes = now.changes(section)
            if changes and now.has_items:
                raise now.refuse(changes)
            if changes:
                _remove_begun(self.folder, now.recipe[SECTION])
            replace_section(self.folder, SECTION, section)

    def check(self, section: Mapping[str, Any]) -> None:
        """Refuse a build that the folder does not go on with.

        Raises:
            RecipeError: It has another recipe, such as that of a build that was begun since this one was prepared.
        """
        changes = self.changes(section)
        if changes:
            raise self.refuse(changes)


def _remove_begun(folder: Path, section: Mapping[str, Any]) -> None:
    """Remove what a build without items has left: its documents, and files of locations that were in work."""
    for name in (layout.CATALOG, layout.FAILURES):
        (folder / name).unlink(missing_ok=True)
    for sensor in section["sensors"]:
        for begun in (folder / sensor, folder / layout.pack_folder(sensor)):
            shutil.rmtree(begun, ignore_errors=True)
    Journal(folder).clear()


def _has_rows(collection: Path) -> bool:
    """Whether the index of a sensor has an item."""
    document = collection / layout.COLLECTION
    if not document.exists():
        return False
    paths = [str(path) for name in listed_index(json.loads(document.read_bytes())) if (path := collection / name).exists()]
    if not paths:
        return False
    with open_index(paths) as index:
        return index.num_rows > 0

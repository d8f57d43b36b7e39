"""One of the catalogs that `curate merge` joins: what it was made from, and what it has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from catalogs import fields, layout
from catalogs.failures import read_failures
from catalogs.index_files import IndexFiles, open_index
from catalogs.index_listing import listed_index
from catalogs.journal import Failure, Journal
from catalogs.locations import read_locations
from catalogs.publication import RECORD, read_target
from catalogs.recipe import CONVERTED, read_recipe
from catalogs.records import Location
from curate.errors import RecipeError
from curate.parts import Part, read_part


@dataclass(frozen=True)
class BuiltPart:
    """A catalog that a build of all locations, or of a part of them, has ended in."""

    folder: Path
    """Where it is."""
    recipe: Mapping[str, Any]
    """Of `recipe.json`."""
    part: Part | None
    """Which part it builds; none where it builds everything."""

    @classmethod
    def open(cls, folder: Path) -> BuiltPart:
        """Look at a catalog.

        Raises:
            RecipeError: It is none that a build of ours has ended in.
        """
        recipe = read_recipe(folder)
        if CONVERTED in recipe or "sample" not in recipe:
            made = "was converted from a released data set" if CONVERTED in recipe else "is no catalog that curate sampled"
            raise RecipeError(f"{folder} {made}; expected the parts of a build: curate build FOLDER --part 1/2")
        if "build" not in recipe or not (folder / layout.CATALOG).exists():
            which = "" if "build" in recipe else " --part K/N, with the flags of the other parts"
            raise RecipeError(f"Nothing is built in {folder} yet. Build it first: curate build {folder}{which}")
        target = read_target(folder)
        if target:
            raise RecipeError(
                f"The files of {folder} are in {target}, and parts are joined where their files are. "
                f"Copy what is there into {folder}, remove {folder / RECORD}, and merge again."
            )
        return cls(folder, recipe, read_part(folder))

    @property
    def sensors(self) -> Sequence[str]:
        """Ids of the sensors that it was built of."""
        sensors: Sequence[str] = self.recipe["build"]["sensors"]
        return sensors

    @property
    def is_stopped(self) -> bool:
        """Whether its last run was stopped before its end: then its indices lack what the journal has."""
        return Journal(self.folder).is_begun

    @property
    def has_journalled(self) -> bool:
        """Whether locations are finished that its indices lack."""
        return any(True for _ in Journal(self.folder).entries())

    @cached_property
    def locations(self) -> list[Location]:
        """All that were sampled, those of other parts too."""
        return read_locations(self.folder / layout.LOCATIONS)

    @cached_property
    def failures(self) -> Mapping[str, Sequence[Failure]]:
        """What could not be completed, by location."""
        found: dict[str, list[Failure]] = defaultdict(list)
        for failure in read_failures(self.folder):
            found[failure.location].append(failure)
        return found

    @cached_property
    def done(self) -> frozenset[str]:
        """Ids of the locations that it has items or failures of."""
        found = set(self.failures)
        for sensor in self.sensors:
            with self.index(sensor) as index:
                found.update(pc.unique(index.read([fields.LOCATION])[fields.LOCATION]).to_pylist())
        return frozenset(found)

    def index(self, sensor: str) -> IndexFiles:
        """Its items of one sensor."""
        collection = json.loads((self.folder / sensor / layout.COLLECTION).read_bytes())
        return open_index([str(self.folder / sensor / name) for name in listed_index(collection)])

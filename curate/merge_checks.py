"""Whether catalogs are parts of one build: one recipe, the same locations, all of them done, and nothing in two ways."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from catalogs import fields
from catalogs.checks.items import difference, show
from catalogs.console import counted
from catalogs.index import as_struct, rows_of
from catalogs.lattice import grid_square
from catalogs.records import Location
from catalogs.rows import decode_items
from curate.built_part import BuiltPart
from curate.errors import RecipeError
from curate.parts import Part, divide

SECTIONS = ("contract", "sample", "build")
COMPARED_AT_ONCE = 2_000
"""Locations whose rows are in memory at a time."""


def check_parts(parts: Sequence[BuiltPart], out: BuiltPart | None) -> None:
    """Refuse catalogs that are not the parts of one build.

    Args:
        parts: What is to be joined.
        out: The folder to join them in, where it has something already.

    Raises:
        RecipeError: They were sampled or built from different recipes, a location has different bounds, a part was stopped or
            is missing, two have different items of one location, or the folder has an item that the parts have not.
    """
    for part in parts[1:]:
        check_same_build(parts[0], part)
    for part in parts:
        if part.is_stopped:
            raise RecipeError(f"The build of {part.folder} was stopped. Run it again to its end: curate build {part.folder}")
    _check_whole(parts)
    _check_overlaps(parts)
    if out:
        _check_kept(parts, out)


def check_same_build(one: BuiltPart, other: BuiltPart) -> None:
    """Refuse two catalogs of different locations or recipes; of what the other has not been asked for yet, nothing is compared.

    Raises:
        RecipeError: They differ, with both sides.
    """
    _check_locations(one, other)
    differences = _recipe_differences(one, other)
    if differences:
        raise RecipeError(
            f"{one.folder} and {other.folder} were made from different recipes: {differences}. Parts of one build have one "
            "recipe: build them in copies of one sampled folder, with the same flags, --end included."
        )


def _recipe_differences(one: BuiltPart, other: BuiltPart) -> str:
    """What two recipes differ in, in words; nothing where they agree."""
    told = []
    for section in (name for name in SECTIONS if name in other.recipe):
        for path, left, right in difference(one.recipe.get(section), other.recipe[section], section):
            told.append(f"{path} is {json.dumps(left, ensure_ascii=False)} and {json.dumps(right, ensure_ascii=False)}")
    return "; ".join(told)


def _check_locations(one: BuiltPart, other: BuiltPart) -> None:
    if one.locations == other.locations:
        return
    known = {location.id: location for location in one.locations}
    why = _recipe_differences(one, other)
    ending = f" They were made from different recipes: {why}." if why else ""
    for location in other.locations:
        mine = known.pop(location.id, None)
        if mine is None:
            raise RecipeError(f"{one.folder} lacks location {location.id}, which {other.folder} has.{ending} {_ADVICE}")
        if mine != location:
            sides = f"{_square(mine)} in {one.folder}, and {_square(location)} in {other.folder}"
            raise RecipeError(f"Location {location.id} is {sides}.{ending} {_ADVICE}")
    for id_ in known:
        raise RecipeError(f"{other.folder} lacks location {id_}, which {one.folder} has.{ending} {_ADVICE}")
    raise RecipeError(f"{one.folder} and {other.folder} have their locations in different order.{ending} {_ADVICE}")


_ADVICE = "Parts of one build have one locations.parquet: build them in copies of one sampled folder."


def _square(location: Location) -> str:
    """A location in words."""
    return f"{location.bounds} of EPSG:{location.epsg} ({location.split})"


def _check_whole(parts: Sequence[BuiltPart]) -> None:
    """Refuse parts that leave locations out."""
    done = frozenset().union(*(part.done for part in parts))
    lacking = [location for location in parts[0].locations if location.id not in done]
    if not lacking:
        return
    unknown = f"No part has {counted(len(lacking), 'location')}, such as {lacking[0].id}."
    told = " ".join(list(_lacking_parts(parts, lacking)) or [unknown])
    raise RecipeError(f"{told} Build what is missing, and name all parts: curate merge PART... --out FOLDER")


def _lacking_parts(parts: Sequence[BuiltPart], lacking: Sequence[Location]) -> Iterator[str]:
    """Which parts are missing, and which are not built to their end."""
    given = {part.part: part for part in parts if part.part}
    counts = {part.count for part in given}
    if len(counts) != 1:
        return
    squares = {grid_square(location) for location in lacking}
    lacked = [
        Part(count, number)
        for count in counts
        for number, mine in enumerate(divide(parts[0].locations, count), start=1)
        if mine & squares
    ]
    missing = [str(part) for part in lacked if part not in given]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield f"{'Part' if len(missing) == 1 else 'Parts'} {', '.join(missing)} {verb} missing."
    for part in lacked:
        if part in given:
            yield f"{given[part].folder}, part {part}, is not built to its end: curate build {given[part].folder}"


def _check_overlaps(parts: Sequence[BuiltPart]) -> None:
    """Refuse parts that have different outcomes of one location."""
    owners: dict[str, int] = {}
    for number, part in enumerate(parts):
        shared: dict[int, list[str]] = defaultdict(list)
        for location in sorted(part.done):
            owner = owners.setdefault(location, number)
            if owner != number:
                shared[owner].append(location)
        for owner, locations in shared.items():
            _compare(parts[owner], part, locations)


def _compare(one: BuiltPart, other: BuiltPart, locations: Sequence[str]) -> None:
    """Refuse two parts that have different items or failures of locations that both have done."""
    for location in locations:
        if one.failures.get(location) != other.failures.get(location):
            raise _unequal(location, one, other, "what could not be completed differs")
    for left, right in _unequal_items(one, other, locations):
        told = _first_difference(left, right)
        if told:
            raise _unequal(told[0], one, other, told[1])


def _check_kept(parts: Sequence[BuiltPart], out: BuiltPart) -> None:
    """Refuse to join in a folder that has an item which the parts lack, or have in another form.

    What they have beyond it is welcome, and their failures count: a part that was run again has tried again what had failed. A
    season that was tried again may keep the scene of another one, whose item is of the last of them.
    """
    left = set(out.done)
    for part in parts:
        for kept, found in _unequal_items(out, part, sorted(left & part.done)):
            told = _first_difference(kept, _as_kept(found, kept, out))
            if told:
                raise RecipeError(
                    f"--out {out.folder} has {told[0]}, and {part.folder} differs: {told[1]}. Nothing that is there is given "
                    "up: to join the parts as they are now, give another --out."
                )
        left -= part.done


def _as_kept(items: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]], out: BuiltPart) -> list[Mapping[str, Any]]:
    """Those of some items that another catalog has too, as before a season that had failed there came to keep their scene."""
    before = {item["id"]: item["properties"].get(fields.SEASON) for item in kept}
    found: list[Mapping[str, Any]] = []
    for item in (item for item in items if item["id"] in before):
        has = item["properties"]
        failed = {failure.season for failure in out.failures.get(has[fields.LOCATION], ())}
        is_taken = has.get(fields.SEASON) in failed
        found.append({**item, "properties": {**has, fields.SEASON: before[item["id"]]}} if is_taken else item)
    return found


def _unequal_items(
    one: BuiltPart, other: BuiltPart, locations: Sequence[str]
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Items that two catalogs have of some locations, portion by portion, without portions that are the same."""
    for sensor in one.sensors:
        with one.index(sensor) as mine, other.index(sensor) as theirs:
            for start in range(0, len(locations), COMPARED_AT_ONCE):
                some = locations[start : start + COMPARED_AT_ONCE]
                left, right = rows_of(mine, some), rows_of(theirs, some)
                if not left.equals(right):
                    yield decode_items(as_struct(left)), decode_items(as_struct(right))


def _first_difference(left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """An item of which two lists have different forms, and how; none where all are equal."""
    mine, theirs = ({item["id"]: item for item in items} for items in (left, right))
    for id_ in sorted(mine.keys() | theirs.keys()):
        if id_ not in mine or id_ not in theirs:
            return id_, "only one of them has it"
        for path, one, other in difference(mine[id_], theirs[id_]):
            return id_, f"{path} is {show(one)} in the first, {show(other)} in the second"
    return None


def _unequal(what: str, one: BuiltPart, other: BuiltPart, how: str) -> RecipeError:
    return RecipeError(
        f"{one.folder} and {other.folder} both have {what}, and differ: {how}. Leave one of them out, or build one of them "
        "again in another copy of the sampled folder, from the same search answers."
    )

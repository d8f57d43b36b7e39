"""`recipe.json`: what identifies a catalog, so that the same command continues it and another one is refused.

```
{"contract": "1.5", "sample": {"region": "france", "seed": 7, ...}, "build": {"source": "earth-search", ...}}
```

A section is what one command was asked for, its defaults resolved. Workers, budgets and retries are not part of it: they do not
change the bytes. Until a build has given an item, another one may replace its section. A catalog is sampled and built, or
converted from a released data set: it has `sample` and `build`, or `convert`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.errors import ContractError
from catalogs.fields import CONTRACT_VERSION, check_contract
from catalogs.pixels import write_whole

CONTRACT = "contract"
CONVERTED = "convert"
IN_PLACE = "in_place"
"""Key of a conversion's section whose images stay where they are: where, relative to the catalog."""
ABSENT = "absent"


def read_recipe(folder: Path) -> dict[str, Any]:
    """The recipe of a catalog's folder; empty where there is none yet.

    Raises:
        ContractError: The file is not ours, or follows another major version of the contract.
    """
    path = folder / layout.RECIPE
    if not path.exists():
        return {}
    try:
        recipe = json.loads(path.read_text("utf-8"))
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict) or CONTRACT not in recipe:
        raise ContractError(
            f"{path} is no recipe of seastars: expected a JSON object with a {CONTRACT!r} version. "
            "Choose another folder, or restore the file."
        )
    check_contract(recipe[CONTRACT], str(path))
    return recipe


def items_section(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the items were made by: the section of the build or of the conversion, which have `sensors` and `seasons`.

    Empty where nothing was asked for yet.
    """
    section: Mapping[str, Any] = recipe.get("build") or recipe.get(CONVERTED) or {}
    return section


def own_names(sensors: Iterable[str]) -> set[str]:
    """What a catalog has in its folder: its files, and the folders of its sensors, its packs and its work."""
    files = (layout.CATALOG, layout.LOCATIONS, layout.RECIPE, layout.FAILURES)
    return {*files, *(name + layout.TEMPORARY for name in files), layout.PACKS, layout.WORK, *sensors}


def check_ours(folder: Path, own: Collection[str] | None = None) -> None:
    """Refuse to write into a folder that holds something else.

    Args:
        folder: The folder; it may be absent.
        own: What the catalog will have in a folder that holds the images of a data set too; where absent, nothing else may be
            there.

    Raises:
        ContractError: The folder is a file, or it has no recipe of ours, and is not empty or has one of those names.
    """
    if folder.exists() and not folder.is_dir():
        raise ContractError(f"{folder} is a file; expected a folder. Choose another folder for the catalog.")
    if folder.is_dir() and not read_recipe(folder):
        found = (path.name for path in folder.iterdir()) if own is None else (name for name in own if (folder / name).exists())
        others = sorted(set(found) - {layout.RECIPE + layout.TEMPORARY})
        if others and own is not None:
            raise ContractError(
                f"{folder} has {others[0]!r} already, which its catalog would be called too. Give a folder above it as --out, "
                "or leave --in-place out."
            )
        if others:
            raise ContractError(
                f"{folder} is not a catalog of seastars: it holds {others[0]!r}{' and more' if len(others) > 1 else ''}, "
                f"but no {layout.RECIPE}. Choose an empty folder, or a catalog that `curate sample` made."
            )


def write_section(
    folder: Path,
    section: str,
    values: Mapping[str, Any],
    *,
    may_change: Collection[str] = (),
    own: Collection[str] | None = None,
) -> None:
    """Record what a command was asked for, or check that it is asked for the same again.

    Args:
        folder: The catalog's folder; made where absent.
        section: `sample`, `build` or `convert`. Other sections are kept.
        values: What identifies the section's work; JSON's types.
        may_change: Keys whose new value replaces the old one.
        own: As of `check_ours`.

    Raises:
        ContractError: The folder is not ours, it was made from other values (the message has both sides of each), or a
            catalog is to be sampled that was converted, or the other way round.
        OSError: The disk is full or cannot be written.
    """
    check_ours(folder, own)
    recipe = read_recipe(folder) or {CONTRACT: CONTRACT_VERSION}
    check_kind(folder, recipe, section)
    values = json.loads(json.dumps(values))
    if section in recipe:
        check_same(folder, section, recipe[section], {**values, **{key: recipe[section].get(key) for key in may_change}})
    if recipe.get(section) != values:
        _write(folder, {**recipe, section: values})


def replace_section(folder: Path, section: str, values: Mapping[str, Any]) -> None:
    """Record other values than a section had; for who knows that nothing hangs on the old ones.

    Raises:
        ContractError: The folder is not ours.
        OSError: The disk is full or cannot be written.
    """
    _write(folder, {**(read_recipe(folder) or {CONTRACT: CONTRACT_VERSION}), section: values})


def _write(folder: Path, recipe: Mapping[str, Any]) -> None:
    write_whole(folder / layout.RECIPE, (json.dumps(recipe, indent=2, ensure_ascii=False) + "\n").encode())


def check_kind(folder: Path, recipe: Mapping[str, Any], section: str) -> None:
    """Keep what is sampled apart from what is converted.

    Raises:
        ContractError: A section of the other kind is there.
    """
    others = ("sample", "build") if section == CONVERTED else (CONVERTED,)
    if any(other in recipe for other in others):
        made = "sampled" if section == CONVERTED else "converted from a released data set"
        raise ContractError(f"{folder} is a catalog that was {made}, and stays one. Choose another folder.")


def check_same(folder: Path, section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Compare a section with what is asked for now.

    Raises:
        ContractError: They differ; the message names each key with both values.
    """
    changes = differences(old, new)
    if changes:
        raise ContractError(
            f"{folder} was made from another recipe ({section}): {changes}. "
            f"A catalog keeps one recipe: pass the same values again, or {_way_out(folder, old)}."
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What two forms of a section differ in, in words: each key with both values; empty where they agree.

    Examples:
        >>> differences({"seed": 7, "count": 3}, {"seed": 8, "count": 3})
        'seed was 7, now 8'
    """
    keys = [key for key in {**old, **new} if old.get(key, ABSENT) != new.get(key, ABSENT)]
    return "; ".join(f"{key} was {_show(old, key)}, now {_show(new, key)}" for key in keys)


def _way_out(folder: Path, section: Mapping[str, Any]) -> str:
    """What to do for a catalog of another recipe: that around images has to lie where they do."""
    if IN_PLACE not in section:
        return "choose another folder (--out)"
    mine = [name for name in sorted(own_names(section["sensors"])) if (folder / name).exists()]
    return f"begin anew by removing {', '.join(mine)}: no image is among them"


def _show(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else ABSENT

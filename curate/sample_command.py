"""The `curate sample` command that gives a catalog's locations again, in another folder: same ids, same splits."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.regions import fold, known_regions, slugify

USUAL: Mapping[str, Any] = {
    "count": None, "cities": 10_000, "std_km": 50.0, "patch_m": 2640, "min_distance_m": 0.0, "no_overlap": False, "tile": False,
    "splits": [0.9, 0.05, 0.05], "seed": 0,
}  # fmt: skip
"""What a recipe has where a flag was left out."""
FILES = ("from", "exclude")
"""Flags whose files a recipe knows by their names."""


def sample_command(sample: Mapping[str, Any], out: str) -> str:
    """The command of a recipe's section.

    Args:
        sample: The section; see `curate.sample_folder.sample_section`. Files are in it without their folders.
        out: The other folder.

    Examples:
        >>> sample_command({"region": "box:0.0,43.0,2.0,44.0", "name": "bbox", "count": 5, "seed": 7}, "data/b")
        'curate sample --region=0.0,43.0,2.0,44.0 --count 5 --seed 7 --out data/b'
    """
    return " ".join(["curate sample", *_flags(sample), f"--out {shlex.quote(out)}"])


def another_folder(folder: Path) -> str:
    """A folder beside a catalog's that is not there yet: `data/fr-2`."""
    base = folder if folder.name not in ("", "..") else folder.resolve()
    number = next(number for number in range(2, 1_000_000) if not base.with_name(f"{base.name}-{number}").exists())
    return str(base.with_name(f"{base.name}-{number}"))


def _flags(sample: Mapping[str, Any]) -> Iterator[str]:
    region = sample.get("region")
    slug = "sample"
    if region is not None:
        words, slug = _region(region, str(sample.get("name", "")))
        yield words
    is_file = sample.get("strategy") == "file"
    if sample.get("strategy", "cities") != "cities" and not is_file:
        yield f"--strategy {sample['strategy']}"
    for flag in FILES:
        if flag in sample:
            yield f"--{flag} {shlex.quote(sample[flag]['file'])}"
    if region is None and is_file:
        slug = slugify(Path(sample["from"]["file"]).stem)
    for key, usual in USUAL.items():
        value = sample.get(key, usual)
        if value != usual:
            yield f"--{key.replace('_', '-')}{_value(value)}"
    if sample.get("name", slug) != slug:
        yield f"--name {sample['name']}"


def _region(region: Any, name: str) -> tuple[str, str]:
    """The flag of a region, and what the ids of its locations begin with unless told otherwise."""
    if isinstance(region, Mapping):
        return f"--region {shlex.quote(region['file'])}", slugify(Path(region["file"]).stem)
    kind, _, detail = str(region).partition(":")
    if kind == "box":
        return f"--region={detail}", "bbox"
    if kind != "country":
        return f"--region {shlex.quote(detail or kind)}", slugify(detail or kind)
    own = known_regions()[fold(detail)][0]
    is_named = slugify(own) == name
    return f"--region {shlex.quote(own) if is_named else detail}", slugify(own)


def _value(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, list):
        return f" {','.join(map(str, value))}"
    return f" {str(value).removesuffix('.0')}"

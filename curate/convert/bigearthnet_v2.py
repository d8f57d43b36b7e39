"""BigEarthNet 2.0, reBEN: `BigEarthNet-S2/<tile>/<patch>/<patch>_B02.tif`, and `metadata.parquet` with labels and splits.

The table names the patches to use, 480,038 of 549,488: those under seasonal snow, cloud or shadow are in a table of their own,
and are left out, as its authors do. It says nothing of the ground. A patch's last two numbers are its column and row in the
tile, so that one patch of a tile tells where all of them lie; each is checked against its own files when it is read.

References:
    Clasen et al., reBEN, IGARSS 2025, https://arxiv.org/abs/2407.03653
    The archive, https://doi.org/10.5281/zenodo.10891137
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.convert.bigearthnet_labels import CLASSES_19
from curate.convert.bigearthnet_patches import (
    SIDE_M,
    TILE_V2,
    Archive,
    LandPatch,
    find_root,
    folders,
    relative,
    remarks_of_left_out,
)
from curate.convert.decoding import read_grid
from curate.errors import CurateError

FOLDER = "BigEarthNet-S2"
METADATA = "metadata.parquet"
COUNT = 480_038
COLUMNS = ("patch_id", "labels", "split")
FLAGS = {"contains_seasonal_snow": "under seasonal snow", "contains_cloud_or_shadow": "under cloud or its shadow"}
"""Columns that say what to leave out, and why."""
SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}
"""Our words for theirs."""
PATCH = re.compile(rf"{TILE_V2.pattern}_\d+_\d+")
UNLISTED = f"that {METADATA} does not list"

Origin = tuple[int, int, int]
"""UTM zone, easting and northing of the upper left corner of a tile."""


def find_v2(path: Path, classes: int) -> Archive | None:
    """The patches of version 2; none where there are none.

    Args:
        path: The folder that holds `metadata.parquet` and `BigEarthNet-S2`, or the latter.
        classes: 19: it has no others.

    Raises:
        CurateError: Its table is not there or not as it should be, or more classes are asked for than it has.
    """
    root = find_root(path, FOLDER, TILE_V2)
    if root is None:
        return None
    if classes != len(CLASSES_19):
        raise CurateError(f"--classes is {classes}, but {path} is BigEarthNet 2.0, labelled in 19 classes. Leave it out.")
    rows = _read_rows([path, path.parent])
    there = {tile: set(folders(root / tile, PATCH)) for tile in sorted(folders(root, TILE_V2))}
    origins = {tile: _find_origin(root / tile, sorted(names)) for tile, names in there.items() if names}
    listed = {row["patch_id"] for row in rows}
    left_out = Counter({UNLISTED: sum(len(names - listed) for names in there.values())})
    patches: list[LandPatch] = []
    count = 0
    for number, row in enumerate(rows):
        tile, _, _ = _parts(row["patch_id"])
        if row["patch_id"] not in there.get(tile, ()):
            continue
        count += 1
        why = next((why for flag, why in FLAGS.items() if row.get(flag)), None)
        if why:
            left_out[why] += 1
        else:
            patches.append(_patch(row, number, relative(root, path, tile), origins[tile]))
    remarks = remarks_of_left_out(left_out)
    remarks += [f"There are {count:,} of the {COUNT:,} patches of BigEarthNet 2.0."] if count != COUNT else []
    return Archive(version="2.0", patches=patches, left_out=left_out, remarks=remarks)


def _parts(name: str) -> tuple[str, int, int]:
    """The tile of a patch, and its column and row there."""
    tile, column, row = name.rsplit("_", 2)
    return tile, int(column), int(row)


def _patch(told: Mapping[str, Any], number: int, folder: str, origin: Origin) -> LandPatch:
    name = told["patch_id"]
    _, column, row = _parts(name)
    epsg, left, top = origin
    corner = (left + column * SIDE_M, top - row * SIDE_M)
    return LandPatch(number, name, f"{folder}/{name}", told["labels"], epsg, *corner, SPLITS[told["split"]])


def _read_rows(places: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of the table, by patch, labels as tuples.

    Raises:
        CurateError: It is not there, cannot be read, or lacks a column; a row is not as it should be.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = next((place / METADATA for place in places if (place / METADATA).is_file()), None)
    if file is None:
        raise CurateError(f"{places[0]} has tiles of BigEarthNet 2.0, but no {METADATA} with their labels. Put it there.")
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise CurateError(f"{file} is no table, or a damaged one ({error}). Download it again.") from error
    lacking = [name for name in COLUMNS if name not in table.column_names]
    if lacking:
        raise CurateError(f"{file} has columns {', '.join(table.column_names)}; expected {', '.join(lacking)} too.")
    wanted = [name for name in (*COLUMNS, *FLAGS) if name in table.column_names]
    rows = sorted(table.select(wanted).to_pylist(), key=lambda row: str(row["patch_id"]))
    known = {label: label for label in CLASSES_19}  # one string for all that say the same: there are half a million patches
    for row in rows:
        _check_row(file, row)
        row["labels"] = tuple(known[label] for label in row["labels"])
    return rows


def _check_row(file: Path, row: Mapping[str, Any]) -> None:
    """Refuse a row of another table.

    Raises:
        CurateError: It names no patch, no label, or a label or split that there is not.
    """
    name, labels, split = row["patch_id"], row["labels"] or (), row["split"]
    if not PATCH.fullmatch(str(name)):
        raise CurateError(f"{file} names {name!r}, which is no patch of BigEarthNet 2.0. Download it again.")
    strange = [label for label in labels if label not in CLASSES_19]
    if strange or not labels:
        what = f"label {strange[0]!r}, none of the 19 classes" if strange else "no label"
        raise CurateError(f"{file} gives {name} {what}. Download it again.")
    if split not in SPLITS:
        raise CurateError(f"{file} has {name} in split {split!r}; expected train, validation or test.")


def _find_origin(tile: Path, names: Sequence[str]) -> Origin:
    """Where a tile begins, by the first of its patches that can be read.

    Raises:
        CurateError: None can be.
    """
    fault = None
    for name in names:
        _, column, row = _parts(name)
        try:
            grid = read_grid((tile / name / f"{name}_B02.tif").read_bytes())
        except (CurateError, OSError) as error:
            fault = fault or error
            continue
        if grid.epsg is not None:
            left, _, _, top = grid.bounds
            return grid.epsg, round(left) - column * SIDE_M, round(top) + row * SIDE_M
    raise CurateError(f"None of the {len(names)} patches of {tile} says where it lies: {fault or 'no coordinate system'}.")

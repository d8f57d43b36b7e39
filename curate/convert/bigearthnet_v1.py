"""BigEarthNet 1.0: `<patch>/<patch>_B02.tif` and eleven more, and `<patch>_labels_metadata.json` with labels and corners.

Where the lists of patches under seasonal snow, or under cloud and its shadow, lie with the data set, those patches are left
out, as its authors recommend; so are patches of whose labels none has a place in the 19 classes. The official lists
`train.csv`, `val.csv` and `test.csv` are taken for the splits where they lie there; else a split is drawn patch by patch, by a
hash of its name, one in five for `test`. Either way neighbours may be parted: version 2 mends that.

References:
    Sumbul et al., IGARSS 2019, https://doi.org/10.1109/IGARSS.2019.8900532
    The lists, https://bigearth.net and https://git.tu-berlin.de/rsim/BigEarthNet-MM_19-classes_models
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from curate.convert.bigearthnet_labels import CLASSES_43, merge_labels
from curate.convert.bigearthnet_patches import (
    PATCH_V1,
    SIDE_M,
    Archive,
    LandPatch,
    find_root,
    folders,
    relative,
    remarks_of_left_out,
)
from curate.convert.split_lists import find_lists
from curate.errors import CurateError

FOLDER = "BigEarthNet-v1.0"
COUNT = 590_326
EXCLUDED = {
    "patches_with_seasonal_snow.csv": "under seasonal snow",
    "patches_with_cloud_and_shadow.csv": "under cloud or its shadow",
}
"""Lists of what to leave out, and why."""
UNLABELLED = "none of whose labels is among the 19 classes"
DAMAGED = "whose labels cannot be read"
AUTHORITY = re.compile(r'AUTHORITY\["EPSG",\s*"(\d+)"\]')


def find_v1(path: Path, classes: int) -> Archive | None:
    """The patches of version 1; none where there are none.

    Args:
        path: The folder of patches, or one that holds `BigEarthNet-v1.0`.
        classes: 19 or 43.
    """
    root = find_root(path, FOLDER, PATCH_V1)
    if root is None:
        return None
    places = [root, path if path != root else path.parent]  # where lists lie: with the patches, or beside their folder
    excluded, missing = _read_excluded(places)
    left_out: Counter[str] = Counter()
    patches: list[LandPatch] = []
    faults: list[str] = []
    names = sorted(folders(root, PATCH_V1))
    for number, name in enumerate(names):
        if name in excluded:
            left_out[excluded[name]] += 1
            continue
        try:
            patch = _read_patch(root, relative(root, path, name), number, classes)
        except (CurateError, OSError) as error:
            left_out[DAMAGED] += 1
            faults.append(f"{name}: {error}")
            continue
        if patch.labels:
            patches.append(patch)
        else:
            left_out[UNLABELLED] += 1
    lists = next((place for place in places if find_lists(place, "train")), None)
    remarks = [*remarks_of_left_out(left_out), *(f"The first of them is {fault}." for fault in faults[:1])]
    remarks += [f"{file} is not there: patches {EXCLUDED[file]} are kept. Get it from bigearth.net." for file in missing]
    remarks += [] if lists else ["There are no train.csv, val.csv and test.csv: splits are drawn. Get them from the authors."]
    remarks += [f"There are {len(names):,} of the {COUNT:,} patches of BigEarthNet 1.0."] if len(names) != COUNT else []
    return Archive(version="1.0", patches=patches, left_out=left_out, remarks=remarks, lists=lists, is_drawn=True)


def _read_excluded(places: list[Path]) -> tuple[dict[str, str], list[str]]:
    """Why patches are left out, by name, and the lists that are not there."""
    excluded: dict[str, str] = {}
    missing = []
    for file, why in EXCLUDED.items():
        found = next((place / file for place in places if (place / file).is_file()), None)
        if found is None:
            missing.append(file)
            continue
        lines = found.read_text("utf-8").splitlines()
        excluded.update((line.partition(",")[0].strip(), why) for line in lines)
    return excluded, missing


def _read_patch(root: Path, member: str, number: int, classes: int) -> LandPatch:
    """A patch by what its JSON says.

    Raises:
        CurateError: That is damaged, or says other things than it should.
        OSError: It cannot be read.
    """
    name = member.rpartition("/")[2]
    file = f"{name}_labels_metadata.json"
    try:
        told = json.loads((root / name / file).read_bytes())
        labels = tuple(_known(label) for label in told["labels"])
        epsg, left, top = _corner(told)
    except FileNotFoundError as error:
        raise CurateError(f"{file} is not there") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CurateError(f"{file} is damaged ({type(error).__name__}: {error})") from error
    return LandPatch(number, name, member, merge_labels(labels) if classes == 19 else labels, epsg, left, top)


_CANONICAL = {label: label for label in CLASSES_43}
"""One string for all that say the same: there are half a million patches."""


def _known(label: str) -> str:
    if label not in _CANONICAL:
        raise ValueError(f"{label!r} is none of the 43 classes")
    return _CANONICAL[label]


def _corner(told: Mapping[str, Any]) -> tuple[int, int, int]:
    """Zone, easting and northing of the upper left corner."""
    corners = told["coordinates"]
    left, top = round(corners["ulx"]), round(corners["uly"])
    if (round(corners["lrx"]) - left, top - round(corners["lry"])) != (SIDE_M, SIDE_M):
        raise ValueError(f"its corners are {corners}, no square of {SIDE_M} m")
    return _zone(told["projection"]), left, top


@lru_cache(maxsize=64)
def _zone(projection: str) -> int:
    """EPSG code of a coordinate system that is written as WKT: the last one, the others are of its parts."""
    return int(AUTHORITY.findall(projection)[-1])

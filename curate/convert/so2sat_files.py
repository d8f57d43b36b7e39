"""The files of So2Sat LCZ42: which there are, the class of each patch, and where it lies; no pixels are read.

They are HDF5: `sen1` (patches, 32, 32, 8), `sen2` (patches, 32, 32, 10) and `label` (patches, 17), ones and zeros. Version 4
has `training_geo.h5` and so on beside them: `coord` (patches, 6), of which the first two are the centre in UTM, and `epsg`.

References:
    https://github.com/zhu-xlab/So2Sat-LCZ42
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES = (
    "Compact high rise", "Compact mid rise", "Compact low rise", "Open high rise", "Open mid rise", "Open low rise",
    "Lightweight low rise", "Large low rise", "Sparsely built", "Heavy industry", "Dense trees", "Scattered trees",
    "Bush, scrub", "Low plants", "Bare rock or paved", "Bare soil or sand", "Water",
)  # fmt: skip
"""Local climate zones 1 to 10 and A to G, in the order of the labels."""
PLANES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Bands in the order of the files."""
SIDE_PX = 32
SIDE_M = 320
FILES = {"training.h5": "train", "validation.h5": "val", "testing.h5": "test"}
"""Our splits, by file."""
FOLDERS = ("random", "block", "culture_10")
"""The splits of version 3."""
NORTH, SOUTH = range(32601, 32661), range(32701, 32761)
EXPECTED = "a folder with training.h5 and, of the version, validation.h5 and testing.h5"


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One of the files, its pixels not read."""

    file: str
    """Its name."""
    split: str
    """What its patches are for."""
    first: int
    """Number of its first patch among those of all files."""
    labels: NDArray[np.int8]
    """(patches,) class of each, -1 where it has none or several."""
    ground: NDArray[np.int64] | None
    """(patches, 3) zone, easting and northing of the lower left corner, zone 0 where unknown; none without such a file."""


def read_parts(path: Path) -> tuple[list[Part], list[str]]:
    """The files with labels, and what to say of the others.

    Raises:
        CurateError: There are none.
    """
    there = [file for file in FILES if (path / file).is_file()]
    if not there:
        raise CurateError(_nothing(path))
    parts: list[Part] = []
    remarks = []
    first = 0
    for file in there:
        labels = _read_labels(path / file)
        if labels is None:
            remarks.append(f"Left out {file}, which has no labels: it is of version 1. Version 2 has them.")
            continue
        parts.append(Part(file, FILES[file], first, labels, _read_ground(path, file, len(labels))))
        first += len(labels)
    if not parts:
        raise CurateError(f"{path} has no file with labels: {' '.join(remarks)}")
    return parts, remarks


def _nothing(path: Path) -> str:
    """Why a path is not what is wanted."""
    if not path.exists():
        return f"{path} is not there; expected {EXPECTED}. Check the path."
    if not path.is_dir():
        return f"{path} is a file; expected {EXPECTED}. Give the folder it is in."
    inner = [name for name in FOLDERS if (path / name / "training.h5").is_file()]
    if inner:
        return f"{path} has several splits of So2Sat: {', '.join(inner)}. Give one of them, such as {path / inner[0]}."
    packed = [f"{file}.gz" for file in FILES if (path / f"{file}.gz").is_file()]
    if packed:
        return f"{path} has {packed[0]}, which is packed. Unpack it first: gunzip {packed[0]}"
    first = min((entry.name for entry in path.iterdir()), default=None)
    return f"{path} holds {repr(first) if first else 'nothing'}, but no file of So2Sat LCZ42; expected {EXPECTED}."


def _read_labels(file: Path) -> NDArray[np.int8] | None:
    """The class of each patch, -1 where it has none or several; none of a file without labels.

    Raises:
        CurateError: It is no HDF5, a damaged one, or one of another layout.
    """
    with open_file(file) as content:
        return _labels_in(content, file)


def _labels_in(content: Any, file: Path) -> NDArray[np.int8] | None:
    """The same, of a file that is open."""
    import numpy as np

    shapes = {key: tuple(content[key].shape) for key in content}
    count = shapes.get("sen2", (0,))[0]
    if shapes.get("sen2") != (count, SIDE_PX, SIDE_PX, len(PLANES)):
        listed = ", ".join(f"{key} of {' x '.join(map(str, shape))}" for key, shape in shapes.items())
        raise CurateError(
            f"{file} holds {listed or 'nothing'}; expected sen2 of patches x {SIDE_PX} x {SIDE_PX} x {len(PLANES)}."
        )
    if "label" not in shapes:
        return None
    if shapes["label"] != (count, len(CLASSES)):
        words = " x ".join(map(str, shapes["label"]))
        raise CurateError(f"{file} has labels of {words}; expected {count} x {len(CLASSES)}, as many as patches in sen2.")
    chosen = content["label"][:] > 0
    labels: NDArray[np.int8] = np.where(chosen.sum(axis=1) == 1, chosen.argmax(axis=1), -1).astype(np.int8)
    return labels


def _read_ground(path: Path, file: str, count: int) -> NDArray[np.int64] | None:
    """Where the patches of a file lie, as `Part.ground`.

    Raises:
        CurateError: The file that says so is damaged, or of other patches.
    """
    import numpy as np

    place = path / file.replace(".h5", "_geo.h5")
    if not place.is_file():
        return None
    with open_file(place) as content:
        if not {"coord", "epsg"} <= set(content) or {len(content["coord"]), len(content["epsg"])} != {count}:
            raise CurateError(
                f"{place} is not of the {count:,} patches of {file}; expected coord and epsg of each. Get it again."
            )
        centres = content["coord"][:, :2].astype(np.float64)
        zones = content["epsg"][:].reshape(count).astype(np.int64)
    known = (np.isin(zones, NORTH) | np.isin(zones, SOUTH)) & np.isfinite(centres).all(axis=1)
    corners = np.where(known[:, None], np.rint(np.nan_to_num(centres) - SIDE_M / 2), 0).astype(np.int64)
    return np.column_stack([np.where(known, zones, 0), corners])


def open_file(file: Path) -> Any:
    """An HDF5 file, to be read.

    Raises:
        CurateError: It is none, or a damaged one, or h5py is not installed.
    """
    try:
        h5py = import_module("h5py")  # an extra that few need
    except ModuleNotFoundError as error:
        raise CurateError("So2Sat is HDF5, and h5py, which reads that, is not installed. Run: pip install h5py") from error
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise CurateError(f"{file} ({file.stat().st_size:,} bytes) is no HDF5, or a part of one. Download it again.") from error

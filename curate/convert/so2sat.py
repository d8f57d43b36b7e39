"""So2Sat LCZ42: Sentinel-2 patches of 32 x 32 pixels over 52 cities, in 17 local climate zones; HDF5 of the size of 50 GB.

The official splits are its files: `training.h5`, `validation.h5` and `testing.h5`. Of versions 2 and 4 the last two are the
western and the eastern half of ten cities that `training.h5` has nothing of; version 3 has the splits `random`, `block` and
`culture_10` in a folder each, without a validation part. No other lists are taken: patches have no names.

Ten bands of Sentinel-2 are converted, without B01, B09 and B10: reflectance at the top of the atmosphere, divided by 10,000 by
the authors, those of 20 m brought to 10 m. They are kept as they are, of eight bytes rounded to float32 (a part in ten
million). The eight planes of Sentinel-1, half of them complex, are left out.

Version 4 adds where patches lie (`training_geo.h5` and so on). Their corners are fractions of a metre, and squares here are
whole metres: they are at most half a metre, a twentieth of a pixel, beside those published. Without these files the ground is
not known. Dates are not known either: patches are mosaics of some months, and the interval reaches from the launch of
Sentinel-2A to the end of 2018, when the data set had been published.

References:
    Zhu et al., IEEE GRSM 2020, https://doi.org/10.1109/MGRS.2020.2964708 (https://arxiv.org/abs/1912.12171)
    Schmitt et al., the mosaics, ISPRS Annals 2019, https://doi.org/10.5194/isprs-annals-IV-2-W7-145-2019
    Versions 2, 3 and 4: https://mediatum.ub.tum.de/1483140, .../1613658, .../1836598
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from catalogs.bands import SENSORS, raster_key
from catalogs.records import Location, SourceWindow
from catalogs.writer import Patch
from curate.convert.class_images import Draw, Found, spread
from curate.convert.dataset import Dataset, Image
from curate.convert.eurosat import SENTINEL_2A_LAUNCH
from curate.convert.so2sat_files import CLASSES, FILES, PLANES, SIDE_M, SIDE_PX, Part, open_file, read_parts
from curate.errors import CurateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND = "so2sat"
SENSOR = SENSORS["so2sat-s2"]
ORDER = [PLANES.index(band.name) for band in SENSOR.bands]
"""The plane of each band of the sensor."""
PUBLISHED = datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, eq=False, slots=True)
class Patches(Sequence[Image]):
    """Patches of all files that are asked for; each is made when it is looked at, since there are hundreds of thousands."""

    parts: Sequence[Part]
    """In the order of their numbers."""
    numbers: NDArray[np.int64]
    """Which, ascending."""

    def __len__(self) -> int:
        """How many."""
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Image: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Image]: ...
    def __getitem__(self, place: int | slice) -> Image | Sequence[Image]:
        """The patch at a place, or those of several."""
        if isinstance(place, slice):
            return Patches(self.parts, self.numbers[place])
        number = int(self.numbers[place])
        part = next(part for part in reversed(self.parts) if part.first <= number)
        row = number - part.first
        return Image(
            _location(part, row), f"{Path(part.file).stem}/{row:06d}", f"{part.file}/{row}", (CLASSES[part.labels[row]],)
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads patches; goes to other processes."""

    path: Path
    """The folder of the files."""

    def __call__(self, image: Image) -> list[Patch]:
        """Read the bands of a patch.

        Raises:
            CurateError: Some of its values are no numbers.
            OSError: It cannot be read.
        """
        import numpy as np

        file, _, row = image.member.partition("/")
        pixels = _held(self.path / file)["sen2"][int(row)].astype(SENSOR.data_type).transpose(2, 0, 1)[ORDER]
        if not np.isfinite(pixels).all():
            raise CurateError(f"{np.count_nonzero(~np.isfinite(pixels)):,} of its {pixels.size:,} values are no numbers")
        bands = SENSOR.bands
        source = SourceWindow(f"{file}#sen2/{row}", (0, 0, SIDE_PX, SIDE_PX))
        return [Patch(raster_key(bands[0]), pixels, bands, image.location.grid(bands[0].gsd), (source,) * len(bands))]


def open_so2sat(path: Path, *, limit: int | None = None, seed: int = 0) -> Dataset:
    """The patches of So2Sat LCZ42, of all files that lie there.

    A patch has the same id whatever the limit: its number among those of all files.

    Args:
        path: The folder of the files.
        limit: At most so many patches, as evenly from all classes as they allow; a smaller limit takes some of those of a
            greater one.
        seed: Of that choice.

    Raises:
        CurateError: There is no such data set, its files are damaged or of another layout, or h5py is not installed.
    """
    parts, remarks = read_parts(path)
    patches = Patches(parts, _choose(parts, Draw(KIND, seed), limit))
    counts = {part.file: len(part.labels) for part in parts}
    total = sum(counts.values())
    without = total - int(sum((part.labels >= 0).sum() for part in parts))
    grounds = [part.file for part in parts if part.ground is not None]
    remarks += [f"Left out {without:,} patches that have no class, or several."] if without else []
    remarks += ["Left out the eight planes of Sentinel-1."]
    remarks += [] if grounds else ["The ground is not known: training_geo.h5 and so on, of version 4, are not there."]
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=patches,
        start=SENTINEL_2A_LAUNCH,
        end=PUBLISHED,
        description=f"So2Sat LCZ42, {len(patches)} patches in {len(CLASSES)} local climate zones: Sentinel-2 reflectance, "
        f"dates unknown, split as published ({', '.join(counts)}). Converted by seastars.",
        recipe={
            "limit": limit,
            "seed": seed,
            "splits": "as published",
            "images": {"count": total, "files": counts, "sha256": _digest(parts)},
            "ground": grounds,
        },
        decode=Reader(path),
        remarks=remarks,
        decision="default",
    )


def _choose(parts: Sequence[Part], draw: Draw, limit: int | None) -> NDArray[np.int64]:
    """Numbers of the patches that have a class, or of so many of them."""
    import numpy as np

    usable = np.concatenate([part.first + np.flatnonzero(part.labels >= 0) for part in parts]).astype(np.int64)
    if limit is None:
        return usable
    patches = Patches(parts, usable)
    found = [Found(image.labels[0], int(number), image.name, "") for number, image in zip(usable, patches, strict=True)]
    return np.array(sorted(image.number for image in spread(found, draw, limit)), np.int64)


def _location(part: Part, row: int) -> Location:
    id_ = f"{KIND}-{part.first + row:06d}"
    if part.ground is not None and part.ground[row, 0]:
        epsg, left, bottom = (int(value) for value in part.ground[row])
        return Location(id_, epsg, (left, bottom, left + SIDE_M, bottom + SIDE_M), part.split, off_lattice=True)
    return Location(id_, None, (0, 0, SIDE_M, SIDE_M), part.split)


def _digest(parts: Sequence[Part]) -> str:
    """SHA-256 of files, labels and ground: tells one version from another without reading pixels."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.file}\n".encode())
        digest.update(part.labels.tobytes())
        digest.update(b"" if part.ground is None else part.ground.tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=len(FILES))
def _held(file: Path) -> Any:
    """An HDF5 file that stays open: opening it takes longer than reading a patch."""
    return open_file(file)

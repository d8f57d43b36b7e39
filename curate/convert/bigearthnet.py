"""BigEarthNet: patches of Sentinel-2 Level-2A of 1,200 x 1,200 m, each with several classes of land cover.

Version 1 has 590,326 patches over ten countries, labelled in 43 classes; version 2, reBEN, has 549,488 of the same tiles, with
a newer atmospheric correction, corrected labels in 19 classes, and splits by geography. Which of the two it is, the folder
tells; see `bigearthnet_v1` and `bigearthnet_v2`. The Sentinel-1 patches that are published beside them are not converted.

Twelve bands lie in a file each, of 10, 20 or 60 m, as Level-2A has them: B10 is not among them. They are copied, one raster
per pixel size: reading these takes 0.5 ms a patch, and the twelve files 6.5 ms (CPU time, all bands, GDAL 3.10, warm cache).
Left where they are, each is an asset of its own: read without GDAL, in 0.5 ms a patch too, where they are deflated or not
compressed, else made fast by a pack.
Where a patch lies is known: its square is the location's, and the acquisition is the item's. A patch of another date on the
same ground is another location: ids stay those of patches.

Numbers are reflectance times 10,000 without an offset. Version 1 was made years before Level-2A had one (baseline 04.00 of
January 2022). Version 2 was corrected again in 2024, and a patch's name says `N9999` where the baseline should be; but the mean
of B02 over its train split is 438, of B04 588, against 430 and 590 in version 1: an offset would have added 1,000. Each item
says that the offset was decided so, and what its dark pixels say to it.

References:
    Sumbul et al., IGARSS 2019, https://doi.org/10.1109/IGARSS.2019.8900532 (https://arxiv.org/abs/1902.06148)
    Clasen et al., reBEN, IGARSS 2025, https://arxiv.org/abs/2407.03653
    Means: `configilm.extra` for version 2, `bigearthnet-models-tf` of the authors for version 1
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalogs.bands import SENSORS, raster_key
from catalogs.records import Band, Location, SourceWindow
from catalogs.writer import Patch
from curate.convert.bigearthnet_labels import NOMENCLATURES
from curate.convert.bigearthnet_patches import SIDE_M, Archive, LandPatch
from curate.convert.bigearthnet_v1 import find_v1
from curate.convert.bigearthnet_v2 import find_v2
from curate.convert.class_images import SPLITS, Draw, Found, spread
from curate.convert.dataset import Dataset, Image, ReleasedFile
from curate.convert.decoding import read_placed
from curate.errors import CurateError

KIND = "bigearthnet"
SENSOR = SENSORS["bigearthnet-s2"]
FIRST = datetime(2017, 6, 1, tzinfo=UTC)
LAST = datetime(2018, 5, 31, 23, 59, 59, tzinfo=UTC)
EXPECTED = (
    "the folder of BigEarthNet-S2-v1.0 with a folder per patch (S2A_MSIL2A_20170613T101031_26_57), or that of version 2 with "
    "metadata.parquet and BigEarthNet-S2"
)
PLATFORMS = {"S2A": "sentinel-2a", "S2B": "sentinel-2b"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads patches; goes to other processes."""

    path: Path
    """Where the data set lies."""

    def __call__(self, image: Image) -> list[Patch]:
        """Read the twelve files of a patch.

        Raises:
            CurateError: A band is not there, damaged, or of another size, type or ground than it should be.
            OSError: A file cannot be read.
        """
        return [self._read(image, gsd) for gsd in SENSOR.gsds]

    def _read(self, image: Image, gsd: float) -> Patch:
        """The bands of one pixel size."""
        import numpy as np

        grid = image.location.grid(gsd)
        bands = tuple(band for band in SENSOR.bands if band.gsd == gsd)
        names = [_file_of(image, band) for band in bands]
        planes = []
        for name in names:
            file = self.path / image.member / name
            if not file.exists():
                raise CurateError(f"it lacks {name}")
            pixels, found = read_placed(file.read_bytes(), expected=(1, *grid.shape, SENSOR.data_type))
            if found != grid:
                raise CurateError(
                    f"{name} lies on EPSG:{found.epsg} {found.bounds}; expected EPSG:{grid.epsg} {grid.bounds}, as the patch"
                )
            planes.append(pixels)
        sources = tuple(SourceWindow(f"{image.name}/{name}", (0, 0, grid.width, grid.height)) for name in names)
        return Patch(raster_key(bands[0]), np.concatenate(planes), bands, grid, sources)


def released_files(image: Image, patch: Patch) -> list[ReleasedFile]:
    """The files of the bands of one pixel size, an asset each."""
    return [ReleasedFile(f"{image.member}/{_file_of(image, band)}", band.name, (band,)) for band in patch.bands]


def _file_of(image: Image, band: Band) -> str:
    return f"{image.name}_{band.name}.tif"


def open_bigearthnet(path: Path, *, limit: int | None = None, seed: int = 0, classes: int | None = None) -> Dataset:
    """The patches of BigEarthNet, of whichever version lies there.

    A patch has the same id and split whatever the limit: its id is its number among all patches, by name.

    Args:
        path: Its folder, unpacked.
        limit: At most so many patches, as evenly from all classes as they allow, each counted for its rarest one; the same ones
            for the same seed.
        seed: Of that choice, and of the splits where none are published with the patches.
        classes: 19, as its authors recommend, or 43, which version 1 alone has; 19 where absent.

    Raises:
        CurateError: There is no such data set, or none of its patches can be used.
    """
    classes = 19 if classes is None else classes
    if classes not in NOMENCLATURES:
        raise CurateError(f"--classes is {classes}; expected 19 or 43.")
    archive = _find(path, classes)
    if not archive.patches:
        raise CurateError(f"{path} has no patch of BigEarthNet that can be used: {'; '.join(archive.remarks)}")
    chosen = _choose(archive.patches, Draw(KIND, seed), limit)
    images = [_image(patch, Draw(KIND, seed)) for patch in archive.patches if patch.name in chosen]
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=FIRST,
        end=LAST,
        description=f"BigEarthNet {archive.version}, {len(images)} patches in {classes} classes of land cover, several to a "
        f"patch: Sentinel-2 Level-2A, {archive.split_words}. Converted by seastars.",
        recipe={
            "limit": limit,
            "seed": seed,
            "version": archive.version,
            "classes": classes,
            "splits": SPLITS if archive.is_drawn else "as published",
            "images": {"count": len(archive.patches), "sha256": _digest(archive.patches)},
            "left_out": dict(archive.left_out),
        },
        decode=Reader(path),
        released=released_files,
        released_apart=True,
        remarks=archive.remarks,
        decision="default",
        lists=archive.lists,
    )


def _find(path: Path, classes: int) -> Archive:
    """Whichever version lies at a path.

    Raises:
        CurateError: There is none.
    """
    if not path.exists():
        raise CurateError(f"{path} is not there; expected {EXPECTED}. Check the path.")
    if not path.is_dir():
        raise CurateError(f"{path} is a file; expected {EXPECTED}. Unpack it first: tar -xf {path.name}")
    archive = find_v2(path, classes) or find_v1(path, classes)
    if archive is None:
        first = min((entry.name for entry in path.iterdir()), default=None)
        raise CurateError(
            f"{path} holds {repr(first) if first else 'nothing'}, but no patch of BigEarthNet; expected {EXPECTED}."
        )
    return archive


def _choose(patches: Sequence[LandPatch], draw: Draw, limit: int | None) -> set[str]:
    """Names of so many patches, those of rare classes as many as those of frequent ones."""
    if limit is None:
        return {patch.name for patch in patches}
    counts = Counter(label for patch in patches for label in patch.labels)
    found = [Found(min(patch.labels, key=lambda label: (counts[label], label)), 0, patch.name, "") for patch in patches]
    return {image.name for image in spread(found, draw, limit)}


def _image(patch: LandPatch, draw: Draw) -> Image:
    platform, _, when = patch.name.split("_")[:3]
    bounds = (patch.left, patch.top - SIDE_M, patch.left + SIDE_M, patch.top)
    split = patch.split or draw.split(patch.name)
    return Image(
        Location(f"{KIND}-{patch.number:06d}", patch.epsg, bounds, split, off_lattice=True),
        patch.name,
        patch.member,
        patch.labels,
        datetime.strptime(when, "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
        PLATFORMS[platform],
    )


def _digest(patches: Sequence[LandPatch]) -> str:
    """SHA-256 of names, labels and published splits: tells one release, and one choice of classes, from another."""
    lines = (f"{patch.name}\t{'|'.join(patch.labels)}\t{patch.split or ''}" for patch in patches)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

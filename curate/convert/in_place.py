"""Images that stay where they are: a catalog is written around the files of a data set, and names them as its assets.

Nothing of them is copied, changed, moved or removed. What the catalog needs is that they lie in its folder, so that its hrefs
stay inside and the two can be moved together, and that a file is an asset as it lies there. Where single images are not, such
as those that have to be brought to the size of the others, these alone are written, as rasters of the catalog; so are masks,
whose values are numbered anew.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogs.pixels import multihash
from catalogs.records import GEOTIFF, JPEG, PNG, TIFF, Grid, Raster
from catalogs.writer import Patch
from curate.convert.dataset import Dataset, Image, ReleasedFile
from curate.convert.decoding import SIGNATURES
from curate.errors import CurateError

COPIED = {
    "eurosat-ms": "its files state a ground on which their pixels are no squares (9.93 to 10.06 m), as a location's have to be",
    "so2sat": "all patches of a split lie in one HDF5 file",
    "oscd": "whole cities are cut into tiles",
}
"""Kinds of data sets whose images never can stay where they are, and why."""
TILED = "they are cut into tiles"
"""Why those of another kind cannot."""
UNSPEAKABLE = re.compile(r"[?#%\\]")
"""What an href would read as something else than a part of a name."""


@dataclass(frozen=True, slots=True)
class ReleasedFolder:
    """Where the files of a data set lie, and stay."""

    path: Path
    """The folder."""
    within: str
    """The same, relative to the catalog's folder; `.` where it is that."""
    files: Callable[[Image, Patch], Sequence[ReleasedFile]]
    """As `Dataset.released`."""

    @classmethod
    def of(cls, dataset: Dataset, path: Path, catalog: Path) -> ReleasedFolder:
        """The folder of a data set within that of its catalog.

        Args:
            dataset: The data set.
            path: Where it lies.
            catalog: The catalog's folder.

        Raises:
            CurateError: Images of its kind cannot stay where they are, it is an archive, or it lies elsewhere.
        """
        check_can_stay(dataset.kind, path)
        if dataset.released is None:
            raise _refusal(dataset.kind, TILED)
        inner, outer = (Path(posixpath.normpath(place.absolute())) for place in (path, catalog))
        if not inner.is_relative_to(outer):
            raise CurateError(
                f"--out {catalog} does not hold {path}, whose images are to stay where they are; expected that folder or one "
                f"above it, since a catalog names files of its own folder only. Leave --out out to take {path} itself."
            )
        return cls(path, inner.relative_to(outer).as_posix(), dataset.released)

    def check_names(self, members: Iterable[str]) -> None:
        """Refuse files that no href can name.

        Args:
            members: The files, relative to the folder.

        Raises:
            CurateError: A name has a character that means something in an href.
        """
        for member in (self.within, *members):
            found = UNSPEAKABLE.search(member)
            if found:
                raise CurateError(
                    f"{member} has {found[0]!r} in its name, which an href cannot say. Rename it, or leave --in-place out: "
                    "images are then copied."
                )

    def rasters(self, image: Image, patch: Patch) -> list[Raster]:
        """The files that hold the pixels of a patch, as rasters of its item; none of a patch that had to be made.

        Args:
            image: Whose it is.
            patch: As it was decoded.

        Raises:
            OSError: A file cannot be read.
        """
        return [self._raster(file, patch) for file in self.files(image, patch)]

    def _raster(self, file: ReleasedFile, patch: Patch) -> Raster:
        content = (self.path / file.member).read_bytes()
        return Raster(
            file.key,
            posixpath.normpath(f"../{self.within}/{file.member}"),
            file.bands,
            patch.grid,
            patch.pixels.dtype.name,
            multihash(content),
            len(content),
            media_type=_media_type(content, patch.grid),
        )


def check_can_stay(kind: str, path: Path) -> None:
    """Refuse a data set whose images cannot stay where they are.

    Args:
        kind: Its name on the command line.
        path: Where it lies.

    Raises:
        CurateError: It is of such a kind, or an archive that is not unpacked.
    """
    if kind in COPIED:
        raise _refusal(kind, COPIED[kind])
    if path.is_file():
        raise CurateError(
            f"{path} is an archive, and what is in it is no file that a catalog could name. Unpack it and give the folder, or "
            "leave --in-place out."
        )


def _refusal(kind: str, why: str) -> CurateError:
    return CurateError(
        f"Images of {kind} cannot stay where they are: {why}. Leave --in-place out, and they are copied into a catalog of "
        "their own."
    )


def _media_type(content: bytes, grid: Grid) -> str:
    """What a released image is, by how it begins; a TIFF on unknown ground is no GeoTIFF, whatever its tags say."""
    pictures = {"JPEG": JPEG, "PNG": PNG}
    found = next((type_ for name, type_ in pictures.items() if content.startswith(SIGNATURES[name])), None)
    return found or (TIFF if grid.epsg is None else GEOTIFF)

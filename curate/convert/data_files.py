"""Files of a released data set, in a folder or in the zip archive that it was published as."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from catalogs.errors import ContractError
from catalogs.recipe import CONVERTED, items_section, own_names, read_recipe
from curate.errors import CurateError


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The files below a folder or in an archive; an archive is opened once per process."""

    path: Path
    """The folder or the archive."""

    @classmethod
    def at(cls, path: Path, expected: str) -> DataFiles:
        """The files at a path.

        Args:
            path: A folder, or a zip archive.
            expected: What should be there, for messages.

        Raises:
            CurateError: There is neither.
        """
        if not path.exists():
            raise CurateError(f"{path} is not there; expected {expected}. Check the path.")
        if not path.is_dir() and not zipfile.is_zipfile(path):
            raise CurateError(
                f"{path} ({path.stat().st_size:,} bytes) is no zip archive, or a part of one; expected {expected}. "
                "Download it again."
            )
        return cls(path)

    def sizes(self) -> dict[str, int]:
        """Bytes of all files by their names, which are relative, with forward slashes; sorted.

        Those of a catalog that was written around them are none of the data set's.
        """
        if self.path.is_dir():
            found, own = {}, _names_of_catalog(self.path)
            for folder, folders, names in os.walk(self.path):
                for there in (folders, names) if Path(folder) == self.path else ():
                    there[:] = [name for name in there if name not in own]
                for name in names:
                    file = Path(folder, name)
                    found[file.relative_to(self.path).as_posix()] = file.stat().st_size
        else:
            found = {info.filename: info.file_size for info in _archive(self.path).infolist() if not info.is_dir()}
        return dict(sorted(found.items()))

    def read(self, name: str) -> bytes:
        """All bytes of a file.

        Raises:
            OSError: It cannot be read.
            zipfile.BadZipFile: It is damaged within the archive.
            zlib.error: The same.
        """
        return (self.path / name).read_bytes() if self.path.is_dir() else _archive(self.path).read(name)


def digest_of(sizes: Mapping[str, int]) -> str:
    """SHA-256 of names and sizes: tells one release of a data set from another without reading it."""
    return hashlib.sha256("\n".join(f"{name}\t{size}" for name, size in sorted(sizes.items())).encode()).hexdigest()


def _names_of_catalog(folder: Path) -> set[str]:
    """What in a folder is of the catalog that was converted from it; nothing where there is none."""
    try:
        recipe = read_recipe(folder)
    except ContractError:  # a file of the data set that is called so
        return set()
    return own_names(items_section(recipe).get("sensors", ())) if CONVERTED in recipe else set()


@lru_cache(maxsize=1)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)

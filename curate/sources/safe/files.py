"""The files of a Sentinel-2 product as ESA packs it: a folder `*.SAFE`, or a zip file of it that stays as it is.

A file in a zip is named as if the zip were a folder; `catalogs.files.for_gdal` knows.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.sources.safe.names import read_name

_METADATA = re.compile(r"(?P<root>(?:[^/]+/)*)MTD_MSIL(?:1C|2A)\.xml", re.IGNORECASE)
"""A product's own metadata, which lies where its files begin."""


@dataclass(frozen=True, slots=True)
class ProductFiles:
    """The files of one product."""

    place: Path
    """The folder `*.SAFE`, or the zip file."""
    root: str
    """Path within the zip or the folder where the product begins, with `/` at its end; empty where it begins at once."""
    metadata: str
    """Name of the product's own metadata."""
    sizes: Mapping[str, int]
    """Bytes by the file's name from where the product begins, with forward slashes."""

    def href(self, name: str) -> str:
        """Path of a file, as of a folder where it is in a zip."""
        return f"{self.place.as_posix()}/{self.root}{name}"

    def read(self, name: str) -> bytes:
        """All bytes of a file.

        Raises:
            SourceUnavailableError: It cannot be read.
        """
        try:
            if self.place.is_dir():
                return (self.place / (self.root + name)).read_bytes()
            with ZipFile(self.place) as archive:
                return archive.read(self.root + name)
        except RuntimeError as error:
            raise _packed_otherwise(self.place, error) from None
        except (OSError, BadZipFile, KeyError, zlib.error, EOFError) as error:
            raise _damaged(self.place, f"its {name} cannot be read ({type(error).__name__})") from None


def find_products(place: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The products at a path: itself, or all in a folder and below it, each folder's sorted, folders before zip files.

    Args:
        place: A product, or a folder, whose links to other folders are followed.
        on_error: Told of a folder that cannot be listed, and is left out.
    """
    if _is_product(place):
        yield place
        return
    seen = set()
    for folder, folders, names in os.walk(place, onerror=on_error, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above it, or to one that was listed
            folders.clear()
            continue
        seen.add(real)
        found = {name for name in folders if name.upper().endswith(".SAFE")}
        yield from (Path(folder, name) for name in sorted(found))
        yield from (path for name in sorted(names) if _is_product(path := Path(folder, name)))
        folders[:] = sorted(set(folders) - found)


def open_files(place: Path) -> ProductFiles:
    """List the files of a product.

    Args:
        place: A folder `*.SAFE`, or a zip file of it.

    Raises:
        SourceUnavailableError: It is damaged, or no product of one tile with its metadata.
    """
    try:
        sizes = _sizes_of_folder(place) if place.is_dir() else _sizes_of_zip(place)
    except (OSError, BadZipFile) as error:
        raise _damaged(place, f"it cannot be opened ({type(error).__name__})") from None
    except RuntimeError as error:
        raise _packed_otherwise(place, error) from None
    roots = {match["root"]: name for name in sizes if (match := _METADATA.fullmatch(name))}
    if len(roots) != 1:
        told = "no MTD_MSIL1C.xml or MTD_MSIL2A.xml" if not roots else f"{len(roots)} products"
        raise SourceUnavailableError(
            f"{_shown(place)} holds {told}; expected one Sentinel-2 product in the format of ESA since December 2016. Fetch "
            "its reprocessed version (Collection 1), or unpack it."
        )
    ((root, metadata),) = roots.items()
    own = {name.removeprefix(root): size for name, size in sizes.items() if name.startswith(root)}
    return ProductFiles(place, root, metadata.removeprefix(root), own)


def _is_product(path: Path) -> bool:
    """Whether a path is a product: by its name where that says so, so that a damaged one is told of, else by what is in it."""
    if path.name.upper().endswith(".SAFE"):
        return path.is_dir()
    if not path.name.lower().endswith(".zip") or not path.is_file():
        return False
    if read_name(path.name):
        return True
    try:
        return any(_METADATA.fullmatch(name) for name in _sizes_of_zip(path))
    except (OSError, BadZipFile, RuntimeError):
        return False


def _sizes_of_folder(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def _sizes_of_zip(path: Path) -> dict[str, int]:
    with ZipFile(path) as archive:
        return {member.filename: member.file_size for member in archive.infolist() if not member.is_dir()}


def _damaged(place: Path, why: str) -> SourceUnavailableError:
    return SourceUnavailableError(f"{_shown(place)} is damaged: {why}. Expected a whole product; fetch it again.")


def _packed_otherwise(place: Path, error: RuntimeError) -> SourceUnavailableError:
    """Of a zip file that is encrypted, or packed by a method that Python has not, such as Deflate64."""
    how = "by a method that is not known here" if isinstance(error, NotImplementedError) else "with a password"
    return SourceUnavailableError(
        f"{_shown(place)} is packed {how}; expected a zip file as ESA packs it. Unpack it and give the folder *.SAFE."
    )


def _shown(place: Path) -> str:
    return without_secrets(place.as_posix())

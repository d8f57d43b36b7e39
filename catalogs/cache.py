"""A local copy of what was fetched of remote catalogs: whole files, found by their checksum.

A file lies under its SHA-256, so an asset that changes is fetched anew, one that several catalogs share is kept once, and a
name never holds anything else than what it says. It appears when it is whole, on the disk and checked. Several processes may
use one folder: each file is fetched by the first that wants it while the others wait.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from catalogs import layout
from catalogs.download import download
from catalogs.errors import CatalogError, ContractError, StorageError
from catalogs.files import is_remote
from catalogs.pixels import SHA256_MULTIHASH, is_disk_full
from catalogs.secrets import without_secrets

LOCKS = "locks"


@dataclass(frozen=True, slots=True)
class Cache:
    """Files of remote catalogs in a folder, which may be removed at any time: it fills again."""

    folder: Path
    """Made where absent."""

    def fetch(self, address: str, checksum: str) -> Path:
        """Where a remote file is on this machine; it is fetched if it is not here yet.

        Args:
            address: An `http(s)://` or `s3://` address.
            checksum: Its SHA-256 as a multihash.

        Raises:
            MissingAssetError: There is no such file.
            CatalogUnreachableError: It is not here, and its server does not answer.
            ContractError: What was fetched is not what the checksum says.
            StorageError: The folder cannot be written, or its disk is full.
        """
        digest = checksum.removeprefix(SHA256_MULTIHASH)
        path = self.folder / digest[:2] / digest
        if not path.exists():
            with self._written(), self._lock(digest) as ending:
                if not path.exists():
                    _fetch(path, address, digest, ending)
        return path

    @contextmanager
    def _lock(self, digest: str) -> Iterator[str]:
        """Keep others from fetching the same file; gives the ending of its name until it is whole.

        Where the file system knows no locks, two may fetch one file, under names of their own.
        """
        locks = self.folder / LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / digest[:2]).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                ending = ""
            except OSError:
                ending = f".{os.getpid()}-{get_ident()}"
            yield ending + layout.TEMPORARY

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Say what it means that the folder cannot be written."""
        try:
            yield
        except CatalogError:
            raise
        except OSError as error:
            what = "is on a disk that is full" if is_disk_full(error) else "cannot be written"
            raise StorageError(
                f"The cache {self.folder} {what} ({error.strerror}). What is in it is whole and stays usable: "
                "make room, or give a folder elsewhere."
            ) from error


def cache_for(catalog: str, asked: Path | None) -> Path | None:
    """Where to keep the files of a catalog.

    Args:
        catalog: Its path or address.
        asked: What the user asked for.

    Returns:
        What was asked for; else the user's cache folder for a remote catalog, and none for a local one.
    """
    if asked is not None or not is_remote(catalog):
        return asked
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seastars"


def _fetch(path: Path, address: str, digest: str, ending: str) -> None:
    """Fetch a file as a whole or not at all.

    Raises:
        ContractError: It is not what its checksum says.
        OSError: The disk is full or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ending)
    try:
        found = download(address, part)
        if found != digest:
            raise ContractError(
                f"{without_secrets(address)} has SHA-256 {found}; its catalog says {digest}. "
                "Open the catalog anew, in case it has changed; if it has not, run curate verify on it."
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

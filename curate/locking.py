"""Writing into a catalog's folder: one process at a time, and what a full disk means."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogs import layout
from catalogs.pixels import is_disk_full
from curate.errors import CurateError, StorageError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep a second build, or a packing, out of the same folder.

    Raises:
        CurateError: Another is at work.
    """
    with (folder / layout.LOCATIONS).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CurateError(f"Another build is writing {folder}, or packing it. Wait for it, or stop it first.") from error
        except OSError:
            pass  # A file system without locks (some network mounts): the user keeps builds apart.
        yield


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say what a full disk means for a run that writes a catalog.

    Raises:
        StorageError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise StorageError(
            f"The disk that holds {folder} is full ({error.strerror}). What is written is whole: "
            "make room and run the same command again, and it continues."
        ) from error

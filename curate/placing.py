"""Giving a file a second name in another folder, or a copy where the file system has no such names."""

from __future__ import annotations

import errno
import os
import shutil
from enum import Enum
from pathlib import Path

from catalogs import layout
from catalogs.pixels import multihash_file

NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What the system says where it cannot link, though it may copy: another disk, a share without links, too many of them."""


class Placed(Enum):
    """How a file came to be where it is."""

    LINKED = "linked"
    COPIED = "copied"
    THERE = "there"


def place_file(source: Path, target: Path, checksum: str | None = None) -> Placed:
    """Let a file be in another folder too, as a whole or not at all.

    Args:
        source: A file that nobody changes any more: it is only ever replaced.
        target: Its other name, in a folder that is there. What has that name already and differs is replaced.
        checksum: Multihash of the file; it is read where absent and where that matters.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: The disk is full or cannot be written.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        if target.samefile(source) or multihash_file(target) == (checksum or multihash_file(source)):
            return Placed.THERE
        return _replace(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return Placed.THERE if _is_copy(source, target, checksum) else _replace(source, target)
    return Placed.LINKED


def _is_copy(source: Path, target: Path, checksum: str | None) -> bool:
    """Whether an earlier run has copied a file already; across disks linking fails before it sees that."""
    return target.exists() and multihash_file(target) == (checksum or multihash_file(source))


def _replace(source: Path, target: Path) -> Placed:
    """Copy a file beside its name, then rename the copy."""
    part = target.with_name(target.name + layout.TEMPORARY)
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return Placed.COPIED

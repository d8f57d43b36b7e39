"""Folders as data, to be compared."""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its relative path."""
    return digests(
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    )


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of files, by their names."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}

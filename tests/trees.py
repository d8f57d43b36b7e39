"""Folders as data, to be compared."""

import hashlib
from pathlib import Path


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

"""Secrets that a test plants, and the search for them in all that a user or a catalog could show."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def assert_nowhere(secrets: Iterable[str], folder: Path, *texts: str) -> None:
    """Fail where a secret stands in a file below a folder, even compressed, or in a text.

    Args:
        secrets: Keys, tokens, passwords, as they are.
        folder: Whose files, all of them, are read: the catalog with its work folder.
        texts: Standard output and error, logs.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"{folder} is empty, so nothing was searched"
    for secret in secrets:
        spellings = {spelling.encode() for spelling in (secret, quote(secret), quote(secret, safe=""))}
        found = [str(path) for path in files if any(spelling in _content(path) for spelling in spellings)]
        assert not found, f"the secret is in {found}"
        assert not any(spelling.decode() in text for text in texts for spelling in spellings), "the secret is in a text"


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return content + str(pq.read_table(path).to_pylist()).encode()
    return content + (gzip.decompress(content) if path.suffix == ".gz" else b"")

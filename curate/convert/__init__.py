"""Released data sets as catalogs: one file per data set, all answering with a `curate.convert.dataset.Dataset`."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.convert.dataset import Dataset

KINDS = ("eurosat",)
"""Data sets that can be converted."""

__all__ = ["KINDS", "open_dataset"]


def open_dataset(kind: str, path: Path, *, limit: int | None = None, seed: int = 0) -> Dataset:
    """The data set of a kind that lies at a path.

    Args:
        kind: One of `KINDS`.
        path: The archive as it was published, or the folder that it unpacks to.
        limit: At most so many images; all where absent.
        seed: Of the choice of images and of the splits.

    Raises:
        CurateError: There is no such kind, or nothing of it at the path.
    """
    if kind not in KINDS:
        guess = get_close_matches(kind, KINDS, 1, 0.5)
        raise CurateError(
            f"Unknown data set {kind!r}. Choose from: {', '.join(KINDS)}.{f' Did you mean {guess[0]!r}?' if guess else ''}"
        )
    if limit is not None and limit < 1:
        raise CurateError(f"--limit is {limit}; expected 1 or more images. Leave it out for all.")
    from curate.convert.eurosat import open_eurosat

    return open_eurosat(path, limit=limit, seed=seed)

"""Released data sets as catalogs: one file per data set, all answering with a `curate.convert.dataset.Dataset`."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.convert.dataset import Dataset

KINDS = ("eurosat", "eurosat-ms", "resisc45", "ucmerced", "folder")
"""Data sets that can be converted."""
SIZED = ("folder",)
"""Those whose images can be of any size."""

__all__ = ["KINDS", "open_dataset"]


def open_dataset(
    kind: str,
    path: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    size_px: int | None = None,
    split_lists: Path | None = None,
) -> Dataset:
    """The data set of a kind that lies at a path.

    Args:
        kind: One of `KINDS`.
        path: The archive as it was published, or the folder that it unpacks to.
        limit: At most so many images; all where absent.
        seed: Of the choice of images and of the splits.
        size_px: Side that images of a `folder` are brought to; where absent, all have to be squares of one size.
        split_lists: Folder of lists of the splits; where absent, these are drawn. See `curate.convert.split_lists`.

    Raises:
        CurateError: There is no such kind, or nothing of it at the path, or the lists do not fit it.
    """
    if kind not in KINDS:
        guess = get_close_matches(kind, KINDS, 1, 0.5)
        raise CurateError(
            f"Unknown data set {kind!r}. Choose from: {', '.join(KINDS)}.{f' Did you mean {guess[0]!r}?' if guess else ''}"
        )
    if limit is not None and limit < 1:
        raise CurateError(f"--limit is {limit}; expected 1 or more images. Leave it out for all.")
    if size_px is not None and kind not in SIZED:
        raise CurateError(f"--size-px is {size_px}, but the images of {kind} have a size of their own. Leave it out.")
    if size_px is not None and size_px < 1:
        raise CurateError(f"--size-px is {size_px}; expected 1 pixel or more.")
    from curate.convert.split_lists import apply_split_lists, read_split_lists, remarks_on_splits

    dataset = _open(kind, path, limit=limit, seed=seed, size_px=size_px)
    if split_lists is not None:
        dataset = apply_split_lists(dataset, read_split_lists(split_lists))
    return replace(dataset, remarks=[*dataset.remarks, *remarks_on_splits(dataset.images)])


def _open(kind: str, path: Path, *, limit: int | None, seed: int, size_px: int | None) -> Dataset:
    match kind:
        case "eurosat":
            from curate.convert.eurosat import open_eurosat

            return open_eurosat(path, limit=limit, seed=seed)
        case "eurosat-ms":
            from curate.convert.eurosat_ms import open_eurosat_ms

            return open_eurosat_ms(path, limit=limit, seed=seed)
        case "resisc45":
            from curate.convert.resisc45 import open_resisc45

            return open_resisc45(path, limit=limit, seed=seed)
        case "ucmerced":
            from curate.convert.ucmerced import open_ucmerced

            return open_ucmerced(path, limit=limit, seed=seed)
        case _:
            from curate.convert.class_folders import open_class_folders

            return open_class_folders(path, limit=limit, seed=seed, size_px=size_px)

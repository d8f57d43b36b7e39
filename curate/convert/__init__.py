"""Released data sets as catalogs: one file per data set, all answering with a `curate.convert.dataset.Dataset`."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.convert.dataset import Dataset

MODULES = {
    "eurosat": "eurosat",
    "eurosat-ms": "eurosat_ms",
    "bigearthnet": "bigearthnet",
    "so2sat": "so2sat",
    "resisc45": "resisc45",
    "ucmerced": "ucmerced",
    "folder": "class_folders",
    "segmentation": "segmentation",
    "oscd": "oscd",
}
"""The module of each kind of data set, whose `open_<module>` looks through one."""
KINDS = tuple(MODULES)
"""Data sets that can be converted."""
SIZED = ("folder", "segmentation", "oscd")
"""Those whose images can be of any size."""
MASKED = ("segmentation",)
"""Those whose masks can have values of any meaning."""
CLASSED = ("bigearthnet",)
"""Those that are labelled in several nomenclatures."""
UNNAMED = ("so2sat",)
"""Those whose images have no names that a list could say."""

__all__ = ["KINDS", "open_dataset"]


def open_dataset(
    kind: str,
    path: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    size_px: int | None = None,
    classes: int | None = None,
    ignore: int | None = None,
    split_lists: Path | None = None,
) -> Dataset:
    """The data set of a kind that lies at a path.

    Args:
        kind: One of `KINDS`.
        path: The archive as it was published, or the folder that it unpacks to.
        limit: At most so many images; all where absent.
        seed: Of the choice of images and of the splits.
        size_px: Side that images of a `folder` are brought to, or that those of `segmentation` and `oscd` are cut into; where
            absent, all have to be squares of one size, and `oscd` is cut into 96.
        classes: How many classes of `bigearthnet`: 19 where absent, or 43.
        ignore: Value of the masks of `segmentation` where nobody knows, beside 255.
        split_lists: Folder of lists of the splits; where absent, these are as published, or drawn. See
            `curate.convert.split_lists`.

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
    if classes is not None and kind not in CLASSED:
        raise CurateError(f"--classes is {classes}, but {kind} has one set of classes. Leave it out.")
    if ignore is not None and (kind not in MASKED or not 0 <= ignore <= 255):
        raise CurateError(f"--ignore is {ignore}, for {kind}; expected a value of the masks of segmentation, 0 to 255.")
    if split_lists is not None and kind in UNNAMED:
        raise CurateError(f"--split-lists is {split_lists}, but images of {kind} have no names: its files are its splits.")
    from curate.convert.split_lists import apply_split_lists, read_split_lists, remarks_on_splits

    asked = (("size_px", size_px, SIZED), ("classes", classes, CLASSED), ("ignore", ignore, MASKED))
    options = {name: value for name, value, kinds in asked if kind in kinds}
    module = MODULES[kind]
    opener: Callable[..., Dataset] = getattr(import_module(f"curate.convert.{module}"), f"open_{module}")
    dataset = opener(path, limit=limit, seed=seed, **options)
    lists = split_lists or dataset.lists
    if lists is not None:
        dataset = apply_split_lists(dataset, read_split_lists(lists))
    if lists is not None and split_lists is None:
        dataset = replace(dataset, remarks=[*dataset.remarks, f"Splits are those of the lists in {lists}."])
    return replace(dataset, remarks=[*dataset.remarks, *remarks_on_splits(dataset.images)])

"""Splits that somebody published, as lists of images: `<anything>train.txt`, `val.txt` and `test.txt` in one folder.

This is how splits of EuroSAT, NWPU-RESISC45 and UC Merced are published (`resisc45-train.txt` of torchgeo). A line is the name
of an image, with or without its class folder and its suffix, so that one list serves the JPEG and the TIFF of an image. Those
of BigEarthNet are `.csv`, where a name is the first column. An image that no list names is in no split.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from curate.convert.dataset import Dataset, Image
from curate.errors import CurateError

NAMES = ("train", "val", "test")
SUFFIXES = (".txt", ".csv")
SHOWN = 4
"""Classes that a remark names."""


@dataclass(frozen=True, slots=True)
class SplitLists:
    """The lists of one folder."""

    folder: Path
    split_of: dict[str, str]
    """Split of each name, as the lists write it, without its suffix."""
    sha256: str
    """Of their names by split, whatever their order."""


def read_split_lists(folder: Path) -> SplitLists:
    """Read the lists of a folder.

    Raises:
        CurateError: There are none, two for one split, or an image is in two.
    """
    split_of: dict[str, str] = {}
    for split in NAMES:
        files = find_lists(folder, split)
        if len(files) > 1:
            raise CurateError(
                f"{folder} has {len(files)} lists of {split}: {', '.join(file.name for file in files)}. Keep one."
            )
        for name in _listed(files[0]) if files else ():
            if split_of.setdefault(name, split) != split:
                raise CurateError(f"{folder} has {name} in {split_of[name]} and in {split}; expected each image in one list.")
    if not split_of:
        raise CurateError(f"{folder} has no list of images; expected train.txt, val.txt or test.txt, with one name a line.")
    text = "\n".join(f"{split}\t{name}" for name, split in sorted(split_of.items()))
    return SplitLists(folder, split_of, hashlib.sha256(text.encode()).hexdigest())


def find_lists(folder: Path, split: str) -> list[Path]:
    """The lists of one split that lie in a folder."""
    return sorted(file for suffix in SUFFIXES for file in folder.glob(f"*{split}{suffix}"))


def apply_split_lists(dataset: Dataset, lists: SplitLists) -> Dataset:
    """A data set with the splits of lists, in place of those that were drawn.

    Args:
        dataset: Any; where it is limited, names of images outside the limit are no fault.
        lists: What they are to be.

    Raises:
        CurateError: The lists name none of its images, or one name fits several.
    """
    images = _by_name(dataset.images)
    for name in lists.split_of:
        members = list(dict.fromkeys(image.member for image in images.get(name, ())))  # tiles and dates are of one
        if len(members) > 1:
            raise CurateError(
                f"{lists.folder} names {name}, which fits {len(members)} images, such as {members[0]}. "
                "Write the class folder too: <class>/<image>."
            )
    split_of = {image.location.id: split for name, split in lists.split_of.items() for image in images.get(name, ())}
    if not split_of:
        listed, held = next(iter(lists.split_of)), dataset.images[0].name
        raise CurateError(f"{lists.folder} names no image of the data set: it lists {listed!r}, and {held!r} is one of these.")
    placed = [
        replace(image, location=replace(image.location, split=split_of.get(image.location.id, "none")))
        for image in dataset.images
    ]
    recipe = {key: value for key, value in dataset.recipe.items() if key != "splits"}
    counts = Counter(image.location.split for image in placed)
    remarks = [f"{counts['none']:,} images are in no list of {lists.folder}, and in no split."] if counts["none"] else []
    missing = sum(name not in images for name in lists.split_of) if recipe["limit"] is None else 0
    remarks += [f"{missing:,} names in the lists of {lists.folder} are no images of the data set."] if missing else []
    return replace(
        dataset,
        images=placed,
        recipe={**recipe, "split_lists": lists.sha256},
        description=dataset.description.replace("split image by image", "split by lists"),
        remarks=[*dataset.remarks, *remarks],
    )


def remarks_on_splits(images: Sequence[Image]) -> list[str]:
    """Classes that a split has no image of, which nothing can be learnt or told of: small ones, where splits are drawn."""
    labels: dict[str, set[str]] = {"train": set(), "test": set()}
    for image in images:
        labels.setdefault(image.location.split, set()).update(image.labels)
    everything = set().union(*labels.values())
    lacking = {split: sorted(everything - has) for split, has in labels.items() if split != "none" and everything - has}
    return [
        f"Classes that {split} has no image of: {len(names):,}, such as {', '.join(names[:SHOWN])}."
        for split, names in lacking.items()
    ]


def _by_name(images: Sequence[Image]) -> dict[str, list[Image]]:
    """Images by each way to write their name."""
    found: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        stem = PurePosixPath(image.member).stem
        folder = image.labels[0] if image.labels else PurePosixPath(image.member).parent.name
        found[stem].append(image)
        found[f"{folder}/{stem}"].append(image)
    return dict(found)


def _listed(file: Path) -> list[str]:
    """The names of a list, without suffixes and all folders but the class."""
    lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    names = [line.partition(",")[0].strip() for line in lines] if file.suffix == ".csv" else lines
    places = [PurePosixPath(name) for name in names if name]
    return ["/".join([*place.parts[-2:-1], place.stem]) for place in places]

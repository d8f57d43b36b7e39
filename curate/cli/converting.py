"""What `curate convert` does beside the conversion itself: open the data set, show progress, tell the outcome."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from catalogs.command import INTERRUPTED
from catalogs.console import counted, emit_json, progress, say
from curate.convert import open_dataset
from curate.convert.conversion import Conversion, ConversionSummary
from curate.convert.dataset import Dataset
from curate.convert.in_place import check_can_stay
from curate.errors import CurateError

FAILURES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What is asked of `curate convert`, beside what and where."""

    in_place: bool
    """Leave images where they are."""
    limit: int | None
    """At most so many images; all where none."""
    seed: int
    """Of the choice of images and of the splits."""
    size_px: int | None
    """Side that images of any size are brought to."""
    classes: int | None
    """How many classes of a data set that has several sets of them."""
    ignore: int | None
    """Value of masks where nobody knows, beside 255."""
    split_lists: Path | None
    """Folder of lists of the splits, which are drawn where there is none."""
    items: Literal["json", "parquet"]
    """Whether items are files too."""
    workers: int | None
    """Processes; one per core where none."""
    dry_run: bool
    """Write nothing."""
    as_json: bool
    """Print the outcome as JSON."""
    quiet: bool
    """Say nothing."""


def run_convert(kind: str, path: Path, out: Path | None, options: ConvertOptions) -> int:
    """Convert a data set and tell of it.

    Args:
        kind: Which data set.
        path: Where it lies.
        out: The catalog's folder; with `in_place` where the data set lies, if absent.
        options: What else is asked.

    Returns:
        The exit code: 0 done, though with images that could not be read; 130 interrupted.

    Raises:
        CurateError: The number of workers makes no sense, or no folder is given; for others see `open_dataset` and
            `Conversion`.
    """
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise CurateError(f"--workers is {workers}; expected 1 or more. Leave it out for one per core.")
    if options.in_place:
        check_can_stay(kind, path)
    folder = path if out is None and options.in_place else out
    if folder is None:
        raise CurateError(
            "--out is missing; expected the folder of the new catalog, such as --out data/eurosat. Or give --in-place, to "
            "write it around the images."
        )
    quiet = options.quiet
    say(f"Looking through {path}.", quiet=quiet)
    dataset = open_dataset(
        kind,
        path,
        limit=options.limit,
        seed=options.seed,
        size_px=options.size_px,
        classes=options.classes,
        ignore=options.ignore,
        split_lists=options.split_lists,
    )
    for remark in dataset.remarks:
        say(remark, quiet=quiet)
    conversion = Conversion.prepare(
        folder, dataset, items=options.items, dry_run=options.dry_run, in_place=path if options.in_place else None
    )
    if options.dry_run:
        return _tell_plan(conversion, options)
    stay = ", where they stay" if options.in_place else ""
    say(f"Converting {counted(len(dataset.images), 'image')} of {path}{stay}, into {folder}.", quiet=quiet)
    summary = conversion.run(workers=workers, watch=partial(progress, quiet=quiet))
    if options.as_json:
        emit_json(_as_json(folder, dataset, summary))
    _tell(folder, summary, quiet=quiet, in_place=options.in_place)
    return INTERRUPTED if summary.stopped else 0


def _tell_plan(conversion: Conversion, options: ConvertOptions) -> int:
    dataset = conversion.dataset
    if options.as_json:
        emit_json(
            {"catalog": str(conversion.folder), "locations": len(dataset.images) // dataset.seasons, **conversion.section}
        )
        return 0
    labels = Counter(label for image in dataset.images for label in image.labels)
    splits = Counter(image.location.split for image in dataset.images)
    say(f"Would convert {counted(len(dataset.images), 'image')} into {conversion.folder}:", quiet=options.quiet)
    if labels:
        say(f"  labels: {_pairs(labels)}", quiet=options.quiet)
    for key, classes in dataset.label_rasters.items():
        say(f"  {key} of each pixel: {', '.join(classes)}", quiet=options.quiet)
    say(f"  splits: {_pairs(splits)}", quiet=options.quiet)
    say("Nothing was written.", quiet=options.quiet)
    return 0


def _tell(out: Path, summary: ConversionSummary, *, quiet: bool, in_place: bool) -> None:
    if summary.stopped:
        say(f"Stopped. {out} is a valid catalog of what was done; the same command continues.", quiet=quiet)
        return
    converted = f"{summary.complete:,} of {summary.images:,} images are converted."
    say(f"Wrote {counted(summary.items_written, 'item')}. {converted}", quiet=quiet)
    for failure in summary.failures[:FAILURES_SHOWN]:
        say(f"  {failure.message}", quiet=quiet)
    if len(summary.failures) > FAILURES_SHOWN:
        say(f"  ... and {len(summary.failures) - FAILURES_SHOWN:,} more, all in failures.parquet.", quiet=quiet)
    if summary.made:
        why = "of another size or with a fourth band; the others stay"
        say(f"Wrote {counted(summary.made, 'image')} anew: {why}.", quiet=quiet)
    if in_place:
        say(f"Reading decodes the images each time; `curate pack {out}` makes it fast.", quiet=quiet)
    say(f"Next: curate verify {out}", quiet=quiet)


def _pairs(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _as_json(out: Path, dataset: Dataset, summary: ConversionSummary) -> dict[str, Any]:
    return {
        "catalog": str(out),
        "kind": dataset.kind,
        "images": summary.images,
        "complete": summary.complete,
        "items_written": summary.items_written,
        "stopped": summary.stopped,
        "made": summary.made,
        "failures": dict(Counter(failure.reason for failure in summary.failures)),
        "remarks": list(dataset.remarks),
    }

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
from curate.errors import CurateError

FAILURES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What is asked of `curate convert`, beside what and where."""

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


def run_convert(kind: str, path: Path, out: Path, options: ConvertOptions) -> int:
    """Convert a data set and tell of it.

    Returns:
        The exit code: 0 done, though with images that could not be read; 130 interrupted.

    Raises:
        CurateError: The number of workers makes no sense; see `open_dataset` and `Conversion` for others.
    """
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise CurateError(f"--workers is {workers}; expected 1 or more. Leave it out for one per core.")
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
    conversion = Conversion.prepare(out, dataset, items=options.items, dry_run=options.dry_run)
    if options.dry_run:
        return _tell_plan(conversion, options)
    say(f"Converting {counted(len(dataset.images), 'image')} of {path} into {out}.", quiet=quiet)
    summary = conversion.run(workers=workers, watch=partial(progress, quiet=quiet))
    if options.as_json:
        emit_json(_as_json(out, dataset, summary))
    _tell(out, summary, quiet=quiet)
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


def _tell(out: Path, summary: ConversionSummary, *, quiet: bool) -> None:
    if summary.stopped:
        say(f"Stopped. {out} is a valid catalog of what was done; the same command continues.", quiet=quiet)
        return
    converted = f"{summary.complete:,} of {summary.images:,} images are converted."
    say(f"Wrote {counted(summary.items_written, 'item')}. {converted}", quiet=quiet)
    for failure in summary.failures[:FAILURES_SHOWN]:
        say(f"  {failure.message}", quiet=quiet)
    if len(summary.failures) > FAILURES_SHOWN:
        say(f"  ... and {len(summary.failures) - FAILURES_SHOWN:,} more, all in failures.parquet.", quiet=quiet)
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
        "failures": dict(Counter(failure.reason for failure in summary.failures)),
        "remarks": list(dataset.remarks),
    }

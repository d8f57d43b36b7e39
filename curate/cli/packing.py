"""What `curate pack` does beside the packing itself: show progress, tell the outcome."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.command import INTERRUPTED
from catalogs.console import counted, emit_json, progress, say
from catalogs.pack_plan import PackPlan
from curate.cli.summary_lines import size_words
from curate.errors import CurateError
from curate.packing import PackOutcome, open_packable, pack_catalog, plan_packs


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """What is asked of `curate pack`."""

    sensors: Sequence[str]
    """Ids; all where none."""
    bands: Sequence[str] | None
    """Names; all that every item has where absent."""
    workers: int | None
    """Threads; one per core where none."""
    dry_run: bool
    """Write nothing."""
    as_json: bool
    """Print the outcome as JSON."""
    quiet: bool
    """Say nothing."""


def run_pack(catalog: str, options: PackOptions) -> int:
    """Pack a catalog and tell of it.

    Returns:
        The exit code: 0 done, 130 interrupted.

    Raises:
        CurateError: The number of workers makes no sense; see `curate.packing.pack_catalog` for others.
    """
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    if workers < 1:
        raise CurateError(f"--workers is {workers}; expected 1 or more. Leave it out for one per core.")
    if options.dry_run:
        return _tell_plans(catalog, options)
    quiet, outcomes = options.quiet, []
    open_packable(catalog)
    say(f"Packing {catalog}.", quiet=quiet)
    watch = partial(progress, quiet=quiet)
    for outcome in pack_catalog(catalog, options.sensors, options.bands, workers=workers, watch=watch):
        outcomes.append(outcome)
        _tell(outcome, quiet=quiet)
    stopped = any(outcome.stopped for outcome in outcomes)
    if options.as_json:
        emit_json({"catalog": catalog, "stopped": stopped, "packs": [_as_json(outcome) for outcome in outcomes]})
    if not stopped:
        say(f"Next: train seco --catalog {catalog}", quiet=quiet)
    return INTERRUPTED if stopped else 0


def _tell_plans(catalog: str, options: PackOptions) -> int:
    plans = [source.plan for source in plan_packs(catalog, options.sensors, options.bands)]
    free = shutil.disk_usage(catalog).free
    if options.as_json:
        folder = Path(catalog)
        outcomes = [PackOutcome(plan, folder / layout.pack_folder(plan.sensor), 0, 0) for plan in plans]
        emit_json({"catalog": catalog, "free_bytes": free, "packs": [_as_json(outcome) for outcome in outcomes]})
        return 0
    for plan in plans:
        say(f"Would pack {_words(plan)}.", quiet=options.quiet)
    say(f"Nothing was written. {size_words(free)} are free.", quiet=options.quiet)
    return 0


def _tell(outcome: PackOutcome, *, quiet: bool) -> None:
    plan = outcome.plan
    if outcome.stopped:
        done = f"{outcome.written + outcome.kept} of {counted(plan.shards, 'shard')}"
        say(
            f"Stopped. There is no pack of {plan.sensor} yet, {done} are written: the same command continues.",
            quiet=quiet,
        )
        return
    if not outcome.written:
        say(f"{outcome.folder} is fresh, nothing to do: {_words(plan)}.", quiet=quiet)
    else:
        kept = f" Kept {counted(outcome.kept, 'shard')} of an earlier run." if outcome.kept else ""
        say(f"Wrote {outcome.folder}: {_words(plan)}.{kept}", quiet=quiet)
    if outcome.left_out:
        say(f"  Left out: {' '.join(outcome.left_out)}, which not every item has or --bands does not name.", quiet=quiet)


def _words(plan: PackPlan) -> str:
    """What a pack holds: `240 items of sentinel-2-l2a, B02 B03 B04, 100.4 MB in 1 shard`."""
    size = f"{size_words(plan.size)} in {counted(plan.shards * len(plan.layers), 'shard')}"
    return f"{counted(plan.items, 'item')} of {plan.sensor}, {' '.join(plan.bands)}, {size}"


def _as_json(outcome: PackOutcome) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "sensor": plan.sensor,
        "folder": str(outcome.folder),
        "items": plan.items,
        "bands": list(plan.bands),
        "left_out": list(outcome.left_out),
        "bytes": plan.size,
        "layers": [
            {
                "gsd": layer.gsd,
                "bands": list(layer.bands),
                "height": layer.height,
                "width": layer.width,
                "data_type": layer.data_type,
            }
            for layer in plan.layers
        ],
        "shards": plan.shards,
        "written": outcome.written,
        "kept": outcome.kept,
        "whole": outcome.is_whole,
    }

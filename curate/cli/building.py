"""What `curate build` does beside the build itself: open the source, show progress, tell the outcome."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from catalogs.command import INTERRUPTED
from catalogs.console import counted, emit_json, progress, say
from catalogs.publication import read_target
from catalogs.targets import find_target
from curate.assemble import count_reasons
from curate.budget import Budget
from curate.build_request import BuildRequest
from curate.cli.planning import Expectation, check_workers, unanswered_json
from curate.earlier_build import EarlierBuild
from curate.errors import CurateError, SourceUnavailableError
from curate.parts import Part
from curate.pipeline import Build, BuildSummary
from curate.sources.protocol import Source

REMOTE_WORKERS = 64
"""Ranges that are fetched at once: with so many, a latency of 80 ms is not felt."""
SKIPPED_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a build is run; none of it changes what it writes."""

    part: str | None
    """Which part of the locations is built, such as `3/20`; as the folder remembers where none."""
    workers: int | None
    """Threads; by the source where none."""
    budget_gb: float | None
    """Gigabytes that may be fetched; as many as it takes where none."""
    budget_requests: int | None
    """Requests that may be made; as many as it takes where none."""
    retry_failed: bool
    """Try again what failed for good."""
    to: str | None
    """Where the files go; the catalog's folder, or where an earlier run was told, where none."""
    scheduler: str | None
    """Of a Dask cluster that builds; threads of this process do where none."""
    dry_run: bool
    """Write nothing."""
    as_json: bool
    """Print the outcome as JSON."""
    quiet: bool
    """Say nothing."""


def run_build(catalog: Path, request: BuildRequest, options: RunOptions) -> int:
    """Run a build and tell of it.

    Returns:
        The exit code: 0 done, though with recorded failures; 2 where these are all, and there is no item; 4 where a source
            kept something back or the budget is spent; 130 interrupted.
    """
    from curate.sources import open_source

    quiet = options.quiet
    budget = Budget(options.budget_gb, options.budget_requests)
    check_workers(options.workers)
    if options.to:
        find_target(options.to)
    if options.scheduler:
        from curate.cluster import check_scheduler

        check_scheduler(options.scheduler)
    part = Part.parse(options.part) if options.part is not None else None
    _tell_look(request.source, quiet=quiet)
    build = Build.prepare(catalog, request, open_source, part=part, to=options.to, dry_run=options.dry_run)
    if options.dry_run:
        _tell_plan(build, as_json=options.as_json, quiet=quiet)
        return 0
    _tell_begin(build, quiet=quiet)
    count = options.workers or ((os.cpu_count() or 1) if build.source.simulated else REMOTE_WORKERS)
    expectation = Expectation(build, budget=budget, quiet=quiet, as_json=options.as_json)
    summary = build.run(
        workers=count,
        watch=partial(progress, quiet=quiet),
        retry_failed=options.retry_failed,
        scheduler=options.scheduler,
        before=expectation.before,
        budget=budget,
    )
    place = read_target(catalog) or str(catalog)
    if options.as_json:
        emit_json(_as_json(place, summary) | unanswered_json(build) | expectation.to_json(summary.fetched))
    _tell_skipped(build.source, quiet=quiet)
    if not summary.is_spent:
        _tell_outcome(place, summary, catalog, quiet=quiet)
    expectation.after(summary.fetched, is_spent=summary.is_spent)
    if build.part and not (summary.is_spent or summary.stopped):
        say(f"It is part {build.part}. Once all are built, join them: curate merge PART... --out FOLDER", quiet=quiet)
    return _exit_code(build, summary)


def _exit_code(build: Build, summary: BuildSummary) -> int:
    """How a build ended; see `run_build`. A part may be empty: what counts is what all of them give."""
    if summary.stopped and not summary.is_spent:
        return INTERRUPTED
    if summary.is_spent or any(failure.transient for failure in summary.failures):
        return SourceUnavailableError.exit_code
    return CurateError.exit_code if _is_empty(build.folder, summary) and not build.part else 0


def _tell_look(source: str | None, *, quiet: bool) -> None:
    """Say that a folder is looked through, which takes long where it holds many files."""
    if source and Path(source).expanduser().is_dir():
        say(f"Looking through {source} for scenes.", quiet=quiet)


def _tell_begin(build: Build, *, quiet: bool) -> None:
    if build.changes:
        say(f"Nothing is built in {build.folder} yet, so it begins anew: {build.changes}.", quiet=quiet)
    squares, sensors = counted(len(build.mine), "location"), ", ".join(build.wanted.sensors)
    which = f" (part {build.part})" if build.part else ""
    say(f"Building {squares} of {build.folder}{which} from {build.source.name}: {sensors}.", quiet=quiet)


def _tell_plan(build: Build, *, as_json: bool, quiet: bool) -> None:
    """Say what a build would do.

    Raises:
        RecipeError: It would be refused.
    """
    if build.is_elsewhere:
        raise EarlierBuild.read(build.folder).refuse(build.changes)
    if as_json:
        emit_json({"catalog": str(build.folder), "locations": len(build.mine), **build.recipe})
        return
    say(f"Would build {counted(len(build.mine), 'location')} from {build.source.name} with:", quiet=quiet)
    for key, value in build.recipe.items():
        say(f"  {key}: {value}", quiet=quiet)
    say("Nothing was written.", quiet=quiet)


def _tell_skipped(source: Source, *, quiet: bool) -> None:
    """Say what of the source was of no use: nothing is passed over in silence."""
    for number, (what, why) in enumerate(source.skipped.items()):
        if number == SKIPPED_SHOWN:
            say(f"  ... and {len(source.skipped) - SKIPPED_SHOWN} more of the source.", quiet=quiet)
            break
        say(f"Skipped {what}: {why}", quiet=quiet)


def _tell_outcome(catalog: str, summary: BuildSummary, folder: Path, *, quiet: bool) -> None:
    if summary.stopped:
        say(f"Stopped. {catalog} is a valid catalog of what was done; the same command continues.", quiet=quiet)
        return
    what = "Nothing is left to do:"
    if summary.locations_done:
        what = f"Wrote {counted(summary.items_written, 'item')} of {counted(summary.locations_done, 'location')}."
    are = "is" if summary.locations == 1 else "are"
    say(f"{what} {summary.complete:,} of {counted(summary.locations, 'location')} {are} complete.", quiet=quiet)
    for reason, count in count_reasons(summary.failures).items():
        example = next(failure.message for failure in summary.failures if failure.reason == reason)
        say(f"  {count} x {reason}, for example: {example}", quiet=quiet)
    if any(failure.transient for failure in summary.failures):
        say("Some scenes could not be read: run the same command again to try these.", quiet=quiet)
    elif summary.failures:
        say(f"What failed is in failures.parquet. {_way_on(EarlierBuild.read(folder))}", quiet=quiet)
        say(f"Next: curate {'sources' if _is_empty(folder, summary) else f'info {catalog}'}", quiet=quiet)
    else:
        say(f"Next: curate verify {catalog}", quiet=quiet)


def _is_empty(folder: Path, summary: BuildSummary) -> bool:
    """Whether all that was to be done has failed, now and before: nothing is there to be looked at."""
    is_here = read_target(folder) is None
    return is_here and bool(summary.failures) and not summary.items_written and not EarlierBuild.read(folder).has_items


def _way_on(earlier: EarlierBuild) -> str:
    """What helps where something failed for good: searching again gives the same, and a catalog keeps its flags."""
    if not earlier.has_items:
        return "There is no item yet, so the same command may have wider flags, or another --source: it then begins anew."
    return (
        "Searching again gives the same: --retry-failed helps once the archive or the source has changed. "
        f"For wider flags, {earlier.elsewhere}"
    )


def _as_json(catalog: str, summary: BuildSummary) -> dict[str, Any]:
    return {
        "catalog": catalog,
        "locations": summary.locations,
        "complete": summary.complete,
        "items_written": summary.items_written,
        "stopped": summary.stopped,
        "failures": count_reasons(summary.failures),
    }

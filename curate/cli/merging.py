"""What `curate merge` does beside the merge itself: show progress, tell the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from catalogs.console import counted, emit_json, progress, say
from curate.merge import MergeSummary, merge_parts
from curate.placing import Placed


def run_merge(parts: Sequence[Path], out: Path, *, as_json: bool, quiet: bool) -> int:
    """Merge, and tell of it; see `curate.cli.merge.merge` for the arguments.

    Returns:
        The exit code: 0 done.
    """
    say(f"Joining {counted(len(parts), 'part')} in {out}.", quiet=quiet)
    summary = merge_parts(parts, out, watch=partial(progress, quiet=quiet))
    if as_json:
        emit_json(
            {
                "catalog": str(out),
                "parts": summary.parts,
                "locations": summary.locations,
                "items": summary.items,
                "failures": summary.failures,
                "files": {placed.value: summary.placed.get(placed, 0) for placed in Placed},
            }
        )
    say(_outcome(out, summary), quiet=quiet)
    return 0


def _outcome(out: Path, summary: MergeSummary) -> str:
    """What a merge made, in words."""
    count = {placed: summary.placed.get(placed, 0) for placed in Placed}
    files = f"{count[Placed.LINKED]:,} files linked, {count[Placed.COPIED]:,} copied"
    there = f", {count[Placed.THERE]:,} there already" if count[Placed.THERE] else ""
    failed = f" {counted(summary.failures, 'failure')} of the parts: see failures.parquet." if summary.failures else ""
    return (
        f"{out} has {counted(summary.items, 'item')} of {counted(summary.locations, 'location')}: {files}{there}.{failed}\n"
        f"Next: curate verify {out}"
    )

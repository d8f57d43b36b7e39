"""What `curate verify` does beside the check itself: show progress, tell the report."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from catalogs.checks.report import REMEDIES
from catalogs.console import counted, emit, emit_json, progress, say
from catalogs.files import is_remote
from catalogs.publication import read_target
from catalogs.validate import Report, check_catalog
from curate.errors import CurateError

NOT_VALID = 3
SHOWN = 5
"""Problems of one kind that are told in words."""


def run_verify(catalog: str, *, deep: bool, sample: int | None, as_json: bool, quiet: bool) -> int:
    """Check a catalog and tell what was found; see `curate.cli.verify.verify` for the arguments.

    Returns:
        The exit code: 0 valid, 3 not.

    Raises:
        CurateError: A sample of everything, or of less than nothing, is asked for.
    """
    if sample is not None and (deep or sample < 0):
        asked = "both --deep and --sample are given" if deep else f"--sample is {sample}"
        raise CurateError(f"{asked}; expected --deep to read all files, or --sample N to read those of N locations.")
    elsewhere = None if is_remote(catalog) else read_target(Path(catalog))
    say(f"Checking {elsewhere or catalog}{f', where the files of {catalog} are' if elsewhere else ''}.", quiet=quiet)
    report = check_catalog(elsewhere or catalog, deep=deep, sample=sample, watch=partial(progress, quiet=quiet))
    if as_json:
        emit_json(report.to_json())
    elif not (quiet and report.is_valid):
        emit("\n".join(report_lines(report)))
    if report.is_valid:
        say(f"Next: curate info {catalog}", quiet=quiet or as_json)
    return 0 if report.is_valid else NOT_VALID


def report_lines(report: Report) -> Iterator[str]:
    """A report for people: what was checked, problems by kind, notes."""
    count = sum(report.counts.values())
    verdict = "is valid" if report.is_valid else f"is not valid: {counted(count, 'problem')}"
    if report.is_valid and not report.checked.get("items"):
        verdict = "is valid, and holds no item"
    yield f"{report.catalog} {verdict}. Checked {checked_words(report)}."
    for kind, problems in groupby(report.problems, key=lambda problem: problem.kind):
        yield ""
        yield f"{report.counts[kind]} x {kind}. {REMEDIES[kind]}."
        told = list(problems)
        width = max(len(problem.where) for problem in told[:SHOWN])
        yield from (f"  {problem.where:<{width}}  {problem.message}" for problem in told[:SHOWN])
        if report.counts[kind] > SHOWN:
            yield f"  and {report.counts[kind] - SHOWN} more; --json tells up to a thousand of a kind."
    if report.left_out:
        yield ""
        yield report.left_out
    if report.unfinished:
        yield ""
        yield "Unfinished, which is no error:"
        yield from (f"  {line}" for line in report.unfinished)


def checked_words(report: Report) -> str:
    """What was checked: `60 locations, 240 items, 960 of 960 files read, 310 documents`."""
    checked = report.checked
    counts = [counted(checked.get(f"{noun}s", 0), noun) for noun in ("location", "item")]
    read = f"{checked.get('assets read', 0):,} of {counted(checked.get('assets', 0), 'file')} read"
    return ", ".join([*counts, read, *(counted(checked.get(f"{noun}s", 0), noun) for noun in ("pixel", "document"))])

"""`curate plan`: what a build would cost, before it costs it."""

from __future__ import annotations

from pathlib import Path

from curate.cli.flags import BuildFlags

NO_FLAGS = BuildFlags()


def plan(
    catalog: Path,
    *,
    flags: BuildFlags = NO_FLAGS,
    workers: int | None = None,
    mbps: float = 100.0,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Say what `curate build` with the same flags would fetch and write: scenes, requests, bytes, disk and hours.

    The source is searched, and its answers are saved, so that the build asks nothing twice; besides, the headers of one scene
    per sensor are read. Nothing else is fetched, and nothing else written. With other flags than a catalog with items was built
    with, all of another folder's build is planned, and nothing is saved.

        curate plan data/france --source simulated --seasons 4

    Args:
        catalog: A folder that `curate sample` made; of one that is built in part, what is left to do is planned.
        flags: What would be built.
        workers: How many searches at once (16).
        mbps: Speed of the network for the hours, megabits per second.
        json: Print the forecast as one JSON object.
        quiet: Say nothing but the result.
    """
    from curate.cli.planning import PlanOptions, run_plan

    options = PlanOptions(
        workers=workers, part=flags.part, retry_failed=flags.retry_failed, mbps=mbps, as_json=json, quiet=quiet
    )
    run_plan(catalog, flags.request(), options)

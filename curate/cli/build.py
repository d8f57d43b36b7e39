"""`curate build`: find scenes, choose, fetch, write items."""

from __future__ import annotations

from pathlib import Path

from curate.cli.flags import BuildFlags

NO_FLAGS = BuildFlags()


def build(
    catalog: Path,
    *,
    flags: BuildFlags = NO_FLAGS,
    workers: int | None = None,
    budget_gb: float | None = None,
    budget_requests: int | None = None,
    to: str | None = None,
    scheduler: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Find scenes for every location of a catalog, choose clear ones, fetch their pixels and write items.

    Running it again continues where it stopped; flags that are left out are taken from the catalog's recipe. Until there is an
    item, other flags begin anew; from then on the catalog keeps its recipe, and other flags need another folder.

        curate build data/france --source simulated --seasons 4

    Args:
        catalog: A folder that `curate sample` made.
        flags: What is built.
        workers: How many ranges of remote files are fetched at once (64), or how many threads render simulated scenes (one per
            core; --scheduler local renders many by processes, on two cores in two thirds of the time).
        budget_gb: Most that may be fetched by this run, gigabytes: a build that is expected to fetch more is refused, and one
            that has fetched so much ends; what is done is kept. A cluster's workers tell of their bytes unit by unit.
        budget_requests: Most requests of pixels by this run, in the same way: of Earth Engine, which counts what a project
            computes in a month, about two a location.
        to: A folder, or `s3://bucket/prefix`, without a catalog of another build, that the items and their files go to, with
            copies of the catalog's documents; it is remembered. Not of a part: a merged catalog can be copied. Credentials come
            from the environment (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
        scheduler: A Dask cluster that builds instead of this process: its scheduler's address, such as `tcp://10.0.0.5:8786`,
            or its scheduler file; or `local`, `local:4`, for processes of this machine. Its workers share the catalog's
            folder, or write to a bucket (`--to`). Then `--workers` is how many ranges each of them fetches at once.
        dry_run: Say what would be done, and write nothing.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from curate.cli.building import RunOptions, run_build

    options = RunOptions(
        part=flags.part,
        workers=workers,
        budget_gb=budget_gb,
        budget_requests=budget_requests,
        retry_failed=flags.retry_failed,
        to=to,
        scheduler=scheduler,
        dry_run=dry_run,
        as_json=json,
        quiet=quiet,
    )
    return run_build(catalog, flags.request(), options)

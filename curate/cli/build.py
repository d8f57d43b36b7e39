"""`curate build`: find scenes, choose, fetch, write items."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal


def build(
    catalog: Path,
    *,
    source: str | None = None,
    sensor: list[str] | None = None,
    bands: str | None = None,
    seasons: str | None = None,
    start: date | None = None,
    end: date | None = None,
    window_days: int | None = None,
    max_cloud: float | None = None,
    max_scene_cloud: float | None = None,
    max_delta_days: float | None = None,
    radiometry: Literal["strict", "keep", "pixels"] | None = None,
    items: Literal["json", "parquet"] | None = None,
    workers: int | None = None,
    part: str | None = None,
    budget_gb: float | None = None,
    budget_requests: int | None = None,
    retry_failed: bool = False,
    to: str | None = None,
    scheduler: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Find scenes for every location of a catalog, choose clear ones, fetch their pixels and write items.

    Running it again continues where it stopped; flags that are left out are taken from the catalog's recipe.

        curate build data/france --source simulated --seasons 4

    Args:
        catalog: A folder that `curate sample` made.
        source: Where scenes come from: a provider of `curate sources`, such as `earth-search` (the default; no account) or
            `simulated`; the address of a STAC API; the path or address of a static STAC catalog; a folder of Sentinel-2
            products (`*.SAFE` or zip); or a mapping file, `mine.toml`, for an archive with names of its own. Several, with
            commas between them: the others fill the gaps of the first.
        sensor: A sensor, such as `sentinel-2-l2a` (the default); repeat it for pairs: then each season holds the clear
            acquisitions nearest to each other in time.
        bands: Names of bands, such as `B02,B03,B04,B08`; all of the sensor where left out.
        seasons: How many equal windows start to end is split into (4), one scene each; or `seco`: five dates, twelve weeks
            apart.
        start: First day, `2023-01-01`; a year before the end where left out.
        end: First day after the last one; four weeks ago where left out.
        window_days: Width of a window about the middle of each season; the whole season where left out.
        max_cloud: Greatest share of a square that may be cloud, shadow or fill, percent (10).
        max_scene_cloud: Greatest cloud cover of a whole scene, percent (100): fewer candidates to look at.
        max_delta_days: Greatest time between the sensors of one season, days; no limit where left out.
        radiometry: What to do with a Sentinel-2 scene whose pixels contradict the offset (-0.1 or none) that its provider
            states: `strict` (the default): use another one, and note a failure where there is none; `keep`: write it as it is,
            its item says `conflict`; `pixels`: write it with the offset that its pixels call for.
        items: `json`: a file per item and an index; `parquet`: the index alone, for more than 50,000 items (then the
            default).
        workers: How many ranges of remote files are fetched at once (64), or how many threads render simulated scenes (one per
            core).
        part: Build one part of the locations, such as `3/20`, in a copy of the sampled folder, which remembers it;
            `curate merge` joins the parts. Give all parts the same flags, and an `--end`.
        budget_gb: Most that may be fetched by this run, gigabytes: a build that is expected to fetch more is refused, and one
            that has fetched so much ends; what is done is kept. A cluster's workers tell of their bytes unit by unit.
        budget_requests: Most requests of pixels by this run, in the same way: of Earth Engine, which counts what a project
            computes in a month, about two a location.
        retry_failed: Try again what could not be completed; what a source kept back is tried again anyway.
        to: A folder, or `s3://bucket/prefix`, that the items and their files go to, with copies of the catalog's documents;
            it is remembered. Credentials come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
        scheduler: A Dask cluster that builds instead of this process: its scheduler's address, such as `tcp://10.0.0.5:8786`,
            or its scheduler file; or `local`, `local:4`, for processes of this machine. Its workers share the catalog's
            folder, or write to a bucket (`--to`). Then `--workers` is how many ranges each of them fetches at once.
        dry_run: Say what would be done, and write nothing.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from curate.build_request import BuildRequest
    from curate.cli.building import RunOptions, run_build

    request = BuildRequest(
        source=source, sensors=sensor or (), bands=[name.strip() for name in bands.split(",")] if bands else (),
        seasons=seasons, start=start, end=end, window_days=window_days, max_cloud=max_cloud, max_scene_cloud=max_scene_cloud,
        max_delta_days=max_delta_days, items=items, radiometry=radiometry,
    )  # fmt: skip
    options = RunOptions(
        part=part,
        workers=workers,
        budget_gb=budget_gb,
        budget_requests=budget_requests,
        retry_failed=retry_failed,
        to=to,
        scheduler=scheduler,
        dry_run=dry_run,
        as_json=json,
        quiet=quiet,
    )
    return run_build(catalog, request, options)

"""`curate plan`: what a build would cost, before it costs it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal


def plan(
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
    retry_failed: bool = False,
    mbps: float = 100.0,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Say what `curate build` with the same flags would fetch and write: scenes, requests, bytes, disk and hours.

    The source is searched, and its answers are saved, so that the build asks nothing twice; besides, the headers of one scene
    per sensor are read. Nothing else is fetched, and nothing else written.

        curate plan data/france --source simulated --seasons 4

    Args:
        catalog: A folder that `curate sample` made; of one that is built in part, what is left to do is planned.
        source: As of `curate build`, like all flags down to --retry-failed.
        sensor: A sensor; repeat it for pairs.
        bands: Names of bands; all of the sensor where left out.
        seasons: How many equal windows, or `seco`.
        start: First day.
        end: First day after the last one.
        window_days: Width of a window about the middle of each season.
        max_cloud: Greatest share of a square that may be cloud, shadow or fill, percent (10).
        max_scene_cloud: Greatest cloud cover of a whole scene, percent (100).
        max_delta_days: Greatest time between the sensors of one season, days.
        radiometry: What to do with a scene whose pixels contradict its offset: `strict`, `keep` or `pixels`.
        items: `json` or `parquet`.
        workers: How many searches at once (16).
        part: Which part of the locations, such as `3/20`.
        retry_failed: Plan for what could not be completed too.
        mbps: Speed of the network for the hours, megabits per second.
        json: Print the forecast as one JSON object.
        quiet: Say nothing but the result.
    """
    from curate.build_request import BuildRequest
    from curate.cli.planning import PlanOptions, run_plan

    request = BuildRequest(
        source=source, sensors=sensor or (), bands=[name.strip() for name in bands.split(",")] if bands else (),
        seasons=seasons, start=start, end=end, window_days=window_days, max_cloud=max_cloud, max_scene_cloud=max_scene_cloud,
        max_delta_days=max_delta_days, items=items, radiometry=radiometry,
    )  # fmt: skip
    options = PlanOptions(workers=workers, part=part, retry_failed=retry_failed, mbps=mbps, as_json=json, quiet=quiet)
    run_plan(catalog, request, options)

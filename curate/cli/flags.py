"""The flags that say what is built, of `curate plan` and `curate build` alike. Loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from curate.build_request import BuildRequest


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BuildFlags:
    """What is wanted of which locations; what is left out is taken from the catalog's recipe, then from the defaults."""

    source: str | None = None
    """Where scenes come from: a provider of `curate sources`, such as `earth-search` (the default; no account) or `simulated`;
    the address of a STAC API; the path or address of a static STAC catalog; a folder of Sentinel-2 products (`*.SAFE` or zip);
    or a mapping file, `mine.toml`, for an archive with names of its own. Several, with commas between them: the others fill the
    gaps of the first."""
    sensor: tuple[str, ...] | None = None
    """A sensor, such as `sentinel-2-l2a` (the default); for pairs repeat it, or put commas between them: then each season holds
    the clear acquisitions nearest to each other in time. Of a static layer, `cop-dem-glo-30`, which is heights, there is one
    item of each location."""
    bands: str | None = None
    """Names of bands, such as `B02,B03,B04,B08`; all of the sensor where left out."""
    seasons: str | None = None
    """How many equal windows start to end is split into (4), one scene each; or `seco`: five dates, twelve weeks apart."""
    start: date | None = None
    """First day, `2023-01-01`; a year before the end where left out."""
    end: date | None = None
    """First day after the last one; four weeks ago where left out."""
    window_days: int | None = None
    """Width of a window about the middle of each season; the whole season where left out."""
    max_cloud: float | None = None
    """Greatest share of a square that may be cloud, shadow or fill, percent (10)."""
    max_scene_cloud: float | None = None
    """Greatest cloud cover of a whole scene, percent (100): fewer candidates to look at."""
    max_delta_days: float | None = None
    """Greatest time between the sensors of one season, days; no limit where left out."""
    radiometry: Literal["strict", "keep", "pixels"] | None = None
    """What to do with a Sentinel-2 scene whose pixels contradict the offset (-0.1 or none) that its provider states: `strict`
    (the default): use another one, and note a failure where there is none; `keep`: write it as it is, its item says `conflict`;
    `pixels`: write it with the offset that its pixels call for."""
    items: Literal["json", "parquet"] | None = None
    """`json`: a file per item and an index; `parquet`: the index alone, for more than 50,000 items (then the default)."""
    part: str | None = None
    """One part of the locations, such as `3/20`, built in a copy of the sampled folder, which remembers it; `curate merge`
    joins the parts. Give all parts the same flags, and an `--end`."""
    retry_failed: bool = False
    """Try again what could not be completed; what a source kept back is tried again anyway."""

    def request(self) -> BuildRequest:
        """What is asked of a build."""
        from curate.build_request import BuildRequest

        return BuildRequest(
            source=self.source,
            sensors=self.sensor or (),
            bands=[name.strip() for name in self.bands.split(",")] if self.bands else (),
            seasons=self.seasons,
            start=self.start,
            end=self.end,
            window_days=self.window_days,
            max_cloud=self.max_cloud,
            max_scene_cloud=self.max_scene_cloud,
            max_delta_days=self.max_delta_days,
            items=self.items,
            radiometry=self.radiometry,
        )

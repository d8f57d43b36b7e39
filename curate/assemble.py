"""One location: candidates to chosen scenes to written items. What a worker does.

Of each season the combinations of sensors are tried in the order of `choose`; the masks are read first, and measurements
only of scenes that are clear over the square.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalogs.bands import Sensor, find_sensor
from catalogs.foreign import SourceScene
from catalogs.journal import Failure
from catalogs.lattice import to_lonlat
from catalogs.masks import MaskShares, mask_shares
from catalogs.radiometry import check_scene
from catalogs.records import Band, Location, Radiometry, Scene
from catalogs.secrets import without_secrets
from catalogs.writer import CatalogWriter, Patch
from curate.choose import Candidate, in_window, merge_copies, order_combinations, spread
from curate.errors import SourceUnavailableError
from curate.fetch import read_bands, read_mask, valid_percent
from curate.search import Searches
from curate.seasons import DateWindow, SeasonPlan
from curate.sources.protocol import Labelled, Source


@dataclass(frozen=True)
class Wanted:
    """What a build wants of every location."""

    sensors: Mapping[str, Sequence[Band]]
    """Ids of the sensors, with the bands wanted of each."""
    plan: SeasonPlan
    """The date windows."""
    max_cloud: float = 10.0
    """Greatest share of the square that may be not clear, percent."""
    max_delta_days: float | None = None
    """Greatest time between the sensors of one season, days."""


@dataclass
class _Look:
    """What was learned of one candidate over the square."""

    mask: Patch | None = None
    shares: MaskShares | None = None
    patches: list[Patch] = field(default_factory=list)
    not_clear: float = 0.0


@dataclass(frozen=True)
class Assembler:
    """Completes locations; safe to use from several threads."""

    source: Source
    searches: Searches
    writer: CatalogWriter
    wanted: Wanted

    def complete(self, location: Location, seasons: frozenset[int] | None = None) -> tuple[list[dict[str, Any]], list[Failure]]:
        """Choose, fetch and write the scenes of a location.

        Args:
            location: Where.
            seasons: The seasons to do; all where absent.

        Returns:
            Its items in row form, and what could not be completed.
        """
        items: list[dict[str, Any]] = []
        failures: list[Failure] = []
        windows = [window for window in self.wanted.plan.windows(location.id) if seasons is None or window.season in seasons]
        try:
            candidates = {
                sensor: merge_copies(self.searches.candidates(sensor, location), location.zone)
                for sensor in self.wanted.sensors
            }
        except SourceUnavailableError as error:
            return [], [self._unavailable(location, window, error) for window in windows]
        labels = self.source.labels(location) if isinstance(self.source, Labelled) else ()
        for window in windows:
            try:
                done = _Season(self, location, window, candidates, labels=labels).complete()
            except SourceUnavailableError as error:
                failures.append(self._unavailable(location, window, error))
                continue
            if isinstance(done, Failure):
                failures.append(done)
            else:
                items += done
        return items, failures

    def _unavailable(self, location: Location, window: DateWindow, error: SourceUnavailableError) -> Failure:
        message = f"{_place(location)} in {window.text}: {error}"
        return Failure(location.id, window.season, "+".join(self.wanted.sensors), "unreadable", message, transient=True)


class _Season:
    """One date window of one location."""

    def __init__(
        self,
        assembler: Assembler,
        location: Location,
        window: DateWindow,
        candidates: Mapping[str, list[Candidate]],
        *,
        labels: tuple[str, ...],
    ) -> None:
        self._source = assembler.source
        self._writer = assembler.writer
        self._wanted = assembler.wanted
        self._location = location
        self._window = window
        self._labels = labels
        self._candidates = {sensor: in_window(found, window) for sensor, found in candidates.items()}
        self._looks: dict[str, _Look] = {}

    def complete(self) -> list[dict[str, Any]] | Failure:
        """Write the first combination that is clear, or say why there is none."""
        for combination in order_combinations(self._candidates, self._wanted.max_delta_days, self._is_clear):
            if all(self._is_clear(candidate) for candidate in combination) and all(self._is_whole(c) for c in combination):
                return [self._write(candidate.scene) for candidate in combination]
        return self._failure()

    def _is_clear(self, candidate: Candidate) -> bool:
        return self._look(candidate.scene).not_clear <= self._wanted.max_cloud

    def _look(self, scene: SourceScene) -> _Look:
        """Read the mask of a scene, once."""
        key = f"{scene.sensor}/{scene.id}"
        if key not in self._looks:
            look = _Look()
            mask = find_sensor(scene.sensor).mask
            if mask and mask.name in scene.bands:
                look.mask = read_mask(self._source, scene, mask, self._location)
                look.shares = mask_shares(look.mask.pixels[0], mask.name)
                look.not_clear = look.shares.not_clear
            self._looks[key] = look
        return self._looks[key]

    def _is_whole(self, candidate: Candidate) -> bool:
        """Fetch the measurements; too many missing ones count as not clear."""
        scene = candidate.scene
        look = self._look(scene)
        if not look.patches:
            look.patches = read_bands(self._source, scene, self._wanted.sensors[scene.sensor], self._location)
            look.not_clear = max(look.not_clear, 100 - valid_percent(look.patches) if look.patches else 100.0)
        return look.not_clear <= self._wanted.max_cloud

    def _write(self, scene: SourceScene) -> dict[str, Any]:
        look = self._look(scene)
        shares = look.shares
        record = Scene(
            sensor=scene.sensor,
            location=self._location,
            rasters=(),
            datetime=scene.datetime,
            start_datetime=scene.start_datetime,
            end_datetime=scene.end_datetime,
            season=self._window.season,
            cloud_percent=shares.not_clear if shares else None,
            snow_percent=shares.snow if shares else None,
            unclassified_percent=shares.unclassified if shares else None,
            valid_percent=valid_percent(look.patches),
            source_cloud_percent=scene.cloud_percent,
            source_id=scene.id,
            source_href=scene.href and without_secrets(scene.href),
            platform=scene.platform,
            sun_elevation=scene.sun_elevation,
            sun_azimuth=scene.sun_azimuth,
            relative_orbit=scene.relative_orbit,
            orbit_state=scene.orbit_state,
            baseline=scene.baseline,
            radiometry=_radiometry(scene, look, find_sensor(scene.sensor)),
            simulated=self._source.simulated or scene.simulated,
            labels=self._labels,
        )
        return self._writer.write_scene(record, [*look.patches, *([look.mask] if look.mask else [])])

    def _failure(self) -> Failure:
        place, window = _place(self._location), self._window.text
        for sensor, candidates in self._candidates.items():
            if not candidates:
                return self._failed(
                    sensor,
                    "no-scene",
                    f"No scene of {sensor} over {place} in {window}. "
                    f"Widen --start, --end or --window-days, or choose another --source.",
                )
        best = {
            sensor: min(candidates, key=lambda c: self._look(c.scene).not_clear)
            for sensor, candidates in self._candidates.items()
        }
        for sensor, candidate in best.items():
            share = self._look(candidate.scene).not_clear
            if share > self._wanted.max_cloud:
                return self._failed(
                    sensor,
                    "not-clear",
                    f"No scene of {sensor} over {place} has at most {self._wanted.max_cloud:g} % "
                    f"cloud in {window}: the clearest of {len(self._candidates[sensor])} candidates has {share:.1f} %. "
                    f"Widen --window-days or the dates, or raise --max-cloud.",
                )
        return self._too_far_apart()

    def _too_far_apart(self) -> Failure:
        clear = {sensor: [c for c in found if self._is_clear(c)] for sensor, found in self._candidates.items()}
        nearest = next(order_combinations(clear, None, self._is_clear))
        days = spread(nearest).total_seconds() / 86400
        return self._failed(
            "+".join(clear),
            "too-far-apart",
            f"The clear scenes over {_place(self._location)} nearest to each other in {self._window.text} "
            f"are {days:.1f} days apart; --max-delta-days allows {self._wanted.max_delta_days:g}. Raise it.",
        )

    def _failed(self, sensor: str, reason: str, message: str) -> Failure:
        return Failure(self._location.id, self._window.season, sensor, reason, message)


def _radiometry(scene: SourceScene, look: _Look, sensor: Sensor) -> Radiometry | None:
    """The decision of the source's item, and what clear dark pixels say to it; none for bands without reflectance."""
    planes = [plane for patch in look.patches for plane in zip(patch.bands, patch.pixels, strict=True)]
    check = check_scene(sensor, planes, look.mask.pixels[0] if look.mask else None, scene.baseline)
    return Radiometry(scene.radiometry, check) if check else None


def _place(location: Location) -> str:
    lon, lat = to_lonlat(*location.centre_xy, location.zone)
    north, east = "N" if lat[0] >= 0 else "S", "E" if lon[0] >= 0 else "W"
    return f"location {location.id} ({abs(lat[0]):.2f}{north}, {abs(lon[0]):.2f}{east})"


def count_reasons(failures: Sequence[Failure]) -> dict[str, int]:
    """How many failures there are of each reason, most frequent first."""
    return dict(Counter(failure.reason for failure in failures).most_common())

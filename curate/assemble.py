"""One location: candidates to decisions to written items.

Of each season the combinations of sensors are tried in the order of `choose`, as `decide` tells; of a static layer there is
one item, as `static_layers` tells. This file begins the seasons of a location, says what is to be read for their wishes, and
writes what they keep. Who reads is `unit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalogs.foreign import SourceScene
from catalogs.journal import NO_SEASON, Failure
from catalogs.records import Band, Location, Scene
from catalogs.scene_writer import SceneWriter
from catalogs.secrets import without_secrets
from curate.choose import in_window, merge_copies
from curate.decide import Decision, Limits, unreadable
from curate.errors import SourceUnavailableError
from curate.fetch import Plane, PlaneAsk, band_asks, band_patches, mask_ask, mask_patch, valid_percent
from curate.looks import Answer, Look, Steps, Wish
from curate.offsets import STRICT
from curate.search import Scenes
from curate.seasons import DateWindow, SeasonPlan
from curate.sources.protocol import Labelled, Source, looks_at_all
from curate.static_layers import decide_static, of_no_season, of_seasons, static_window


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
    radiometry: str = STRICT
    """What to do with a scene whose pixels contradict its offset: see `curate.offsets.MODES`."""


@dataclass(frozen=True)
class Assembler:
    """Begins locations; safe to use from several threads."""

    source: Source
    """Of the scenes."""
    searches: Scenes
    """What it has."""
    writer: SceneWriter
    """Of the catalog's scenes."""
    wanted: Wanted
    """Of every location."""

    def begin(self, location: Location, seasons: frozenset[int] | None = None) -> list[Season]:
        """The seasons and static layers of a location, each with its first wish, or done where nothing has to be read to know.

        Args:
            location: Where.
            seasons: The seasons to do, `NO_SEASON` for static layers; all where absent.
        """
        labels = self.source.labels(location) if isinstance(self.source, Labelled) else ()
        static = of_no_season(self.wanted.sensors) if seasons is None or NO_SEASON in seasons else ()
        return [
            *self._begin_seasons(location, seasons, labels),
            *(self._begin_static(sensor, location, labels) for sensor in static),
        ]

    def _begin_seasons(self, location: Location, seasons: frozenset[int] | None, labels: tuple[str, ...]) -> list[Season]:
        sensors = of_seasons(self.wanted.sensors)
        if not sensors:
            return []
        windows = [window for window in self.wanted.plan.windows(location.id) if seasons is None or window.season in seasons]
        try:
            candidates = {sensor: merge_copies(self.searches.candidates(sensor, location), location.zone) for sensor in sensors}
        except SourceUnavailableError as error:
            broken = [unreadable(location, window, sensors, error) for window in windows]
            return [Season(self, location, window, outcome=each) for window, each in zip(windows, broken, strict=True)]
        wanted = self.wanted
        limits = Limits(wanted.max_cloud, wanted.max_delta_days, wanted.radiometry, looks_at_all(self.source))
        begun = []
        for window in windows:
            inside = {sensor: in_window(found, window) for sensor, found in candidates.items()}
            decision = Decision(location, window, inside, limits, others=candidates)
            begun.append(Season(self, location, window, decision.steps(), labels))
            begun[-1].take(None)
        return begun

    def _begin_static(self, sensor: str, location: Location, labels: tuple[str, ...]) -> Season:
        window = static_window(sensor)
        try:
            candidates = self.searches.candidates(sensor, location)
        except SourceUnavailableError as error:
            return Season(self, location, window, outcome=unreadable(location, window, {sensor: None}, error))
        begun = Season(self, location, window, decide_static(sensor, location, candidates), labels)
        begun.take(None)
        return begun

    def asks(self, scene: SourceScene, location: Location, *, masks: bool) -> list[PlaneAsk]:
        """The planes that make the mask of a scene, or its measurements."""
        return [mask_ask(scene, location)] if masks else band_asks(scene, self.wanted.sensors[scene.sensor], location)

    def answer(self, scene: SourceScene, planes: Sequence[Plane | SourceUnavailableError], *, masks: bool) -> Answer:
        """What was read of a scene, from the planes that `asks` names; the first of them that failed speaks for all."""
        whole: list[Plane] = []
        for plane in planes:
            if isinstance(plane, SourceUnavailableError):
                return plane
            whole.append(plane)
        if masks:
            return [mask_patch(scene, whole[0])]
        return band_patches(scene, self.wanted.sensors[scene.sensor], whole)


@dataclass(eq=False)
class Season:
    """One date window, or one static layer, of one location, in work."""

    assembler: Assembler
    """Who began it."""
    location: Location
    """Where."""
    window: DateWindow
    """When."""
    steps: Steps[list[Look] | Failure] | None = None
    """What is left of its decision."""
    labels: tuple[str, ...] = ()
    """What its source knows to be at the location."""
    outcome: list[dict[str, Any]] | Failure | None = None
    """Its items in row form, or why there are none; none until it is done."""
    wish: Wish | None = field(default=None, init=False)
    """What it has to see to go on; none once it is done."""

    def take(self, answers: Sequence[Answer] | None) -> None:
        """Go on with what was wished, up to the next wish or the outcome; what is kept is written.

        Args:
            answers: One per scene of the wish; none at first.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        assert self.steps is not None, f"season {self.window.season} of {self.location.id} is done"
        try:
            self.wish = next(self.steps) if answers is None else self.steps.send(answers)
        except StopIteration as decided:
            self.wish, self.steps = None, None
            kept = decided.value
            self.outcome = kept if isinstance(kept, Failure) else [self._write(look) for look in kept]

    def _write(self, look: Look) -> dict[str, Any]:
        scene, shares, judged = look.scene, look.shares, look.judgement
        record = Scene(
            sensor=scene.sensor,
            location=self.location,
            rasters=(),
            datetime=scene.datetime,
            start_datetime=scene.start_datetime,
            end_datetime=scene.end_datetime,
            season=None if self.window.season == NO_SEASON else self.window.season,
            cloud_percent=shares.not_clear if shares else judged.not_clear_percent if judged else None,
            snow_percent=shares.snow if shares else None,
            unclassified_percent=shares.unclassified if shares else None,
            valid_percent=valid_percent(look.patches),
            cloud_source=look.mask.key if look.mask else judged.method if judged else None,
            source_cloud_percent=scene.cloud_percent,
            source=scene.source,
            source_id=scene.id,
            source_href=scene.href and without_secrets(scene.href),
            platform=scene.platform,
            sun_elevation=scene.sun_elevation,
            sun_azimuth=scene.sun_azimuth,
            relative_orbit=scene.relative_orbit,
            orbit_state=scene.orbit_state,
            baseline=scene.baseline,
            radiometry=look.radiometry,
            simulated=self.assembler.source.simulated or scene.simulated,
            labels=self.labels,
        )
        return self.assembler.writer.write_scene(record, [*look.patches, *([look.mask] if look.mask else [])])


def count_reasons(failures: Sequence[Failure]) -> dict[str, int]:
    """How many failures there are of each reason, most frequent first."""
    return dict(Counter(failure.reason for failure in failures).most_common())

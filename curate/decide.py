"""One date window of one location: which pixels to look at next, and in the end which scenes to keep or why there are none.

Nothing is read here. A decision is a generator: it yields what it wishes to see, is sent what was read, and so on until it
knows. Masks are wished before measurements, measurements only of scenes that are clear over the square; what could not be
read counts only where the decision rests on it, and where no other source's copy of it can be read (`stand_ins`). So whoever
reads may do it for many decisions at once, in any order. What would be kept is held against its own pixels last (`offsets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from catalogs.bands import find_sensor
from catalogs.foreign import SourceScene
from catalogs.journal import Failure
from catalogs.lattice import to_lonlat
from catalogs.masks import mask_shares
from catalogs.records import Location
from catalogs.writer import Patch
from curate.choose import Candidate, are_many, order_combinations, spread
from curate.clouds import judge_clouds
from curate.errors import SourceUnavailableError
from curate.fetch import has_mask, valid_percent
from curate.looks import Answer, Look, Steps, Wish, scene_key, unless_failed
from curate.offsets import STRICT, vouched_copies, weigh_offset
from curate.seasons import DateWindow
from curate.stand_ins import StandIns


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decision holds scenes against."""

    max_cloud: float
    """Greatest share of the square that may be not clear, percent."""
    max_delta_days: float | None
    """Greatest time between the sensors of one season, days."""
    radiometry: str = STRICT
    """What to do with a scene whose pixels contradict its offset: see `curate.offsets.MODES`."""
    looks_at_all: bool = False
    """Whether all masks of a date window are wished at once, since asking costs more than what is asked."""


class Decision:
    """One date window of one location."""

    def __init__(
        self,
        location: Location,
        window: DateWindow,
        candidates: Mapping[str, Sequence[Candidate]],
        limits: Limits,
        *,
        others: Mapping[str, Sequence[Candidate]] | None = None,
    ) -> None:
        """Decide nothing yet.

        Args:
            location: Where.
            window: When.
            candidates: Scenes of the window by sensor, one per acquisition.
            limits: What they are held against.
            others: Scenes of all windows by sensor, against which an offset may be held that is in doubt; only those of this
                window where absent.
        """
        self._location = location
        self._window = window
        self._limits = limits
        self._candidates = candidates
        self._others = candidates if others is None else others
        self._masks: dict[str, Answer] = {}
        self._bands: dict[str, Answer] = {}
        self._looks: dict[str, Look] = {}
        self._instead: dict[str, Candidate] = {}
        self._stand_ins = StandIns()

    def steps(self) -> Steps[list[Look] | Failure]:
        """The first combination that is clear, one scene per sensor, or why there is none."""
        try:
            return (yield from self._choose())
        except SourceUnavailableError as error:
            return unreadable(self._location, self._window, self._candidates, error)

    def _choose(self) -> Steps[list[Look] | Failure]:
        if self._limits.looks_at_all or are_many(self._candidates):
            yield from self._see_all()
        for combination in order_combinations(self._candidates, self._limits.max_delta_days, self._is_clear):
            chosen = self._replaced(combination)
            is_seen = (yield from self._are_clear(chosen)) and (yield from self._are_whole(chosen))
            if is_seen and (yield from self._are_right(chosen)):
                return [self._look(candidate.scene) for candidate in self._replaced(chosen)]
        return (yield from self._failure())

    def _replaced(self, combination: Sequence[Candidate]) -> Sequence[Candidate]:
        """A combination with copies for the scenes whose offset is wrong."""
        return [self._instead.get(scene_key(candidate.scene), candidate) for candidate in combination]

    def _are_clear(self, combination: Sequence[Candidate]) -> Steps[bool]:
        for candidate in combination:
            yield from self._see([candidate])
            if not self._is_usable(candidate):
                return False
        return True

    def _are_whole(self, combination: Sequence[Candidate]) -> Steps[bool]:
        """Fetch the measurements; too many missing ones count as not clear."""
        new = [each for each in combination if scene_key(self._stand_ins.scene(each.scene)) not in self._bands]
        if new:
            yield from self._read(new, masks=False)
        for candidate in combination:
            if not (yield from self._is_whole(candidate)):
                return False
        return True

    def _are_right(self, combination: Sequence[Candidate]) -> Steps[bool]:
        """Hold the offsets against the pixels; for a scene whose offset is wrong a copy of its acquisition may answer."""
        for candidate in combination:
            if not (yield from self._is_right(candidate, self._others[candidate.scene.sensor])):
                yield from self._replace(candidate)
        return all(self._is_usable(candidate) for candidate in self._replaced(combination))

    def _replace(self, candidate: Candidate) -> Steps[None]:
        """Look for a copy of a scene that can be used."""
        for scene in vouched_copies(candidate):
            copy = Candidate(scene, covers=True)
            is_seen = (yield from self._are_clear([copy])) and (yield from self._are_whole([copy]))
            if is_seen and (yield from self._is_right(copy, ())):
                self._instead[scene_key(candidate.scene)] = copy
                return

    def _is_right(self, candidate: Candidate, others: Sequence[Candidate]) -> Steps[bool]:
        look = self._look(candidate.scene)
        if not look.is_weighed:
            yield from weigh_offset(look, candidate, others, self._limits.radiometry)
        if look.refusal:
            look.patches, look.mask = [], None
        return look.refusal is None

    def _see_all(self) -> Steps[None]:
        yield from self._see([candidate for candidates in self._candidates.values() for candidate in candidates])

    def _see(self, candidates: Sequence[Candidate]) -> Steps[None]:
        """Wish the masks that were not looked at yet."""
        scenes = [(each, self._stand_ins.scene(each.scene)) for each in candidates]
        new = [each for each, scene in scenes if has_mask(scene) and scene_key(scene) not in self._masks]
        if new:
            yield from self._read(new, masks=True)

    def _read(self, candidates: Sequence[Candidate], *, masks: bool) -> Steps[None]:
        """Wish masks or measurements; of what cannot be read, those of a copy elsewhere, once its mask is seen."""
        scenes = tuple(self._stand_ins.scene(candidate.scene) for candidate in candidates)
        answers = dict(zip(map(scene_key, scenes), (yield Wish(scenes, masks=masks)), strict=True))
        known = self._masks if masks else self._bands
        known.update(answers)
        for candidate, (key, answer) in zip(candidates, answers.items(), strict=True):
            if not isinstance(answer, SourceUnavailableError):
                continue
            if not self._stand_ins.move_on(candidate, answer):
                known[key] = self._stand_ins.failure(candidate, answer)
                continue
            yield from self._see([candidate])
            if not masks and self._is_clear(candidate):
                yield from self._read([candidate], masks=False)

    def _is_clear(self, candidate: Candidate) -> bool:
        return self._look(candidate.scene).not_clear <= self._limits.max_cloud

    def _is_usable(self, candidate: Candidate) -> bool:
        return self._is_clear(candidate) and self._look(candidate.scene).refusal is None

    def _is_whole(self, candidate: Candidate) -> Steps[bool]:
        look = self._look(candidate.scene)
        if not look.patches and self._is_clear(candidate):
            look.patches = unless_failed(self._bands[scene_key(look.scene)])
            self._bands[scene_key(look.scene)] = []
            look.missing = max(look.missing, 100 - valid_percent(look.patches) if look.patches else 100.0)
            look.not_clear = max(look.not_clear, look.missing)
            if self._is_clear(candidate) and not has_mask(look.scene):
                yield from self._judge(candidate)
        if not self._is_clear(candidate):
            look.patches, look.mask = [], None
        return self._is_clear(candidate)

    def _judge(self, candidate: Candidate) -> Steps[None]:
        """Judge the clouds of a scene without a mask by its reflectance: under an offset that its pixels bear out.

        Under a wrong one clear ground is as bright as cloud, or haze as dark as ground; a scene that is refused is not judged.
        """
        look = self._look(candidate.scene)
        if (yield from self._is_right(candidate, self._others[candidate.scene.sensor])):
            look.judgement = judge_clouds(find_sensor(look.scene.sensor), look.patches)
            look.not_clear = max(look.not_clear, look.judgement.not_clear_percent if look.judgement else 0.0)

    def _look(self, scene: SourceScene) -> Look:
        """What the mask of a scene says, or that of the copy that stands in for it; it was wished before."""
        scene = self._stand_ins.scene(scene)
        if scene_key(scene) not in self._looks:
            look = Look(scene)
            if has_mask(scene):
                (look.mask,) = unless_failed(self._masks[scene_key(scene)])
                look.shares = mask_shares(look.mask.pixels[0], look.mask.key)
                look.not_clear = look.shares.not_clear
                look.missing = _missing_percent(look.mask)
                self._masks[scene_key(scene)] = []
            if look.not_clear > self._limits.max_cloud:
                look.mask = None
            self._looks[scene_key(scene)] = look
        return self._looks[scene_key(scene)]

    def _failure(self) -> Steps[Failure]:
        place, window = place_in_words(self._location), self._window.text
        for sensor, candidates in self._candidates.items():
            if not candidates:
                return self._failed(
                    sensor,
                    "no-scene",
                    f"No scene of {sensor} over {place} in {window}. "
                    f"Widen --start, --end or --window-days, or choose another --source.",
                )
        yield from self._see_all()
        best = {
            sensor: min(candidates, key=lambda c: self._look(c.scene).not_clear)
            for sensor, candidates in self._candidates.items()
        }
        for sensor, candidate in best.items():
            look = self._look(candidate.scene)
            if look.not_clear > self._limits.max_cloud:
                return self._failed(
                    sensor,
                    "not-clear",
                    f"No scene of {sensor} over {place} has at most {self._limits.max_cloud:g} % "
                    f"cloud or missing pixels in {window}: {_clearest(len(self._candidates[sensor]))} has "
                    f"{_not_clear_in_words(look)}. Widen --window-days or the dates, or raise --max-cloud.",
                )
        return self._refused() or self._too_far_apart()

    def _refused(self) -> Failure | None:
        """The failure of a sensor all of whose clear scenes, and the copies used for them, contradict their offsets."""
        for sensor, candidates in self._candidates.items():
            clear = [self._look(candidate.scene) for candidate in self._replaced(candidates) if self._is_clear(candidate)]
            if all(look.refusal for look in clear):
                believe = (
                    ", or give --radiometry pixels to believe the pixels" if any(look.is_believable for look in clear) else ""
                )
                alike = f"{len(clear)} of {len(candidates)} candidates {'is' if len(clear) == 1 else 'are'} like that"
                return self._failed(
                    sensor,
                    "radiometry",
                    f"No clear scene of {sensor} over {place_in_words(self._location)} in {self._window.text} has an offset "
                    f"that its pixels bear out: {clear[0].refusal}; {alike}. "
                    f"Widen the dates or choose another --source{believe}.",
                )
        return None

    def _too_far_apart(self) -> Failure:
        clear = {sensor: list(filter(self._is_usable, self._replaced(found))) for sensor, found in self._candidates.items()}
        nearest = next(order_combinations(clear, None, self._is_clear))
        days = spread(nearest).total_seconds() / 86400
        return self._failed(
            "+".join(clear),
            "too-far-apart",
            f"The clear scenes over {place_in_words(self._location)} nearest to each other in {self._window.text} "
            f"are {days:.1f} days apart; --max-delta-days allows {self._limits.max_delta_days:g}. Raise it.",
        )

    def _failed(self, sensor: str, reason: str, message: str) -> Failure:
        return Failure(self._location.id, self._window.season, sensor, reason, message)


def _missing_percent(mask: Patch) -> float:
    """Share of a mask that says there is no measurement, percent."""
    fill = next((band.nodata for band in mask.bands if band.nodata is not None), None)
    return 0.0 if fill is None else 100 * float(np.mean(mask.pixels[0] == fill))


def _clearest(count: int) -> str:
    return f"the clearest of {count} candidates" if count > 1 else "the only candidate"


def _not_clear_in_words(look: Look) -> str:
    """How much of a square is of no use, and what of it is no cloud but never measured."""
    share, missing = f"{look.not_clear:.1f} %", f"{look.missing:.1f} %"
    if missing == "0.0 %":
        return share
    if missing == share:
        return f"{share}, all of it pixels without a measurement, as beyond the edge of a swath or of a file"
    return f"{share}: {look.not_clear - look.missing:.1f} % cloud or shadow, {missing} pixels without a measurement"


def unreadable(location: Location, window: DateWindow, sensors: Mapping[str, object], error: SourceUnavailableError) -> Failure:
    """The failure of a date window whose source does not answer: the same command tries it again."""
    message = f"{place_in_words(location)} in {window.text}: {error}"
    return Failure(location.id, window.season, "+".join(sensors), "unreadable", message, transient=True)


def place_in_words(location: Location) -> str:
    """A location for people: its id, and where it is."""
    lon, lat = to_lonlat(*location.centre_xy, location.zone)
    north, east = "N" if lat[0] >= 0 else "S", "E" if lon[0] >= 0 else "W"
    return f"location {location.id} ({abs(lat[0]):.2f}{north}, {abs(lon[0]):.2f}{east})"

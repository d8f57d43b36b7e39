"""One date window of one location: which pixels to look at next, and in the end which scenes to keep or why there are none.

Nothing is read here. A decision is a generator: it yields what it wishes to see, is sent what was read, and so on until it
knows. Masks are wished before measurements, measurements only of scenes that are clear over the square; what could not be
read counts only where the decision rests on it. So whoever reads may do it for many decisions at once, in any order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from catalogs.foreign import SourceScene
from catalogs.journal import Failure
from catalogs.lattice import to_lonlat
from catalogs.masks import MaskShares, mask_shares
from catalogs.records import Location
from catalogs.writer import Patch
from curate.choose import Candidate, are_many, order_combinations, spread
from curate.errors import SourceUnavailableError
from curate.fetch import has_mask, valid_percent
from curate.seasons import DateWindow

Answer = list[Patch] | SourceUnavailableError
"""What was read of a scene: its mask, or its measurements by pixel size; or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Scenes that a decision needs to see before it goes on; it is sent one `Answer` for each, in this order."""

    scenes: tuple[SourceScene, ...]
    """All of which may be read at once."""
    masks: bool
    """Whether their masks are meant, or their measurements."""


@dataclass
class Look:
    """What was learned of one scene over the square."""

    scene: SourceScene
    """Which."""
    mask: Patch | None = None
    """Its own classification; none where it has none, and dropped where it is not clear."""
    shares: MaskShares | None = None
    """Of the mask."""
    patches: list[Patch] = field(default_factory=list)
    """Its measurements, once they are read; dropped where too many are missing."""
    not_clear: float = 0.0
    """Share of the square that is not clear or not measured, percent."""


Given = TypeVar("Given")
Steps = Generator[Wish, Sequence[Answer], Given]
"""Wishes out, answers in, and something in the end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decision holds scenes against."""

    max_cloud: float
    """Greatest share of the square that may be not clear, percent."""
    max_delta_days: float | None
    """Greatest time between the sensors of one season, days."""


class Decision:
    """One date window of one location."""

    def __init__(
        self, location: Location, window: DateWindow, candidates: Mapping[str, Sequence[Candidate]], limits: Limits
    ) -> None:
        """Decide nothing yet.

        Args:
            location: Where.
            window: When.
            candidates: Scenes of the window by sensor, one per acquisition.
            limits: What they are held against.
        """
        self._location = location
        self._window = window
        self._limits = limits
        self._candidates = candidates
        self._masks: dict[str, Answer] = {}
        self._bands: dict[str, Answer] = {}
        self._looks: dict[str, Look] = {}

    def steps(self) -> Steps[list[Look] | Failure]:
        """The first combination that is clear, one scene per sensor, or why there is none."""
        try:
            return (yield from self._choose())
        except SourceUnavailableError as error:
            return unreadable(self._location, self._window, self._candidates, error)

    def _choose(self) -> Steps[list[Look] | Failure]:
        if are_many(self._candidates):
            yield from self._see_all()
        for combination in order_combinations(self._candidates, self._limits.max_delta_days, self._is_clear):
            if (yield from self._are_clear(combination)) and (yield from self._are_whole(combination)):
                return [self._look(candidate.scene) for candidate in combination]
        return (yield from self._failure())

    def _are_clear(self, combination: Sequence[Candidate]) -> Steps[bool]:
        for candidate in combination:
            yield from self._see([candidate])
            if not self._is_clear(candidate):
                return False
        return True

    def _are_whole(self, combination: Sequence[Candidate]) -> Steps[bool]:
        """Fetch the measurements; too many missing ones count as not clear."""
        new = tuple(candidate.scene for candidate in combination if _name(candidate.scene) not in self._bands)
        if new:
            self._bands.update(zip(map(_name, new), (yield Wish(new, masks=False)), strict=True))
        return all(self._is_whole(candidate) for candidate in combination)

    def _see_all(self) -> Steps[None]:
        yield from self._see([candidate for candidates in self._candidates.values() for candidate in candidates])

    def _see(self, candidates: Sequence[Candidate]) -> Steps[None]:
        """Wish the masks that were not looked at yet."""
        scenes = [candidate.scene for candidate in candidates]
        new = tuple(scene for scene in scenes if has_mask(scene) and _name(scene) not in self._masks)
        if new:
            self._masks.update(zip(map(_name, new), (yield Wish(new, masks=True)), strict=True))

    def _is_clear(self, candidate: Candidate) -> bool:
        return self._look(candidate.scene).not_clear <= self._limits.max_cloud

    def _is_whole(self, candidate: Candidate) -> bool:
        look = self._look(candidate.scene)
        if not look.patches and self._is_clear(candidate):
            look.patches = _unless_failed(self._bands[_name(candidate.scene)])
            self._bands[_name(candidate.scene)] = []
            look.not_clear = max(look.not_clear, 100 - valid_percent(look.patches) if look.patches else 100.0)
        if not self._is_clear(candidate):
            look.patches, look.mask = [], None
        return self._is_clear(candidate)

    def _look(self, scene: SourceScene) -> Look:
        """What the mask of a scene says; it was wished before."""
        if _name(scene) not in self._looks:
            look = Look(scene)
            if has_mask(scene):
                (look.mask,) = _unless_failed(self._masks[_name(scene)])
                look.shares = mask_shares(look.mask.pixels[0], look.mask.key)
                look.not_clear = look.shares.not_clear
                self._masks[_name(scene)] = []
            if look.not_clear > self._limits.max_cloud:
                look.mask = None
            self._looks[_name(scene)] = look
        return self._looks[_name(scene)]

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
            share = self._look(candidate.scene).not_clear
            if share > self._limits.max_cloud:
                return self._failed(
                    sensor,
                    "not-clear",
                    f"No scene of {sensor} over {place} has at most {self._limits.max_cloud:g} % "
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
            f"The clear scenes over {place_in_words(self._location)} nearest to each other in {self._window.text} "
            f"are {days:.1f} days apart; --max-delta-days allows {self._limits.max_delta_days:g}. Raise it.",
        )

    def _failed(self, sensor: str, reason: str, message: str) -> Failure:
        return Failure(self._location.id, self._window.season, sensor, reason, message)


def unreadable(location: Location, window: DateWindow, sensors: Mapping[str, object], error: SourceUnavailableError) -> Failure:
    """The failure of a date window whose source does not answer: the same command tries it again."""
    message = f"{place_in_words(location)} in {window.text}: {error}"
    return Failure(location.id, window.season, "+".join(sensors), "unreadable", message, transient=True)


def place_in_words(location: Location) -> str:
    """A location for people: its id, and where it is."""
    lon, lat = to_lonlat(*location.centre_xy, location.zone)
    north, east = "N" if lat[0] >= 0 else "S", "E" if lon[0] >= 0 else "W"
    return f"location {location.id} ({abs(lat[0]):.2f}{north}, {abs(lon[0]):.2f}{east})"


def _name(scene: SourceScene) -> str:
    return f"{scene.sensor}/{scene.id}"


def _unless_failed(answer: Answer) -> list[Patch]:
    if isinstance(answer, SourceUnavailableError):
        raise answer
    return answer

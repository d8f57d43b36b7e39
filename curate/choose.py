"""Candidate scenes to chosen scenes. Pure.

Acquisitions are told apart from their copies, each season's candidates are put in the order in which they are worth
reading, and across sensors those nearest to each other in time come first.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from math import prod

from catalogs.foreign import SourceScene
from curate.seasons import DateWindow

SAME_PASS = timedelta(minutes=10)
"""Scenes of one platform this near in time are one acquisition, seen in several tiles or processed several times."""
SAME_PASS_ELSEWHERE = timedelta(minutes=45)
"""As `SAME_PASS`, of scenes of two sources: of one Sentinel-2 acquisition some state when its tile was taken, others when its
whole strip was begun, up to half an hour before. Nothing sees the same ground again within an orbit of 95 minutes."""
SAME_FLIGHT_ELSEWHERE = timedelta(days=1)
"""As `SAME_PASS_ELSEWHERE`, where no platform is stated: of an aerial image many sources know no more than the day."""
UNKNOWN_CLOUD = 50.0
"""Where a scene without stated cloud cover stands in the order."""
MANY = 50_000
"""Above this many combinations of sensors, cloudy scenes are dropped before combinations are formed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scene that may answer for a location."""

    scene: SourceScene
    """As its source describes it."""
    covers: bool
    """Whether its footprint holds the whole square."""
    copies: tuple[SourceScene, ...] = ()
    """The same acquisition otherwise: in other tiles, processed otherwise, or from another provider."""


def merge_copies(candidates: Sequence[Candidate], epsg: int) -> list[Candidate]:
    """One candidate per acquisition: overlapping tiles and reprocessings of one pass are one scene, as are copies elsewhere.

    Of the copies the one that covers the square comes first, then that of the preferred source, even if it has to be brought
    from another zone and the other is in the location's own, then the one in the location's own UTM zone, then the newest
    processing, then by id. A vintage is always its own.

    Args:
        candidates: All of one sensor.
        epsg: The location's UTM zone.
    """
    passes: list[_Pass] = []
    recent: list[_Pass] = []
    for candidate in sorted(candidates, key=_time_and_id):
        recent = [each for each in recent if middle(candidate.scene) - middle(each.last) <= SAME_FLIGHT_ELSEWHERE]
        known = next((each for each in reversed(recent) if each.takes(candidate.scene)), None)
        if known is None:
            known = _Pass(candidate)
            passes.append(known)
        else:
            known.add(candidate, epsg)
            recent.remove(known)
        recent.append(known)  # the one seen last is asked first
    return sorted((each.best for each in passes), key=_time_and_id)


class _Pass:
    """One acquisition while its copies are gathered, in the order of time."""

    def __init__(self, first: Candidate) -> None:
        self.best = first
        self.last = first.scene
        self._platform = first.scene.platform
        self._last_of_source = {first.scene.source: first.scene}

    def takes(self, scene: SourceScene) -> bool:
        """Whether a scene, the last one so far, shows the same acquisition.

        Two scenes of one source are told apart by that source's own times, whatever lies between them of another. A platform
        that a source leaves open may be any that another states.
        """
        if scene.datetime is None or self.last.datetime is None:
            return False
        same = self._last_of_source.get(scene.source)
        if same is not None and (same.platform != scene.platform or middle(scene) - middle(same) > SAME_PASS):
            return False
        if scene.platform != self._platform and scene.platform and self._platform:
            return False
        return middle(scene) - middle(self.last) <= self._limit(scene)

    def _limit(self, scene: SourceScene) -> timedelta:
        if scene.source == self.last.source:
            return SAME_PASS
        return SAME_PASS_ELSEWHERE if scene.platform or self._platform else SAME_FLIGHT_ELSEWHERE

    def add(self, candidate: Candidate, epsg: int) -> None:
        """Take in a copy."""
        self.best = _merge(self.best, candidate, epsg)
        self.last = candidate.scene
        self._platform = self._platform or candidate.scene.platform
        self._last_of_source[candidate.scene.source] = candidate.scene


def _merge(one: Candidate, other: Candidate, epsg: int) -> Candidate:
    best, rest = sorted((one, other), key=lambda copy: _preference(copy, epsg), reverse=True)
    return replace(best, copies=(*best.copies, rest.scene, *rest.copies))


def in_window(candidates: Sequence[Candidate], window: DateWindow) -> list[Candidate]:
    """Candidates of a date window; a vintage interval that overlaps it counts."""
    return [
        candidate for candidate in candidates if _first(candidate.scene) < window.end and _last(candidate.scene) >= window.start
    ]


def order_combinations(
    by_sensor: Mapping[str, Sequence[Candidate]], max_delta_days: float | None, is_clear: Callable[[Candidate], bool]
) -> Iterator[tuple[Candidate, ...]]:
    """Combinations of one candidate per sensor, those nearest in time first, then the least cloudy as stated by the source.

    The order is held as four bytes a combination: many seasons wait in the middle of theirs at once.

    Args:
        by_sensor: Candidates of one season.
        max_delta_days: The greatest time between any two sensors, days; no limit where absent.
        is_clear: Judges a candidate by its pixels; asked beforehand only where combinations are many.
    """
    groups = [list(group) for group in by_sensor.values()]
    if are_many(by_sensor):
        groups = [[candidate for candidate in group if is_clear(candidate)] for group in groups]
    for place in _order(groups, max_delta_days):
        combination, rest = [], place
        for group in reversed(groups):
            rest, within = divmod(rest, len(group))
            combination.append(group[within])
        yield tuple(reversed(combination))


def are_many(by_sensor: Mapping[str, Sequence[Candidate]]) -> bool:
    """Whether so many combinations are there that `order_combinations` asks for the clear candidates first."""
    return prod(len(group) for group in by_sensor.values()) > MANY


def _order(groups: Sequence[Sequence[Candidate]], max_delta_days: float | None) -> array[int]:
    """Places of combinations in the product of the groups, in the order in which they are worth reading."""
    limit = timedelta(days=max_delta_days) if max_delta_days is not None else timedelta.max
    combinations = ((spread(combination), place, combination) for place, combination in enumerate(product(*groups)))
    near = [each for each in combinations if each[0] <= limit]
    return array("I", (place for _, place, _ in sorted(near, key=lambda each: (each[0], *_stated(each[2])))))


def spread(combination: Sequence[Candidate]) -> timedelta:
    """Time between the first and the last of several acquisitions; within a vintage interval it is zero."""
    latest_start = max(_first(candidate.scene) for candidate in combination)
    earliest_end = min(_last(candidate.scene) for candidate in combination)
    return max(latest_start - earliest_end, timedelta(0))


def middle(scene: SourceScene) -> datetime:
    """When a scene was taken; of a vintage the middle of its interval."""
    return _first(scene) + (_last(scene) - _first(scene)) / 2


def _first(scene: SourceScene) -> datetime:
    when = scene.datetime or scene.start_datetime
    assert when is not None, f"scene {scene.id} has no time"
    return when


def _last(scene: SourceScene) -> datetime:
    when = scene.datetime or scene.end_datetime
    assert when is not None, f"scene {scene.id} has no time"
    return when


def _time_and_id(candidate: Candidate) -> tuple[datetime, str]:
    return middle(candidate.scene), candidate.scene.id


def _preference(candidate: Candidate, epsg: int) -> tuple[bool, int, bool, str, str, str]:
    scene = candidate.scene
    return candidate.covers, -scene.rank, scene.epsg == epsg, scene.baseline or "", scene.created or "", scene.id


def _stated(combination: Sequence[Candidate]) -> tuple[float, list[tuple[datetime, str]]]:
    clouds = [candidate.scene.cloud_percent for candidate in combination]
    total = sum(UNKNOWN_CLOUD if cloud is None else cloud for cloud in clouds)
    return total, [_time_and_id(candidate) for candidate in combination]

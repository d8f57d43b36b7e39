"""What earlier runs of a build made of locations that they did in part: the seasons that are not done again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalogs.earlier_items import EarlierItems
from catalogs.fields import LOCATION, SEASON
from catalogs.journal import NO_SEASON, Failure
from catalogs.records import Location
from catalogs.scene_writer import SceneWriter
from catalogs.writer import CatalogWriter


@dataclass(frozen=True)
class EarlierSeasons:
    """Seasons that are not done again, of locations of which others are."""

    _items: EarlierItems
    failures: Mapping[str, Sequence[Failure]]
    """Theirs, by the id of the location."""

    @classmethod
    def of(cls, writer: CatalogWriter, again: Mapping[str, frozenset[int]]) -> EarlierSeasons:
        """Of some locations, with the seasons to do again of each."""
        failures: dict[str, list[Failure]] = defaultdict(list)
        for failure in writer.failures:
            if failure.season not in again.get(failure.location, frozenset({failure.season})):
                failures[failure.location].append(failure)
        return cls(writer.items_of(again, lambda item: _season(item) not in again[item["properties"][LOCATION]]), failures)

    def close(self) -> None:
        """Let go of what holds the items."""
        self._items.close()

    def settle(
        self, location: Location, items: Sequence[Mapping[str, Any]], scenes: SceneWriter
    ) -> Sequence[Mapping[str, Any]]:
        """Items of a location, the new ones each as the last season has it that keeps its scene, be it one of an earlier run.

        Without this, a scene that seasons share would state whichever was done last, and the bytes would tell of the retry.

        Args:
            location: Where.
            items: In row form, of the seasons that were done again; their files are written.
            scenes: Writes the JSON of those that change once more.
        """
        earlier = self._items.get(location.id)
        if not earlier:
            return items
        last: dict[tuple[str, str], int] = {}
        for item in (*earlier, *items):
            last[_name(item)] = max(_season(item), last.get(_name(item), NO_SEASON))
        settled = [_of_season(item, last[_name(item)]) for item in items]
        for item, each in zip(items, settled, strict=True):
            if each is not item:
                scenes.write_last(location, [item, each])
        return [*earlier, *settled]


def _name(item: Mapping[str, Any]) -> tuple[str, str]:
    """What tells an item from all others of a catalog."""
    return item["collection"], item["id"]


def _season(item: Mapping[str, Any]) -> int:
    """The date window that an item states; `NO_SEASON` of a static layer's."""
    season: int = item["properties"].get(SEASON, NO_SEASON)
    return season


def _of_season(item: Mapping[str, Any], season: int) -> Mapping[str, Any]:
    return item if season == _season(item) else {**item, "properties": {**item["properties"], SEASON: season}}

"""Several collections of one sensor as one: each tile of an acquisition comes from the first that has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalogs.foreign import SourceScene
from curate.choose import SAME_PASS, middle

SAME_TILE = 0.5
"""Share of the smaller of two footprints that two copies of one tile have in common at least; neighbours share a tenth, and the
two halves of a tile that was received in two strips next to nothing."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A scene that another collection may have as well."""

    scene: SourceScene
    """As its item describes it."""
    rank: int
    """Of its collection, the preferred one's 0."""
    tile: str | None
    """Code of its tile in a grid that all its collections use (`grid:code`), where its item states one."""


def without_copies(copies: Iterable[Copy]) -> Iterator[SourceScene]:
    """The scenes of the preferred collection, and of each further one those of which no earlier one has the tile.

    Two scenes of one platform, within ten minutes, are one acquisition, as for `curate.choose.merge_copies`; those of one
    collection are never taken for copies of each other.

    Args:
        copies: All of one sensor, cloudy ones too: an acquisition whose preferred copy is left out for its clouds is no gap.
    """
    kept: dict[tuple[str | None, int], list[Copy]] = defaultdict(list)
    for copy in sorted(copies, key=lambda copy: copy.rank):
        platform, slot = copy.scene.platform, int(middle(copy.scene).timestamp() // SAME_PASS.total_seconds())
        earlier = [other for near in (slot - 1, slot, slot + 1) for other in kept[platform, near]]
        if any(other.rank < copy.rank and _is_same(other, copy) for other in earlier):
            continue
        kept[platform, slot].append(copy)
        yield copy.scene


def _is_same(one: Copy, other: Copy) -> bool:
    if abs(middle(one.scene) - middle(other.scene)) > SAME_PASS:
        return False
    are_told = bool(one.tile and other.tile)
    may_be = one.tile == other.tile if are_told else one.scene.epsg == other.scene.epsg
    return may_be and _overlap(one, other) >= SAME_TILE


def _overlap(one: Copy, other: Copy) -> float:
    from shapely.geometry import shape

    first, second = shape(dict(one.scene.footprint)), shape(dict(other.scene.footprint))
    smaller = min(first.area, second.area)
    return float(first.intersection(second).area / smaller) if smaller else 0.0

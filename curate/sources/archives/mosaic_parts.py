"""Parts of mosaics: the files that a band is put together from, with their footprints, so that a square finds its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from catalogs.foreign import BandPart, SourceScene
from catalogs.wkb import to_wkb
from curate.sources.protocol import LonLatBox

TREES_IN_MEMORY = 64
"""Of footprints: those of a mosaic's bands are the same, over all locations of a grid square."""


def parts_of(scenes: Sequence[SourceScene], names: Iterable[str]) -> dict[str, tuple[BandPart, ...]]:
    """The parts of a mosaic's bands, by name.

    Args:
        scenes: That it is made of; of those of one id, the last.
        names: Of bands that all of them have.
    """
    found = {scene.id: scene for scene in scenes}
    held = [(id_, found[id_].bands, to_wkb(found[id_].footprint)) for id_ in sorted(found)]
    return {name: tuple(BandPart(id_, bands[name], outline) for id_, bands, outline in held) for name in names}


def parts_over(parts: Sequence[BandPart], boxes: Sequence[LonLatBox]) -> tuple[BandPart, ...]:
    """The parts that touch any of some boxes, in their order."""
    from shapely import box as rectangle

    tree = _tree(tuple(part.footprint for part in parts))
    touching = tree.query([rectangle(*box) for box in boxes], "intersects")[1]
    return tuple(parts[number] for number in sorted({int(number) for number in touching}))


@lru_cache(maxsize=TREES_IN_MEMORY)
def _tree(footprints: tuple[bytes, ...]) -> Any:
    """Footprints as shapely's STRtree."""
    import shapely

    return shapely.STRtree(shapely.from_wkb(footprints))


def narrow_parts(scene: SourceScene, boxes: Sequence[LonLatBox]) -> SourceScene:
    """A scene with those parts alone that touch any of some boxes; itself where its bands are files.

    Where none does, all are kept: a band without parts would be asked for again.
    """
    if not any(band.parts for band in scene.bands.values()):
        return scene
    bands = {name: replace(band, parts=parts_over(band.parts, boxes) or band.parts) for name, band in scene.bands.items()}
    return replace(scene, bands=bands)


def add_parts(scene: SourceScene, other: SourceScene) -> SourceScene:
    """A mosaic as it was found in one place, with the parts and the ground of what was found of it in another."""
    from shapely import unary_union
    from shapely.geometry import mapping, shape

    if not any(band.parts for band in scene.bands.values()):
        return scene
    bands = {
        name: replace(band, parts=_each_once([*other.bands[name].parts, *band.parts]))
        for name, band in scene.bands.items()
        if name in other.bands
    }
    ground = unary_union([shape(dict(each.footprint)) for each in (scene, other)])
    return replace(scene, bands=bands, footprint=mapping(ground))


def _each_once(parts: Iterable[BandPart]) -> tuple[BandPart, ...]:
    found = {part.id: part for part in parts}
    return tuple(found[id_] for id_ in sorted(found))

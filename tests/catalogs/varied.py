"""Small catalogs whose items differ from each other, for what reads many of them at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from catalogs import Catalog, Items, layout
from catalogs.bands import find_sensor
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Location
from catalogs.stack import Stack
from catalogs.testing import make_locations, make_scene
from catalogs.writer import CatalogWriter, Patch

SENSOR = "sentinel-2-l2a"
Change = Callable[[int, int, list[Patch]], list[Patch]]
"""(location, season, patches) to other patches."""


def make_varied(
    folder: Path, change: Change, *, locations: Sequence[Location] | None = None, sensor: str = SENSOR, seasons: int = 2
) -> Path:
    """Write a catalog whose items are changed before they are written."""
    squares = list(locations or make_locations(2))
    record = find_sensor(sensor)
    folder.mkdir(parents=True, exist_ok=True)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_section(folder, "build", {"source": "test", "sensors": [sensor], "seasons": seasons})
    write_locations(folder / layout.LOCATIONS, squares)
    writer = CatalogWriter(folder, squares, {sensor: record.bands}, description="A catalog for tests.")
    for number, location in enumerate(squares):
        items = []
        for season in range(seasons):
            scene, patches = make_scene(record, location, season, seed=100 * number + season)
            items.append(writer.write_scene(scene, change(number, season, patches)))
        writer.finish(location, items, [])
    writer.close()
    return folder


def unchanged(_location: int, _season: int, patches: list[Patch]) -> list[Patch]:
    return patches


def other_offsets(_location: int, season: int, patches: list[Patch]) -> list[Patch]:
    """Season 1 has another processing baseline: DN are lower by 1,000, and their offset is 0."""
    if season != 1:
        return patches
    return [
        patch
        if patch.is_mask
        else replace(
            patch,
            pixels=patch.pixels - patch.pixels.dtype.type(1000),
            bands=tuple(replace(band, offset=0.0) for band in patch.bands),
        )
        for patch in patches
    ]


def turned_round(location: int, _season: int, patches: list[Patch]) -> list[Patch]:
    """At location 1, the bands of every file come in the opposite order."""
    if location != 1:
        return patches
    return [replace(patch, pixels=patch.pixels[::-1].copy(), bands=patch.bands[::-1], sources=()) for patch in patches]


def without_bands(*names: str, location: int = 1) -> Change:
    """One location lacks some bands."""

    def change(number: int, _season: int, patches: list[Patch]) -> list[Patch]:
        if number != location:
            return patches
        left = []
        for patch in patches:
            kept = [place for place, band in enumerate(patch.bands) if band.name not in names]
            bands = tuple(patch.bands[place] for place in kept)
            left += [replace(patch, pixels=patch.pixels[kept], bands=bands, sources=())] if kept else []
        return left

    return change


def one_by_one(catalog: Catalog, items: Items, stack: Stack) -> None:
    """Hold a stack against the slow way: every item's record, read by itself."""
    arrays = stack.empty()
    assert len(stack) == len(items)
    for number, scene in enumerate(items):
        for array in arrays:
            array[...] = 1
        stack.read_into(number, arrays)
        known = {band.name: band for raster in scene.rasters if not raster.is_mask for band in raster.bands}
        for layer, array in zip(stack.layers, arrays, strict=True):
            expected = catalog.read(scene, layer.bands)
            assert array.dtype == expected.dtype == layer.data_type
            assert (array == expected).all()
            assert layer.nodata == tuple(known[name].nodata for name in layer.bands)
        for values, name in ((stack.scale, "scale"), (stack.offset, "offset")):
            assert (values[number] == np.float32([getattr(known[band], name) for band in stack.bands])).all()

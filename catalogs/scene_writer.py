"""Writing the files of one scene: its assets, then its item. What any process may do, many at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs import layout
from catalogs.pixels import encode_raster, multihash, write_raster, write_whole
from catalogs.records import UNKNOWN_LABEL, Band, Grid, Location, Raster, Scene, SourceWindow
from catalogs.targets import Target
from catalogs.to_stac import link_item, scene_to_item

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Patch:
    """The pixels of one raster of a scene, before they are a file."""

    key: str
    """Asset key."""
    pixels: NDArray[Any]
    """(bands, height, width), native type."""
    bands: tuple[Band, ...]
    """What they are, scale and offset as of this scene."""
    grid: Grid
    """On the location's square."""
    sources: tuple[SourceWindow, ...] = ()
    """One per band."""
    resampling: str | None = None
    """Kernel of the warp, if there was one."""
    is_mask: bool = False
    """A classification or quality raster, or labels."""
    classes: tuple[str, ...] = ()
    """Names of the values of a label raster; see `label_patch`."""


@dataclass(frozen=True)
class SceneWriter:
    """Writes scenes of one catalog from any thread or process; `CatalogWriter` takes them into the catalog."""

    target: Target
    """Where to."""
    folders: layout.Layout
    """Where the locations of the whole catalog live."""
    json_items: bool = True
    """Whether each item is a JSON file too, or a row of the index alone."""

    def write_scene(self, scene: Scene, patches: Iterable[Patch]) -> dict[str, Any]:
        """Write the assets of a scene, then its JSON.

        Args:
            scene: Everything but its rasters.
            patches: Its pixels, one per asset.

        Returns:
            The item in row form, to be given to `CatalogWriter.finish` with its location's other items.

        Raises:
            OSError: The disk is full or cannot be written, or the target does not answer.
        """
        folder = self.folders.folder(scene.location)
        stem = layout.stem(scene.datetime, scene.start_datetime, scene.end_datetime)
        rasters, contents = [], {}
        for patch in patches:
            href = f"{folder}/{layout.asset_name(stem, patch.key)}"
            content = encode_raster(patch.pixels, patch.grid, patch.bands)
            contents[f"{scene.sensor}/{href}"] = content
            rasters.append(_as_raster(patch, href, multihash(content), len(content)))
        self.target.put_all(contents)
        return self.write_item(replace(scene, rasters=tuple(sorted(rasters, key=lambda raster: raster.key))))

    def write_item(self, scene: Scene) -> dict[str, Any]:
        """Write the JSON of a scene whose assets are written, by `write_patch` in whatever process.

        Returns:
            The item in row form, as `write_scene` gives it.
        """
        item = scene_to_item(scene)
        self._put_item(scene.location, item)
        return item

    def write_last(self, location: Location, items: Iterable[Mapping[str, Any]]) -> None:
        """Write the JSON of items that several seasons share once more, as the last of these has it, which the index keeps.

        Args:
            location: All of whose seasons are written, in whatever order.
            items: Theirs, in row form, in the order of the seasons.
        """
        last: dict[tuple[str, str], Mapping[str, Any]] = {}
        shared = set()
        for item in items:
            name = item["collection"], item["id"]
            if name in last:
                shared.add(name)
            last[name] = item
        for name in sorted(shared):
            self._put_item(location, last[name])

    def _put_item(self, location: Location, item: Mapping[str, Any]) -> None:
        if self.json_items:
            href = f"{item['collection']}/{self.folders.folder(location)}/{layout.item_name(item['id'])}"
            self.target.put(href, encode_document(link_item(item)))

    def sweep(self, sensor: str, location: Location, items: Iterable[Mapping[str, Any]]) -> None:
        """Remove files of a location that no item of it names: left by a run that was killed.

        Args:
            sensor: The collection.
            location: A finished location.
            items: All its items of any sensor, in row form.
        """
        mine = [item for item in items if item["collection"] == sensor]
        named = {asset["href"].rpartition("/")[2] for item in mine for asset in item["assets"].values()}
        named |= {layout.item_name(item["id"]) for item in mine}
        self.target.sweep(f"{sensor}/{self.folders.folder(location)}", named)


def write_patch(collection: Path, href: str, patch: Patch) -> Raster:
    """Write the file of one raster; safe to call from any process.

    Args:
        collection: The folder of its collection.
        href: The file, relative to that.
        patch: Its pixels.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    checksum, size = write_raster(collection / href, patch.pixels, patch.grid, patch.bands)
    return _as_raster(patch, href, checksum, size)


def label_patch(
    key: str, pixels: NDArray[np.uint8], classes: Sequence[str], grid: Grid, *, source: SourceWindow | None = None
) -> Patch:
    """Somebody's labels of each pixel, before they are a file.

    Args:
        key: `labels` or `change`.
        pixels: Numbers of classes, (height, width); 255 where nobody knows.
        classes: Their names, from 0.
        grid: On the location's square.
        source: Where they came from.
    """
    bands = (Band(key, grid.gsd, nodata=UNKNOWN_LABEL),)
    sources = () if source is None else (source,)
    return Patch(key, pixels[None], bands, grid, sources, is_mask=True, classes=tuple(classes))


def encode_document(content: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON file of a catalog."""
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole, unless it holds just that already."""
    text = encode_document(content)
    if not (path.exists() and path.read_bytes() == text):
        write_whole(path, text)


def _as_raster(patch: Patch, href: str, checksum: str, size: int) -> Raster:
    """The record of a raster that is written."""
    return Raster(
        patch.key,
        href,
        patch.bands,
        patch.grid,
        patch.pixels.dtype.name,
        checksum,
        size,
        patch.resampling,
        patch.sources,
        patch.is_mask,
        patch.classes,
    )

"""Small pictures of items, for people to look at: three bands, stretched, as JPEG within text."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from catalogs.bands import find_sensor
from catalogs.cache import cache_for
from catalogs.reader import open_catalog
from catalogs.stack import Stack, open_stack

if TYPE_CHECKING:
    from evaluate.result import Result

COLORS = ("red", "green", "blue")
SIDE_PX = 96
"""Of a picture at most."""
PERCENTILES = (2, 98)
"""Of what is measured: what becomes black, and what becomes the full colour."""
QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Items as pictures."""

    bands: tuple[str, ...]
    """What is seen as red, green and blue, or one band in grey."""
    by_id: dict[str, str]
    """`data:` addresses of JPEG files, by the ids of the items."""


def add_pictures(result: Result, catalog: str, *, cache: Path | None = None) -> Result:
    """Put pictures of the items beside the `neighbours` in the details of scores.

    Args:
        result: Scores, some of which may have `neighbours`: `items` as `evaluate.neighbours.find_nearest` gives them.
        catalog: Path or address of the catalog that was scored.
        cache: Folder that keeps what is fetched of a remote catalog.

    Returns:
        The result with `bands` and `pictures` in the `neighbours` of those scores.

    Raises:
        CatalogError: Pixels cannot be read.
    """
    shown = [_ids(score.details) for score in result.scores]
    if not any(shown):
        return result
    found = take_pictures(catalog, result.sensor, sorted(set().union(*shown)), cache=cache)
    scores = []
    for score, ids in zip(result.scores, shown, strict=True):
        pictures = {name: found.by_id[name] for name in sorted(ids)}
        told = {**score.details.get("neighbours", {}), "bands": list(found.bands), "pictures": pictures}
        scores.append(replace(score, details={**score.details, "neighbours": told}) if ids else score)
    return replace(result, scores=tuple(scores))


def take_pictures(href: str, sensor: str, ids: Sequence[str], *, cache: Path | None = None) -> Pictures:
    """Read items and make pictures of them, all stretched alike.

    Args:
        href: Path or address of a catalog.
        sensor: Id of the items' sensor.
        ids: Of the items, each once.
        cache: Folder that keeps what is fetched of a remote catalog.

    Raises:
        CatalogError: Pixels cannot be read.
    """
    catalog = open_catalog(href)
    table = catalog.items(sensor=sensor).table
    located = table.filter(pc.is_in(table["id"], value_set=pa.array(ids)))
    items = catalog.items(sensor=sensor, location=pc.unique(located["location"]).to_pylist())
    stack = open_stack(catalog, items, cache=cache_for(href, cache))
    bands = choose_colors(stack)
    stack = open_stack(catalog, items, bands, cache=cache_for(href, cache))
    places = pc.index_in(pa.array(ids), value_set=items.table["id"].combine_chunks()).to_pylist()
    images = stretch([_read(stack, place) for place in places])
    return Pictures(bands, {name: encode(image) for name, image in zip(ids, images, strict=True)})


def choose_colors(stack: Stack) -> tuple[str, ...]:
    """Bands to show as red, green and blue: those called so; else the first three of the finest; else one, in grey."""
    for layer in stack.layers:
        named = {band.common_name: band.name for band in find_sensor(stack.sensor).bands if band.name in layer.bands}
        if all(color in named for color in COLORS):
            return tuple(named[color] for color in COLORS)
    finest = stack.layers[0].bands
    return finest[:3] if len(finest) >= 3 else finest[:1]


def stretch(images: Sequence[NDArray[np.floating[Any]]]) -> list[NDArray[np.uint8]]:
    """Spread the values of each band over what can be seen, for all images alike.

    Args:
        images: (bands, height, width) each, NaN where nothing was measured; three bands or one.

    Returns:
        (height, width, bands) each, 0 to 255, and 0 where nothing was measured.
    """
    pooled = np.concatenate([image.reshape(len(image), -1) for image in images], axis=1)
    known = np.where(np.isfinite(pooled).any(axis=1, keepdims=True), pooled, 0)
    low, high = np.nanpercentile(known, PERCENTILES, axis=1)[..., None, None]
    spread = np.maximum(high - low, 1e-9)
    shares = [np.nan_to_num(np.clip((image - low) / spread, 0, 1)) for image in images]
    return [np.round(255 * share).astype(np.uint8).transpose(1, 2, 0) for share in shares]


def encode(image: NDArray[np.uint8]) -> str:
    """A picture as a `data:` address.

    Args:
        image: (height, width, 3 or 1).
    """
    from PIL import Image

    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _ids(details: Any) -> set[str]:
    """Of all items that the details of a score show."""
    items = details.get("neighbours", {}).get("items", [])
    return {each["id"] for item in items for each in (item, *item["nearest"])}


def _read(stack: Stack, place: int) -> NDArray[np.float64]:
    """Reflectance of an item, (bands, height, width), NaN where nothing was measured; all bands are of one layer."""
    (layer,), (pixels,) = stack.layers, stack.empty()
    stack.read_into(place, [pixels])
    values: NDArray[np.float64] = pixels.astype(np.float64)
    for band, nodata in zip(values, layer.nodata, strict=True):
        if nodata is not None:
            band[band == nodata] = np.nan
    values *= stack.scale[place][:, None, None]
    values += stack.offset[place][:, None, None]
    return values

"""Images of two catalogs that look alike, for where nobody knows the ground: candidates to look at, not proof.

An image becomes 8 x 8 means of one band, less their mean, to unit length; a gain or an offset, another size in pixels or
another compression change little of that. Among half of EuroSAT's images, 13,500 of 64 x 64 pixels, one of 91 million pairs is
nearer than 0.2, and 21 are nearer than 0.32. Of 90 copies, all 30 that were brought to another size and back are found, 29 of
30 with a gain and an offset, and 21 of 30 compressed anew at JPEG quality 40, which leaves little of an even forest. A shifted,
turned or cropped image is not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from catalogs.bands import find_sensor
from catalogs.cache import cache_for
from catalogs.console import progress
from catalogs.reader import open_catalog
from catalogs.stack import Stack, open_stack
from evaluate.errors import InputError
from evaluate.leakage import is_trained
from evaluate.reading import read_blocks

SIDE = 8
LARGEST_DISTANCE = 0.2
"""Between the thumbnails of images that are called alike; their correlation is 1 - distance^2 / 2, 0.98 here."""
BATCH_SIZE, ROWS = 64, 1024


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnails:
    """What images of a catalog look like."""

    items: pa.Table
    """`id`, `location` and `split` of each."""
    values: Tensor
    """(images, 64), mean 0 and unit length, float32; all 0 of an image that is the same everywhere, which is like no other."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Images of a labelled catalog that look like images of a pre-training catalog."""

    band: str
    """The one that was compared."""
    images: int
    """Of the labelled catalog."""
    pretrain_images: int
    """Of the pre-training catalog."""
    flat: int
    """Of both, how many are the same everywhere: nothing can be said of them."""
    pairs: pa.Table
    """`item`, `location`, `split`, `pretrain_item`, `pretrain_location`, `pretrain_split`, `trained` (whether pre-training
    reads that one) and `distance` (0 of one image up to gain and offset); in the order of the labelled catalog, nearest
    first."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "pairs"} | {"pairs": self.pairs.to_pylist()}


def compare_pixels(pretrain: str, catalog: str, band: str, *, workers: int = 0, quiet: bool = True) -> Alike:
    """Find the images of two catalogs that look alike, every item of one with every item of the other.

    Args:
        pretrain: Path or address of the catalog that weights were trained on.
        catalog: Path or address of the labelled one.
        band: Name of the band to compare, such as `B04`, or STAC's common name, such as `red`; of every sensor that has it.
        workers: Processes that read pixels; 0 reads in this one.
        quiet: Show no progress.

    Raises:
        InputError: A catalog has no sensor with that band.
        CatalogError: A catalog cannot be read, or an item lacks the band.
    """
    held, asked = (make_thumbnails(href, band, workers=workers, quiet=quiet) for href in (pretrain, catalog))
    rows, others, distance = find_alike(asked.values, held.values)
    mine, theirs = asked.items.take(pa.array(rows)), held.items.take(pa.array(others))
    pairs = {"item": mine["id"], "location": mine["location"], "split": mine["split"]}
    pairs |= {f"pretrain_{name}": column for name, column in zip(pairs, theirs.columns, strict=True)}
    pairs["trained"] = is_trained(held.items).take(pa.array(others))
    return Alike(
        band=band,
        images=len(asked.items),
        pretrain_images=len(held.items),
        flat=sum(int((~each.values.any(dim=1)).sum()) for each in (held, asked)),
        pairs=pa.table({**pairs, "distance": np.round(distance, 4)}),
    )


def make_thumbnails(href: str, band: str, *, workers: int = 0, quiet: bool = True) -> Thumbnails:
    """Look at one band of all items of a catalog; see `compare_pixels`."""
    catalog = open_catalog(href)
    named = {sensor: found for sensor in catalog.sensors if (found := _find_band(sensor, band))}
    if not named:
        has = "; ".join(f"{name}: {', '.join(each.name for each in find_sensor(name).bands)}" for name in catalog.sensors)
        raise InputError(f"{catalog} has no sensor with band {band!r}; it has {has or 'no sensor'}. Change --pixels.")
    tables, values = [], [torch.empty(0, SIDE**2)]
    for sensor, its_band in named.items():
        stack = open_stack(catalog, catalog.items(sensor=sensor), [its_band], cache=cache_for(href, None))
        tables.append(stack.items.select(["id", "location", "split"]))
        with progress(len(stack.items), f"Images of {catalog.document.get('id')}, {sensor}", quiet=quiet) as job:
            for part in _thumbnails(stack, workers=workers):
                values.append(part)
                job.advance(len(part))
    return Thumbnails(pa.concat_tables(tables), torch.cat(values))


def shrink(pixels: Tensor, nodata: float | None) -> Tensor:
    """Thumbnails of images of one band.

    Args:
        pixels: (images, height, width), any type.
        nodata: What is no measurement; where nothing else is, the image's mean stands in.

    Returns:
        (images, 64), mean 0 and unit length, float32; 0 of images that are the same everywhere.
    """
    values = pixels.double()
    measured = torch.isfinite(values) & (values != (float("nan") if nodata is None else nodata))
    weights = adaptive_avg_pool2d(measured.double(), SIDE)
    means = adaptive_avg_pool2d(torch.where(measured, values, 0), SIDE) / weights.clamp(min=1e-12)
    known = weights > 0
    middle = (means * known).sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1)
    spread = torch.where(known, means - middle[:, None, None], 0).flatten(1)
    length = spread.norm(dim=1, keepdim=True)
    flat = length <= 1e-9 * middle[:, None].abs().clamp(min=1e-9)
    return torch.where(flat, 0, spread / length.clamp(min=1e-300)).float()


def find_alike(
    asked: Tensor, held: Tensor, *, largest: float = LARGEST_DISTANCE
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the thumbnails that are near each other: every pair is looked at, as products of matrices.

    Args:
        asked: As `shrink` gives them, (images, 64).
        held: The others, (images, 64).
        largest: Distance up to which two are alike, below 1.

    Returns:
        Rows of `asked`, rows of `held`, and distances, (pairs,) each; by row of `asked`, nearest first.
    """
    found = [torch.empty(3, 0, dtype=torch.float64)]
    for start in range(0, len(asked), ROWS):
        for other in range(0, len(held), 64 * ROWS):
            cosine = asked[start : start + ROWS] @ held[other : other + 64 * ROWS].T
            rows, places = torch.nonzero(cosine >= 1 - largest**2 / 2, as_tuple=True)
            distance = (asked[start + rows].double() - held[other + places].double()).norm(dim=1)
            found.append(torch.stack([(start + rows).double(), (other + places).double(), distance]))
    rows, places, distance = torch.cat(found, dim=1).numpy()
    order = np.lexsort((places, distance, rows))
    return rows[order].astype(np.int64), places[order].astype(np.int64), distance[order]


def _find_band(sensor: str, band: str) -> str | None:
    """Name of a sensor's band of that name, or else of the first of that common name; none where it has neither."""
    bands = find_sensor(sensor).bands
    return next((each.name for each in bands if each.name == band), None) or next(
        (each.name for each in bands if each.common_name == band), None
    )


def _thumbnails(stack: Stack, *, workers: int) -> Iterator[Tensor]:
    """Of all items, block by block."""
    for _, (pixels,) in read_blocks(stack, np.arange(len(stack.items)), batch_size=BATCH_SIZE, workers=workers):
        yield shrink(pixels[:, 0], stack.layers[0].nodata[0])

"""A catalog with label rasters made ready: its question, and the pixels to answer it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from catalogs.cache import cache_for
from catalogs.items import Items
from catalogs.label_rasters import open_label_rasters
from catalogs.reader import Catalog, open_catalog
from catalogs.stack import Stack
from evaluate.band_matching import BandReader, Fill, check_white, read_fill, shows_pictures
from evaluate.bench import choose_sensor
from evaluate.dense_settings import DenseSettings
from evaluate.dense_shares import shuffle_labels
from evaluate.dense_task import DenseTask, make_dense_task
from evaluate.errors import InputError, LabelError
from evaluate.settings import WHITE
from train.config import InputSpec

CHANGE = "change"
"""Key of the label rasters that belong to pairs of items."""


@dataclass(frozen=True, eq=False)
class DenseBench:
    """Items of one sensor, some of them with a label raster."""

    catalog: Catalog
    """Where they are."""
    items: Items
    """All items of the sensor (and season): the rows of tables and stacks."""
    task: DenseTask
    """Which samples teach and which are tested, and the labels of their pixels."""
    stack: Stack
    """The items' pixels, with the bands for whatever says nothing of its own."""
    size_px: int
    """Side of the image for whatever says nothing of its own."""
    cache: Path | None = None
    """Folder that keeps what is fetched of a remote catalog."""
    fill: Fill = field(default_factory=dict)
    """What stands for bands that the catalog lacks."""
    white: float = WHITE
    """Reflectance that is white in a picture; see `Settings.white`."""

    def pixels(self, bands: Sequence[str], made_for: str | None = None) -> Stack:
        """The same items with the bands that weights ask for; see `BandReader.open`.

        Args:
            bands: As the weights call them.
            made_for: Id of the sensor that the weights were made for; the catalog's own where absent.

        Raises:
            MissingBandError: Some items lack one, and it is not filled.
            InputError: What is filled cannot be, or need not be.
        """
        sensor = self.stack.sensor
        if self.stack.bands == tuple(bands) and shows_pictures(made_for or sensor) == shows_pictures(sensor):
            return self.stack
        return BandReader(self.catalog, self.items, sensor, self.fill, self.white, self.cache).open(bands, made_for)


def open_dense_bench(href: str, settings: DenseSettings, like: InputSpec | None = None, *, key: str) -> DenseBench:
    """Open a catalog with label rasters.

    Args:
        href: Its path or address.
        settings: Sensor, season, classes, bands and size, as far as they are chosen.
        like: Input of the weights that decide what was left open.
        key: Of the label rasters; a sample of `change` is a pair of items.

    Raises:
        EvaluateError: Its label rasters cannot be asked about; see `make_dense_task`.
        CatalogError: It cannot be read, or lacks label rasters or a band.
    """
    if key == CHANGE and settings.season is not None:
        raise InputError(f"--season {settings.season} takes items of one date, and change is seen between two: leave it out.")
    catalog = open_catalog(href)
    sensor = settings.sensor or choose_sensor(catalog, like)
    items = catalog.items(sensor=sensor, season=settings.season)
    if not len(items):
        which = "" if settings.season is None else f" of season {settings.season}"
        raise LabelError(f"{catalog!r} has no item of {sensor}{which}. curate info counts what there is.")
    cache = cache_for(href, settings.cache)
    rasters = open_label_rasters(catalog, items, key, cache=cache)
    task = make_dense_task(items.table, rasters, classes=settings.classes, pairs=key == CHANGE)
    if settings.shuffle_labels:
        task = replace(task, train=shuffle_labels(task.train, seed=settings.seed))
    fill, white = read_fill(settings.fill), check_white(settings.white)
    stack = BandReader(catalog, items, sensor, fill, white, cache).chosen(settings.bands, like)
    size_px = settings.size_px or (like.size_px if like else stack.layers[0].height)
    return DenseBench(catalog, items, task, stack, size_px, cache, fill, white)

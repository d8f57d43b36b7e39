"""A catalog with label rasters made ready: its question, and the pixels to answer it by."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catalogs.label_rasters import open_label_rasters
from evaluate.dense_settings import DenseSettings
from evaluate.dense_shares import shuffle_labels
from evaluate.dense_task import DenseTask, make_dense_task
from evaluate.errors import InputError
from evaluate.opened import Opened, open_pixels, open_reader
from train.config import InputSpec

CHANGE = "change"
"""Key of the label rasters that belong to pairs of items."""


@dataclass(frozen=True, eq=False)
class DenseBench(Opened):
    """The same, some of the items with a label raster."""

    task: DenseTask
    """Which samples teach and which are tested, and the labels of their pixels."""


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
    reader = open_reader(href, settings, like)
    rasters = open_label_rasters(reader.catalog, reader.items, key, cache=reader.cache)
    task = make_dense_task(reader.items.table, rasters, classes=settings.classes, pairs=key == CHANGE)
    if settings.shuffle_labels:
        tuning = None if task.tuning is None else shuffle_labels(task.tuning, seed=settings.seed)
        task = replace(task, train=shuffle_labels(task.train, seed=settings.seed), tuning=tuning)
    opened = open_pixels(reader, settings, like)
    return DenseBench(reader, opened.stack, opened.size_px, task)

"""A labelled catalog made ready: its question, and the pixels to answer it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalogs.cache import cache_for
from catalogs.items import Items
from catalogs.reader import Catalog, open_catalog
from catalogs.stack import Stack
from evaluate.band_matching import BandReader, Fill, check_white, read_fill, shows_pictures
from evaluate.errors import InputError, LabelError
from evaluate.settings import WHITE, Settings
from evaluate.task import Task, make_task, shuffle_labels, taught_classes
from train.config import InputSpec


@dataclass(frozen=True, eq=False)
class Bench:
    """Items of one sensor with one label each."""

    catalog: Catalog
    """Where they are."""
    items: Items
    """All items of the sensor (and season), labelled or not, in the order of their ids: the rows of tables and stacks."""
    task: Task
    """Which of them teach and which are tested."""
    stack: Stack
    """Their pixels, with the bands for whatever says nothing of its own."""
    size_px: int
    """Side of the image for whatever says nothing of its own."""
    cache: Path | None = None
    """Folder that keeps what is fetched of a remote catalog."""
    fill: Fill = field(default_factory=dict)
    """What stands for bands that the catalog lacks."""
    white: float = WHITE
    """Reflectance that is white in a picture; see `Settings.white`."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Numbers of the items that teach, then of those that are tested, then of those that settings are chosen on."""
        return np.concatenate([part.items for part in (self.task.train, self.task.test, self.task.tuning) if part is not None])

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

    def at_most(self, count: int, *, seed: int) -> Bench:
        """The same with at most so many items in each part, drawn without replacement."""
        task = replace(self.task, train=self.task.train.some(count, seed=seed), test=self.task.test.some(count, seed=seed))
        return replace(self, task=task)


def open_bench(
    href: str, settings: Settings, like: InputSpec | None = None, *, only_taught: bool = False, tuning: bool = False
) -> Bench:
    """Open a labelled catalog.

    Args:
        href: Its path or address.
        settings: Sensor, season, classes, bands and size, as far as they are chosen.
        like: Input of the weights that decide what was left open.
        only_taught: Leave out, rather than refuse, test items of a class that no training item shows.
        tuning: Keep the items of `val` to choose settings on; see `make_task`.

    Raises:
        EvaluateError: Its items cannot be asked about; see `make_task`.
        CatalogError: It cannot be read, or lacks a band.
    """
    catalog = open_catalog(href)
    sensor = settings.sensor or choose_sensor(catalog, like)
    items = in_order(catalog.items(sensor=sensor, season=settings.season))
    if not len(items):
        which = "" if settings.season is None else f" of season {settings.season}"
        raise LabelError(f"{catalog!r} has no item of {sensor}{which}. curate info counts what there is.")
    classes = settings.classes or (taught_classes(items.table) if only_taught else None)
    task = make_task(items.table, classes=classes, tuning=tuning, multilabel=settings.multilabel)
    task = shuffle_labels(task, seed=settings.seed) if settings.shuffle_labels else task
    fill, white = read_fill(settings.fill), check_white(settings.white)
    cache = cache_for(href, settings.cache)
    stack = BandReader(catalog, items, sensor, fill, white, cache).chosen(settings.bands, like)
    size_px = settings.size_px or (like.size_px if like else stack.layers[0].height)
    return Bench(catalog, items, task, stack, size_px, cache, fill, white)


def in_order(items: Items) -> Items:
    """The items in the order of their ids, so that nothing that is drawn or measured hangs on the catalog's own order."""
    ids = np.asarray(items.table["id"].to_pylist(), dtype=np.str_)
    order = np.argsort(ids, kind="stable")
    return items if (np.diff(order) > 0).all() else Items(items.picks.at(order))


def choose_sensor(catalog: Catalog, like: InputSpec | None) -> str:
    """The sensor of the weights, or the only one."""
    if like and like.sensor in catalog.sensors:
        return like.sensor
    if len(catalog.sensors) == 1:
        return catalog.sensors[0]
    raise InputError(
        f"{catalog!r} has items of {', '.join(catalog.sensors) or 'no sensor'}. "
        f"Say which to score, such as --sensor {next(iter(catalog.sensors), 'sentinel-2-l2a')}."
    )

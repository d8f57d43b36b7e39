"""A labelled catalog made ready: its question, and the pixels to answer it by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluate.opened import Opened, open_pixels, open_reader
from evaluate.settings import Settings
from evaluate.task import Task, make_task, shuffle_labels, taught_classes
from train.config import InputSpec


@dataclass(frozen=True, eq=False)
class Bench(Opened):
    """The same, with labels to ask for."""

    task: Task
    """Which of the items teach and which are tested."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Numbers of the items that teach, then of those that are tested, then of those that settings are chosen on."""
        return np.concatenate([part.items for part in (self.task.train, self.task.test, self.task.tuning) if part is not None])

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
    reader = open_reader(href, settings, like)
    table = reader.items.table
    classes = settings.classes or (taught_classes(table) if only_taught else None)
    task = make_task(table, classes=classes, tuning=tuning, multilabel=settings.multilabel)
    task = shuffle_labels(task, seed=settings.seed) if settings.shuffle_labels else task
    opened = open_pixels(reader, settings, like)
    return Bench(reader, opened.stack, opened.size_px, task)

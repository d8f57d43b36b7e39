"""Processes that work for this one: for what holds Python's lock too much to gain from threads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 3
"""Tasks handed out per process, so that memory stays bounded."""


def map_unordered(work: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int) -> Generator[Result]:
    """Results of tasks, as they are done; close it early, and tasks that have not begun are dropped.

    Args:
        work: Picklable, as are tasks and results.
        tasks: Each long enough to be worth its way.
        workers: Processes; with one, the work is done in this process.

    Raises:
        BrokenProcessPool: A process was killed.
        Exception: What `work` raises.
    """
    if workers == 1:
        yield from map(work, tasks)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), prepare_worker)  # a fork of a process with threads may hang
    waiting = iter(tasks)
    running: set[Future[Result]] = set()
    try:
        while True:
            running |= {pool.submit(work, task) for task in islice(waiting, workers * AHEAD - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepare_worker() -> None:
    """Make this process a worker: an interrupt is its parent's affair, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only a process that was started by another ends with it"
    parent.join()
    os._exit(1)

"""Jobs on threads that nobody has to wait for: Ctrl-C ends them within a moment, whatever they wait for themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


def do_each(do: Callable[[Job], Done], jobs: Sequence[Job], *, at_once: int) -> Generator[Done]:
    """Do jobs, several at the same time; close it early, and what is not begun is dropped, what is in work left to itself.

    A pool of `concurrent.futures` waits for what is in work, and once more when the process ends, though a thread may be asleep
    for as long as a busy server has asked for.

    Args:
        do: Called with each job.
        jobs: In the order in which they are begun.
        at_once: Threads at most.

    Yields:
        What `do` has given, in the order of the jobs.

    Raises:
        Exception: What `do` raises, when its job's turn has come.
    """
    promised: list[tuple[Job, Future[Done]]] = [(job, Future()) for job in jobs]
    left = deque(promised)
    for number in range(min(at_once, len(jobs))):
        Thread(target=_work, args=(do, left), name=f"job-{number}", daemon=True).start()
    try:
        for _, done in promised:
            yield done.result()
    finally:
        left.clear()


def _work(do: Callable[[Job], Done], left: deque[tuple[Job, Future[Done]]]) -> None:
    """Do one job after the other until none is left."""
    while True:
        try:
            job, done = left.popleft()
        except IndexError:
            return
        try:
            done.set_result(do(job))
        except BaseException as error:  # noqa: BLE001 # raised again by the one who waits
            done.set_exception(error)

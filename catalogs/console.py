"""What the commands tell people and machines: words and progress on standard error, one JSON object on standard output."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any


def say(text: str, *, quiet: bool = False) -> None:
    """Tell the user a line on standard error.

    Args:
        text: One or more lines, without a newline at the end.
        quiet: Say nothing; the value of `--quiet`.
    """
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """Write a result for people to standard output."""
    print(text, flush=True)


def emit_json(result: Mapping[str, Any]) -> None:
    """Write a command's result for machines: one JSON object on standard output, keys in their order.

    Raises:
        TypeError: A value that JSON lacks, such as a path.
        ValueError: A number that JSON lacks, such as NaN.
    """
    print(json.dumps(result, ensure_ascii=False, allow_nan=False, indent=2), flush=True)


def counted(count: int, noun: str) -> str:
    """A number of things.

    Examples:
        >>> counted(1, "item"), counted(1200, "item")
        ('1 item', '1,200 items')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@dataclass
class Progress:
    """How far a long job is; may be advanced from several threads."""

    total: int
    """Things to do in all."""
    already: int = 0
    """Of these, done by an earlier run; they do not count for the rate."""
    ok: int = 0
    """Done by this run."""
    failed: int = 0
    """Given up by this run."""
    show: Callable[["Progress"], None] = lambda _: None
    """What draws it; called with every advance, never twice at once."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _started: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._started = self.clock()

    def advance(self, ok: int = 1, *, failed: int = 0) -> None:
        """Count what has just ended, and show it."""
        with self._lock:
            self.ok += ok
            self.failed += failed
            self.show(self)

    @property
    def done(self) -> int:
        """Things that need no further work, whether they went well or not."""
        return self.already + self.ok + self.failed

    def __str__(self) -> str:
        """Say it in words: `312/1000, 4.2/s, 3 failed, 2 min 44 s left`."""
        elapsed = self.clock() - self._started
        rate = (self.ok + self.failed) / elapsed if elapsed > 0 else 0.0
        left = self.total - self.done
        parts = [f"{self.done}/{self.total}", f"{rate:.1f}/s"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if left > 0:
            parts.append(f"{duration(left / rate)} left" if rate > 0 else "time left unknown")
        else:
            parts.append(f"took {duration(elapsed)}")
        return ", ".join(parts)


@contextmanager
def progress(
    total: int, description: str, *, already: int = 0, quiet: bool = False, every_s: float = 10.0
) -> Iterator[Progress]:
    """Show how far a job is, on standard error: a bar on a terminal, else a line now and then.

    Args:
        total: Things to do in all.
        description: What is done, such as `Building`.
        already: Of `total`, what an earlier run has done.
        quiet: Show nothing; nor is anything shown where there is nothing to do.
        every_s: Seconds between two lines where standard error is no terminal.

    Yields:
        What to advance, once per thing that has ended.
    """
    if quiet or not total:
        yield Progress(total, already)
        return
    with live(total, description, every_s=every_s) as show:
        job = Progress(total, already, show=lambda job: show(job.done, str(job)))
        show(job.done, str(job))
        yield job


@contextmanager
def live(total: int, description: str, *, quiet: bool = False, every_s: float = 10.0) -> Iterator[Callable[[int, str], None]]:
    """Show how far a job is and what it says of itself, on standard error; see `progress`.

    Args:
        total: Things to do in all.
        description: What is done, such as `Training`.
        quiet: Show nothing.
        every_s: Seconds between two lines where standard error is no terminal; the last one is always shown.

    Yields:
        What to call with the things done and the words that stand beside them.
    """
    if quiet:
        yield lambda _done, _words: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(total, description) as show:
            yield show
    else:
        lines = _Lines(description, every_s)
        yield lines.show
        lines.close()


@contextmanager
def _bar(total: int, description: str) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[summary]}"))
    with RichProgress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task(description, total=total, summary=f"0/{total}")
        yield lambda done, words: bar.update(task, completed=done, summary=words)


class _Lines:
    """A line now and then, and the last one in any case."""

    def __init__(self, description: str, every_s: float) -> None:
        self._description = description
        self._every_s = every_s
        self._last = time.monotonic()
        self._pending: str | None = None

    def show(self, done: int, words: str) -> None:
        """Say the words if it is time."""
        self._pending = words
        if done and time.monotonic() - self._last >= self._every_s:
            self._last = time.monotonic()
            self.close()

    def close(self) -> None:
        """Say what was not said yet."""
        if self._pending is not None:
            say(f"{self._description}: {self._pending}")
        self._pending = None


def duration(seconds: float) -> str:
    """A time for people: `2 min 44 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

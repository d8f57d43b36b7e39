"""Whole products of a DHuS hub in a folder of this machine: each is fetched once, where it was left off, and checked.

A product is some 0.6 to 1.2 GB. Two are fetched at a time at most, by all threads and processes that share the folder, for that
is what hubs allow an account. What was fetched stays; nobody but the user removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, BinaryIO

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError, StoppedError, StorageError
from curate.reading.counts import Counts
from curate.sources.sentinelsat.hub import Hub, HubProduct
from curate.sources.sentinelsat.refusals import BusyHubError

if TYPE_CHECKING:
    from requests import Response

CACHE = "SEASTARS_CACHE"
AT_ONCE = 2
"""Downloads of an account that hubs allow."""
PAUSES_S = (2.0, 10.0, 30.0)
"""Before a product is tried again."""
REMEMBERED_S = 900.0
"""For which a product that was refused is not asked for again: an order from an archive takes hours and counts."""
LOOK_S = 0.2
"""Between two looks at whether it is one's turn, or whether to stop."""
CHUNK = 1 << 18
"""Bytes that are written at once: what a connection that breaks has brought is kept but for these."""
HASHES = {"md5": hashlib.md5, "sha3-256": hashlib.sha3_256}

_TAKEN: dict[Path, BinaryIO] = {}
"""The locks that this process has, by their paths; each file is closed to let go of it."""
_TAKING = Lock()


def cache_folder() -> Path:
    """Where products are kept: `$SEASTARS_CACHE`, or `~/.cache/seastars/products`."""
    return Path(os.environ.get(CACHE) or "~/.cache/seastars/products").expanduser()


class Downloads:
    """The products of one hub; any thread may ask."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        """Fetch nothing yet.

        Args:
            hub: Which has them.
            folder: Which keeps them, a folder per hub; made where it is not there.
        """
        self.counts = Counts()
        self._hub = hub
        self._folder = folder / hub.host.replace(":", "_")
        self._stopped = Event()
        self._refused: dict[str, tuple[float, SourceUnavailableError]] = {}
        self._lock = Lock()

    def path(self, title: str) -> Path:
        """Where a product's zip file is, or will be."""
        return self._folder / f"{title}.zip"

    def fetch_all(self, products: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Path | SourceUnavailableError]]:
        """Products, those first that are there; each is given as soon as it is whole, or why it cannot be had.

        Args:
            products: (id at the hub, name).

        Yields:
            (id at the hub, its zip file or an error).

        Raises:
            StoppedError: It was stopped.
            StorageError: The disk has too little room.
        """
        wanted = sorted(products, key=lambda product: not self.path(product[1]).exists())
        done: SimpleQueue[tuple[str, Path | BaseException]] = SimpleQueue()
        todo = iter(wanted)
        threads = [Thread(target=self._work, args=(todo, done), daemon=True) for _ in range(min(AT_ONCE, len(wanted)))]
        for thread in threads:
            thread.start()
        for _ in wanted:
            uuid, found = self._wait(done)
            if isinstance(found, (Path, SourceUnavailableError)):
                yield uuid, found
            else:
                raise found

    def fetch(self, uuid: str, title: str) -> Path:
        """A product's zip file, downloaded unless it is there.

        Raises:
            SourceUnavailableError: It cannot be had, now or ever; once refused it is so for a while.
            StorageError: The disk has too little room.
            StoppedError: It was stopped.
        """
        path = self.path(title)
        if path.exists():
            return path
        refused_at, refusal = self._refused.get(uuid, (0.0, None))
        if refusal and time.monotonic() - refused_at < REMEMBERED_S:
            raise copy(refusal)  # several threads may raise it at once
        try:
            with self._turn(path):
                if not path.exists():
                    self._download(self._hub.product(uuid, title), path)
        except SourceUnavailableError as error:
            if not isinstance(error, BusyHubError):
                self._refused[uuid] = time.monotonic(), error
            raise
        return path

    def stop(self) -> None:
        """Give up what is being fetched; what came stays, to be gone on with."""
        self._stopped.set()

    def _work(self, todo: Iterator[tuple[str, str]], done: SimpleQueue[tuple[str, Path | BaseException]]) -> None:
        while not self._stopped.is_set():
            with self._lock:
                product = next(todo, None)
            if product is None:
                return
            try:
                done.put((product[0], self.fetch(*product)))
            except BaseException as error:  # noqa: BLE001 # whoever waits for it must be told
                done.put((product[0], error))

    def _wait(self, done: SimpleQueue[tuple[str, Path | BaseException]]) -> tuple[str, Path | BaseException]:
        while True:
            self._check_stopped()
            try:
                return done.get(timeout=LOOK_S)
            except Empty:
                continue

    def _download(self, product: HubProduct, path: Path) -> None:
        """Fetch a product until its checksum is the hub's."""
        part = path.with_name(f"{path.name}.part")
        wrong = 0
        for pause in (*PAUSES_S, None):
            try:
                self._go_on(product, part)
            except BusyHubError:
                if pause is None:
                    raise
                self.counts.add(retries=1)
                self._stopped.wait(pause)
                continue
            if self._hash(product.checksum[0], part) == product.checksum[1]:
                part.replace(path)
                return
            part.unlink()
            wrong += 1
        raise SourceUnavailableError(
            f"{product.title} came {wrong} times from {self._hub.address} with a wrong {product.checksum[0].upper()} checksum. "
            "Expected the hub's own: its copy or the network is damaged. Run the same command again later."
        )

    def _go_on(self, product: HubProduct, part: Path) -> None:
        """Fetch what a product lacks of its bytes."""
        start = part.stat().st_size if part.exists() else 0
        if start > product.size:
            part.unlink()
            start = 0
        if start == product.size:
            return
        free = shutil.disk_usage(part.parent).free
        if free < product.size - start:
            raise StorageError(
                f"{without_secrets(part.parent.as_posix())} has {free / 1e9:.2f} GB free; {product.title} needs "
                f"{(product.size - start) / 1e9:.2f} GB. Make room, or set {CACHE} to a folder on a larger disk, then run the "
                "same command again."
            )
        self._check_stopped()
        with self._hub.stream(product, start) as answer:
            self.counts.add(requests=1)
            self._append(answer, part, start)
        if part.stat().st_size < product.size:
            raise BusyHubError(f"{self._hub.address} ended {product.title} before its end. Run the same command again.")

    def _append(self, answer: Response, part: Path, start: int) -> None:
        """Write an answer: from where it says, which is the beginning where the hub knows no ranges."""
        goes_on = start and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        with part.open("ab" if goes_on else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                self._check_stopped()
                file.write(chunk)
                self.counts.add(bytes=len(chunk))

    def _hash(self, algorithm: str, path: Path) -> str:
        digest = HASHES[algorithm]()
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                self._check_stopped()
                digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def _turn(self, path: Path) -> Iterator[None]:
        """Wait until nobody else fetches the same product, and fewer than `AT_ONCE` others are fetched."""
        locks = self._folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        slots = [locks / f"turn-{number}" for number in range(AT_ONCE)]
        with self._locked([locks / path.name]), self._locked(slots):
            yield

    @contextmanager
    def _locked(self, places: Iterable[Path]) -> Iterator[None]:
        """Hold one of some locks, which threads and processes share; the system lets go of those of a process that dies."""
        own = [place.absolute() for place in places]
        while (taken := next((place for place in own if _take(place)), None)) is None:
            self._check_stopped()
            self._stopped.wait(LOOK_S)
        try:
            yield
        finally:
            _TAKEN.pop(taken).close()

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError("The download was stopped. Run the same command again, and it goes on.")


def _take(place: Path) -> bool:
    """Take a lock unless somebody has it: a thread of this process, on any file system, or another process."""
    with _TAKING:
        if place in _TAKEN:
            return False
        file = place.open("ab")
        if not _try_lock(file.fileno()):
            file.close()
            return False
        _TAKEN[place] = file
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks (some network mounts): the user keeps processes apart
        return True
    return True

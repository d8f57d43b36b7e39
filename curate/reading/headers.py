"""What the headers of rasters say: fetched once per file, all at the same time, and kept.

A header of a kind that is not followed here (no TIFF, another compression, no EPSG code of its own ...) is left to GDAL, which
knows more and has its words for what is wrong.
"""

from __future__ import annotations

import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from catalogs.files import is_remote
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError, StoppedError
from curate.reading.gdal_blocks import gdal_header
from curate.reading.tiff_layout import FileHeader, parse_tiff

if TYPE_CHECKING:
    from curate.reading.transport import Fetched, Transport

HEADER_BYTES = 16 << 10
"""Fetched first: what a COG of 10,980 pixels says of itself, overviews included, is a fifth of it."""
FURTHER_BYTES = 4 << 10
"""Fetched at least of what lies elsewhere, since the values of tags lie side by side."""
LONGEST_BYTES = 64 << 20
"""Of the values of a tag: 4 million blocks. A longer one is damaged."""
KEPT_HEADERS = 8192
KEPT_BYTES = 64 << 20
"""Of the places of blocks that are kept: 8 KB of most files, 0.27 MB of one in strips, as radar images are."""
MOST_TRIES = 2
"""Times that a header is read while its file changes."""
LOOK_S = 0.2
"""How often who waits for another thread's header looks whether the transport is stopped."""
SOON_S = 0.002
"""After which a header that has not come makes more threads read."""
Read = TypeVar("Read")
_Header = FileHeader | SourceUnavailableError


class _Crew:
    """Threads that read headers, for one who waits for them; nobody joins them, since GDAL cannot be told to stop.

    There are twice as many each time that no header at all has come for a while: all of them where each takes 20 ms, a few
    where answers are quick. More would not be faster then, but keep those that fetch and decode pixels from the interpreter.
    """

    def __init__(self, hrefs: Iterable[str], read: Callable[[str], _Header], most: int) -> None:
        """Start nothing yet.

        Args:
            hrefs: The files, in the order in which they are waited for.
            read: Reads a header.
            most: Threads, at most.
        """
        self._promised: dict[str, Future[_Header]] = {href: Future() for href in hrefs}
        self._waiting = deque(self._promised)
        self._read, self._most = read, most
        self._threads = self._came = 0
        self._lock = Lock()

    def __contains__(self, href: str) -> bool:
        return href in self._promised

    def promised(self, href: str) -> Future[_Header]:
        """A header as soon as no more threads are needed for it to come."""
        promised = self._promised[href]
        if not self._threads:
            self._call(1)
        while self._waiting and self._threads < self._most and not promised.done():
            came = self._came
            wait([promised], SOON_S)
            if self._came == came:
                self._call(self._threads)
        return promised

    def leave(self) -> None:
        """Begin no other header."""
        self._waiting.clear()

    def _call(self, further: int) -> None:
        for _ in range(min(further, self._most - self._threads, len(self._waiting))):
            self._threads += 1
            with suppress(RuntimeError):  # the process ends
                Thread(target=self._work, name="header", daemon=True).start()

    def _work(self) -> None:
        while self._waiting:
            try:
                href = self._waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                self._promised[href].set_result(self._read(href))
            except BaseException as error:  # noqa: BLE001 # whoever waits for it must be told
                self._promised[href].set_exception(error)
            with self._lock:
                self._came += 1


class Headers:
    """The headers that were read last, by address; any thread may ask."""

    def __init__(self, transport: Transport, *, fetchers: int, is_placed: bool = True) -> None:
        self._transport, self._is_placed = transport, is_placed
        self._fetchers = fetchers
        self._known: OrderedDict[str, Future[FileHeader]] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._kept_bytes = 0
        self._lock = Lock()

    def read_all(self, hrefs: Iterable[str]) -> dict[str, FileHeader | SourceUnavailableError]:
        """The headers of files, or why one cannot be had; those that are not known are fetched at the same time."""
        return dict(self.read_each(hrefs))

    def read_each(self, hrefs: Iterable[str]) -> Iterator[tuple[str, FileHeader | SourceUnavailableError]]:
        """The same one by one, each file once and in the order of the first time it is named.

        Raises:
            StoppedError: The transport was stopped, though GDAL may still wait for an answer.
        """
        distinct = list(dict.fromkeys(hrefs))
        crew = _Crew((href for href in distinct if not self._is_known(href)), self._try, self._fetchers)
        try:
            for href in distinct:
                yield href, self._result(crew.promised(href)) if href in crew else self._try(href)
        finally:
            crew.leave()

    def renew(self, href: str, stale: FileHeader) -> FileHeader:
        """The header of a file that has changed since; whoever asks first fetches it.

        Raises:
            SourceUnavailableError: It cannot be read.
        """
        self.forget(href, stale)
        return self._get(href)

    def forget(self, href: str, stale: FileHeader) -> None:
        """Drop a header that is not to be trusted any more, unless another has taken its place."""
        name = without_secrets(href)
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.done() and known.result() is stale:
                self._drop(name)

    def _is_known(self, href: str) -> bool:
        with self._lock:
            return without_secrets(href) in self._known

    def _try(self, href: str) -> FileHeader | SourceUnavailableError:
        try:
            return self._get(href)
        except SourceUnavailableError as error:
            return error

    def _get(self, href: str) -> FileHeader:
        """A header; another thread that asks for the same one meanwhile waits for it."""
        name = without_secrets(href)
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
            else:
                mine: Future[FileHeader] = Future()
                self._known[name] = mine
                while len(self._known) > KEPT_HEADERS:
                    self._drop(next(iter(self._known)))
        if known is not None:
            return self._result(known)
        try:
            header = _read_header(self._transport, href, is_placed=self._is_placed)
            self._weigh(name, mine, header)
            mine.set_result(header)
        except BaseException as error:  # noqa: BLE001 # whoever waits for it must be told
            with self._lock:
                self._drop(name)
            mine.set_exception(error)
        return mine.result()

    def _result(self, promised: Future[Read]) -> Read:
        """What another thread reads."""
        while not promised.done():
            with suppress(TimeoutError):
                return promised.result(LOOK_S)
            if self._transport.is_stopped:
                raise StoppedError("Headers are not waited for any more: the transport was stopped.")
        return promised.result()

    def _weigh(self, name: str, mine: Future[FileHeader], header: FileHeader) -> None:
        """Take note of what a header holds in memory; the oldest go where it is too much in all."""
        with self._lock:
            if self._known.get(name) is mine:
                self._sizes[name] = header.packing.nbytes if header.packing else 0
                self._kept_bytes += self._sizes[name]
            while self._kept_bytes > KEPT_BYTES and len(self._known) > 1:
                self._drop(next(iter(self._known)))

    def _drop(self, name: str) -> None:
        """With the lock held."""
        self._known.pop(name, None)
        self._kept_bytes -= self._sizes.pop(name, 0)


def is_replaced(fetched: Fetched, known: FileHeader | Fetched) -> bool:
    """Whether a range is of another version of a file than what is known of it."""
    return fetched.etag != known.etag or (None not in (fetched.size, known.size) and fetched.size != known.size)


class _ChangedError(Exception):
    """The file was replaced between two ranges of its header."""


class _Beginning:
    """The ranges of a file that its header needs."""

    def __init__(self, transport: Transport, href: str) -> None:
        self._transport = transport
        self._href = href
        self.first = transport.fetch(href, 0, HEADER_BYTES)
        self._pieces = [(0, bytes(self.first.content))]

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the file; fewer where it ends."""
        for start, content in reversed(self._pieces):
            if start <= offset and offset + size <= start + len(content):
                return content[offset - start : offset - start + size]
        if size > LONGEST_BYTES:
            raise struct.error(f"{size} bytes of a header")
        self._extend(offset, size)
        start, content = self._pieces[-1]
        return content[offset - start : offset - start + size]

    def _extend(self, offset: int, size: int) -> None:
        """Fetch what lies there and a little more, but not again what the last piece has of it."""
        start, content = self._pieces[-1]
        end = start + len(content)
        known = content[offset - start :] if start <= offset <= end else b""
        first, last = offset + len(known), offset + max(size, FURTHER_BYTES)
        if self.first.size is not None:
            last = min(last, self.first.size)
        further = self._transport.fetch(self._href, first, last) if first < last else None
        if further is not None and is_replaced(further, self.first):
            raise _ChangedError
        self._pieces.append((offset, known + bytes(further.content) if further else known))


def _read_header(transport: Transport, href: str, *, is_placed: bool) -> FileHeader:
    read_by_gdal = partial(gdal_header, href, lambda: transport.is_stopped, is_placed=is_placed)
    if not is_remote(href) and not Path(href.removeprefix("file://")).is_file():
        return read_by_gdal()
    for _ in range(MOST_TRIES):
        try:
            file = _Beginning(transport, href)
            etag, size = file.first.etag, file.first.size
            parsed = parse_tiff(file.read, without_secrets(href), etag=etag, size=size, is_placed=is_placed)
            return parsed or replace(read_by_gdal(), etag=etag, size=size)
        except _ChangedError:
            continue
    raise SourceUnavailableError(
        f"{without_secrets(href)} was replaced {MOST_TRIES} times while its header was read; expected a file that stays. "
        "Run the same command again when its provider is done."
    )

"""The threads that fetch pieces, decode them and fill windows, and what they share.

Each thread fetches a piece, waits for one of the few places at the decoders, and writes the piece's pixels to all windows that
touch it; then it takes the next. What has been fetched and not decoded is bounded in bytes, and so is what is complete and
not yet taken. There are as many threads as it takes to keep the decoders busy, by the time that answers take: a handful where
they come at once (64 would cost a seventh more CPU, in handing the interpreter to each other, and new memory), all at 80 ms.
Should a decoder have nothing to do for a while all the same, there are twice as many.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from threading import Condition, Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs.files import is_remote
from curate.errors import SourceUnavailableError
from curate.reading.decode import DamagedBlockError
from curate.reading.gdal_blocks import read_blocks
from curate.reading.gdal_counts import fetched_by_gdal
from curate.reading.headers import Headers, is_replaced
from curate.reading.pieces import BlockName, OpenFile, OpenRead, Piece, in_sweep_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.reading.transport import Transport

MOST_TRIES = 3
"""Times that a block is fetched which turns out damaged."""
LAST_WAIT_S = 4.0
"""How long a sweep that is closed, interrupted or failed waits for its threads, which end when their requests do."""

BLOCK_S = 0.003
"""What a decoder needs for a block: as many blocks as are decoded in the time of an answer are asked for before it comes."""
HUNGRY_S = 0.05
"""After which a decoder that has nothing to do, while nothing comes, has twice as many threads fetch: a body may take far
longer than the way to its server, where a connection gives little."""
Given = tuple[Hashable, "NDArray[Any] | SourceUnavailableError"]
Portion = tuple[list[OpenFile], list[tuple[OpenRead, SourceUnavailableError]]]
"""Files with the windows that they serve, and windows that cannot be read, with the reason."""


class Sweep:
    """One reading of many windows."""

    def __init__(
        self, transport: Transport, headers: Headers, *, decoders: Semaphore, cores: int, undecoded_bytes: int, windows: int
    ) -> None:
        """Start nothing yet.

        Args:
            transport: Fetches ranges.
            headers: Asked again where a file has changed.
            decoders: As many decode at the same time, of all readings.
            cores: How many that are.
            undecoded_bytes: Bound on what is fetched and not decoded, and on what is complete and not taken.
            windows: How many there are to read.
        """
        self._transport = transport
        self._headers = headers
        self._decoders, self._cores = decoders, cores
        self._limit = undecoded_bytes
        self._todo: deque[Piece] = deque()
        self._left = windows
        self._crew: list[Thread] = []
        self._most_threads = self._idle = self._fetched = 0
        self._hungry_since = time.monotonic()
        self._ready: deque[Given] = deque()
        self._held_bytes = self._ready_bytes = 0
        self._is_closed = False
        self._failure: BaseException | None = None
        self._lock = Lock()
        self._can_fetch = Condition(self._lock)
        self._can_give = Condition(self._lock)

    def run(self, portions: Iterator[Portion], threads: int) -> Iterator[Given]:
        """Windows as they are complete; ends its threads when it ends, or is closed.

        A request that hangs holds nobody up: its thread is left to end by itself, and does nothing with what may still come.

        Args:
            portions: What to read, one scene after the other; asked for in a thread of its own, so that what has come is read
                while headers of the next are on their way.
            threads: How many fetch at the same time at most.
        """
        self._most_threads = threads
        feeder = Thread(target=self._feed, args=(portions,), name="reading-feed", daemon=True)
        try:
            feeder.start()
            while given := self._take():
                yield from given
        finally:
            self._close()
            deadline = time.monotonic() + LAST_WAIT_S
            for thread in (feeder, *self._crew):
                if thread.ident is not None:
                    thread.join(max(deadline - time.monotonic(), 0))

    def _feed(self, portions: Iterator[Portion]) -> None:
        """Hand over one portion after the other."""
        try:
            for files, failed in portions:
                for read, error in failed:
                    self._fail([read], error)
                self._add(in_sweep_order(files))
                if self._is_closed:
                    break
        except BaseException as error:  # noqa: BLE001 # who takes the windows must be told, or would wait for ever
            self._stop(error)

    def _add(self, pieces: list[Piece]) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._hungry_since = self._hungry_since if self._todo else time.monotonic()
            self._todo.extend(pieces)
            self._can_fetch.notify_all()
        self._grow()

    def _grow(self) -> None:
        """Start more threads, where there is something to fetch, nobody is at hand, and the decoders need it."""
        with self._lock:
            if self._is_closed or self._idle or self._fetched >= self._cores:
                return
            now = time.monotonic()
            further = 2 * self._cores + int(self._cores * self._transport.latency_s / BLOCK_S) - len(self._crew)
            if further <= 0 and now - self._hungry_since > HUNGRY_S:
                further = len(self._crew)
            further = min(further, len(self._todo), self._most_threads - len(self._crew))
            if further <= 0:
                return
            self._hungry_since = now
            first, pause_s = len(self._crew), BLOCK_S / self._cores
            threads = [
                Thread(target=self._work, args=(number * pause_s,), name=f"reading-{first + number}", daemon=True)
                for number in range(further)
            ]
            self._crew += threads
        for thread in threads:
            thread.start()

    def _take(self) -> list[Given]:
        """What is complete; nothing once all windows are."""
        while True:
            with self._lock:
                if not self._ready and self._left and self._failure is None:
                    self._can_give.wait(HUNGRY_S if len(self._crew) < self._most_threads else None)
                if self._failure is not None:
                    raise self._failure
                if self._ready or not self._left:
                    given = list(self._ready)
                    self._ready.clear()
                    self._ready_bytes = 0
                    self._can_fetch.notify()
                    return given
            self._grow()

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._todo.clear()
            self._can_fetch.notify_all()

    def _work(self, pause_s: float) -> None:
        """A thread's life, after a pause: what is asked for at once arrives at once, the first as late as the last."""
        time.sleep(pause_s)
        try:
            while piece := self._next():
                self._grow()
                try:
                    self._do(piece)
                finally:
                    with self._lock:
                        self._held_bytes -= piece.cost
                        self._can_fetch.notify()
        except BaseException as error:  # noqa: BLE001 # who takes the windows must be told, or would wait for ever
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
            self._can_give.notify()

    def _next(self) -> Piece | None:
        """The next piece, once there is room for it; none at the end."""
        with self._lock:
            while not self._is_closed and self._left and not (self._todo and self._has_room(self._todo[0])):
                self._idle += 1
                self._can_fetch.wait()
                self._idle -= 1
            if self._is_closed or not self._left:
                self._can_fetch.notify()
                return None
            piece = self._todo.popleft()
            self._held_bytes += piece.cost
            if self._todo:
                self._can_fetch.notify()
            return piece

    def _has_room(self, piece: Piece) -> bool:
        is_bounded = self._held_bytes == 0 or self._held_bytes + piece.cost <= self._limit
        return is_bounded and self._ready_bytes <= self._limit

    def _do(self, piece: Piece) -> None:
        file = piece.file
        if file.is_void or all(read.is_over for read in piece.reads()):
            return
        try:
            if file.header.packing is None:
                self._read_by_gdal(piece)
            elif piece.start == piece.end:
                self._fill(piece)
            elif not file.has(piece.start, piece.end - piece.start):
                raise _beyond(piece)
            else:
                self._fetch(piece)
        except SourceUnavailableError as error:
            self._fail(piece.reads(), error)

    def _fetch(self, piece: Piece) -> None:
        fetched = self._transport.fetch(piece.file.href, piece.start, piece.end)
        if is_replaced(fetched, piece.file.header):
            self._start_again(piece.file)
            return
        with self._lock:
            self._fetched += 1
            self._hungry_since = time.monotonic()
        try:
            with self._decoders:
                self._decode_all(piece, memoryview(fetched.content))
        finally:
            with self._lock:
                self._fetched -= 1
                if self._fetched == self._cores - 1:
                    self._hungry_since = time.monotonic()

    def _decode_all(self, piece: Piece, content: memoryview) -> None:
        for block in piece.blocks:
            if self._is_closed:
                return
            offset, size = piece.file.place(block)
            try:
                self._decode(piece.file, block, content[offset - piece.start :][:size])
            except DamagedBlockError as error:
                self._fetch_again(piece, block, str(error))

    def _decode(self, file: OpenFile, block: BlockName, packed: memoryview) -> None:
        """Write a block's pixels to the windows that touch it."""
        packing, cut = file.header.packing, file.header.cuts[0]
        assert packing is not None, "GDAL decodes its own"
        size = file.place(block)[1]
        if len(packed) != size:
            raise DamagedBlockError(f"has {len(packed)} bytes where its header promises {size}")
        rows = cut.block_height if packing.are_tiles else cut.extent(block[1])[3]
        raw = packing.encoding.unpack(packed, rows, cut.block_height)
        for read in file.users[block]:
            part = file.part(block, read)
            sample = 0 if packing.are_apart else read.read.band.index - 1
            packing.encoding.scatter(raw, part, sample, self._pixels(file, read)[part.target])
        self._arrived(file.users[block])

    def _fill(self, piece: Piece) -> None:
        """Blocks that were never written."""
        for block in piece.blocks:
            for read in piece.file.users[block]:
                nodata = piece.file.header.nodata[read.read.band.index - 1]
                self._pixels(piece.file, read)[piece.file.part(block, read).target] = nodata or 0
            self._arrived(piece.file.users[block])

    def _read_by_gdal(self, piece: Piece) -> None:
        file = piece.file
        if not is_remote(file.href) and file.header.etag and is_replaced(self._transport.fetch(file.href, 0, 1), file.header):
            self._start_again(file)
            return
        for block, found in read_blocks(file.href, file.header, piece.blocks, is_over=lambda: self._is_closed):
            if isinstance(found, SourceUnavailableError):
                self._fail(file.users[block], found)
                continue
            self._count_gdal(file, found)
            for read in file.users[block]:
                part = file.part(block, read)
                self._pixels(file, read)[part.target] = found[part.rows, part.columns]
            self._arrived(file.users[block])

    def _count_gdal(self, file: OpenFile, block: NDArray[Any]) -> None:
        """Add what GDAL has fetched by now; of a local file, or where GDAL cannot be asked, what a block takes in the mean."""
        fetched = fetched_by_gdal.take() if is_remote(file.href) else None
        requests, size = fetched or (1, file.header.mean_block_bytes or block.nbytes)
        self._transport.counts.add(requests=requests, bytes=size)

    def _pixels(self, file: OpenFile, read: OpenRead) -> NDArray[Any]:
        """The array of a window, made when its first block has come."""
        with self._lock:
            if read.pixels is None:
                data_type = file.header.data_types[read.read.band.index - 1]
                _, _, width, height = read.read.window
                read.pixels = np.empty((height, width), data_type)
            return read.pixels

    def _arrived(self, reads: Iterable[OpenRead]) -> None:
        """A block's pixels are in these windows; gives those that are complete."""
        with self._lock:
            for read in reads:
                read.missing -= 1
                if read.missing == 0 and not read.is_over:
                    assert read.pixels is not None, "its blocks have come"
                    self._ready_bytes += read.pixels.nbytes
                    self._give(read, read.pixels)

    def _fail(self, reads: Iterable[OpenRead], error: SourceUnavailableError) -> None:
        with self._lock:
            for read in reads:
                if not read.is_over:
                    self._give(read, error)

    def _give(self, read: OpenRead, result: NDArray[Any] | SourceUnavailableError) -> None:
        """With the lock held."""
        read.is_over, read.pixels = True, None
        self._ready.append((read.key, result))
        self._left -= 1
        self._can_give.notify()
        if not self._left:
            self._can_fetch.notify_all()

    def _fetch_again(self, piece: Piece, block: BlockName, cause: str) -> None:
        """A damaged block: once more by itself, before all others, unless that has been done too often."""
        offset, size = piece.file.place(block)
        if piece.tries < MOST_TRIES:
            with self._lock:
                self._todo.appendleft(Piece(piece.file, [block], offset, offset + size, piece.tries + 1))
                self._can_fetch.notify()
            return
        self._headers.forget(piece.file.href, piece.file.header)  # it has no checksum: the damage may be its own
        row, column = piece.file.header.cuts[0].corner(block[1])
        error = SourceUnavailableError(
            f"{piece.file.name}: the block at row {row}, column {column} (bytes {offset} to {offset + size}) {cause}; it was "
            f"fetched {MOST_TRIES} times. Restore the file or tell its provider, then run the same command again."
        )
        self._fail(piece.file.users[block], error)

    def _start_again(self, file: OpenFile) -> None:
        """A file that was replaced since its header was read: its windows are read from the new one, once."""
        with self._lock:
            if file.is_void:
                return
            file.is_void = True
            again = []
            for read in (read for read in file.reads if not read.is_over):
                again.append(OpenRead(read.key, read.read))
                read.is_over = True
        try:
            header = self._headers.renew(file.href, file.header)
            if file.is_second or (header.grid, header.data_types) != (file.header.grid, file.header.data_types):
                raise _changed(file)
        except SourceUnavailableError as error:
            self._fail(again, error)
            return
        pieces = in_sweep_order([OpenFile.of(file.href, header, again, is_second=True)])
        with self._lock:
            if not self._is_closed:
                self._todo.extendleft(reversed(pieces))
                self._can_fetch.notify()


def _beyond(piece: Piece) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{piece.file.name} has {piece.file.header.size} bytes where its header promises a block up to byte {piece.end}: it is "
        "cut off. Restore the file or tell its provider, then run the same command again."
    )


def _changed(file: OpenFile) -> SourceUnavailableError:
    what = "again and again" if file.is_second else "by one of another grid or type"
    return SourceUnavailableError(
        f"{file.name} was replaced {what} while it was read; expected a file that stays. Run the same command again when its "
        "provider is done."
    )

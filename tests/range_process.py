"""The process behind `tests.range_server`: `python -m tests.range_process FOLDER SETTINGS`. Standard library alone.

It prints its two ports, that of the files and that of its control, and ends with its parent (its stdin closes) or by SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
import re
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from tests.range_server import Fault, Request

CHUNK = 1 << 20
"""Bytes handed to the network at a time, and counted. With fewer the server takes more of the cores that it shares with those
who are measured."""
PACED_CHUNK = 256 << 10
"""The same where bandwidth is limited."""
BACKLOG = 1024
BROKEN_OFF = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)
"""What a client that goes away looks like."""


@dataclass
class Settings:
    """What can be set while it runs."""

    latency_s: float = 0.0
    connect_s: float = 0.0
    bytes_per_s: float | None = None
    faults: list[Fault] = field(default_factory=list)
    seed: int = 0

    def update(self, changes: dict[str, Any]) -> None:
        """Take over what is named."""
        for name, value in changes.items():
            setattr(self, name, [Fault(**fault) for fault in value] if name == "faults" else value)


@dataclass
class Tally:
    """What was seen since the last reset."""

    log: list[Request] = field(default_factory=list)
    bytes: int = 0
    connections: int = 0
    most_open: int = 0
    most_in_flight: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    cpu_before: float = field(default_factory=time.process_time)

    def counts(self) -> dict[str, Any]:
        """As `ServerCounts` has it."""
        names = ("bytes", "connections", "most_open", "most_in_flight", "faults")
        spent = time.process_time() - self.cpu_before
        return {name: getattr(self, name) for name in names} | {"requests": len(self.log), "cpu_s": spent}


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Asked | None:
        """The next of a connection, or none where it ended."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


@dataclass(frozen=True)
class Part:
    """What of a file is answered."""

    file: BinaryIO
    start: int
    end: int
    size: int
    etag: str
    status: int


class Files:
    """Answers the requests for files."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings, self.tally = folder, settings, Tally()
        self.open = self.in_flight = 0
        self.network_free_at = 0.0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        self.tally.connections += 1
        self.open += 1
        self.tally.most_open = max(self.tally.most_open, self.open)
        wait_s = self.settings.connect_s
        try:
            while asked := await Asked.read(reader):
                came = time.time()
                async with self._counted():
                    await asyncio.sleep(wait_s + self.settings.latency_s)
                    await self._answer(asked, came, reader, writer)
                wait_s = 0.0
                if writer.is_closing() or asked.headers.get("connection", "").lower() == "close":
                    break
        except BROKEN_OFF:
            pass
        finally:
            self.open -= 1
            writer.close()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.in_flight += 1
        self.tally.most_in_flight = max(self.tally.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    async def _answer(self, asked: Asked, came: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = asked.headers.get("range", "")
        fault = self._fault(asked.target, wanted)
        kind = fault.kind if fault else ""
        self.tally.faults.update([kind] if kind else [])

        def log(status: int) -> None:
            self.tally.log.append(Request(came, asked.target, wanted, status, kind))

        if fault and kind in {"status", "refuse"}:
            log(fault.status if kind == "status" else 0)
            if kind == "refuse":
                writer.close()
            else:
                _write_head(writer, fault.status, {"Content-Length": "6", **fault.headers})
                writer.write(b"" if asked.method == "HEAD" else b"fault\n")
            return
        path = self._path(asked.target)
        if asked.method not in {"GET", "HEAD"} or path is None:
            log(404 if path is None else 405)
            _write_head(writer, 404 if path is None else 405, {"Content-Length": "0"})
            return
        with path.open("rb") as file:
            part = _part(file, "" if kind == "ignore" else wanted)
            log(part.status)
            _write_head(writer, part.status, _headers(part, kind) | {"Content-Type": _content_type(path)})
            if asked.method == "GET" and part.end > part.start:
                await self._send(part, fault, reader, writer)

    def _path(self, target: str) -> Path | None:
        parts = [part for part in unquote(urlsplit(target).path).split("/") if part and not part.startswith("@")]
        path = self.folder.joinpath(*parts)
        return path if ".." not in parts and path.is_file() else None

    def _fault(self, target: str, wanted: str) -> Fault | None:
        attempt = self.tally.attempts[target, wanted]
        self.tally.attempts[target, wanted] += 1
        digest = sha256(f"{self.settings.seed} {target} {wanted} {attempt}".encode()).digest()
        drawn = int.from_bytes(digest[:7], "big") / 2**56
        for fault in self.settings.faults:
            is_fitting = re.search(fault.where, target) and re.search(fault.ranges, wanted)
            if not is_fitting or (fault.first is not None and attempt >= fault.first):
                continue
            if drawn < fault.share:
                return fault
            drawn -= fault.share
        return None

    async def _send(self, part: Part, fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = fault.kind if fault else ""
        half = (part.start + part.end) // 2
        if kind == "flip":
            part.file.seek(part.start)
            body = bytearray(part.file.read(part.end - part.start))
            body[len(body) // 2] ^= 16
            writer.write(body)
            await writer.drain()
            self.tally.bytes += len(body)
        elif fault is None or kind in {"shift", "etag", "ignore"}:
            await self._copy(part.file, part.start, part.end, writer)
        else:
            await self._copy(part.file, part.start, half, writer)
            if kind == "stall":
                await reader.read(1)
            if kind == "slow":
                await asyncio.sleep(fault.wait_s)
                await self._copy(part.file, half, part.end, writer)
            elif kind == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def _copy(self, file: BinaryIO, start: int, end: int, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while start < end:
            count = min(PACED_CHUNK if self.settings.bytes_per_s else CHUNK, end - start)
            await self._paced(count)
            if writer.is_closing():
                raise ConnectionAbortedError
            await loop.sendfile(writer.transport, file, start, count)
            self.tally.bytes += count
            start += count

    async def _paced(self, count: int) -> None:
        if self.settings.bytes_per_s:
            now = time.monotonic()
            self.network_free_at = max(now, self.network_free_at) + count / self.settings.bytes_per_s
            await asyncio.sleep(self.network_free_at - now)


def _part(file: BinaryIO, wanted: str) -> Part:
    facts = os.fstat(file.fileno())
    size, etag = facts.st_size, f"{facts.st_mtime_ns:x}-{facts.st_size:x}"
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
    if not found or not any(found.groups()):
        return Part(file, 0, size, size, etag, 200)
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    return Part(file, start, end, size, etag, 206) if start < end else Part(file, 0, 0, size, etag, 416)


def _headers(part: Part, kind: str) -> dict[str, str]:
    etag = f"{part.etag}-other" if kind == "etag" else part.etag
    headers = {"Content-Length": str(part.end - part.start), "Accept-Ranges": "bytes", "ETag": f'"{etag}"'}
    if part.status == 206:
        shift = 1 if kind == "shift" else 0
        headers["Content-Range"] = f"bytes {part.start + shift}-{part.end - 1 + shift}/{part.size}"
    if part.status == 416:
        headers["Content-Range"] = f"bytes */{part.size}"
    return headers


def _content_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _write_head(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))


def _control(files: Files) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    def act(name: str, body: bytes) -> Any:
        if name == "set":
            files.settings.update(json.loads(body))
        if name == "reset":
            files.tally = Tally(most_open=files.open, most_in_flight=files.in_flight)
        return files.tally.log if name == "log" else files.tally.counts()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*BROKEN_OFF):
            if asked := await Asked.read(reader):
                content = json.dumps(act(asked.target.strip("/"), asked.body)).encode()
                _write_head(writer, 200, {"Content-Length": str(len(content)), "Connection": "close"})
                writer.write(content)
                await writer.drain()
        writer.close()

    return connected


async def _main(folder: Path, settings: Settings) -> None:
    files, ended = Files(folder, settings), asyncio.Event()
    servers = [
        await asyncio.start_server(answer, "127.0.0.1", 0, backlog=BACKLOG) for answer in (files.connected, _control(files))
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    os._exit(0)


if __name__ == "__main__":
    start = Settings()
    start.update(json.loads(sys.argv[2]))
    asyncio.run(_main(Path(sys.argv[1]), start))

"""A range asked for and received, with no more steps between than that takes.

urllib3 opens connections, through proxies and TLS, and understands whatever servers say. To ask for one range takes it 750
calls of functions, and the body comes in small portions: 2.3 to 3 times the CPU time of a header, 1.2 to 1.7 times that of a
block (`python -m tests.benchmarks.exchange`). Nearly all answers are alike: 206, a length, a body. Those are read here,
straight to where they stay; any other is handed on, from its first byte, to http.client and urllib3.

References:
    RFC 9112, sections 2 to 4 and 6.3 (HTTP/1.1: messages, and where their bodies end)
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import IncompleteRead, ProtocolError, ReadTimeoutError
from urllib3.util import Timeout
from urllib3.util.ssl_match_hostname import CertificateError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from urllib3 import HTTPConnectionPool
    from urllib3.connection import HTTPConnection

HEAD_BYTES = 64 << 10
"""Received first, at most: the head of an answer, and all of a short one. A longer head is handed on."""
_TARGET, _VALUE, _HOST = re.compile(r"[!-~]+"), re.compile(r"[\t -~]*"), re.compile(r"[A-Za-z0-9.:_-]+")
"""What is written as it is; urllib3 knows what to do with anything else."""
_STATUS = re.compile(r"HTTP/1\.1 206(?: .*)?")
_NAME = re.compile(r"[!#-'*+.^_`|~\w-]+", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """A range of a file, as its server gave it."""

    headers: HTTPHeaderDict
    """Of the answer."""
    content: bytes | bytearray
    """Its body, all of it."""
    is_last: bool
    """Whether nothing more is to be asked over its connection."""


def ask_for_range(
    pool: HTTPConnectionPool, target: str, headers: Mapping[str, str], *, most: int, wait_s: float
) -> RangeAnswer | urllib3.HTTPResponse | None:
    """Ask a server for a range of a file.

    Args:
        pool: Connections to the server.
        target: Path and query.
        headers: All but `Host`.
        most: Bytes that are expected at most.
        wait_s: For a connection to be free.

    Returns:
        A range of no more than that; else the answer, for urllib3's ways to read it. None, and nothing was sent, where urllib3
        had better ask: through a proxy, or with characters that it knows how to write.

    Raises:
        HTTPError: No answer came, or not all of its body.
    """
    if pool.proxy is not None:
        return None
    connection = cast("HTTPConnection", pool._get_conn(wait_s))  # noqa: SLF001 # a pool of urllib3's lends to nobody else
    request = _written(connection, target, headers)
    if request is None:
        pool._put_conn(connection)  # noqa: SLF001
        return None
    try:
        with _ErrorsOfUrllib3(pool):
            if connection.is_closed:
                connection.timeout = Timeout.resolve_default_timeout(pool.timeout.connect_timeout)
                connection.connect()
            begun = _begin(pool, connection.sock, request)
            answer = _plain_range(connection.sock, begun, most)
            if answer is None:
                return _handed_on(pool, connection, begun)
    except BaseException:
        connection.close()
        pool._put_conn(connection)  # noqa: SLF001 # it is opened anew
        raise
    if answer.is_last:
        connection.close()
    pool._put_conn(connection)  # noqa: SLF001
    return answer


def _written(connection: HTTPConnection, target: str, headers: Mapping[str, str]) -> bytes | None:
    host = connection.host
    is_plain = _TARGET.fullmatch(target) and _HOST.fullmatch(host) and all(map(_VALUE.fullmatch, headers.values()))
    if not is_plain:
        return None
    host = f"[{host}]" if ":" in host else host
    host = host if connection.port == connection.default_port else f"{host}:{connection.port}"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _begin(pool: HTTPConnectionPool, connected: socket.socket, request: bytes) -> bytes:
    """Send a request; gives what comes first, the head and maybe more, or less where the answer ends before."""
    connected.settimeout(pool.timeout.read_timeout)
    with suppress(BrokenPipeError, ConnectionResetError):  # the answer may have been sent before: a host that is full does so
        connected.sendall(request)
    begun = connected.recv(HEAD_BYTES)
    while begun and b"\n\r\n" not in begun and b"\n\n" not in begun and len(begun) < HEAD_BYTES:
        more = connected.recv(HEAD_BYTES - len(begun))
        if not more:
            break
        begun += more
    return begun


def _plain_range(connected: socket.socket, begun: bytes, most: int) -> RangeAnswer | None:
    """The range that an answer is, received whole; none where it is anything else."""
    end = begun.find(b"\r\n\r\n")
    headers = _headers(begun[:end].decode("latin-1").split("\r\n")) if end >= 0 else None
    if headers is None:
        return None
    told = headers.get("Content-Length", "")
    if not _LENGTH.fullmatch(told) or int(told) > most or "Transfer-Encoding" in headers:
        return None
    body, length = begun[end + 4 :], int(told)
    is_last = len(body) > length or "close" in headers.get("Connection", "").lower()
    return RangeAnswer(headers, body[:length] if len(body) >= length else _received(connected, body, length), is_last)


def _headers(head: list[str]) -> HTTPHeaderDict | None:
    """Those of a range; none where the head is of anything else, or unusual."""
    if not _STATUS.fullmatch(head[0]):
        return None
    headers = HTTPHeaderDict()
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or "\n" in value or "\r" in value:
            return None
        headers.add(name, value.strip())
    return headers


def _received(connected: socket.socket, body: bytes, length: int) -> bytearray:
    """A body of which some has come."""
    content, came = bytearray(length), len(body)
    with memoryview(content) as room:
        room[:came] = body
        while came < length:
            count = connected.recv_into(room[came:])
            if not count:
                raise ProtocolError("the body ended", IncompleteRead(came, length - came))
            came += count
    return content


def _handed_on(pool: HTTPConnectionPool, connection: HTTPConnection, begun: bytes) -> urllib3.HTTPResponse:
    """The answer as urllib3 would have given it, with the connection."""
    answer = HTTPResponse(cast("socket.socket", _Begun(begun, connection.sock)), method="GET")
    try:
        answer.begin()
    except BaseException:
        answer.close()
        raise
    if answer.will_close:
        connection.close()  # what reads the answer holds the socket still
    return urllib3.HTTPResponse(
        answer,
        HTTPHeaderDict(answer.headers.items()),
        answer.status,
        reason=answer.reason,
        preload_content=False,
        decode_content=False,
        original_response=answer,
        pool=pool,
        connection=connection,
        request_method="GET",
    )


class _Begun(io.RawIOBase):
    """What has come of an answer, and after it what its socket gives; to http.client, the socket."""

    def __init__(self, begun: bytes, connected: socket.socket) -> None:
        self._begun, self._rest = begun, connected.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, room: Any) -> int | None:
        """As many bytes as there are, at most as many as there is room for."""
        if not self._begun:
            return self._rest.readinto(room)
        count = min(len(room), len(self._begun))
        room[:count], self._begun = self._begun[:count], self._begun[count:]
        return count

    def close(self) -> None:
        """Let the socket go."""
        self._rest.close()
        super().close()


class _ErrorsOfUrllib3:
    """Has errors of sockets and of http.client come as its pools give them."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(self._pool, "", "no byte came in time") from error
        if isinstance(error, OSError | HTTPException | CertificateError):
            raise ProtocolError("the connection broke", error) from error

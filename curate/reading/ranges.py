"""One try to get one range of a file, and what may come of it.

References:
    RFC 9110, sections 14 (ranges), 15 (status codes) and 8.8.3 (ETag).
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import IncompleteRead
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.reading.retries import is_passing, retry_after_s

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict, Timeout

    from curate.reading.addresses import Place

WHOLE_BELOW = 4 << 20
"""Bytes of a file up to which it is taken whole from a server that knows no ranges."""
ERROR_PAGE = 16 << 10
"""Bytes of an error's body that are read; a longer one costs its connection."""
ROOM_S = 5
"""For a connection to be free, seconds: one is, since a host's gate lets in no more than there are."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_QUOTA = re.compile(rb"quota|transfer limit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A range of a file."""

    content: bytes | bytearray
    """Its bytes; fewer than asked only where the file ends."""
    etag: str | None
    """Of the file, as its server gives it, without `W/`; of a local file, made of its size and when it was written."""
    size: int | None
    """Bytes of the whole file, where told."""


@dataclass(eq=False)
class TryError(Exception):
    """One try that gave no range."""

    cause: str
    """What happened, in words without secrets."""
    status: int | None = None
    """HTTP status of the answer, if there was one."""
    passing: bool = True
    """Whether another try may succeed."""
    wait_s: float | None = None
    """For how long the server asks to be left alone, seconds."""
    location: str | None = None
    """Absolute address that the server points to instead."""
    region: str | None = None
    """Of S3, where the bucket is."""
    received: int = 0
    """Bytes of the body that came in vain."""
    is_used_up: bool = False
    """Whether it was refused for want of quota: another signature would be, too."""
    is_unreached: bool = False
    """Whether there was no way to the host: nothing is learned of the file."""


def ask_range(pool: HTTPConnectionPool, place: Place, start: int, end: int) -> Fetched:
    """Ask a server once for bytes [start, end) of a file, and check that it is these that came.

    Args:
        pool: Connections to the server; one is taken, and given back or closed.
        place: The file.
        start: First byte, from 0.
        end: Byte after the last one, above `start`.

    Raises:
        TryError: They did not come.
    """
    from urllib3.exceptions import HTTPError

    from curate.reading.exchange import RangeAnswer, ask_for_range

    headers = {**place.headers, "Range": f"bytes={start}-{end - 1}"}
    try:
        answer = ask_for_range(pool, place.target, headers, most=end - start, wait_s=ROOM_S) or _ask(pool, place, headers)
        if isinstance(answer, RangeAnswer):
            return _range_of(answer.headers, lambda: answer.content, start, end)
        try:
            if answer.status == 206:
                return _range_of(answer.headers, partial(answer.read, cache_content=False), start, end)
            return _slice_of(answer, start, end) if answer.status == 200 else _refused(answer, place, start, end)
        except BaseException:
            answer.close()
            raise
        finally:
            answer.release_conn()
    except HTTPError as error:
        raise _broken(error, pool.timeout) from None


def _ask(pool: HTTPConnectionPool, place: Place, headers: Mapping[str, str]) -> BaseHTTPResponse:
    """An answer by urllib3's own ways, which lead through proxies."""
    is_asked_whole = pool.proxy is not None and place.scheme == "http"
    return pool.urlopen(
        "GET", place.plain_address if is_asked_whole else place.target, headers=headers, retries=False, redirect=False,
        assert_same_host=False, preload_content=False, decode_content=False, pool_timeout=ROOM_S,
    )  # fmt: skip


def read_range(href: str, start: int, end: int) -> Fetched:
    """Bytes [start, end) of a local file.

    Args:
        href: A path or a `file://` address.
        start: First byte, from 0.
        end: Byte after the last one, above `start`.

    Raises:
        SourceUnavailableError: There is no such file, or it cannot be read, or it ends before `start`.
    """
    path, shown = href.removeprefix("file://"), without_secrets(href)
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            facts = os.fstat(number)
            size = facts.st_size
            content = _read(number, start, min(end, size))
        finally:
            os.close(number)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceUnavailableError(
            f"{shown} does not exist. Expected the file that its item names; restore it, then run the same command again."
        ) from None
    except OSError as error:
        raise SourceUnavailableError(
            f"{shown} cannot be read ({error.strerror}). Check the disk and the permissions, then run the same command again."
        ) from None
    if start >= size:
        raise SourceUnavailableError(
            f"{shown} has {size:,} bytes, those from {start:,} to {end:,} were asked for: it is cut short, or its header is "
            "damaged. Restore it, then run the same command again."
        )
    return Fetched(content, f"{facts.st_mtime_ns:x}-{size:x}", size)


def _read(number: int, start: int, end: int) -> bytes:
    """Bytes of an open file; one call may give fewer than it is asked for."""
    content = os.pread(number, max(end - start, 0), start)
    while start + len(content) < end and (more := os.pread(number, end - start - len(content), start + len(content))):
        content += more
    return content


def _range_of(headers: HTTPHeaderDict, read: Callable[[], bytes | bytearray], start: int, end: int) -> Fetched:
    """A body that is read once its headers promise what was asked for."""
    first, after, size = _told_range(headers, start, end)
    if first != start or after != (end if size is None else min(end, size)):
        raise TryError(f"bytes {first:,} to {after:,} came where {start:,} to {end:,} were asked for", 206)
    content = read()
    if len(content) != after - first:
        raise TryError(f"{len(content):,} of {after - first:,} bytes came", 206, received=len(content))
    return Fetched(content, _etag(headers), size)


def _told_range(headers: HTTPHeaderDict, start: int, end: int) -> tuple[int, int, int | None]:
    """Which bytes an answer holds, [first, after), and the file's size."""
    told = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if told is None:
        raise TryError(f"its server does not say whether what came are bytes {start:,} to {end:,}", 206)
    return int(told[1]), int(told[2]) + 1, None if told[3] == "*" else int(told[3])


def _slice_of(answer: BaseHTTPResponse, start: int, end: int) -> Fetched:
    """What was asked for of a whole file, as servers give it that know no ranges."""
    length = answer.headers.get("Content-Length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    if size is None or size > WHOLE_BELOW:
        told = "of unknown size" if size is None else f"of {size / 1e6:,.1f} MB"
        raise TryError(
            f"its server ignores ranges and would send the whole file, {told}, for each of its parts", 200, passing=False
        )
    content = answer.read(cache_content=False)
    if start >= size:
        raise TryError(_beyond(start, end, size), 200, passing=False, received=len(content))
    return Fetched(content[start:end], _etag(answer.headers), size)


def _refused(answer: BaseHTTPResponse, place: Place, start: int, end: int) -> Fetched:
    """Raise what another status than 200 and 206 means."""
    page = answer.read(ERROR_PAGE)
    code = _CODE.search(page)
    reason = answer.reason or _phrase(answer.status)
    cause = f"its server says {answer.status} {reason}".rstrip() + (f", {code[1].decode()}" if code else "")
    if answer.status == 416:
        size = answer.headers.get("Content-Range", "").rpartition("/")[2]
        cause = _beyond(start, end, int(size)) if size.isascii() and size.isdigit() else cause
    location = answer.headers.get("Location") if answer.status in {301, 302, 303, 307, 308} else None
    raise TryError(
        cause,
        answer.status,
        passing=is_passing(answer.status),
        wait_s=retry_after_s(answer.headers.get("Retry-After")),
        location=location and urljoin(place.address, location),
        region=answer.headers.get("x-amz-bucket-region"),
        received=len(page),
        is_used_up=answer.status == HTTPStatus.FORBIDDEN and bool(_QUOTA.search(page)),
    )


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""


def _beyond(start: int, end: int, size: int) -> str:
    return f"it has {size:,} bytes, those from {start:,} to {end:,} were asked for"


def _etag(headers: HTTPHeaderDict) -> str | None:
    etag = headers.get("ETag")
    return etag and etag.removeprefix("W/")


def _broken(error: Exception, timeout: Timeout) -> TryError:
    """What a failure of the connection means."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

    inner = error.args[-1] if error.args else None
    if isinstance(inner, ssl.SSLCertVerificationError):
        return TryError(f"its certificate does not hold: {inner.verify_message}", passing=False)
    if isinstance(inner, IncompleteRead):
        partial: object = inner.partial  # a number, of urllib3's own
        came = partial if isinstance(partial, int) else len(inner.partial)
        return TryError(f"its body ended after {came:,} of {came + (inner.expected or 0):,} bytes", received=came)
    unreached = isinstance(error, NewConnectionError | ConnectTimeoutError | ProxyError)
    return TryError(_cause(error, inner, timeout), is_unreached=unreached)


def _cause(error: Exception, inner: object, timeout: Timeout) -> str:
    """Words of ours for an error of urllib3, whose own hold addresses."""
    from urllib3 import exceptions

    match error:
        case exceptions.ReadTimeoutError():
            return f"no byte came for {timeout.read_timeout:g} s"
        case exceptions.NameResolutionError():
            return "the name of its host leads nowhere"
        case exceptions.NewConnectionError():
            return f"no connection: {_words(error.__cause__)}"
        case exceptions.ConnectTimeoutError():
            return f"no connection within {timeout.connect_timeout:g} s"
        case exceptions.ProxyError():
            return f"no connection through the proxy: {_words(inner)}"
    return f"the connection broke: {_words(inner)}"


def _words(error: object) -> str:
    """What an error of the operating system says, or its kind."""
    said = error.strerror if isinstance(error, OSError) else None
    return said or type(error).__name__

"""A file that GDAL reads from a folder, a web server or a bucket: signed where it must be, opened anew where it was refused.

A handle is of one thread, since GDAL's are not to be shared. Over HTTP GDAL itself tries again on 429 and 5xx; what it gives
up on (a cut connection, a truncated answer, a signature that has ended in the middle) is opened anew and tried again here, past
its cache. What it says of a read does not tell a refusal from a cut, so it is the opening that does.

References:
    GDAL, "Virtual file systems", /vsicurl/: the options below.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from catalogs.files import for_gdal, is_remote, zip_of
from catalogs.secrets import has_secret, without_secrets
from curate.errors import SourceUnavailableError, StoppedError
from curate.sources.access import (
    ADVICE,
    CLOSING,
    FAULTY,
    LIMITED,
    LOOKS_S,
    Signed,
    Signer,
    most_connections,
    renew,
    sign,
    signer_for,
    turn,
)
from curate.sources.discretion import hide_queries, without_queries

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
    "GDAL_NUM_THREADS": "1",
}
"""One request for the header, neighbouring blocks in one more, no listing of folders, patience with busy servers; blocks
are decoded by the thread that reads: what fails in GDAL's own (JPEG 2000, GDAL 3.10) gives wrong pixels and no error."""
ONE_CONNECTION = {"GTIFF_HAS_OPTIMIZED_READ_MULTI_RANGE": "NO", "GDAL_HTTP_VERSION": "1.1"}
"""One request at a time, of a host that counts connections, by a protocol in which one can be closed after its answer: GDAL
keeps one for each thread otherwise."""
RETRY_DELAYS_S = (1.0, 5.0)
"""Pauses before a remote raster is tried again."""
REFUSED = ("400", "401", "403")
"""Answers to a signature or a token that does not hold (any more)."""
THROTTLED = ("429",)
"""Answer to who asks too often."""
BUSY = ("500", "502", "503", "504")
"""Answers of a server with a fault."""
PERMANENT = (*REFUSED, "404", "410")
"""Answers that another try does not change."""
_FAILED: set[str] = set()
"""Files that could not be read in this process: GDAL remembers them as missing, so the next try goes around it."""

Result = TypeVar("Result")
hide_queries()


class GdalFile:
    """An open file, of one thread."""

    def __init__(
        self,
        href: str,
        signer_of: Callable[[str], Signer | None] = signer_for,
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open it.

        Args:
            href: A path, or a `file://`, `http(s)://` or `s3://` address, unsigned.
            signer_of: Who signs an href.
            is_over: Asked whether nobody waits for it any more: before it is tried again, and while its host has no connection
                to spare.

        Raises:
            SourceUnavailableError: It cannot be opened.
            StoppedError: Nobody waits for it any more.
            CurateError: Credentials for it are missing.
        """
        self.href = href
        self._is_over = is_over
        self._signer = signer_of(href)
        self._signed: Signed | None = None
        self._opened: DatasetReader | None = None
        self._grid: tuple[object, ...] | None = None
        self.ask(lambda _: None)

    @property
    def dataset(self) -> DatasetReader:
        """The handle of rasterio; another one after a failure that has passed."""
        assert self._opened is not None, "the file is closed"
        return self._opened

    def ask(self, question: Callable[[DatasetReader], Result]) -> Result:
        """What rasterio answers; of a remote file it is asked again after a pause, as long as the failure may pass.

        Args:
            question: Put to the open file, and again to the file opened anew.

        Raises:
            SourceUnavailableError: The file cannot be read, or is another one by now.
            StoppedError: Nobody waits for it any more.
            CurateError: Credentials for it are missing.
        """
        from rasterio.errors import RasterioError

        renewed = False
        delays = iter([*([0.0] if self._signer else []), *(RETRY_DELAYS_S if is_remote(self.href) else [])])
        while True:
            try:
                return self._ask_once(question)
            except RasterioError as error:
                said = str(error)
            if is_remote(self.href):
                self.close()
            if _answers(said, REFUSED) and not renewed and self._renew():
                renewed = True
                continue
            delay = next(delays, None)
            _FAILED.add(self.href)
            if delay is None or _answers(said, PERMANENT):
                raise SourceUnavailableError(self._failure(said))
            self._pause(delay)

    def close(self) -> None:
        """Give the handle back."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _pause(self, delay_s: float) -> None:
        """Wait before another try, unless nobody waits for the file any more."""
        end = time.monotonic() + delay_s
        while (left_s := end - time.monotonic()) > 0:
            if self._is_over():
                raise StoppedError(f"{without_secrets(self.href)} is not read any more: its reader was stopped.")
            time.sleep(min(left_s, LOOKS_S))

    def _ask_once(self, question: Callable[[DatasetReader], Result]) -> Result:
        import rasterio

        if self._signer is not None:
            signed = sign(self._signer, self.href)
            if signed != self._signed:
                self.close()
            self._signed = signed
        with turn(self._host, self._is_over), rasterio.Env(**self._options()):
            if self._opened is None:
                self._opened = self._open()
            return question(self._opened)

    def _open(self) -> DatasetReader:
        import rasterio

        opened = rasterio.open(self._path)
        grid = opened.crs, opened.transform, opened.shape
        if self._grid not in {None, grid}:
            opened.close()
            raise SourceUnavailableError(
                f"{without_secrets(self.href)} was replaced by one of another grid since it was opened first. "
                "Run the same command again when its provider is done."
            )
        self._grid = grid
        return opened

    def _renew(self) -> bool:
        """Have the file signed anew; whether that gave another signature than the one that was refused."""
        if self._signer is None or self._signed is None:
            return False
        return renew(self._signer, self.href, self._signed) != self._signed

    @property
    def _address(self) -> str:
        return self._signed.address if self._signed else self.href.removeprefix("file://")

    @property
    def _path(self) -> str:
        """What GDAL opens."""
        return for_gdal(self._address)

    @property
    def _host(self) -> str:
        return (urlsplit(self._address).hostname or "") if is_remote(self.href) else ""

    def _options(self) -> dict[str, str]:
        headers, options = dict(self._signed.headers if self._signed else {}), dict(GDAL_OPTIONS)
        if most_connections(self._host) is not None:
            headers |= CLOSING
            options |= ONE_CONNECTION
        # always, though there be none: options of the main thread are those of all threads that do not set their own
        stated = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
        options["GDAL_HTTP_HEADERS"] = stated or os.environ.get("GDAL_HTTP_HEADERS", "")
        if self.href in _FAILED:
            options["CPL_VSIL_CURL_NON_CACHED"] = self._path
        return options

    def _failure(self, message: str) -> str:
        """What went wrong, in words; GDAL's own only where they betray nothing."""
        clean = without_secrets(self.href)
        said = without_queries(message.replace(self._path, clean).replace(self._address, clean))
        detail = "" if not said or has_secret(said) else f" (GDAL: {said.rstrip('.')})"
        if not is_remote(self.href):
            there = "cannot be read as a raster" if Path(self._path).exists() or zip_of(self.href) else "does not exist"
            return (
                f"{clean} {there}{detail}. Expected the file that its item names; restore it, then run the same command again."
            )
        return (
            f"{clean} cannot be read{detail}. {self._advice(message)}, then run the same command again; what is done is kept."
        )

    def _advice(self, message: str) -> str:
        """What a user can do about a file that a server did not give, by what GDAL says of its answer."""
        if self._signer and _answers(message, REFUSED):
            return self._signer.advice
        if _answers(message, THROTTLED):
            return LIMITED
        return FAULTY if _answers(message, BUSY) else ADVICE


def _answers(message: str, codes: tuple[str, ...]) -> bool:
    """Whether GDAL tells of one of some answers of a web server."""
    return any(f"response code: {code}" in message for code in codes)

"""A catalog's bytes, from a folder, a web server or an object store.

Of `s3://` the region, the endpoint and the credentials come from the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`,
`AWS_ACCESS_KEY_ID`, `AWS_SKIP_SIGNATURE` ...). Messages show addresses without secrets.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import CatalogError, CatalogUnreachableError, ContractError, MissingAssetError, NotACatalogError
from catalogs.secrets import without_secrets

if TYPE_CHECKING:
    from obstore.store import HTTPStore, S3Store

REMOTE = ("http://", "https://", "s3://")
WHOLE_BELOW = 8 << 20
"""Bytes up to which a remote index is fetched in one request."""
PORTION = 16 << 20
"""Bytes of a large file that are fetched in one request, or read at a time."""
_CLIENTS: set[int] = set()
"""The processes, of which this is the last, that have used the network."""
RETRIES = 3
TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10


def is_remote(href: str) -> bool:
    """Whether an href is an address rather than a path."""
    return href.lower().startswith(REMOTE)


def read_bytes(href: str) -> bytes:
    """All bytes of a file.

    Args:
        href: A path, or an `http(s)://` or `s3://` address.

    Raises:
        MissingAssetError: There is no such file.
        CatalogUnreachableError: Its server does not answer, or refuses.
    """
    if is_remote(href):
        import obstore

        with _told(href):
            store, path = locate(href)
            return bytes(obstore.get(store, path).bytes())
    with _told(href):
        return Path(href).read_bytes()


def read_portions(href: str) -> Iterator[bytes]:
    """The bytes of a file in portions, so that a large one takes little memory and no request takes long.

    Args:
        href: A path, or an `http(s)://` or `s3://` address.

    Raises:
        MissingAssetError: There is no such file.
        CatalogUnreachableError: Its server does not answer, or refuses.
    """
    if is_remote(href):
        yield from _fetch_portions(href)
        return
    with _told(href), Path(href).open("rb") as file:
        while portion := file.read(PORTION):
            yield portion


def read_json(href: str) -> dict[str, Any]:
    """A JSON object; see `read_bytes`.

    Raises:
        NotACatalogError: The file holds something else.
    """
    content = read_bytes(href)
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        page = b"<html" in content[:1000].lower() or b"<!doctype" in content[:1000].lower()
        raise NotACatalogError(
            f"{without_secrets(href)} holds {'a web page' if page else 'no JSON object'}; expected STAC. "
            "Give the folder or the address of a catalog.json."
        )
    return parsed


def exists(href: str) -> bool:
    """Whether there is a file; see `read_bytes`.

    Raises:
        CatalogUnreachableError: Its server does not answer, or refuses.
    """
    if not is_remote(href):
        return Path(href).is_file()
    import obstore

    try:
        with _told(href):
            store, path = locate(href)
            obstore.head(store, path)
    except MissingAssetError:
        return False
    return True


def open_parquet(href: str, *, dictionaries: tuple[str, ...] = ()) -> pq.ParquetFile:
    """A parquet file, opened for reading what is asked of it; a large remote one is read by ranges.

    Args:
        href: A path, or an `http(s)://` or `s3://` address.
        dictionaries: Columns of text that repeats, to be kept as dictionaries.

    Raises:
        MissingAssetError: There is no such file.
        CatalogUnreachableError: Its server does not answer, or refuses.
        ContractError: It is no parquet file.
    """
    with _told(href):
        source = _remote_source(href) if is_remote(href) else href
        return pq.ParquetFile(source, read_dictionary=list(dictionaries), pre_buffer=is_remote(href))


def for_gdal(href: str) -> str:
    """What GDAL opens: an address as one of its virtual files, so that it asks for ranges and needs no further client.

    A path that goes on below a zip file, as if that were a folder, is one of a file in it.

    Examples:
        >>> for_gdal("https://host/B04.tif"), for_gdal("s3://bucket/B04.tif"), for_gdal("data/B04.tif")
        ('/vsicurl/https://host/B04.tif', '/vsis3/bucket/B04.tif', 'data/B04.tif')
    """
    if href.lower().startswith("s3://"):
        return f"/vsis3/{href[5:]}"
    if is_remote(href):
        return f"/vsicurl/{href}"
    archive = zip_of(href)
    return f"/vsizip/{{{archive}}}{href[len(archive) :]}" if archive else href


def zip_of(path: str) -> str | None:
    """The zip file below which a path goes on; none where there is no such file."""
    archives = (path[: match.end()] for match in re.finditer(r"\.zip(?=/)", path, re.IGNORECASE))
    return next((archive for archive in archives if Path(archive).is_file()), None)


def _remote_source(href: str) -> pa.NativeFile:
    """A remote file as Arrow reads it: whole where it is small or its server knows no ranges."""
    import obstore
    from obstore.exceptions import NotSupportedError

    store, path = locate(href)
    size = obstore.head(store, path)["size"]
    if size > WHOLE_BELOW:
        try:
            obstore.get_range(store, path, start=size - 8, end=size)
            return pa.PythonFile(_RangeFile(store, path, size), "r")
        except NotSupportedError:
            pass
    return pa.BufferReader(bytes(obstore.get(store, path).bytes()))


def _fetch_portions(href: str) -> Iterator[bytes]:
    import obstore
    from obstore.exceptions import NotSupportedError

    with _told(href):
        store, path = locate(href)
        size = obstore.head(store, path)["size"]
    for start in range(0, size, PORTION):
        with _told(href):
            try:
                portion = bytes(obstore.get_range(store, path, start=start, end=min(start + PORTION, size)))
            except NotSupportedError:  # by a server without ranges
                portion = bytes(obstore.get(store, path).bytes())
        yield portion
        if len(portion) > PORTION:
            return


class _RangeFile(io.RawIOBase):
    """A remote file that is fetched where it is read."""

    def __init__(self, store: HTTPStore | S3Store, path: str, size: int) -> None:
        super().__init__()
        self._store, self._path, self._size, self._at = store, path, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The byte to be read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Fetch bytes in one request."""
        import obstore

        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        content = bytes(obstore.get_range(self._store, self._path, start=self._at, end=end))
        self._at = end
        return content


def is_client_lost() -> bool:
    """Whether this process was forked from one whose network client was running: here it would wait for ever."""
    return bool(_CLIENTS) and os.getpid() not in _CLIENTS


def locate(href: str) -> tuple[HTTPStore | S3Store, str]:
    """The store of an address, and the path in it.

    Raises:
        CatalogUnreachableError: This process was forked from one whose client was running; see `is_client_lost`.
    """
    if is_client_lost():
        raise CatalogUnreachableError(
            f"{without_secrets(href)} cannot be read in a process that was forked from one that reads remote files. "
            "Give a cache folder, or start the process by spawn."
        )
    _CLIENTS.add(os.getpid())
    parts = urlsplit(href)
    query = f"?{parts.query}" if parts.query else ""
    return _store(parts.scheme.lower(), parts.netloc), unquote(parts.path).lstrip("/") + query


@lru_cache(maxsize=64)
def _store(scheme: str, host: str) -> HTTPStore | S3Store:
    from obstore.store import HTTPStore, S3Store

    options: dict[str, Any] = {
        "client_options": {"allow_http": True, "timeout": f"{TIMEOUT_S}s", "connect_timeout": f"{CONNECT_TIMEOUT_S}s"},
        "retry_config": {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=TIMEOUT_S)},
    }
    return S3Store(host, **options) if scheme == "s3" else HTTPStore.from_url(f"{scheme}://{host}", **options)


@contextmanager
def _told(href: str) -> Iterator[None]:
    """Turn failures of the file system, the network and Arrow into ours, in words and without secrets."""
    shown, remote = without_secrets(href), is_remote(href)
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise MissingAssetError(f"{shown} is not there. Check the address, or run curate verify on its catalog.") from (
            None if remote else error
        )
    except pa.ArrowInvalid as error:
        raise ContractError(f"{shown} is no parquet file. It is derived: remove it, and run curate build again.") from error
    except Exception as error:
        if not remote or isinstance(error, CatalogError):
            raise
        raise CatalogUnreachableError(
            f"{shown} cannot be read: {cause_of(error)}. Check the address, the network and your credentials, then try again."
        ) from None


def cause_of(error: Exception) -> str:
    """What a network client's report says in short; it goes on with the whole address, secrets included."""
    status = re.search(r"status code: (\d+ [\w ]+)", str(error))
    if isinstance(error, ValueError):
        return str(error)
    return f"its server says {status[1].strip()}" if status else "its server does not answer"

"""Where the files of a build's items go: the catalog's own folder, another one, or a bucket.

Every file appears under its name as a whole. In a folder it is written beside its name and renamed; an object store shows an
upload once it is complete.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from catalogs import files
from catalogs.errors import CatalogError, CatalogUnreachableError
from catalogs.pixels import write_whole
from catalogs.secrets import has_secret, without_secrets

BUCKET = "s3://"
MULTIPART_ABOVE = 64 << 20
"""Bytes above which an upload goes in parts; what is smaller leaves nothing behind where it is cut."""


class Target(Protocol):
    """A place for files, by their hrefs relative to the catalog's root."""

    address: str
    """A folder's absolute path, or `s3://bucket/prefix`."""
    writers: int
    """How many files are best written at a time."""

    def put(self, href: str, content: bytes | Path) -> None:
        """Write a file as a whole: some bytes, or a copy of a file of this machine.

        Raises:
            OSError: The disk is full, or the address does not answer (`CatalogUnreachableError`).
        """

    def put_all(self, contents: Mapping[str, bytes | Path]) -> None:
        """Write some files, by their hrefs, in any order."""

    def read(self, href: str) -> bytes | None:
        """All bytes of a file; none where it is not there."""

    def remove(self, href: str) -> None:
        """Remove a file, if it is there."""

    def sweep(self, folder: str, named: Collection[str]) -> None:
        """Remove the files of a folder that are not among `named`, and the folder where none is left."""


class FolderTarget:
    """A folder of this machine, or of a file system that it shares."""

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        """Use a folder; it is made where absent.

        Args:
            folder: Where to.
            shared: Other processes may write the same files, with the same content, at the same time.
        """
        self._root = folder
        self._shared = shared
        self.address = str(folder)
        self.writers = 1

    def put(self, href: str, content: bytes | Path) -> None:
        """Write a file beside its name, then rename it."""
        content = content if isinstance(content, bytes) else content.read_bytes()
        try:
            write_whole(self._root / href, content, shared=self._shared)
        except FileNotFoundError:  # The sweep of another process removed the part, or the folder.
            if not self._shared:
                raise
            write_whole(self._root / href, content, shared=True)

    def put_all(self, contents: Mapping[str, bytes | Path]) -> None:
        """Write one after the other."""
        for href, content in contents.items():
            self.put(href, content)

    def read(self, href: str) -> bytes | None:
        """All bytes of a file; none where it is not there."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self._root / href).read_bytes()
        return None

    def remove(self, href: str) -> None:
        """Remove a file, if it is there."""
        (self._root / href).unlink(missing_ok=True)

    def sweep(self, folder: str, named: Collection[str]) -> None:
        """Remove what is not named."""
        place = self._root / folder
        # Another process may write to the folder, or have removed it.
        with suppress(FileNotFoundError):
            for path in list(place.iterdir()):
                if path.name not in named:
                    path.unlink(missing_ok=True)
            if not named:
                _remove_empty(place)


class BucketTarget:
    """A prefix of an object store; region, endpoint and credentials come from the environment, as in `catalogs.files`."""

    def __init__(self, address: str, *, lists_once: bool = False) -> None:
        """Use an address that `find_target` gave; nothing is asked of it yet.

        Args:
            address: `s3://bucket/prefix`.
            lists_once: List all files once, a request per thousand, before the first sweep, and afterwards look only into
                folders that held some; else every sweep is a request. For who writes each folder once.
        """
        self.address = address
        self.writers = 16
        self._uploads = ThreadPoolExecutor(self.writers, thread_name_prefix="upload")
        self._lists_once = lists_once
        self._held: set[str] | None = None

    def put(self, href: str, content: bytes | Path) -> None:
        """Upload a file; it is not there before it is complete."""
        import obstore

        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        with self._told():
            store, path = files.locate(self._of(href))
            obstore.put(store, path, content, use_multipart=size > MULTIPART_ABOVE)

    def put_all(self, contents: Mapping[str, bytes | Path]) -> None:
        """Upload several at a time: each takes a request, and so a network's latency."""
        for _ in self._uploads.map(self.put, contents.keys(), contents.values()):
            continue

    def read(self, href: str) -> bytes | None:
        """All bytes of a file; none where it is not there."""
        import obstore

        with self._told(), suppress(FileNotFoundError):
            store, path = files.locate(self._of(href))
            return bytes(obstore.get(store, path).bytes())
        return None

    def remove(self, href: str) -> None:
        """Remove a file, if it is there."""
        import obstore

        with self._told():
            store, path = files.locate(self._of(href))
            obstore.delete(store, path)

    def sweep(self, folder: str, named: Collection[str]) -> None:
        """Remove what is not named."""
        if self._lists_once and self._held is None:
            self._held = {posixpath.dirname(href) for href in self._list("")}
        if self._held is not None and folder not in self._held:
            return
        for href in list(self._list(folder)):
            if posixpath.basename(href) not in named:
                self.remove(href)

    def _list(self, folder: str) -> Iterator[str]:
        """Hrefs of the files below a folder."""
        import obstore

        with self._told():
            store, path = files.locate(self._of(folder))
            root = files.locate(self.address)[1].strip("/")
            for portion in obstore.list(store, path.strip("/") or None, chunk_size=1000):
                yield from (entry["path"][len(root) :].lstrip("/") for entry in portion)

    def _of(self, href: str) -> str:
        return f"{self.address}/{href}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn failures of the store's client into ours, in words and without secrets."""
        try:
            yield
        except FileNotFoundError:
            raise CatalogUnreachableError(
                f"{self.address} cannot be written: there is no such bucket. Make it, or check the address, then run again."
            ) from None
        except Exception as error:
            if isinstance(error, CatalogError):
                raise
            raise CatalogUnreachableError(
                f"{self.address} cannot be written: {files.cause_of(error)}. Check the address, the network and your "
                "credentials (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL ...), then run the same command again: "
                "it continues."
            ) from None


def find_target(text: str) -> str:
    """The address of a place to write to, from a user's words.

    Args:
        text: The path of a folder, or `s3://bucket/prefix`.

    Returns:
        A folder's absolute path, or the address without a slash at its end.

    Raises:
        CatalogError: An address that cannot be written to, or one with credentials in it.

    Examples:
        >>> find_target("s3://bucket/france/")
        's3://bucket/france'
    """
    if "://" not in text:
        return str(Path(text).expanduser().absolute())
    if has_secret(text):
        raise CatalogError(
            f"--to {without_secrets(text)} was given with credentials. They belong in the environment (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY ...), from where they reach no file and no log."
        )
    bucket = text[len(BUCKET) :].strip("/")
    if not text.lower().startswith(BUCKET) or not bucket or "?" in bucket or "#" in bucket:
        raise CatalogError(f"--to {text} cannot be written to. Give the path of a folder, or s3://BUCKET/PREFIX.")
    return f"{BUCKET}{bucket}"


def open_target(address: str, *, lists_once: bool = False, shared: bool = False) -> Target:
    """The place of an address that `find_target` gave; see `BucketTarget` and `FolderTarget`."""
    if address.startswith(BUCKET):
        return BucketTarget(address, lists_once=lists_once)
    return FolderTarget(Path(address), shared=shared)


def _remove_empty(folder: Path) -> None:
    """Remove a folder, unless somebody has just written to it."""
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise

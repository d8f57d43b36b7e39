"""A catalog's files by their hrefs relative to its root, wherever it is."""

from __future__ import annotations

import fcntl
import json
import os
import posixpath
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs import files, layout
from catalogs.checks.report import Findings
from catalogs.errors import CatalogUnreachableError, MissingAssetError, NotACatalogError
from catalogs.index_files import IndexFiles, open_index
from catalogs.secrets import secret_kind, without_secrets

BROKEN_TABLE = (OSError, LookupError, TypeError, ValueError, AttributeError, NotImplementedError)
"""What a damaged or foreign parquet file makes pyarrow and our readers raise; Arrow's own errors are among them."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder, or an address below which a catalog's files are."""

    root: str
    """Without a slash at the end."""

    @classmethod
    def at(cls, href: str) -> Tree:
        """The catalog of a folder, an address, or the path or address of its `catalog.json`."""
        return cls(href.removesuffix(layout.CATALOG).rstrip("/") or ("/" if href.startswith("/") else "."))

    @property
    def is_remote(self) -> bool:
        """Whether files have to be fetched and cannot be listed."""
        return files.is_remote(self.root)

    @property
    def shown(self) -> str:
        """The root, for people."""
        return without_secrets(self.root)

    def address(self, href: str) -> str:
        """Path or address of a file."""
        return f"{self.root}/{href}"

    def exists(self, href: str) -> bool:
        """Whether there is a file."""
        return files.exists(self.address(href))

    def read(self, href: str) -> bytes:
        """All bytes of a file.

        Raises:
            MissingAssetError: There is none.
            CatalogUnreachableError: The server does not answer.
        """
        return files.read_bytes(self.address(href))

    def open_index(self, hrefs: Iterable[str]) -> IndexFiles:
        """The files of an index, opened for reading what is asked of them."""
        return open_index([self.address(href) for href in hrefs])

    def read_document(self, href: str, findings: Findings) -> dict[str, Any] | None:
        """A JSON object, looked through for secrets; none, and a problem, where it is not to be read.

        A file that is absent is no problem here: who links it knows what that means.
        """
        try:
            content = self.read(href)
        except MissingAssetError:
            return None
        findings.checked["documents"] += 1
        check_text(content.decode("utf-8", "replace"), href, findings)
        with suppress(ValueError):
            parsed = json.loads(content)
            if isinstance(parsed, dict):
                return parsed
        findings.add("unreadable", href, f"Holds no JSON object ({len(content)} bytes); expected a STAC document.")
        return {}

    def listing(self, folder: str) -> dict[str, int] | None:
        """Names and sizes of the files of a folder; none where it cannot be listed."""
        if self.is_remote:
            return None
        try:
            with os.scandir(self.address(folder)) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def size(self, href: str) -> int | None:
        """Bytes of a file on this machine; none where it is not there."""
        try:
            return Path(self.address(href)).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_settled(self) -> bool:
        """Whether the last run reached its end: no journal waits to be taken in.

        A server that refuses the journal has none to show: many keep hidden files to themselves, and object stores that do
        not list refuse what is absent.
        """
        try:
            return not self.exists(f"{layout.WORK}/journal.jsonl")
        except CatalogUnreachableError:
            return True

    def is_being_written(self) -> bool:
        """Whether a build or a packing is at work in it now: who writes keeps the file of its locations locked."""
        if self.is_remote:
            return False
        try:
            with Path(self.address(layout.LOCATIONS)).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # there are no locations yet, or a file system without locks
        return False

    def part(self) -> str | None:
        """Which part of a build is here, in a folder of this machine that does not hold everything: `3/20`."""
        path = Path(self.address(layout.PART))
        return None if self.is_remote or not path.is_file() else path.read_text("utf-8").strip()

    def check_ours(self) -> None:
        """Refuse an address that holds nothing of a catalog.

        Raises:
            NotACatalogError: There is neither a catalog nor a recipe.
            CatalogUnreachableError: The server does not answer.
        """
        if not self.exists(layout.CATALOG) and not self.exists(layout.RECIPE):
            raise NotACatalogError(
                f"{self.shown} is no catalog: it holds neither {layout.CATALOG} nor {layout.RECIPE}. "
                "Give the folder or the address of a catalog that curate made."
            )


@dataclass(frozen=True, slots=True)
class Visit:
    """One check of one catalog."""

    tree: Tree
    """Its files."""
    findings: Findings
    """Where problems go."""
    settled: bool
    """Whether the last run reached its end; else what is not linked yet is unfinished, not wrong."""
    is_being_written: bool = False
    """Whether it is not settled because a run is at work in it."""

    def read(self, href: str) -> dict[str, Any] | None:
        """A JSON object; see `Tree.read_document`."""
        return self.tree.read_document(href, self.findings)

    def add(self, kind: str, where: str, message: str) -> None:
        """Note a problem."""
        self.findings.add(kind, where, message)


def check_text(text: str, where: str, findings: Findings) -> None:
    """Note a signed address, a credential or a token."""
    kind = secret_kind(text)
    if kind:
        findings.add("secret", where, f"Holds {kind}; expected addresses without anything secret.")


def beside(document: str, href: str) -> str:
    """An href of a document, relative to the root.

    Raises:
        UnsafeHrefError: It leaves the catalog.
    """
    return layout.join(posixpath.dirname(document), href)

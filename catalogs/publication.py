"""A catalog whose files lie elsewhere: its folder keeps what a build needs, and copies of its documents follow the files.

The address is remembered beside the journal, not in `recipe.json`: where a catalog lies does not say what it is. While a build
writes there, a mark that it has put there first says of which folder it is: a catalog of another one is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalogs import files, layout
from catalogs.errors import CatalogError
from catalogs.pixels import write_whole
from catalogs.targets import Target, find_target, open_target

RECORD = f"{layout.WORK}/target.json"
ROOT_DOCUMENTS = (layout.RECIPE, layout.LOCATIONS, layout.FAILURES, layout.CATALOG)
"""Of a catalog's root, in the order in which they are copied: what links the others last."""
AT_WORK = f"{layout.WORK}/journal.jsonl"
"""There while a build writes, and after it was killed: to a check, what is not linked then is unfinished, not wrong. It holds
the id that the folder's record has."""


def remember_target(folder: Path, wanted: str | None) -> str | None:
    """Where the files of a catalog go: as an earlier run was told, or as this one is, which is remembered.

    Args:
        folder: The catalog's folder.
        wanted: What the user asks for; nothing where absent.

    Returns:
        The address, as of `find_target`; none where the files lie in the folder itself.

    Raises:
        CatalogError: An earlier run wrote elsewhere, or the place is the folder itself, or lies within it. An address that
            no run has reached is none that was written to: it is forgotten.
    """
    record = _read_record(folder)
    kept = record.get("to")
    address = find_target(wanted) if wanted else kept
    if address is None or address == kept:
        return kept
    if (folder / layout.CATALOG).exists():  # written as soon as the files' address has answered, before any of them
        raise CatalogError(
            f"{folder} has its files in {kept or 'itself'}; --to {wanted} would split the catalog. "
            "Leave --to out to go on there, or sample another folder."
        )
    if not files.is_remote(address) and Path(address).resolve().is_relative_to(folder.resolve()):
        raise CatalogError(
            f"--to {wanted} is the catalog's folder {folder} or lies within it. Leave --to out, or name another place."
        )
    _write_record(folder, address, {}, record.get("id") or uuid.uuid4().hex)
    return address


def read_target(folder: Path) -> str | None:
    """Where the files of a catalog lie, if not in its folder."""
    address: str | None = _read_record(folder).get("to")
    return address


class Publication:
    """Copies the documents of a catalog's folder to where its files are, as far as they have changed."""

    def __init__(self, folder: Path, sensors: Sequence[str]) -> None:
        """Use the address that the folder remembers; nothing is written yet.

        Args:
            folder: The catalog's folder, which `remember_target` was called for.
            sensors: Folders of its collections.
        """
        record = _read_record(folder)
        self._folder = folder
        self._sensors = sensors
        self._address: str = record["to"]
        self._id: str = record.get("id", "")  # Older versions wrote none, and an empty mark.
        self._copied: dict[str, str] = record["documents"]
        self.target: Target = open_target(self._address, lists_once=True)

    def begin(self) -> None:
        """Say there that a build is at work, which shows whether it can be written.

        Raises:
            CatalogError: Another catalog is there, or another build writes there.
            CatalogUnreachableError: It cannot be written.
        """
        foreign = self._find_foreign()
        if foreign:
            raise CatalogError(
                f"{self._address} holds another catalog ({foreign} there is not of {self._folder}), which this build would "
                "overwrite. Give another --to, or empty that place first if nobody needs what is there."
            )
        self.target.put(AT_WORK, self._id.encode())

    def copy(self) -> None:
        """Copy what has changed: indices first, what links them last; then remove what is no more."""
        now = {href: hashlib.sha256((self._folder / href).read_bytes()).hexdigest() for href in self._documents()}
        changed = [href for href in now if self._copied.get(href) != now[href]]
        linking = [href for href in changed if href.endswith(layout.COLLECTION) or href in ROOT_DOCUMENTS]
        self.target.put_all({href: self._folder / href for href in changed if href not in linking})
        for href in linking:
            self.target.put(href, self._folder / href)
        for href in self._copied.keys() - now.keys():
            self.target.remove(href)
        if changed or self._copied.keys() != now.keys():
            _write_record(self._folder, self._address, now, self._id)
            self._copied = now

    def end(self) -> None:
        """Say there that no build is at work."""
        self.target.remove(AT_WORK)

    def _find_foreign(self) -> str | None:
        """What is there that no build of this folder has written; none where there is nothing, or all is its own."""
        mark = self.target.read(AT_WORK)
        if mark is not None:  # It comes before the first document, and goes once all are recorded here.
            return None if mark == self._id.encode() else AT_WORK
        for href in (layout.RECIPE, layout.CATALOG):
            content = self.target.read(href)
            if content is not None and hashlib.sha256(content).hexdigest() != self._copied.get(href):
                return href
        return None

    def _documents(self) -> Iterator[str]:
        """Hrefs of the documents of the folder, those that link others last."""
        for sensor in self._sensors:
            found = sorted(path for path in (self._folder / sensor).rglob("*") if path.suffix in (".json", ".parquet"))
            yield from (path.relative_to(self._folder).as_posix() for path in found)
        yield from (href for href in ROOT_DOCUMENTS if (self._folder / href).exists())


def _read_record(folder: Path) -> dict[str, Any]:
    """Empty where nothing is remembered."""
    path = folder / RECORD
    record: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return record


def _write_record(folder: Path, address: str, documents: Mapping[str, str], id_: str) -> None:
    record = {"to": address, "id": id_, "documents": dict(sorted(documents.items()))}
    write_whole(folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")

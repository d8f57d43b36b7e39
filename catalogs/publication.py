"""A catalog whose files lie elsewhere: its folder keeps what a build needs, and copies of its documents follow the files.

The address is remembered beside the journal, not in `recipe.json`: where a catalog lies does not say what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from catalogs import files, layout
from catalogs.errors import CatalogError
from catalogs.pixels import write_whole
from catalogs.targets import Target, find_target, open_target

RECORD = f"{layout.WORK}/target.json"
ROOT_DOCUMENTS = (layout.RECIPE, layout.LOCATIONS, layout.FAILURES, layout.CATALOG)
"""Of a catalog's root, in the order in which they are copied: what links the others last."""
AT_WORK = f"{layout.WORK}/journal.jsonl"
"""There while a build writes, and after it was killed: to a check, what is not linked then is unfinished, not wrong."""


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
    kept = read_target(folder)
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
    _write_record(folder, address, {})
    return address


def read_target(folder: Path) -> str | None:
    """Where the files of a catalog lie, if not in its folder."""
    record = folder / RECORD
    return str(json.loads(record.read_bytes())["to"]) if record.exists() else None


class Publication:
    """Copies the documents of a catalog's folder to where its files are, as far as they have changed."""

    def __init__(self, folder: Path, sensors: Sequence[str]) -> None:
        """Use the address that the folder remembers; nothing is written yet.

        Args:
            folder: The catalog's folder, which `remember_target` was called for.
            sensors: Folders of its collections.
        """
        record = json.loads((folder / RECORD).read_bytes())
        self._folder = folder
        self._sensors = sensors
        self._address: str = record["to"]
        self._copied: dict[str, str] = record["documents"]
        self.target: Target = open_target(self._address, lists_once=True)

    def begin(self) -> None:
        """Say there that a build is at work, which shows whether it can be written.

        Raises:
            CatalogUnreachableError: It cannot be written.
        """
        self.target.put(AT_WORK, b"")

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
            _write_record(self._folder, self._address, now)
            self._copied = now

    def end(self) -> None:
        """Say there that no build is at work."""
        self.target.remove(AT_WORK)

    def _documents(self) -> Iterator[str]:
        """Hrefs of the documents of the folder, those that link others last."""
        for sensor in self._sensors:
            found = sorted(path for path in (self._folder / sensor).rglob("*") if path.suffix in (".json", ".parquet"))
            yield from (path.relative_to(self._folder).as_posix() for path in found)
        yield from (href for href in ROOT_DOCUMENTS if (self._folder / href).exists())


def _write_record(folder: Path, address: str, documents: Mapping[str, str]) -> None:
    record = {"to": address, "documents": dict(sorted(documents.items()))}
    write_whole(folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")

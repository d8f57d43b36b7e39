"""Secrets in texts: those of an index by the column, those of loose files by the file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import layout
from catalogs.checks.documents import Collected
from catalogs.checks.leftovers import TEMPORARY
from catalogs.checks.tree import BROKEN_TABLE, Visit, check_text
from catalogs.errors import CatalogUnreachableError
from catalogs.secrets import secret_kind

TEXTS = (".json", ".jsonl", ".geojson", ".md", ".txt", ".csv", ".html", ".xml", ".yaml", ".yml", ".cff", ".gz")
SAVED_SEARCH = ".parquet"
LARGEST = 64 << 20
"""Bytes of a text beyond which it is read in part."""
CHUNK = 2_000
"""Values that are looked through at a time."""


def check_index_texts(visit: Visit, collected: Collected) -> None:
    """Look for secrets in every text of an index; each distinct one of a row group once."""
    href = collected.index_name
    told: set[tuple[str, str]] = set()
    if not collected.rows:
        return
    try:
        with visit.tree.open_index(collected.index) as file:
            for group in range(file.num_row_groups):
                for name, values in _text_columns(file.read_row_group(group)):
                    told.update((name, kind) for kind in _secret_kinds(values))
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE:
        return  # Who reads its rows tells what is wrong.
    for name, kind in sorted(told):
        visit.add("secret", href, f"Its column {name} holds {kind}; expected addresses without anything secret.")


def _text_columns(table: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Distinct texts of every column, however deep it lies."""
    for name in table.column_names:
        yield from _texts_within(name, table[name].combine_chunks())


def _texts_within(name: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    if pa.types.is_list(values.type):
        yield from _texts_within(name, pc.list_flatten(values))
    elif pa.types.is_struct(values.type):
        for field in values.type:
            yield from _texts_within(f"{name}.{field.name}", pc.struct_field(values, field.name))
    elif pa.types.is_string(values.type):
        yield name, pc.unique(pc.drop_null(values))


def _secret_kinds(values: pa.Array) -> Iterator[str]:
    """Kinds of secrets in some texts."""
    for start in range(0, len(values), CHUNK):
        texts = values.slice(start, CHUNK).to_pylist()
        if secret_kind("\n".join(texts)):
            yield from (kind for kind in map(secret_kind, texts) if kind)


def check_loose_texts(visit: Visit) -> None:
    """Look for secrets in texts beside the STAC files, saved searches and the journal among them."""
    if visit.tree.is_remote:
        return
    root = Path(visit.tree.root)
    for path in _files_beside(root):
        where = path.relative_to(root).as_posix()
        if path.name.endswith(layout.TEMPORARY):
            visit.findings.leave(TEMPORARY, [where])
        elif path.suffix in TEXTS and where not in (layout.CATALOG, layout.RECIPE):
            check_text(_read_text(path), where, visit.findings)
        elif path.suffix == SAVED_SEARCH and path.is_relative_to(root / layout.WORK):
            check_text(_read_table(path), where, visit.findings)


def _read_table(path: Path) -> str:
    """Every distinct text of a saved search; nothing of a file that is none, which a build asks for again."""
    try:
        columns = list(_text_columns(pq.read_table(path)))
    except (OSError, pa.ArrowException):
        return ""
    return "\n".join(text for _, values in columns for text in values.to_pylist())


def _files_beside(root: Path) -> Iterator[Path]:
    """Files at the root, and all of the build's own folder."""
    yield from sorted(path for path in root.iterdir() if path.is_file())
    yield from sorted(path for path in (root / layout.WORK).rglob("*") if path.is_file())


def _read_text(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except (OSError, EOFError):
        return ""

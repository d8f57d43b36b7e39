"""Catalogs as an earlier version of the contract had them, made from ones of today."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.pixels import multihash_file

NEW_PROPERTIES = (fields.LABELS,)
"""What version 1.0 did not have."""


def make_contract_1_0(folder: Path) -> Path:
    """Change a catalog, its items files or rows, into what version 1.0 of the contract wrote."""
    return _age(folder, "1.0", NEW_PROPERTIES)


def make_contract_1_1(folder: Path) -> Path:
    """Change a catalog without label rasters into what version 1.1 of the contract wrote."""
    return _age(folder, "1.1", ())


def make_contract_1_2(folder: Path) -> Path:
    """Change a catalog of which all files are our own into what version 1.2 of the contract wrote."""
    return _age(folder, "1.2", ())


def make_contract_1_3(folder: Path) -> Path:
    """Change a catalog whose index is one file into what version 1.3 of the contract wrote."""
    return _age(folder, "1.3", ())


def _age(folder: Path, version: str, absent: Collection[str]) -> Path:
    for path in folder.rglob("*.json"):
        path.write_text(json.dumps(_aged(json.loads(path.read_text()), version, absent)))
    for collection in folder.glob(f"*/{layout.COLLECTION}"):
        index = collection.parent / layout.INDEX
        age_index(index, version, absent)
        content = json.loads(collection.read_text())
        content["assets"]["items"]["file:checksum"] = multihash_file(index)
        collection.write_text(json.dumps(content))
    return folder


def age_index(index: Path, version: str = "1.0", absent: Collection[str] = NEW_PROPERTIES) -> None:
    """Change an index alone."""
    table = pq.read_table(index)
    names = table.column_names
    versions = pa.array([version] * len(table), pa.string())
    aged = table.set_column(names.index(fields.CONTRACT), fields.CONTRACT, versions).drop_columns(list(absent))
    pq.write_table(aged, index, compression="zstd", row_group_size=20_000)


def _aged(document: dict[str, Any], version: str, absent: Collection[str]) -> dict[str, Any]:
    changes = {key: version for key in (fields.CONTRACT, "contract") if key in document}
    kept = {key: value for key, value in document.items() if key not in absent}
    if isinstance(document.get("properties"), dict):
        changes["properties"] = _aged(document["properties"], version, absent)
    return {**kept, **changes}

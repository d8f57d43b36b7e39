"""Catalogs as an earlier version of the contract had them, made from ones of today."""

import json
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
    for path in folder.rglob("*.json"):
        path.write_text(json.dumps(_aged(json.loads(path.read_text()))))
    for collection in folder.glob(f"*/{layout.COLLECTION}"):
        index = collection.parent / layout.INDEX
        age_index(index)
        content = json.loads(collection.read_text())
        content["assets"]["items"]["file:checksum"] = multihash_file(index)
        collection.write_text(json.dumps(content))
    return folder


def age_index(index: Path) -> None:
    """Change an index alone."""
    table = pq.read_table(index)
    names = table.column_names
    version = pa.array(["1.0"] * len(table), pa.string())
    aged = table.set_column(names.index(fields.CONTRACT), fields.CONTRACT, version).drop_columns(list(NEW_PROPERTIES))
    pq.write_table(aged, index, compression="zstd", row_group_size=20_000)


def _aged(document: dict[str, Any]) -> dict[str, Any]:
    changes = {key: "1.0" for key in (fields.CONTRACT, "contract") if key in document}
    kept = {key: value for key, value in document.items() if key not in NEW_PROPERTIES}
    if isinstance(document.get("properties"), dict):
        changes["properties"] = _aged(document["properties"])
    return {**kept, **changes}

"""Catalogs as an earlier version of the contract had them, made from ones of today."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.pixels import multihash_file
from catalogs.records import Radiometry, Scene

SINCE_1_5 = (fields.SOURCE, fields.CLOUD_SOURCE)
"""What version 1.4 did not have."""
NEW_PROPERTIES = (fields.LABELS, *SINCE_1_5)
"""What version 1.0 did not have."""
OLD_RADIOMETRY = ("decision", "check")
"""What version 1.4 said of radiometry."""


def before_1_5(scenes: Iterable[Scene]) -> list[Scene]:
    """Scenes without what a catalog of version 1.4 could not say of them."""
    kept = []
    for scene in scenes:
        told = scene.radiometry and Radiometry(scene.radiometry.decision, scene.radiometry.check)
        kept.append(replace(scene, source=None, cloud_source=None, radiometry=told))
    return kept


def make_contract_1_0(folder: Path) -> Path:
    """Change a catalog, its items files or rows, into what version 1.0 of the contract wrote."""
    return _age(folder, "1.0", NEW_PROPERTIES)


def make_contract_1_1(folder: Path) -> Path:
    """Change a catalog without label rasters into what version 1.1 of the contract wrote."""
    return _age(folder, "1.1", SINCE_1_5)


def make_contract_1_2(folder: Path) -> Path:
    """Change a catalog of which all files are our own into what version 1.2 of the contract wrote."""
    return _age(folder, "1.2", SINCE_1_5)


def make_contract_1_3(folder: Path) -> Path:
    """Change a catalog whose index is one file into what version 1.3 of the contract wrote."""
    return _age(folder, "1.3", SINCE_1_5)


def make_contract_1_4(folder: Path) -> Path:
    """Change a catalog whose index is one file into what version 1.4 of the contract wrote."""
    return _age(folder, "1.4", SINCE_1_5)


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
    aged = table.set_column(names.index(fields.CONTRACT), fields.CONTRACT, versions)
    stated = table[fields.RADIOMETRY].combine_chunks()
    old = pa.StructArray.from_arrays([stated.field(name) for name in OLD_RADIOMETRY], OLD_RADIOMETRY, mask=stated.is_null())
    aged = aged.set_column(names.index(fields.RADIOMETRY), fields.RADIOMETRY, old).drop_columns(list(absent))
    pq.write_table(aged, index, compression="zstd", row_group_size=20_000)


def _aged(document: dict[str, Any], version: str, absent: Collection[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {key: version for key in (fields.CONTRACT, "contract") if key in document}
    kept = {key: value for key, value in document.items() if key not in absent}
    if fields.RADIOMETRY in document:
        changes[fields.RADIOMETRY] = {key: document[fields.RADIOMETRY][key] for key in OLD_RADIOMETRY}
    if isinstance(document.get("properties"), dict):
        changes["properties"] = _aged(document["properties"], version, absent)
    return {**kept, **changes}

"""A pack among the assets of its collection, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalogs import fields, layout
from catalogs.pack_plan import PackFile, PackPlan

ASSET = "pack"
"""Key of a pack's table; the keys of its shards begin with it."""
NPY = "application/x-npy"
PARQUET = "application/vnd.apache.parquet"


def pack_assets(collection: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The files of a pack that a collection lists, by asset key; none where it lists no whole pack."""
    assets = {key: asset for key, asset in collection.get("assets", {}).items() if fields.INDEX_HASH in asset}
    return assets if ASSET in assets else {}


def listed_files(assets: Mapping[str, Mapping[str, Any]], sensor: str) -> dict[str, PackFile]:
    """The files of a pack by their names relative to its folder.

    Args:
        assets: As `pack_assets` gives them.
        sensor: Of the pack.
    """
    folder = f"../{layout.pack_folder(sensor)}/"
    files = [
        PackFile(asset["href"].removeprefix(folder), asset["file:checksum"], asset["file:size"]) for asset in assets.values()
    ]
    return {file.name: file for file in files}


def list_pack(plan: PackPlan, table: PackFile, shards: Iterable[Sequence[PackFile]]) -> dict[str, dict[str, Any]]:
    """The files of a pack as assets of its collection.

    Args:
        plan: Of the pack.
        table: Its table.
        shards: Their files, in the order of the layers.
    """
    about = {"title": f"Pack of {plan.sensor}: where each item is, its scale and offset", "roles": ["metadata", "derived"]}
    assets = {ASSET: {"href": _href(plan, table), "type": PARQUET, **about, **_facts(plan, table)}}
    for written in shards:
        for layer, file in zip(plan.layers, written, strict=True):
            what = {"type": NPY, "roles": ["data", "derived"], "gsd": layer.gsd, "data_type": layer.data_type}
            bands = [{"name": band} for band in layer.bands]
            assets[asset_key(file.name)] = {"href": _href(plan, file), **what, "bands": bands, **_facts(plan, file)}
    return assets


def asset_key(name: str) -> str:
    """Key of a shard among its collection's assets: `pack-10m-00000`."""
    return f"{ASSET}-{name.removesuffix('.npy').replace('/', '-')}"


def _href(plan: PackPlan, file: PackFile) -> str:
    return f"../{layout.pack_folder(plan.sensor)}/{file.name}"


def _facts(plan: PackPlan, file: PackFile) -> dict[str, Any]:
    return {"file:size": file.size, "file:checksum": file.checksum, fields.INDEX_HASH: plan.index_hash}

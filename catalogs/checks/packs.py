"""Packs: whether one is there as its collection lists it, whether it is stale, and what a stop left of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from catalogs import fields, files, layout
from catalogs.checks.documents import Collected
from catalogs.checks.tree import BROKEN_TABLE, Visit
from catalogs.errors import ContractError, MissingAssetError
from catalogs.pack import read_pack_table
from catalogs.pack_listing import ASSET, listed_files
from catalogs.pack_plan import PackFile, PackPlan
from catalogs.pixels import SHA256_MULTIHASH

BYTES_READ = 4 << 30
"""Bytes of all packs up to which they are read; of larger ones, the sizes alone, unless everything is asked for."""


def check_packs(visit: Visit, collections: Sequence[Collected], *, deep: bool) -> tuple[list[str], str | None]:
    """Check the packs of a catalog.

    Args:
        visit: The check that this is part of.
        collections: Of the catalog.
        deep: Read every byte, however many there are.

    Returns:
        What is stale or unfinished, in lines; what was left out, none where nothing was.
    """
    packed = [collected for collected in collections if collected.pack]
    judged = [collected for collected in packed if collected.index_hash]  # others are in the middle of a build
    stale = [collected.sensor for collected in judged if _is_stale(collected)]
    told = [f"The pack of {sensor} is stale: the catalog has changed since. `curate pack` renews it." for sensor in stale]
    told += _unfinished(visit, [collected.sensor for collected in packed])
    fresh = [collected for collected in judged if collected.sensor not in stale]
    listed = [entry for collected in fresh for entry in _check_listing(visit, collected)]
    reads = deep or (not visit.tree.is_remote and sum(file.size for _, file in listed) <= BYTES_READ)
    for href, file in listed:
        _check_file(visit, href, file, reads=reads)
    skipped = f"The {len(listed)} files of packs were only looked for, not read. --deep reads them all."
    return told, skipped if listed and not reads else None


def _is_stale(collected: Collected) -> bool:
    """Whether a pack was made of another index."""
    return bool(collected.pack[ASSET][fields.INDEX_HASH] != collected.index_hash)


def _unfinished(visit: Visit, packed: Sequence[str]) -> Iterator[str]:
    """What packings that were stopped have left, where files can be listed."""
    root = Path(visit.tree.root, layout.PACKS)
    for folder in sorted(root.glob("*/")) if not visit.tree.is_remote else ():
        if (folder / layout.PACK_JOURNAL).exists():
            yield f"The packing of {folder.name} was stopped. `curate pack` continues it."
        elif folder.name not in packed:
            yield f"{layout.PACKS}/{folder.name} holds a pack that no collection lists. Remove it, or run `curate pack`."


def _check_listing(visit: Visit, collected: Collected) -> list[tuple[str, PackFile]]:
    """The files of a pack by their hrefs, once its table agrees that these are all, and of these items."""
    where, folder = f"{collected.sensor}/{layout.COLLECTION}", layout.pack_folder(collected.sensor)
    try:
        listed = listed_files(collected.pack, collected.sensor)
    except (LookupError, TypeError, AttributeError) as error:
        visit.add("pack", where, f"Lists a file of a pack without its href, file:checksum or file:size ({error!r}).")
        return []
    if not visit.tree.is_remote:
        try:
            plan, table = read_pack_table(Path(visit.tree.address(f"{folder}/{layout.PACK}")), collected.sensor, "")
        except (ContractError, MissingAssetError) as error:
            visit.add("pack", f"{folder}/{layout.PACK}", str(error).strip())
            return []
        _check_items(visit, collected, table["id"], f"{folder}/{layout.PACK}")
        _check_names(visit, plan, listed, where)
    return [(f"{folder}/{name}", file) for name, file in sorted(listed.items())]


def _check_items(visit: Visit, collected: Collected, ids: pa.ChunkedArray, where: str) -> None:
    """Note a table whose rows are not those of the index; an index that cannot be read is told elsewhere."""
    try:
        with visit.tree.open_index(collected.index) as file:
            mine = file.read(columns=["id"])["id"]
    except (ContractError, MissingAssetError, *BROKEN_TABLE):
        return
    if not ids.combine_chunks().equals(mine.combine_chunks()):
        visit.add(
            "pack", where, f"Has {len(ids)} rows that are not the {len(mine)} of the index, though it is said to be of it."
        )


def _check_names(visit: Visit, plan: PackPlan, listed: dict[str, PackFile], where: str) -> None:
    """Note shards that are listed and not of the pack, or the other way round."""
    shards = {plan.shard_name(layer, shard) for layer in range(len(plan.layers)) for shard in range(plan.shards)}
    for name in sorted(shards - listed.keys()):
        visit.add("pack", where, f"Does not list {name} of the pack of {plan.sensor}.")
    for name in sorted(listed.keys() - shards - {layout.PACK}):
        visit.add("pack", where, f"Lists {name}, which the pack of {plan.sensor} does not have.")


def _check_file(visit: Visit, href: str, file: PackFile, *, reads: bool) -> None:
    """Hold a file of a pack against what its collection says."""
    visit.findings.checked["pack files"] += 1
    if not visit.tree.exists(href):
        visit.add("pack", href, "Is not there, though its collection lists it.")
        return
    address = visit.tree.address(href)
    size = file.size if visit.tree.is_remote else Path(address).stat().st_size
    if size != file.size:
        visit.add("pack", href, f"Has {size} bytes; its collection says {file.size}.")
    elif reads:
        digest = hashlib.sha256()
        for portion in files.read_portions(address):
            digest.update(portion)
        if SHA256_MULTIHASH + digest.hexdigest() != file.checksum:
            visit.add(
                "pack", href, f"Has checksum {SHA256_MULTIHASH}{digest.hexdigest()}; its collection says {file.checksum}."
            )

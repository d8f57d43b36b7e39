"""Packs: the pixels of all items of a sensor as arrays that are mapped into memory, beside the catalog and derived from it.

```
packs/sentinel-2-l2a/pack.parquet    where each item is (shard, row), its scale, offset and nodata values, its valid share
                     10m/00000.npy   (items, bands, height, width), native type
                     20m/00000.npy   the same items
```

A pack says of which index it was made. When that index has changed, the pack is stale and is refused. Reading one takes numpy
and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogs import fields, files, layout
from catalogs.cache import Cache
from catalogs.errors import ContractError, MissingAssetError
from catalogs.layers import Layer
from catalogs.pack_listing import ASSET, listed_files, pack_assets
from catalogs.pack_pixels import PackFiles, PackPixels
from catalogs.pack_plan import PLAN, PackPlan, pack_schema
from catalogs.secrets import without_secrets

if TYPE_CHECKING:
    from catalogs.reader import Catalog


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A fresh pack, opened."""

    plan: PackPlan
    """What it holds."""
    table: pa.Table
    """Where each item is; see `pack_schema`."""
    files: PackFiles
    """Its files."""

    def factors(self, name: str, rows: NDArray[np.int64], bands: Sequence[str]) -> NDArray[np.float64]:
        """Scale or offset of bands of items, (items, bands)."""
        lists = self.table[name].combine_chunks()
        values = np.asarray(lists.flatten(), np.float64).reshape(len(lists), len(self.plan.bands))
        chosen: NDArray[np.float64] = values[rows][:, [self.plan.bands.index(band) for band in bands]]
        return chosen

    def pixels(self, rows: NDArray[np.int64], layers: Sequence[Layer]) -> PackPixels:
        """Pixels of some items.

        Args:
            rows: Their numbers in the index.
            layers: What is read of them: bands of the pack, grouped by its layers.
        """
        places = np.stack([self.table[name].to_numpy()[rows] for name in ("shard", "row")], 1)
        return PackPixels(self.plan, self.files, tuple(layers), places)


def find_pack(catalog: Catalog, sensor: str, cache: Cache | None) -> Pack | None:
    """The pack of a sensor; none where its collection lists none.

    Args:
        catalog: One of ours.
        sensor: Its id.
        cache: What keeps the files of a remote pack.

    Raises:
        ContractError: The pack is stale or damaged.
        MissingAssetError: It is listed, and not there.
    """
    collection = files.read_json(f"{catalog.href}/{sensor}/{layout.COLLECTION}")  # anew: it may have been packed meanwhile
    assets = pack_assets(collection)
    if not assets:
        return None
    command = pack_command(catalog, sensor)
    if assets[ASSET][fields.INDEX_HASH] != catalog.index_hash(sensor):
        raise ContractError(
            f"The pack of {sensor} is stale: {catalog} has changed since it was made. "
            f"Renew it: {command}. Or read the rasters, without it."
        )
    checksums = {name: file.checksum for name, file in listed_files(assets, sensor).items()}
    remedy = f"A pack is derived: remove it, and make it anew with {command}."
    found = PackFiles(f"{catalog.href}/{layout.pack_folder(sensor)}", checksums, cache, remedy)
    return Pack(*read_pack_table(found.path(layout.PACK), sensor, found.remedy), found)


def pack_command(catalog: Catalog, sensor: str) -> str:
    """The command that makes the pack of a sensor."""
    return f"curate pack {without_secrets(catalog.href)} --sensor {sensor}"


def read_pack_table(path: Path, sensor: str, remedy: str) -> tuple[PackPlan, pa.Table]:
    """The plan and the table of a pack.

    Raises:
        MissingAssetError: There is none.
        ContractError: It is damaged, or of another sensor or version.
    """
    try:
        table = pq.read_table(path)
        plan = PackPlan.from_json((table.schema.metadata or {}).get(PLAN, b"{}"))
    except FileNotFoundError as error:
        raise MissingAssetError(f"{path} is not there, though the collection lists it. {remedy}") from error
    except (pa.ArrowException, ValueError, OSError) as error:
        raise ContractError(f"{path} is damaged: {error}. {remedy}") from error
    if plan.sensor != sensor or len(table) != plan.items or not table.schema.equals(pack_schema(plan)):
        raise ContractError(f"{path} holds {len(table)} rows of {plan.sensor}; expected {plan.items} of {sensor}. {remedy}")
    return plan, table

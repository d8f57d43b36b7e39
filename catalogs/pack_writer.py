"""Writing a pack: a plan, its shards in any order and by several processes, its table, its place in the collection.

Each file is written beside its name and renamed. A journal in the pack's folder holds the plan and every shard that is whole,
so that a packing that was killed is continued; the collection lists the pack when all of it is there. The same index and bands
give the same bytes.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogs import fields, files, layout
from catalogs.errors import CatalogError
from catalogs.pack import read_pack_table
from catalogs.pack_journal import PackJournal
from catalogs.pack_listing import list_pack, listed_files, pack_assets
from catalogs.pack_plan import PackFile, PackPlan, pack_schema
from catalogs.pack_source import PackSource
from catalogs.pixels import multihash, write_whole
from catalogs.writer import write_document


class PackWriter:
    """Makes the pack of one sensor, from where an earlier run left it."""

    def __init__(self, root: Path, source: PackSource) -> None:
        """Look at what is there; nothing is written yet.

        Args:
            root: Folder of the catalog.
            source: What the pack is made of.
        """
        self.folder = root / layout.pack_folder(source.plan.sensor)
        """Where the pack is."""
        self._source = source
        self._collection = root / source.plan.sensor / layout.COLLECTION
        self._journal = PackJournal(self.folder)
        self._files = self._kept()
        self.kept = frozenset(self._files)
        """Shards that an earlier run has written."""

    @property
    def todo(self) -> list[int]:
        """Shards that are not written yet."""
        return [shard for shard in range(self._source.plan.shards) if shard not in self._files]

    @property
    def is_done(self) -> bool:
        """Whether the whole pack is there and listed."""
        return not self.todo and not self._journal.exists() and bool(self._listed())

    def begin(self) -> None:
        """Clear away what is of another plan, and open the journal."""
        if not self._files:
            self._list({})
            shutil.rmtree(self.folder, ignore_errors=True)
        self._journal.start(self._source.plan, self._files)

    def note(self, shard: int, written: Sequence[PackFile]) -> None:
        """Record a shard as whole."""
        self._files[shard] = tuple(written)
        self._journal.append(shard, written)

    def finish(self) -> None:
        """Write the table, list the pack in its collection, and close the journal."""
        assert not self.todo, f"shards {self.todo} are not written"
        content = _table_bytes(self._source)
        write_whole(self.folder / layout.PACK, content)
        table = PackFile(layout.PACK, multihash(content), len(content))
        self._list(list_pack(self._source.plan, table, [self._files[shard] for shard in sorted(self._files)]))
        self._sweep()
        self._journal.clear()

    def _kept(self) -> dict[int, tuple[PackFile, ...]]:
        """Shards of the same plan whose files are there, in full length."""
        plan, shards = self._journal.read() if self._journal.exists() else self._listed_shards()
        if plan != self._source.plan:
            return {}
        return {shard: written for shard, written in shards.items() if all(map(self._is_whole, written))}

    def _is_whole(self, file: PackFile) -> bool:
        path = self.folder / file.name
        return path.is_file() and path.stat().st_size == file.size

    def _listed(self) -> dict[str, PackFile]:
        """The pack's files that the collection lists, by name."""
        return listed_files(pack_assets(files.read_json(str(self._collection))), self._source.plan.sensor)

    def _listed_shards(self) -> tuple[PackPlan | None, dict[int, tuple[PackFile, ...]]]:
        """The plan and the shards of a finished pack."""
        listed = self._listed()
        try:
            plan, _ = read_pack_table(self.folder / layout.PACK, self._source.plan.sensor, "")
        except CatalogError:
            return None, {}
        names = {shard: [plan.shard_name(layer, shard) for layer in range(len(plan.layers))] for shard in range(plan.shards)}
        whole = {shard: mine for shard, mine in names.items() if listed.keys() >= set(mine)}
        return plan, {shard: tuple(listed[name] for name in mine) for shard, mine in whole.items()}

    def _list(self, assets: Mapping[str, Mapping[str, Any]]) -> None:
        """Have the collection list those files, and no others of a pack."""
        document = files.read_json(str(self._collection))
        others = {key: asset for key, asset in document.get("assets", {}).items() if fields.INDEX_HASH not in asset}
        if others or assets:
            document["assets"] = {**others, **assets}
        write_document(self._collection, document)

    def _sweep(self) -> None:
        """Remove files that are not of the pack: left by a run that was killed."""
        named = {file.name for written in self._files.values() for file in written} | {layout.PACK, layout.PACK_JOURNAL}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in named:
                path.unlink()


def _table_bytes(source: PackSource) -> bytes:
    """The table of a pack, as parquet."""
    plan, numbers = source.plan, np.arange(source.plan.items, dtype=np.int32)
    nodata = [value for layer in plan.layers for value in layer.nodata]
    columns = {
        "id": source.ids,
        "shard": numbers // plan.items_per_shard,
        "row": numbers % plan.items_per_shard,
        "scale": _lists([source.table.scale[band] for band in plan.bands]),
        "offset": _lists([source.table.offset[band] for band in plan.bands]),
        "nodata": pa.array([nodata] * plan.items, pa.list_(pa.float64(), len(nodata))),
        "valid_percent": source.table.valid_percent,
    }
    table = pa.table(columns, schema=pack_schema(plan))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _lists(columns: Sequence[NDArray[np.float64]]) -> pa.FixedSizeListArray:
    """One column per band as one list per item."""
    return pa.FixedSizeListArray.from_arrays(pa.array(np.stack(columns, 1).ravel()), len(columns))

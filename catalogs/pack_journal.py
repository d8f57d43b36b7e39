"""What a packing has finished so far: its plan and a line per shard, so that a kill costs the shards in work."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from catalogs import layout
from catalogs.pack_plan import PackFile, PackPlan
from catalogs.pixels import write_whole


class PackJournal:
    """A file of a pack in the making: its plan, then a line per shard that is whole; a torn last line is forgotten."""

    def __init__(self, folder: Path) -> None:
        """Use the journal of a pack's folder; nothing is written yet."""
        self._path = folder / layout.PACK_JOURNAL

    def exists(self) -> bool:
        """Whether a packing has begun and not ended."""
        return self._path.is_file()

    def start(self, plan: PackPlan, shards: Mapping[int, Sequence[PackFile]]) -> None:
        """Begin with what is there."""
        lines = [plan.to_json(), *(_line(shard, written) for shard, written in sorted(shards.items()))]
        write_whole(self._path, "".join(f"{line}\n" for line in lines).encode())

    def append(self, shard: int, written: Sequence[PackFile]) -> None:
        """Add a shard."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{_line(shard, written)}\n")

    def read(self) -> tuple[PackPlan | None, dict[int, tuple[PackFile, ...]]]:
        """The plan, none where it cannot be read, and the shards."""
        lines = [line for line in self._path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
        try:
            plan = PackPlan.from_json(lines[0])
        except (ValueError, IndexError):
            return None, {}
        rows = [json.loads(line) for line in lines[1:]]
        return plan, {row["shard"]: tuple(PackFile(**file) for file in row["files"]) for row in rows}

    def clear(self) -> None:
        """The pack is finished."""
        self._path.unlink(missing_ok=True)


def _line(shard: int, written: Sequence[PackFile]) -> str:
    return json.dumps({"shard": shard, "files": [asdict(file) for file in written]})

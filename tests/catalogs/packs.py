"""Packs for tests: made without the command line, cut into shards of a few items."""

from pathlib import Path

from catalogs import open_catalog
from catalogs.pack_shards import write_shard
from catalogs.pack_source import PackSource, plan_pack
from catalogs.pack_writer import PackWriter
from tests.catalogs.varied import SENSOR

TWO_ITEMS = 60_000
"""Bytes of a shard of two items of 600 m, of which the four bands of 10 m have 28,800 each."""


def make_source(folder: Path, bands=None, *, sensor: str = SENSOR, shard_bytes: int = 256 << 20) -> PackSource:
    return plan_pack(open_catalog(folder), sensor, bands, shard_bytes=shard_bytes)


def make_pack(folder: Path, bands=None, *, sensor: str = SENSOR, shard_bytes: int = 256 << 20) -> PackWriter:
    """Make a pack, or finish one."""
    source = make_source(folder, bands, sensor=sensor, shard_bytes=shard_bytes)
    writer = PackWriter(folder, source)
    writer.begin()
    for shard in writer.todo:
        writer.note(shard, write_shard(writer.folder, source.plan, source.pixels, shard))
    writer.finish()
    return writer

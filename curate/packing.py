"""Packing a catalog: what to pack, and shards written by several threads, each whole shards.

Threads rather than processes: reading, decoding, hashing and writing leave Python's lock alone, and a process takes longer to
start than a shard to write. Measured on two cores, 240 items of 264 px and 12 bands in 36 shards, CPU time per item, starting
included: 2.6 ms in one thread, 2.8 ms in four, 6.1 ms in two processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from catalogs import Catalog, files, open_catalog
from catalogs.errors import ContractError
from catalogs.pack_plan import PackFile, PackPlan
from catalogs.pack_shards import write_shard
from catalogs.pack_source import PackSource, plan_pack
from catalogs.pack_writer import PackWriter
from catalogs.pixels import is_disk_full
from catalogs.secrets import without_secrets
from curate.errors import CurateError, StorageError
from curate.locking import only_writer

Watch = Callable[..., Any]
"""(total, description, already=) to a context manager that gives what to advance."""


@dataclass(frozen=True, slots=True)
class PackOutcome:
    """How the packing of one sensor ended, or would."""

    plan: PackPlan
    """What the pack holds."""
    folder: Path
    """Where it is."""
    written: int
    """Shards of each layer that this run wrote."""
    kept: int
    """Shards that an earlier run had written."""
    stopped: bool = False
    """Interrupted by the user."""

    @property
    def is_whole(self) -> bool:
        """Whether all shards are there."""
        return self.written + self.kept == self.plan.shards

    @property
    def left_out(self) -> tuple[str, ...]:
        """Bands that some items have and the pack has not."""
        return tuple(band for band in self.plan.all_bands if band not in self.plan.bands)


def open_packable(folder: str) -> Catalog:
    """A catalog that can be packed, as far as its head tells.

    Raises:
        ContractError: It is remote or another's.
        MissingAssetError: There is no such folder.
        NotACatalogError: It holds no catalog.
    """
    if files.is_remote(folder):
        raise ContractError(
            f"{without_secrets(folder)} is remote; a pack is made in a folder. Copy the catalog, and pack the copy."
        )
    catalog = open_catalog(folder)
    if not catalog.is_ours:
        raise ContractError(
            f"{catalog} is not of our making, so its scenes share no grid. Build a catalog from it, and pack that: "
            f"curate build CATALOG --source {folder}"
        )
    return catalog


def plan_packs(folder: str, sensors: Sequence[str], bands: Sequence[str] | None) -> list[PackSource]:
    """Decide what to pack.

    Args:
        folder: Of a catalog of ours.
        sensors: Ids; all with items where none.
        bands: Names; all that every item has where absent.

    Raises:
        CurateError: Bands are given for several sensors.
        ContractError: The catalog is remote, another's or empty, or its items differ.
        MissingBandError: A sensor has no such band, or some items lack it.
    """
    catalog = open_packable(folder)
    names = list(sensors) or [sensor for sensor in catalog.sensors if len(catalog.items(sensor=sensor))]
    if not names:
        raise ContractError(f"{catalog} has no items, so there is nothing to pack. Run curate build first.")
    if bands is not None and len(names) > 1:
        raise CurateError(
            f"Bands belong to one sensor, and these are {len(names)}: {', '.join(names)}. Choose one with --sensor."
        )
    return [plan_pack(catalog, sensor, bands) for sensor in names]


def pack_catalog(
    folder: str, sensors: Sequence[str], bands: Sequence[str] | None, *, workers: int, watch: Watch
) -> Iterator[PackOutcome]:
    """Make the packs of a catalog, one after the other; what earlier runs have written is kept.

    Args:
        folder: Of a catalog of ours.
        sensors: See `plan_packs`.
        bands: See `plan_packs`.
        workers: Threads.
        watch: Shows progress.

    Yields:
        How each ended; the last one where the user interrupted it.

    Raises:
        StorageError: The disk is full.
        CurateError: Another process is writing the catalog.
        CatalogError: See `plan_packs`; a raster is not there or cannot be read.
    """
    open_packable(folder)
    with only_writer(Path(folder)):
        for source in plan_packs(folder, sensors, bands):
            outcome = _pack(Path(folder), source, workers, watch)
            yield outcome
            if outcome.stopped:
                return


def _pack(folder: Path, source: PackSource, workers: int, watch: Watch) -> PackOutcome:
    writer, plan = PackWriter(folder, source), source.plan
    kept = len(writer.kept)
    if writer.is_done:
        return PackOutcome(plan, writer.folder, 0, kept)
    todo, stopped = writer.todo, False
    already = sum(len(plan.items_of(shard)) for shard in writer.kept)
    with _told(writer.folder, plan):
        writer.begin()
        try:
            with (
                watch(plan.items, f"Packing {plan.sensor}", already=already) as bar,
                closing(_written(writer.folder, source, todo, workers)) as shards,
            ):
                for shard, written in shards:
                    writer.note(shard, written)
                    bar.advance(len(plan.items_of(shard)))
        except KeyboardInterrupt:
            stopped = True
        if not writer.todo:
            writer.finish()
    return PackOutcome(plan, writer.folder, len(todo) - len(writer.todo), kept, stopped and bool(writer.todo))


def _written(
    folder: Path, source: PackSource, todo: Sequence[int], workers: int
) -> Generator[tuple[int, tuple[PackFile, ...]]]:
    """Write shards; give each with its files as it is done."""
    stop = Event()

    def write(shard: int) -> tuple[PackFile, ...]:
        return write_shard(folder, source.plan, source.pixels, shard, check=partial(_check, stop))

    pool = ThreadPoolExecutor(workers)
    try:
        futures = {pool.submit(write, shard): shard for shard in todo}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _check(stop: Event) -> None:
    """Stop a shard that is being written when the packing ends: by the user's interrupt, or by another shard's failure."""
    if stop.is_set():
        raise InterruptedError("the packing has ended")


@contextmanager
def _told(folder: Path, plan: PackPlan) -> Iterator[None]:
    """Say what a full disk or a killed worker means for a packing."""
    again = "Shards that are written are whole: run the same command again, and it continues"
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise StorageError(
            f"The disk that holds {folder} is full ({error.strerror}); the pack takes {plan.size / 1e9:.1f} GB in all. "
            f"{again} when there is room; or pack fewer --bands."
        ) from error

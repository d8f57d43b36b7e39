"""The order of a conversion, from a data set's images to a catalog; the only file that knows it.

Processes decode images and write their files; this one makes items of them, keeps the journal and takes checkpoints. A run that
stops anywhere is continued by the same command, which tries again what could not be read.
"""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.journal import Failure
from catalogs.locations import write_locations
from catalogs.recipe import CONVERTED, check_kind, check_ours, check_same, read_recipe, write_section
from catalogs.records import Raster, Scene
from catalogs.writer import CatalogWriter, Patch, write_patch
from curate.convert.dataset import Dataset, Image
from curate.errors import CurateError
from curate.fetch import valid_percent
from curate.locking import disk_errors, only_writer
from curate.processes import map_unordered

CHUNK = 100
"""Images of a task: a quarter of a second."""
WORTH = 8
"""Tasks that starting another process is worth."""
CHECKPOINT_EVERY = 5_000
"""Images between two checkpoints, so that the journal stays short."""
CHECKPOINT_S = 60.0
"""Or seconds."""
DAMAGED = (CurateError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What decoding a damaged image raises, or one of an archive that is damaged or encrypted."""

Watch = Callable[..., Any]
"""(total, description, already=) to a context manager that gives what to advance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image."""

    image: Image
    rasters: tuple[Raster, ...] = ()
    """Its files; none where it could not be read."""
    valid_percent: float = 0.0
    """Share with a measurement in every band."""
    fault: str = ""
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class ConversionSummary:
    """How a conversion ended."""

    images: int
    """All of the data set, within the limit."""
    items_written: int
    """Of this run."""
    failures: Sequence[Failure]
    """Images that could not be read."""
    stopped: bool
    """Interrupted by the user."""


@dataclass
class Conversion:
    """One conversion into one folder: prepared by `prepare`, run by `run`."""

    folder: Path
    dataset: Dataset
    section: Mapping[str, Any]
    _written: int = field(default=0, init=False)

    @classmethod
    def prepare(
        cls, folder: Path, dataset: Dataset, *, items: Literal["json", "parquet"] = "parquet", dry_run: bool = False
    ) -> Conversion:
        """Check a folder against what is asked for, and record it there with the data set's locations.

        Args:
            folder: New, empty, or one that this very conversion began.
            dataset: What to convert.
            items: Whether each item is a JSON file too, or a row of the index alone.
            dry_run: Record nothing.

        Raises:
            ContractError: The folder is not ours, or was made from another recipe.
            StorageError: The disk is full.
        """
        section = {"kind": dataset.kind, **dataset.recipe, "sensors": [dataset.sensor], "seasons": 1, "items": items}
        check_ours(folder)
        recipe = read_recipe(folder)
        check_kind(folder, recipe, CONVERTED)
        check_same(folder, CONVERTED, recipe.get(CONVERTED, section), section)
        if not dry_run:
            with disk_errors(folder):
                write_section(folder, CONVERTED, section)
                if not (folder / layout.LOCATIONS).exists():
                    write_locations(folder / layout.LOCATIONS, [image.location for image in dataset.images])
        return cls(folder, dataset, section)

    def run(self, *, workers: int, watch: Watch) -> ConversionSummary:
        """Convert what is left to convert.

        Args:
            workers: Processes that decode and write.
            watch: Shows progress.

        Raises:
            StorageError: The disk is full.
            CurateError: Another process is writing the catalog, or a worker was killed.
        """
        images, sensor = self.dataset.images, self.dataset.sensor
        with only_writer(self.folder), disk_errors(self.folder):
            writer = CatalogWriter(
                self.folder,
                [image.location for image in images],
                {sensor: find_sensor(sensor).bands},
                description=self.dataset.description,
                json_items=self.section["items"] == "json",
            )
            done = writer.done - {failure.location for failure in writer.failures}
            stopped = False
            try:
                self._convert(writer, [image for image in images if image.location.id not in done], workers, watch)
            except KeyboardInterrupt:
                stopped = True
            finally:
                writer.close()
        return ConversionSummary(len(images), self._written, writer.failures, stopped)

    def _convert(self, writer: CatalogWriter, todo: Sequence[Image], workers: int, watch: Watch) -> None:
        tasks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
        stem = layout.stem(None, self.dataset.start, self.dataset.end)
        work = partial(convert_images, self.folder / self.dataset.sensor, stem, self.dataset.decode)
        due, count = time.monotonic() + CHECKPOINT_S, 0
        with (
            watch(len(self.dataset.images), "Converting", already=len(self.dataset.images) - len(todo)) as bar,
            _told(self.folder),
            closing(map_unordered(work, tasks, workers=max(1, min(workers, len(tasks) // WORTH)))) as outcomes,
        ):
            for chunk in outcomes:
                for outcome in chunk:
                    self._finish(writer, outcome)
                count += len(chunk)
                failed = sum(bool(outcome.fault) for outcome in chunk)
                bar.advance(len(chunk) - failed, failed=failed)
                if count >= CHECKPOINT_EVERY or time.monotonic() > due:
                    writer.checkpoint()
                    due, count = time.monotonic() + CHECKPOINT_S, 0

    def _finish(self, writer: CatalogWriter, outcome: Outcome) -> None:
        image = outcome.image
        if outcome.fault:
            message = f"{image.member} cannot be read: {outcome.fault}. Get the data set again, or do without it."
            failure = Failure(image.location.id, 0, self.dataset.sensor, "unreadable", message)
            writer.finish(image.location, [], [failure])
            return
        scene = Scene(
            sensor=self.dataset.sensor,
            location=image.location,
            rasters=outcome.rasters,
            start_datetime=self.dataset.start,
            end_datetime=self.dataset.end,
            season=0,
            valid_percent=outcome.valid_percent,
            source_id=image.name,
            labels=image.labels,
        )
        writer.finish(image.location, [writer.write_item(scene)], [])
        self._written += 1


def convert_images(
    collection: Path, stem: str, decode: Callable[[Image], list[Patch]], images: Sequence[Image]
) -> list[Outcome]:
    """Decode some images and write their files; what a worker does.

    Args:
        collection: Folder of the collection.
        stem: Start of the files' names.
        decode: Reads an image.
        images: Which.

    Raises:
        OSError: A file cannot be written.
    """
    import rasterio

    where = layout.Layout.of(image.location for image in images)
    outcomes = []
    with rasterio.Env():  # once, not for every file: a third of the time
        for image in images:
            try:
                patches = decode(image)
            except DAMAGED as error:
                outcomes.append(Outcome(image, fault=str(error) or type(error).__name__))
                continue
            folder = where.folder(image.location)
            files = [write_patch(collection, f"{folder}/{layout.asset_name(stem, patch.key)}", patch) for patch in patches]
            rasters = tuple(sorted(files, key=lambda raster: raster.key))
            outcomes.append(Outcome(image, rasters, valid_percent(patches)))
    return outcomes


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say what a killed worker means for a conversion."""
    try:
        yield
    except BrokenProcessPool as error:
        raise CurateError(
            f"A worker that wrote {folder} was killed, perhaps for its memory. What is written is whole: "
            "run the same command again, with fewer --workers, and it continues."
        ) from error

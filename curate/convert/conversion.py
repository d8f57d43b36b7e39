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
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.journal import Failure
from catalogs.locations import write_locations
from catalogs.radiometry import check_scene, word_harmonized
from catalogs.recipe import (
    CONVERTED,
    IN_PLACE,
    check_kind,
    check_ours,
    check_same,
    own_names,
    read_recipe,
    write_section,
)
from catalogs.records import Location, Radiometry, Raster, Scene
from catalogs.writer import CatalogWriter, Patch, write_patch
from curate.convert.dataset import Dataset, Image
from curate.convert.in_place import ReleasedFolder
from curate.errors import CurateError
from curate.fetch import valid_percent
from curate.locking import disk_errors, only_writer
from curate.processes import map_unordered

CHUNK = 100
"""Locations of a task: of one image each, a quarter of a second."""
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
    """Its files, by key; none where it could not be read."""
    valid_percent: float = 0.0
    """Share with a measurement in every band."""
    radiometry: Radiometry | None = None
    """What its pixels say to its scale and offset; none where nobody asks."""
    fault: str = ""
    """Why it could not be read."""

    @property
    def is_made(self) -> bool:
        """Whether a raster of its measurements was written, rather than named as it lies there."""
        return not all(raster.is_released or raster.is_mask for raster in self.rasters)


@dataclass(frozen=True, slots=True)
class ConversionSummary:
    """How a conversion ended."""

    images: int
    """All of the data set, within the limit."""
    complete: int
    """Of these, in the catalog, by this run or an earlier one."""
    items_written: int
    """Of this run."""
    failures: Sequence[Failure]
    """Images that could not be read."""
    stopped: bool
    """Interrupted by the user."""
    made: int = 0
    """Images of this run that could not stay where they are, though the others do."""


@dataclass
class Conversion:
    """One conversion into one folder: prepared by `prepare`, run by `run`."""

    folder: Path
    dataset: Dataset
    section: Mapping[str, Any]
    released: ReleasedFolder | None = None
    """Where the images stay; none where they are copied."""
    _written: int = field(default=0, init=False)
    _made: int = field(default=0, init=False)

    @classmethod
    def prepare(
        cls,
        folder: Path,
        dataset: Dataset,
        *,
        items: Literal["json", "parquet"] = "parquet",
        dry_run: bool = False,
        in_place: Path | None = None,
    ) -> Conversion:
        """Check a folder against what is asked for, and record it there with the data set's locations.

        Args:
            folder: New, empty, or one that this very conversion began; with `in_place` one that holds the images.
            dataset: What to convert.
            items: Whether each item is a JSON file too, or a row of the index alone.
            dry_run: Record nothing.
            in_place: Where the data set lies, if its images stay there.

        Raises:
            ContractError: The folder is not ours, or was made from another recipe.
            CurateError: The images cannot stay where they are.
            StorageError: The disk is full.
        """
        made = {"sensors": [dataset.sensor], "seasons": dataset.seasons, "items": items}
        section = {"kind": dataset.kind, **dataset.recipe, **made}
        released = own = None
        if in_place is not None:
            released, own = ReleasedFolder.of(dataset, in_place, folder), own_names([dataset.sensor])
            released.check_names(image.member for image in dataset.images)
            section[IN_PLACE] = released.within
        check_ours(folder, own)
        recipe = read_recipe(folder)
        check_kind(folder, recipe, CONVERTED)
        check_same(folder, CONVERTED, recipe.get(CONVERTED, section), section)
        if not dry_run:
            with disk_errors(folder):
                write_section(folder, CONVERTED, section, own=own)
                if not (folder / layout.LOCATIONS).exists():
                    write_locations(folder / layout.LOCATIONS, _locations(dataset.images))
        return cls(folder, dataset, section, released)

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
                _locations(images),
                {sensor: find_sensor(sensor).bands},
                description=self.dataset.description,
                json_items=self.section["items"] == "json",
                label_rasters=self.dataset.label_rasters,
                bands_apart=self.released is not None and self.dataset.released_apart,
            )
            done = writer.done - {failure.location for failure in writer.failures}
            todo = [place for place, image in enumerate(images) if image.location.id not in done]
            stopped = False
            try:
                self._convert(writer, todo, workers, watch)
            except KeyboardInterrupt:
                stopped = True
            finally:
                writer.close()
        complete = len(images) - len(todo) + self._written
        return ConversionSummary(len(images), complete, self._written, writer.failures, stopped, self._made)

    def _convert(self, writer: CatalogWriter, todo: Sequence[int], workers: int, watch: Watch) -> None:
        """Convert the images at these places, which are made only when their task is due: there may be half a million."""
        images = self.dataset.images
        size = CHUNK * self.dataset.seasons  # so that the images of a location are of one task
        starts = range(0, len(todo), size)
        tasks = ([images[place] for place in todo[start : start + size]] for start in starts)
        work = partial(convert_images, self.folder, replace(self.dataset, images=()), released=self.released)
        due, count = time.monotonic() + CHECKPOINT_S, 0
        with (
            watch(len(self.dataset.images), "Converting", already=len(self.dataset.images) - len(todo)) as bar,
            _told(self.folder),
            closing(map_unordered(work, tasks, workers=max(1, min(workers, len(starts) // WORTH)))) as outcomes,
        ):
            for chunk in outcomes:
                places = groupby(chunk, key=lambda outcome: outcome.image.location.id)
                failed = sum(self._finish(writer, list(place)) for _, place in places)
                count += len(chunk)
                bar.advance(len(chunk) - failed, failed=failed)
                if count >= CHECKPOINT_EVERY or time.monotonic() > due:
                    writer.checkpoint()
                    due, count = time.monotonic() + CHECKPOINT_S, 0

    def _finish(self, writer: CatalogWriter, outcomes: Sequence[Outcome]) -> int:
        """Record the images of a location: where one of them cannot be read, none is an item, so that dates never part.

        Returns:
            How many of them failed.
        """
        location = outcomes[0].image.location
        fault = next((outcome for outcome in outcomes if outcome.fault), None)
        if fault is None:
            writer.finish(location, [writer.write_item(self._scene(outcome)) for outcome in outcomes], [])
            self._written += len(outcomes)
            if self.released:
                self._made += sum(outcome.is_made for outcome in outcomes)
            return 0
        message = f"{fault.image.member} cannot be read: {fault.fault}. Get the data set again, or do without it."
        seasons = [outcome.image.season for outcome in outcomes]
        failures = [Failure(location.id, season, self.dataset.sensor, "unreadable", message) for season in seasons]
        writer.finish(location, [], failures)
        return len(outcomes)

    def _scene(self, outcome: Outcome) -> Scene:
        image = outcome.image
        start, end = image.interval or (self.dataset.start, self.dataset.end)
        return Scene(
            sensor=self.dataset.sensor,
            location=image.location,
            rasters=outcome.rasters,
            datetime=image.when,
            start_datetime=None if image.when else start,
            end_datetime=None if image.when else end,
            season=image.season,
            valid_percent=outcome.valid_percent,
            source_id=image.name,
            platform=image.platform,
            radiometry=outcome.radiometry,
            labels=image.labels,
        )


def _locations(images: Sequence[Image]) -> list[Location]:
    """Where images are, each place once."""
    return [image.location for image in images if image.season == 0]


def convert_images(
    folder: Path, dataset: Dataset, images: Sequence[Image], released: ReleasedFolder | None = None
) -> list[Outcome]:
    """Decode some images and write their files; what a worker does.

    Args:
        folder: Of the catalog.
        dataset: What they are of; its own images are not looked at, so that it can come without them.
        images: Which.
        released: Where their files stay, if these are not copied.

    Raises:
        OSError: A file cannot be written.
    """
    import rasterio

    where, collection = layout.Layout.of(image.location for image in images), folder / dataset.sensor
    outcomes = []
    with rasterio.Env():  # once, not for every file: a third of the time
        for image in images:
            try:
                patches = dataset.decode(image)
            except DAMAGED as error:
                outcomes.append(Outcome(image, fault=str(error) or type(error).__name__))
                continue
            place = where.folder(image.location)
            stem = layout.stem(image.when, *(image.interval or (dataset.start, dataset.end)))
            files: list[Raster] = []
            for patch in patches:
                left = released.rasters(image, patch) if released else []
                files += left or [write_patch(collection, f"{place}/{layout.asset_name(stem, patch.key)}", patch)]
            rasters = tuple(sorted(files, key=lambda raster: raster.key))
            outcomes.append(Outcome(image, rasters, valid_percent(patches), _radiometry(dataset, patches)))
    return outcomes


def _radiometry(dataset: Dataset, patches: Sequence[Patch]) -> Radiometry | None:
    """What an image's dark pixels say to the scale and offset of its data set."""
    if dataset.decision is None:
        return None
    planes = [plane for patch in patches if not patch.is_mask for plane in zip(patch.bands, patch.pixels, strict=True)]
    sensor = find_sensor(dataset.sensor)
    check = check_scene(sensor, planes, None, None)
    if check is None:
        return None
    offset = min((band.offset for band, _ in planes if band.offset is not None), default=None)
    evidence = None if check == "unchecked" else "dark"
    return Radiometry(dataset.decision, check, word_harmonized(sensor, offset, check), evidence)


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

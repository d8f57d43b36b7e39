"""Sentinel-2 products in a folder, as they were downloaded: a source of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from catalogs.bands import SENSORS
from catalogs.errors import NotACatalogError
from catalogs.foreign import SourceBand, SourceScene
from catalogs.secrets import without_secrets
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.sources.documents import ROOT_NAMES
from curate.sources.protocol import LonLatBox, SourceRaster
from curate.sources.rasters import open_raster
from curate.sources.safe.files import find_products
from curate.sources.safe.product import read_product
from curate.sources.scenes import SceneIndex


def holds_products(folder: Path) -> bool:
    """Whether there is a Sentinel-2 product in a folder or below it, or the path is one itself; not where it is a catalog."""
    if any((folder / name).is_file() for name in ROOT_NAMES):
        return False
    return next(find_products(folder), None) is not None


class SafeFolderSource:
    """A source of scenes that knows the metadata of all products of a folder."""

    simulated = False
    reads_files = True

    def __init__(self, folder: str, *, max_scene_cloud: float = 100) -> None:
        """Read the products' metadata.

        Args:
            folder: Holds folders `*.SAFE` or zip files of them, at any depth; or one of these itself.
            max_scene_cloud: Percent of a whole tile above which it is not offered.

        Raises:
            NotACatalogError: None of its products can be read.
        """
        place = Path(folder).expanduser().absolute()
        self.name = without_secrets(folder)
        self.max_scene_cloud = max_scene_cloud
        self.skipped: dict[str, str] = {}
        """Why a product or a folder, by its path, is of no use."""
        scenes: dict[str, SourceScene] = {}
        for product in find_products(place, self._note_folder):
            self._take(product, scenes)
        if not scenes:
            why = next(iter(self.skipped.values()), "Expected folders *.SAFE, or zip files of them.")
            raise NotACatalogError(f"{self.name} has no Sentinel-2 product that can be read. {why}")
        by_sensor = {id_: [scene for scene in scenes.values() if scene.sensor == id_] for id_ in SENSORS}
        self._indexes = {sensor: SceneIndex(found) for sensor, found in by_sensor.items() if found}

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(self._indexes)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: The folder has no product of the sensor.
        """
        if sensor not in self._indexes:
            counted = ", ".join(f"{known} ({len(index.scenes)} products)" for known, index in self._indexes.items())
            raise SourceSensorError(f"{self.name} has no {sensor}. It has {counted}. Choose another --sensor or --source.")
        return self._indexes[sensor].search(box, start, end, max_scene_cloud=self.max_scene_cloud)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return open_raster(band)

    def _note_folder(self, error: OSError) -> None:
        """Note a folder that cannot be listed."""
        shown = without_secrets(Path(error.filename or "").as_posix())
        self.skipped[shown] = f"the folder cannot be listed ({error.strerror}): see who may read it"

    def _take(self, product: Path, scenes: dict[str, SourceScene]) -> None:
        """Read a product, or note why it is of no use."""
        shown = without_secrets(product.as_posix())
        try:
            scene = read_product(product)
        except SourceUnavailableError as error:
            self.skipped[shown] = str(error)
            return
        if scene.id in scenes:
            self.skipped[shown] = f"the same product as in {without_secrets(scenes[scene.id].href or '')}, which is read"
            return
        scenes[scene.id] = replace(scene, source=self.name)

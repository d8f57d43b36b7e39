"""Scenes of a folder of loose GeoTIFFs with the date in their names: a file each, or a file for each band.

A mapping file says what is in them. A name that tells the day and no time gives an interval of that day: no instant is made
up. Any coordinate system will do, in metres or in degrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from catalogs.console import counted
from catalogs.foreign import SourceBand, SourceScene
from catalogs.lattice import footprint_of_corners, transformer
from catalogs.records import Grid
from catalogs.secrets import without_secrets
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.sources.archives.file_dates import Told
from curate.sources.archives.mapping import MappedSensor
from curate.sources.protocol import LonLatBox, SourceRaster
from curate.sources.rasters import open_raster
from curate.sources.scenes import SceneIndex

SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2")
POINTS = 16
"""Of each side of a file's outline: what is straight on the ground is bent in degrees."""


class TiffFolderSource:
    """A source of scenes that knows the header of each file of a folder."""

    simulated = False
    reads_files = True

    def __init__(self, folder: str, sensors: Mapping[str, MappedSensor], *, name: str) -> None:
        """Read the headers of the files.

        Args:
            folder: Its path.
            sensors: What is in the files, by the sensor's id; each has a pattern of names.
            name: What the user calls it.

        Raises:
            CurateError: No file has a name that is expected, or none of these is of use.
        """
        self.name = name
        self.skipped: dict[str, str] = {}
        """Why a file, by its path from the folder, is of no use."""
        root = Path(folder)
        groups: dict[tuple[str, str], _Files] = {}
        others = [path for path in _rasters(root) if not self._sort(path, path.relative_to(root).as_posix(), sensors, groups)]
        scenes: dict[str, list[SourceScene]] = {}
        for group in groups.values():
            if scene := self._read(group):
                scenes.setdefault(scene.sensor, []).append(scene)
        for path in others:
            self.skipped.setdefault(
                path.relative_to(root).as_posix(), f"its name is not as {_patterns(sensors)} in the mapping file"
            )
        if not scenes:
            why = next((f"{shown}: {reason}" for shown, reason in self.skipped.items()), "It has no GeoTIFF")
            raise CurateError(f"{without_secrets(folder)} has no file that is as the mapping file says. {why}.")
        self._indexes = {sensor: SceneIndex(scenes[sensor]) for sensor in sensors if sensor in scenes}

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return list(self._indexes)

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`.

        Raises:
            SourceSensorError: The folder has no file of the sensor.
        """
        if sensor not in self._indexes:
            counted = ", ".join(f"{known} ({len(index.scenes)} files)" for known, index in self._indexes.items())
            raise SourceSensorError(f"{self.name} has no {sensor}. It has {counted}. Choose another --sensor or --source.")
        return self._indexes[sensor].search(box, start, end)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band; see `curate.sources.rasters.open_raster`."""
        return open_raster(band)

    def _sort(self, path: Path, shown: str, sensors: Mapping[str, MappedSensor], groups: dict[tuple[str, str], _Files]) -> bool:
        """Put a file to those of its scene, of each sensor; whether its name is of any."""
        is_any = False
        for sensor, mapped in sensors.items():
            assert mapped.files is not None, "a folder's sensors have patterns"
            try:
                told = mapped.files.read(shown)
            except ValueError as error:
                self.skipped[shown] = str(error)
                continue
            if told:
                groups.setdefault((sensor, told.scene), _Files(mapped, told)).paths[told.band] = path.as_posix()
                is_any = True
        return is_any

    def _read(self, files: _Files) -> SourceScene | None:
        """The scene of some files, or note why they are of no use."""
        mapped, (first, last) = files.mapped, files.told.span
        lacks = next((name for name, band in mapped.bands.items() if band.asset not in files.paths), None)
        if lacks:
            self.skipped[files.told.scene] = f"there is no file {mapped.bands[lacks].asset!r} for {lacks}"
            return None
        bands = {
            name: SourceBand(files.paths[band.asset], band.index, band.scale, band.offset, band.nodata)
            for name, band in mapped.bands.items()
        }
        try:
            with open_raster(SourceBand(next(iter(bands.values())).href)) as raster:
                grid, count = raster.grid, raster.dataset.count
        except SourceUnavailableError as error:
            self.skipped[files.told.scene] = str(error).removesuffix(".")
            return None
        wrong = _wrong_count(mapped, count)
        if wrong:
            self.skipped[files.told.scene] = wrong
            return None
        return SourceScene(
            id=files.told.scene,
            sensor=mapped.sensor.id,
            footprint=outline(grid),
            bands={name: bands[name] for name in _order(mapped) if name in bands},
            epsg=grid.epsg,
            datetime=first if first == last else None,
            start_datetime=first if first != last else None,
            end_datetime=last if first != last else None,
        )


@dataclass
class _Files:
    """The files of one scene."""

    mapped: MappedSensor
    """What is in them."""
    told: Told
    """By the name of the first of them."""
    paths: dict[str, str] = field(default_factory=dict)
    """By the band that the name tells."""


def outline(grid: Grid) -> Mapping[str, Any]:
    """GeoJSON geometry of a raster, lon/lat, its sides as bent as they are on the globe."""
    left, bottom, right, top = grid.bounds
    along = np.linspace(0, 1, POINTS, endpoint=False)
    x = np.concatenate([left + (right - left) * along, right + 0 * along, right + (left - right) * along, left + 0 * along])
    y = np.concatenate([bottom + 0 * along, bottom + (top - bottom) * along, top + 0 * along, top + (bottom - top) * along])
    assert grid.epsg is not None, "open_raster has refused it"
    return footprint_of_corners(np.column_stack(transformer(grid.epsg, 4326).transform(x, y)))[0]


def _wrong_count(mapped: MappedSensor, count: int) -> str:
    """What is wrong with how many bands a file has; a list that is too short may be shifted, so each has to be named."""
    most = max(band.index for band in mapped.bands.values())
    if count < most:
        return f"it has {counted(count, 'band')}, and the mapping file names a band {most}"
    if mapped.listed is not None and count != mapped.listed:
        return f"it has {counted(count, 'band')}, and the mapping lists {mapped.listed}. Name each, '-' for one to pass over"
    return ""


def _rasters(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())


def _order(mapped: MappedSensor) -> list[str]:
    return [band.name for band in (*mapped.sensor.bands, *((mapped.sensor.mask,) if mapped.sensor.mask else ()))]


def _patterns(sensors: Mapping[str, MappedSensor]) -> str:
    return " or ".join(repr(each.files.text) for each in sensors.values() if each.files)

"""Mosaics in many files: what a source has as tiles of one time becomes one scene, so that a square may lie across their edges.

Orthophotos come as a vintage cut into files: Open-Canopy's SPOT (a folder a year, tiles in Lambert-93), NAIP's quarter quads. A
source of such files, a folder or a STAC, is wrapped here: its scenes of one sensor and one time are given as one.

The files over a square are found by their footprints, not through a VRT, which would have to list all of a country's, and which
a STAC does not have. Their windows are read by the blocks that they touch, as those of all files, and put together before the
warp. Only files with pixels of one lattice are put together there: between others, pixels would have to be resampled twice;
those are warped by themselves, and fill what the first lack.

Which files these are is part of a search's answer (`SourceBand.parts`), and is saved with it: whatever becomes of an archive's
API, a build that goes on reads the same files. Answers that were saved without them make it search again, square by square.

A static layer is one scene all over the globe, whichever of its files a search finds: on both sides of 180 degrees they are
searched apart, and which are searched together hangs on who builds.

Other sensors' scenes are left as they are: acquisitions, which are chosen one by one. A build of such sensors alone has the
source itself, as if it were not wrapped (`only`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from catalogs.bands import find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.terms import SourceTerms
from curate.choose import middle
from curate.errors import SourceUnavailableError
from curate.sources.archives.mosaic_parts import parts_of, parts_over
from curate.sources.archives.mosaic_planes import MosaicPlanes, Tiles
from curate.sources.protocol import LonLatBox, Source, SourceRaster, opened_as

if TYPE_CHECKING:
    from catalogs.records import Location

SQUARES_IN_MEMORY = 64
"""Whose files are remembered: all bands of a square are asked for together."""
SCHEME = "mosaic://"
"""Of joined bands' hrefs, `mosaic://<source>/<sensor>/<start>_<end>/<band>`, which tell the files over a square."""
_INSTANT = "%Y%m%dT%H%M%S"
MOSAICKED = "L3"
"""Processing level of the sensors whose scenes are joined: orthophotos and heights."""
NODATA = 0.0
"""Of a mosaic whose sensor has no number of its own for what was not measured; a measured 0 of its files becomes 1."""


class MosaicSource:
    """A source whose scenes of one time are one."""

    simulated = False

    def __init__(self, files: Source) -> None:
        """Join the scenes of a source; nothing is asked of it.

        Args:
            files: Whose bands are files: a folder, a static catalog, an API.
        """
        self.name = files.name
        self.skipped = files.skipped
        self.max_scene_cloud = float(getattr(files, "max_scene_cloud", 100))
        self.opened_as = opened_as(files)
        self.lacking = getattr(files, "lacking", {})
        """See `curate.sources.protocol.why_lacking`."""
        self._files = files
        self._scheme = f"{SCHEME}{hashlib.sha256(self.name.encode()).hexdigest()[:8]}/"
        self._over = lru_cache(maxsize=SQUARES_IN_MEMORY)(self._scenes_over)

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return self._files.sensors()

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes, and join those of one time; see `curate.sources.protocol.Source`."""
        found = self._files.search(sensor, box, start, end)
        if find_sensor(sensor).level != MOSAICKED:
            return found
        by_span: dict[str, list[SourceScene]] = {}
        for scene in found:
            by_span.setdefault(_span(scene), []).append(scene)
        joined = [join(same, self._scheme) for same in by_span.values()]
        return sorted(joined, key=lambda scene: (middle(scene), scene.id))

    @property
    def terms(self) -> Mapping[str, SourceTerms]:
        """What its collections ask, by sensor, where they say so."""
        found: Mapping[str, SourceTerms] = getattr(self._files, "terms", {})
        return found

    def only(self, sensors: Iterable[str]) -> Source:
        """What it is for some sensors: the source itself where no mosaic is among them; see `protocol.for_sensors`."""
        return with_mosaics(self._files, sensors)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band of a scene that is no mosaic.

        Raises:
            SourceUnavailableError: It is one, which is read by `planes`.
        """
        if band.href.startswith(SCHEME):
            raise SourceUnavailableError(f"{band.href} is a mosaic of files; expected one file. Read it by its planes.")
        return self._files.open(band)

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is one of its mosaics'; see `curate.several_planes`."""
        return band.href.startswith(self._scheme)

    def planes(self, *, connections: int) -> MosaicPlanes:
        """A reader that puts the files over a square together.

        Args:
            connections: Ranges of files that are fetched at once at most.
        """
        return MosaicPlanes(self._tiles, connections=connections)

    def _tiles(self, band: SourceBand, location: Location) -> Tiles | None:
        """The files of a mosaic's band over a square; none for a band that is a file."""
        from curate.search import location_boxes

        if not self.holds(band):
            return None
        sensor, span, name = band.href.removeprefix(self._scheme).split("/")
        own = find_sensor(sensor).band(name).nodata
        if band.parts:
            files = tuple(part.band for part in parts_over(band.parts, location_boxes([location])))
        else:
            scenes = self._over(sensor, span, location)
            files = tuple(scene.bands[name] for scene in scenes if name in scene.bands)
        return Tiles(files, nodata=NODATA if own is None else own, unless_stated=own)

    def _scenes_over(self, sensor: str, span: str, location: Location) -> list[SourceScene]:
        """The scenes of a mosaic that touch a square's box, sorted by id; asked for where a saved answer has no parts."""
        from curate.search import location_boxes

        start, end = (datetime.strptime(text, _INSTANT).replace(tzinfo=UTC) for text in span.split("_"))
        found = {
            scene.id: scene
            for box in location_boxes([location])
            for scene in self._files.search(sensor, box, start, end + timedelta(seconds=1))
            if _span(scene) == span
        }
        return [found[id_] for id_ in sorted(found)]


def with_mosaics(files: Source, sensors: Iterable[str]) -> Source:
    """A source of files, wrapped where it has a sensor whose scenes are to be joined.

    Args:
        files: The source.
        sensors: Ids of what it has.
    """
    return MosaicSource(files) if any(find_sensor(sensor).level == MOSAICKED for sensor in sensors) else files


def join(scenes: Sequence[SourceScene], scheme: str) -> SourceScene:
    """The mosaic of scenes of one sensor and time: what all of them have, over the ground of any of them.

    Args:
        scenes: One or more.
        scheme: With which the hrefs of its bands begin.
    """
    from shapely import unary_union
    from shapely.geometry import mapping, shape

    first = min(scenes, key=lambda scene: scene.id)
    sensor, span = find_sensor(first.sensor), _span(first)
    is_file = len(scenes) == 1 and not sensor.is_static
    names = [name for name in first.bands if all(name in scene.bands for scene in scenes)]
    own = {band.name: band.nodata for band in sensor.bands}
    parts = parts_of(scenes, names)
    bands = {
        name: replace(
            first.bands[name],
            href=f"{scheme}{first.sensor}/{span}/{name}",
            index=1,
            nodata=NODATA if own[name] is None else own[name],
            checksum=None,
            parts=parts[name],
        )
        for name in names
    }
    return replace(
        first,
        id=first.id if is_file else f"{first.sensor}_{span}",
        footprint=mapping(unary_union([shape(dict(scene.footprint)) for scene in scenes])),
        bands=bands,
        cloud_percent=None,
        href=first.href if is_file else None,
        platform=first.platform if len({scene.platform for scene in scenes}) == 1 else None,
    )


def _span(scene: SourceScene) -> str:
    """When a scene was taken, to the second, as its mosaic's id and addresses tell it."""
    first, last = scene.datetime or scene.start_datetime, scene.datetime or scene.end_datetime
    assert first is not None and last is not None, f"scene {scene.id} has no time"  # noqa: PT018
    return f"{first.astimezone(UTC):{_INSTANT}}_{last.astimezone(UTC):{_INSTANT}}"

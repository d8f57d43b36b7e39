"""Sentinel-1 in the radar's own geometry: ground range detected products, calibrated and geocoded here as `sentinel-1-gec`.

Earth Search's `sentinel-1-grd` are ESA's products with images as cloud-optimised GeoTIFFs, in a bucket whose requester pays.
Their pixels are amplitudes along the satellite's track. `addresses`, `annotation` and `products` read what belongs to them,
`geometry` finds the ground in them, `backscatter` makes sigma nought of them, `planes` does so for the squares of a build.

What a square gets is ESA's geocoded ellipsoid-corrected product (GEC), but that the ellipsoid is raised to the heights of the
product's geolocation grid: nothing here knows the terrain. `sentinel-1-grd` of ours (Earth Engine's) and `sentinel-1-rtc` are
corrected for it, and lie elsewhere in mountains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from catalogs.foreign import SourceBand, SourceScene
from catalogs.terms import SourceTerms
from curate.errors import SourceUnavailableError
from curate.planes import PlaneReader, open_planes
from curate.several_planes import HoldsBands, SeveralPlanes
from curate.sources.protocol import LonLatBox, Source, SourceRaster, for_sensors, opened_as
from curate.sources.sentinel1.addresses import SENSOR, is_radar


class GeocodingSource:
    """A source that has images of Sentinel-1 in the radar's own geometry beside its files."""

    simulated = False
    plan_note = (
        f"What belongs to the scenes of {SENSOR} is not predicted: annotation and calibration, two requests and some 2 MB for "
        "each polarisation of a scene, whatever number of locations is read of it"
    )
    """What a plan says besides."""

    def __init__(self, files: Source) -> None:
        """Read some of a source's bands in a way of their own; nothing is asked of it.

        Args:
            files: Whose bands are files; those of radar images by `addresses.MARK`.
        """
        self.name = files.name
        self.skipped = files.skipped
        self.max_scene_cloud = float(getattr(files, "max_scene_cloud", 100))
        self.opened_as = opened_as(files)
        self.lacking = getattr(files, "lacking", {})
        """See `curate.sources.protocol.why_lacking`."""
        self._files = files

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors it has."""
        return self._files.sensors()

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """Find scenes; see `curate.sources.protocol.Source`."""
        return self._files.search(sensor, box, start, end)

    @property
    def terms(self) -> Mapping[str, SourceTerms]:
        """What its collections ask, by sensor, where they say so."""
        found: Mapping[str, SourceTerms] = getattr(self._files, "terms", {})
        return found

    def only(self, sensors: Iterable[str]) -> Source:
        """What it is for some sensors: what it wraps where radar is not among them; see `protocol.for_sensors`."""
        wanted = tuple(sensors)
        files = for_sensors(self._files, wanted)
        return GeocodingSource(files) if SENSOR in wanted else files

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band that is a file on a map grid.

        Raises:
            SourceUnavailableError: It is in the radar's own geometry, and is read by `planes`.
        """
        if is_radar(band):
            raise SourceUnavailableError(
                f"{band.href} is in the radar's own geometry; expected a file on a map grid. Read it by its planes."
            )
        return self._files.open(band)

    def holds(self, band: SourceBand) -> bool:
        """Whether a band is read in a way of its own; see `curate.several_planes`."""
        return is_radar(band) or (isinstance(self._files, HoldsBands) and self._files.holds(band))

    def planes(self, *, connections: int) -> PlaneReader:
        """A reader that geocodes radar images, and reads all else as it is read without it.

        Args:
            connections: Ranges of files that are fetched at once at most, of each of the two.
        """
        from curate.sources.sentinel1.planes import RadarPlanes

        rest = open_planes(self._files, connections=connections)
        return SeveralPlanes([(is_radar, RadarPlanes(connections=connections)), (lambda _: True, rest)])

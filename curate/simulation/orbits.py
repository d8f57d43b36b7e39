"""When satellites pass: sun-synchronous orbits that repeat their ground tracks, and where a point lies beside a track.

References:
    Capderou, Handbook of Satellite Orbits, 2014 (ground tracks of sun-synchronous orbits).
    Sentinel-2: 143 orbits in 10 days, 98.57 degrees, 290 km, 10:30; Landsat 8/9: 233 in 16, 98.2, 185 km, 10:12;
    Sentinel-1: 175 in 12, 98.18, 250 km, 6:00, all at the descending node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation.sun import day_of

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

_EARTH_M = 6_371_000.0


@dataclass(frozen=True, slots=True)
class Constellation:
    """Satellites that share their ground tracks, evenly apart in time; only their descending halves, which face the sun."""

    satellites: tuple[str, ...]
    """STAC's `platform` of each."""
    orbits: int
    """In a cycle."""
    days: int
    """In a cycle."""
    inclination: float
    """Degrees."""
    half_swath_m: float
    """From the track to the edge of what is seen."""
    local_hour: float
    """Mean solar time at the descending node."""

    @property
    def period(self) -> float:
        """Of one orbit, days."""
        return self.days / self.orbits


SENTINEL_2 = Constellation(("sentinel-2a", "sentinel-2b"), 143, 10, 98.57, 145_000, 10.5)
LANDSAT = Constellation(("landsat-8", "landsat-9"), 233, 16, 98.2, 96_000, 10.2)
SENTINEL_1 = Constellation(("sentinel-1a",), 175, 12, 98.18, 128_000, 6.0)


@dataclass(frozen=True, slots=True)
class Pass:
    """One satellite's flight over the day side of the Earth, from north to south."""

    constellation: Constellation
    """Whose."""
    satellite: int
    """Which of its satellites."""
    number: int
    """Orbits since the first."""

    @property
    def track(self) -> int:
        """Which of the cycle's ground tracks, from 0."""
        return self.number % self.constellation.orbits

    @property
    def node_day(self) -> float:
        """When it crosses the equator, days since 2000-01-01T12:00 UTC."""
        fleet = self.constellation
        return (fleet.local_hour - 12) / 24 + self.number * fleet.period + self.satellite * fleet.days / len(fleet.satellites)

    def day_at(self, lat: Any) -> NDArray[np.float64]:
        """When it passes a latitude."""
        return self.node_day + _angle(self.constellation, lat) / (2 * np.pi) * self.constellation.period

    def beside(self, lon: Any, lat: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `beside_track`."""
        return beside_track(self.constellation, self.track, lon, lat)


def beside_track(fleet: Constellation, track: Any, lon: Any, lat: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of points across a ground track (east of it positive) and along it (south of the equator positive), metres."""
    angle = _angle(fleet, lat)
    lean = _lean(fleet, lat)
    node = -np.asarray(track) * 360.0 * fleet.days / fleet.orbits
    away = (np.asarray(lon) - node - _longitude(fleet, angle) + 180) % 360 - 180
    east = np.radians(away) * np.cos(np.radians(lat)) * _EARTH_M
    return east * np.cos(lean), angle * _EARTH_M - east * np.sin(lean)


def point_beside(fleet: Constellation, track: int, across: NDArray[Any], along: NDArray[Any]) -> NDArray[np.float64]:
    """The point at distances across and along a track: the inverse of `beside_track`, (points, 2) as lon, lat in degrees."""
    lat = -np.degrees(np.arcsin(np.sin(along / _EARTH_M) * np.sin(np.radians(fleet.inclination))))
    lon = -track * 360.0 * fleet.days / fleet.orbits + _longitude(fleet, _angle(fleet, lat))
    for _ in range(12):
        here_across, here_along = beside_track(fleet, track, lon, lat)
        d_across, d_along, lean = across - here_across, along - here_along, _lean(fleet, lat)
        lon = lon + np.degrees((d_across * np.cos(lean) - d_along * np.sin(lean)) / _EARTH_M) / np.cos(np.radians(lat))
        lat = np.clip(lat + np.degrees((-d_across * np.sin(lean) - d_along * np.cos(lean)) / _EARTH_M), -84, 84)
    return np.stack([(lon + 180) % 360 - 180, lat], axis=-1)


def passes_of(fleet: Constellation, tracks: list[int], start: datetime, end: datetime) -> list[Pass]:
    """Passes along some tracks whose equator crossing is within an hour of a span of time."""
    first, last = day_of(start) - 1 / 24, day_of(end) + 1 / 24
    found = []
    for satellite in range(len(fleet.satellites)):
        for track in tracks:
            base = Pass(fleet, satellite, track).node_day
            cycles = range(int(np.ceil((first - base) / fleet.days)), int(np.floor((last - base) / fleet.days)) + 1)
            found += [Pass(fleet, satellite, track + cycle * fleet.orbits) for cycle in cycles]
    return found


def _angle(fleet: Constellation, lat: Any) -> NDArray[np.float64]:
    """Angle flown since the descending node, radians; beyond the northernmost point that of the point itself."""
    sine = -np.sin(np.radians(lat)) / np.sin(np.radians(fleet.inclination))
    return np.asarray(np.arcsin(np.clip(sine, -0.9998, 0.9998)))


def _longitude(fleet: Constellation, angle: Any) -> NDArray[np.float64]:
    """Longitude of the track after the node's, degrees, the Earth's turn included."""
    turned = np.arctan2(np.cos(np.radians(fleet.inclination)) * np.sin(angle), np.cos(angle))
    return np.asarray(np.degrees(turned) - 360 * fleet.period * np.asarray(angle) / (2 * np.pi))


def _lean(fleet: Constellation, lat: Any) -> NDArray[np.float64]:
    """Angle from due south to the direction of flight, towards the west, radians."""
    step = 0.02
    north, south = _angle(fleet, np.asarray(lat) + step), _angle(fleet, np.asarray(lat) - step)
    west = np.radians(_longitude(fleet, north) - _longitude(fleet, south)) * np.cos(np.radians(lat))
    return np.asarray(np.arctan2(west, np.radians(2 * step)))

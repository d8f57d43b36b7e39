"""Where the sun stands.

References:
    The Astronomical Almanac's low-precision formulas for the Sun (0.01 degrees between 1950 and 2050).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


def day_of(when: datetime) -> float:
    """Days since 2000-01-01T12:00 UTC."""
    return (when - EPOCH) / timedelta(days=1)


def sun_angles(lon: Any, lat: Any, day: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Elevation above the horizon and azimuth from north over east, degrees.

    Args:
        lon: Longitudes, degrees, any shape.
        lat: Latitudes, degrees, same shape.
        day: Days since 2000-01-01T12:00 UTC, a number or of the same shape.
    """
    day = np.asarray(day, float)
    anomaly = np.radians(357.528 + 0.9856003 * day)
    ecliptic = np.radians(280.46 + 0.9856474 * day + 1.915 * np.sin(anomaly) + 0.02 * np.sin(2 * anomaly))
    tilt = np.radians(23.439 - 4e-7 * day)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    hour = np.radians(280.46062 + 360.98564737 * day + lon) - ascension
    b = np.radians(lat)
    up = np.sin(b) * np.sin(declination) + np.cos(b) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(b) * np.sin(declination) - np.sin(b) * np.cos(declination) * np.cos(hour)
    return np.degrees(np.arcsin(np.clip(up, -1, 1))), np.degrees(np.arctan2(east, north)) % 360

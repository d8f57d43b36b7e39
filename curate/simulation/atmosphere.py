"""What the sun and the air do between the ground and the sensor: relief in the light, clouds and shadows, cirrus, haze.

Clouds are noise in Earth-centred space, drawn anew for each pass of a satellite, so that overlapping tiles and neighbouring
zones see the same clouds. How much of the sky they cover follows the weather of the day, hundreds of kilometres wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation.ground import earth_centred, east_north
from curate.simulation.landscape import slopes_of
from curate.simulation.noise import draw, hash_of, layered_noise, smooth_step, stream
from curate.simulation.sun import sun_angles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from curate.simulation.acquisitions import Acquisition
    from curate.simulation.ground import Nodes

_WEATHER = {900_000.0: 1.0, 260_000.0: 0.7}
_CLOUDS = {34_000.0: 0.7, 11_000.0: 0.75, 3_800.0: 0.6, 1_300.0: 0.36, 450.0: 0.2, 200.0: 0.1}
_CIRRUS = {60_000.0: 1.0, 14_000.0: 0.5, 3_500.0: 0.2}
CLOUD_MARGIN, THICK_MARGIN = 0.1, 0.3
"""From these excesses of density over its threshold on, a pixel is cloud, and surely so."""
SHADOW_MARGIN = 0.16
FULL_MARGIN = 0.42
CIRRUS_LEVEL = 0.02
"""Added reflectance from which thin cirrus counts."""


@dataclass(frozen=True, slots=True)
class Sky:
    """The sky of one pass over some cells, each field (height, width), float32."""

    cloud: NDArray[np.float32]
    """Excess of cloud density over its threshold above the cell; below 0 the sky is open."""
    shade: NDArray[np.float32]
    """The same where the cell's ray of sunlight passes."""
    cirrus: NDArray[np.float32]
    """Reflectance that thin high cloud adds."""
    haze: NDArray[np.float32]
    """Reflectance that haze adds at 0.56 micrometres."""
    light: NDArray[np.float32]
    """Sunlight on the slope, relative to level ground."""
    edge: NDArray[np.float32]
    """Distance inside the edge of what the scene covers, metres; negative where it has no data."""

    def opacity(self) -> NDArray[np.float32]:
        """Share of the ground's light that the cloud above replaces."""
        return smooth_step(0.0, FULL_MARGIN, self.cloud)

    def darkness(self) -> NDArray[np.float32]:
        """Share of direct sunlight that the cloud in its path keeps away."""
        return smooth_step(0.0, FULL_MARGIN, self.shade)

    def is_cloud(self) -> NDArray[np.bool_]:
        """Where a cloud is seen."""
        return self.cloud > CLOUD_MARGIN

    def is_shadow(self) -> NDArray[np.bool_]:
        """Where the shadow of a cloud is seen."""
        return (self.shade > SHADOW_MARGIN) & ~self.is_cloud()


def sky_on_nodes(nodes: Nodes, acquisition: Acquisition, seed: int) -> NDArray[np.float32]:
    """The six fields of `Sky` on nodes, (6, rows, columns)."""
    lon, lat = nodes.lon.ravel(), nodes.lat.ravel()
    flight, take = acquisition.flight, acquisition.seed(seed)
    sun = sun_angles(lon, lat, flight.day_at(lat) if flight else acquisition.day)
    elevation, azimuth = (np.radians(angle) for angle in sun)
    xyz = earth_centred(lon, lat)
    nothing = np.zeros(lon.size)
    if flight is None or acquisition.sensor == "sentinel-1-rtc":
        veils = [nothing - 9, nothing - 9, nothing, nothing + 0.004]
    else:
        away = float(draw(hash_of(take), "cloud base", 700, 2400)[0]) / np.tan(np.maximum(elevation, 0.05))
        east, north = east_north(lon, lat)
        both = np.concatenate([xyz, xyz + away * (np.sin(azimuth) * east + np.cos(azimuth) * north)], axis=1)
        margins = cloud_margin(both, np.concatenate([lat, lat]), days=[acquisition.day], takes=[take], seed=seed)
        veils = [*margins[0].reshape(2, -1), _cirrus(xyz, take), _haze(xyz, take)]
    edge = acquisition.inside(lon, lat)
    return np.stack([*veils, _light(nodes, elevation, azimuth, seed), edge]).astype(np.float32).reshape(6, *nodes.shape)


def _light(nodes: Nodes, elevation: NDArray[np.float64], azimuth: NDArray[np.float64], seed: int) -> Any:
    """Cosine of the sun's incidence over that on level ground, a part of the light coming from the whole sky."""
    east, north = slopes_of(nodes, seed).reshape(2, -1)
    low = np.tan(np.maximum(elevation, np.radians(12)))
    direct = (1 - (np.sin(azimuth) * east + np.cos(azimuth) * north) / low) / np.sqrt(1 + east**2 + north**2)
    return np.clip(0.25 + 0.75 * direct, 0.25, 1.8)


def cloud_margin(
    xyz: NDArray[np.float64], lat: NDArray[np.float64], *, days: list[float], takes: list[int], seed: int
) -> NDArray[np.float64]:
    """Excess of cloud density over the weather's threshold, for several passes at once, (passes, points).

    Args:
        xyz: Earth-centred coordinates, metres, (3, points).
        lat: Latitudes of the points, degrees, (points,).
        days: Of each pass, since 2000-01-01T12:00 UTC.
        takes: What each pass draws from; see `Acquisition.seed`.
        seed: The world's.
    """
    density = layered_noise(xyz, _CLOUDS, np.array(takes))
    weather = layered_noise(xyz, _WEATHER, hash_of(seed, stream("weather"), np.floor(days)))
    phase = np.cos(2 * np.pi * (np.asarray(days)[:, None] - 9) / 365.25) * np.clip(lat / 30, -1, 1)
    return density + 1.35 * weather + 0.3 * phase - 0.1


def _cirrus(xyz: NDArray[np.float64], take: int) -> Any:
    level = layered_noise(xyz, _CIRRUS, [take + 1])[0] + draw(hash_of(take), "cirrus", -4.5, 0.6)
    return 0.07 * smooth_step(0.0, 1.6, level)


def _haze(xyz: NDArray[np.float64], take: int) -> Any:
    amount = draw(hash_of(take), "haze") ** 3 * 0.035
    return 0.002 + amount * np.exp(0.35 * layered_noise(xyz, {70_000.0: 1.0, 9_000.0: 0.4}, [take + 2])[0])


def cloud_percents(acquisitions: Sequence[Acquisition], seed: int) -> list[float]:
    """Cloud cover of scenes of one tile, from a spread of its points that each covers, percent."""
    if not acquisitions:
        return []
    lon, lat = (part.ravel() for part in acquisitions[0].tile.spread(9))
    days, takes = [each.day for each in acquisitions], [each.seed(seed) for each in acquisitions]
    margins = cloud_margin(earth_centred(lon, lat), lat, days=days, takes=takes, seed=seed)
    shares = []
    for each, margin in zip(acquisitions, margins, strict=True):
        seen = each.inside(lon, lat) >= 0
        shares.append(round(100 * float(np.mean(margin[seen] > CLOUD_MARGIN)), 2) if seen.any() else 0.0)
    return shares

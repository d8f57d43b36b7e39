"""The ground as it stays through the years: relief, rivers, regions, parcels and their texture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation.covers import WATER
from curate.simulation.ground import METRES_PER_DEGREE, NODE_M, nodes_around
from curate.simulation.noise import hash_of, layered_noise, smooth_step, stream
from curate.simulation.parcels import lay_parcels
from curate.simulation.regions import regions_of
from curate.simulation.textures import POND, TONE, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.ground import Cells, Nodes
    from curate.simulation.parcels import Parcels, Places

_BEND = {2200.0: 1.0, 700.0: 0.5}
_WIGGLE = {900.0: 1.0, 320.0: 0.6}
_RELIEF = {6000.0: 1.0, 2300.0: 0.42, 900.0: 0.17, 420.0: 0.06}
_ROUGH = {90_000.0: 1.0, 30_000.0: 0.5}
_RIVER = {9000.0: 1.0, 2500.0: 0.16}
REGION_BEND_M, PARCEL_BEND_M, RELIEF_M = 330.0, 26.0, 85.0


@dataclass(frozen=True, slots=True)
class Landscape:
    """What does not change at a block of cells."""

    surface: NDArray[np.float32]
    """The seven values of `textures`, (7, height, width)."""
    parcel: NDArray[np.int32]
    """Row of the table of parcels, (height, width)."""
    parcels: Parcels
    """The table."""

    @property
    def nbytes(self) -> int:
        """Memory of its large arrays."""
        return self.surface.nbytes + self.parcel.nbytes


def landscape_of(cells: Cells, seed: int) -> Landscape:
    """The landscape at the centres of some cells."""
    parcels, places, river = _structure(cells, seed)
    surface = paint(parcels, places, cells.size)
    flow = river.ravel()
    surface[:TONE] *= 1 - flow
    surface[POND] += flow
    return Landscape(surface.reshape(-1, *cells.shape), places.parcel.astype(np.int32).reshape(cells.shape), parcels)


def cover_of(cells: Cells, seed: int) -> NDArray[np.uint8]:
    """Land cover at the centres of some cells, (height, width)."""
    parcels, places, river = _structure(cells, seed)
    cover = parcels.cover[places.parcel].reshape(cells.shape)
    return np.where(river > 0.5, WATER, cover).astype(np.uint8)


def _structure(cells: Cells, seed: int) -> tuple[Parcels, Places, NDArray[np.float32]]:
    nodes = nodes_around(cells)
    fields = _fields(nodes, seed)
    lonlat = np.stack([nodes.lon, nodes.lat])
    degree = METRES_PER_DEGREE * np.stack([np.cos(np.radians(nodes.lat)), np.ones(nodes.shape)])
    regions, belongs = regions_of(cells, nodes, lonlat + fields[:2] * REGION_BEND_M / degree, seed)
    lonlat = nodes.at(cells, lonlat).reshape(2, -1)
    bend = nodes.at(cells, (fields[2:4] * PARCEL_BEND_M).astype(np.float32)).reshape(2, -1)
    parcels, places = lay_parcels(regions, belongs.ravel(), lonlat, bend)
    return parcels, places, _river(nodes.at(cells, fields[4:5].astype(np.float32))[0])


def _fields(nodes: Nodes, seed: int) -> NDArray[Any]:
    names = ((_BEND, "bend east"), (_BEND, "bend north"), (_WIGGLE, "wiggle u"), (_WIGGLE, "wiggle v"), (_RIVER, "river"))
    xyz = nodes.xyz
    fields = [layered_noise(xyz, layers, hash_of(seed, stream(name))) for layers, name in names]
    return np.concatenate(fields).reshape(-1, *nodes.shape)


def _river(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of water where the level is near zero: winding lines some tens of metres wide."""
    share: NDArray[np.float32] = 1 - smooth_step(0.006, 0.012, np.abs(level))
    return share


def slopes_of(nodes: Nodes, seed: int) -> NDArray[np.float64]:
    """Rise of the ground to the east and to the north on the nodes, metres per metre, (2, rows, columns).

    The outer ring repeats its neighbours; no cell that the nodes were made for lies there.
    """
    height = layered_noise(nodes.xyz, _RELIEF, hash_of(seed, stream("relief")))[0]
    rough = smooth_step(-1.2, 2.0, layered_noise(nodes.xyz, _ROUGH, hash_of(seed, stream("rough")))[0])
    height = (height * RELIEF_M * rough).reshape(nodes.shape)
    right, up = np.zeros(nodes.shape), np.zeros(nodes.shape)
    right[:, 1:-1] = (height[:, 2:] - height[:, :-2]) / (2 * NODE_M)
    up[1:-1] = (height[2:] - height[:-2]) / (2 * NODE_M)
    turn = nodes.convergence
    return np.stack([np.cos(turn) * right + np.sin(turn) * up, np.cos(turn) * up - np.sin(turn) * right])

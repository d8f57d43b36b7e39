"""What each land cover looks like from above, season apart: rows, hedges, crowns, streets, roofs.

Each function fills, for the cells of one cover, how much of a cell is tree, paved, tiled roof, flat roof and open water (the
rest is the parcel's ground), a tone that scales its brightness, and a vigour from -1 to 1 that moves ground between bare and
green. Patterns narrower than two cells are left out, since they would only alias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation import covers
from curate.simulation.noise import draw, hash_of, smooth_step, stream, uniform, value_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.parcels import Parcels, Places

TREE, PAVED, TILED, FLAT, POND, TONE, VIGOUR = range(7)
BLOCK_M = 66.0
"""Depth of a block of houses between two streets."""
Values = Any
"""float32 array of one value per cell, or something that broadcasts to it."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The cells of one cover: where they lie in their parcels, and what their parcels are like."""

    u: NDArray[np.float32]
    """Along the region's first axis, metres."""
    v: NDArray[np.float32]
    """Along its second axis, metres."""
    a: NDArray[np.float32]
    """From the parcel's first edge along `u`, metres."""
    b: NDArray[np.float32]
    """From the parcel's first edge along `v`, metres."""
    track: NDArray[np.bool_]
    """Whether a track runs along that edge across `v`."""
    parcel: NDArray[np.int64]
    """Row of the table of parcels."""
    parcels: Parcels
    """The table."""
    size: float
    """Side of a cell, metres."""

    def draw(self, name: str, low: float, high: float) -> NDArray[np.float32]:
        """A number of each cell's parcel."""
        return np.take(draw(self.parcels.key, name, low, high).astype(np.float32), self.parcel)

    def draw_region(self, name: str, low: float, high: float) -> NDArray[np.float32]:
        """A number of each cell's region."""
        return np.take(draw(self.parcels.region_key, name, low, high).astype(np.float32), self.parcel)

    def contrast(self) -> NDArray[np.float32]:
        """How strongly the texture shows, from faint to harsh; so its strength says little of the cover."""
        return np.asarray(np.exp(self.draw_region("contrast", -1.0, 0.65) + self.draw("contrast", -0.15, 0.15)))

    def edge(self) -> NDArray[np.float32]:
        """Distance to the parcel's nearest edge, metres."""
        a, b = self.parcels.width[self.parcel] - self.a, self.parcels.depth[self.parcel] - self.b
        return np.asarray(np.minimum(np.minimum(self.a, a), np.minimum(self.b, b)))

    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates along and across the parcel's rows, metres: its region's axes, in half of the parcels swapped."""
        swap = self.draw("rows", 0, 1) < 0.5
        return np.where(swap, self.v, self.u), np.where(swap, self.u, self.v)

    def noise(self, wavelength: float, name: str, stretch: float = 1.0) -> Values:
        """Smooth noise, `stretch` times longer along the rows; nothing where the cells are too coarse for it."""
        if wavelength < 2 * self.size:
            return np.float32(0)
        along, across = self.axes() if stretch != 1 else (self.u, self.v)
        return value_noise(along / np.float32(stretch), across, wavelength, stream(name))

    def covered(self, distance: Values, width: Values) -> Values:
        """Share of a cell within `width` metres of a line that is `distance` metres away."""
        return np.clip((width - distance) / np.float32(self.size) + np.float32(0.5), 0, 1)


Surface = Any
"""(7, cells) float32, the seven values in their order."""


def arable(plot: Plot, out: Surface) -> None:
    """Large fields, drilled and sprayed along one axis, with soils that dry in patches."""
    contrast = plot.contrast()
    out[VIGOUR] = contrast * (0.75 * plot.noise(48, "drill", 5) + 0.5 * plot.noise(160, "soil"))
    _, across = plot.axes()
    tramline = plot.covered(np.abs(across % 32 - 16), np.float32(1.6))
    clods = 0.05 * plot.noise(8, "clod", 5)
    out[TONE] += contrast * (0.1 * plot.noise(30, "till", 7) + 0.06 * plot.noise(110, "crumb") + clods)
    out[TONE] *= 1 - 0.3 * tramline
    out[PAVED] = plot.covered(plot.b, np.float32(4)) * plot.track


def pasture(plot: Plot, out: Surface) -> None:
    """Small fields within hedges, with single trees and trodden patches."""
    contrast = plot.contrast()
    out[VIGOUR] = contrast * (0.5 * plot.noise(38, "tuft") + 0.5 * plot.noise(130, "wet"))
    closed = smooth_step(-0.65, -0.15, plot.noise(40, "gap"))
    out[TREE] = np.maximum(closed * plot.covered(plot.edge(), plot.draw("hedge", 1, 9)), _dots(plot, 52, 0.3, 7))
    out[TONE] += contrast * (0.05 * plot.noise(24, "mottle") + 0.06 * plot.noise(7, "tussock"))
    out[PAVED] = plot.covered(plot.b, np.float32(3)) * plot.track


def vineyard(plot: Plot, out: Surface) -> None:
    """Blocks of strips, planted and open in turn, each block along its own axis; fine rows within."""
    contrast = plot.contrast()
    along, across = plot.axes()
    across = across + plot.draw("skew", -0.25, 0.25) * along
    period = plot.draw_region("period", 27, 42) * plot.draw("period", 0.92, 1.08)
    strip = np.abs((across / period) % 1 - np.float32(0.5)) * 4 - 1
    out[VIGOUR] = contrast * (0.9 * strip + 0.3 * plot.noise(60, "vine"))
    out[TONE] += contrast * (0.16 * strip + 0.05 * plot.noise(25, "stone"))
    if plot.size < 2:
        out[TONE] *= 1 + 0.3 * np.sign((across / 3.2) % 1 - np.float32(0.5))
    out[PAVED] = plot.covered(plot.edge(), np.float32(2.5)) * np.float32(0.7)
    out[TREE] = _dots(plot, 90, 0.12, 6)


def orchard(plot: Plot, out: Surface) -> None:
    """Crowns on a square lattice over grass or tilled ground."""
    spacing = plot.draw_region("spacing", 23, 33) * plot.draw("spacing", 0.95, 1.05)
    du, dv = (np.abs((part / spacing) % 1 - np.float32(0.5)) * spacing for part in (plot.a, plot.b))
    crown = plot.draw_region("crown", 0.24, 0.44) * plot.draw("crown", 0.9, 1.1) * spacing
    out[TREE] = plot.covered(np.sqrt(du * du + dv * dv), crown) * (1 - plot.covered(plot.edge(), np.float32(4)))
    out[VIGOUR] = plot.contrast() * (0.4 * plot.noise(70, "sward") + 0.3 * plot.noise(26, "weed"))
    out[TONE] += 0.06 * plot.noise(40, "litter") + 0.08 * plot.noise(6, "twig")
    out[PAVED] = plot.covered(plot.b, np.float32(3)) * plot.track


def broadleaf(plot: Plot, out: Surface) -> None:
    """Round crowns of many sizes, with gaps and clearings."""
    contrast = plot.contrast()
    crowns = 0.5 * plot.noise(21, "crown") + 0.5 * plot.noise(43, "group") + 0.25 * plot.noise(9, "bough")
    holes = plot.noise(75, "gap") * np.float32(0.6) + plot.noise(30, "hole") * np.float32(0.45)
    gap = smooth_step(0.42, 0.62, holes + plot.draw_region("open", -0.15, 0.5))
    out[TREE] = 1 - gap
    out[TONE] += contrast * (0.34 * crowns + 0.12 * plot.noise(150, "stand"))
    out[VIGOUR] = 0.4 * plot.noise(50, "floor")
    out[PAVED] = plot.covered(plot.b, np.float32(2.5)) * plot.track


def conifer(plot: Plot, out: Surface) -> None:
    """Even-aged stands between straight rides, some felled or replanted in rows."""
    contrast = plot.contrast()
    age = plot.draw("age", 0, 1)
    _, across = plot.axes()
    planted = np.abs((across / 24) % 1 - np.float32(0.5)) * 4 - 1
    closed = np.where(age < plot.draw_region("young", 0.05, 0.6), smooth_step(0.0, 0.6, planted + plot.noise(30, "sapling")), 1)
    out[TREE] = closed * (1 - plot.covered(plot.edge(), plot.draw_region("ride", 4, 8)))
    out[TONE] *= 0.75 + 0.45 * age + contrast * (0.16 * plot.noise(13, "spire") + 0.1 * plot.noise(26, "row", 3))
    out[VIGOUR] = 0.5 * plot.noise(36, "brash")


def residential(plot: Plot, out: Surface) -> None:
    """Streets around blocks; houses in two rows of lots, gardens with trees."""
    street = plot.draw_region("street", 4.5, 7.0)
    beside = np.where(plot.draw("side street", 0, 1) < 0.6, plot.a, np.float32(1e3))
    depth = np.take(plot.parcels.depth / np.maximum(np.rint(plot.parcels.depth / BLOCK_M), 1), plot.parcel)
    block = np.floor(plot.b / depth)
    into = plot.b - block * depth
    out[PAVED] = np.maximum(plot.covered(into, street), plot.covered(beside, street))
    upper = into > depth / 2
    roof, key = _houses(plot, np.where(upper, depth - into, into - street), block * 2 + upper)
    roof *= 1 - out[PAVED]
    tiled = plot.draw_region("tiled", 0.15, 0.85) > uniform(hash_of(key, 4))
    out[TILED], out[FLAT] = roof * tiled, roof * ~tiled
    leafy = plot.noise(17, "garden") + 0.5 * plot.noise(60, "park") + plot.draw_region("leafy", -0.3, 0.55)
    out[TREE] = smooth_step(0.1, 0.5, leafy) * (1 - roof - out[PAVED])
    out[VIGOUR] = 0.8 * plot.noise(22, "lawn")
    worn = plot.draw_region("roofs", 0.4, 1.0)
    out[TONE] *= np.where(roof > 0.5, worn * (0.75 + 0.5 * uniform(hash_of(key, 5))), 1)


def _houses(plot: Plot, inner: Values, row: Values) -> tuple[Values, NDArray[np.uint32]]:
    """Share of a cell under the house of its lot, and the lot's own key; `inner` is the distance from the street."""
    lot_m = plot.draw_region("lot", 19, 30)
    lot = np.floor(plot.a / lot_m)
    key = hash_of(plot.parcels.key[plot.parcel], lot, row)
    size = plot.draw_region("house", 4.0, 7.5)
    half_u, half_v = (size + 3.5 * uniform(hash_of(key, k)).astype(np.float32) for k in (1, 2))
    du, dv = np.abs(plot.a - (lot + np.float32(0.5)) * lot_m), np.abs(inner - 13)
    built = uniform(hash_of(key, 3)) < plot.draw_region("built", 0.55, 0.95)
    return np.minimum(plot.covered(du, half_u), plot.covered(dv, half_v)) * built, key


def industrial(plot: Plot, out: Surface) -> None:
    """Halls of very different roofs on paved yards, with wide streets and idle lots."""
    road = plot.covered(plot.edge(), np.float32(7))
    hall_m = plot.draw("hall", 48, 105)
    column, row = np.floor(plot.a / hall_m), np.floor(plot.b / (hall_m * np.float32(0.8)))
    key = hash_of(plot.parcels.key[plot.parcel], column.astype(np.int64), row.astype(np.int64))
    du = np.abs(plot.a - (column + np.float32(0.5)) * hall_m)
    dv = np.abs(plot.b - (row + np.float32(0.5)) * hall_m * np.float32(0.8))
    fill = (0.3 + 0.14 * uniform(hash_of(key, 1))).astype(np.float32)
    hall = np.minimum(plot.covered(du, hall_m * fill), plot.covered(dv, hall_m * fill * np.float32(0.8)))
    hall = hall * (uniform(hash_of(key, 2)) < plot.draw_region("built", 0.3, 0.8)) * (1 - road)
    tiled = uniform(hash_of(key, 3)) < 0.2
    out[TILED], out[FLAT] = hall * tiled, hall * ~tiled
    yard = smooth_step(-0.4, 0.1, plot.noise(55, "yard") + plot.draw("idle", -0.7, 0.4) + plot.draw_region("idle", -0.8, 0.3))
    out[PAVED] = np.maximum(road, yard * (1 - hall))
    roofs = plot.draw_region("roofs", 0.45, 1.0) * (0.55 + 0.7 * uniform(hash_of(key, 4)))
    out[TONE] *= np.where(hall > 0.5, roofs, 1 + 0.12 * plot.noise(14, "cars"))
    out[VIGOUR] = 0.6 * plot.noise(30, "ruderal")


def heath(plot: Plot, out: Surface) -> None:
    """Shrubs, grass and pools in patches of every size, without any straight line."""
    contrast = plot.contrast()
    patches = (0.45 * plot.noise(290, "bog") + 0.4 * plot.noise(110, "hummock") + 0.3 * plot.noise(45, "shrub")
               + 0.2 * plot.noise(18, "bush") + 0.1 * plot.noise(7, "tuft"))  # fmt: skip
    out[TREE] = np.float32(0.85) * smooth_step(0.12, 0.42, patches + plot.draw_region("scrub", -0.25, 0.2))
    out[POND] = smooth_step(0.5, 0.62, -patches + plot.draw_region("wet", -0.3, 0.1))
    out[VIGOUR] = contrast * (1.2 * patches + 0.3 * plot.noise(60, "moor"))
    out[TONE] += contrast * (0.15 * plot.noise(80, "peat") - 0.12 * patches)


def water(plot: Plot, out: Surface) -> None:
    """Lakes, with streaks of wind and of sediment."""
    out[POND] = 1
    out[VIGOUR] = 0.7 * plot.noise(420, "plume") + 0.3 * plot.noise(130, "eddy")
    out[TONE] += 0.12 * plot.noise(90, "wind", 4) + 0.05 * plot.noise(24, "wave", 3)


PAINTERS: dict[int, Callable[[Plot, Surface], None]] = {
    covers.ARABLE: arable, covers.PASTURE: pasture, covers.VINEYARD: vineyard, covers.ORCHARD: orchard,
    covers.BROADLEAF: broadleaf, covers.CONIFER: conifer, covers.RESIDENTIAL: residential,
    covers.INDUSTRIAL: industrial, covers.HEATH: heath, covers.WATER: water,
}  # fmt: skip


def paint(parcels: Parcels, places: Places, size: float) -> Surface:
    """The seven values of every cell.

    Args:
        parcels: The table of parcels.
        places: Each cell's place in them.
        size: Side of a cell, metres.

    Returns:
        (7, cells), float32; the first five are shares from 0 to 1 that sum to at most 1, tone is about 1.
    """
    surface = np.zeros((7, places.parcel.size), np.float32)
    cover = parcels.cover[places.parcel]
    for number, painter in PAINTERS.items():
        mine = np.flatnonzero(cover == number)
        if not mine.size:
            continue
        plot = Plot(
            places.u[mine],
            places.v[mine],
            places.a[mine],
            places.b[mine],
            places.track[mine],
            places.parcel[mine],
            parcels,
            size,
        )
        part = np.zeros((7, mine.size), np.float32)
        part[TONE] = plot.draw("tone", 0.86, 1.14)
        painter(plot, part)
        surface[:, mine] = part
    _normalise(surface)
    return surface


def _dots(plot: Plot, spacing: float, share: float, radius: float) -> Values:
    """Single crowns, one at most in each square of `spacing` metres."""
    column, row = np.floor(plot.u / spacing), np.floor(plot.v / spacing)
    key = hash_of(column.astype(np.int64), row.astype(np.int64))
    middle = [0.25 + 0.5 * uniform(hash_of(key, k)).astype(np.float32) for k in (1, 2)]
    du, dv = (plot.u / spacing - column - middle[0]) * spacing, (plot.v / spacing - row - middle[1]) * spacing
    return plot.covered(np.sqrt(du * du + dv * dv), np.float32(radius)) * (uniform(hash_of(key, 3)) < share)


def _normalise(surface: Surface) -> None:
    total = surface[0].copy()
    for share in surface[1:TONE]:
        total += share
    np.maximum(total, 1, out=total)
    surface[:TONE] /= total
    np.clip(surface[TONE], 0.3, 2.0, out=surface[TONE])
    np.clip(surface[VIGOUR], -1, 1, out=surface[VIGOUR])

"""The kinds of land cover: their names, how common they are, how their parcels are laid out, what else is among them."""

from __future__ import annotations

from dataclasses import dataclass

ARABLE, PASTURE, VINEYARD, ORCHARD, BROADLEAF, CONIFER, RESIDENTIAL, INDUSTRIAL, HEATH, WATER = range(10)
COVER_NAMES = (
    "arable", "pasture", "vineyard", "orchard", "broadleaf_forest", "conifer_forest", "residential", "industrial", "heath",
    "water",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How a region of one dominant cover is cut into parcels."""

    weight: float
    """Share of the regions that it dominates, relative to the others."""
    width_m: float
    """Mean width of parcels, along the region's first axis."""
    depth_m: float
    """Mean depth of parcels, along its second axis."""
    bend: float
    """How much parcels follow the relief instead of straight lines: 0 a street plan, 1 wild."""
    guests: tuple[int, ...]
    """Covers that interrupt the dominant one in groups of parcels."""
    track_every: int
    """A farm track or street lies on every so many rows of parcels; 0 for none."""


LAYOUTS = (
    Layout(1.15, 330, 230, 0.15, (PASTURE, BROADLEAF, RESIDENTIAL, ORCHARD, VINEYARD), 3),
    Layout(1.1, 150, 115, 0.45, (ARABLE, BROADLEAF, RESIDENTIAL, HEATH), 4),
    Layout(1.0, 180, 130, 0.35, (ARABLE, ORCHARD, HEATH, RESIDENTIAL), 3),
    Layout(1.0, 210, 160, 0.2, (VINEYARD, PASTURE, ARABLE, RESIDENTIAL), 3),
    Layout(1.1, 320, 280, 2.5, (PASTURE, CONIFER, HEATH, ARABLE), 5),
    Layout(1.0, 280, 240, 0.4, (BROADLEAF, HEATH, PASTURE), 0),
    Layout(1.0, 112, 66, 0.12, (INDUSTRIAL, PASTURE, BROADLEAF), 1),
    Layout(0.85, 230, 170, 0.06, (RESIDENTIAL, ARABLE, PASTURE), 1),
    Layout(1.0, 260, 240, 3.0, (BROADLEAF, CONIFER, PASTURE), 0),
    Layout(0.55, 420, 380, 3.0, (HEATH, WATER, WATER, PASTURE), 0),
)
"""By cover."""

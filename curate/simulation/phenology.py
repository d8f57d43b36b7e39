"""What parcels wear at a date: crops that are sown, ripen and are cut, grass, leaves, ploughed and wet soil. Pure.

Days are counted since 2000-01-01T12:00 UTC. The farming year runs from 1 November in the north and half a year later in
the south; towards the equator seasons fade. A field's crop changes from year to year; its parcel and texture stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.simulation import covers
from curate.simulation.noise import draw, hash_of, smooth_step, stream
from curate.simulation.sun import sun_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.simulation.parcels import Parcels

YEAR = 365.25
_FIRST_NOVEMBER = 304.5
Curve = Any
"""float64 array of one value per parcel."""


@dataclass(frozen=True, slots=True)
class Attire:
    """What the parcels of a table wear at one date; all are shares of their ground or of their trees."""

    ground: NDArray[np.float32]
    """Green, dry, light soil and dark soil, (4, parcels); what is missing to 1 is shade."""
    swing: NDArray[np.float32]
    """What a vigour of 1 adds to each of them, (4, parcels); sums to nothing."""
    trees: NDArray[np.float32]
    """Leaves, dry twigs and needles, (3, parcels)."""
    sediment: NDArray[np.float32]
    """Light soil in open water, (parcels,)."""
    algae: NDArray[np.float32]
    """Green in open water, (parcels,)."""
    albedo: NDArray[np.float32]
    """How bright everything on the parcel is on that day, about 1, (parcels,)."""
    contrast: NDArray[np.float32]
    """How strongly light and shade of the texture differ, about 1, (parcels,): more under a low sun."""


@dataclass(frozen=True, slots=True)
class _Season:
    """Where in their year some parcels are."""

    day: Curve
    """Days since the first of November (in the south, of May)."""
    key: NDArray[np.uint32]
    """Of the parcel and its farming year."""
    region: NDArray[np.uint32]
    """Of the region and its farming year."""
    lasting: NDArray[np.uint32]
    """Of the parcel alone."""
    late: Curve
    """Days by which spring comes late."""

    def rise(self, day: Curve, width: float) -> Curve:
        """From 0 to 1 around a day of the year."""
        return 1 / (1 + np.exp(np.clip((day + self.late - self.day) / width, -50, 50)))


def attire_of(parcels: Parcels, day: float) -> Attire:
    """What parcels wear at a day."""
    season = _season(parcels, day)
    green, dry = np.zeros(parcels.key.size), np.zeros(parcels.key.size)
    for cover, curve in _CURVES.items():
        mine = np.flatnonzero(parcels.cover == cover)
        part = _Season(*(getattr(season, name)[mine] for name in _Season.__slots__))
        green[mine], dry[mine] = curve(part)
    mild = _mildness(parcels)
    green = np.clip(green * (1 - mild) + mild * 0.5 * (green + draw(season.key, "rain", 0.15, 0.7)), 0.02, 0.95)
    dry = np.clip(dry, 0, 0.95 - green)
    ground = _with_soil(parcels, green, dry, day)
    bare = ground[1:] / np.maximum(ground[1:].sum(axis=0), 1e-6)
    reach = 1.1 * green * (1 - green)
    return Attire(
        ground.astype(np.float32), (reach * np.concatenate([np.ones((1, green.size)), -bare])).astype(np.float32),
        _trees(parcels, season).astype(np.float32),
        (draw(season.region, "silt", 0, 0.3) * draw(hash_of(parcels.region_key, int(day // 12)), "flood")).astype(np.float32),
        (draw(parcels.region_key, "algae", 0, 0.09) * season.rise(200, 20) * (1 - season.rise(335, 20))).astype(np.float32),
        _albedo(parcels, day).astype(np.float32), _contrast(parcels, day).astype(np.float32),
    )  # fmt: skip


def _mildness(parcels: Parcels) -> Curve:
    """How little the seasons differ: 1 at the equator, 0 from 38 degrees on."""
    return 1 - smooth_step(8.0, 38.0, np.abs(parcels.lat))


def _season(parcels: Parcels, day: float) -> _Season:
    total = day - _FIRST_NOVEMBER + YEAR / 2 * smooth_step(-4.0, 4.0, -parcels.lat)
    year = np.floor(total / YEAR)
    key, region = hash_of(parcels.key, year), hash_of(parcels.region_key, stream("year"), year)
    late = np.clip(0.7 * (np.abs(parcels.lat) - 46), -22, 25) + draw(region, "late", -9, 9) + draw(parcels.key, "late", -10, 10)
    return _Season(total - YEAR * year, key, region, parcels.key, late)


def _with_soil(parcels: Parcels, green: Curve, dry: Curve, day: float) -> NDArray[np.float64]:
    light = np.clip(draw(parcels.region_key, "soil") + draw(parcels.key, "soil", -0.22, 0.22), 0, 1)
    moist = draw(hash_of(parcels.region_key, int(day // 6)), "moist", 0.5, 1)
    soil = (1 - green - dry) * moist * draw(hash_of(parcels.key, int(day // 20)), "till", 0.85, 1)
    return np.stack([green, dry, soil * light, soil * (1 - light)])


def _albedo(parcels: Parcels, day: float) -> Curve:
    """Dew, dust and the direction of the view: a region brightens and darkens from day to day, a parcel a little by itself."""
    weather = draw(hash_of(parcels.region_key, stream("albedo"), int(day)), "", 0.8, 1.2)
    return weather * draw(hash_of(parcels.key, stream("albedo"), int(day)), "", 0.9, 1.1)


def _contrast(parcels: Parcels, day: float) -> Curve:
    """More under a low sun; of roofs and streets, whose brightness is their own, always the same."""
    noon = np.sin(np.radians(sun_angles(0.0, parcels.lat, np.floor(day))[0]))
    contrast = (1.5 - 0.8 * np.clip(noon, 0, 1)) * draw(hash_of(parcels.region_key, stream("light"), int(day)), "", 0.85, 1.15)
    return np.where(np.isin(parcels.cover, (covers.RESIDENTIAL, covers.INDUSTRIAL)), 1, contrast)


def _trees(parcels: Parcels, season: _Season) -> NDArray[np.float64]:
    evergreen = (parcels.cover == covers.ORCHARD) & (draw(parcels.region_key, "evergreen") < 0.35)
    leaf = season.rise(166, 6) * (1 - season.rise(352 - 0.6 * season.late, 7))
    leaf = leaf + 0.9 * _mildness(parcels) * (1 - leaf)
    dense = draw(parcels.key, "canopy", 0.85, 1.1)
    leaf = np.where(evergreen, 0.62, leaf * dense * draw(parcels.region_key, "canopy", 0.5, 1.1))
    twigs = 0.58 * (1 - np.minimum(leaf, 1))
    conifer = parcels.cover == covers.CONIFER
    needle = dense * draw(parcels.region_key, "needle", 0.85, 1.5)
    return np.stack([np.where(conifer, 0, leaf), np.where(conifer, 0.05, twigs), np.where(conifer, needle, 0)])


def _grass(season: _Season) -> Curve:
    lush = draw(season.lasting, "lush", 0.6, 1.15) * (0.46 + 0.4 * season.rise(148, 13) * (1 - 0.55 * season.rise(345, 18)))
    thirst = draw(season.region, "drought", 0, 0.6) * np.exp(-(((season.day - 275) / 30) ** 2))
    mown = np.zeros_like(lush)
    for name, middle in (("hay", 212.0), ("second cut", 268.0), ("third cut", 320.0)):
        since = season.day - middle - draw(season.key, name, -16, 16)
        happens = (since > 0) & (draw(season.key, name + "?") < 0.45)
        mown = mown + np.where(happens, 0.34 * np.exp(-np.maximum(since, 0) / 17), 0)
    return np.clip(lush - thirst - mown, 0.08, 0.95)


def _arable(season: _Season) -> tuple[Curve, Curve]:
    kind = np.searchsorted([0.34, 0.62, 0.72, 0.9], draw(season.key, "crop"), side="right")
    grass = _grass(season)
    curves = [_cereal(season), _summer_crop(season), _rape(season), (grass, 0.9 - grass), (0.5 * grass, 0.35 + 0 * grass)]
    return np.choose(kind, [green for green, _ in curves]), np.choose(kind, [dry for _, dry in curves])


def _cereal(season: _Season) -> tuple[Curve, Curve]:
    ripe, cut = season.rise(231, 6), season.rise(260, 1.5)
    catch = np.where(draw(season.key, "catch") < 0.45, 0.6 * season.rise(306, 7), 0)
    green = (0.2 * season.rise(22, 7) + 0.68 * season.rise(140, 11)) * (1 - ripe) + catch
    return green, 0.85 * ripe * (1 - cut) + 0.52 * cut * (1 - season.rise(298, 10))


def _summer_crop(season: _Season) -> tuple[Curve, Curve]:
    ripe, cut = season.rise(312, 7), season.rise(340, 1.5)
    winter = np.where(draw(season.key, "cover crop") < 0.4, 0.45 * season.rise(12, 6) * (1 - season.rise(160, 2)), 0)
    stubble = 0.34 * (1 - season.rise(70, 20))
    return winter + 0.86 * season.rise(222, 8) * (1 - ripe), 0.7 * ripe * (1 - cut) + 0.4 * cut + stubble


def _rape(season: _Season) -> tuple[Curve, Curve]:
    ripe, cut = season.rise(221, 6), season.rise(246, 1.5)
    green = (0.5 * season.rise(2, 8) + 0.38 * season.rise(135, 10)) * (1 - ripe)
    return green, 0.8 * ripe * (1 - cut) + 0.45 * cut * (1 - season.rise(285, 10))


def _pasture(season: _Season) -> tuple[Curve, Curve]:
    grass = _grass(season)
    return grass, 0.88 - grass


def _vineyard(season: _Season) -> tuple[Curve, Curve]:
    vines = draw(season.lasting, "trellis", 0.35, 0.7) * season.rise(188, 8) * (1 - season.rise(350, 6))
    sown = draw(season.key, "sown", 0, 0.85) * _grass(season)
    return vines + (1 - vines) * sown * 0.7, 0.2 * (1 - vines) + 0.25 * sown


def _orchard(season: _Season) -> tuple[Curve, Curve]:
    sward = draw(season.key, "sward", 0.1, 1) * _grass(season)
    return sward, 0.25 + 0.3 * (1 - sward)


def _floor(season: _Season) -> tuple[Curve, Curve]:
    green = 0.12 + 0.4 * season.rise(150, 9) * (1 - season.rise(340, 15))
    return green * draw(season.lasting, "brambles", 0.6, 1.4), 0.5 + 0 * green


def _garden(season: _Season) -> tuple[Curve, Curve]:
    grass = draw(season.lasting, "lawns", 0.5, 1) * _grass(season)
    return grass, 0.2 + 0.4 * (1 - grass)


def _wasteland(season: _Season) -> tuple[Curve, Curve]:
    grass = draw(season.region, "weeds", 0.2, 1.2) * _grass(season)
    return grass, 0.25 + 0 * grass


def _heath(season: _Season) -> tuple[Curve, Curve]:
    bloom = season.rise(192, 15) * (1 - season.rise(328, 14))
    green = (0.26 + 0.36 * bloom) * draw(season.region, "moor", 0.7, 1.6)
    return green, 0.88 - green


_CURVES = {
    covers.ARABLE: _arable, covers.PASTURE: _pasture, covers.VINEYARD: _vineyard, covers.ORCHARD: _orchard,
    covers.BROADLEAF: _floor, covers.CONIFER: _floor, covers.RESIDENTIAL: _garden, covers.INDUSTRIAL: _wasteland,
    covers.HEATH: _heath, covers.WATER: _pasture,
}  # fmt: skip

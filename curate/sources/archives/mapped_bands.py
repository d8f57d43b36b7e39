"""Where a mapping file says that the bands of a sensor are, and what their numbers mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catalogs.band_guess import guess_band
from catalogs.bands import Sensor
from catalogs.records import Band
from curate.sources.archives.toml_tables import Table

PASSED_OVER = "-"
"""Stands for a band of a file that is none of ours."""


@dataclass(frozen=True, slots=True)
class MappedBand:
    """Where a band is, and what its numbers mean where the mapping says so."""

    asset: str
    """Key of the asset, or what the name of a band's file has of it; empty where a file is the whole scene."""
    index: int = 1
    """Band of the file, from 1."""
    scale: float | None = None
    """`value = scale * DN + offset`."""
    offset: float | None = None
    """See `scale`."""
    nodata: float | None = None
    """The DN that says there is no measurement."""


Usual = tuple[float | None, ...]
"""Scale, offset and nodata of all bands of a sensor."""


def bands_in_order(table: Table, sensor: Sensor, usual: Usual) -> dict[str, MappedBand]:
    """The bands of a folder's files, from a list in their order."""
    names = table.texts("bands", 'a list of bands in the order of the files, such as ["B02", "B03"]')
    if not names:
        raise table.lacking("bands", f"a list of bands in the order of the files: {', '.join(_names(sensor))}")
    found: dict[str, MappedBand] = {}
    for index, name in enumerate(names, 1):
        if name == PASSED_OVER:
            continue
        if name in found:
            raise table.wrong("bands", list(names), f"each band once, and {name} stands there twice")
        _check_band(table, f"{table.name('bands')}[{index}] {name!r}", name, sensor)
        found[name] = MappedBand("", index, *_values(sensor, name, usual))
    if not found:
        raise table.wrong("bands", list(names), f"one band at least of {', '.join(_names(sensor))}")
    return found


def bands_by_file(table: Table, sensor: Sensor, usual: Usual) -> dict[str, MappedBand]:
    """The bands of a folder where each is a file, from a list of what the files are called, or a table of that."""
    if isinstance(table.any("bands"), dict):
        return bands_by_asset(table, sensor, usual)
    return {name: replace(band, asset=name, index=1) for name, band in bands_in_order(table, sensor, usual).items()}


def bands_by_asset(table: Table, sensor: Sensor, usual: Usual) -> dict[str, MappedBand]:
    """The bands of items, each with its asset."""
    named = table.table("bands", 'a table of our bands with the keys of assets, such as bands.B02 = "blue"')
    places = {name: (named, name) for name in named.keys()} if named else {}  # noqa: SIM118 # as above
    for name in places:
        if sensor.mask and name == sensor.mask.name:
            raise table.wrong(f"bands.{name}", name, f'the mask by a key of its own: mask = "{name}"')
        _check_band(table, table.name(f"bands.{name}"), name, sensor)
    found = {name: _place(where, key, _values(sensor, name, usual)) for name, (where, key) in places.items()}
    if table.any("mask") is None:
        return found
    if sensor.mask is None:
        raise table.wrong("mask", table.any("mask"), f"none, since {sensor.id} has no mask")
    if not found:
        raise table.lacking("bands", "the bands beside the mask; where no key is named, items are read by their own names")
    return found | {sensor.mask.name: _place(table, "mask", (None, None, None))}


def _place(table: Table, key: str, usual: Usual) -> MappedBand:
    expected = 'the key of an asset, or {asset = "...", band = 1}'
    value = table.any(key)
    if isinstance(value, str) and value:
        return MappedBand(value, 1, *usual)
    if not isinstance(value, dict):
        raise table.wrong(key, value, expected)
    inner = table.table(key, expected)
    assert inner is not None, "it is a table"
    asset, index = inner.text("asset", "the key of an asset"), inner.number("band", "a band's number, from 1")
    if asset is None:
        raise inner.lacking("asset", "the key of an asset")
    if index is not None and (index < 1 or not index.is_integer()):
        raise inner.wrong("band", index, "a band's number in the file, from 1")
    own = [inner.number(name, "a number") for name in ("scale", "offset", "nodata")]
    inner.finish()
    return MappedBand(
        asset, int(index or 1), *(mine if mine is not None else all_ for mine, all_ in zip(own, usual, strict=True))
    )


def _values(sensor: Sensor, name: str, usual: Usual) -> Usual:
    """What holds for all bands; a mask has neither scale nor offset nor the others' nodata."""
    return (None, None, None) if sensor.mask and name == sensor.mask.name else usual


def _all(sensor: Sensor) -> list[Band]:
    return [*sensor.bands, *((sensor.mask,) if sensor.mask else ())]


def _names(sensor: Sensor) -> list[str]:
    return [band.name for band in _all(sensor)]


def _check_band(table: Table, key: str, name: str, sensor: Sensor) -> None:
    if name not in _names(sensor):
        raise table.unknown(key, name, _names(sensor), f"{sensor.id} has", guess=guess_band(name, _all(sensor)) or "")

"""A mapping file: what somebody's own archive holds and how its files are named, in TOML, for `--source my-archive.toml`.

```toml
# An API, or `catalog = "..."` for a static catalog's address or path (from this file's folder).
api = "https://stac.example.org/v1"
title = "Example archive"            # for people; the name in items is the file's own without .toml, or `name = "..."`
url = "https://example.org"          # its page

[sensors.sentinel-2-l2a]
collection = "s2-boa"                # one, or a list, the preferred first
bands.B02 = "blue"                   # our band = asset's key; those not named are not there; with none, by the items' own names
bands.B03 = {asset = "stack", band = 2}   # the second band of a file; scale, offset, nodata may stand here too
mask = "scl"                         # the sensor's own classes or bits; its numbers are never scaled
scale = 0.0001                       # reflectance = scale x number + offset; wins over what the items say
offset = -0.1
nodata = 0
license = "CC-BY-4.0"
attribution = "Example archive 2024"
redistributable = true
```

```toml
folder = "s2_boadella"               # GeoTIFFs with dates in their names, from this file's folder

[sensors.sentinel-2-l2a]
# Bands are listed in the files' order, "-" for one to pass over. Where each band is a file, "{date}/{band}.tif": bands is then
# a list of what the files are called, or a table as above (bands.B02 = "blue").
files = "Boadella_{date}.tif"        # or {datetime}, {start} and {end}, {year}; * is anything; / begins a folder
bands = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
scale = 0.0001
offset = 0
```
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs.bands import SENSORS, Sensor
from catalogs.secrets import without_secrets
from curate.errors import CurateError
from curate.fetch import can_hold
from curate.sources import PROVIDERS
from curate.sources.about import Product, Provider
from curate.sources.archives.file_dates import FilePattern
from curate.sources.archives.mapped_bands import MappedBand, bands_by_asset, bands_by_file, bands_in_order
from curate.sources.archives.toml_tables import Table
from curate.sources.documents import is_web

KINDS = ("api", "catalog", "folder")
"""Keys that say where the archive is; a file has one of them."""
CALIBRATED = ("L1C", "L2A", "L2SP")
"""Processing levels whose numbers are reflectance by a scale and an offset that somebody has to state."""
DIGEST_CHARACTERS = 12
SILENT = MappedBand("")
"""Of a mapping that says nothing of numbers."""


@dataclass(frozen=True, slots=True)
class MappedSensor:
    """What an archive has of one sensor."""

    sensor: Sensor
    """Which."""
    bands: Dictionary[str, MappedBand]
    """By our name, the mask among them; empty where the items' own names will do."""
    collections: tuple[str, ...] = ()
    """Ids of the archive's collections, the preferred first."""
    files: FilePattern | None = None
    """Names of the files of a folder."""
    license: str | None = None
    """Wins over the sensor's."""
    attribution: str | None = None
    """Wins over the sensor's."""
    redistributable: bool = True
    """Whether what was built from it may be handed on."""
    listed: int | None = None
    """How many bands of a file the mapping lists, those passed over among them; none where a file is no whole scene."""
    unnamed: MappedBand = SILENT
    """What holds for the numbers of all measurements where no bands are named; its asset says nothing."""

    @property
    def states_radiometry(self) -> bool:
        """Whether scale and offset of all bands are the mapping's."""
        measured = [band for name, band in self.bands.items() if not self._is_mask(name)] or [self.unnamed]
        return all(band.scale is not None and band.offset is not None for band in measured)

    def values_of(self, name: str) -> MappedBand | None:
        """What is said of a band's numbers, by our name; none of a mask's, or of a band that is not there."""
        return self.bands.get(name) if self.bands or self._is_mask(name) else self.unnamed

    def _is_mask(self, name: str) -> bool:
        return self.sensor.mask is not None and name == self.sensor.mask.name


@dataclass(frozen=True, slots=True)
class ArchiveMapping:
    """A mapping file, read."""

    path: str
    """As the user wrote it."""
    name: str
    """What items call the archive."""
    title: str
    """For people."""
    url: str
    """Of its page; empty where not stated."""
    kind: str
    """One of `KINDS`."""
    address: str
    """Of the API, or address or absolute path of the catalog or folder."""
    sensors: Dictionary[str, MappedSensor]
    """By the sensor's id."""
    digest: str
    """Of what the file says, whatever its layout and comments."""

    @property
    def about(self) -> Provider:
        """What people should know of it."""
        products = tuple(Product(name, ", ".join(each.collections) or self.kind, "") for name, each in self.sensors.items())
        licences = sorted({each.license or each.sensor.license for each in self.sensors.values()})
        allowed = all(each.redistributable for each in self.sensors.values())
        return Provider(
            self.name, self.title, self.url, products, account="none", setup="", limits="not stated",
            terms=", ".join(licences), redistributable=allowed,
        )  # fmt: skip


def read_mapping(path: str) -> ArchiveMapping:
    """Read a mapping file.

    Args:
        path: Of the file.

    Raises:
        CurateError: It does not exist, is no TOML, or has a mistake; the message names file, key and value, what was expected,
            and what may have been meant.
    """
    content = _parse(path)
    table = Table(path, content)
    place = {kind: table.text(kind, _EXPECTED[kind]) for kind in KINDS}
    named = [kind for kind in KINDS if place[kind]]
    if len(named) != 1:
        raise CurateError(
            f"{path} says {' and '.join(named) or 'nothing'} of where the archive is; expected one of "
            f"{', '.join(f'{kind} ({_EXPECTED[kind]})' for kind in KINDS)}."
        )
    kind = named[0]
    name = table.text("name", "a short name", Path(path).stem)
    if str(name).lower() in PROVIDERS:
        raise table.wrong(
            "name", name, 'one that is no provider\'s, whose items these would pass for: say `name = "..."`, or rename the file'
        )
    title, url = table.text("title", "a title for people", name), table.text("url", "the address of its page", "")
    sensors = table.table("sensors", "a table per sensor, such as [sensors.sentinel-2-l2a]")
    table.finish()
    if sensors is None:
        raise table.lacking("sensors", "a table per sensor, such as [sensors.sentinel-2-l2a]")
    return ArchiveMapping(
        path=path,
        name=without_secrets(str(name)),
        title=str(title),
        url=str(url),
        kind=kind,
        address=_address(table, kind, str(place[kind]), Path(path)),
        sensors=_sensors(sensors, kind),
        digest=hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:DIGEST_CHARACTERS],
    )


_EXPECTED = {
    "api": "the http(s) address of a STAC API",
    "catalog": "the address or path of a static STAC catalog",
    "folder": "the path of a folder of GeoTIFFs",
}


def _parse(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).expanduser().read_text("utf-8"))
    except FileNotFoundError:
        raise CurateError(f"{path} does not exist. Expected a mapping file of an archive; check the path.") from None
    except OSError as error:
        raise CurateError(
            f"{path} cannot be read ({error.strerror}). Expected a mapping file; check its permissions."
        ) from None
    except UnicodeDecodeError:
        raise CurateError(f"{path} is not text in UTF-8. Expected a mapping file in TOML.") from None
    except tomllib.TOMLDecodeError as error:
        raise CurateError(f'{path} is no TOML: {error}. Expected lines such as `api = "https://..."`.') from None


def _address(table: Table, kind: str, address: str, path: Path) -> str:
    if is_web(address) if kind == "folder" else kind == "api" and not is_web(address):
        raise table.wrong(kind, without_secrets(address), _EXPECTED[kind])
    if is_web(address):
        return address
    place = path.expanduser().absolute().parent / Path(address).expanduser()
    if not place.exists():
        raise table.wrong(kind, address, f"{_EXPECTED[kind]}; there is no {place}, and paths start from the mapping file")
    return place.as_posix()


def _sensors(tables: Table, kind: str) -> dict[str, MappedSensor]:
    found: dict[str, MappedSensor] = {}
    takers: dict[str, str] = {}
    for name in tables.keys():  # noqa: SIM118 # a Table is no mapping
        if name not in SENSORS:
            raise tables.unknown(tables.name(name), name, SENSORS, "Choose from:")
        table = tables.table(name, "a table of the sensor's bands")
        assert table is not None, "the key is there"
        found[name] = _sensor(table, SENSORS[name], kind)
        for collection in found[name].collections:
            if collection in takers:
                raise table.wrong("collection", collection, f"another one than {takers[collection]} has")
            takers[collection] = name
    if kind == "catalog" and len(found) > 1 and not all(each.collections for each in found.values()):
        bare = next(each.sensor.id for each in found.values() if not each.collections)
        raise tables.lacking(f"{bare}.collection", "the collection of each sensor, since there are several")
    return found


def _sensor(table: Table, sensor: Sensor, kind: str) -> MappedSensor:
    is_folder = kind == "folder"
    usual = tuple(
        table.number(key, expected)
        for key, expected in (("scale", "a number"), ("offset", "a number"), ("nodata", "a number of the pixels"))
    )
    collections = () if is_folder else table.texts("collection", "the id of a collection, or a list of them")
    if kind == "api" and not collections:
        raise table.lacking("collection", "the id of a collection of the API, or a list of them")
    files = _pattern(table, sensor) if is_folder else None
    read_bands = bands_by_asset if files is None else bands_by_file if files.has_band else bands_in_order
    mapped = MappedSensor(
        sensor,
        read_bands(table, sensor, usual),
        collections,
        files,
        table.text("license", "an SPDX identifier, or `other`"),
        table.text("attribution", "the words that the licence asks for"),
        table.flag("redistributable", default=True),
        len(table.texts("bands", "a list of bands")) if read_bands is bands_in_order else None,
        MappedBand("", 1, *usual),
    )
    table.finish()
    _check_nodata(table, mapped, usual[2])
    if is_folder and sensor.level in CALIBRATED and not mapped.states_radiometry:
        raise table.lacking(
            "scale" if usual[0] is None else "offset",
            "what makes reflectance of these files' numbers, which nothing else says: reflectance = scale x number + offset. "
            "Of Sentinel-2 the scale is 0.0001, the offset -0.1 from processing baseline 04.00 on, and 0 before that or where "
            "somebody has applied it",
        )
    return mapped


def _check_nodata(table: Table, mapped: MappedSensor, usual: float | None) -> None:
    """Refuse a number for what was not measured that no pixel can have; numbers of reflectance come in several types."""
    data_type, level = mapped.sensor.data_type, mapped.sensor.level
    stated = {"nodata": usual} | {f"bands.{name}.nodata": band.nodata for name, band in mapped.bands.items()}
    for key, value in stated.items():
        if level not in CALIBRATED and value is not None and not can_hold(data_type, value):
            raise table.wrong(key, value, f"a number that pixels of {mapped.sensor.id} can have, whose type is {data_type}")


def _pattern(table: Table, sensor: Sensor) -> FilePattern:
    text = table.text("files", "a pattern of file names")
    if text is None:
        raise table.lacking("files", 'a pattern of file names with a date, such as "Boadella_{date}.tif"')
    try:
        return FilePattern(text, span=sensor.interval)
    except ValueError as error:
        raise table.wrong("files", text, str(error)) from None

"""One item's record, before any of its files is read: schema, grid, radiometry, hrefs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from catalogs import fields, layout
from catalogs.bands import Sensor, find_sensor, raster_key
from catalogs.checks.report import Problem
from catalogs.errors import CatalogError, ContractError, UnsafeHrefError
from catalogs.from_stac import read_time, scene_from_item
from catalogs.radiometry import CONSTELLATIONS, adds_offset
from catalogs.records import Location, Raster, Scene
from catalogs.to_stac import scene_to_item

BROKEN_RECORD = (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError, CatalogError)
"""What an item of another shape makes a reader raise."""
RANGES = {
    "eo:cloud_cover": (0, 100),
    "eo:snow_cover": (0, 100),
    "view:sun_elevation": (-90, 90),
    "view:sun_azimuth": (0, 360),
}
"""Least and greatest values that the STAC extensions allow."""
FOOTPRINT = ("geometry", "bbox")
DEGREES = 1e-6
PLACE = (*FOOTPRINT, "properties.proj:", "properties.grid:")
"""Where a difference is one of the grid."""
TIMES = ("datetime", "start_datetime", "end_datetime")
FREE = ("stac_extensions", f"properties.{fields.CONTRACT}")
"""Of which minor versions of the contract may list others, and that version itself."""
LONGEST = 80
"""Characters of a value that are told."""
SHOWN = 3
"""Differences of one kind that are told of one item."""


def check_item(item: Mapping[str, Any], location: Location | None) -> tuple[Scene | None, list[Problem]]:
    """Check one item.

    Args:
        item: In row form.
        location: Its location, as `locations.parquet` has it; none where that is not to be read.

    Returns:
        The scene, where the item can be read at all, and what is wrong with it.
    """
    where = item_place(item)
    problems = [Problem("schema", where, words) for words in _schema_errors(item)]
    problems += [Problem("unsafe-href", where, words) for words in unsafe_hrefs(item)]
    try:
        fields.check_contract(item["properties"].get(fields.CONTRACT, fields.CONTRACT_VERSION), f"Item {item['id']}")
    except ContractError as error:
        return None, [Problem("contract", where, str(error))]
    try:
        scene = scene_from_item(item)
        expected = scene_to_item(scene)
    except BROKEN_RECORD as error:
        words = f"Cannot be read: {type(error).__name__} {error}; expected an item as catalogs.to_stac makes it."
        return None, problems or [Problem("schema", where, words)]
    problems += _differences(item, expected, where)
    problems += [Problem("schema", where, words) for words in _range_errors(item["properties"])]
    problems += [Problem("schema", where, words) for words in _judgement_errors(scene)]
    problems += [Problem("offset", where, words) for words in _offset_errors(scene)]
    if location is not None:
        problems += _place_errors(scene, location, where)
    return scene, problems


def item_place(item: Mapping[str, Any]) -> str:
    """How a problem names an item."""
    return f"{item.get('collection')}/{item.get('id')}"


def unsafe_hrefs(item: Mapping[str, Any]) -> list[str]:
    """Assets of an item in row form that lie outside the catalog."""
    found = []
    for key, asset in item["assets"].items():
        try:
            layout.join(str(item["collection"]), str(asset["href"]))
        except UnsafeHrefError:
            found.append(f"Its asset {key} is {asset['href']!r}, which leaves the catalog; expected a relative href within.")
    return found


def difference(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ: way, one value, the other.

    Examples:
        >>> list(difference({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}}))
        [('a.b', 1, 3), ('c', 2, None)]
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from difference(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from difference(left, right, f"{path}[{number}]")
    elif one != other:
        yield path, one, other


def _differences(item: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> list[Problem]:
    """Where an item says other things than its own record entails: a footprint, an id, a derived field."""
    by_kind: dict[str, list[str]] = {"grid": [], "schema": []}
    for path, told, entailed in difference(item, expected):
        if not _is_same(path, told, entailed):
            kind = "grid" if path.startswith(PLACE) else "schema"
            by_kind[kind].append(f"{path} is {show(told)}, expected {show(entailed)}")
    return [Problem(kind, where, f"{'; '.join(words[:SHOWN])}.") for kind, words in by_kind.items() if words]


def _is_same(path: str, told: Any, entailed: Any) -> bool:
    """Whether a difference means nothing: another spelling of a time, rounding, a field that others added."""
    name = path.partition(".")[2]
    if name in TIMES:
        return read_time(told) == read_time(entailed)
    if path.startswith(FREE) or entailed is None:
        return True
    return path.startswith(FOOTPRINT) and _is_near(told, entailed)


def show(value: Any) -> str:
    """A value for a message, its beginning where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _is_near(one: Any, other: Any) -> bool:
    """Whether two degrees are one, though another version of PROJ computed them."""
    return isinstance(one, int | float) and isinstance(other, int | float) and abs(one - other) <= DEGREES


def _schema_errors(item: Mapping[str, Any]) -> list[str]:
    errors = list(_validator().iter_errors(item))[:SHOWN]
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'The item'}: {error.message}; see fields.schema.json." for error in errors
    ]


@cache
def _validator() -> Any:
    from jsonschema import Draft7Validator

    return Draft7Validator(fields.schema())


def _range_errors(properties: Mapping[str, Any]) -> Iterator[str]:
    for name, (least, most) in RANGES.items():
        value = properties.get(name)
        if value is not None and not least <= value <= most:
            yield f"{name} is {value}; expected {least} to {most}."


def _judgement_errors(scene: Scene) -> Iterator[str]:
    """What an item says of a judgement that nobody made, or leaves out of one."""
    if scene.cloud_source and scene.cloud_percent is None:
        yield f"{fields.CLOUD_SOURCE} is {scene.cloud_source!r}, and eo:cloud_cover is absent; expected what was judged."
    told = scene.radiometry
    if told and told.evidence and told.check == "unchecked":
        yield f"{fields.RADIOMETRY} is unchecked, by {told.evidence!r}; expected no evidence of what was not checked."
    if told and "conflict" in {told.harmonized} - {told.check}:
        yield f"{fields.RADIOMETRY} has harmonized 'conflict' and check {told.check!r}; expected 'conflict' of both."


def _offset_errors(scene: Scene) -> Iterator[str]:
    """What an item's own words say against its scale and offset; what its pixels say is asked elsewhere."""
    sensor = find_sensor(scene.sensor)
    if sensor.constellation not in CONSTELLATIONS:
        return
    bands = [band for raster in scene.rasters if not raster.is_mask for band in raster.bands]
    stated = {(band.scale, band.offset) for band in bands}
    if len(stated) > 1:
        yield f"Its bands state {len(stated)} pairs of scale and offset; expected one, as the sensor's product has it."
    if scene.radiometry is None or not bands:
        return
    if scene.radiometry.check == "conflict":
        yield "Its pixels were in conflict with its offset when it was built."
    has_offset = any(band.offset for band in bands)
    if (scene.radiometry.harmonized, has_offset) in {("applied", False), ("not_needed", True)}:
        said = "needs an offset, and its bands state none" if not has_offset else "needs no offset, and its bands state one"
        yield f"Its radiometry is {scene.radiometry.harmonized!r}: it {said}."
    if sensor.constellation == "sentinel-2" and scene.radiometry.decision == "baseline" and scene.baseline:
        expected = sensor.bands[0].offset if adds_offset(scene.baseline) else 0.0
        if bands[0].offset != expected:
            yield f"Its offset is {bands[0].offset}; processing baseline {scene.baseline} has {expected}."


def _place_errors(scene: Scene, location: Location, where: str) -> Iterator[Problem]:
    told = scene.location
    if (told.epsg, told.bounds, told.off_lattice) != (location.epsg, location.bounds, location.off_lattice):
        yield Problem(
            "grid",
            where,
            f"Lies on {_place(told)}; its location {location.id} is {_place(location)}.",
        )
    if told.split != location.split:
        yield Problem("split", where, f"Has split {told.split!r}; its location {location.id} is in {location.split!r}.")
    for raster in scene.rasters:
        yield from _raster_errors(raster, scene, location, where)


def _place(location: Location) -> str:
    system = f"EPSG:{location.epsg}" if location.epsg else "no zone"
    return f"{system} {location.bounds}{', off the lattice' if location.off_lattice else ''}"


def _raster_errors(raster: Raster, scene: Scene, location: Location, where: str) -> Iterator[Problem]:
    """Check one asset's stated grid and bands."""
    try:
        wanted = location.grid(raster.grid.gsd)
    except (ContractError, ZeroDivisionError) as error:
        yield Problem("grid", where, f"Its asset {raster.key} does not fit the location: {error}")
        return
    if raster.grid.transform != wanted.transform or raster.grid.shape != wanted.shape:
        yield Problem(
            "grid",
            where,
            f"Its asset {raster.key} has transform {list(raster.grid.transform)} and shape {list(raster.grid.shape)}; "
            f"its location has {list(wanted.transform)} and {list(wanted.shape)}.",
        )
    if raster.is_labels:
        return
    sensor = find_sensor(scene.sensor)
    known = {band.name for band in sensor.bands} | ({sensor.mask.name} if sensor.mask else set())
    strange = [band.name for band in raster.bands if band.name not in known]
    if strange:
        yield Problem(
            "schema", where, f"Its asset {raster.key} has band {strange[0]!r}; {sensor.id} has {', '.join(sorted(known))}."
        )
    elif raster.key not in _keys_of(raster, sensor):
        yield Problem(
            "schema",
            where,
            f"Its asset {raster.key} holds {', '.join(band.name for band in raster.bands)}; expected one pixel size.",
        )


def _keys_of(raster: Raster, sensor: Sensor) -> set[str]:
    """What an asset of those bands may be called: as their pixel size, as the sensor's, or as the band of a mask."""
    own = {raster_key(band) for band in raster.bands} | {band.name for band in raster.bands}
    return own | {raster_key(sensor.band(band.name)) for band in raster.bands}

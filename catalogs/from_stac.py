"""STAC items to records: the exact inverse of `to_stac`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from catalogs import fields, layout
from catalogs.errors import ContractError
from catalogs.records import GEOTIFF, Band, Grid, Location, Radiometry, Raster, Scene, SourceWindow, Transform


def scene_from_item(item: Mapping[str, Any]) -> Scene:
    """The scene of an item in row form (hrefs relative to its collection's folder).

    Args:
        item: As `to_stac.scene_to_item` makes it, or an index row as a dictionary; times may be text or datetimes.

    Raises:
        ContractError: It is no item of this contract, or of another major version.
    """
    properties = {key: value for key, value in item["properties"].items() if value is not None}
    if fields.CONTRACT not in properties:
        raise ContractError(
            f"Item {item.get('id')!r} has no {fields.CONTRACT}: it is not an item of ours. "
            "Open its catalog with open_catalog, which reads foreign items too."
        )
    fields.check_contract(properties[fields.CONTRACT], f"Item {item['id']}")
    source_href = next((link["href"] for link in item["links"] if link["rel"] == "derived_from"), None)
    location = location_from_properties(properties)
    radiometry, shift = properties.get(fields.RADIOMETRY), properties.get(fields.SHIFT_M)
    return Scene(
        sensor=item["collection"],
        location=location,
        rasters=tuple(_raster(key, item["assets"][key], location.epsg) for key in sorted(item["assets"])),
        datetime=read_time(properties.get("datetime")),
        start_datetime=read_time(properties.get("start_datetime")),
        end_datetime=read_time(properties.get("end_datetime")),
        season=properties.get(fields.SEASON),
        cloud_percent=properties.get("eo:cloud_cover"),
        snow_percent=properties.get("eo:snow_cover"),
        unclassified_percent=properties.get(fields.UNCLASSIFIED_PERCENT),
        valid_percent=properties.get(fields.VALID_PERCENT),
        cloud_source=properties.get(fields.CLOUD_SOURCE),
        source_cloud_percent=properties.get(fields.SOURCE_CLOUD_PERCENT),
        source=properties.get(fields.SOURCE),
        source_id=properties.get(fields.SOURCE_ID),
        source_href=source_href,
        platform=properties.get("platform"),
        sun_elevation=properties.get("view:sun_elevation"),
        sun_azimuth=properties.get("view:sun_azimuth"),
        relative_orbit=properties.get("sat:relative_orbit"),
        orbit_state=properties.get("sat:orbit_state"),
        baseline=properties.get("processing:version"),
        radiometry=_radiometry(radiometry) if radiometry else None,
        shift_m=(shift[0], shift[1]) if shift else None,
        simulated=properties.get(fields.SIMULATED, False),
        labels=tuple(properties.get(fields.LABELS) or ()),
    )


def unlink_item(item: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The row form of an item from its JSON form.

    Args:
        item: As read from its file.
        folder: The file's folder, relative to the collection.

    Raises:
        UnsafeHrefError: An asset lies outside the catalog.
    """
    sensor = item["collection"]
    assets = {
        key: {**asset, "href": layout.in_collection(sensor, folder, asset["href"])} for key, asset in item["assets"].items()
    }
    return {**item, "links": [link for link in item["links"] if link["rel"] == "derived_from"], "assets": assets}


def location_from_properties(properties: Mapping[str, Any]) -> Location:
    """The location that an item's properties tell of; what lies on the lattice has the code of its grid square."""
    left, bottom, right, top = (round(edge) for edge in properties["proj:bbox"])
    code = properties.get("proj:code")
    return Location(
        properties[fields.LOCATION],
        int(code.removeprefix("EPSG:")) if code else None,
        (left, bottom, right, top),
        properties[fields.SPLIT],
        off_lattice=bool(code) and properties.get("grid:code") is None,
    )


def read_time(value: Any) -> datetime | None:
    """A time of an item, from text or a datetime, in UTC."""
    if value is None:
        return None
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)


def _radiometry(stated: Mapping[str, Any]) -> Radiometry:
    return Radiometry(stated["decision"], stated["check"], stated.get("harmonized"), stated.get("evidence"))


def _raster(key: str, asset: Mapping[str, Any], epsg: int | None) -> Raster:
    height, width = asset["proj:shape"]
    a, b, c, d, e, f = asset["proj:transform"][:6]
    transform: Transform = (a, b, c, d, e, f)
    return Raster(
        key=key,
        href=asset["href"],
        bands=tuple(band_from_stac(band) for band in asset["bands"]),
        grid=Grid(epsg, transform, height, width),
        data_type=asset["data_type"],
        checksum=asset["file:checksum"],
        size=asset["file:size"],
        resampling=asset.get(fields.RESAMPLING),
        sources=tuple(_source(source) for source in asset.get(fields.SOURCES) or ()),
        is_mask=not fields.NO_MEASUREMENTS.isdisjoint(asset["roles"]),
        classes=classes_from_stac(key, asset),
        media_type=asset.get("type") or GEOTIFF,
    )


def classes_from_stac(key: str, asset: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the values of a label raster, from 0; none of any other asset.

    Args:
        key: Of the asset, for messages.
        asset: The asset, as JSON or as a row has it.

    Raises:
        ContractError: It is a label raster that does not say what its values mean, or of other values than 0, 1, ...
    """
    if fields.LABELS_ROLE not in asset["roles"]:
        return ()
    classes = asset.get(fields.CLASSES) or ()
    values = [entry["value"] for entry in classes]
    if not values or values != list(range(len(values))):
        raise ContractError(
            f"Asset {key} has role {fields.LABELS_ROLE} and {f'classes of values {values}' if values else 'no classes'}; "
            f"expected {fields.CLASSES} with the values 0, 1, 2, ... in order, and a name of each."
        )
    return tuple(entry.get("title") or entry["name"] for entry in classes)


def _source(source: Mapping[str, Any]) -> SourceWindow:
    column, row, width, height = source["window"]
    return SourceWindow(source["href"], (column, row, width, height), source.get("checksum"))


def band_from_stac(band: Mapping[str, Any]) -> Band:
    """A band from an entry of STAC 1.1 `bands`."""
    return Band(
        name=band["name"],
        gsd=band["gsd"],
        common_name=band.get("eo:common_name"),
        wavelength_um=band.get("eo:center_wavelength"),
        scale=band.get("raster:scale"),
        offset=band.get("raster:offset"),
        nodata=band.get("nodata"),
    )

"""Records to STAC 1.1, as plain dictionaries. Pure.

An item has two forms. In an index row its hrefs are relative to the collection's folder and `derived_from` is its only
link (`scene_to_item`). In a JSON file its hrefs are relative to itself and it links to its parents (`link_item`).
Dictionaries rather than `pystac.Item`: readers without pystac need the same code, and a trip through pystac costs four
times as much (0.5 ms beside 0.12 ms an item).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from catalogs import fields, layout, masks
from catalogs.bands import Sensor, asset_key, find_sensor
from catalogs.index_listing import GEOPARQUET, index_assets
from catalogs.lattice import footprint, grid_square
from catalogs.records import GEOTIFF, LABEL_TYPE, UNKNOWN_LABEL, Band, Raster, Scene, SourceWindow, is_outside
from catalogs.terms import NOTICE_AFTER, CollectionTerms, join_terms

STAC_VERSION = "1.1.0"
EXTENSION = "https://stac-extensions.github.io/{}/schema.json"
ITEM_EXTENSIONS = [
    EXTENSION.format(name)
    for name in ("classification/v1.1.0", "eo/v2.0.0", "file/v2.1.0", "grid/v1.1.0", "processing/v1.2.0", "projection/v2.0.0",
                 "raster/v2.0.0", "sat/v1.2.0", "view/v1.1.0")
]  # fmt: skip
WORLD = (-180.0, -90.0, 180.0, 90.0)
"""Extent of a collection without items, or of which no item's ground is known."""


def scene_to_item(scene: Scene) -> dict[str, Any]:
    """A scene as a STAC item in the form of an index row.

    Returns:
        A dictionary of JSON types; hrefs relative to the collection's folder, the only link `derived_from`. Where the ground
        is not known, the geometry is null, as is `proj:code`, and there is no bbox.
    """
    geometry, bbox = footprint(scene.location) if scene.location.epsg else (None, None)
    stem = layout.stem(scene.datetime, scene.start_datetime, scene.end_datetime)
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": _extensions(scene),
        "id": layout.item_id(scene.location.id, stem),
        "collection": scene.sensor,
        "geometry": geometry,
        **({"bbox": bbox} if bbox else {}),
        "properties": _properties(scene),
        "links": [{"rel": "derived_from", "href": scene.source_href, "type": "application/geo+json"}]
        if scene.source_href
        else [],
        "assets": {raster.key: _asset(raster) for raster in scene.rasters},
    }


def link_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON form of an item from its row form."""
    folder = item_folder(item)
    parents = [
        {"rel": "root", "href": layout.up(f"{item['collection']}/{folder}", layout.CATALOG), "type": "application/json"},
        {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
        {"rel": "collection", "href": layout.up(folder, layout.COLLECTION), "type": "application/json"},
    ]
    assets = {key: {**asset, "href": _href_from(folder, asset["href"])} for key, asset in item["assets"].items()}
    return {**item, "links": [*parents, *item["links"]], "assets": assets}


def item_folder(item: Mapping[str, Any]) -> str:
    """Folder of an item in row form, relative to its collection: that of its files, of which all may lie elsewhere."""
    mine = next((asset["href"] for asset in item["assets"].values() if not is_outside(asset["href"])), None)
    return posixpath.dirname(mine) if mine else layout.numbered_folder(item["properties"][fields.LOCATION])


def _href_from(folder: str, href: str) -> str:
    """An href of an item in row form, relative to the item's own folder."""
    return layout.up(folder, href) if is_outside(href) else f"./{posixpath.basename(href)}"


def write_time(when: datetime) -> str:
    """RFC 3339 in UTC, with fractions only where there are any."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _extensions(scene: Scene) -> list[str]:
    absent = [] if any(raster.is_labels for raster in scene.rasters) else ["classification"]
    bands = [band for raster in scene.rasters for band in raster.bands]
    if scene.cloud_percent is scene.snow_percent is None and not any(band.common_name or band.wavelength_um for band in bands):
        absent.append("eo")
    if scene.sun_elevation is None and scene.sun_azimuth is None:
        absent.append("view")
    if scene.relative_orbit is None and scene.orbit_state is None:
        absent.append("sat")
    if not scene.location.is_sampled:
        absent.append("grid")
    return [address for address in ITEM_EXTENSIONS if not any(f"/{name}/" in address for name in absent)]


def _properties(scene: Scene) -> dict[str, Any]:
    sensor = find_sensor(scene.sensor)
    resampling = next((raster.resampling for raster in scene.rasters if raster.resampling and not raster.is_mask), None)
    measured = {
        "start_datetime": scene.start_datetime and write_time(scene.start_datetime),
        "end_datetime": scene.end_datetime and write_time(scene.end_datetime),
        "platform": scene.platform,
        "constellation": sensor.constellation,
        "instruments": list(sensor.instruments),
        "gsd": min(
            (band.gsd for raster in scene.rasters if not raster.is_mask for band in raster.bands), default=sensor.gsds[0]
        ),
        "eo:cloud_cover": scene.cloud_percent,
        "eo:snow_cover": scene.snow_percent,
        "view:sun_elevation": scene.sun_elevation,
        "view:sun_azimuth": scene.sun_azimuth,
        "sat:relative_orbit": scene.relative_orbit,
        "sat:orbit_state": scene.orbit_state,
        "grid:code": f"MGRS-{grid_square(scene.location)}" if scene.location.is_sampled else None,
        "proj:code": f"EPSG:{scene.location.epsg}" if scene.location.epsg else None,
        "proj:bbox": [float(edge) for edge in scene.location.bounds],
        "processing:level": sensor.level,
        "processing:version": scene.baseline,
        "processing:expression": {"format": sensor.resampler, "expression": resampling} if resampling else None,
        fields.CONTRACT: fields.CONTRACT_VERSION,
        fields.LOCATION: scene.location.id,
        fields.SPLIT: scene.location.split,
        fields.SEASON: scene.season,
        fields.VALID_PERCENT: scene.valid_percent,
        fields.UNCLASSIFIED_PERCENT: scene.unclassified_percent,
        fields.SOURCE_CLOUD_PERCENT: scene.source_cloud_percent,
        fields.CLOUD_SOURCE: scene.cloud_source,
        fields.SOURCE: scene.source,
        fields.SOURCE_ID: scene.source_id,
        fields.RADIOMETRY: scene.radiometry and _present(asdict(scene.radiometry)),
        fields.SHIFT_M: list(scene.shift_m) if scene.shift_m else None,
        fields.SIMULATED: scene.simulated,
        fields.LABELS: list(scene.labels) or None,
    }
    groundless = {"proj:code": None} if scene.location.epsg is None else {}
    return {"datetime": scene.datetime and write_time(scene.datetime), **groundless, **_present(measured)}


def _asset(raster: Raster) -> dict[str, Any]:
    return _present(
        {
            "href": raster.href,
            "type": raster.media_type,
            "roles": [_role(raster)],
            "gsd": raster.grid.gsd,
            "data_type": raster.data_type,
            "proj:shape": [raster.grid.height, raster.grid.width],
            "proj:transform": list(raster.grid.transform),
            "file:checksum": raster.checksum,
            "file:size": raster.size,
            "bands": [band_to_stac(band) for band in raster.bands],
            fields.CLASSES: _classes(raster.classes) or None,
            fields.RESAMPLING: raster.resampling,
            fields.SOURCES: [_source(source) for source in raster.sources],
        }
    )


def _role(raster: Raster) -> str:
    if raster.is_labels:
        return fields.LABELS_ROLE
    return fields.MASK_ROLE if raster.is_mask else "data"


def _classes(names: Sequence[str]) -> list[dict[str, Any]]:
    """Names of the values 0, 1, ... of a label raster. STAC's names are of letters, digits, `-` and `_`; others are titles."""
    found = []
    for value, name in enumerate(names):
        plain = re.sub("[^0-9A-Za-z_-]+", "_", name)
        found.append({"value": value, "name": plain, **({"title": name} if name != plain else {})})
    return found


def _source(source: SourceWindow) -> dict[str, Any]:
    return _present({"href": source.href, "window": list(source.window), "checksum": source.checksum})


def band_to_stac(band: Band) -> dict[str, Any]:
    """A band as an entry of STAC 1.1 `bands`."""
    return _present(
        {
            "name": band.name,
            "gsd": band.gsd,
            "eo:common_name": band.common_name,
            "eo:center_wavelength": band.wavelength_um,
            "nodata": band.nodata,
            "raster:scale": band.scale,
            "raster:offset": band.offset,
        }
    )


def _unit(sensor: Sensor) -> dict[str, str]:
    """Of a collection's bands; items leave it out, as they do the band's description."""
    return {"unit": sensor.unit} if sensor.unit else {}


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys that have no value; whole numbers as integers, so that a record has one spelling."""
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_plain(part) for part in value] if isinstance(value, list) else value


def collection_to_stac(
    sensor: Sensor,
    bands: Sequence[Band],
    *,
    bbox: Sequence[float] | None,
    interval: tuple[datetime, datetime] | None,
    children: Sequence[str],
    index: Mapping[str, str] | None,
    terms: CollectionTerms | None = None,
    packs: Mapping[str, Any] | None = None,
    label_rasters: Mapping[str, Sequence[str]] | None = None,
    bands_apart: bool = False,
    media_types: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """The collection of one sensor.

    Args:
        sensor: What was measured.
        bands: The bands that its items may have.
        bbox: (west, south, east, north) of all items, degrees; the whole globe where no item's ground is known.
        interval: First and last instant of all items; open where there are none.
        children: Hrefs of the squares' catalogs, relative to the collection.
        index: Multihash of each file of the index, by its name relative to the collection; none where it is not written yet.
        terms: Of every source that took part; the sensor's own where absent.
        packs: The files of its pack, as assets; none where it has none.
        label_rasters: Classes of the label rasters that its items may have, by asset key.
        bands_apart: Whether each band is an asset of its own.
        media_types: What the files of its items are, by asset key; ours where absent.
    """
    terms = terms or join_terms(sensor, (), ())
    keys: dict[str, list[Band]] = {}
    for band in bands:
        keys.setdefault(asset_key(band, apart=bands_apart), []).append(band)
    item_assets = {
        key: _media_type((media_types or {}).get(key, ()))
        | {"roles": ["data"], "data_type": sensor.data_type, "bands": [band_to_stac(b) | _unit(sensor) for b in group]}
        for key, group in sorted(keys.items())
    }
    if sensor.mask:
        item_assets[sensor.mask.name] = _mask_asset(sensor, sensor.mask)
    item_assets |= {key: _label_asset(key, names) for key, names in (label_rasters or {}).items()}
    collection: dict[str, Any] = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": _collection_extensions(sensor, bands, has_classes=bool(sensor.mask or label_rasters)),
        "id": sensor.id,
        "title": sensor.title,
        "description": f"{sensor.title}: {NOTICE_AFTER}{' '.join(terms.notices)}",
        "license": terms.license,
        "providers": [sensor.provider, *terms.hosts],
        "extent": {
            "spatial": {"bbox": [list(bbox or WORLD)]},
            "temporal": {"interval": [[write_time(when) for when in interval] if interval else [None, None]]},
        },
        "summaries": {
            "constellation": [sensor.constellation],
            "instruments": list(sensor.instruments),
            "gsd": list(sensor.gsds),
        },
        "item_assets": item_assets,
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            *({"rel": "child", "href": f"./{href}", "type": "application/json"} for href in children),
        ],
        fields.CONTRACT: fields.CONTRACT_VERSION,
    }
    if not terms.is_redistributable:
        collection[fields.REDISTRIBUTABLE] = False
    if sensor.citation:
        collection["sci:citation"] = sensor.citation
    if index:
        collection["assets"] = {**index_assets(index), **(packs or {})}
    return collection


def _collection_extensions(sensor: Sensor, bands: Sequence[Band], *, has_classes: bool) -> list[str]:
    """The extensions whose fields a collection has: their schemas refuse one that has none."""
    used = {
        "classification/v1.1.0": has_classes,
        "eo/v2.0.0": any(band.common_name or band.wavelength_um for band in bands),
        "file/v2.1.0": True,
        "scientific/v1.0.0": sensor.citation is not None,
    }
    return [EXTENSION.format(name) for name, is_used in used.items() if is_used]


def _media_type(found: Collection[str]) -> dict[str, str]:
    """The media type of an asset of all items; nothing where they differ."""
    return {"type": next(iter(found), GEOTIFF)} if len(found) <= 1 else {}


def _mask_asset(sensor: Sensor, mask: Band) -> dict[str, Any]:
    asset = {"type": GEOTIFF, "roles": [fields.MASK_ROLE], "data_type": sensor.mask_type, "bands": [band_to_stac(mask)]}
    if mask.name == "scl":
        asset[fields.CLASSES] = [{"value": value, "name": name} for value, name in masks.SCL_CLASSES.items()]
    else:
        asset["classification:bitfields"] = [
            {
                "name": name,
                "offset": bit,
                "length": 1,
                "classes": [{"value": 0, "name": f"not_{name}"}, {"value": 1, "name": name}],
            }
            for name, bit in masks.QA_BITS.items()
        ]
    return asset


def _label_asset(key: str, classes: Sequence[str]) -> dict[str, Any]:
    band = {"name": key, "nodata": UNKNOWN_LABEL}
    roles = [fields.LABELS_ROLE]
    return {"type": GEOTIFF, "roles": roles, "data_type": LABEL_TYPE, "bands": [band], fields.CLASSES: _classes(classes)}


def square_to_stac(sensor_id: str, folder: str, items: Sequence[str], children: Sequence[str] = ()) -> dict[str, Any]:
    """The catalog of one grid square, of a part of a crowded one, or of a thousand images off the lattice.

    Args:
        sensor_id: Its collection.
        folder: Its folder, relative to the collection: `31UDQ`, `31UDQ/47`, or `012` of images off the lattice.
        items: Hrefs of its items, relative to `folder`.
        children: Hrefs of its parts' catalogs, relative to `folder`.
    """
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"{sensor_id}-{folder.replace('/', '-')}",
        "description": f"Items of {sensor_id} {layout.where(folder)}.",
        "links": [
            {"rel": "root", "href": layout.up(f"{sensor_id}/{folder}", layout.CATALOG), "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json" if "/" in folder else "../collection.json", "type": "application/json"},
            *({"rel": "child", "href": f"./{href}", "type": "application/json"} for href in children),
            *({"rel": "item", "href": f"./{href}", "type": "application/geo+json"} for href in items),
        ],
    }


def catalog_to_stac(name: str, description: str, sensors: Sequence[str]) -> dict[str, Any]:
    """The root catalog."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": name,
        "title": name,
        "description": description,
        fields.CONTRACT: fields.CONTRACT_VERSION,
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *(
                {"rel": "child", "href": f"./{sensor}/{layout.COLLECTION}", "type": "application/json", "title": sensor}
                for sensor in sensors
            ),
            {"rel": "locations", "href": f"./{layout.LOCATIONS}", "type": GEOPARQUET, "title": "What was sampled"},
        ],
    }

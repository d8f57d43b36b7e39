"""Which asset of somebody else's item holds which of our bands.

Names decide, never positions: the band's declared name (`B04`, `B4`, `OLI_B4`), then the asset's key (`B04_10m`,
`SR_B4.TIF`, `rededge1`), then a common name that only one asset carries (`rededge` thrice tells nothing). Of several
copies of a band the one in its native pixel size wins, and GeoTIFF before JPEG 2000.

References:
    STAC 1.1 `bands`; eo 1.0 and 1.1 `eo:bands`; raster 1.1 `raster:bands`. STAC 1.0.0-beta.1 pointed into a list of the
    item's properties by number.
    USDA, NAIP imagery information sheet: red, green, blue, near infrared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from catalogs.bands import Sensor
from catalogs.records import Band

NOT_DATA_ROLES = {"thumbnail", "overview", "visual", "metadata", "tiles"}
_PICTURE_KEY = re.compile(
    r"(^|[_-])(visual|tci|preview|thumbnail|overview|browse|quicklook|pvi|tilejson)([_-]|$)", re.IGNORECASE
)
_PICTURE_FILE = re.compile(r"\.(jpe?g|png|gif|webp|json|xml|txt|html?|csv|pdf|md5|sha1|yaml)$", re.IGNORECASE)
_PICTURE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_COUNTED = re.compile(r"b\d+|band[ _]?\d+")
"""Names that tools give by counting (`b2` is the second band of whatever file); agencies write `B2`."""
_SENTINEL_2_NAMES = {"rededge1": "B05", "rededge2": "B06", "rededge3": "B07"}
_OLDER_NAMES: Mapping[str, Mapping[str, str]] = {
    "sentinel-2-l2a": _SENTINEL_2_NAMES,
    "sentinel-2-l1c": _SENTINEL_2_NAMES,
    "landsat-c2-l2": {"nir": "B05"},
    "cop-dem-glo-30": {"data": "elevation"},
}
"""Names that providers use beside the band's own and STAC's common ones; bands of different sensors share names."""
_DOCUMENTED_ORDER = {"naip": ("red", "green", "blue", "nir")}
"""Of products whose items leave their bands unnamed."""
_SHARED_FIELDS = ("nodata", "data_type", "raster:scale", "raster:offset", "raster:spatial_resolution")
"""What an asset, or the item's properties, may say for all bands at once."""

BY_NAME, BY_KEY, BY_COMMON_NAME, BY_ORDER = range(4)


@dataclass(frozen=True, slots=True)
class ForeignBand:
    """An asset that may hold one of our bands."""

    name: str
    """Our name of it."""
    rank: int
    """How it was recognised: `BY_NAME` is the surest."""
    key: str
    """Of the asset."""
    index: int
    """Band of the file, from 1."""
    asset: Mapping[str, Any]
    """The asset as it stands in the item."""
    fields: Mapping[str, Any]
    """What is said of the band by itself, its asset and its item."""
    gsd: float | None
    """Pixel size as stated, metres."""


def map_bands(item: Mapping[str, Any], sensor: Sensor) -> dict[str, ForeignBand]:
    """The bands of a sensor, and its mask, that an item has, in the sensor's order; what it lacks is absent."""
    names = _known_names(sensor)
    candidates: dict[str, list[ForeignBand]] = {}
    for key, asset in item.get("assets", {}).items():
        if is_data(key, asset):
            for found in _recognise(key, asset, item.get("properties", {}), sensor=sensor, names=names):
                candidates.setdefault(found.name, []).append(found)
    bands = (*sensor.bands, *((sensor.mask,) if sensor.mask else ()))
    chosen = {band.name: _choose(band, candidates.get(band.name, [])) for band in bands}
    return {name: found for name, found in chosen.items() if found}


def is_data(key: str, asset: Mapping[str, Any]) -> bool:
    """Whether an asset holds measurements or a mask, rather than a picture, a preview or a document."""
    media_type = str(asset.get("type") or "").lower()
    if media_type:
        document = not media_type.startswith("image/") or media_type.startswith(_PICTURE_TYPES)
    else:
        document = bool(_PICTURE_FILE.search(str(asset.get("href", "")).partition("?")[0]))
    return not (document or _PICTURE_KEY.search(key) or NOT_DATA_ROLES.intersection(asset.get("roles") or ()))


def band_fields(asset: Mapping[str, Any], properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is said of each band of an asset, old and new fields together; empty where the asset lists no bands."""
    listed = properties.get("eo:bands") or []
    optical = [listed[band] if isinstance(band, int) else band for band in asset.get("eo:bands") or []]
    rows: Iterable[tuple[Mapping[str, Any], ...]] = zip_longest(
        asset.get("raster:bands") or [], optical, asset.get("bands") or [], fillvalue={}
    )
    shared = shared_fields(asset, properties)
    return [shared | {field: value for part in row for field, value in part.items()} for row in rows]


def shared_fields(asset: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """What an asset or its item says for all its bands at once."""
    return {field: source[field] for source in (properties, asset) for field in _SHARED_FIELDS if field in source}


def canonical(name: str) -> str:
    """One spelling of a band's name: `B4`, `OLI_B4`, `SR_B4.TIF`, `B04_10m` and `B04-jp2` are all `B04`.

    Examples:
        >>> [canonical(name) for name in ("B8A_20m", "OLI_B5", "TM_B5", "blue-jp2", "SCL_20m")]
        ['B8A', 'B05', 'TM_B5', 'BLUE', 'SCL']
    """
    name = re.sub(r"(\.TIFF?|[.-]JP2)$", "", name.strip().upper())
    name = re.sub(r"_\d+(\.\d+)?M$", "", name)
    name = re.sub(r"^(OLI|SR|MSI)_(?=B\d)", "", name)
    return re.sub(r"^B(?=\d$)", "B0", re.sub(r"^B08A$", "B8A", name))


def _known_names(sensor: Sensor) -> dict[str, str]:
    bands = (*sensor.bands, *((sensor.mask,) if sensor.mask else ()))
    known = {canonical(older): name for older, name in _OLDER_NAMES.get(sensor.id, {}).items()}
    known |= {canonical(band.common_name): band.name for band in bands if band.common_name}
    return known | {canonical(band.name): band.name for band in bands}


def _recognise(
    key: str, asset: Mapping[str, Any], properties: Mapping[str, Any], *, sensor: Sensor, names: Mapping[str, str]
) -> Iterator[ForeignBand]:
    listed = band_fields(asset, properties)
    rows = listed or [shared_fields(asset, properties)]
    only_key = key if len(rows) == 1 else ""
    found = [(index, row, *_name_of(row, only_key, names)) for index, row in enumerate(rows, 1)]
    if not any(name for _, _, name, _ in found):
        order = _DOCUMENTED_ORDER.get(sensor.id, ())
        rows = listed or rows * len(order)
        found = [(index, row, name, BY_ORDER) for index, (row, name) in enumerate(zip(rows, order, strict=False), 1)]
    for index, row, name, rank in found:
        if name:
            yield ForeignBand(name, rank, key, index, asset, row, _stated_gsd(key, asset, row))


def _name_of(row: Mapping[str, Any], key: str, names: Mapping[str, str]) -> tuple[str | None, int]:
    declared = "" if _COUNTED.fullmatch(str(row.get("name"))) else row.get("name")
    common = row.get("eo:common_name") or row.get("common_name")
    for rank, text in ((BY_NAME, declared), (BY_KEY, key), (BY_COMMON_NAME, common)):
        name = names.get(canonical(str(text))) if text else None
        if name:
            return name, rank
    return None, BY_ORDER


def _stated_gsd(key: str, asset: Mapping[str, Any], row: Mapping[str, Any]) -> float | None:
    suffix = re.search(r"_(\d+(?:\.\d+)?)m$", key)
    transform = asset.get("proj:transform") or [None]
    stated = (
        row.get("gsd"), asset.get("gsd"), row.get("raster:spatial_resolution"), row.get("spatial_resolution"),
        suffix and suffix[1], transform[0],
    )  # fmt: skip
    return next((abs(float(value)) for value in stated if value), None)


def _choose(band: Band, candidates: list[ForeignBand]) -> ForeignBand | None:
    best = min((found.rank for found in candidates), default=BY_ORDER)
    candidates = [found for found in candidates if found.rank == best]
    if best == BY_COMMON_NAME and len(candidates) > 1:
        return None
    return min(candidates, key=lambda found: _preference(band, found), default=None)


def _preference(band: Band, found: ForeignBand) -> tuple[float, bool, str]:
    distance = 0.5 if found.gsd is None else abs(found.gsd - band.gsd)
    is_jpeg_2000 = "jp2" in str(found.asset.get("type", "")) or str(found.asset.get("href", "")).lower().endswith(".jp2")
    return distance, is_jpeg_2000, found.key

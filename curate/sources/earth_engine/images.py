"""What Earth Engine calls our sensors, and its images as scenes of ours.

A band of an image is no file. Its address says all that a reader has to know of it, so that nobody asks twice:
`earth-engine://COPERNICUS/S2_SR_HARMONIZED/<image>/B4?grid=32631,10,600000,5700000,10980,10980&type=uint16`; the grid is EPSG
code, pixel size, left, top, width and height of the band as Earth Engine keeps it, the type that of its numbers.

References:
    Google, Earth Engine Data Catalog: COPERNICUS/S2_SR_HARMONIZED, S2_HARMONIZED, S2_SR, S1_GRD; LANDSAT/LC08/C02/T1_L2, LC09.
    Google, Earth Engine REST API v1: projects.assets#EarthEngineAsset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from catalogs.bands import Sensor, find_sensor
from catalogs.foreign import SourceBand, SourceScene
from catalogs.foreign_radiometry import calibrate, weakest
from catalogs.records import Band, Grid
from curate.errors import SourceUnavailableError
from curate.sources.rasters import SQUARE_TOLERANCE

SCHEME = "earth-engine://"
PAGES = "https://earthengine.googleapis.com/v1/projects/earthengine-public/assets/"
"""Where the metadata of an image are, for who has an account."""
_ADDRESS = re.compile(rf"{SCHEME}(?P<image>[^?]+)/(?P<band>[^/?]+)\?grid=(?P<grid>[^&]+)&type=(?P<type>\w+)$")
_NAME = re.compile(r"^projects/[^/]+/assets/")

WIDE_SWATH = "IW"
"""Mode in which Sentinel-1 looks at land; that over the poles, EW, has pixels of 25 or 40 m."""
_SENTINEL_2 = {f"B{number:02d}": f"B{number}" for number in (*range(1, 10), 10, 11, 12)} | {"B8A": "B8A"}
_LANDSAT = {f"B{number:02d}": f"SR_B{number}" for number in range(1, 8)} | {"qa_pixel": "QA_PIXEL"}


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of Earth Engine that holds a sensor of ours."""

    id: str
    """Earth Engine's name of it."""
    bands: Mapping[str, str]
    """Its names of bands by ours; those that it lacks are not asked."""
    cloud: str | None = None
    """Property that states the cloud cover of an image, percent."""


SENTINEL_2_L2A = Collection("COPERNICUS/S2_SR_HARMONIZED", _SENTINEL_2 | {"scl": "SCL"}, "CLOUDY_PIXEL_PERCENTAGE")
COLLECTIONS: Mapping[str, tuple[Collection, ...]] = {
    "sentinel-2-l2a": (SENTINEL_2_L2A,),
    "sentinel-2-l1c": (Collection("COPERNICUS/S2_HARMONIZED", _SENTINEL_2, "CLOUDY_PIXEL_PERCENTAGE"),),
    "landsat-c2-l2": tuple(Collection(f"LANDSAT/LC0{number}/C02/T1_L2", _LANDSAT, "CLOUD_COVER") for number in (8, 9)),
    "sentinel-1-grd": (Collection("COPERNICUS/S1_GRD", {"vv": "VV", "vh": "VH"}),),
}
"""By our sensors."""
SECO_COLLECTIONS: Mapping[str, tuple[Collection, ...]] = {
    "sentinel-2-l2a": (Collection("COPERNICUS/S2_SR", SENTINEL_2_L2A.bands, SENTINEL_2_L2A.cloud),)
}
"""What SeCo asked for: the same images before they were harmonized, so that their offset goes by the processing baseline."""


@dataclass(frozen=True, slots=True)
class EngineBand:
    """A band of an image; see `curate.sources.protocol.RasterInfo`."""

    image: str
    """Id of the image."""
    name: str
    """Earth Engine's name of the band."""
    grid: Grid
    """Of the band as Earth Engine keeps it."""
    data_type: str
    """numpy's name of its type."""
    nodata: float | None = None
    """What its masked pixels become."""
    checksum: str | None = None
    """None: Earth Engine states none."""

    @property
    def href(self) -> str:
        """Its address."""
        grid = self.grid
        place = (grid.epsg, grid.gsd, grid.transform[2], grid.transform[5], grid.width, grid.height)
        told = ",".join(_plain(float(value)) for value in place if value is not None)
        return f"{SCHEME}{self.image}/{self.name}?grid={told}&type={self.data_type}"


def read_address(band: SourceBand) -> EngineBand:
    """The band of an image that an address names.

    Raises:
        SourceUnavailableError: It is no address of ours.

    Examples:
        >>> band = SourceBand("earth-engine://COPERNICUS/S2/A/B4?grid=32631,10,600000,5700000,10980,10980&type=uint16")
        >>> read_address(band).image, read_address(band).grid.gsd
        ('COPERNICUS/S2/A', 10.0)
    """
    found = _ADDRESS.match(band.href)
    numbers = found["grid"].split(",") if found else []
    if found is None or len(numbers) != 6:
        raise SourceUnavailableError(
            f"{band.href} is no band of an image of Earth Engine. Expected {SCHEME}COLLECTION/IMAGE/BAND?grid=...&type=..., as "
            "its search gives it. Search anew, in a new folder."
        )
    epsg, width, height = (int(numbers[place]) for place in (0, 4, 5))
    gsd, left, top = (float(number) for number in numbers[1:4])
    grid = Grid(epsg, (gsd, 0.0, left, 0.0, -gsd, top), height, width)
    return EngineBand(found["image"], found["band"], grid, found["type"], band.nodata)


def to_scene(image: Mapping[str, Any], sensor_id: str, collection: Collection, *, source: str) -> SourceScene | str:
    """An image as a scene, or why it is of no use.

    Args:
        image: An EarthEngineAsset.
        sensor_id: What it is taken for.
        collection: That it is of.
        source: Name of the provider.
    """
    sensor, properties = find_sensor(sensor_id), image.get("properties") or {}
    id_ = image.get("id") or _NAME.sub("", str(image.get("name")))
    footprint, when = _footprint(image.get("geometry")), _time(image.get("startTime"))
    if footprint is None or when is None:
        return "it states no footprint" if when else "it states no time"
    if sensor.constellation == "sentinel-1" and properties.get("instrumentMode") != WIDE_SWATH:
        mode = properties.get("instrumentMode")
        return f"it was taken in mode {mode}; {WIDE_SWATH} alone has the pixels of 10 m that {sensor_id} stands for"
    bands, grids = {}, {}
    told = _told(sensor, properties)
    decided = set()
    for ours, theirs in _engine_bands(image, sensor, collection):
        if isinstance(theirs, str):
            return theirs
        stated = {"s2:processing_baseline": told.get("baseline"), **properties}
        value = calibrate({}, ours.name, sensor=sensor, properties=stated, when=when, collection=collection.id)
        decided |= {value.decision} if value.scale is not None else set()
        bands[ours.name] = SourceBand(theirs.href, 1, value.scale, value.offset, theirs.nodata)
        grids[ours.name] = theirs.grid
    if not any(band.name in bands for band in sensor.bands):
        return f"it has none of the bands {', '.join(collection.bands.values())}"
    return SourceScene(
        id=id_.rpartition("/")[2],
        sensor=sensor_id,
        footprint=footprint,
        bands=bands,
        datetime=when,
        epsg=next(iter(grids.values())).epsg,
        cloud_percent=_number(properties.get(collection.cloud)) if collection.cloud else None,
        href=f"{PAGES}{id_}",
        radiometry=weakest(decided),
        source=source,
        **told,
    )


def _engine_bands(image: Mapping[str, Any], sensor: Sensor, collection: Collection) -> Iterator[tuple[Band, EngineBand | str]]:
    """Our bands of an image, in our order, each with theirs; or why it cannot be read."""
    id_ = image.get("id") or _NAME.sub("", str(image.get("name")))
    described = {band.get("id"): band for band in image.get("bands") or ()}
    for band in (*sensor.bands, *((sensor.mask,) if sensor.mask else ())):
        theirs = collection.bands.get(band.name)
        if theirs not in described:
            continue
        grid = _grid(described[theirs].get("grid") or {})
        data_type = sensor.mask_type if band == sensor.mask else sensor.data_type
        yield band, grid if isinstance(grid, str) else EngineBand(id_, str(theirs), grid, data_type, band.nodata)


def _grid(stated: Mapping[str, Any]) -> Grid | str:
    """A grid of north up and square pixels; one that runs east to west or south to north is the same pixels turned round."""
    place, size, code = stated.get("affineTransform") or {}, stated.get("dimensions") or {}, str(stated.get("crsCode"))
    a, e = (float(place.get(name, 0)) for name in ("scaleX", "scaleY"))
    left, top = (float(place.get(name, 0)) for name in ("translateX", "translateY"))
    width, height = int(size.get("width", 0)), int(size.get("height", 0))
    if not re.fullmatch(r"EPSG:\d+", code) or not width or not height:
        return f"its grid is of {code[:40]} and {width} x {height} pixels; expected an EPSG code and a size"
    if place.get("shearX") or place.get("shearY") or not a or abs(abs(a) - abs(e)) > SQUARE_TOLERANCE * abs(a):
        return f"its pixels are rotated or oblong ({a:g} x {e:g})"
    left, top = left + min(a, 0.0) * width, top + max(e, 0.0) * height
    return Grid(int(code.removeprefix("EPSG:")), (abs(a), 0.0, left, 0.0, -abs(a), top), height, width)


def _told(sensor: Sensor, properties: Mapping[str, Any]) -> dict[str, Any]:
    """What the properties of an image say, as fields of a scene."""
    if sensor.constellation == "sentinel-2":
        return _of_sentinel_2(properties)
    return _of_landsat(properties) if sensor.constellation == "landsat" else _of_sentinel_1(properties)


def _of_sentinel_2(properties: Mapping[str, Any]) -> dict[str, Any]:
    zenith = _number(properties.get("MEAN_SOLAR_ZENITH_ANGLE"))
    return {
        "platform": _lower(properties.get("SPACECRAFT_NAME")),
        "sun_elevation": None if zenith is None else 90 - zenith,
        "sun_azimuth": _number(properties.get("MEAN_SOLAR_AZIMUTH_ANGLE")),
        "relative_orbit": _whole(properties.get("SENSING_ORBIT_NUMBER")),
        "orbit_state": _lower(properties.get("SENSING_ORBIT_DIRECTION")),
        "baseline": properties.get("PROCESSING_BASELINE"),
        "created": _since_1970(properties.get("GENERATION_TIME")),
    }


def _of_landsat(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "platform": _lower(properties.get("SPACECRAFT_ID")),
        "sun_elevation": _number(properties.get("SUN_ELEVATION")),
        "sun_azimuth": _number(properties.get("SUN_AZIMUTH")),
        "created": _since_1970(properties.get("DATE_PRODUCT_GENERATED")),
    }


def _of_sentinel_1(properties: Mapping[str, Any]) -> dict[str, Any]:
    letter = _lower(properties.get("platform_number"))
    return {
        "platform": letter and f"sentinel-1{letter}",
        "relative_orbit": _whole(properties.get("relativeOrbitNumber_start")),
        "orbit_state": _lower(properties.get("orbitProperties_pass")),
    }


def _footprint(geometry: Any) -> dict[str, Any] | None:
    """A footprint as a polygon; Earth Engine gives some as the ring alone."""
    if not isinstance(geometry, Mapping) or not geometry.get("coordinates"):
        return None
    if geometry.get("type") == "LinearRing":
        return {"type": "Polygon", "coordinates": [geometry["coordinates"]]}
    if geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        return None
    return {"type": geometry["type"], "coordinates": geometry["coordinates"]}


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


def _since_1970(milliseconds: Any) -> str | None:
    number = _number(milliseconds)
    return None if number is None else f"{datetime.fromtimestamp(number / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _lower(value: Any) -> str | None:
    return value.lower().replace("_", "-") if isinstance(value, str) else None


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)

"""Images for the double of Earth Engine: measured ones of the shared archive, and made-up ones of many bands and grids."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio

from catalogs.lattice import to_lonlat
from tests.earth_engine_double import DoubleBand, DoubleImage

S2 = "COPERNICUS/S2_SR_HARMONIZED"
LANDSAT = "LANDSAT/LC08/C02/T1_L2"
S1 = "COPERNICUS/S1_GRD"
FIRST_DAY = datetime(2023, 1, 6, 10, 50, 31, tzinfo=UTC)
GSDS = {"B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B8": 10, "B8A": 20, "B9": 60, "B11": 20, "B12": 20, "SCL": 20}
VEGETATION, CLOUD = 4, 9


def archive_images(archive: Path, *, least: str = "", most: str = "9999") -> list[DoubleImage]:
    """The Sentinel-2 scenes of the shared archive as Earth Engine would have them, of some days."""
    images = []
    for path in sorted(archive.glob("sentinel-2-l2a/S2_T31UDS*/*.json")):
        item = json.loads(path.read_text())
        properties = item["properties"]
        if not least <= properties["datetime"] < most:
            continue
        when = datetime.fromisoformat(properties["datetime"])
        names = {f"B{number:02d}": f"B{number}" for number in range(1, 13)} | {"B8A": "B8A", "SCL": "SCL"}
        bands = {names[file.stem]: read_band(file) for file in sorted(path.parent.glob("*.tif"))}
        told = {
            "CLOUDY_PIXEL_PERCENTAGE": properties["eo:cloud_cover"],
            "SPACECRAFT_NAME": "Sentinel-2A",
            "MEAN_SOLAR_ZENITH_ANGLE": 90 - properties["view:sun_elevation"],
            "MEAN_SOLAR_AZIMUTH_ANGLE": properties["view:sun_azimuth"],
            "PROCESSING_BASELINE": "02.05",
        }
        images.append(DoubleImage(f"{S2}/{when:%Y%m%dT%H%M%S}_T31UDS", when, item["geometry"], told, bands))
    return images


def read_band(path: Path) -> DoubleBand:
    """A file as a band whose nodata are masked."""
    with rasterio.open(path) as file:
        pixels = file.read(1)
        return DoubleBand(pixels, file.crs.to_epsg(), tuple(file.transform)[:6], pixels == 0)


def footprint(left: float, top: float, width_m: float, height_m: float, epsg: int) -> dict:
    """A rectangle of a zone as a GeoJSON polygon."""
    x = np.array([left, left + width_m, left + width_m, left, left])
    y = np.array([top - height_m, top - height_m, top, top, top - height_m])
    lon, lat = to_lonlat(x, y, epsg)
    return {"type": "Polygon", "coordinates": [[[float(a), float(b)] for a, b in zip(lon, lat, strict=True)]]}


def sentinel_2(
    number: int, *, left: int = 499_980, top: int = 5_700_000, side_m: int = 4_800, epsg: int = 32631, cloudy: float = 0.0,
    days: int = 10, collection: str = S2, tile: str = "T31UES", baseline: str = "05.09",
) -> DoubleImage:  # fmt: skip
    """A made-up image of Sentinel-2: eleven bands of three pixel sizes, dark water to bright fields, clouds at random."""
    rng = np.random.default_rng([number, left, epsg])
    when = FIRST_DAY + timedelta(days=days * number)
    added = np.uint16(1000 if "HARMONIZED" not in collection and baseline >= "04.00" else 0)
    bands = {}
    for name, gsd in GSDS.items():
        shape, transform = (side_m // gsd, side_m // gsd), (gsd, 0, left, 0, -gsd, top)
        pixels = rng.integers(1, 3000, shape).astype("uint16") + added
        if name == "SCL":
            pixels = np.where(rng.random(shape) < cloudy, CLOUD, VEGETATION).astype("uint8")
        masked = np.zeros(shape, bool)
        masked[: 60 // gsd * 2] = True
        bands[name] = DoubleBand(pixels, epsg, transform, masked)
    told = {
        "CLOUDY_PIXEL_PERCENTAGE": 100 * cloudy,
        "SPACECRAFT_NAME": "Sentinel-2B",
        "MEAN_SOLAR_ZENITH_ANGLE": 40.0,
        "MEAN_SOLAR_AZIMUTH_ANGLE": 150.0,
        "SENSING_ORBIT_NUMBER": 51,
        "SENSING_ORBIT_DIRECTION": "DESCENDING",
        "PROCESSING_BASELINE": baseline,
        "GENERATION_TIME": 1_700_000_000_000 + number,
    }
    id_ = f"{collection}/{when:%Y%m%dT%H%M%S}_{when:%Y%m%dT%H%M%S}_{tile}"
    return DoubleImage(id_, when, footprint(left, top, side_m, side_m, epsg), told, bands)


def landsat(number: int, *, left: int = 499_995, top: int = 5_700_015, side: int = 200, epsg: int = 32631) -> DoubleImage:
    """A made-up image of Landsat 8, half a pixel off our lattice as Landsat is."""
    rng = np.random.default_rng([number, left])
    when = FIRST_DAY + timedelta(days=10 * number, minutes=25)
    transform = (30, 0, left, 0, -30, top)
    bands = {
        f"SR_B{band}": DoubleBand(rng.integers(7500, 20_000, (side, side)).astype("uint16"), epsg, transform)
        for band in range(1, 8)
    }
    bands["QA_PIXEL"] = DoubleBand(np.full((side, side), 21_824, "uint16"), epsg, transform)
    told = {"CLOUD_COVER": 1.5, "SPACECRAFT_ID": "LANDSAT_8", "SUN_ELEVATION": 48.0, "SUN_AZIMUTH": 151.0}
    told["DATE_PRODUCT_GENERATED"] = 1_700_000_000_000
    id_ = f"{LANDSAT}/LC08_198024_{when:%Y%m%d}"
    return DoubleImage(id_, when, footprint(left, top, 30 * side, 30 * side, epsg), told, bands)


def sentinel_1(
    number: int, *, left: float = 499_984.2, top: float = 5_700_003.7, side: int = 600, epsg: int = 32631
) -> DoubleImage:
    """A made-up image of Sentinel-1 in dB, on a grid of its own that runs from east to west, as some do."""
    rng = np.random.default_rng(number)
    when = FIRST_DAY + timedelta(days=12 * number, hours=7)
    transform = (-10, 0, left + 10 * side, 0, -10, top)
    masked = np.zeros((side, side), bool)
    masked[:, -20:] = True
    levels = {"VV": -11, "VH": -18}
    bands = {name: DoubleBand(rng.normal(level, 3, (side, side)), epsg, transform, masked) for name, level in levels.items()}
    bands["angle"] = DoubleBand(rng.normal(38, 1, (side, side)), epsg, transform)
    told = {
        "instrumentMode": "IW",
        "platform_number": "A",
        "relativeOrbitNumber_start": 37,
        "orbitProperties_pass": "ASCENDING",
    }
    ring = footprint(left, top, 10 * side, 10 * side, epsg)["coordinates"][0]
    return DoubleImage(
        f"{S1}/S1A_IW_GRDH_1SDV_{when:%Y%m%dT%H%M%S}", when, {"type": "LinearRing", "coordinates": ring}, told, bands,
        end=when + timedelta(seconds=25),
    )  # fmt: skip

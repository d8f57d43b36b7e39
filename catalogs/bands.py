"""The sensors: one table each of what their bands are called, measure and weigh.

Band names are the agencies' own (`B02`, `B8A`, `vv`); products without any use STAC common names. The order here is the
order of bands in files, arrays and tensors, whatever order a source has them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from catalogs.band_guess import guess_band
from catalogs.errors import ContractError, MissingBandError
from catalogs.records import Band


@dataclass(frozen=True, slots=True)
class Sensor:
    """One product of one sensor: what a collection holds."""

    id: str
    """Id of the collection, and the value of `--sensor`."""
    title: str
    """For people."""
    bands: tuple[Band, ...]
    """In the order of files and arrays."""
    data_type: str
    """numpy's name of the native type."""
    mask: Band | None
    """The classification or quality band that tells clouds, if the product has one."""
    mask_type: str
    """numpy's name of the mask's type."""
    level: str
    """Processing level."""
    constellation: str
    """STAC's constellation."""
    instruments: tuple[str, ...]
    """STAC's instruments."""
    license: str
    """SPDX identifier, or `other`."""
    attribution: str
    """The words that the licence asks for."""
    provider: dict[str, Any]
    """STAC provider object of the producer."""
    citation: str | None = None
    """`sci:citation`."""
    is_display: bool = False
    """Numbers that somebody stretched for the eye and clipped: no reflectance, and a clipped frame is no fault."""
    resampler: str = "gdal-warp"
    """What brings pixels to a location's grid where theirs disagrees: the format of STAC's `processing:expression`."""
    unit: str | None = None
    """STAC's unit of all bands, once scale and offset are applied."""
    interval: tuple[datetime, datetime] | None = None
    """First and last instant, UTC, of a static layer: one for all seasons, whatever dates its providers state."""

    @property
    def is_static(self) -> bool:
        """Whether it is a layer of no season, as heights are, rather than acquisitions to choose from."""
        return self.interval is not None

    @property
    def gsds(self) -> tuple[float, ...]:
        """Distinct pixel sizes of the bands, finest first, metres."""
        return tuple(sorted({band.gsd for band in self.bands}))

    def band(self, name: str) -> Band:
        """The band of that name.

        Raises:
            MissingBandError: The sensor has no such band.
        """
        known = {band.name: band for band in (*self.bands, self.mask) if band}
        if name not in known:
            listed = [band.name for band in self.bands]
            meant = guess_band(name, known.values())
            raise MissingBandError(f"Unknown band {name!r}. {self.id} has {', '.join(listed)}.{_question(meant)}")
        return known[name]

    def select(self, names: Sequence[str] | None) -> tuple[Band, ...]:
        """The bands of those names in the sensor's own order; all of them where `names` is empty.

        Raises:
            MissingBandError: The sensor lacks one of them.
        """
        for name in names or ():
            self.band(name)
        return tuple(band for band in self.bands if not names or band.name in names)


ALSO_CALLED = {
    "s2": "sentinel-2-l2a", "l2a": "sentinel-2-l2a", "s2-l1c": "sentinel-2-l1c", "l1c": "sentinel-2-l1c",
    "s1": "sentinel-1-rtc", "s1-grd": "sentinel-1-grd", "l8": "landsat-c2-l2", "l9": "landsat-c2-l2",
    "dem": "cop-dem-glo-30", "bd-ortho": "aerial-ortho", "bdortho": "aerial-ortho",
}  # fmt: skip
"""Sensors by what people call them; what begins an id, such as `landsat`, needs no line here."""


def raster_key(band: Band) -> str:
    """Key of the asset that holds the bands of one pixel size: `10m`, `1.5m`."""
    return f"{band.gsd:g}m"


def asset_key(band: Band, *, apart: bool) -> str:
    """Key of the asset that holds a band: that of its pixel size, or its own name where each band is a file."""
    return band.name if apart else raster_key(band)


def find_sensor(sensor_id: str) -> Sensor:
    """The sensor of that id.

    Raises:
        ContractError: There is none; the message lists them and guesses.
    """
    if sensor_id in SENSORS:
        return SENSORS[sensor_id]
    raise unknown_sensor(sensor_id, list(SENSORS))


def unknown_sensor(text: str, known: Sequence[str]) -> ContractError:
    """The words for what is no sensor.

    Args:
        text: As the user wrote it.
        known: Ids of those that there are where it was said.
    """
    word = "-".join(text.lower().replace("_", " ").replace("-", " ").split())
    called = [each for each in known if each == ALSO_CALLED.get(word)]
    begun = [each for each in known if word and each.startswith(word)]
    near = next(iter([*called, *begun, *get_close_matches(word, known, 1, 0.5)]), None)
    return ContractError(f"Unknown sensor {text!r}. Choose from: {', '.join(known)}.{_question(near)}")


def _question(guess: str | None) -> str:
    return f" Did you mean {guess!r}?" if guess else ""


def _reflectance(
    rows: Sequence[tuple[str, str, float, float]], scale: float, offset: float, nodata: float | None
) -> tuple[Band, ...]:
    return tuple(Band(name, gsd, common, wavelength, scale, offset, nodata) for name, common, gsd, wavelength in rows)


COPERNICUS = {"name": "ESA", "roles": ["producer", "licensor"], "url": "https://sentinels.copernicus.eu"}
USGS = {"name": "USGS", "roles": ["producer", "licensor"], "url": "https://www.usgs.gov/landsat-missions"}
IGN = {"name": "IGN", "roles": ["producer", "licensor"], "url": "https://geoservices.ign.fr"}
USDA = {"name": "USDA", "roles": ["producer", "licensor"], "url": "https://naip-usdaonline.hub.arcgis.com"}
ESA_DEM = {"name": "ESA", "roles": ["producer", "licensor"], "url": "https://doi.org/10.5270/ESA-c5d3d65"}
DFKI = {"name": "DFKI", "roles": ["producer", "licensor"], "url": "https://github.com/phelber/EuroSAT"}
NWPU = {"name": "Northwestern Polytechnical University", "roles": ["producer"], "url": "https://arxiv.org/abs/1703.00121"}
UC_MERCED = {
    "name": "University of California, Merced",
    "roles": ["producer"],
    "url": "https://doi.org/10.1145/1869790.1869829",
}
TU_BERLIN = {"name": "TU Berlin", "roles": ["producer", "licensor"], "url": "https://bigearth.net"}
TUM = {"name": "Technical University of Munich", "roles": ["producer", "licensor"], "url": "https://mediatum.ub.tum.de/1613658"}
ONERA = {"name": "ONERA", "roles": ["producer", "licensor"], "url": "https://rcdaudt.github.io/oscd"}
NOT_STATED = {"name": "not stated", "roles": ["producer"]}
SENTINEL_NOTICE = "Contains modified Copernicus Sentinel data"
TANDEM_X = (datetime(2010, 12, 12, tzinfo=UTC), datetime(2015, 1, 16, 23, 59, 59, tzinfo=UTC))
"""When the acquisitions of Copernicus DEM were made; what STAC APIs state is a day of publication."""

_SENTINEL_2_L2A = _reflectance(
    [
        ("B01", "coastal", 60, 0.443), ("B02", "blue", 10, 0.49), ("B03", "green", 10, 0.56), ("B04", "red", 10, 0.665),
        ("B05", "rededge071", 20, 0.704), ("B06", "rededge075", 20, 0.74), ("B07", "rededge078", 20, 0.783),
        ("B08", "nir", 10, 0.842), ("B8A", "nir08", 20, 0.865), ("B09", "nir09", 60, 0.945),
        ("B11", "swir16", 20, 1.61), ("B12", "swir22", 20, 2.19),
    ],
    scale=1e-4, offset=-0.1, nodata=0,
)  # fmt: skip
_CIRRUS = Band("B10", 60, "cirrus", 1.375, 1e-4, -0.1, 0)
_LANDSAT = _reflectance(
    [
        ("B01", "coastal", 30, 0.443), ("B02", "blue", 30, 0.482), ("B03", "green", 30, 0.561), ("B04", "red", 30, 0.655),
        ("B05", "nir08", 30, 0.865), ("B06", "swir16", 30, 1.609), ("B07", "swir22", 30, 2.201),
    ],
    scale=2.75e-5, offset=-0.2, nodata=0,
)  # fmt: skip


def _ortho(gsd: float, nodata: float | None) -> tuple[Band, ...]:
    """Red, green, blue and near infrared of an orthophoto: display values in 0..1, no calibrated reflectance."""
    rows = [("red", "red", gsd, 0.65), ("green", "green", gsd, 0.56), ("blue", "blue", gsd, 0.48), ("nir", "nir", gsd, 0.83)]
    return _reflectance(rows, scale=1 / 255, offset=0.0, nodata=nodata)


def _display() -> tuple[Band, ...]:
    """Red, green and blue of a picture in 0..1: nobody knows its pixel size, so that a pixel is one metre of its own frame."""
    return tuple(Band(name, 1, name, None, 1 / 255, 0.0, None) for name in ("red", "green", "blue"))


SENSORS: dict[str, Sensor] = {
    sensor.id: sensor
    for sensor in (
        Sensor(
            "sentinel-2-l2a", "Sentinel-2 Level-2A surface reflectance", _SENTINEL_2_L2A, "uint16",
            Band("scl", 20, nodata=0), "uint8", "L2A", "sentinel-2", ("msi",), "other", SENTINEL_NOTICE, COPERNICUS,
            "Copernicus Sentinel-2 (processed by ESA), MSI Level-2A BOA Reflectance, Collection 1, 10.5270/S2_-znk9xsj",
        ),
        Sensor(
            "sentinel-2-l1c", "Sentinel-2 Level-1C top-of-atmosphere reflectance",
            (*_SENTINEL_2_L2A[:10], _CIRRUS, *_SENTINEL_2_L2A[10:]), "uint16",
            None, "uint8", "L1C", "sentinel-2", ("msi",), "other", SENTINEL_NOTICE, COPERNICUS,
            "Copernicus Sentinel-2 (processed by ESA), MSI Level-1C TOA Reflectance, Collection 1, 10.5270/S2_-742ikth",
        ),
        Sensor(
            "landsat-c2-l2", "Landsat 8 and 9 Collection 2 Level-2 surface reflectance", _LANDSAT, "uint16",
            Band("qa_pixel", 30, nodata=1), "uint16", "L2SP", "landsat", ("oli",), "CC0-1.0",
            "Landsat imagery courtesy of the U.S. Geological Survey", USGS,
            "Landsat 8-9 OLI/TIRS Collection 2 Level-2, 10.5066/P9OGBGM6",
        ),
        Sensor(
            "sentinel-1-rtc", "Sentinel-1 radiometrically terrain corrected backscatter, linear power",
            (Band("vv", 10, scale=1.0, offset=0.0, nodata=-32768), Band("vh", 10, scale=1.0, offset=0.0, nodata=-32768)),
            "float32", None, "uint8", "RTC", "sentinel-1", ("c-sar",), "CC-BY-4.0", SENTINEL_NOTICE, COPERNICUS,
        ),
        Sensor(
            "sentinel-1-grd", "Sentinel-1 ground range detected, sigma nought in dB, terrain corrected as Earth Engine has it",
            (Band("vv", 10, scale=1.0, offset=0.0, nodata=-32768), Band("vh", 10, scale=1.0, offset=0.0, nodata=-32768)),
            "float32", None, "uint8", "GRD", "sentinel-1", ("c-sar",), "other", SENTINEL_NOTICE, COPERNICUS,
        ),
        Sensor(
            "sentinel-1-gec",
            "Sentinel-1 ground range detected, calibrated to sigma nought in dB, geocoded by the product's own geolocation "
            "grid, not corrected for terrain",
            (Band("vv", 10, scale=1.0, offset=0.0, nodata=-32768), Band("vh", 10, scale=1.0, offset=0.0, nodata=-32768)),
            "float32", None, "uint8", "GEC", "sentinel-1", ("c-sar",), "other", SENTINEL_NOTICE, COPERNICUS,
            resampler="seastars-sentinel1", unit="dB",
        ),
        Sensor(
            "spot-ortho", "SPOT 6 and 7 orthophoto, 1.5 m", _ortho(1.5, 0), "uint8",
            None, "uint8", "L3", "spot", ("naomi",), "etalab-2.0", "Contains SPOT 6/7 data, IGN and Airbus DS", IGN,
        ),
        Sensor(
            "naip", "National Agriculture Imagery Program, aerial orthophoto, 1 m", _ortho(1.0, None), "uint8",
            None, "uint8", "L3", "naip", ("aerial",), "CC0-1.0", "USDA National Agriculture Imagery Program", USDA,
        ),
        Sensor(
            "aerial-ortho", "Aerial orthophoto, red, green, blue and, where flown, near infrared, 0.2 m", _ortho(0.2, None),
            "uint8", None, "uint8", "L3", "aerial", ("aerial",), "etalab-2.0", "BD ORTHO, IGN", IGN,
        ),
        Sensor(
            "cop-dem-glo-30", "Copernicus DEM GLO-30: heights of ground, trees and buildings in metres above the geoid EGM2008",
            (Band("elevation", 30, scale=1.0, offset=0.0, nodata=-32767),),
            "float32", None, "uint8", "L3", "tandem-x", ("sar-x",), "other",
            "Produced using Copernicus WorldDEM-30 © DLR e.V. 2010-2014 and © Airbus Defence and Space GmbH 2014-2018 "
            "provided under COPERNICUS by the European Union and ESA; all rights reserved",
            ESA_DEM, "European Space Agency: Copernicus DEM, 10.5270/ESA-c5d3d65", unit="m", interval=TANDEM_X,
        ),
        Sensor(
            "eurosat-rgb", "EuroSAT, Sentinel-2 red, green and blue as published: display values, no reflectance",
            _reflectance(
                [("B04", "red", 10, 0.665), ("B03", "green", 10, 0.56), ("B02", "blue", 10, 0.49)],
                scale=1 / 255, offset=0.0, nodata=None,
            ),
            "uint8", None, "uint8", "display", "sentinel-2", ("msi",), "MIT",
            "EuroSAT, Helber et al. 2019. Contains modified Copernicus Sentinel data", DFKI,
            "Helber, Bischke, Dengel, Borth: EuroSAT, a novel dataset and deep learning benchmark for land use and land cover "
            "classification. IEEE JSTARS, 2019, 10.1109/JSTARS.2019.2918242",
            is_display=True,
        ),
        Sensor(
            "eurosat-ms", "EuroSAT, Sentinel-2 Level-1C reflectance as published: 13 bands, all resampled to 10 m",
            tuple(
                replace(band, gsd=10, offset=0.0) for band in (*_SENTINEL_2_L2A[:10], _CIRRUS, *_SENTINEL_2_L2A[10:])
            ),
            "uint16", None, "uint8", "L1C", "sentinel-2", ("msi",), "MIT",
            "EuroSAT, Helber et al. 2019. Contains modified Copernicus Sentinel data", DFKI,
            "Helber, Bischke, Dengel, Borth: EuroSAT, a novel dataset and deep learning benchmark for land use and land cover "
            "classification. IEEE JSTARS, 2019, 10.1109/JSTARS.2019.2918242",
        ),
        Sensor(
            "bigearthnet-s2", "BigEarthNet, Sentinel-2 Level-2A reflectance as published: 12 bands, numbers without an offset",
            tuple(replace(band, offset=0.0) for band in _SENTINEL_2_L2A), "uint16",
            None, "uint8", "L2A", "sentinel-2", ("msi",), "CDLA-Permissive-1.0",
            "BigEarthNet, Sumbul et al. 2019, Clasen et al. 2025. Contains modified Copernicus Sentinel data", TU_BERLIN,
            "Sumbul, Charfuelan, Demir, Markl: BigEarthNet, a large-scale benchmark archive for remote sensing image "
            "understanding. IGARSS, 2019, 10.1109/IGARSS.2019.8900532. Clasen, Hackel, Burgert, Sumbul, Demir, Markl: reBEN, "
            "refined BigEarthNet dataset for remote sensing image analysis. IGARSS, 2025, arXiv:2407.03653",
        ),
        Sensor(
            "so2sat-s2", "So2Sat LCZ42, Sentinel-2 Level-1C reflectance as published: 10 bands, all resampled to 10 m",
            tuple(
                replace(band, gsd=10, scale=1.0, offset=0.0, nodata=None)
                for band in _SENTINEL_2_L2A if band.name not in ("B01", "B09")
            ),
            "float32", None, "uint8", "L1C", "sentinel-2", ("msi",), "CC-BY-4.0",
            "So2Sat LCZ42, Zhu et al. 2020. Contains modified Copernicus Sentinel data", TUM,
            "Zhu et al.: So2Sat LCZ42, a benchmark data set for the classification of global local climate zones. "
            "IEEE Geoscience and Remote Sensing Magazine 8(3), 2020, 10.1109/MGRS.2020.2964708",
        ),
        Sensor(
            "oscd", "Onera Satellite Change Detection, Sentinel-2 Level-1C reflectance as published: 13 bands, all at 10 m",
            tuple(
                replace(band, gsd=10, offset=0.0) for band in (*_SENTINEL_2_L2A[:10], _CIRRUS, *_SENTINEL_2_L2A[10:])
            ),
            "uint16", None, "uint8", "L1C", "sentinel-2", ("msi",), "other",
            "OSCD, Daudt et al. 2018, change maps CC BY-NC-SA. Contains modified Copernicus Sentinel data", ONERA,
            "Daudt, Le Saux, Boulch, Gousseau: Urban change detection for multispectral Earth observation using convolutional "
            "neural networks. IGARSS, 2018, 10.1109/IGARSS.2018.8518015",
        ),
        Sensor(
            "resisc45-rgb", "NWPU-RESISC45, red, green and blue of Google Earth: display values, pixels of 0.2 to 30 m",
            _display(), "uint8", None, "uint8", "display", "several", ("several",), "other",
            "NWPU-RESISC45, Cheng, Han and Lu 2017, cut from Google Earth; copies state different licences. Images of", NWPU,
            "Cheng, Han, Lu: Remote sensing image scene classification, benchmark and state of the art. "
            "Proceedings of the IEEE 105(10), 2017, 10.1109/JPROC.2017.2675998",
            is_display=True,
        ),
        Sensor(
            "ucmerced-rgb", "UC Merced Land Use, red, green and blue of aerial images: display values, pixels of 1 foot",
            _display(), "uint8", None, "uint8", "display", "aerial", ("aerial",), "other",
            "UC Merced Land Use, Yang and Newsam 2010. Public domain images of the USGS National Map Urban Area Imagery,",
            UC_MERCED,
            "Yang, Newsam: Bag-of-visual-words and spatial extensions for land-use classification. "
            "ACM SIGSPATIAL GIS, 2010, 10.1145/1869790.1869829",
            is_display=True,
        ),
        Sensor(
            "rgb-image", "Pictures in red, green and blue: display values, of a ground and a pixel size that nobody stated",
            _display(), "uint8", None, "uint8", "display", "not-stated", ("not-stated",), "other",
            "Pictures from a folder, their origin and licence not stated, nor their dates: the interval is all of", NOT_STATED,
            is_display=True,
        ),
    )
}  # fmt: skip
"""Every sensor there is, by id."""

"""Sentinel-2 products as ESA packs them, of a small made-up tile: each level's own metadata, bands in lossless JPEG 2000."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

from catalogs.bands import find_sensor

EPSG, LEFT, TOP, SIDE_M = 32631, 499980, 5700000, 2400
TILE = "31UES"
OFFSET_BASELINE = "04.00"
PHYSICAL = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
NAMES = tuple(f"B0{name[1:]}" if len(name) == 2 else name for name in PHYSICAL)
MEADOW = (0.09, 0.07, 0.07, 0.04, 0.09, 0.2, 0.25, 0.27, 0.28, 0.1, 0.0015, 0.16, 0.07)
"""Reflectance of grass by band, as seen through clear air: nothing that anybody takes for cloud."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """What a product is to be."""

    level: str = "L2A"
    when: datetime = datetime(2023, 6, 14, 10, 50, 31, tzinfo=UTC)
    baseline: str = "05.09"
    cloud: float = 12.5
    orbit: int = 51
    satellite: str = "A"
    seed: int = 0
    clouded: float = 0.0
    """Share of the tile, from its north, that the mask calls cloud."""
    offsets: Mapping[str, int] | None = field(default=None)
    """By band; -1000 of each from baseline 04.00 on, where none are given."""

    @property
    def title(self):
        digits = self.baseline.replace(".", "")
        return f"S2{self.satellite}_MSI{self.level}_{self.when:%Y%m%dT%H%M%S}_N{digits}_R{self.orbit:03}_T{TILE}_{self.made}"

    @property
    def made(self):
        return f"{self.when:%Y%m%d}T164454"

    @property
    def kind(self):
        """The level as the products of that baseline call it: Level-2A was a pilot in 2017."""
        return f"{self.level[1:]}{'p' if self.is_pilot else ''}"

    @property
    def is_pilot(self):
        return self.level == "L2A" and self.baseline < "02.08"

    @property
    def granule(self):
        return f"{self.level}_T{TILE}_A041653_{self.when:%Y%m%dT%H%M%S}"

    @property
    def stated(self):
        """The offset of each band, none before baseline 04.00."""
        if self.baseline < OFFSET_BASELINE:
            return {}
        return dict.fromkeys(NAMES, -1000) | dict(self.offsets or {})

    @property
    def sensor(self):
        return find_sensor(f"sentinel-2-{self.level.lower()}")

    def reflectance(self, name):
        """Of a band at its own pixel size, the same in every convention; a multiple of 1e-4."""
        gsd = int(self.sensor.band(name).gsd)
        shape = (SIDE_M // gsd, SIDE_M // gsd)
        texture = np.random.default_rng([self.seed, NAMES.index(name)]).uniform(0.8, 1.2, shape)
        return np.round(MEADOW[NAMES.index(name)] * texture, 4)

    def numbers(self, name):
        """The same as the product's file holds it; nothing was measured in the first column."""
        numbers = np.round(self.reflectance(name) * 10_000).astype("uint16") - np.int32(self.stated.get(name, 0))
        numbers[:, 0] = 0
        return numbers.astype("uint16")

    def classes(self):
        """The mask at 20 m."""
        classes = np.full((SIDE_M // 20, SIDE_M // 20), 4, "uint8")
        classes[: round(len(classes) * self.clouded)] = 9
        classes[:, 0] = 0
        return classes


def write_product(folder: Path, product: Product, *, zipped: bool = False) -> Path:
    """Write a product below a folder; its bands at their own pixel sizes, and of Level-2A some at another too.

    Args:
        folder: Which is to hold it.
        product: What it is to be.
        zipped: As a zip file alone.
    """
    root = folder / f"{product.title}.SAFE"
    images = dict(_images(product))
    texts = {
        f"MTD_MSI{product.level}.xml": product_xml(product, images),
        f"GRANULE/{product.granule}/MTD_TL.xml": tile_xml(product),
    }
    for name, (gsd, pixels) in images.items():
        _write_jp2(root / name, gsd, pixels)
    texts["manifest.safe"] = manifest_xml(root)
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return _zip(root) if zipped else root


def _images(product):
    base = f"GRANULE/{product.granule}/IMG_DATA"
    for band in product.sensor.bands:
        gsd = int(band.gsd)
        name = f"T{TILE}_{product.when:%Y%m%dT%H%M%S}_{band.name}"
        if product.level == "L1C":
            yield f"{base}/{name}.jp2", (gsd, product.numbers(band.name))
            continue
        yield f"{base}/R{gsd}m/{name}_{gsd}m.jp2", (gsd, product.numbers(band.name))
        if gsd == 10:  # and again, coarser, as all of Level-2A are: not to be taken for the band
            yield f"{base}/R20m/{name}_20m.jp2", (20, product.numbers(band.name)[::2, ::2])
    if product.level == "L2A":
        mask = f"T{TILE}_{product.when:%Y%m%dT%H%M%S}_SCL"
        yield f"{base}/R20m/{mask}_20m.jp2", (20, product.classes())
        yield f"{base}/R60m/{mask}_60m.jp2", (60, product.classes()[::3, ::3])


def _write_jp2(path, gsd, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "JP2OpenJPEG", "width": pixels.shape[1], "height": pixels.shape[0], "count": 1, "dtype": pixels.dtype,
        "crs": f"EPSG:{EPSG}", "transform": Affine(gsd, 0, LEFT, 0, -gsd, TOP), "QUALITY": "100", "REVERSIBLE": "YES",
        "BLOCKXSIZE": "64", "BLOCKYSIZE": "64", "RESOLUTIONS": "1",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels, 1)


def _zip(root):
    path = root.with_suffix(".zip")
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.mkdir(root.name)
        for file in sorted(root.rglob("*")):
            archive.write(file, f"{root.name}/{file.relative_to(root).as_posix()}")
    shutil.rmtree(root)
    return path


def corners():
    """The tile's footprint, `lat lon` from the north west, closed."""
    west, south, east, north = transform_bounds(
        f"EPSG:{EPSG}", "EPSG:4326", LEFT, TOP - SIDE_M, LEFT + SIDE_M, TOP, densify_pts=2
    )
    return [(north, west), (north, east), (south, east), (south, west), (north, west)]


def product_xml(product: Product, images: Iterable[str] = ()) -> str:
    """The product's own metadata, as its level and baseline write them."""
    listed = "".join(f"<IMAGE_FILE>{name.removesuffix('.jp2')}</IMAGE_FILE>" for name in images)
    tag, group = ("BOA", "BOA_ADD_OFFSET_VALUES_LIST") if product.level == "L2A" else ("RADIO", "Radiometric_Offset_List")
    numbers = {name: number for number, name in enumerate(NAMES)}
    offsets = "".join(
        f'<{tag}_ADD_OFFSET band_id="{numbers[name]}">{offset}</{tag}_ADD_OFFSET>' for name, offset in product.stated.items()
    )
    spectral = "".join(
        f'<Spectral_Information bandId="{number}" physicalBand="{name}"><RESOLUTION>10</RESOLUTION></Spectral_Information>'
        for number, name in enumerate(PHYSICAL)
    )
    positions = " ".join(f"{value:.10f}" for corner in corners() for value in corner)
    name, digits, made = f"Level-{product.level[1:]}", product.baseline, f"{product.when:%Y-%m-%d}T16:44:54.000000Z"
    start = f"{product.when:%Y-%m-%dT%H:%M:%S}.024Z"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{name}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_{name}.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{start}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{start}</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{product.title}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{product.kind}</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI{product.kind}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{digits}</PROCESSING_BASELINE>
      <GENERATION_TIME>{made}</GENERATION_TIME>
      <Datatake datatakeIdentifier="GS2{product.satellite}_{product.when:%Y%m%dT%H%M%S}_041653_N{digits}">
        <SPACECRAFT_NAME>Sentinel-2{product.satellite}</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <SENSING_ORBIT_NUMBER>{product.orbit}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
      <Product_Organisation><Granule_List><Granule>{listed}</Granule></Granule_List></Product_Organisation>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      {_quantification(product)}
      {f"<{group}>{offsets}</{group}>" if offsets else ""}
      <Spectral_Information_List>{spectral}</Spectral_Information_List>
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info><Product_Footprint><Product_Footprint><Global_Footprint>
    <EXT_POS_LIST>{positions}</EXT_POS_LIST>
  </Global_Footprint></Product_Footprint></Product_Footprint></n1:Geometric_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{product.cloud}</Cloud_Coverage_Assessment>
  </n1:Quality_Indicators_Info>
</n1:{name}_User_Product>
"""


def _quantification(product):
    if product.level == "L1C":
        return '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    if product.is_pilot:
        return (
            "<L1C_L2A_Quantification_Values_List><L1C_TOA_QUANTIFICATION_VALUE>10000</L1C_TOA_QUANTIFICATION_VALUE>"
            "<L2A_BOA_QUANTIFICATION_VALUE>10000</L2A_BOA_QUANTIFICATION_VALUE></L1C_L2A_Quantification_Values_List>"
        )
    return (
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
        '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
    )


def manifest_xml(root: Path) -> str:
    """What the product's packing list says of its files."""
    listed = "".join(
        f'<dataObject ID="{number}"><byteStream mimeType="application/octet-stream" size="{path.stat().st_size}">'
        f'<fileLocation locatorType="URL" href="./{path.relative_to(root).as_posix()}"/>'
        f'<checksum checksumName="MD5">{hashlib.md5(path.read_bytes()).hexdigest()}</checksum></byteStream></dataObject>'
        for number, path in enumerate(sorted(root.rglob("*.jp2")))
    )
    space = "urn:ccsds:schema:xfdu:1"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}<xfdu:XFDU xmlns:xfdu="{space}"><dataObjectSection>{listed}</dataObjectSection></xfdu:XFDU>'


def tile_xml(product: Product) -> str:
    """The tile's metadata."""
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{product.level[1:]}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{product.level[1:]}_Tile_Metadata.xsd">
  <n1:General_Info><SENSING_TIME metadataLevel="Standard">{product.when:%Y-%m-%dT%H:%M:%S}.123Z</SENSING_TIME></n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding metadataLevel="Brief">
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone 31N</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{EPSG}</HORIZONTAL_CS_CODE>
    </Tile_Geocoding>
    <Tile_Angles metadataLevel="Standard">
      <Sun_Angles_Grid><Zenith><Values_List><VALUES>30.1 30.2</VALUES></Values_List></Zenith></Sun_Angles_Grid>
      <Mean_Sun_Angle>
        <ZENITH_ANGLE unit="deg">30.25</ZENITH_ANGLE>
        <AZIMUTH_ANGLE unit="deg">151.5</AZIMUTH_ANGLE>
      </Mean_Sun_Angle>
    </Tile_Angles>
  </n1:Geometric_Info>
</n1:Level-{product.level[1:]}_Tile_ID>
"""

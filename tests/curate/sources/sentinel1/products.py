"""Made-up products of Sentinel-1 as AWS lays them out: images with ground control points, annotation and calibration."""

from types import SimpleNamespace

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint

NAME = "S1A_IW_GRDH_1SDV_20240311T173953_20240311T174018_052938_066870_1A2B"
BLOCK_PX = 256
VECTOR_STEP = (300, 40)
"""Lines and pixels between the points of a calibration."""


def divisor(line, pixel):
    """What amplitude is divided by in VV: bilinear in line and pixel, as `sigmaNought` is between its points; in VH twice."""
    return 400.0 + 0.05 * line - 0.04 * pixel + 1e-5 * line * pixel


def annotation_xml(grid, *, height, width, polarisation="VV", mode="IW", spacing_m=10.0):
    """A product's annotation.

    Args:
        grid: As `Orbit.grid` gives it.
        height: Lines of the image.
        width: Its pixels.
        polarisation: Of the image.
        mode: Of the product.
        spacing_m: Of its pixels.
    """
    lines, pixels, *tables = grid
    names = ("longitude", "latitude", "height", "incidenceAngle")
    points = [
        "<geolocationGridPoint><azimuthTime>2024-03-11T17:39:53.000000</azimuthTime>"
        f"<line>{line:.0f}</line><pixel>{pixel:.0f}</pixel>"
        + "".join(f"<{name}>{table[row, column]:.15e}</{name}>" for name, table in zip(names, tables, strict=True))
        + "</geolocationGridPoint>"
        for row, line in enumerate(lines)
        for column, pixel in enumerate(pixels)
    ]
    return (
        f"<product><adsHeader><missionId>S1A</missionId><productType>GRD</productType><polarisation>{polarisation}"
        f"</polarisation><mode>{mode}</mode><swath>IW</swath></adsHeader><imageAnnotation><imageInformation>"
        f"<rangePixelSpacing>{spacing_m:e}</rangePixelSpacing><azimuthPixelSpacing>{spacing_m:e}</azimuthPixelSpacing>"
        f"<numberOfSamples>{width}</numberOfSamples><numberOfLines>{height}</numberOfLines></imageInformation></imageAnnotation>"
        f'<geolocationGrid><geolocationGridPointList count="{len(points)}">{"".join(points)}</geolocationGridPointList>'
        "</geolocationGrid></product>"
    )


def calibration_xml(*, height, width, factor=1.0):
    """A calibration: `divisor` at some points, a line before the image and one behind it among them."""
    pixels = np.unique([*range(0, width, VECTOR_STEP[1]), width - 1])
    vectors = []
    for line in range(-1, height + VECTOR_STEP[0], VECTOR_STEP[0]):
        values = " ".join(f"{factor * value:.9e}" for value in divisor(line, pixels))
        vectors.append(
            f'<calibrationVector><line>{line}</line><pixel count="{len(pixels)}">{" ".join(map(str, pixels))}</pixel>'
            f'<sigmaNought count="{len(pixels)}">{values}</sigmaNought></calibrationVector>'
        )
    return (
        "<calibration><calibrationInformation><absoluteCalibrationConstant>1.000000e+00</absoluteCalibrationConstant>"
        f'</calibrationInformation><calibrationVectorList count="{len(vectors)}">{"".join(vectors)}</calibrationVectorList>'
        "</calibration>"
    )


def write_product(folder, orbit, power_of, *, grid_shape=(4, 5), polarisations=("vv", "vh")):
    """Write a product.

    Args:
        folder: Of the product.
        orbit: What tells where its pixels lie.
        power_of: Sigma nought as a function of longitudes and latitudes; in VH it is a tenth. Where it is NaN, DN is 0.
        grid_shape: Of the geolocation grid.
        polarisations: Of its images.

    Returns:
        Addresses of the images, by polarisation.
    """
    height, width = orbit.height, orbit.width
    grid = orbit.grid(shape=grid_shape)
    line, pixel = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    power = power_of(*orbit.ground_of_all())
    images = {}
    for name in polarisations:
        factor, share = (1.0, 1.0) if name == "vv" else (2.0, 0.1)
        numbers = np.nan_to_num(np.round(factor * divisor(line, pixel) * np.sqrt(share * power))).astype("uint16")
        images[name] = folder / f"measurement/iw-{name}.tiff"
        write_image(images[name], numbers, grid)
        texts = {
            f"annotation/iw-{name}.xml": annotation_xml(grid, height=height, width=width, polarisation=name.upper()),
            f"annotation/rfi/rfi-iw-{name}.xml": "<rfi/>",
            f"annotation/calibration/calibration-iw-{name}.xml": calibration_xml(height=height, width=width, factor=factor),
        }
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return SimpleNamespace(folder=folder, images=images, grid=grid)


def write_image(path, numbers, grid, **options):
    """An image with the points of its geolocation grid, and no place on a map."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, pixels, lons, lats, heights, _ = grid
    points = [
        GroundControlPoint(line, pixel, lons[row, column], lats[row, column], heights[row, column])
        for row, line in enumerate(lines)
        for column, pixel in enumerate(pixels)
    ]
    shape = {"height": numbers.shape[0], "width": numbers.shape[1], "count": 1, "dtype": numbers.dtype}
    blocks = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "deflate"} | options
    with rasterio.open(path, "w", driver="GTiff", nodata=0, gcps=points, crs="EPSG:4326", **shape, **blocks) as raster:
        raster.write(numbers, 1)

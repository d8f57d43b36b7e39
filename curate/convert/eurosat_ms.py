"""EuroSAT with all 13 bands of Sentinel-2: TIFF of 64 x 64 pixels, top-of-atmosphere reflectance times 10,000.

The files name no band, and their order is not that of Sentinel-2: B8A is the last plane, after B12. Here it gets its place
back, so that `B8A` of a converted catalog is what `B8A` of a Sentinel-2 catalog is, and B09 is not taken for it.

All planes were brought to 10 m by the authors. The files do have a place on the ground, but their corners are fractions of a
metre and their pixels are no squares (9.93 to 10.06 m in 200 of them), which a location's grid cannot say without resampling:
pixels are kept, and the ground is left out. Neither is the date known; see `curate.convert.eurosat`. The files are older than
the processing baseline that shifted numbers by 1,000, so that the offset is 0. An image has the split that the image of its
name has in `eurosat`.

References:
    Helber et al., EuroSAT, IEEE JSTARS 2019, https://doi.org/10.1109/JSTARS.2019.2918242 (https://arxiv.org/abs/1709.00029)
    The archive EuroSAT_MS.zip, https://doi.org/10.5281/zenodo.7711810
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from catalogs.bands import SENSORS, raster_key
from catalogs.records import SourceWindow
from catalogs.writer import Patch
from curate.convert import eurosat
from curate.convert.class_images import Draw, choose_images, recipe_of, remarks_of
from curate.convert.data_files import DataFiles
from curate.convert.dataset import Dataset, Image
from curate.convert.decoding import read_pixels

KIND = "eurosat-ms"
SENSOR = SENSORS["eurosat-ms"]
PLANES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""Bands in the order of the files."""
ORDER = [PLANES.index(band.name) for band in SENSOR.bands]
"""The plane of each band of the sensor."""
EXPECTED = "EuroSAT_MS.zip, or the folder that it unpacks to, with images <Class>/<Class>_<number>.tif"


def open_eurosat_ms(path: Path, *, limit: int | None = None, seed: int = 0) -> Dataset:
    """The images of EuroSAT with 13 bands.

    Args:
        path: `EuroSAT_MS.zip`, or the folder that it unpacks to.
        limit: As of `open_eurosat`; the same images for the same seed, where the same ones are there.
        seed: Of that choice, and of the splits.

    Raises:
        CurateError: There is no such data set, or two files of one image.
    """
    files = DataFiles.at(path, EXPECTED)
    sizes = files.sizes()
    found = eurosat.find_images(path, sizes, "tiff?", f"expected {EXPECTED}. Its JPEG version is another data set: eurosat.")
    draw = Draw(eurosat.KIND, seed)  # of the JPEG version, so that an image has one split in both
    images = choose_images(found, draw, slug=KIND, side_m=round(eurosat.SIDE_PX * SENSOR.gsds[0]), limit=limit)
    return Dataset(
        kind=KIND,
        sensor=SENSOR.id,
        images=images,
        start=eurosat.SENTINEL_2A_LAUNCH,
        end=eurosat.PAPER_SUBMITTED,
        description=f"EuroSAT, {len(images)} images of 13 bands in {len({image.labels for image in images})} classes of land "
        "cover: ground left out, dates unknown, split image by image. Converted by seastars.",
        recipe=recipe_of(found, sizes, limit=limit, seed=seed),
        decode=partial(read_image, files),
        remarks=remarks_of(sizes.keys() - {image.member for image in found}, found, title="EuroSAT", count=eurosat.COUNT),
    )


def read_image(files: DataFiles, image: Image) -> list[Patch]:
    """Decode an image, its planes put into the sensor's order.

    Raises:
        CurateError: It is no TIFF, a damaged one, or one of another size or type.
        OSError: It cannot be read; see `DataFiles.read` for an archive's own errors.
    """
    form = (len(PLANES), eurosat.SIDE_PX, eurosat.SIDE_PX, SENSOR.data_type)
    pixels = read_pixels(files.read(image.member), ["TIFF"], expected=form)[ORDER]
    source = SourceWindow(f"{image.labels[0]}/{image.name}.tif", (0, 0, eurosat.SIDE_PX, eurosat.SIDE_PX))
    grid = image.location.grid(SENSOR.gsds[0])
    return [Patch(raster_key(SENSOR.bands[0]), pixels, SENSOR.bands, grid, (source,) * len(SENSOR.bands))]

"""NWPU-RESISC45 and UC Merced Land Use, made up: found by their names, of 256 x 256 pixels, odd ones resampled or told."""

import numpy as np
import pytest

from catalogs.bands import SENSORS
from curate.convert import open_dataset
from curate.convert.resisc45 import RESISC45
from curate.convert.ucmerced import UCMERCED
from curate.errors import CurateError
from tests.curate.convert.images import encode, encode_jpeg, make_picture, pack_zip, write_images


def make_resisc45(folder):
    names = [f"NWPU-RESISC45/{label}/{label}_{number:03d}.jpg" for label in RESISC45.classes for number in (1, 2)]
    return write_images(folder, dict.fromkeys(names, encode_jpeg(make_picture(1, 256))))


def make_ucmerced(folder):
    names = [f"UCMerced_LandUse/Images/{label}/{label}{number:02d}.tif" for label in UCMERCED.classes for number in (0, 1)]
    return write_images(folder, dict.fromkeys(names, encode(make_picture(1, 256), "GTiff")))


MAKERS = {"resisc45": make_resisc45, "ucmerced": make_ucmerced}


@pytest.mark.parametrize(("kind", "classes", "count"), [("resisc45", 45, 31_500), ("ucmerced", 21, 2_100)])
def test_images_are_found_in_folder_and_archive(tmp_path, kind, classes, count):
    folder = MAKERS[kind](tmp_path / "in")
    archive = pack_zip(folder, tmp_path / "in.zip")
    one, other = (open_dataset(kind, path, seed=5) for path in (folder, archive))
    assert (one.images, one.recipe) == (other.images, other.recipe)
    assert (one.kind, one.sensor, len(one.images)) == (kind, f"{kind}-rgb", 2 * classes)
    assert len({image.labels for image in one.images}) == classes
    assert one.images[0].location.id == f"{kind}-000000"
    assert all(image.name.startswith(image.labels[0]) for image in one.images)
    assert {image.location.side_m for image in one.images} == {256}
    assert one.remarks[:1] == [f"There are {2 * classes} of the {count:,} images of {one.description.partition(',')[0]}."]
    (patch,) = other.decode(other.images[-1])
    assert (patch.pixels.shape, patch.resampling) == ((3, 256, 256), None)
    assert len(open_dataset(kind, folder, limit=classes).images) == classes


def test_ucmerced_copies_what_is_256_pixels_and_resamples_the_rest(tmp_path):
    odd, whole = make_picture(3, 257)[:, :253], make_picture(4, 256)
    write_images(tmp_path, {"beach/beach00.tif": encode(odd, "GTiff"), "beach/beach01.tif": encode(whole, "GTiff")})
    dataset = open_dataset("ucmerced", tmp_path)
    first, second = (dataset.decode(image)[0] for image in dataset.images)
    assert (first.pixels.shape, first.resampling, first.sources[0].window) == ((3, 256, 256), "bilinear", (0, 0, 257, 253))
    rows, columns = (np.linspace(0, side - 1, 256).round().astype(int) for side in (253, 257))
    assert np.abs(first.pixels - odd[:, rows][:, :, columns].astype(float)).mean() < 1
    assert ((second.pixels == whole).all(), second.resampling) == (True, None)


def test_resisc45_tells_an_image_of_another_size(tmp_path):
    write_images(tmp_path, {"beach/beach_001.jpg": encode_jpeg(make_picture(3, 250))})
    dataset = open_dataset("resisc45", tmp_path)
    with pytest.raises(CurateError, match="it has 3 x 250 x 250 values; expected 3 x 256 x 256"):
        dataset.decode(dataset.images[0])


@pytest.mark.parametrize(("kind", "words"), [("resisc45", "NWPU-RESISC45"), ("ucmerced", "UC Merced Land Use")])
def test_another_layout_is_refused(tmp_path, kind, words):
    with pytest.raises(CurateError, match=f"holds 'beach/lake_1.gif', but no image of {words}; expected .*with images <class>"):
        open_dataset(kind, write_images(tmp_path / "a", {"beach/lake_1.gif": b""}))
    (tmp_path / "b").mkdir()
    with pytest.raises(CurateError, match="holds nothing"):
        open_dataset(kind, tmp_path / "b")
    twice = write_images(tmp_path / "c", dict.fromkeys(["x/beach/beach00.tif", "y/beach/beach00.tif"], b""))
    if kind == "ucmerced":
        with pytest.raises(CurateError, match=r"has beach00 twice, as x/beach/beach00\.tif and y/beach/beach00\.tif"):
            open_dataset(kind, twice)


@pytest.mark.parametrize("kind", ["resisc45", "ucmerced"])
def test_sensors_cite_their_papers_and_tell_display_values(kind):
    sensor = SENSORS[f"{kind}-rgb"]
    assert (sensor.is_display, sensor.license, sensor.citation.count("10.1")) == (True, "other", 1)
    assert [band.name for band in sensor.bands] == ["red", "green", "blue"]
    assert {(band.scale, band.offset, band.nodata) for band in sensor.bands} == {(1 / 255, 0.0, None)}

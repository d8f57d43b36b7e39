"""Any folder of class folders: found in either layout, of one size or brought to one, what cannot be used is told."""

from functools import partial

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.io import MemoryFile

from catalogs import open_catalog
from catalogs.console import progress
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from curate.convert import open_dataset
from curate.convert.class_folders import open_class_folders
from curate.convert.conversion import Conversion
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode, encode_jpeg, make_picture, pack_zip, write_images
from tests.trees import tree

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SENSOR = "rgb-image"
PNG = encode(make_picture(1, 32), "PNG")


def make_files(size=32):
    """Images of every format that is read."""
    files = {f"beach/{number:02d}.jpg": encode_jpeg(make_picture(number, size)) for number in range(6)}
    files |= {f"river bend/{number}.PNG": encode(make_picture(10 + number, size), "PNG") for number in range(5)}
    return files | {f"ville/{number}.tif": encode(make_picture(20 + number, size), "GTiff") for number in range(7)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("pictures"), make_files())


def convert(source, out, **options):
    summary = Conversion.prepare(out, open_class_folders(source, **options)).run(workers=1, watch=partial(progress, quiet=True))
    return open_catalog(out), summary


def test_the_catalog_holds_every_image_with_its_class_and_pixels(folder, tmp_path):
    catalog, summary = convert(folder, tmp_path / "cat")
    assert (summary.items_written, summary.failures) == (18, [])
    items = catalog.items(sensor=SENSOR)
    assert items.table["labels"].to_pylist() == [["beach"]] * 6 + [["river bend"]] * 5 + [["ville"]] * 7
    stack = open_stack(catalog, items)
    assert (stack.bands, stack.layers[0].shape) == (("red", "green", "blue"), (3, 32, 32))
    for number, scene in enumerate(items):
        assert scene.location.id == f"image-{number:06d}"
        assert (scene.location.epsg, scene.location.bounds) == (None, (0, 0, 32, 32))
        assert scene.rasters[0].resampling is None
        with rasterio.open(folder / scene.source_id) as raster:
            assert (catalog.read(scene) == raster.read()).all()
    assert (catalog.read(items[0], reflectance=True).max(), items[0].rasters[0].bands[0].gsd) <= (1.0, 1)
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid, messages(report)


def test_images_within_other_folders_and_archives_are_the_same_data_set(folder, tmp_path):
    write_images(tmp_path / "deep" / "a" / "b", make_files())
    archive = pack_zip(tmp_path / "deep", tmp_path / "pictures.zip")
    datasets = [open_class_folders(path, limit=11, seed=2) for path in (folder, tmp_path / "deep", archive)]
    for dataset in datasets[1:]:
        assert dataset.recipe == datasets[0].recipe
        assert [(image.location, image.name, image.labels) for image in dataset.images] == [
            (image.location, image.name, image.labels) for image in datasets[0].images
        ]
    convert(folder, tmp_path / "one", seed=2)
    convert(archive, tmp_path / "two", seed=2)
    assert {**tree(tmp_path / "one"), "catalog.json": 0} == {**tree(tmp_path / "two"), "catalog.json": 0}


def test_ids_and_splits_do_not_hang_on_the_limit_and_classes_are_even(folder):
    whole = {image.name: image for image in open_class_folders(folder, seed=1).images}
    some = open_class_folders(folder, limit=6, seed=1).images
    assert all(whole[image.name] == image for image in some)
    assert sorted(image.labels[0] for image in some) == ["beach"] * 2 + ["river bend"] * 2 + ["ville"] * 2


def test_several_sizes_are_counted_and_refused(tmp_path):
    write_images(tmp_path, {**make_files(), "ville/x.jpg": encode_jpeg(make_picture(1, 40))})
    with pytest.raises(
        CurateError,
        match=r"has images of 2 sizes: 32 x 32 pixels, 3 bands of uint8 \(18 images\), 40 x 40 pixels, 3 bands of uint8 "
        r"\(1 images\); expected squares of one size\. Give --size-px 32 to bring",
    ):
        open_class_folders(tmp_path)


def test_images_that_are_no_squares_are_refused(tmp_path):
    write_images(tmp_path, {"a/1.png": encode(make_picture(1, 40)[:, :30], "PNG")})
    with pytest.raises(CurateError, match=r"has images of 1 sizes: 40 x 30 pixels, .*Give --size-px 30 to bring"):
        open_class_folders(tmp_path)


def test_a_size_resamples_what_has_another_and_copies_the_rest(tmp_path):
    odd = make_picture(1, 40)[:, :30]
    source = write_images(tmp_path / "in", {**make_files(), "ville/x.png": encode(odd, "PNG")})
    catalog, summary = convert(source, tmp_path / "cat", size_px=32)
    assert (summary.items_written, summary.failures) == (19, [])
    told = {scene.source_id: scene for scene in catalog.items(sensor=SENSOR)}
    resampled = told.pop("ville/x.png")
    assert {scene.rasters[0].resampling for scene in told.values()} == {None}
    assert resampled.rasters[0].resampling == "bilinear"
    assert {source.window for source in resampled.rasters[0].sources} == {(0, 0, 40, 30)}
    with MemoryFile(encode(odd, "PNG")) as memory, memory.open() as raster:
        expected = raster.read(out_shape=(3, 32, 32), resampling=Resampling.bilinear)
    assert (catalog.read(resampled) == expected).all()
    rows = np.linspace(0, 29, 32).round().astype(int)
    columns = np.linspace(0, 39, 32).round().astype(int)
    assert np.abs(expected - odd[:, rows][:, :, columns].astype(float)).mean() < 4
    with rasterio.open(source / "beach" / "00.jpg") as raster:
        assert (catalog.read(told["beach/00.jpg"]) == raster.read()).all()
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid, messages(report)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (
            make_picture(1, 32, 1),
            r"1 bands of uint8 \(2 images\), .* \(1 images\); expected 3 bands of uint8: red, ",
        ),
        (make_picture(1, 32, 4), r"4 bands of uint8 \(2 images\), .* \(1 images\); expected 3 bands"),
        (
            make_picture(1, 32).astype("uint16"),
            r"3 bands of uint16 \(2 images\), .*; expected 3 bands of uint8",
        ),
    ],
)
def test_what_is_not_red_green_and_blue_of_eight_bits_is_refused(tmp_path, pixels, words):
    write_images(tmp_path, {"a/1.png": encode(pixels, "PNG"), "a/2.png": encode(pixels, "PNG"), "a/3.png": PNG})
    with pytest.raises(CurateError, match=words):
        open_class_folders(tmp_path)
    resized = open_class_folders(tmp_path, size_px=32)
    with pytest.raises(CurateError, match=rf"it has {len(pixels)} bands of {pixels.dtype}; expected 3 of uint8"):
        resized.decode(resized.images[0])


FLIPPED = PNG[:500] + bytes([PNG[500] ^ 1]) + PNG[501:]
TIFF = encode(make_picture(1, 32), "GTiff")
JPEG = encode_jpeg(make_picture(1, 32))
DAMAGED = [b"", b"hello", PNG[: len(PNG) // 2], PNG[:20], PNG[:-4], FLIPPED, TIFF[: len(TIFF) // 2], JPEG[: len(JPEG) // 2]]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("size_px", [None, 32])
def test_a_damaged_image_is_recorded_and_the_rest_converted(tmp_path, content, size_px):
    source = write_images(tmp_path / "in", {**make_files(), "ville/3.tif": content})
    _, summary = convert(source, tmp_path / "cat", size_px=size_px)
    (failure,) = summary.failures
    assert failure.message.startswith("ville/3.tif cannot be read: it is ")
    assert ("empty" in failure.message) == (content == b"")
    assert summary.items_written == 17
    report = check_catalog(tmp_path / "cat")
    assert report.is_valid, messages(report)


def test_a_folder_of_damaged_images_alone_is_refused(tmp_path):
    write_images(tmp_path, {"a/1.jpg": b"", "a/2.jpg": b"hello"})
    with pytest.raises(CurateError, match=r"None of the 2 images of .* can be read as JPEG or PNG or TIFF"):
        open_class_folders(tmp_path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], r"holds no image; expected a folder of class folders or a zip archive of one, with images <Class>/<image>"),
        (["notes.txt", "a/b.gif"], r"holds no image; expected"),
        (["1.jpg", "2.jpg"], r"holds 2 images, but no folder; expected a folder of class folders"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg"], r"in 2 folders: test \(1 images\), train \(2 images\)\. Give the"),
    ],
)
def test_other_layouts_are_refused_with_what_is_there(tmp_path, names, words):
    with pytest.raises(CurateError, match=words):
        open_class_folders(write_images(tmp_path, dict.fromkeys(names, PNG)))


def test_what_is_left_out_is_told(tmp_path):
    others = {"read me.txt": b"", "beach/.hidden.jpg": b"", "__MACOSX/beach/1.jpg": b"", "1.jpg": b""}
    dataset = open_class_folders(write_images(tmp_path, {**make_files(), **others}))
    assert dataset.remarks == ["Left out 4 files that are no images in a class folder, such as 1.jpg."]
    assert len(dataset.images) == 18


def test_it_is_a_kind_of_its_own_and_its_recipe_tells_the_size(folder):
    dataset = open_dataset("folder", folder, limit=4, size_px=16)
    assert (dataset.kind, dataset.sensor, dataset.recipe["size_px"]) == ("folder", SENSOR, 16)
    assert {image.location.side_m for image in dataset.images} == {16}
    assert open_dataset("folder", folder).recipe["size_px"] == 32

"""EuroSAT's images: found in any layout, chosen evenly, split and numbered the same every time, decoded as others do."""

import io
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import PIL.Image
import pytest

from catalogs.bands import SENSORS
from catalogs.records import Grid
from curate.convert import KINDS, open_dataset
from curate.convert.data_files import DataFiles
from curate.convert.eurosat import CLASSES, open_eurosat, read_image
from curate.errors import CurateError
from tests.curate.convert.images import COUNTS, encode_jpeg, make_folder, make_picture, pack_zip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("eurosat"))


@pytest.fixture(scope="module")
def archive(folder, tmp_path_factory):
    return pack_zip(folder, tmp_path_factory.mktemp("zip") / "EuroSAT_RGB.zip")


@pytest.fixture(scope="session")
def eurosat_zip(shared_data):
    path = shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip"
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def summary(dataset):
    return [(image.location, image.name, image.labels) for image in dataset.images]


def test_images_are_numbered_by_class_and_number(folder):
    dataset = open_eurosat(folder)
    assert (dataset.kind, dataset.sensor) == ("eurosat", "eurosat-rgb")
    assert [image.location.id for image in dataset.images] == [f"eurosat-{number:06d}" for number in range(13)]
    names = [f"{label}_{number}" for label, count in COUNTS.items() for number in range(1, count + 1)]
    assert [image.name for image in dataset.images] == names
    for image in dataset.images:
        assert image.labels == (image.name.partition("_")[0],)
        assert image.member == f"2750/{image.labels[0]}/{image.name}.jpg"
        assert (image.location.epsg, image.location.bounds) == (None, (0, 0, 640, 640))


def test_the_tenth_image_comes_after_the_ninth(tmp_path):
    names = [image.name for image in open_eurosat(make_folder(tmp_path, {"River": 11})).images]
    assert names == [f"River_{number}" for number in range(1, 12)]


def test_the_interval_is_from_sentinel_2a_to_the_paper(folder):
    dataset = open_eurosat(folder)
    assert (dataset.start, dataset.end) == (datetime(2015, 6, 23, tzinfo=UTC), datetime(2017, 8, 31, 23, 59, 59, tzinfo=UTC))


def test_an_archive_a_folder_and_its_inner_folder_are_one_data_set(folder, archive):
    datasets = [open_eurosat(path, limit=9, seed=3) for path in (folder, archive, folder / "2750")]
    assert summary(datasets[0]) == summary(datasets[1]) == summary(datasets[2])
    assert datasets[0].recipe == datasets[1].recipe == datasets[2].recipe
    pixels = [[patch.pixels for image in dataset.images for patch in dataset.decode(image)] for dataset in datasets]
    assert (np.stack(pixels[0]) == np.stack(pixels[1])).all()
    assert (np.stack(pixels[0]) == np.stack(pixels[2])).all()


@pytest.mark.parametrize(
    ("limit", "counts"),
    [(1, [1]), (3, [1, 1, 1]), (7, [3, 2, 2]), (8, [3, 3, 2]), (12, [6, 4, 2]), (99, [7, 4, 2]), (None, [7, 4, 2])],
)
def test_a_limit_takes_evenly_from_all_classes_what_they_have(folder, limit, counts):
    found = Counter(image.labels[0] for image in open_eurosat(folder, limit=limit).images)
    assert sorted(found.values(), reverse=True) == counts


def test_a_smaller_limit_takes_some_of_a_greater_one_with_the_same_ids_and_splits(folder):
    whole = {image.name: image for image in open_eurosat(folder).images}
    before = set()
    for limit in range(1, 14):
        images = open_eurosat(folder, limit=limit).images
        assert all(whole[image.name] == image for image in images)
        assert before < {image.name for image in images}
        assert [image.location.id for image in images] == sorted(image.location.id for image in images)
        before = {image.name for image in images}


def test_the_seed_chooses_and_splits(folder):
    chosen = {seed: tuple(image.name for image in open_eurosat(folder, limit=5, seed=seed).images) for seed in range(6)}
    splits = {seed: tuple(image.location.split for image in open_eurosat(folder, seed=seed).images) for seed in range(6)}
    assert len(set(chosen.values())) > 3
    assert len(set(splits.values())) > 3
    assert summary(open_eurosat(folder, limit=5, seed=2)) == summary(open_eurosat(folder, limit=5, seed=2))


def test_a_split_is_a_hash_of_seed_and_name(folder):
    for image in open_eurosat(folder, seed=7).images:
        digest = sha256(f"eurosat\n7\nsplit\n{image.name}".encode()).digest()
        assert image.location.split == ("test" if int.from_bytes(digest[:8], "big") < 0.2 * 2**64 else "train")


def test_the_recipe_tells_another_data_set(folder, tmp_path):
    recipe = open_eurosat(folder, limit=9, seed=3).recipe
    assert {**recipe, "images": recipe["images"]["count"]} == {"limit": 9, "seed": 3, "splits": [0.8, 0.0, 0.2], "images": 13}
    other = make_folder(tmp_path)
    (other / "2750" / "Forest" / "Forest_1.jpg").write_bytes(b"another")
    assert open_eurosat(other, limit=9, seed=3).recipe["images"] != recipe["images"]


def test_pixels_are_those_of_the_picture_red_first(tmp_path):
    (tmp_path / "Forest").mkdir()
    colours = np.zeros((3, 64, 64), "uint8")
    colours[0], colours[1], colours[2] = 200, 100, 30
    (tmp_path / "Forest" / "Forest_1.jpg").write_bytes(encode_jpeg(colours))
    dataset = open_eurosat(tmp_path)
    (patch,) = dataset.decode(dataset.images[0])
    assert np.abs(patch.pixels.mean(axis=(1, 2)) - [200, 100, 30]).max() < 2
    assert [band.name for band in patch.bands] == ["B04", "B03", "B02"]
    assert [band.common_name for band in patch.bands] == ["red", "green", "blue"]
    assert (patch.key, patch.pixels.dtype, patch.is_mask) == ("10m", np.uint8, False)
    assert patch.grid == Grid(None, (10.0, 0.0, 0.0, 0.0, -10.0, 640.0), 64, 64)
    assert {(source.href, source.window) for source in patch.sources} == {("Forest/Forest_1.jpg", (0, 0, 64, 64))}


def test_its_sensor_tells_display_values():
    sensor = SENSORS["eurosat-rgb"]
    assert {(band.scale, band.offset, band.nodata, band.gsd) for band in sensor.bands} == {(1 / 255, 0.0, None, 10)}
    assert (sensor.is_display, sensor.license, sensor.mask, sensor.data_type) == (True, "MIT", None, "uint8")
    assert "no reflectance" in sensor.title
    assert {name for name, other in SENSORS.items() if other.is_display} == {
        "eurosat-rgb", "resisc45-rgb", "ucmerced-rgb", "rgb-image",
    }  # fmt: skip


WHOLE = encode_jpeg(make_picture(1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"hello", "it is no JPEG, or a damaged one"),
        (WHOLE[: len(WHOLE) // 2], "it is no JPEG, or a damaged one"),
        (WHOLE[:-30], "it is no JPEG, or a damaged one"),
        (WHOLE[:1300] + WHOLE[1350:], "it is no JPEG, or a damaged one"),
        (encode_jpeg(make_picture(1, 48)), "it has 3 x 48 x 48 values; expected 3 x 64 x 64"),
        (encode_jpeg(make_picture(1, bands=1)), "it has 1 x 64 x 64 values; expected 3 x 64 x 64"),
    ],
)
def test_a_damaged_image_is_told(tmp_path, folder, content, words):
    (tmp_path / "a.jpg").write_bytes(content)
    image = replace(open_eurosat(folder).images[0], member="a.jpg")
    with pytest.raises(CurateError, match=words):
        read_image(DataFiles(tmp_path), image)


def test_a_damaged_file_within_an_archive_is_told(folder, tmp_path):
    path = pack_zip(folder, tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"\xff\xd8\xff") + 700] ^= 90
    path.write_bytes(content)
    dataset = open_eurosat(path)
    with pytest.raises(zipfile.BadZipFile, match=r"Bad CRC-32 for file '2750/AnnualCrop/AnnualCrop_1\.jpg'"):
        dataset.decode(dataset.images[0])
    assert dataset.decode(dataset.images[1])[0].pixels.shape == (3, 64, 64)


def test_another_layout_is_refused_with_what_is_there(tmp_path):
    (tmp_path / "AnnualCrop").mkdir()
    (tmp_path / "AnnualCrop" / "AnnualCrop_1.tif").write_bytes(b"")
    with pytest.raises(
        CurateError, match=r"holds 'AnnualCrop/AnnualCrop_1\.tif', but no image of EuroSAT; expected EuroSAT_RGB"
    ):
        open_eurosat(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CurateError, match="holds nothing, but no image of EuroSAT"):
        open_eurosat(tmp_path / "empty")


def test_two_files_of_one_image_are_refused(tmp_path):
    for name in ("a", "b"):
        make_folder(tmp_path / name, {"River": 2})
    with pytest.raises(CurateError, match=r"has River_1 twice, as a/2750/River/River_1\.jpg and b/2750/River/River_1\.jpg"):
        open_eurosat(tmp_path)


def test_other_files_and_missing_images_are_remarked_on(folder, tmp_path):
    assert open_eurosat(folder).remarks == ["There are 13 of the 27,000 images of EuroSAT."]
    other = make_folder(tmp_path)
    (other / "label_map.json").write_text("{}")
    (other / "2750" / "Forest" / "River_1.jpg").write_bytes(b"")
    assert open_eurosat(other).remarks[0] == (
        "Left out 2 files that are no images of EuroSAT, such as 2750/Forest/River_1.jpg."
    )


def test_an_unknown_kind_gets_a_guess(folder):
    with pytest.raises(CurateError, match=r"Unknown data set 'eurostat'\. Choose from: eurosat, .*\. Did you mean 'eurosat'\?"):
        open_dataset("eurostat", folder)
    with pytest.raises(CurateError, match=rf"Unknown data set 'x'\. Choose from: {', '.join(KINDS)}\.$"):
        open_dataset("x", folder)
    with pytest.raises(CurateError, match="--limit is 0; expected 1 or more images"):
        open_dataset("eurosat", folder, limit=0)
    with pytest.raises(CurateError, match="--size-px is 32, but the images of eurosat have a size of their own"):
        open_dataset("eurosat", folder, size_px=32)
    with pytest.raises(CurateError, match="--size-px is 0; expected 1 pixel or more"):
        open_dataset("folder", folder, size_px=0)


def test_the_real_archive_is_whole(eurosat_zip):
    dataset = open_eurosat(eurosat_zip)
    counts = Counter(image.labels[0] for image in dataset.images)
    assert set(counts) == set(CLASSES)
    assert (len(dataset.images), min(counts.values()), max(counts.values())) == (27_000, 2000, 3000)
    assert dataset.remarks == []
    in_test = Counter(image.labels[0] for image in dataset.images if image.location.split == "test")
    assert all(0.17 < in_test[label] / counts[label] < 0.23 for label in CLASSES)
    assert abs(in_test.total() / 27_000 - 0.2) < 0.01


def test_real_images_are_nearly_those_that_pillow_decodes(eurosat_zip):
    dataset, files = open_eurosat(eurosat_zip, limit=100), DataFiles(eurosat_zip)
    apart = []
    for image in dataset.images:
        theirs = np.asarray(PIL.Image.open(io.BytesIO(files.read(image.member)))).transpose(2, 0, 1)
        apart.append(np.abs(dataset.decode(image)[0].pixels.astype(int) - theirs).mean(axis=(1, 2)))
    assert np.mean(apart) < 1.2
    assert np.max(apart) < 5

"""Published lists of splits: read in the forms that there are, put in place of what was drawn, what does not fit is told."""

from functools import partial

import pytest

from catalogs import open_catalog
from catalogs.console import progress
from catalogs.errors import ContractError
from catalogs.validate import check_catalog
from curate.convert import open_dataset
from curate.convert.conversion import Conversion
from curate.convert.split_lists import read_split_lists
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode_jpeg, make_folder, make_picture, write_images

SPLITS = {
    "train": [f"AnnualCrop_{number}" for number in range(1, 6)] + ["Forest_1", "Forest_2", "SeaLake_1"],
    "val": ["AnnualCrop_6", "Forest_3"],
    "test": ["AnnualCrop_7", "Forest_4", "SeaLake_2"],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("eurosat"))


def write_lists(folder, splits=SPLITS, form="{label}/{name}.jpg\n"):
    lines = {
        f"eurosat-{split}.txt": "".join(form.format(label=name.partition("_")[0], name=name) for name in names).encode()
        for split, names in splits.items()
    }
    return write_images(folder, lines)


@pytest.mark.parametrize("form", ["{label}/{name}.jpg\n", "{name}.jpg\r\n", "{name}\n\n", "2750/{label}/{name}.tif\n"])
def test_images_are_in_the_splits_that_the_lists_say(source, tmp_path, form):
    dataset = open_dataset("eurosat", source, split_lists=write_lists(tmp_path, form=form))
    assert {image.name: image.location.split for image in dataset.images} == {
        name: split for split, names in SPLITS.items() for name in names
    }
    drawn = open_dataset("eurosat", source)
    assert [image.location.id for image in dataset.images] == [image.location.id for image in drawn.images]
    assert dataset.remarks[1:] == ["Classes that val has no image of: 1, such as SeaLake."]
    assert "splits" not in dataset.recipe
    assert "split by lists" in dataset.description


def test_the_order_of_lines_changes_nothing_but_a_split_does(source, tmp_path):
    backwards = {split: names[::-1] for split, names in SPLITS.items()}
    other = {**SPLITS, "val": SPLITS["test"], "test": SPLITS["val"]}
    lists = [read_split_lists(write_lists(tmp_path / str(n), each)) for n, each in enumerate([SPLITS, backwards, other])]
    assert lists[0].sha256 == lists[1].sha256 != lists[2].sha256


def test_the_catalog_keeps_them_and_is_valid(source, tmp_path):
    lists, out = write_lists(tmp_path / "lists"), tmp_path / "cat"
    dataset = open_dataset("eurosat", source, split_lists=lists)
    Conversion.prepare(out, dataset).run(workers=1, watch=partial(progress, quiet=True))
    catalog = open_catalog(out)
    assert [len(catalog.items(split=split)) for split in ("train", "val", "test")] == [8, 2, 3]
    report = check_catalog(out, deep=True)
    assert report.is_valid, messages(report)
    with pytest.raises(ContractError, match="made from another recipe"):
        Conversion.prepare(out, open_dataset("eurosat", source))


def test_images_in_no_list_and_names_of_no_image_are_counted(source, tmp_path):
    lists = write_lists(tmp_path, {"train": ["AnnualCrop_1", "Forest_1", "River_9"], "test": ["SeaLake_1"]})
    dataset = open_dataset("eurosat", source, split_lists=lists)
    assert sorted(image.location.split for image in dataset.images) == ["none"] * 10 + ["test"] + ["train"] * 2
    assert dataset.remarks[1:] == [
        f"10 images are in no list of {lists}, and in no split.",
        f"1 names in the lists of {lists} are no images of the data set.",
        "Classes that train has no image of: 1, such as SeaLake.",
        "Classes that test has no image of: 2, such as AnnualCrop, Forest.",
    ]


def test_a_limit_leaves_names_out_without_a_word(source, tmp_path):
    dataset = open_dataset("eurosat", source, limit=5, split_lists=write_lists(tmp_path))
    assert len(dataset.images) == 5
    assert all(image.name in SPLITS[image.location.split] for image in dataset.images)
    assert not any("names in the lists" in remark for remark in dataset.remarks)


def test_a_name_that_fits_two_images_of_a_folder_is_refused_without_its_class(tmp_path):
    picture = encode_jpeg(make_picture(1))
    source = write_images(tmp_path / "in", {"a/1.jpg": picture, "b/1.jpg": picture})
    with pytest.raises(CurateError, match=r"names 1, which fits 2 images, such as a/1\.jpg\. Write the class folder too"):
        open_dataset("folder", source, split_lists=write_images(tmp_path / "l", {"train.txt": b"1.jpg"}))
    lists = write_images(tmp_path / "m", {"train.txt": b"a/1.jpg", "test.txt": b"b/1.jpg"})
    dataset = open_dataset("folder", source, split_lists=lists)
    assert [image.location.split for image in dataset.images] == ["train", "test"]


def test_classes_that_a_drawn_split_lacks_are_told_whatever_the_kind(tmp_path):
    picture = encode_jpeg(make_picture(1))
    names = [f"rare {number}/1.jpg" for number in range(12)] + [f"common/{number}.jpg" for number in range(30)]
    dataset = open_dataset("folder", write_images(tmp_path, dict.fromkeys(names, picture)))
    in_test = sum(image.location.split == "test" for image in dataset.images if image.labels[0] != "common")
    assert 0 < in_test < 12
    assert [remark.partition(" rare")[0] for remark in dataset.remarks] == [
        f"Classes that train has no image of: {in_test}, such as",
        f"Classes that test has no image of: {12 - in_test}, such as",
    ]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({}, "has no list of images; expected train.txt, val.txt or test.txt"),
        ({"train.txt": b"\n\n"}, "has no list of images"),
        ({"a-train.txt": b"x", "b-train.txt": b"y"}, "has 2 lists of train: a-train.txt, b-train.txt. Keep one"),
        ({"train.txt": b"River_1.jpg", "test.txt": b"River_1.tif"}, "has River_1 in train and in test; expected each image"),
        ({"train.txt": b"lake_1.jpg"}, "names no image of the data set: it lists 'lake_1', and 'AnnualCrop_1' is one"),
    ],
)
def test_lists_that_make_no_split_are_refused(source, tmp_path, contents, words):
    with pytest.raises(CurateError, match=words):
        open_dataset("eurosat", source, split_lists=write_images(tmp_path, contents))

"""Images with masks: pixels and labels come back as they were, and what does not fit is refused in words."""

import json

import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.label_rasters import open_label_rasters
from catalogs.validate import check_catalog
from curate.convert.segmentation import open_segmentation
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode, encode_jpeg, pack_zip, write_images
from tests.curate.convert.masks import encode_mask, make_image, make_mask, make_pairs, on_utm
from tests.end_to_end.commands import curate

SENSOR = "rgb-image"


def convert(source, out, *options):
    assert curate("convert", "segmentation", source, "--out", out, "--quiet", *options) == 0
    report = check_catalog(out, deep=True)
    assert report.is_valid, messages(report)
    return open_catalog(out)


def read_labels(catalog):
    """Items and their labels, by source id."""
    items = catalog.items()
    labels = open_label_rasters(catalog, items, "labels")
    assert labels.rows.tolist() == list(range(len(items)))
    return labels.classes, {scene.source_id: (scene, labels.read(number)) for number, scene in enumerate(items)}


def test_images_and_masks_of_one_size_come_back_as_they_were(tmp_path):
    catalog = convert(make_pairs(tmp_path / "in", ["a", "b", "c"]), tmp_path / "cat")
    classes, found = read_labels(catalog)
    assert (classes, list(found)) == (("0", "1", "2"), ["a_0_0", "b_0_0", "c_0_0"])
    for seed, (scene, labels) in enumerate(found.values()):
        assert (catalog.read(scene) == make_image(seed)).all()
        assert (labels == make_mask(seed)).all()
        assert (scene.location.epsg, scene.location.side_m, scene.bands) == (None, 32, ("red", "green", "blue"))
    assert {scene.rasters[1].sources[0].href for scene, _ in found.values()} == {f"masks/{name}.png" for name in "abc"}


def test_large_images_are_cut_into_tiles_of_one_split_and_the_border_is_told_of(tmp_path, capsys):
    source, out = make_pairs(tmp_path / "in", list("abcdefgh"), height=40, width=52, masks="labels"), tmp_path / "cat"
    assert curate("convert", "segmentation", source, "--size-px", 16, "--out", out, "--seed", 1) == 0
    assert "Left out 26.2 % of all pixels, at the borders of 8 images." in " ".join(capsys.readouterr().err.split())
    report = check_catalog(out, deep=True)
    assert report.is_valid, messages(report)
    catalog = open_catalog(out)
    _, found = read_labels(catalog)
    assert len(found) == 8 * 2 * 3
    splits = {}
    for seed, name in enumerate("abcdefgh"):
        image, mask = make_image(seed, 40, 52), make_mask(seed, 40, 52)
        for row in (0, 16):
            for column in (0, 16, 32):
                scene, labels = found[f"{name}_{row}_{column}"]
                assert (catalog.read(scene) == image[:, row : row + 16, column : column + 16]).all()
                assert (labels == mask[row : row + 16, column : column + 16]).all()
                splits.setdefault(name, set()).add(scene.location.split)
    assert all(len(held) == 1 for held in splits.values())
    assert set.union(*splits.values()) == {"train", "test"}


def test_a_tile_has_the_same_id_and_split_whatever_the_limit(tmp_path):
    source = make_pairs(tmp_path / "in", list("abcdefgh"))
    everything = {image.name: image for image in open_segmentation(source, size_px=16).images}
    assert [image.location.id for image in everything.values()][3:5] == ["segmentation-a-000003", "segmentation-b-000004"]
    some = open_segmentation(source, size_px=16, limit=3)
    assert len(some.images) == 3 * 4
    assert all(image == everything[image.name] for image in some.images)


@pytest.mark.parametrize("place", ["{split}/{kind}/{name}", "{kind}/{split}/{name}"], ids=["above", "below"])
def test_folders_of_splits_are_the_splits(tmp_path, place):
    contents = {}
    for seed, split in enumerate(["train", "valid", "test"]):
        contents[place.format(split=split, kind="images", name="x.jpg")] = encode_jpeg(make_image(seed))
        contents[place.format(split=split, kind="masks", name="x.png")] = encode_mask(make_mask(seed))
    dataset = open_segmentation(write_images(tmp_path / "in", contents))
    assert {image.name: image.location.split for image in dataset.images} == {
        "train/x_0_0": "train", "valid/x_0_0": "val", "test/x_0_0": "test",
    }  # fmt: skip
    ids = [image.location.id for image in dataset.images]
    assert ids == ["segmentation-test-x-000000", "segmentation-train-x-000001", "segmentation-valid-x-000002"]


def test_lists_of_splits_name_images_and_all_their_tiles_follow(tmp_path):
    source = make_pairs(tmp_path / "in", ["a", "b", "c"])
    lists = write_images(tmp_path / "lists", {"train.txt": b"a.png\n", "val.txt": b"images/b\n", "test.txt": b"c"})
    catalog = convert(source, tmp_path / "cat", "--size-px", 16, "--split-lists", lists)
    splits = [(scene.source_id[0], scene.location.split) for scene in catalog.items()]
    assert splits == [("a", "train")] * 4 + [("b", "val")] * 4 + [("c", "test")] * 4


def test_a_zip_archive_is_the_same_data_set(tmp_path):
    source = make_pairs(tmp_path / "in" / "deep", ["train/a", "train/b"])
    archive = pack_zip(tmp_path / "in", tmp_path / "in.zip")
    assert [image.name for image in open_segmentation(archive).images] == ["a_0_0", "b_0_0"]
    assert open_segmentation(archive).recipe["classes"] == open_segmentation(source).recipe["classes"]
    one, other = (read_labels(convert(path, tmp_path / f"cat{place}")) for place, path in enumerate((archive, source)))
    assert all((labels == other[1][name][1]).all() for name, (_, labels) in one[1].items())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.txt", b"water\nforest\n\xc3\xa9tang gel\xc3\xa9\n"),
        ("classes.json", b'["water", "forest", "\xc3\xa9tang gel\xc3\xa9"]'),
    ],
)
def test_classes_are_called_as_the_file_beside_them_says(tmp_path, name, content):
    source = write_images(make_pairs(tmp_path / "in", ["a"]), {name: content})
    classes, _ = read_labels(convert(source, tmp_path / "cat"))
    assert classes == ("water", "forest", "étang gelé")


def test_values_with_gaps_are_renumbered_and_unknown_ones_are_255(tmp_path):
    mask = make_mask(4, values=(0, 3, 7, 200, 255))
    contents = {"images/a.png": encode(make_image(0), "PNG"), "masks/a.png": encode_mask(mask)}
    source = write_images(
        tmp_path / "in", {**contents, "classes.json": json.dumps({"3": "ice", "7": "sea", "200": "land"}).encode()}
    )
    catalog = convert(source, tmp_path / "cat", "--ignore", 0)
    classes, found = read_labels(catalog)
    assert classes == ("ice", "sea", "land")
    labels = found["a_0_0"][1]
    for value, number in {0: 255, 3: 0, 7: 1, 200: 2, 255: 255}.items():
        assert (labels[mask == value] == number).all()
    assert (catalog.recipe["convert"]["classes"], catalog.recipe["convert"]["ignore"]) == (
        {"3": "ice", "7": "sea", "200": "land"}, [0, 255],
    )  # fmt: skip


def test_255_is_a_class_where_it_has_a_name(tmp_path):
    mask = make_mask(5, values=(0, 255))
    contents = {"images/a.png": encode(make_image(0), "PNG"), "masks/a.png": encode_mask(mask)}
    source = write_images(tmp_path / "in", contents)
    with pytest.raises(CurateError, match=r"value 255 means that nobody knows, and 1 are classes; expected 2 to 255\. Name"):
        open_segmentation(source)
    write_images(source, {"classes.json": b'{"0": "ground", "255": "building"}'})
    classes, found = read_labels(convert(source, tmp_path / "cat"))
    assert classes == ("ground", "building")
    assert (found["a_0_0"][1] == (mask == 255)).all()


def test_geotiffs_on_whole_metres_of_utm_keep_their_ground(tmp_path):
    contents = {}
    for seed in range(2):
        left = 500_003 + 1000 * seed
        contents[f"images/{seed}.tif"] = on_utm(make_image(seed), left, 5_400_016, 0.5)
        contents[f"masks/{seed}.tif"] = on_utm(make_mask(seed)[None], left, 5_400_016, 0.5)
    catalog = convert(write_images(tmp_path / "in", contents), tmp_path / "cat", "--size-px", 16)
    scene = catalog.items()[3]
    assert (scene.source_id, scene.location.epsg, scene.location.off_lattice) == ("0_16_16", 32631, True)
    assert scene.location.bounds == (500_011, 5_400_000, 500_019, 5_400_008)
    assert {raster.grid.gsd for raster in scene.rasters} == {0.5}
    assert {band.gsd for raster in scene.rasters for band in raster.bands} == {0.5}
    assert (catalog.read(scene) == make_image(0)[:, 16:, 16:]).all()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (encode(make_image(1), "GTiff"), "1 of 2 do"),
        (on_utm(make_image(1), 500_000, 5_400_000, 1), "pixels are of 2 sizes"),
        (on_utm(make_image(1), 500_000.3, 5_400_000, 0.5), "1 of 2 do"),
        (on_utm(make_image(1), 2.5, 48, 0.5, epsg=4326), "1 of 2 do"),
    ],
    ids=["none", "other pixels", "fractions", "degrees"],
)
def test_ground_is_left_out_where_not_all_images_have_it(tmp_path, other, words):
    contents = {"images/0.tif": on_utm(make_image(0), 500_003, 5_400_016, 0.5), "images/1.tif": other}
    contents |= {f"masks/{seed}.png": encode_mask(make_mask(seed)) for seed in range(2)}
    dataset = open_segmentation(write_images(tmp_path / "in", contents))
    assert {image.location.epsg for image in dataset.images} == {None}
    assert [remark for remark in dataset.remarks if words in remark], dataset.remarks


def test_transparency_is_left_out(tmp_path):
    image = np.concatenate([make_image(0), np.full((1, 32, 32), 9, "uint8")])
    contents = {"images/a.png": encode(image, "PNG"), "masks/a.png": encode_mask(make_mask(0))}
    catalog = convert(write_images(tmp_path / "in", contents), tmp_path / "cat")
    assert (catalog.read(catalog.items()[0]) == image[:3]).all()


def drop(name):
    return lambda folder: (folder / name).unlink()


def put(name, content):
    return lambda folder: write_images(folder, {name: content})


UNNAMED = (
    r"have value 2, which no class has \(first: masks/a\.png, \d+ pixels\); the classes are values 0, 1\. "
    r"Name them in classes\.json, or give --ignore 2\."
)
MANY_BITS = encode(make_image(1).astype("uint16"), "PNG")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("masks/b.png"), r"has 1 images without a mask of the same name, such as images/b\.png; expected a folder"),
        (drop("images/b.png"), r"has 1 masks without an image of the same name, such as masks/b\.png"),
        (put("images/b.jpg", b""), r"has images/b\.(png|jpg) and images/b\.(png|jpg), which are called the same"),
        (put("masks/b.png", encode_mask(make_mask(1, 30))), r"has 32 x 32 pixels, and its mask masks/b\.png 32 x 30"),
        (put("masks/b.png", encode(make_image(1), "PNG")), r"masks/b\.png of .* has 3 bands of uint8; expected 1 of uint8"),
        (put("masks/b.png", encode_jpeg(make_image(1))), r"b\.png of .* cannot be read: it is no PNG or TIFF"),
        (put("images/b.png", MANY_BITS), r"has 3 bands of uint16; expected 3 of uint8"),
        (put("images/b.png", b"\x89PNG"), r"images/b\.png or its mask masks/b\.png of .* cannot be read: it is no JPEG or"),
        (put("classes.txt", b"water\nland"), UNNAMED),
        (put("classes.json", b"{"), r"classes\.json of .* cannot be read \(.*\); expected \{"),
        (put("classes.json", b'{"0": "a", "1": "a", "2": "b"}'), r"expected a name, each once, for values within 0 to 255"),
        (put("more/classes.txt", b"a\nb\nc"), r"has 2 files of class names: classes\.txt, more/classes\.txt"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, words):
    source = make_pairs(tmp_path / "in", ["a", "b"])
    if words.startswith("has 2 files"):
        write_images(source, {"classes.txt": b"a\nb\nc"})
    change(source)
    with pytest.raises(CurateError, match=words):
        open_segmentation(source)


def test_images_of_several_sizes_ask_for_one(tmp_path):
    source = make_pairs(tmp_path / "in", ["a", "b"], width=40)
    with pytest.raises(CurateError, match=r"1 sizes: 40 x 32 \(2 images\); expected squares of one size\. Give --size-px, "):
        open_segmentation(source)
    with pytest.raises(CurateError, match=r"has no image of 50 x 50 pixels or more\. Give a smaller --size-px"):
        open_segmentation(source, size_px=50)
    with pytest.raises(CurateError, match=r"holds no image, but no images in a folder images; expected a folder or a zip"):
        open_segmentation(write_images(tmp_path / "empty", {"readme.txt": b""}))


def test_a_mask_that_is_spoiled_later_is_a_failure_in_words(tmp_path, capsys):
    source, out = make_pairs(tmp_path / "in", ["a", "b", "c"]), tmp_path / "cat"
    dataset = open_segmentation(source)
    write_images(source, {"masks/a.png": encode_mask(make_mask(1, values=(0, 9)))})
    with pytest.raises(CurateError, match="it has value 9, which no class has"):
        dataset.decode(dataset.images[0])
    assert curate("convert", "segmentation", source, "--out", out, "--ignore", 300) == 2
    assert "--ignore is 300, for segmentation; expected a value of the masks" in " ".join(capsys.readouterr().err.split())

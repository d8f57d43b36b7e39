"""Conversions that leave images where they are: the catalog of copies, pixel for pixel, and nothing of theirs touched."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.checks.rasters import check_file
from catalogs.console import progress
from catalogs.errors import ContractError
from catalogs.label_rasters import open_label_rasters
from catalogs.recipe import read_recipe
from catalogs.records import GEOTIFF, JPEG, PNG, TIFF
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from curate.convert import conversion, open_dataset
from curate.convert.conversion import Conversion
from curate.convert.in_place import COPIED, ReleasedFolder
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.catalogs.packs import make_pack
from tests.curate.convert.images import encode, encode_jpeg, make_folder, make_picture, pack_zip, write_images
from tests.curate.convert.land_patches import BANDS, PATCHES_1, PATCHES_2, make_v1, make_v2
from tests.curate.convert.masks import encode_mask, make_image, make_mask, make_pairs, on_utm
from tests.trees import tree

QUIET = partial(progress, quiet=True)
OURS = ("catalog.json", "recipe.json", "locations.parquet", "failures.parquet")


def make_pictures(folder, kind):
    """A few images of one kind, one of another size where that may be."""
    if kind == "eurosat":
        return make_folder(folder, {"AnnualCrop": 2, "Forest": 1})
    if kind == "resisc45":
        names = ["beach/beach_001.jpg", "beach/beach_002.jpg", "lake/lake_001.jpg"]
        return write_images(folder, {name: encode_jpeg(make_picture(n, 256)) for n, name in enumerate(names)})
    if kind == "ucmerced":
        sizes = {"beach/beach00.tif": 257, "beach/beach01.tif": 256, "river/river00.tif": 256}
        return write_images(folder, {name: encode(make_picture(1, side), "GTiff") for name, side in sizes.items()})
    pictures = {"my class/a 1.jpg": "JPEG", "my class/b.png": "PNG", "other/c.tif": "GTiff"}
    return write_images(folder, {name: encode(make_picture(len(name), 48), driver) for name, driver in pictures.items()})


def convert(kind, source, out, *, in_place, watch=QUIET, items="parquet", **options):
    dataset = open_dataset(kind, source, **options)
    prepared = Conversion.prepare(out, dataset, items=items, in_place=source if in_place else None)
    return prepared.run(workers=1, watch=watch)


def around(source, kind="eurosat", **options):
    return convert(kind, source, source, in_place=True, **options)


def released_tree(folder, sensor):
    """What in a folder is not of the catalog."""
    return {name: digest for name, digest in tree(folder).items() if name not in OURS and not name.startswith(f"{sensor}/")}


@pytest.fixture
def source(tmp_path):
    return make_folder(tmp_path / "data", {"Forest": 3, "SeaLake": 2})


@pytest.mark.parametrize(
    ("kind", "types", "made"),
    [
        ("eurosat", [JPEG] * 3, 0),
        ("resisc45", [JPEG] * 3, 0),
        ("ucmerced", [GEOTIFF, TIFF, TIFF], 1),
        ("folder", [JPEG, PNG, TIFF], 0),
    ],
)
def test_every_set_is_what_its_copy_is(tmp_path, kind, types, made):
    folder = make_pictures(tmp_path / "data", kind)
    before = tree(folder)
    assert convert(kind, folder, tmp_path / "copy", in_place=False).made == 0
    assert around(folder, kind).made == made
    copy, left = open_catalog(tmp_path / "copy"), open_catalog(folder)
    sensor = copy.sensors[0]
    assert released_tree(folder, sensor) == before
    assert left.items().table.equals(copy.items().table)
    for one, other in zip(left.items(), copy.items(), strict=True):
        assert (one.location, one.labels, one.valid_percent, one.source_id) == (
            other.location, other.labels, other.valid_percent, other.source_id,
        )  # fmt: skip
        assert (left.read(one) == copy.read(other)).all()
    rasters = [scene.rasters[0] for scene in left.items()]
    assert [raster.media_type for raster in rasters] == types
    assert sum(not raster.is_released for raster in rasters) == made
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_each_band_of_bigearthnet_is_an_asset(tmp_path, version):
    maker, patches = {"1.0": (make_v1, PATCHES_1), "2.0": (make_v2, PATCHES_2)}[version]
    folder = maker(tmp_path / "data", dict(list(patches.items())[:2]))
    before = tree(folder)
    convert("bigearthnet", folder, tmp_path / "copy", in_place=False)
    convert("bigearthnet", folder, folder, in_place=True, items="json")
    assert released_tree(folder, "bigearthnet-s2") == before
    copy, left = open_catalog(tmp_path / "copy"), open_catalog(folder)
    for one, other in zip(left.items(), copy.items(), strict=True):
        assert {raster.key: raster.media_type for raster in one.rasters} == dict.fromkeys(BANDS, GEOTIFF)
        assert (one.location, one.datetime, one.radiometry, one.labels) == (
            other.location, other.datetime, other.radiometry, other.labels,
        )  # fmt: skip
        for band in BANDS:
            assert (left.read(one, [band]) == copy.read(other, [band])).all()
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)
    assert report.checked["assets read"] == 12 * len(left.items())
    make_pack(folder, sensor="bigearthnet-s2")
    stacks = [open_stack(catalog, catalog.items()) for catalog in (left, copy)]
    assert [stack.is_packed for stack in stacks] == [True, False]
    assert stacks[0].layers == stacks[1].layers
    for number in range(len(stacks[0])):
        arrays = [stack.empty() for stack in stacks]
        for stack, mine in zip(stacks, arrays, strict=True):
            stack.read_into(number, mine)
        assert all((one == other).all() for one, other in zip(*arrays, strict=True))


def test_a_band_that_lies_elsewhere_on_the_ground_is_found(tmp_path):
    folder = make_v2(tmp_path / "data", dict(list(PATCHES_2.items())[:1]))
    dataset = open_dataset("bigearthnet", folder)
    released = ReleasedFolder.of(dataset, folder, folder)
    (image,) = dataset.images
    first = released.rasters(image, dataset.decode(image)[0])[0]
    content = (folder / "bigearthnet-s2" / first.href).resolve().read_bytes()
    assert check_file(content, first, "B02").problems == []
    a, b, left, d, e, top = first.grid.transform
    moved = replace(first, grid=replace(first.grid, transform=(a, b, left + 10, d, e, top)))
    assert [problem.kind for problem in check_file(content, moved, "B02").problems] == ["grid"]


def test_the_catalog_may_lie_above_the_images_and_names_them_from_there(source, tmp_path):
    convert("eurosat", source, tmp_path, in_place=True)
    assert read_recipe(tmp_path)["convert"]["in_place"] == "data"
    assert open_catalog(tmp_path).items()[0].rasters[0].href == "../data/2750/Forest/Forest_1.jpg"
    assert check_catalog(tmp_path).is_valid


def test_a_path_may_be_the_current_folder(source, monkeypatch):
    monkeypatch.chdir(source)
    around(Path())
    assert check_catalog(source).is_valid
    assert json.loads((source / "catalog.json").read_text())["id"] == "data"


class Interrupted:
    """Progress that is interrupted after some images."""

    def __init__(self, after):
        self.after, self.seen = after, 0

    @contextmanager
    def watch(self, _total, _description, already=0):
        yield self

    def advance(self, ok=1, *, failed=0):
        self.seen += ok + failed
        if self.seen >= self.after:
            raise KeyboardInterrupt


def test_an_interrupted_conversion_ends_the_same_and_touches_no_image(source, tmp_path, monkeypatch):
    other = shutil.copytree(source, tmp_path / "other" / "data")
    before = tree(source)
    around(other, items="json")
    monkeypatch.setattr(conversion, "CHUNK", 1)
    summary = around(source, watch=Interrupted(2).watch, items="json")
    assert (summary.stopped, summary.items_written) == (True, 2)
    report = check_catalog(source)
    assert report.is_valid, messages(report)
    assert released_tree(source, "eurosat-rgb") == before
    summary = around(source, items="json")
    assert (summary.stopped, summary.items_written, summary.complete) == (False, 3, 5)
    assert tree(source) == tree(other)
    assert around(source, items="json").items_written == 0
    assert tree(source) == tree(other)


def test_a_damaged_image_is_recorded_and_left_alone(source):
    path = source / "2750" / "Forest" / "Forest_2.jpg"
    path.write_bytes(path.read_bytes()[:200])
    before = tree(source)
    (failure,) = around(source).failures
    assert failure.message.startswith("2750/Forest/Forest_2.jpg cannot be read: it is no JPEG, or a damaged one.")
    assert released_tree(source, "eurosat-rgb") == before
    assert check_catalog(source).is_valid


def test_the_catalog_around_a_data_set_is_no_part_of_it(source, tmp_path):
    (source / "readme.md").write_text("")
    first = open_dataset("eurosat", source)
    around(source)
    make_pack(source, sensor="eurosat-rgb")
    again = open_dataset("eurosat", source)
    assert (again.images, again.recipe, again.remarks) == (first.images, first.recipe, first.remarks)
    assert first.remarks[0] == "Left out 1 files that are no images of EuroSAT, such as readme.md."
    (tmp_path / "recipe.json").write_text("{}")
    assert open_dataset("eurosat", tmp_path).remarks[0].startswith("Left out ")


@pytest.mark.parametrize("kind", sorted(COPIED))
def test_sets_that_cannot_stay_say_why(kind, source):
    dataset = replace(open_dataset("eurosat", source), kind=kind)
    with pytest.raises(CurateError, match=rf"Images of {kind} cannot stay where they are: .* Leave --in-place out, and they"):
        Conversion.prepare(source, dataset, in_place=source)


def test_images_with_masks_stay_unless_they_are_cut(tmp_path):
    folder = make_pairs(tmp_path / "data", ["train/a", "train/b", "test/c"])
    glass = np.concatenate([make_image(7), make_image(8)[:1]])
    (folder / "images/train/d.png").write_bytes(encode(glass, "PNG"))
    (folder / "masks/train/d.png").write_bytes(encode_mask(make_mask(7)))
    before = tree(folder)
    with pytest.raises(CurateError, match=r"Images of segmentation cannot stay where they are: they are cut into tiles\."):
        around(folder, "segmentation", size_px=16)
    assert tree(folder) == before
    assert around(folder, "segmentation").made == 1  # that with a fourth band
    convert("segmentation", folder, tmp_path / "copy", in_place=False)
    assert released_tree(folder, "rgb-image") == before
    left, copy = open_catalog(folder), open_catalog(tmp_path / "copy")
    labels = [open_label_rasters(catalog, catalog.items(), "labels") for catalog in (left, copy)]
    for number, (one, other) in enumerate(zip(left.items(), copy.items(), strict=True)):
        assert (left.read(one) == copy.read(other)).all()
        assert (labels[0].read(number) == labels[1].read(number)).all()
    stays = [[raster.is_released for raster in scene.rasters] for scene in left.items()]
    assert stays == [[True, False]] * 3 + [[False, False]]
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)


@pytest.mark.parametrize(("left", "stays"), [(500_000, True), (500_000 + 1e-7, False)])
def test_an_image_on_its_ground_stays_if_an_item_can_say_where_it_lies(tmp_path, left, stays):
    folder = make_pairs(tmp_path / "data", ["a"])
    (folder / "images/a.png").unlink()
    (folder / "images/a.tif").write_bytes(on_utm(make_image(0), left, 5_400_000, 2))
    around(folder, "segmentation")
    (scene,) = open_catalog(folder).items()
    assert (scene.rasters[0].is_released, scene.rasters[0].media_type) == (stays, GEOTIFF)
    assert scene.location.bounds == (500_000, 5_399_936, 500_064, 5_400_000)
    report = check_catalog(folder, deep=True)
    assert report.is_valid, messages(report)


def test_what_is_in_an_archive_cannot_stay(source, tmp_path):
    archive = pack_zip(source, tmp_path / "x.zip")
    with pytest.raises(CurateError, match=r"x\.zip is an archive, and what is in it .* Unpack it and give the folder, or"):
        convert("eurosat", archive, tmp_path, in_place=True)


def test_a_catalog_elsewhere_cannot_name_them(source, tmp_path):
    with pytest.raises(CurateError, match=r"--out .*elsewhere does not hold .*data, whose images .* Leave --out out to take"):
        convert("eurosat", source, tmp_path / "elsewhere", in_place=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_that_the_catalog_needs_is_told(source):
    (source / "eurosat-rgb").mkdir()
    with pytest.raises(ContractError, match="has 'eurosat-rgb' already, which its catalog would be called too"):
        around(source)
    assert not (source / "recipe.json").exists()


@pytest.mark.parametrize("mark", ["#", "?", "%", "\\"])
def test_a_name_that_no_href_can_say_is_told(tmp_path, mark):
    folder = write_images(tmp_path / "in", {f"a/{mark}1.png": encode(make_picture(1), "PNG")})
    with pytest.raises(CurateError, match=r"1\.png has .* in its name, which an href cannot say\. Rename it, or leave"):
        around(folder, "folder")
    assert convert("folder", folder, tmp_path / "copy", in_place=False).complete == 1


def test_what_was_left_is_not_copied_later_nor_the_other_way_round(source, tmp_path):
    around(source)
    with pytest.raises(ContractError, match=r'made from another recipe \(convert\): in_place was "\.", now absent') as told:
        convert("eurosat", source, source, in_place=False)
    removed = "catalog.json, eurosat-rgb, failures.parquet, locations.parquet, recipe.json"
    assert f"or begin anew by removing {removed}: no image is among them." in str(told.value)
    convert("eurosat", source, tmp_path / "data" / "copy", in_place=False)
    with pytest.raises(ContractError, match="in_place was absent, now"):
        Conversion.prepare(source / "copy", open_dataset("eurosat", source), in_place=source / "copy")


def test_images_of_other_sizes_are_written_and_the_rest_stays(tmp_path):
    pictures = {"a/1.png": 64, "a/2.png": 70, "b/3.png": 64}
    folder = write_images(tmp_path / "in", {name: encode(make_picture(1, side), "PNG") for name, side in pictures.items()})
    assert around(folder, "folder", size_px=64).made == 1
    rasters = [scene.rasters[0] for scene in open_catalog(folder).items()]
    assert [(raster.is_released, raster.resampling) for raster in rasters] == [(True, None), (False, "bilinear"), (True, None)]
    assert len(list(folder.rglob("*.tif"))) == 1
    assert check_catalog(folder, deep=True).is_valid

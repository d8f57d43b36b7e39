"""BigEarthNet of either version: pixels, labels, splits, ground and dates are those of the files; what is left out is told."""

import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.bands import SENSORS
from catalogs.failures import read_failures
from catalogs.recipe import read_recipe
from catalogs.records import Radiometry
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from curate.convert import open_dataset
from curate.convert.bigearthnet import open_bigearthnet
from curate.convert.bigearthnet_labels import CLASSES_19, CLASSES_43, MERGED, merge_labels
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import write_images
from tests.curate.convert.land_patches import (
    BANDS,
    PATCHES_1,
    PATCHES_2,
    TILE,
    TILE_2,
    corner_of,
    make_v1,
    make_v2,
    planes_of,
    write_lists,
    write_patch_files,
)
from tests.end_to_end.commands import curate
from tests.trees import tree

SENSOR = "bigearthnet-s2"
USED_1 = [name for name in sorted(PATCHES_1) if name != "S2A_MSIL2A_20170613T101031_45_3"]
SPLITS_1 = {"train": USED_1[:1], "val": USED_1[1:2], "test": USED_1[2:]}


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    folder = make_v1(tmp_path_factory.mktemp("v1"), PATCHES_1)
    write_lists(folder, SPLITS_1)
    return folder


@pytest.fixture(scope="module")
def v2(tmp_path_factory):
    return make_v2(tmp_path_factory.mktemp("v2"), PATCHES_2)


def convert(source, out, *words):
    assert curate("convert", "bigearthnet", source, "--out", out, "--quiet", *words) == 0
    return open_catalog(out)


@pytest.fixture(scope="module", params=["v1", "v2"])
def converted(request, tmp_path_factory):
    """Either version: its catalog, and the names of its patches in order."""
    names = USED_1 if request.param == "v1" else sorted(PATCHES_2)
    source = request.getfixturevalue(request.param)
    return convert(source, tmp_path_factory.mktemp("converted") / "cat"), names


def test_the_catalog_is_valid(converted):
    report = check_catalog(converted[0].href, deep=True)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    collection = converted[0].collection(SENSOR)
    assert collection["license"] == "CDLA-Permissive-1.0"
    assert "10.1109/IGARSS.2019.8900532" in collection["sci:citation"]
    assert "Contains modified Copernicus Sentinel data 2017" in collection["description"]


def test_every_band_is_the_file_of_its_name(converted):
    catalog, names = converted
    items = catalog.items(sensor=SENSOR)
    assert [scene.source_id for scene in items] == names
    for scene, name in zip(items, names, strict=True):
        assert sorted(raster.key for raster in scene.rasters) == ["10m", "20m", "60m"]
        for band, pixels in planes_of(name).items():
            assert (catalog.read(scene, bands=[band])[0] == pixels).all()
    stack = open_stack(catalog, items, ["B8A"])
    (layer,) = stack.empty()
    stack.read_into(0, (layer,))
    assert np.allclose(layer[0] * stack.scale[0][0] + stack.offset[0][0], planes_of(names[0])["B8A"] * 1e-4)


def test_ground_and_date_are_those_of_the_patch(converted):
    catalog, names = converted
    for scene, name in zip(catalog.items(sensor=SENSOR), names, strict=True):
        left, top = corner_of(name)
        assert (scene.location.epsg, scene.location.bounds) == (TILE[0], (left, top - 1200, left + 1200, top))
        for raster in scene.rasters:
            assert (raster.grid.transform[2], raster.grid.transform[5]) == (left, top)
            with rasterio.open(f"{catalog.href}/{SENSOR}/{raster.href}") as file:
                assert (file.crs.to_epsg(), file.bounds[:]) == (TILE[0], (left, top - 1200, left + 1200, top))
        when = datetime.strptime(name.split("_")[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        assert (scene.datetime, scene.start_datetime) == (when, None)
        assert scene.platform == {"S2A": "sentinel-2a", "S2B": "sentinel-2b"}[name[:3]]
        assert scene.radiometry == Radiometry("default", "consistent", evidence="dark")
        assert {(band.scale, band.offset) for raster in scene.rasters for band in raster.bands} == {(1e-4, 0.0)}


def test_version_2_has_the_labels_and_splits_of_its_table(v2):
    dataset = open_dataset("bigearthnet", v2)
    assert [image.labels for image in dataset.images] == [tuple(PATCHES_2[name][0]) for name in sorted(PATCHES_2)]
    assert [image.location.split for image in dataset.images] == ["train", "val", "test"]
    assert dataset.recipe["splits"] == "as published"
    assert dataset.remarks[0] == "There are 3 of the 480,038 patches of BigEarthNet 2.0."
    inner = open_dataset("bigearthnet", v2 / "BigEarthNet-S2")
    assert (inner.recipe, [image.location for image in inner.images]) == (
        dataset.recipe,
        [image.location for image in dataset.images],
    )
    assert (inner.decode(inner.images[0])[0].pixels == dataset.decode(dataset.images[0])[0].pixels).all()


def test_version_1_has_the_labels_of_its_files_in_either_nomenclature(v1, tmp_path):
    merged = {image.name: image.labels for image in open_dataset("bigearthnet", v1).images}
    assert merged == {
        "S2A_MSIL2A_20170613T101031_26_57": ("Urban fabric",),
        "S2A_MSIL2A_20170613T101031_27_57": ("Coniferous forest", "Mixed forest"),
        "S2B_MSIL2A_20180204T094159_8_9": ("Marine waters", "Natural grassland and sparsely vegetated areas"),
    }
    raw = open_dataset("bigearthnet", v1, classes=43)
    assert {image.name: list(image.labels) for image in raw.images} == PATCHES_1
    ids = {image.name: image.location.id for image in raw.images}
    assert all(ids[image.name] == image.location.id for image in open_dataset("bigearthnet", v1).images)
    catalog = convert(v1, tmp_path / "cat", "--classes", 43)
    assert catalog.items().table["labels"].to_pylist() == [PATCHES_1[name] for name in sorted(PATCHES_1)]
    assert read_recipe(tmp_path / "cat")["convert"]["classes"] == 43


def test_the_19_classes_are_made_of_32_of_the_43():
    assert (len(CLASSES_19), len(set(CLASSES_43)), sum(map(len, MERGED.values()))) == (19, 43, 32)
    assert merge_labels(["Airports", "Peatbogs", "Inland marshes", "Rice fields"]) == ("Inland wetlands", "Arable land")
    assert merge_labels(["Bare rock"]) == ()


def test_official_lists_beside_the_patches_are_their_splits(v1, tmp_path):
    dataset = open_dataset("bigearthnet", v1)
    assert [image.location.split for image in dataset.images] == ["train", "val", "test"]
    assert "split by lists" in dataset.description
    assert ("split_lists" in dataset.recipe, "splits" in dataset.recipe) == (True, False)
    assert f"Splits are those of the lists in {v1}." in dataset.remarks
    write_lists(tmp_path, {"test": USED_1})
    mine = open_dataset("bigearthnet", v1, split_lists=tmp_path)
    assert {image.location.split for image in mine.images} == {"test"}
    assert not any("in no split" in remark or "Splits are those" in remark for remark in mine.remarks)


def test_without_lists_splits_are_drawn_and_that_is_told(v1, tmp_path):
    shutil.copytree(v1 / "BigEarthNet-v1.0", tmp_path / "only" / "BigEarthNet-v1.0")
    for place in (tmp_path / "only", tmp_path / "only" / "BigEarthNet-v1.0"):
        dataset = open_dataset("bigearthnet", place)
        assert {image.location.split for image in dataset.images} <= {"train", "test"}
        assert dataset.recipe["splits"] == [0.8, 0.0, 0.2]
        assert "There are no train.csv, val.csv and test.csv: splits are drawn. Get them from the authors." in dataset.remarks
    seeds = [open_dataset("bigearthnet", place, seed=seed).images for seed in range(8)]
    assert len({tuple(image.location.split for image in images) for images in seeds}) > 1


def test_what_is_left_out_is_counted(v1):
    dataset = open_dataset("bigearthnet", v1)
    assert dataset.recipe["left_out"] == {"none of whose labels is among the 19 classes": 1}
    assert dataset.remarks[:4] == [
        "Left out 1 patch none of whose labels is among the 19 classes.",
        "patches_with_seasonal_snow.csv is not there: patches under seasonal snow are kept. Get it from bigearth.net.",
        "patches_with_cloud_and_shadow.csv is not there: patches under cloud or its shadow are kept. Get it from bigearth.net.",
        "There are 4 of the 590,326 patches of BigEarthNet 1.0.",
    ]


def test_snow_and_cloud_are_left_out_where_the_lists_are_there(v1, v2, tmp_path):
    folder = shutil.copytree(v1, tmp_path / "v1")
    (folder / "patches_with_seasonal_snow.csv").write_text(f"{USED_1[0]}\n")
    (folder / "patches_with_cloud_and_shadow.csv").write_text(f"{USED_1[1]}\nS2A_MSIL2A_20170613T101031_1_1\n")
    dataset = open_dataset("bigearthnet", folder)
    assert [image.name for image in dataset.images] == USED_1[2:]
    assert "Left out 1 patch under cloud or its shadow." in dataset.remarks
    flagged = make_v2(tmp_path / "v2", PATCHES_2, contains_seasonal_snow=[True, False, False])
    write_patch_files(flagged / "BigEarthNet-S2" / TILE_2, f"{TILE_2}_00_00")
    kept = open_dataset("bigearthnet", flagged)
    assert [image.name for image in kept.images] == sorted(PATCHES_2)[1:]
    assert kept.recipe["left_out"] == {"that metadata.parquet does not list": 1, "under seasonal snow": 1}
    assert [image.location.id for image in kept.images] == ["bigearthnet-000001", "bigearthnet-000002"]


def test_a_part_of_the_archive_has_the_ids_of_the_whole(v2, tmp_path):
    folder = shutil.copytree(v2, tmp_path / "part")
    shutil.rmtree(folder / "BigEarthNet-S2" / TILE_2 / f"{TILE_2}_26_57")
    whole = {image.name: image for image in open_bigearthnet(v2).images}
    part = open_bigearthnet(folder).images
    assert [image.name for image in part] == sorted(PATCHES_2)[1:]
    assert all(image == whole[image.name] for image in part)


def test_a_limit_takes_rare_classes_and_is_part_of_a_greater_one(v1):
    choices = [[image.name for image in open_bigearthnet(v1, limit=limit, seed=3).images] for limit in (1, 2, 3)]
    assert [len(choice) for choice in choices] == [1, 2, 3]
    assert set(choices[0]) < set(choices[1]) < set(choices[2])
    everything = {image.name: image.location for image in open_bigearthnet(v1, seed=3).images}
    assert all(image.location == everything[image.name] for image in open_bigearthnet(v1, limit=2, seed=3).images)


def test_two_dates_of_one_ground_are_two_locations(tmp_path):
    other = TILE_2.replace("20170613T101031", "20180508T101031")
    patches = {**PATCHES_2, f"{other}_26_57": (["Pastures"], "train")}
    catalog = convert(make_v2(tmp_path / "in", patches), tmp_path / "cat")
    same = [scene for scene in catalog.items() if scene.source_id.endswith("_26_57")]
    assert len(same) == len({scene.location.id for scene in same}) == 2
    assert len({scene.location.bounds for scene in same}) == 1
    assert check_catalog(tmp_path / "cat").is_valid


def test_what_is_damaged_is_recorded_and_converted_when_it_is_mended(v2, tmp_path):
    folder = shutil.copytree(v2, tmp_path / "in")
    place = folder / "BigEarthNet-S2" / TILE_2
    lost = place / f"{TILE_2}_27_57" / f"{TILE_2}_27_57_B8A.tif"
    whole = lost.read_bytes()
    lost.unlink()
    shutil.rmtree(place / f"{TILE_2}_45_03")
    write_patch_files(place, f"{TILE_2}_45_03", corner=(300_000, 5_400_000))
    convert(folder, tmp_path / "cat")
    failures = read_failures(tmp_path / "cat")
    member, third = f"BigEarthNet-S2/{TILE_2}/{TILE_2}", "(354000.0, 5395200.0, 355200.0, 5396400.0)"
    assert failures[0].message.startswith(f"{member}_27_57 cannot be read: it lacks {TILE_2}_27_57_B8A.tif. Get the data")
    assert failures[1].message.startswith(
        f"{member}_45_03 cannot be read: {TILE_2}_45_03_B02.tif lies on EPSG:32633 (300000.0, 5398800.0, 301200.0, 5400000.0); "
        f"expected EPSG:32633 {third}, as the patch. Get"
    )
    assert check_catalog(tmp_path / "cat").is_valid
    lost.write_bytes(whole)
    shutil.rmtree(place / f"{TILE_2}_45_03")
    write_patch_files(place, f"{TILE_2}_45_03")
    convert(folder, tmp_path / "cat")
    convert(v2, tmp_path / "undisturbed" / "cat")
    assert tree(tmp_path / "cat") == tree(tmp_path / "undisturbed" / "cat")


def damage(folder, change):
    """A copy of version 1 whose first patch says other things."""
    path = folder / "BigEarthNet-v1.0" / USED_1[0] / f"{USED_1[0]}_labels_metadata.json"
    told = json.loads(path.read_text())
    text = change(told)
    path.write_text(text if isinstance(text, str) else json.dumps(told))
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: '{"labels": [', "is damaged (JSONDecodeError"),
        (lambda told: told.pop("labels"), "is damaged (KeyError: 'labels')"),
        (lambda told: told["labels"].append("Moon"), "'Moon' is none of the 43 classes"),
        (lambda told: told["coordinates"].update(lrx=5), "no square of 1200 m"),
        (lambda told: told.update(projection="nowhere"), "is damaged (IndexError"),
    ],
)
def test_patches_whose_json_is_damaged_are_left_out_and_told(v1, tmp_path, change, words):
    def broken(told):
        answer = change(told)
        return answer if isinstance(answer, str) and answer.startswith("{") else None

    dataset = open_bigearthnet(damage(shutil.copytree(v1, tmp_path / "v1"), broken))
    assert [image.name for image in dataset.images] == USED_1[1:]
    assert "Left out 1 patch whose labels cannot be read." in dataset.remarks
    (told,) = [remark for remark in dataset.remarks if remark.startswith(f"The first of them is {USED_1[0]}: ")]
    assert words in told


def test_a_json_that_is_not_there_is_told(v1, tmp_path):
    folder = shutil.copytree(v1, tmp_path / "v1")
    (folder / "BigEarthNet-v1.0" / USED_1[0] / f"{USED_1[0]}_labels_metadata.json").unlink()
    assert any(
        remark.endswith(f"{USED_1[0]}_labels_metadata.json is not there.") for remark in open_bigearthnet(folder).remarks
    )


def rewrite(folder, **columns):
    table = pq.read_table(folder / "metadata.parquet")
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place) if values is None else table.set_column(place, name, [values])
    pq.write_table(table, folder / "metadata.parquet")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"labels": None}, r"metadata\.parquet has columns patch_id, split, .*; expected labels too"),
        ({"split": ["train", "dev", "test"]}, r"has S2A_.*_27_57 in split 'dev'; expected train, validation or test"),
        ({"labels": [["Moon"], ["Pastures"], ["Pastures"]]}, r"gives S2A_.*_26_57 label 'Moon', none of the 19 classes"),
        ({"labels": [[], ["Pastures"], ["Pastures"]]}, r"gives S2A_.*_26_57 no label"),
        ({"patch_id": ["a", "b", "c"]}, "names 'a', which is no patch of BigEarthNet 2.0"),
    ],
)
def test_a_table_of_other_things_is_refused(v2, tmp_path, columns, words):
    folder = shutil.copytree(v2, tmp_path / "v2")
    rewrite(folder, **columns)
    with pytest.raises(CurateError, match=words):
        open_bigearthnet(folder)


def test_a_table_that_is_not_there_or_damaged_is_told(v2, tmp_path):
    folder = shutil.copytree(v2, tmp_path / "v2")
    (folder / "metadata.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CurateError, match=r"metadata\.parquet is no table, or a damaged one"):
        open_bigearthnet(folder)
    (folder / "metadata.parquet").unlink()
    with pytest.raises(CurateError, match=r"has tiles of BigEarthNet 2\.0, but no metadata\.parquet with their labels"):
        open_bigearthnet(folder)


def test_a_tile_without_a_file_that_says_where_it_lies_is_told(v2, tmp_path):
    folder = shutil.copytree(v2, tmp_path / "v2")
    for path in folder.rglob("*_B02.tif"):
        path.write_bytes(b"")
    with pytest.raises(CurateError, match=r"None of the 3 patches of .*T33UUP says where it lies: it is empty"):
        open_bigearthnet(folder)


def test_other_places_are_refused_with_what_was_expected(v1, v2, tmp_path):
    with pytest.raises(CurateError, match=r"nowhere is not there; expected the folder of BigEarthNet-S2-v1\.0 with"):
        open_bigearthnet(tmp_path / "nowhere")
    write_images(tmp_path, {"BigEarthNet-S2-v1.0.tar.gz": b"", "other/notes.txt": b""})
    with pytest.raises(CurateError, match=r"is a file; .*Unpack it first: tar -xf BigEarthNet-S2-v1\.0\.tar\.gz$"):
        open_bigearthnet(tmp_path / "BigEarthNet-S2-v1.0.tar.gz")
    with pytest.raises(CurateError, match=r"other holds 'notes\.txt', but no patch of BigEarthNet"):
        open_bigearthnet(tmp_path / "other")
    with pytest.raises(CurateError, match="--classes is 20; expected 19 or 43"):
        open_bigearthnet(v1, classes=20)
    with pytest.raises(CurateError, match=r"--classes is 43, but .* is BigEarthNet 2\.0, labelled in 19 classes"):
        open_bigearthnet(v2, classes=43)
    with pytest.raises(CurateError, match="--classes is 19, but eurosat has one set of classes"):
        open_dataset("eurosat", v1, classes=19)
    snowed = shutil.copytree(v1, tmp_path / "v1") / "BigEarthNet-v1.0"
    (snowed.parent / "patches_with_seasonal_snow.csv").write_text("\n".join(PATCHES_1))
    with pytest.raises(CurateError, match=r"has no patch of BigEarthNet that can be used: Left out 4 patches under sea"):
        open_bigearthnet(snowed)


def test_its_bands_are_those_of_our_sentinel_2_catalogs_without_the_offset():
    ours, theirs = SENSORS[SENSOR], SENSORS["sentinel-2-l2a"]
    assert [(band.name, band.gsd, band.scale, band.nodata) for band in ours.bands] == [
        (band.name, band.gsd, band.scale, band.nodata) for band in theirs.bands
    ]
    assert {band.name: band.gsd for band in ours.bands} == BANDS
    assert {band.offset for band in ours.bands} == {0.0}

"""So2Sat LCZ42: bands, labels and splits are those of its files, and so is the ground where version 4 states it."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.bands import SENSORS
from catalogs.failures import read_failures
from catalogs.recipe import read_recipe
from catalogs.stack import open_stack
from catalogs.validate import check_catalog
from curate.convert import open_dataset, so2sat
from curate.convert.so2sat import open_so2sat
from curate.convert.so2sat_files import CLASSES
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.end_to_end.commands import curate
from tests.trees import tree

SENSOR = "so2sat-s2"
FILE_ORDER = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
"""As the data set's authors state it, written out apart from the code."""
COUNTS = {"training": 9, "validation": 4, "testing": 5}
SPLITS = {"training": "train", "validation": "val", "testing": "test"}
CENTRE = (550495.858, 4183054.43)
"""Of a patch in San Francisco, as the authors' notebook prints it."""


def planes_of(name):
    """Sentinel-2 of a file: reflectance of eight bytes, each band in a range of its own."""
    rng = np.random.default_rng(list(name.encode()))
    return 0.05 * np.arange(1, 11) + rng.uniform(0, 0.04, (COUNTS[name], 32, 32, 10))


def classes_of(name):
    """Class of each patch: every third one a class of its own, the others of few."""
    return [(3 * place) % 17 if place % 3 else 16 - place for place in range(COUNTS[name])]


def write_file(folder, name, *, labelled=True, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file["sen1"] = np.zeros((COUNTS[name], 32, 32, 8))
        file["sen2"] = changes.get("sen2", planes_of(name))
        if labelled:
            file["label"] = changes.get("label", np.eye(17)[classes_of(name)])


def write_ground(folder, name, epsg=32610):
    """As version 4 has it: centre, two pixel numbers each of both sensors; zone; a world file's six parameters."""
    count = COUNTS[name]
    with h5py.File(folder / f"{name}_geo.h5", "w") as file:
        step = 100.0 * np.arange(count)
        rest = np.tile([1835.0, 2550.0, 1800.0, 2550.0], (count, 1))
        file["coord"] = np.column_stack([CENTRE[0] + step, np.full(count, CENTRE[1]), rest])
        file["epsg"] = np.full((count, 1), epsg)
        file["tfw"] = np.zeros((count, 6))


def make_so2sat(folder, names=COUNTS):
    for name in names:
        write_file(folder, name)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_so2sat(tmp_path_factory.mktemp("so2sat"))


def convert(source, out, *words):
    assert curate("convert", "so2sat", source, "--out", out, "--quiet", *words) == 0
    return open_catalog(out)


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    return convert(source, tmp_path_factory.mktemp("converted") / "cat")


def test_the_catalog_is_valid(converted):
    report = check_catalog(converted.href, deep=True)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    collection = converted.collection(SENSOR)
    assert (collection["license"], "10.1109/MGRS.2020.2964708" in collection["sci:citation"]) == ("CC-BY-4.0", True)


def test_every_band_is_the_plane_of_its_name(converted):
    items = converted.items(sensor=SENSOR)
    planes = np.concatenate([planes_of(name) for name in COUNTS]).astype("float32")
    assert len(items) == len(planes) == 18
    for place, band in enumerate(FILE_ORDER):
        stack = open_stack(converted, items, [band])
        (layer,) = stack.empty()
        for number, scene in enumerate(items):
            assert (converted.read(scene, bands=[band])[0] == planes[number, :, :, place]).all()
            stack.read_into(number, (layer,))
            assert (layer[0] * stack.scale[number][0] + stack.offset[number][0] == planes[number, :, :, place]).all()


def test_labels_and_splits_are_those_of_the_files(converted):
    items = converted.items(sensor=SENSOR)
    labels = [CLASSES[label] for name in COUNTS for label in classes_of(name)]
    assert [scene.labels for scene in items] == [(label,) for label in labels]
    assert [scene.location.split for scene in items] == [SPLITS[name] for name in COUNTS for _ in range(COUNTS[name])]
    assert items[9].source_id == "validation/000000"
    assert (items[0].datetime, items[0].end_datetime) == (None, datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC))
    recipe = read_recipe(Path(converted.href))["convert"]
    assert (recipe["splits"], recipe["images"]["files"]) == (
        "as published",
        {"training.h5": 9, "validation.h5": 4, "testing.h5": 5},
    )


def test_its_bands_are_called_and_scaled_as_those_of_sentinel_2():
    ours, theirs = SENSORS[SENSOR], SENSORS["sentinel-2-l2a"]
    known = {band.name: (band.common_name, band.wavelength_um) for band in theirs.bands}
    assert {band.name: (band.common_name, band.wavelength_um) for band in ours.bands} == {
        name: known[name] for name in known if name not in ("B01", "B09")
    }
    assert {(band.gsd, band.scale, band.offset) for band in ours.bands} == {(10, 1.0, 0.0)}


def test_the_ground_is_left_open_where_nobody_states_it(converted, source):
    assert {(scene.location.epsg, scene.location.bounds) for scene in converted.items()} == {(None, (0, 0, 320, 320))}
    assert open_so2sat(source).remarks == [
        "Left out the eight planes of Sentinel-1.",
        "The ground is not known: training_geo.h5 and so on, of version 4, are not there.",
    ]


def test_the_ground_of_version_4_is_kept_to_half_a_metre(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    write_ground(folder, "validation")
    catalog = convert(folder, tmp_path / "cat")
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid, messages(report)
    items = catalog.items()
    assert {scene.location.epsg for scene in items[:9]} == {None}
    for place, scene in enumerate(items[9:13]):
        left, bottom, right, top = scene.location.bounds
        assert scene.location.epsg == 32610
        assert (right - left, top - bottom) == (320, 320)
        assert abs(left - (CENTRE[0] + 100 * place - 160)) <= 0.5
        assert abs(top - (CENTRE[1] + 160)) <= 0.5
    assert items[9].location.bounds[:2] == (550336, 4182894)
    assert read_recipe(tmp_path / "cat")["convert"]["ground"] == ["validation.h5"]


def test_a_zone_that_is_none_leaves_the_ground_open(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    write_ground(folder, "testing", epsg=0)
    assert {image.location.epsg for image in open_so2sat(folder).images} == {None}


def test_patches_are_made_when_they_are_looked_at(source):
    images = open_so2sat(source).images
    assert not isinstance(images, list)
    assert (
        [image.location.id for image in images[3:5]]
        == [images[3].location.id, images[4].location.id]
        == [
            "so2sat-000003",
            "so2sat-000004",
        ]
    )
    assert images[-1].member == "testing.h5/4"
    with pytest.raises(IndexError):
        images[18]


def test_a_limit_is_spread_over_classes_and_part_of_a_greater_one(source):
    everything = {image.location.id: image for image in open_so2sat(source).images}
    choices = [open_so2sat(source, limit=limit, seed=5).images for limit in (3, 7)]
    assert [len(choice) for choice in choices] == [3, 7]
    assert {image.name for image in choices[0]} < {image.name for image in choices[1]}
    assert len({image.labels for image in choices[1]}) == 7
    assert all(image == everything[image.location.id] for image in choices[1])


def test_version_3_is_a_folder_per_split(tmp_path):
    make_so2sat(tmp_path / "random", ["training", "testing"])
    assert {image.location.split for image in open_so2sat(tmp_path / "random").images} == {"train", "test"}
    with pytest.raises(CurateError, match=r"has several splits of So2Sat: random\. Give one of them, such as .*random\.$"):
        open_so2sat(tmp_path)


def test_processes_write_the_same_bytes_and_an_item_can_be_tried_again(source, converted, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    with h5py.File(folder / "training.h5", "r+") as file:
        whole = file["sen2"][4]
        file["sen2"][4, 0, :3, 0] = np.nan
    convert(folder, tmp_path / "cat", "--workers", 1)
    (failure,) = read_failures(tmp_path / "cat")
    assert failure.message.startswith("training.h5/4 cannot be read: 3 of its 10,240 values are no numbers. Get the data")
    so2sat._held.cache_clear()
    with h5py.File(folder / "training.h5", "r+") as file:
        file["sen2"][4] = whole
    convert(folder, tmp_path / "cat")
    assert tree(tmp_path / "cat") == tree(Path(converted.href))


def test_patches_of_no_class_or_several_are_left_out_and_counted(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    labels = np.eye(17)[classes_of("validation")]
    labels[0], labels[2, :2] = 0, 1
    write_file(folder, "validation", label=labels)
    dataset = open_so2sat(folder)
    assert "Left out 2 patches that have no class, or several." in dataset.remarks
    assert [image.location.id for image in dataset.images if image.location.split == "val"] == [
        "so2sat-000010",
        "so2sat-000012",
    ]


def test_a_file_without_labels_is_left_out_and_told(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    write_file(folder, "testing", labelled=False)
    dataset = open_so2sat(folder)
    assert {image.location.split for image in dataset.images} == {"train", "val"}
    assert dataset.remarks[0] == "Left out testing.h5, which has no labels: it is of version 1. Version 2 has them."
    write_file(tmp_path / "alone", "testing", labelled=False)
    with pytest.raises(CurateError, match=r"has no file with labels: Left out testing\.h5"):
        open_so2sat(tmp_path / "alone")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sen2": np.zeros((9, 32, 32, 13))}, r"holds label of 9 x 17, sen1 of 9 x 32 x 32 x 8, sen2 of 9 x 32 x 32 x 13; exp"),
        ({"label": np.zeros((8, 17))}, r"has labels of 8 x 17; expected 9 x 17, as many as patches in sen2"),
    ],
)
def test_files_of_another_layout_are_refused(tmp_path, changes, words):
    write_file(tmp_path, "training", **changes)
    with pytest.raises(CurateError, match=words):
        open_so2sat(tmp_path)


def test_a_damaged_file_is_told(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    (folder / "training.h5").write_bytes(b"\x89HDF and no more")
    with pytest.raises(CurateError, match=r"training\.h5 \(16 bytes\) is no HDF5, or a part of one\. Download it again"):
        open_so2sat(folder)


def test_the_ground_of_other_patches_is_refused(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "in")
    write_ground(folder, "validation")
    (folder / "validation_geo.h5").rename(folder / "testing_geo.h5")
    with pytest.raises(CurateError, match=r"testing_geo\.h5 is not of the 5 patches of testing\.h5; expected coord and epsg"):
        open_so2sat(folder)


def test_other_places_are_refused_with_what_was_expected(source, tmp_path):
    with pytest.raises(CurateError, match=r"nowhere is not there; expected a folder with training\.h5"):
        open_so2sat(tmp_path / "nowhere")
    with pytest.raises(CurateError, match=r"training\.h5 is a file; .*Give the folder it is in\.$"):
        open_so2sat(source / "training.h5")
    with pytest.raises(CurateError, match=r"holds nothing, but no file of So2Sat LCZ42; expected"):
        open_so2sat(tmp_path)
    (tmp_path / "training.h5.gz").write_bytes(b"")
    with pytest.raises(CurateError, match=r"has training\.h5\.gz, which is packed\. Unpack it first: gunzip training\.h5\.gz$"):
        open_so2sat(tmp_path)
    with pytest.raises(CurateError, match=r"--split-lists is .*, but images of so2sat have no names: its files are its splits"):
        open_dataset("so2sat", source, split_lists=tmp_path)


def test_h5py_is_asked_for_by_name_where_it_is_missing(source):
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from pathlib import Path\n"
        "from curate.convert.so2sat import open_so2sat\n"
        f"open_so2sat(Path({str(source)!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "which reads that, is not installed. Run: pip install h5py" in ended.stderr

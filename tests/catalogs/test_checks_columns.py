"""Records of items whose files are not read: what is wrong with a column of them is found, and told as of one that is read."""

import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import layout
from catalogs.checks.items import RANGES
from catalogs.pixels import multihash_file
from catalogs.testing import make_catalog, make_images, make_locations
from catalogs.validate import check_catalog
from tests.catalogs.damage import edit_json, messages

S2 = "sentinel-2-l2a"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_catalog(tmp_path_factory.mktemp("sound") / "cat", locations=make_locations(3, side_m=120), json_items=False)


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "cat")


def set_value(folder, column, value, row=4):
    """Change a value of a row of the index, and make the collection agree."""
    path = folder / S2 / layout.INDEX
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = value(values[row]) if callable(value) else value
    changed = pa.array(values, table.schema.field(column).type)
    pq.write_table(table.set_column(table.column_names.index(column), table.schema.field(column), changed), path)
    edit_json(
        folder / S2 / layout.COLLECTION,
        lambda document: document["assets"]["items"].update({"file:checksum": multihash_file(path)}),
    )


FAULTS = {
    "collection": ("naip", "schema", "'naip'"),
    "seastars:split": ("train", "split", r"Has split 'train'; its location \S*\s?is in 'val'"),
    "proj:code": ("EPSG:32632", "grid", "32632"),
    "proj:bbox": (lambda box: [box[0] + 60, box[1], box[2] + 60, box[3]], "grid", "its location"),
    "bbox": (lambda box: {**box, "xmax": box["xmax"] + 1e-4}, "grid", "bbox"),
    "eo:cloud_cover": (101.0, "schema", "eo:cloud_cover is 101"),
    "view:sun_elevation": (-91.0, "schema", "view:sun_elevation is -91"),
}


@pytest.mark.parametrize("column", FAULTS)
def test_what_is_wrong_with_a_record_is_found_though_its_files_are_not_read(folder, column):
    value, kind, words = FAULTS[column]
    set_value(folder, column, value)
    briefly, fully = (check_catalog(folder, sample=count) for count in (0, 3))
    assert {problem.kind for problem in briefly.problems} - {"collection"} == {kind}, messages(briefly)
    assert any(problem.where.startswith(f"{S2}/test-000002_") for problem in briefly.problems)
    assert kind in fully.counts, messages(fully)
    for report in (briefly, fully):
        assert re.search(words, messages(report)), messages(report)


def test_records_whose_files_are_read_are_told_once(folder):
    set_value(folder, "eo:cloud_cover", 101.0)
    assert check_catalog(folder, sample=0).counts == {"schema": 1}
    assert check_catalog(folder, sample=3).counts == check_catalog(folder, deep=True).counts


def test_a_column_that_an_index_lacks_is_told(folder):
    path = folder / S2 / layout.INDEX
    pq.write_table(pq.read_table(path).drop_columns(["proj:bbox"]), path)
    report = check_catalog(folder, sample=0)
    assert "Lacks the column 'proj:bbox'; expected it of every item" in messages(report)


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_a_range_are_within_it(folder, name):
    for row, value in enumerate(RANGES[name]):
        set_value(folder, name, float(value), row=row)
    set_value(folder, name, None, row=2)
    assert check_catalog(folder, sample=0).is_valid


@pytest.mark.parametrize("lon", [1.44, 179.999, -179.999])
def test_sound_records_have_no_fault_wherever_they_are(tmp_path, lon):
    places = make_locations(1, lon=lon, lat=-17.8, side_m=120)
    report = check_catalog(make_catalog(tmp_path / "cat", locations=places), sample=0)
    assert report.is_valid, messages(report)


def test_images_whose_ground_is_not_known_have_no_fault(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_images(2, side_m=32), sensors=["rgb-image"], seasons=1)
    report = check_catalog(folder, sample=0)
    assert report.is_valid, messages(report)

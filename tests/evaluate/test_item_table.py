"""The table of items beside a result: it is read as it was written, and never taken for another's."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from evaluate.errors import ResultError
from evaluate.item_table import ItemTable, box_centres, items_path, read_items, write_items
from evaluate.result import read_result, write_result
from tests.evaluate.test_result import RESULT

IDS = np.array(["i0", "i1", "i2"])
LOCATIONS = np.array(["a", "b", "a"])
LONLAT = np.array([[1.5, 43.0], [np.nan, np.nan], [-180.0, -1.0]])
SINGLE = ItemTable(IDS, LOCATIONS, np.array([0, 2, 1]), LONLAT, (np.array([[0, 1, 1]]), np.array([[2, 2, 2], [0, 2, 1]])))
TRUTH = np.array([[True, False], [True, True], [False, True]])
SCORES = np.random.default_rng(0).random((4, 3, 2)).astype(np.float32)
SEVERAL = ItemTable(IDS, LOCATIONS, TRUTH, LONLAT, (SCORES, SCORES[:1]))
PIXELS = np.array([[7, 2], [9, 0], [5, 4]])
COUNTS = np.array(
    [[[[6, 1], [2, 0]], [[9, 0], [0, 0]], [[5, 0], [1, 3]]], [[[7, 0], [1, 1]], [[8, 1], [0, 0]], [[2, 3], [0, 4]]]]
)
DENSE = ItemTable(IDS, LOCATIONS, PIXELS, LONLAT, (COUNTS, COUNTS[1:]), origins=np.array(["city", "b", "city"]))


def check_same(one, other):
    for name in ("ids", "locations", "truth", "lonlat"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=name in {"truth", "lonlat"})
    assert len(one.found) == len(other.found)
    assert (one.origins is None) == (other.origins is None)
    np.testing.assert_array_equal(one.groups, other.groups)
    for mine, theirs in zip(one.found, other.found, strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)


@pytest.mark.parametrize("table", [SINGLE, SEVERAL, DENSE], ids=["single", "several", "dense"])
def test_a_table_is_read_as_it_was_written_beside_its_result(tmp_path, table):
    path = tmp_path / "results" / "knn.json"
    written = write_result(path, replace(RESULT, items=table))
    assert items_path(path) == tmp_path / "results" / "knn.items.parquet"
    check_same(read_items(path), table)
    assert read_result(path) == written
    assert read_result(path).items is None
    assert sorted(each.name for each in path.parent.iterdir()) == ["knn.items.parquet", "knn.json"]


def test_the_same_answers_have_the_same_hash_and_others_another(tmp_path):
    first, again = (write_items(tmp_path / f"{name}.json", SINGLE) for name in "ab")
    assert first == again
    assert write_items(tmp_path / "c.json", replace(SINGLE, found=SINGLE.found[:1])) != first


def test_what_a_bootstrap_draws_of_is_the_location_or_the_image_that_it_is_a_tile_of():
    assert SINGLE.groups.tolist() == ["a", "b", "a"]
    assert DENSE.groups.tolist() == ["city", "b", "city"]


def test_the_middle_of_a_box_is_known_across_180_degrees_and_unknown_where_the_ground_is():
    edges = {"xmin": [1.0, 179.0, 0.0], "ymin": [43.0, -2.0, 1.0], "xmax": [2.0, -178.0, 0.0], "ymax": [44.0, -1.0, -1.0]}
    boxes = pa.StructArray.from_arrays([pa.array(each) for each in edges.values()], list(edges))
    np.testing.assert_allclose(box_centres(boxes), [[1.5, 43.5], [-179.5, -1.5], [np.nan, np.nan]])


def test_a_result_without_a_table_has_none_whatever_lies_there(tmp_path):
    write_items(tmp_path / "knn.json", SINGLE)
    write_result(tmp_path / "knn.json", RESULT)
    assert read_items(tmp_path / "knn.json") is None


def test_a_table_of_another_result_is_told(tmp_path):
    path = tmp_path / "knn.json"
    write_result(path, replace(RESULT, items=SINGLE))
    write_items(path, SEVERAL)
    with pytest.raises(ResultError, match=r"knn\.items\.parquet is not the table that knn\.json was written with: its SHA-256"):
        read_items(path)


def test_a_table_that_is_gone_is_told(tmp_path):
    path = tmp_path / "knn.json"
    write_result(path, replace(RESULT, items=SINGLE))
    items_path(path).unlink()
    with pytest.raises(ResultError, match=r"cannot be read: No such file .* It belongs beside knn\.json; copy both"):
        read_items(path)


def test_a_table_of_no_result_is_told(tmp_path):
    with pytest.raises(ResultError, match="is no result file"):
        read_items(tmp_path / "nothing.json")


def test_a_table_that_cannot_be_written_is_told_and_leaves_the_result_as_it_was(tmp_path):
    path = tmp_path / "knn.json"
    write_result(path, RESULT)
    items_path(path).mkdir()
    with pytest.raises(ResultError, match=r"knn\.items\.parquet cannot be written: .* Choose another --out"):
        write_result(path, replace(RESULT, items=SINGLE))
    assert json.loads(path.read_text())["items_hash"] is None

"""Which items teach and which are tested."""

import numpy as np
import pyarrow as pa
import pytest

from evaluate.errors import LabelError, SplitError
from evaluate.task import make_task, taught_classes


def table_of(*rows):
    """Items as (location, split, label or labels); two words of a label make it two labels."""
    names = ("location", "split", "labels")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns["labels"] = pa.array([None if each is None else each.split() for each in columns["labels"]], pa.list_(pa.string()))
    return pa.table({"id": [f"item-{number}" for number in range(len(rows))], **columns})


def told(part):
    """A part in plain values."""
    return part.split, part.items.tolist(), part.labels.tolist(), part.locations.tolist()


WHOLE = (
    ("a", "train", "water"),
    ("a", "train", "forest"),
    ("b", "test", "water"),
    ("c", "train", None),
    ("d", "val", "water"),
    ("e", "none", "forest"),
    ("f", "test", "forest"),
)


def test_each_labelled_item_is_of_its_locations_part():
    task = make_task(table_of(*WHOLE))
    assert task.classes == ("forest", "water")
    assert told(task.train) == ("train", [0, 1], [1, 0], ["a", "a"])
    assert told(task.test) == ("test", [2, 6], [1, 0], ["b", "f"])


def test_what_is_left_out_is_counted():
    assert make_task(table_of(*WHOLE)).unused == 3


def test_items_of_val_are_kept_to_choose_settings_on_where_that_is_asked():
    task, plain = make_task(table_of(*WHOLE), tuning=True), make_task(table_of(*WHOLE))
    assert told(task.tuning) == ("val", [4], [1], ["d"])
    assert (task.tuning.ids.tolist(), task.train.ids.tolist()) == (["item-4"], ["item-0", "item-1"])
    assert (plain.tuning, plain.unused, task.unused) == (None, 3, 2)
    assert task.split_hash == plain.split_hash


def test_val_that_is_tested_or_empty_tunes_nothing():
    tested = (row for row in WHOLE if row[1] != "test")
    assert make_task(table_of(*tested), tuning=True).tuning is None
    assert make_task(table_of(*(row for row in WHOLE if row[1] != "val")), tuning=True).tuning is None


def test_val_is_tested_where_test_has_no_labelled_item():
    task = make_task(table_of(*(row for row in WHOLE if row[1] != "test"), ("g", "test", None)))
    assert (task.test.split, task.test.items.tolist()) == ("val", [3])


def test_chance_is_the_share_of_the_most_common_class_among_the_tested():
    rows = [("a", "train", "x"), ("a", "train", "y")] + [("b", "test", "x")] * 3 + [("c", "test", "y")]
    assert make_task(table_of(*rows)).chance == 0.75


def test_only_classes_that_were_asked_for_count():
    task = make_task(table_of(*WHOLE, ("a", "train", "town"), ("b", "test", "town")), classes=["town", "water"])
    assert task.classes == ("town", "water")
    assert (task.train.items.tolist(), task.test.items.tolist()) == ([0, 7], [2, 8])
    assert task.unused == 5


def test_the_hash_is_of_the_question_not_of_its_order():
    hashes = {make_task(table_of(*WHOLE).take([6, 3, 0, 1, 5, 2, 4])).split_hash, make_task(table_of(*WHOLE)).split_hash}
    assert len(hashes) == 1


@pytest.mark.parametrize("change", [("b", "test", "forest"), ("b", "train", "water"), ("b", "test", None)])
def test_another_question_has_another_hash(change):
    assert make_task(table_of(*WHOLE)).split_hash != make_task(table_of(*WHOLE[:2], change, *WHOLE[3:])).split_hash


def test_some_items_are_drawn_once_each_and_the_same_again():
    rows = [(f"t{number}", "train", "xy"[number % 2]) for number in range(50)]
    part = make_task(table_of(*rows, ("z", "test", "x"))).train
    drawn = part.some(20, seed=1)
    assert len(drawn) == len(set(drawn.items.tolist())) == 20
    np.testing.assert_array_equal(drawn.items, part.some(20, seed=1).items)
    assert drawn.items.tolist() != part.some(20, seed=2).items.tolist()
    assert all(drawn.labels == part.labels[drawn.items])
    assert all(drawn.locations == part.locations[drawn.items])
    assert part.some(50, seed=1) is part


def test_a_catalog_without_labels_is_told():
    with pytest.raises(LabelError, match="None of 2 items has a label, so there is nothing to be right about"):
        make_task(table_of(("a", "train", None), ("b", "test", None)))


def test_items_with_several_labels_are_refused():
    with pytest.raises(LabelError, match=r"1 of 2 items have several labels \(first: item-1, water, forest"):
        make_task(table_of(("a", "train", "water"), ("b", "test", "water forest")))


def test_an_unknown_class_is_answered_with_the_one_that_was_meant():
    with pytest.raises(LabelError, match=r"No item has label 'watr'. Choose from: forest, water. Did you mean 'water'\?"):
        make_task(table_of(*WHOLE), classes=["watr", "forest"])


def test_one_class_is_no_question():
    with pytest.raises(LabelError, match="There is one class, 'water': every answer is right"):
        make_task(table_of(*WHOLE), classes=["water"])


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([("a", "train", "x"), ("b", "train", "y")], "2 in train"),
        ([("a", "test", "x"), ("b", "val", "y"), ("c", "none", "y")], "1 in none, 1 in test, 1 in val"),
        ([("a", None, "x"), ("b", "train", "y")], "1 in none, 1 in train"),
    ],
)
def test_a_catalog_that_cannot_be_parted_is_told_with_its_counts(rows, counts):
    with pytest.raises(SplitError, match=rf"cannot be parted: {counts}\. Expected some in train, and some in test or val"):
        make_task(table_of(*rows))


def test_a_location_in_both_parts_is_refused():
    with pytest.raises(SplitError, match=r"1 locations have items in train and in test \(first: a\)"):
        make_task(table_of(*WHOLE, ("a", "test", "water")))


def test_a_class_that_is_tested_but_not_taught_is_told_with_the_way_out():
    with pytest.raises(LabelError, match=r"no training item shows: town \(2\)\..* --classes forest,water$"):
        make_task(table_of(*WHOLE, ("g", "test", "town"), ("h", "test", "town")))


def test_classes_that_are_taught_are_those_of_training_items():
    table = table_of(*WHOLE, ("g", "test", "town"), ("a", "train", "heath"))
    assert taught_classes(table) == ("forest", "heath", "water")
    assert make_task(table, classes=taught_classes(table)).unused == 4

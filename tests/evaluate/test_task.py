"""Which items teach and which are tested."""

import numpy as np
import pyarrow as pa
import pytest

from evaluate.errors import LabelError, SplitError
from evaluate.task import make_task, shuffle_labels, taught_classes


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
    places = [part.items.tolist().index(item) for item in drawn.items]
    assert all(drawn.labels == part.labels[places])
    assert all(drawn.locations == part.locations[places])
    assert part.some(50, seed=1) is part


def test_a_catalog_without_labels_is_told():
    with pytest.raises(LabelError, match=r"None of 2 items has a label, .* labels of pixels are scored by evaluate segment"):
        make_task(table_of(("a", "train", None), ("b", "test", None)))


def test_where_an_item_has_several_labels_each_label_is_a_question():
    rows = [("a", "train", "water forest"), ("b", "train", "town"), ("c", "test", "forest water"), ("d", "test", None)]
    task = make_task(table_of(*rows))
    assert (task.is_multilabel, task.metric, task.classes) == (True, "micro average precision", ("forest", "town", "water"))
    assert task.train.labels.tolist() == [[True, False, True], [False, True, False]]
    assert task.test.labels.tolist() == [[True, False, True]]
    assert task.unused == 1


def test_one_label_per_item_is_one_question_unless_each_is_asked_about():
    table = table_of(*WHOLE)
    task, each = make_task(table), make_task(table, multilabel=True)
    assert (task.is_multilabel, task.metric) == (False, "accuracy")
    assert each.train.labels.tolist() == [[False, True], [True, False]]
    assert each.split_hash != task.split_hash


def test_items_with_none_of_the_labels_that_count_are_left_out():
    rows = [("a", "train", "x y"), ("b", "train", "y z"), ("c", "train", "z"), ("d", "test", "x z")]
    task = make_task(table_of(*rows), classes=["x", "y"])
    assert (task.train.labels.tolist(), task.unused) == ([[True, True], [False, True]], 1)
    assert task.test.labels.tolist() == [[True, False]]


def test_the_hash_of_several_labels_is_of_each_of_them():
    rows = [("a", "train", "x y"), ("b", "train", "z"), ("c", "test", "x z")]
    hashes = {make_task(table_of(*rows[:2], ("c", "test", labels))).split_hash for labels in ("x z", "z x", "x y", "x")}
    assert len(hashes) == 3


def test_one_class_is_not_told_to_be_scored_alone():
    rows = [("a", "train", "x"), ("b", "test", "town")]
    with pytest.raises(LabelError, match=r"Nothing can answer them\. Take a larger catalog\.$"):
        make_task(table_of(*rows))


def test_labels_to_score_alone_are_told_as_a_shell_takes_them():
    table = table_of(("a", "train", "x"), ("b", "train", "y"), ("c", "test", "town"))
    names = pa.array([["salt marshes"], ["Moors, heathland"], ["town"]])
    with pytest.raises(LabelError, match=r"--classes 'Moors, heathland,salt marshes'$"):
        make_task(table.set_column(table.schema.get_field_index("labels"), "labels", names))


def test_a_label_of_several_that_is_tested_but_not_taught_is_told():
    rows = [("a", "train", "x y"), ("b", "test", "x town"), ("c", "test", "town")]
    with pytest.raises(LabelError, match=r"no training item shows: town \(2\)\..* --classes x,y$"):
        make_task(table_of(*rows))


def test_parts_are_in_the_order_of_their_ids_whatever_that_of_the_table():
    table = table_of(*WHOLE)
    order = [6, 3, 1, 0, 5, 2, 4]
    task, other = make_task(table, tuning=True), make_task(table.take(order), tuning=True)
    for mine, theirs in ((task.train, other.train), (task.test, other.test), (task.tuning, other.tuning)):
        assert mine.ids.tolist() == theirs.ids.tolist() == sorted(mine.ids)
        assert mine.labels.tolist() == theirs.labels.tolist()
        assert mine.locations.tolist() == theirs.locations.tolist()
        assert mine.items.tolist() == [order[item] for item in theirs.items]


def test_shuffled_labels_are_the_same_labels_of_other_items_and_the_tested_ones_stay():
    rows = [(f"t{number}", "train", "xyz"[number % 3]) for number in range(60)] + [("v", "val", "x"), ("v", "val", "y")]
    task = make_task(table_of(*rows, ("z", "test", "x"), ("z", "test", "y")), tuning=True)
    shuffled, again, other = (shuffle_labels(task, seed=seed) for seed in (1, 1, 2))
    assert sorted(shuffled.train.labels) == sorted(task.train.labels)
    assert 10 < (shuffled.train.labels == task.train.labels).sum() < 40
    np.testing.assert_array_equal(shuffled.train.labels, again.train.labels)
    assert (shuffled.train.labels != other.train.labels).any()
    assert sorted(shuffled.tuning.labels) == sorted(task.tuning.labels)
    np.testing.assert_array_equal(shuffled.test.labels, task.test.labels)
    np.testing.assert_array_equal(shuffled.train.ids, task.train.ids)


def test_labels_that_a_split_lacks_are_told():
    rows = [("a", "train", "x"), ("b", "train", "y"), ("c", "test", None), ("d", "test", None), ("e", "val", None)]
    with pytest.raises(
        SplitError, match=r"parted: 2 in train\. .* Without a label that counts: 2 in test, 1 in val; label them"
    ):
        make_task(table_of(*rows))


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


@pytest.mark.parametrize(("split", "words"), [("train", "train and in val"), ("test", "val and in test")])
def test_what_settings_are_chosen_on_is_of_other_places_too(split, words):
    rows = [*WHOLE, ("shared", split, "water"), ("shared", "val", "water")]
    make_task(table_of(*rows))
    with pytest.raises(SplitError, match=rf"1 locations have items in {words} \(first: shared\)"):
        make_task(table_of(*rows), tuning=True)


def test_a_class_that_is_tested_but_not_taught_is_told_with_the_way_out():
    with pytest.raises(LabelError, match=r"no training item shows: town \(2\)\..* --classes forest,water$"):
        make_task(table_of(*WHOLE, ("g", "test", "town"), ("h", "test", "town")))


def test_classes_that_are_taught_are_those_of_training_items():
    table = table_of(*WHOLE, ("g", "test", "town"), ("a", "train", "heath"))
    assert taught_classes(table) == ("forest", "heath", "water")
    assert make_task(table, classes=taught_classes(table)).unused == 4

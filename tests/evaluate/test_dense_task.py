"""The question that label rasters ask, against a stand-in that holds arrays."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from evaluate.dense_shares import (
    draw_locations,
    hash_samples,
    hold_out_locations,
    join_trials,
    share_parts,
    shuffle_labels,
    trial_details,
)
from evaluate.dense_task import check_change, constant_f1, count_classes, make_dense_task
from evaluate.errors import InputError, LabelError, SplitError

SPLITS = ("train", "train", "train", "val", "test")
DAY = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Rasters:
    """Label rasters of some rows, as `open_label_rasters` gives them."""

    arrays: dict
    classes: tuple = ("dark", "middle", "bright")
    key: str = "labels"
    height: int = 4
    width: int = 4

    @property
    def rows(self):
        return np.asarray(sorted(self.arrays))

    def read(self, item):
        return self.arrays[item]


def make_table(locations=10, dates=2, splits=SPLITS):
    """Items by location, in an order in which the later one of two comes first."""
    rows = [(number, date) for number in range(locations) for date in reversed(range(dates))]
    return pa.table(
        {
            "id": [f"item-{number}-{date}" for number, date in rows],
            "location": [f"place-{number}" for number, _ in rows],
            "split": [splits[number % len(splits)] for number, _ in rows],
            "datetime": [DAY + timedelta(days=date) for _, date in rows],
            "start_datetime": pa.array([None] * len(rows), pa.timestamp("us", "UTC")),
        }
    )


def make_rasters(rows=range(0, 20, 2), *, classes=3, seed=0, **about):
    rng = np.random.default_rng(seed)
    return Rasters({row: rng.integers(classes, size=(4, 4)).astype(np.uint8) for row in rows}, **about)


def test_labelled_items_are_parted_by_the_splits_of_their_locations():
    rasters = make_rasters()
    task = make_dense_task(make_table(), rasters)
    assert (task.train.split, task.test.split, task.tuning.split) == ("train", "test", "val")
    assert task.train.locations.tolist() == [f"place-{number}" for number in (0, 1, 2, 5, 6, 7)]
    assert task.test.inputs.tolist() == [[8], [18]]
    assert task.test.ids.tolist() == ["item-4-1", "item-9-1"]
    np.testing.assert_array_equal(task.test.labels[1], rasters.arrays[18])
    assert (task.unused, task.size, task.classes) == (0, (4, 4), ("dark", "middle", "bright"))


def test_without_a_test_split_val_is_tested_and_not_chosen_on():
    task = make_dense_task(make_table(splits=("train", "train", "val")), make_rasters())
    assert (task.test.split, task.tuning) == ("val", None)


def test_a_pair_is_the_labelled_item_and_the_one_before_it():
    task = make_dense_task(make_table(dates=3), make_rasters(range(0, 30, 3)), pairs=True)
    assert task.train.inputs[:2].tolist() == [[1, 0], [4, 3]]
    assert task.train.ids[0] == "item-0-2"


def test_a_pair_without_an_earlier_date_is_refused():
    with pytest.raises(LabelError, match=r"10 of 10 items with a change raster have no earlier item .* \(first: item-0-0\)"):
        make_dense_task(make_table(dates=1), make_rasters(range(10)), pairs=True)
    table = make_table().drop_columns("datetime").append_column("datetime", pa.array([None] * 20, pa.timestamp("us", "UTC")))
    with pytest.raises(LabelError, match="20 of 20 items have no date"):
        make_dense_task(table, make_rasters(), pairs=True)


def test_pixels_of_other_classes_are_as_those_of_which_nobody_knows():
    rasters = make_rasters()
    rasters.arrays[0][0, 0] = 255
    rasters.arrays[2][:] = 1
    task = make_dense_task(make_table(), rasters, classes=("bright", "dark"))
    assert task.classes == ("dark", "bright")
    first = task.train.labels[0]
    np.testing.assert_array_equal(first == 255, (rasters.arrays[0] == 1) | (rasters.arrays[0] == 255))
    np.testing.assert_array_equal(first == 1, rasters.arrays[0] == 2)
    assert "place-1" not in task.train.locations  # all of it is of a class that does not count
    assert task.unused == 1
    assert count_classes(task.train, 2).sum() == (task.train.labels != 255).sum()


def test_what_the_catalog_cannot_answer_is_said():
    table, rasters = make_table(), make_rasters()
    with pytest.raises(LabelError, match=r"class 'brigt'\. Choose from: dark, middle, bright\. Did you mean 'bright'\?"):
        make_dense_task(table, rasters, classes=("dark", "brigt"))
    with pytest.raises(LabelError, match="There is one class, 'dark'"):
        make_dense_task(table, rasters, classes=("dark",))
    with pytest.raises(SplitError, match=r"cannot be parted: 10 in train\. Expected some in train, and some in test or val"):
        make_dense_task(make_table(splits=("train",)), rasters)
    for row in (0, 2, 4, 10, 12, 14):
        rasters.arrays[row] = np.minimum(rasters.arrays[row], 1)
    with pytest.raises(LabelError, match=r"no training pixel shows: bright \(\d+ pixels\).*--classes dark,middle"):
        make_dense_task(table, rasters)
    for row in rasters.arrays:
        rasters.arrays[row][:] = 2 if row in {8, 18} else 0
    with pytest.raises(SplitError, match="No label raster of split test has a pixel of dark, middle"):
        make_dense_task(table, rasters, classes=("dark", "middle"))


def test_a_location_of_two_splits_is_refused():
    table = make_table()
    table = table.set_column(1, "location", pa.array(["place"] * 20))
    with pytest.raises(SplitError, match=r"1 locations have samples in train and in test \(first: place\)"):
        make_dense_task(table, make_rasters())


def test_the_hash_is_of_the_question():
    table, rasters = make_table(), make_rasters()
    task = make_dense_task(table, rasters)
    assert make_dense_task(table, make_rasters()).split_hash == task.split_hash
    rasters.arrays[8][0, 0] = 255
    assert make_dense_task(table, rasters).split_hash != task.split_hash
    assert make_dense_task(table, make_rasters(classes=2), classes=("dark", "middle")).split_hash != task.split_hash
    renamed = Rasters(make_rasters().arrays, ("a", "b", "c"))
    assert make_dense_task(table, renamed).split_hash != task.split_hash


def test_a_share_is_of_whole_locations_and_lies_within_a_greater_one():
    table = make_table(40, splits=("train", "train", "train", "test"))
    part = make_dense_task(table, make_rasters(range(80))).train
    half, most = (set(draw_locations(part, share, seed=1).locations) for share in (0.5, 0.8))
    assert (len(half), len(most)) == (15, 24)
    assert half < most
    assert len(draw_locations(part, 0.5, seed=1)) == 30
    assert set(draw_locations(part, 0.5, seed=2).locations) != half
    assert draw_locations(part, 1, seed=1).ids.tolist() == part.ids.tolist()
    with pytest.raises(InputError, match=r"A fraction of 1\.5 of the labels; expected more than 0"):
        draw_locations(part, 1.5, seed=0)


def test_a_fifth_of_the_locations_is_held_out_where_there_is_no_val():
    table = make_table(40, splits=("train", "train", "train", "test"))
    task = make_dense_task(table, make_rasters(range(80)))
    fitted, held = hold_out_locations(task.train, seed=0)
    assert len(set(held.locations)) == 6
    assert not set(held.locations) & set(fitted.locations)
    assert len(fitted) + len(held) == len(task.train)
    assert [set(part.ids) for part in share_parts(task, 1, seed=0)] == [set(fitted.ids), set(held.ids)]
    few = draw_locations(task.train, 0.2, seed=0)
    assert not set(few.locations) <= set(held.locations)  # what teaches first is not what is held out of the whole
    with pytest.raises(InputError, match="2 training samples of 1 location or image: none can be held out"):
        share_parts(task, 0.01, seed=0)


def test_tiles_of_one_image_stand_and_fall_together():
    table = make_table(40, splits=("train", "train", "train", "test"))
    cities = [f"oscd-sao-paulo-{number // 10}-{number:06d}" for number in range(40) for _ in range(2)]
    table = table.set_column(1, "location", pa.array(cities))
    part = make_dense_task(table, make_rasters(range(80))).train
    assert sorted(set(part.origins)) == [f"oscd-sao-paulo-{number}" for number in range(4)]
    drawn = draw_locations(part, 0.5, seed=0)
    assert len(set(drawn.origins)) == 2
    assert len(drawn) == sum(np.isin(part.origins, drawn.origins))
    fitted, held = hold_out_locations(part, seed=0)
    assert not set(fitted.origins) & set(held.origins)
    sampled = make_dense_task(make_table(), make_rasters()).train
    assert sampled.origins.tolist() == sampled.locations.tolist()


def test_where_there_is_val_a_share_of_it_is_chosen_on():
    task = make_dense_task(make_table(40), make_rasters(range(80)))
    taught, tuning = share_parts(task, 0.5, seed=3)
    assert (len(taught), len(tuning)) == (24, 8)
    assert set(tuning.locations) < set(task.tuning.locations)
    trial = trial_details(3, taught, tuning)
    assert (trial["train_items"], trial["tuning_items"]) == (24, 8)
    assert trial["items_hash"] == hash_samples(("tuning", tuning), ("train", taught))
    assert trial["items_hash"] != trial_details(3, taught, None)["items_hash"]
    assert join_trials([{"a": 1}, {"a": 2}]) == {"a": [1, 2]}


def test_shuffled_labels_are_the_same_rasters_of_other_samples():
    task = make_dense_task(make_table(40), make_rasters(range(80)))
    shuffled = shuffle_labels(task.train, seed=0)
    assert shuffled.ids.tolist() == task.train.ids.tolist()
    assert not np.array_equal(shuffled.labels, task.train.labels)
    assert sorted(each.tobytes() for each in shuffled.labels) == sorted(each.tobytes() for each in task.train.labels)


def test_change_has_two_classes_and_some_of_it_is_tested():
    pairs = Rasters(make_rasters(classes=2).arrays, ("unchanged", "changed"), "change")
    task = make_dense_task(make_table(), pairs, pairs=True)
    check_change(task)
    truth = task.test.labels.astype(int)
    assert constant_f1(task) == pytest.approx(2 * truth.sum() / (truth.size + truth.sum()))
    with pytest.raises(LabelError, match=r"Change rasters with 3 classes \(dark, middle, bright\)"):
        check_change(make_dense_task(make_table(), make_rasters(), pairs=True))
    for row in (8, 18):
        pairs.arrays[row][:] = 0
    with pytest.raises(LabelError, match="None of 2 tested pairs shows a pixel that changed"):
        check_change(make_dense_task(make_table(), pairs, pairs=True))

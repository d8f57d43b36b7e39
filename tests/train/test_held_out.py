"""Which scenes monitors look at, and what they see of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from catalogs import open_catalog
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from tests.train.exporting import make_spec
from train.held_out import choose_scenes, read_views
from train.views import whole_view

SPLITS = ("train", "val", "train", "test", "val", "val", "train", "val", "train")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return stack_of(tmp_path_factory.mktemp("held_out") / "mixed", SPLITS)


def stack_of(folder, splits):
    locations = [replace(each, split=split) for each, split in zip(make_locations(len(splits)), splits, strict=True)]
    make_catalog(folder, locations=locations, seasons=2, json_items=False)
    catalog = open_catalog(str(folder))
    return open_stack(catalog, catalog.items(), ("B04", "B03", "B02"))


def named(stack, splits, split):
    names = sorted(set(stack.items["location"].to_pylist()))
    return [name for name, its in zip(names, splits, strict=True) if its == split]


def seen(stack, items):
    return stack.items["location"].take(items).to_pylist()


def test_locations_of_the_val_split_are_chosen_and_no_others(stack):
    chosen = choose_scenes([stack], named(stack, SPLITS, "train"), 10)
    assert chosen.is_held_out
    assert list(chosen.locations) == named(stack, SPLITS, "val")
    assert seen(stack, chosen.items[0]) == list(chosen.locations)


def test_of_many_every_so_many_is_chosen(stack):
    held_out = named(stack, SPLITS, "val")
    chosen = choose_scenes([stack], named(stack, SPLITS, "train"), 2)
    assert list(chosen.locations) == [held_out[0], held_out[-1]]


def test_without_a_val_split_the_last_training_locations_are_chosen_and_it_is_told(tmp_path):
    splits = ("train", "test", "train", "train")
    stack = stack_of(tmp_path / "plain", splits)
    trained = named(stack, splits, "train")
    chosen = choose_scenes([stack], trained, 2)
    assert not chosen.is_held_out
    assert list(chosen.locations) == trained[-2:]


def test_a_location_that_one_sensor_does_not_see_is_left_out(stack):
    held_out = named(stack, SPLITS, "val")
    rows = [row for row, name in enumerate(stack.items["location"].to_pylist()) if name != held_out[1]]
    other = replace(stack, items=stack.items.take(rows))
    chosen = choose_scenes([stack, other], named(stack, SPLITS, "train"), 10)
    assert list(chosen.locations) == [held_out[0], *held_out[2:]]
    assert seen(stack, chosen.items[0]) == seen(other, chosen.items[1])


def test_the_scene_with_the_most_measurements_is_taken_and_the_first_of_those(stack):
    place = stack.items["location"].to_pylist().index(named(stack, SPLITS, "val")[0])
    rows = [
        row for row, name in enumerate(stack.items["location"].to_pylist()) if name == stack.items["location"][place].as_py()
    ]
    when = stack.items["datetime"].to_pylist()
    first, last = sorted(rows, key=lambda row: when[row])

    def taken(**percent):
        values = np.full(len(stack), 100.0)
        for row, value in percent.items():
            values[int(row[1:])] = value
        column = stack.items.schema.get_field_index("valid_percent")
        table = stack.items.set_column(column, "valid_percent", [values])
        return choose_scenes([replace(stack, items=table)], named(stack, SPLITS, "train"), 10).items[0][0]

    assert taken() == first
    assert taken(**{f"r{first}": 60.0}) == last
    assert taken(**{f"r{first}": float("nan")}) == last
    assert taken(**{f"r{first}": 60.0, f"r{last}": 50.0}) == first


def test_views_are_whole_views_whatever_is_read_at_once(stack):
    spec = make_spec(size_px=32)
    items = np.arange(11)
    views = read_views(stack, items, spec)
    arrays = stack.empty()
    stack.read_into(9, arrays)
    scale, offset = (torch.from_numpy(each[9:10]) for each in (stack.scale, stack.offset))
    pixels = [torch.from_numpy(array)[None] for array in arrays]
    alone = whole_view(pixels, scale, offset, spec=spec, layers=stack.layers, all_valid=False)
    assert views.shape == (11, 3, 32, 32)
    assert views[9:10].equal(alone)

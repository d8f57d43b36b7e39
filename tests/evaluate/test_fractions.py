"""Shares of the labels are drawn without replacement, per class, and the same wherever they are drawn."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from evaluate.errors import InputError
from evaluate.fractions import draw_fraction, hash_items, hold_out
from evaluate.task import Part


def make_part(counts, *, per_location=1):
    """So many items of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    items = np.arange(len(labels))
    ids = np.asarray([f"item-{item:05}" for item in items])
    return Part("train", items, labels, np.asarray([f"place-{item // per_location:04}" for item in items]), ids)


PART = make_part([1000, 200, 30, 3])


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 1.0])
def test_each_class_gives_its_share_of_distinct_items_and_one_at_least(fraction):
    drawn = draw_fraction(PART, fraction, seed=3)
    assert np.bincount(drawn.labels).tolist() == [max(1, round(fraction * count)) for count in (1000, 200, 30, 3)]
    assert len(np.unique(drawn.ids)) == len(drawn)
    assert (np.diff(drawn.items) > 0).all()
    np.testing.assert_array_equal(drawn.labels, PART.labels[drawn.items])
    np.testing.assert_array_equal(drawn.ids, PART.ids[drawn.items])


def test_a_smaller_share_lies_within_a_greater_one():
    shares = [set(draw_fraction(PART, fraction, seed=0).ids) for fraction in (0.01, 0.1, 0.5)]
    assert shares[0] < shares[1] < shares[2]


def test_a_seed_draws_the_same_items_again_and_another_seed_others():
    first, again, other = (draw_fraction(PART, 0.1, seed=seed) for seed in (0, 0, 1))
    assert hash_items([("train", first)]) == hash_items([("train", again)]) != hash_items([("train", other)])
    assert 0.02 < len(set(first.ids) & set(other.ids)) / len(first) < 0.3


def test_an_item_waits_for_the_turn_that_the_hash_of_its_seed_and_id_gives():
    drawn = draw_fraction(PART, 0.1, seed=7)
    turn = sorted(PART.ids[PART.labels == 1].tolist(), key=lambda each: hashlib.sha256(f"item\t7\t{each}".encode()).digest())
    assert set(drawn.ids[drawn.labels == 1]) == set(turn[:20])


def test_the_order_of_the_items_changes_no_draw():
    order = np.random.default_rng(0).permutation(len(PART))
    assert set(draw_fraction(PART.take(order), 0.1, seed=0).ids) == set(draw_fraction(PART, 0.1, seed=0).ids)
    assert set(hold_out(PART.take(order), seed=0)[1].ids) == set(hold_out(PART, seed=0)[1].ids)


def test_locations_are_held_out_whole():
    part = make_part([200, 200], per_location=4)
    fitted, held = hold_out(part, seed=0)
    assert set(fitted.locations).isdisjoint(held.locations)
    assert (len(set(held.locations)), len(held), len(fitted)) == (20, 80, 320)
    assert set(held.locations) != set(hold_out(part, seed=1)[1].locations)


def test_a_hash_tells_who_does_what_whatever_the_order():
    fitted, held = hold_out(PART, seed=0)
    whole = hash_items([("train", fitted), ("tuning", held)])
    turned = fitted.take(np.arange(len(fitted))[::-1])
    assert hash_items([("tuning", held), ("train", turned)]) == whole
    assert hash_items([("train", held), ("tuning", fitted)]) != whole


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_what_is_no_share_is_told(fraction):
    with pytest.raises(InputError, match="of the labels; expected more than 0 and at most 1"):
        draw_fraction(PART, fraction, seed=0)


def test_one_location_cannot_be_parted():
    with pytest.raises(InputError, match="3 training items of 1 location: none can be held out"):
        hold_out(make_part([2, 1], per_location=3), seed=0)


def test_items_of_several_labels_are_drawn_by_item_each_once():
    several = replace(PART, labels=np.eye(4, dtype=bool)[PART.labels] | (PART.items % 7 == 0)[:, None])
    drawn = draw_fraction(several, 0.1, seed=3)
    assert len(drawn) == len(np.unique(drawn.ids)) == round(0.1 * len(PART))
    np.testing.assert_array_equal(drawn.labels, several.labels[drawn.items])
    assert set(drawn.ids) < set(draw_fraction(several, 0.5, seed=3).ids)
    assert set(drawn.ids) != set(draw_fraction(PART, 0.1, seed=3).ids)
    assert len(draw_fraction(several, 1e-6, seed=3)) == 1

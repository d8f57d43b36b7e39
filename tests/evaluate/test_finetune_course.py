"""How many items teach at once, how often, in which order, and how fast."""

import numpy as np
import pytest

from evaluate.errors import InputError
from evaluate.finetune_course import LAST_RATE, draw_order, plan_course, rate_factor
from evaluate.settings import TrainingSettings
from tests.evaluate.textures import make_part


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("at_most", [1, 2, 3, 7, 64])
def test_every_item_teaches_and_none_alone_where_it_cannot(at_most, batched):
    for items in range(2, 140):
        course = plan_course(items, TrainingSettings(batch_size=at_most, min_steps=0), batched=batched)
        sizes = [len(range(items)[start : start + course.size]) for start in range(0, items, course.size)]
        assert (sum(sizes), len(sizes)) == (items, course.blocks)
        assert min(sizes) >= 1 + batched
        assert max(sizes) <= at_most + 6 * batched


def test_a_small_share_of_the_labels_teaches_in_more_epochs():
    settings = TrainingSettings(batch_size=64, epochs=20, min_steps=200)
    assert [plan_course(items, settings, batched=True).epochs for items in (50, 640, 6400)] == [200, 20, 20]
    assert [plan_course(items, settings, batched=True).steps for items in (50, 640, 6400)] == [200, 200, 2000]


def test_one_item_cannot_teach_batch_normalisation():
    assert plan_course(1, TrainingSettings(min_steps=0), batched=False).size == 1
    with pytest.raises(InputError, match=r"One item cannot teach batch normalisation\. Give a greater --fraction"):
        plan_course(1, TrainingSettings(), batched=True)


@pytest.mark.parametrize("steps", [1, 2, 5, 9, 10, 300])
def test_rates_rise_in_a_tenth_of_the_steps_and_fall_to_a_hundredth(steps):
    rates = [rate_factor(step, steps=steps) for step in range(steps)]
    peak = round(0.1 * steps)
    assert rates[peak] == 1.0 == max(rates)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert min(rates) > 0
    assert rates[-1] == pytest.approx(LAST_RATE if steps > 1 else 1.0)


def test_an_order_holds_every_item_once_and_hangs_on_seed_and_epoch():
    part = make_part([0, 1] * 50)
    first = draw_order(part, seed=0, epoch=0)
    np.testing.assert_array_equal(np.sort(first), np.arange(100))
    np.testing.assert_array_equal(first, draw_order(part, seed=0, epoch=0))
    for seed, epoch in ((0, 1), (1, 0)):
        assert (first != draw_order(part, seed=seed, epoch=epoch)).mean() > 0.9


def test_items_teach_in_the_same_order_however_they_are_listed():
    part = make_part([0, 1] * 20)
    shuffled = part.take(np.random.default_rng(0).permutation(40))
    ids = part.ids[draw_order(part, seed=3, epoch=2)]
    np.testing.assert_array_equal(ids, shuffled.ids[draw_order(shuffled, seed=3, epoch=2)])

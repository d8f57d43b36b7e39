import math

import pytest

from train.config import Distillation, Optimizer
from train.errors import ConfigError
from train.schedules import cosine, decay, learning_rate, ramp, teacher_pace, warm_up, weight_decay


def rates(optimizer, steps=100, steps_per_epoch=10):
    return [learning_rate(optimizer, step, steps=steps, steps_per_epoch=steps_per_epoch) for step in range(steps)]


def test_cosine_meets_its_peak_once_and_its_end_at_the_last_step():
    found = rates(Optimizer(lr=0.3, final_lr=0.01))
    assert found[0] == max(found) == 0.3
    assert found.count(0.3) == 1
    assert found[-1] == pytest.approx(0.01)
    assert found == sorted(found, reverse=True)
    assert found[50] == pytest.approx(0.01 + 0.29 * (1 + math.cos(math.pi * 50 / 99)) / 2)


@pytest.mark.parametrize("schedule", ["cosine", "step", "constant"])
def test_a_warm_up_rises_in_equal_strides_to_a_peak_that_comes_right_after_it(schedule):
    found = rates(Optimizer(lr=0.3, warmup_epochs=2, schedule=schedule, milestones=(0.6,)))
    assert found[:20] == pytest.approx([0.3 * (step + 1) / 21 for step in range(20)])
    assert found[20] == max(found) == 0.3
    assert found.count(0.3) == {"cosine": 1, "step": 40, "constant": 80}[schedule]


def test_cosine_after_a_warm_up_still_ends_at_its_end():
    assert rates(Optimizer(lr=0.3, warmup_epochs=2, final_lr=0.001))[-1] == pytest.approx(0.001)


def test_a_part_of_an_epoch_can_be_the_warm_up():
    assert rates(Optimizer(lr=0.3, warmup_epochs=0.25, schedule="constant"))[:3] == pytest.approx([0.1, 0.2, 0.3])


def test_steps_are_those_of_the_released_code():
    """SeCo multiplies by 0.1 when epochs 120 and 160 of 200 begin; an epoch has 78 steps."""
    optimizer = Optimizer(lr=0.03, schedule="step", milestones=(0.6, 0.8))
    found = rates(optimizer, steps=200 * 78, steps_per_epoch=78)
    expected = [0.03 * (0.1 if epoch >= 120 else 1) * (0.1 if epoch >= 160 else 1) for epoch in range(200)]
    assert found[::78] == pytest.approx(expected)
    assert found[77::78] == pytest.approx(expected)


def test_one_step_has_the_peak():
    assert rates(Optimizer(lr=0.3), steps=1) == [0.3]
    assert rates(Optimizer(lr=0.3, warmup_epochs=0.1), steps=2)[-1] == 0.3


def test_a_warm_up_as_long_as_the_training_is_refused():
    with pytest.raises(
        ConfigError, match=r"warm-up of 10 epochs takes 100 steps, and the whole training has 100\. Choose a shorter"
    ):
        rates(Optimizer(warmup_epochs=10))


def test_parts_have_their_ends():
    assert warm_up(0, steps=1, peak=2.0) == 1.0
    assert [cosine(step, steps=2, start=1.0, end=3.0) for step in range(2)] == [1.0, 3.0]
    assert decay(9, steps=10, milestones=(), gamma=0.1) == 1.0
    assert decay(0, steps=10, milestones=(0.0,), gamma=0.5) == 0.5


def test_weight_decay_follows_a_cosine_or_stays():
    rising = Optimizer(weight_decay=0.04, final_weight_decay=0.4)
    found = [weight_decay(rising, step, steps=11) for step in range(11)]
    assert found == pytest.approx([0.4 - 0.36 * (1 + math.cos(math.pi * step / 10)) / 2 for step in range(11)])
    assert {weight_decay(Optimizer(weight_decay=0.1), step, steps=11) for step in range(11)} == {0.1}


def test_a_ramp_of_one_step_or_none_is_there_at_once():
    assert [ramp(step, steps=0, start=1.0, end=2.0) for step in range(2)] == [2.0, 2.0]
    assert [ramp(step, steps=1, start=1.0, end=2.0) for step in range(2)] == [1.0, 2.0]


def test_a_teacher_follows_by_steps_and_sharpens_and_thaws_by_epochs():
    constants = Distillation(
        ema_momentum=0.9, first_teacher_temperature=0.04, teacher_temperature=0.07, teacher_warmup_epochs=4, freeze_last_layer=2
    )
    found = [teacher_pace(constants, step, steps=12, steps_per_epoch=2) for step in range(12)]
    assert [pace.momentum for pace in found] == pytest.approx(
        [cosine(step, steps=12, start=0.9, end=1.0) for step in range(12)]
    )
    assert [pace.temperature for pace in found[::2]] == pytest.approx([0.04, 0.05, 0.06, 0.07, 0.07, 0.07])
    assert [pace.temperature for pace in found[1::2]] == [pace.temperature for pace in found[::2]]
    assert [pace.is_first for pace in found] == [True] * 4 + [False] * 8

"""The monitor on trainings whose state is known: when it warns, what it says, and that it does not wait for the device."""

import math

import pytest
import torch

from train.errors import ConfigError, DivergedError
from train.health import HealthLimits, HealthMonitor

LIMITS = HealthLimits(every=10, patience=30, features=64)
UNIFORM = {"space_0": 4.0, "space_1": 4.0}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def run(monitor, steps, *, loss=1.0, start=1, **observed):
    """Feed steps with a constant loss; all readings."""
    readings = []
    for step in range(start, start + steps):
        terms = {"space_0": torch.tensor(loss), "space_1": torch.tensor(loss / 2)}
        readings.append(monitor.observe(step, terms, lr=0.03, **observed))
    return [reading for reading in readings if reading is not None]


@pytest.fixture
def said():
    return []


@pytest.fixture
def monitor(said):
    return HealthMonitor(UNIFORM, warn=said.append, limits=LIMITS)


def test_a_healthy_training_is_told_nothing(monitor, said):
    readings = run(monitor, 100, features=draw(16, 8), separation={"season": torch.tensor(0.4)})
    assert len(readings) == 10
    assert not said


def test_a_reading_is_the_mean_since_the_last_one(monitor):
    for step in range(1, 11):
        reading = monitor.observe(step, {"loss": torch.tensor(float(step))}, lr=0.1)
        assert (reading is None) == (step < 10)
    assert reading == {"loss": 5.5}
    monitor.observe(11, {"loss": torch.tensor(3.0)}, lr=0.1)
    assert monitor.read() == {"loss": 3.0}
    assert monitor.read() == {}


def test_between_readings_nothing_waits_for_the_device(monitor):
    """Tensors of the meta device have no values: whoever reads one back fails."""
    for step in range(1, 10):
        terms = {"space_0": torch.empty((), device="meta")}
        features = torch.empty((16, 8), device="meta")
        assert monitor.observe(step, terms, lr=0.1, features=features, separation=terms) is None
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        monitor.observe(10, {"space_0": torch.empty((), device="meta")}, lr=0.1)


def test_a_term_is_kept_as_it_was_when_seen(monitor):
    value = torch.tensor(1.0)
    monitor.observe(1, {"loss": value}, lr=0.1)
    value.fill_(9.0)
    assert monitor.read() == {"loss": 1.0}


def test_gradients_are_not_kept(monitor):
    weight = torch.ones(3, requires_grad=True)
    monitor.observe(1, {"loss": weight.sum()}, lr=0.1, features=weight * torch.ones(4, 3))
    assert not any(seen.values.requires_grad for seen in monitor._seen)
    assert not any(features.requires_grad for features in monitor._features)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_and_is_traced_to_its_step_and_term(monitor, value):
    run(monitor, 13)
    monitor.observe(14, {"space_0": torch.tensor(2.5), "space_1": torch.tensor(value)}, lr=0.3)
    monitor.observe(15, {"space_0": torch.tensor(math.nan), "space_1": torch.tensor(math.nan)}, lr=0.3)
    with pytest.raises(
        DivergedError, match=rf"term space_1 is {value} at step 14, with learning rate 0\.3 \(finite: space_0 2\.5\)"
    ):
        run(monitor, 5, start=16)


def test_a_loss_that_is_not_finite_says_what_to_look_at(monitor):
    monitor.observe(1, {"space_0": torch.tensor(math.nan)}, lr=0.03)
    with pytest.raises(
        DivergedError, match=r"Lower the learning rate .*max_norm.* curate verify CATALOG --deep.* train resume RUN"
    ):
        monitor.read()


def test_a_loss_at_its_uniform_value_is_warned_about_once(monitor, said):
    run(monitor, 100, loss=3.99)
    assert len(said) == 1
    assert said[0].startswith(
        "Loss term space_0 has been at 3.990 for 30 steps, up to step 30; 4.000 is what it costs to tell nothing"
    )
    assert "check that the views of a sample show the same ground" in said[0]


def test_a_loss_that_left_its_uniform_value_and_came_back_is_warned_about_again(monitor, said):
    run(monitor, 40, loss=4.1)
    run(monitor, 10, loss=3.0, start=41)
    run(monitor, 20, loss=4.0, start=51)
    assert len(said) == 1
    run(monitor, 10, loss=4.0, start=71)
    assert len(said) == 2
    assert "for 30 steps, up to step 80" in said[1]


def test_a_stalled_loss_stops_if_asked(said):
    monitor = HealthMonitor(UNIFORM, warn=said.append, limits=LIMITS, stop_when_stalled=True)
    with pytest.raises(DivergedError, match=r"space_0 has been at 4\.000 for 30 steps.*Raise or lower the learning rate"):
        run(monitor, 100, loss=4.0)
    assert not said


def test_features_that_collapsed_are_warned_about(monitor, said):
    run(monitor, 60, features=draw(1, 8).repeat(16, 1) + 1e-3 * draw(16, 8))
    assert len(said) == 1
    assert said[0].startswith("Features have collapsed by step 40: their spread is 0.00")
    assert "raise ema_momentum" in said[0]


def test_features_that_fill_few_directions_are_warned_about(said):
    limits = HealthLimits(every=10, patience=30, features=256, rank=0.1)
    monitor = HealthMonitor({}, warn=said.append, limits=limits)
    for step in range(1, 61):
        features = draw(16, 2, seed=step) @ draw(2, 64)
        monitor.observe(step, {"loss": torch.tensor(1.0)}, lr=0.1, features=features)
    assert len(said) == 1
    assert "of 64 directions at step 40 (RankMe); expected 6.4 or more" in said[0]


def test_subspaces_that_do_not_part_are_warned_about(monitor, said):
    run(monitor, 60, separation={"season": torch.tensor(0.01), "color": torch.tensor(0.3)})
    assert len(said) == 1
    assert said[0].startswith("The subspaces do not part: where only season differs, their cosines differ by 0.010 at step 40")


def test_nothing_but_the_loss_is_judged_before_patience_ends(monitor, said):
    run(monitor, 30, features=torch.ones(16, 8), separation={"season": torch.tensor(0.0)})
    assert not said
    run(monitor, 10, start=31, features=torch.ones(16, 8), separation={"season": torch.tensor(0.0)})
    assert len(said) == 2


def test_a_training_that_goes_on_beyond_patience_is_judged_at_once(monitor, said):
    run(monitor, 10, start=1001, features=torch.ones(16, 8), separation={"season": torch.tensor(0.0)})
    assert len(said) == 2


def test_only_the_latest_features_are_kept_and_looked_at(monitor):
    run(monitor, 50, features=torch.ones(16, 8))
    kept = run(monitor, 10, start=51, features=draw(16, 8))
    assert sum(len(features) for features in monitor._features) == 64
    assert kept[-1]["spread"] > 0.8
    assert kept[-1]["directions"] == 8


def test_figures_may_be_given_at_some_steps_only(monitor):
    for step in range(1, 11):
        gap = {"season": torch.tensor(float(step))} if step % 2 else None
        reading = monitor.observe(step, {"loss": torch.tensor(1.0)}, lr=0.1, separation=gap)
    assert reading == {"loss": 1.0, "separation/season": 5.0}


@pytest.mark.parametrize("name", ["every", "patience", "settling", "features"])
def test_limits_below_one_are_refused(name):
    with pytest.raises(ConfigError, match=rf"{name} is 0; expected 1 or more"):
        HealthLimits(**{name: 0})


@pytest.mark.parametrize(("epoch", "expected"), [(0, 30), (70, 70)])
def test_a_teacher_that_tells_nothing_apart_for_an_epoch_is_told_once(said, epoch, expected):
    limits = HealthLimits(every=10, patience=30, epoch=epoch, settling=30)
    monitor = HealthMonitor({"teacher_entropy": 4.0}, warn=said.append, limits=limits)
    run(monitor, expected - 10, entropy=torch.tensor(3.99))
    assert not said
    readings = run(monitor, 30, start=expected - 9, entropy=torch.tensor(3.99))
    assert readings[-1]["teacher_entropy"] == pytest.approx(3.99)
    (words,) = said
    assert words.startswith(f"The teacher has told nothing apart for {expected} steps, up to step {expected}: the entropy of ")
    assert "is 3.990, 0.010 below that of all prototypes alike. Lower the teacher's temperature" in words
    run(monitor, 10, start=expected + 21, entropy=torch.tensor(3.9))
    run(monitor, expected, start=expected + 31, entropy=torch.tensor(4.0))
    assert len(said) == 2, "it was well in between"


def test_a_teacher_that_tells_samples_apart_is_told_nothing(said):
    monitor = HealthMonitor({"teacher_entropy": 4.0}, warn=said.append, limits=LIMITS)
    run(monitor, 100, entropy=torch.tensor(3.9))
    assert not said


DINO = {"distillation": 4.0, "teacher_entropy": 4.0}


def distil(monitor, steps, *, loss, entropy, start=1):
    """Feed steps of DINO; give what was read."""
    found = []
    for step in range(start, start + steps):
        terms = {"distillation": torch.tensor(loss)}
        found.append(monitor.observe(step, terms, lr=0.1, entropy=torch.tensor(entropy)))
    return [reading for reading in found if reading is not None]


def test_the_distance_of_student_and_teacher_is_what_the_loss_has_beyond_the_teachers_entropy(said):
    (reading,) = distil(HealthMonitor(DINO, warn=said.append, limits=LIMITS), 10, loss=3.0, entropy=1.25)
    assert reading["student_kl"] == pytest.approx(1.75)
    teacher, student = torch.softmax(draw(5, 7), 1), torch.log_softmax(draw(5, 7, seed=1), 1)
    loss, entropy = -(teacher * student).sum(1).mean().item(), torch.special.entr(teacher).sum(1).mean().item()
    (reading,) = distil(HealthMonitor(DINO, warn=said.append, limits=LIMITS), 10, loss=loss, entropy=entropy)
    wanted = torch.nn.functional.kl_div(student, teacher, reduction="batchmean").item()
    assert reading["student_kl"] == pytest.approx(wanted, rel=1e-5)


def test_a_student_at_the_plateau_of_a_teacher_that_tells_samples_apart_is_told_what_to_do(said):
    distil(HealthMonitor(DINO, warn=said.append, limits=LIMITS), 60, loss=4.1, entropy=1.0)
    (words,) = said
    assert words.startswith(
        "Loss term distillation has been at 4.100 for 30 steps, up to step 30; 4.000 is what it costs to tell"
    )
    assert "the student does not follow: 3.100 lies between them (student_kl). Raise or lower the learning rate (--lr)" in words


def test_a_teacher_that_tells_nothing_apart_is_told_alone_since_its_student_cannot_do_better(said):
    distil(HealthMonitor(DINO, warn=said.append, limits=LIMITS), 60, loss=4.0, entropy=3.99)
    (words,) = said
    assert words.startswith("The teacher has told nothing apart for 30 steps")
    assert "Lower the teacher's temperature (--teacher-temperature) or the learning rate (--lr)" in words
    assert "take fewer prototypes (--out-dim)." in words


def test_a_student_is_given_an_epoch_since_its_prototypes_are_frozen_in_the_first(said):
    limits = HealthLimits(every=10, epoch=70, settling=30)
    monitor = HealthMonitor(DINO, warn=said.append, limits=limits)
    distil(monitor, 60, loss=4.0, entropy=1.0)
    assert not said
    distil(monitor, 10, loss=4.0, entropy=1.0, start=61)
    assert len(said) == 1


def test_a_student_that_has_left_the_plateau_is_told_nothing(said):
    distil(HealthMonitor(DINO, warn=said.append, limits=LIMITS), 100, loss=3.5, entropy=1.0)
    assert not said


@pytest.mark.parametrize(("epoch", "steps"), [(31, 200), (336, 350), (1400, 1400), (0, 1000)])
@pytest.mark.parametrize("entropy", [1.0, 4.0], ids=["student", "teacher"])
def test_by_default_who_tells_nothing_apart_is_told_so_after_an_epoch_and_after_200_steps_at_least(said, epoch, steps, entropy):
    """In the runs of 465 and 672 steps that the README shows, too."""
    monitor = HealthMonitor(DINO, warn=said.append, limits=HealthLimits(epoch=epoch))
    distil(monitor, steps - 1, loss=4.0, entropy=entropy)
    assert not said
    distil(monitor, 1, loss=4.0, entropy=entropy, start=steps)
    (words,) = said
    assert f"for {steps} steps, up to step {steps}" in words


def test_a_dino_tp_that_went_on_to_learn_is_told_nothing(said):
    """What it read every 50 steps, of 1,024 prototypes and 31 steps an epoch; its features gained five points over chance."""
    monitor = HealthMonitor(dict.fromkeys(DINO, math.log(1024)), warn=said.append, limits=HealthLimits(epoch=31))
    losses = (6.814, 6.834, 6.902, 6.873, 6.858, 6.864, 6.851, 6.848, 6.851)
    entropies = (5.536, 6.560, 6.775, 6.754, 6.736, 6.750, 6.735, 6.737, 6.740)
    for number, (loss, entropy) in enumerate(zip(losses, entropies, strict=True)):
        distil(monitor, 50, loss=loss, entropy=entropy, start=1 + 50 * number)
    assert not said


@pytest.mark.parametrize(("before", "told"), [(4.0, 1), (3.0, 0)], ids=["dull", "well"])
def test_what_was_read_before_a_training_was_cut_off_counts(said, before, told):
    monitor = HealthMonitor(DINO, warn=said.append, limits=HealthLimits(epoch=31))
    rows = [{"step": 0.0, "knn": 0.5}, *({"step": float(step), **dict.fromkeys(DINO, before)} for step in (50, 100, 150))]
    monitor.recall([*rows, {"step": 150.0, "knn": 0.6}])
    distil(monitor, 50, loss=4.0, entropy=4.0, start=151)
    assert [words.partition(":")[0] for words in said] == [
        "The teacher has told nothing apart for 200 steps, up to step 200"
    ] * told


def test_what_the_teacher_lacks_to_telling_nothing_is_of_the_same_steps_as_its_entropy(said):
    monitor = HealthMonitor(DINO, warn=said.append, limits=LIMITS)
    distil(monitor, 5, loss=3.0, entropy=1.0)
    (reading,) = distil(monitor, 5, loss=3.0, entropy=2.0, start=6)
    assert (reading["teacher_entropy"], reading["teacher_kl"]) == (1.5, 2.5)

"""Teaching heads: what moves, what does not, and that a seed says all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from evaluate.dense_heads import LinearHead, UNetHead
from evaluate.dense_search import count_answers, make_fresh, search_head
from evaluate.dense_training import Regime, ask, teach
from evaluate.errors import InputError
from evaluate.metrics import mean_iou
from evaluate.segmentation import make_probe
from tests.evaluate.dense_samples import make_random_backbone, make_samples

REGIME = Regime(0.01, 4, 3)


def plain(logits, truth):
    return cross_entropy(logits, truth, ignore_index=255)


@pytest.fixture(scope="module")
def pixels():
    return make_samples(12)


class Doubled(nn.Module):
    """A decoder of two maps, of which there is but one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.head = UNetHead((3, 3), 2)

    def forward(self, maps, size):
        return self.head((*maps, *maps), size)


def test_a_head_learns_and_the_backbone_gets_no_gradient():
    backbone = make_random_backbone()
    samples, task = make_samples(12, backbone=backbone)
    head = LinearHead(samples.source.pyramid.channels, 2)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    losses = []
    for epochs in (1, 20):
        teach(head, samples, samples.places(task.train), regime=Regime(0.01, epochs, 4), loss=plain, seed=0)
        losses.append(float(next(plain(*block) for block in ask(head, samples, samples.places(task.train), at_once=6))))
    assert losses[1] < losses[0] < np.log(2)
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert all(value.equal(before[name]) for name, value in backbone.state_dict().items())


def test_the_same_seed_teaches_the_same_and_another_seed_another(pixels):
    samples, task = pixels
    heads = [Doubled() for _ in range(3)]
    for head, seed in zip(heads, (0, 0, 1), strict=True):
        before = torch.random.get_rng_state()
        teach(head, samples, samples.places(task.train), regime=REGIME, loss=plain, seed=seed)
        assert torch.random.get_rng_state().equal(before)
    one, two, other = (head.state_dict() for head in heads)
    assert all(one[name].equal(two[name]) for name in one)
    assert not all(one[name].equal(other[name]) for name in one)


def test_unknown_pixels_teach_nothing(pixels):
    samples, task = pixels
    places = samples.places(task.train)
    head = LinearHead((3,), 2)
    teach(head, samples, places, regime=REGIME, loss=plain, seed=0)
    changed = samples.labels.copy()
    assert (changed[:, 0] == 255).all()
    maps = samples.source.read(places)
    logits = head(maps, samples.size)
    logits.retain_grad()
    plain(logits, samples.truth(places)).backward()
    assert logits.grad[:, :, 0].abs().sum() == 0
    assert logits.grad[:, :, 1].abs().sum() > 0


def test_labels_are_turned_with_their_images(pixels):
    samples, task = pixels
    places = samples.places(task.train)
    head = LinearHead((3,), 2)
    regime = Regime(0.1, 40, 3, turned=True)
    teach(head, samples, places, regime=regime, loss=plain, seed=0)
    counts = count_answers(head, samples, make_probe("linear", 2), samples.places(task.test), at_once=4)
    assert mean_iou(counts.sum(axis=(0, 1))) > 0.95


def test_an_epoch_leaves_out_what_fills_no_step_where_asked(pixels):
    samples, _ = pixels
    seen = []

    def loss(logits, truth):
        seen.append(len(truth))
        return plain(logits, truth)

    teach(LinearHead((3,), 2), samples, np.arange(8), regime=Regime(0.1, 1, 3), loss=loss, seed=0)
    teach(LinearHead((3,), 2), samples, np.arange(8), regime=Regime(0.1, 1, 3, drops_last=True), loss=loss, seed=0)
    assert seen == [3, 3, 2, 3, 3]
    with pytest.raises(InputError, match="2 training samples do not fill one step of 3"):
        teach(LinearHead((3,), 2), samples, np.arange(2), regime=Regime(0.1, 1, 3, drops_last=True), loss=loss, seed=0)


def test_few_samples_are_passed_over_several_times_in_an_epoch(pixels):
    samples, _ = pixels
    seen, epochs = [], []

    def loss(logits, truth):
        seen.append(truth.clone())
        return plain(logits, truth)

    regime = Regime(0.1, 3, 2, min_steps=10)
    teach(LinearHead((3,), 2), samples, np.arange(4), regime=regime, loss=loss, seed=0, watch=epochs.append)
    assert len(seen) == 12  # three epochs of two passes of two steps
    assert epochs == [1, 2, 3]
    for start in range(0, 12, 2):  # every pass has each sample once
        passed = torch.cat(seen[start : start + 2])
        assert {each.numpy().tobytes() for each in passed} == {each.numpy().tobytes() for each in samples.truth(np.arange(4))}


def test_rates_go_down_by_a_cosine_or_from_epoch_to_epoch():
    cosine = [Regime(1.0, 2, 1).rate(step, per_epoch=3) for step in range(6)]
    assert cosine[0] == 1.0
    assert cosine[-1] == pytest.approx(0, abs=1e-12)
    assert cosine == sorted(cosine, reverse=True)
    steps = [Regime(1.0, 3, 1, decay=0.5).rate(step, per_epoch=2) for step in range(6)]
    assert steps == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    "wrong", [{"lr": 0.0}, {"epochs": 0}, {"samples_per_step": 0}, {"lr": float("nan")}, {"min_steps": -1}]
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="expected a rate above 0, one or more epochs and samples, and no fewer than 0 steps"):
        Regime(**({"lr": 0.1, "epochs": 1, "samples_per_step": 1} | wrong))


def test_a_loss_that_is_not_finite_is_an_error(pixels):
    samples, _ = pixels
    with pytest.raises(InputError, match=r"The loss is nan in epoch 1.*give a lower --lr"):
        teach(
            LinearHead((3,), 2), samples, np.arange(4), regime=REGIME, seed=0,
            loss=lambda logits, _: logits.sum() * float("nan"),
        )  # fmt: skip


def test_the_best_rate_and_epoch_on_held_out_samples_are_kept(pixels):
    samples, task = pixels
    places = samples.places(task.train)
    wrong = np.random.default_rng(0).random(samples.labels.shape) < 0.4
    samples = replace(samples, labels=np.where(wrong & (samples.labels != 255), 1 - samples.labels, samples.labels))
    probe = make_probe("linear", 2)
    told = []
    regimes = [Regime(lr, 3, 3) for lr in (0.001, 0.1)]
    chosen = search_head(samples, probe, taught=places[:4], tuning=places[4:], regimes=regimes, seed=0, advance=told.append)
    assert len(told) == 6
    counts = count_answers(chosen.head, samples, probe, places[4:], at_once=1)
    assert mean_iou(counts[:, 0].sum(axis=0)) == pytest.approx(chosen.worth)
    worths = []
    for regime in regimes:  # the plain way: teach anew for as many epochs as each, and compare
        for epoch in range(1, 4):
            head = make_fresh(samples, probe, chosen.head.standardise, seed=0)
            seen = []

            def keep(number, head=head, epoch=epoch, seen=seen):
                if number == epoch:
                    seen.append(mean_iou(count_answers(head, samples, probe, places[4:], at_once=3)[:, 0].sum(axis=0)))

            teach(head, samples, places[:4], regime=regime, loss=plain, seed=0, watch=keep)
            worths.append((seen[0], regime.lr, epoch))
    best = max(worth for worth, *_ in worths)
    assert chosen.worth == best
    assert (chosen.lr, chosen.epoch) == next((lr, epoch) for worth, lr, epoch in worths if worth == best)


def test_answers_hang_on_no_other_sample(pixels):
    samples, task = pixels
    probe = make_probe("upernet", 2)
    places = samples.places(task.train)
    chosen = search_head(samples, probe, taught=places[:4], tuning=places[4:], regimes=[REGIME], seed=0)
    tested = samples.places(task.test)
    once = count_answers(chosen.head, samples, probe, tested, at_once=6)
    np.testing.assert_array_equal(once, count_answers(chosen.head, samples, probe, tested, at_once=1))
    np.testing.assert_array_equal(once[::-1], count_answers(chosen.head, samples, probe, tested[::-1].copy(), at_once=4))


def test_samples_find_the_places_of_a_part(pixels):
    samples, task = pixels
    part = task.test.take(np.array([3, 0]))
    assert samples.places(part).tolist() == [9, 6]
    np.testing.assert_array_equal(samples.labels[samples.places(part)], part.labels)

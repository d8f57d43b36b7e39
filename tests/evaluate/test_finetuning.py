"""Fine-tuning on textures in memory: that it learns, what it hangs on, and what it leaves alone."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy
from torch.optim import AdamW

from evaluate import finetuning
from evaluate.errors import InputError
from evaluate.features import extract_features
from evaluate.finetune_course import rate_factor
from evaluate.finetuning import FineTuner, compute_loss, is_mixed, make_network, set_modes
from evaluate.settings import TrainingSettings
from tests.evaluate.textures import SPEC, make_part, make_start, make_textures

SETTINGS = TrainingSettings(
    workers=0, device="cpu", batch_size=16, epochs=8, min_steps=0, lr=2e-3, layer_decay=1.0, no_augment=True
)
SHORT = replace(SETTINGS, epochs=2)
TAUGHT, KEPT, TESTED = slice(0, 128), slice(128, 160), slice(160, 224)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def textures():
    return make_textures(224)


def part(textures, rows, split="train"):
    return make_part(textures[1][rows], rows.start, split=split)


def tune(textures, settings=SHORT, *, tuning=False, seed=0, start=None, rows=TAUGHT, spec=SPEC):
    """Fine-tune on the first textures."""
    tuner = FineTuner(textures[0], spec, settings, classes=2, device=CPU, seed=seed)
    tuned = tuner.tune(start or make_start(), part(textures, rows), part(textures, KEPT) if tuning else None)
    return tuner, tuned


def states(tuned):
    return {name: each.clone() for name, each in tuned.network.state_dict().items()}


def assert_same(one, other):
    assert one.losses == other.losses
    for name, each in states(one).items():
        assert torch.equal(each, other.network.state_dict()[name]), name


@pytest.fixture(scope="module")
def learnt(textures):
    """A fine-tuning with its best epoch."""
    return tune(textures, SETTINGS, tuning=True)


def test_the_loss_falls_and_answers_beat_a_probe_of_the_same_features(textures, learnt):
    tuner, tuned = learnt
    assert tuned.losses[0] == pytest.approx(np.log(2), abs=0.1)
    assert tuned.losses[-1] < 0.3 * tuned.losses[0]
    assert tuned.steps == 8 * 128 / 16
    labels = textures[1]
    features = extract_features(textures[0], make_start(), SPEC, np.arange(224)).numpy()
    probes = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)) for c in (1e-3, 1e-2, 0.1, 1)]
    probed = max(each.fit(features[TAUGHT], labels[TAUGHT]).score(features[TESTED], labels[TESTED]) for each in probes)
    found = tuner.predict(tuned.network, part(textures, TESTED, "test")).argmax(1).numpy()
    assert (found == labels[TESTED]).mean() > 0.8 > probed + 0.1


def test_the_best_epoch_answers_the_later_one_of_equals(textures, learnt):
    tuner, tuned = learnt
    assert len(tuned.worth) == len(tuned.losses) == 8
    best = max(number for number, each in enumerate(tuned.worth, start=1) if each == max(tuned.worth))
    assert tuned.epoch == best
    found = tuner.predict(tuned.network, part(textures, KEPT)).argmax(1).numpy()
    assert (found == textures[1][KEPT]).mean() == tuned.worth[tuned.epoch - 1]


def test_an_earlier_epoch_answers_where_it_was_better(textures, monkeypatch):
    worth = iter([0.5, 0.9, 0.9, 0.7])
    monkeypatch.setattr(FineTuner, "_measure", lambda *_: next(worth))
    seen = []
    step = FineTuner._step

    def counted(self, teaching, images, labels):
        loss = step(self, teaching, images, labels)
        seen.append({name: each.clone() for name, each in teaching.network.state_dict().items()})
        return loss

    monkeypatch.setattr(FineTuner, "_step", counted)
    _, tuned = tune(textures, replace(SETTINGS, epochs=4), tuning=True)
    assert (tuned.epoch, tuned.worth) == (3, (0.5, 0.9, 0.9, 0.7))
    for name, each in tuned.network.state_dict().items():
        assert torch.equal(each, seen[3 * 8 - 1][name]), name


def test_without_items_to_choose_on_the_last_epoch_answers(textures):
    _, tuned = tune(textures)
    assert (tuned.epoch, tuned.worth) == (2, ())


def test_two_runs_and_any_worker_give_the_same_bits(textures):
    _, first = tune(textures, replace(SHORT, no_augment=False), rows=slice(0, 48))
    for workers in (0, 1):
        _, again = tune(textures, replace(SHORT, no_augment=False, workers=workers), rows=slice(0, 48))
        assert_same(first, again)
    _, other = tune(textures, replace(SHORT, no_augment=False), rows=slice(0, 48), seed=1)
    assert other.losses != first.losses


def test_the_order_that_items_are_listed_in_changes_nothing(textures):
    tuner, first = tune(textures)
    listed = part(textures, TAUGHT).take(np.random.default_rng(0).permutation(128))
    assert_same(first, tuner.tune(make_start(), listed, None))


def test_nothing_else_changes(textures):
    start = make_start()
    before = copy.deepcopy(start.state_dict())
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    tune(textures, start=start)
    assert torch.equal(torch.rand(3), expected)
    assert not start.training
    for name, each in start.state_dict().items():
        assert torch.equal(each, before[name]), name


def test_every_weight_moves(textures):
    _, tuned = tune(textures)
    start = make_start().state_dict()
    for name, each in tuned.network[0].named_parameters():
        assert not torch.equal(each, start[name]), name
    assert tuned.network[1].weight.abs().min() > 0


def test_frozen_batch_normalisation_keeps_its_statistics(textures):
    start = make_start().state_dict()
    for freeze in (False, True):
        _, tuned = tune(textures, replace(SHORT, freeze_batch_norm=freeze))
        found = tuned.network[0].state_dict()
        means = [name for name in start if name.endswith(("running_mean", "running_var"))]
        assert means
        assert all(torch.equal(start[name], found[name]) == freeze for name in means)
        scales = [name for name in start if "bn" in name and name.endswith("weight")]
        assert scales
        assert not any(torch.equal(start[name], found[name]) for name in scales)


def test_modes_are_set_layer_by_layer():
    network = make_network(make_start(), classes=2)
    set_modes(network, freeze_batch_norm=True)
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(layer.training for layer in norms)
    assert network.training
    set_modes(network, freeze_batch_norm=False)
    assert all(layer.training for layer in network.modules())


def test_mixed_precision_is_near_single_precision(textures):
    larger = replace(SPEC, size_px=32)  # oneDNN leaves memory as it was in bfloat16 gradients of strided layers that see 1 px
    _, single = tune(textures, spec=larger)
    _, mixed = tune(textures, replace(SHORT, precision="bf16-mixed"), spec=larger)
    assert mixed.losses != single.losses
    assert mixed.losses == pytest.approx(single.losses, abs=0.05)
    assert {each.dtype for each in mixed.network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("precision", "device", "mixed"),
    [("auto", "cpu", False), ("auto", "cuda", True), ("32-true", "cuda", False), ("bf16-mixed", "cpu", True)],
)
def test_precision_is_mixed_on_a_gpu_or_where_asked_for(precision, device, mixed):
    assert is_mixed(precision, torch.device(device)) == mixed


def test_each_step_has_its_rate_by_layer_and_clipped_gradients(textures, monkeypatch):
    seen = []
    step = AdamW.step

    def watched(self, *words):
        groups = self.param_groups
        norm = torch.stack([each.grad.norm() for group in groups for each in group["params"]]).norm()
        seen.append((float(norm), [(group["lr"], group["lr_scale"]) for group in groups]))
        return step(self, *words)

    monkeypatch.setattr(AdamW, "step", watched)
    monkeypatch.setattr(finetuning, "compute_loss", lambda *words, **named: 1e4 * compute_loss(*words, **named))
    tune(textures, replace(SHORT, layer_decay=0.5))
    assert len(seen) == 16
    for number, (norm, rates) in enumerate(seen):
        assert norm == pytest.approx(1.0, rel=1e-3)
        assert [lr for lr, _ in rates] == pytest.approx(
            [SHORT.lr * scale * rate_factor(number, steps=16) for _, scale in rates]
        )
        assert {scale for _, scale in rates} == {0.5**depth for depth in range(6)}


def test_labels_are_smoothed_as_asked_for(textures, monkeypatch):
    seen = []
    monkeypatch.setattr(finetuning, "compute_loss", lambda *words, **named: seen.append(named) or compute_loss(*words, **named))
    tune(textures, replace(SHORT, epochs=1, label_smoothing=0.4))
    assert seen == [{"smoothing": 0.4}] * 8


def test_layers_near_the_pixels_move_less(textures):
    start = make_start().state_dict()

    def moved(layer_decay):
        _, tuned = tune(textures, replace(SHORT, epochs=1, layer_decay=layer_decay))
        found = tuned.network[0].state_dict()
        return float((found["conv1.0.weight"] - start["conv1.0.weight"]).norm())

    assert moved(0.1) < 0.01 * moved(1.0)


def test_losses_are_those_of_torch():
    rng = torch.Generator().manual_seed(0)
    answers = torch.randn(6, 3, generator=rng)
    classes = torch.tensor([0, 1, 2, 2, 1, 0])
    assert compute_loss(answers, classes, smoothing=0.1) == cross_entropy(answers, classes, label_smoothing=0.1)
    labels = torch.randn(6, 3, generator=rng) > 0
    for smoothing in (0.0, 0.2):
        soft = labels * (1 - smoothing) + smoothing / 2
        share = answers.double().sigmoid()
        expected = -(soft * share.log() + (1 - soft) * (1 - share).log()).mean()
        assert float(compute_loss(answers, labels, smoothing=smoothing)) == pytest.approx(float(expected), rel=1e-6)


def test_items_may_have_several_labels(textures):
    classes = textures[1]
    labels = np.stack([classes == 0, classes == 1, np.ones(224, bool)], axis=1)
    tuner = FineTuner(textures[0], SPEC, SETTINGS, classes=3, device=CPU, seed=0)
    kept = make_part(labels[KEPT], KEPT.start)
    tuned = tuner.tune(make_start(), make_part(labels[TAUGHT]), kept)
    assert tuned.losses[0] == pytest.approx(np.log(2), abs=0.15)
    assert tuned.losses[-1] < 0.5 * tuned.losses[0]
    found = tuner.predict(tuned.network, kept).numpy()
    assert tuned.worth[tuned.epoch - 1] == pytest.approx(average_precision_score(labels[KEPT].ravel(), found.ravel()))
    assert max(tuned.worth) > 0.85


def test_a_first_answer_is_undecided():
    network = make_network(make_start(), classes=4).eval()
    answers = network(torch.randn(8, 2, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert answers.shape == (8, 4)
    torch.testing.assert_close(answers.softmax(1), torch.full((8, 4), 0.25), atol=1e-3, rtol=0)


def test_a_loss_that_is_no_number_stops(textures):
    with pytest.raises(
        InputError, match=r"loss of epoch \d is nan: fine-tuning has diverged\. Pass a smaller --lr than 1e\+30\."
    ):
        tune(textures, replace(SHORT, lr=1e30))
    with pytest.raises(InputError, match=r"than 1e\+30, or --precision 32-true\."):
        tune(textures, replace(SHORT, lr=1e30, precision="bf16-mixed"))


def test_answers_that_are_no_numbers_are_no_answers(textures):
    broken, tuner = make_network(make_start(), classes=2), FineTuner(textures[0], SPEC, SHORT, classes=2, device=CPU, seed=0)
    torch.nn.init.constant_(next(broken.parameters()), torch.nan)
    with pytest.raises(InputError, match=r"Answers are not finite: fine-tuning has diverged\. Pass a smaller --lr than 0\.002"):
        tuner.predict(broken, make_part(textures[1][:4], 0))


def test_a_batch_that_does_not_fit_says_what_to_lower(textures, monkeypatch):
    def short_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(finetuning.FineTuner, "_step", short_of_memory)
    with pytest.raises(InputError, match=r"cannot hold 16 images at a time while it fine-tunes\. Pass a smaller --batch-size"):
        tune(textures)


def test_progress_counts_every_item_of_every_epoch(textures):
    seen = []
    tuner = FineTuner(textures[0], SPEC, SHORT, classes=2, device=CPU, seed=0)
    start, fitted = make_start(), part(textures, slice(0, 33))
    tuner.tune(start, fitted, None, advance=seen.append)
    assert sum(seen) == 2 * 33 == tuner.plan(start, fitted).epochs * len(fitted)
    assert min(seen) > 1

"""A linear layer taught as released codes do it, against a plain loop of torch's own layers, losses and optimizers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluate.errors import InputError
from evaluate.sgd_probe import DESCENTS, descend

RNG = np.random.default_rng(2)
CLASSES = RNG.integers(3, size=70)
FEATURES = torch.tensor(RNG.normal(size=(3, 6))[CLASSES] + RNG.normal(size=(70, 6))).float()
TRUTH = torch.tensor(CLASSES)
LABELS = torch.tensor(RNG.random((70, 3)) < 0.4)


def plain_layer(features, truth, *, name, epochs, seed):
    """What main_eurosat.py, main_bigearthnet.py and eval_linear.py do; first weights and order are drawn as ours."""
    generator = torch.Generator().manual_seed(seed)
    layer = torch.nn.Linear(features.shape[1], 3)
    with torch.no_grad():
        if name == "seco":
            drawn = torch.empty(3, 7).uniform_(-(6**-0.5), 6**-0.5, generator=generator)
        else:
            drawn = torch.empty(3, 7).normal_(0, 0.01, generator=generator)
            drawn[:, -1] = 0
        layer.weight.copy_(drawn[:, :-1])
        layer.bias.copy_(drawn[:, -1])
    if name == "seco":
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [int(0.6 * epochs), int(0.8 * epochs)])
    else:
        optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3 * 32 / 256, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min=0)
    loss = torch.nn.CrossEntropyLoss() if truth.ndim == 1 else torch.nn.MultiLabelSoftMarginLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(features), generator=generator).split(32):
            optimizer.zero_grad()
            loss(layer(features[rows]), truth[rows] if truth.ndim == 1 else truth[rows].float()).backward()
            optimizer.step()
        schedule.step()
    return layer.weight.detach(), layer.bias.detach()


@pytest.mark.parametrize("name", ["seco", "dino"])
@pytest.mark.parametrize("truth", [TRUTH, LABELS], ids=["single", "several"])
def test_weights_equal_those_of_a_plain_loop(name, truth):
    descent = replace(DESCENTS[name], epochs=10)
    found = descend(FEATURES, truth, classes=3, descent=descent, seed=4)
    for mine, theirs in zip(found, plain_layer(FEATURES, truth, name=name, epochs=10, seed=4), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)


def test_rates_are_those_of_the_released_codes():
    seco, dino = DESCENTS["seco"], DESCENTS["dino"]
    assert [round(seco.rate(epoch), 9) for epoch in (0, 59, 60, 79, 80, 99)] == [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    assert (dino.rate(0), dino.rate(50)) == (1.25e-4, pytest.approx(1.25e-4 / 2))
    assert 0 < dino.rate(99) < 1e-7
    assert {each.epochs for each in DESCENTS.values()} == {100}
    assert {each.batch_size for each in DESCENTS.values()} == {32}


def test_a_seed_teaches_the_same_again_and_another_seed_otherwise():
    descent = replace(DESCENTS["seco"], epochs=2)
    first, again, other = (descend(FEATURES, TRUTH, classes=3, descent=descent, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_global_generators_are_left_alone():
    before = torch.get_rng_state()
    descend(FEATURES, TRUTH, classes=3, descent=replace(DESCENTS["dino"], epochs=1), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_learns_what_can_be_told():
    weight, bias = descend(FEATURES, TRUTH, classes=3, descent=replace(DESCENTS["seco"], lr=0.05), seed=0)
    assert ((FEATURES @ weight.T + bias).argmax(1) == TRUTH).float().mean() > 0.7


def test_a_loss_that_is_not_finite_is_told():
    with pytest.raises(InputError, match="The probe's loss is not finite: the features are too large"):
        descend(FEATURES * 1e30, TRUTH, classes=3, descent=replace(DESCENTS["dino"], lr=1e30, epochs=2), seed=0)


@pytest.mark.parametrize("count", [0, 5])
def test_labels_of_other_items_are_told(count):
    with pytest.raises(InputError, match=f"There are {count} items to teach with and labels of 70"):
        descend(FEATURES[:count], TRUTH, classes=3, descent=DESCENTS["seco"], seed=0)

"""DINO's head: its layers, its weights as they are drawn, and what batch normalisation does for features that are all alike."""

import pytest
import torch
from torch import nn

from train.config import Distillation
from train.heads import PrototypeHead

CONSTANTS = {"out_dim": 32, "head_hidden": 16, "bottleneck": 8}
FEATURES = 24


def make(**changes):
    torch.manual_seed(0)
    return PrototypeHead(FEATURES, Distillation(**(CONSTANTS | changes)))


def much_alike(images=64):
    """Features as a network that was just drawn has them: one direction, and a little of each image's own."""
    generator = torch.Generator().manual_seed(1)
    return torch.ones(FEATURES) + 0.05 * torch.randn(images, FEATURES, generator=generator)


@pytest.mark.parametrize(
    ("head_layers", "head_batch_norm", "expected"),
    [
        (1, False, [nn.Linear]),
        (1, True, [nn.Linear]),
        (3, False, [nn.Linear, nn.GELU, nn.Linear, nn.GELU, nn.Linear]),
        (3, True, [nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Linear]),
    ],
)
def test_batch_normalisation_is_between_a_layer_and_what_follows_and_never_after_the_last(
    head_layers, head_batch_norm, expected
):
    layers = make(head_layers=head_layers, head_batch_norm=head_batch_norm).layers
    assert [type(each) for each in layers] == expected
    widths = [each.out_features for each in layers if isinstance(each, nn.Linear)]
    assert widths == [*[CONSTANTS["head_hidden"]] * (head_layers - 1), CONSTANTS["bottleneck"]]


def test_the_same_weights_are_drawn_with_batch_normalisation_and_without():
    linear = [
        [each for layer in make(head_batch_norm=norms).layers if isinstance(layer, nn.Linear) for each in layer.parameters()]
        for norms in (False, True)
    ]
    assert len(linear[0]) == 6
    assert all(torch.equal(a, b) for a, b in zip(*linear, strict=True))
    assert all(0 < each.std() < 0.03 for each in linear[0] if each.ndim == 2)


def test_scores_are_cosines():
    scores = make()(much_alike())
    assert scores.shape == (64, CONSTANTS["out_dim"])
    assert scores.abs().max() <= 1


def test_with_batch_normalisation_a_new_head_tells_images_apart_whose_features_are_much_alike():
    apart = [make(head_batch_norm=norms)(much_alike()).std(0).mean().item() for norms in (False, True)]
    assert apart[0] < 0.04, "the temperature of the teacher"
    assert apart[1] > 0.2


def test_every_weight_and_norm_of_a_normalised_head_is_moved():
    head = make(head_batch_norm=True)
    head(torch.randn(64, FEATURES)).square().sum().backward()
    longest = {name: 0.0 if each.grad is None else each.grad.abs().max().item() for name, each in head.named_parameters()}
    weights = [f"layers.{place}.weight" for place in (0, 1, 3, 4, 6)] + ["prototypes.parametrizations.weight.original1"]
    assert all(longest[name] > 1e-3 for name in weights)

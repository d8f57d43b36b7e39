"""What moves weights: which of them decay, rates step by step, clipping."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from train.backbones import make_backbone
from train.config import Distillation, Optimizer
from train.crop_encoder import CropEncoder
from train.errors import MemoryShortError
from train.heads import PrototypeHead
from train.recipes import RECIPES
from train.schedules import learning_rate
from train.steps import clip_gradients, group_parameters, make_optimizer, memory_words, set_rates

ADAMW = Optimizer("adamw", lr=1e-3, weight_decay=0.04, final_weight_decay=0.4, decays="matrices", warmup_epochs=1)


def make_student(name="test_vit"):
    backbone = make_backbone(name, bands=2, size_px=32)
    return CropEncoder(backbone, PrototypeHead(backbone.num_features, Distillation(out_dim=8, head_hidden=8, bottleneck=4)))


def names_of(student, group):
    names = {id(each): name for name, each in student.named_parameters()}
    return {names[id(each)] for each in group["params"]}


def test_all_weights_decay_where_the_recipe_says_so():
    student = make_student()
    (group,) = group_parameters(student, "all")
    learned = {name for name, each in student.named_parameters() if each.requires_grad}
    assert names_of(student, group) == learned
    assert "head.prototypes.parametrizations.weight.original0" not in learned, "its length is fixed"


@pytest.mark.parametrize(("decays", "tokens"), [("matrices", True), ("kernels", False)])
def test_biases_and_norms_do_not_decay_and_tokens_do_as_released_or_not(decays, tokens):
    student = make_student()
    decaying, spared = (names_of(student, group) for group in group_parameters(student, decays))
    assert {"backbone.cls_token", "backbone.pos_embed"} <= (decaying if tokens else spared)
    assert {"backbone.patch_embed.proj.weight", "head.prototypes.parametrizations.weight.original1"} <= decaying
    assert {"backbone.norm.weight", "backbone.blocks.0.attn.qkv.bias", "head.layers.0.bias"} <= spared
    assert not any(name.endswith(".bias") for name in decaying)
    assert not decaying & spared
    assert decaying | spared == {name for name, each in student.named_parameters() if each.requires_grad}


def test_rates_of_every_step_reach_the_groups_that_they_are_for():
    optimizer = make_optimizer(ADAMW, make_student("test_resnet"))
    decays = []
    for step in range(6):
        rate = set_rates(optimizer, ADAMW, step, steps=6, steps_per_epoch=2)
        assert rate == learning_rate(ADAMW, step, steps=6, steps_per_epoch=2)
        first, second = optimizer.param_groups
        assert first["lr"] == second["lr"] == rate
        assert second["weight_decay"] == 0.0
        decays.append(first["weight_decay"])
    assert decays[0] == pytest.approx(0.04)
    assert decays[-1] == pytest.approx(0.4)
    assert decays == sorted(decays)


def test_a_group_of_an_older_checkpoint_decays():
    group = {"lr": 0.0, "weight_decay": 0.0}
    set_rates(SimpleNamespace(param_groups=[group]), Optimizer(weight_decay=0.5), 0, steps=2, steps_per_epoch=1)
    assert group["weight_decay"] == 0.5


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_weight_that_was_frozen_at_first_joins_as_torchs_plain_loops_have_it(name):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    settings = Optimizer(name, lr=0.1, momentum=0.9, weight_decay=0.01)
    plain = {"sgd": partial(torch.optim.SGD, momentum=0.9), "adamw": torch.optim.AdamW}[name]
    optimizers = make_optimizer(settings, ours), plain(theirs.parameters(), 0.1, weight_decay=0.01, foreach=False)
    for step in range(4):
        for network, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            network(torch.full((1, 3), float(step + 1))).square().sum().backward()
            network.bias.grad = network.bias.grad if step >= 2 else None
            optimizer.step()
        torch.testing.assert_close(list(ours.parameters()), list(theirs.parameters()))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"max_norm": 2.0, "clip_each": True}, [2.0, 2.0]), ({"max_norm": 3.25}, [3.0, 1.25]), ({}, [6.0, 2.5])],
    ids=["each by itself", "all together", "not at all"],
)
def test_gradients_are_clipped_as_asked(settings, expected):
    parameters = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    for each, length in zip(parameters, (6.0, 2.5), strict=False):
        each.grad = torch.tensor([0.0, length])
    clip_gradients(parameters, Optimizer(**settings))
    assert [each.grad.norm().item() for each in parameters[:2]] == pytest.approx(expected, rel=1e-5)
    assert parameters[2].grad is None, "a frozen one"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("x_stars", r"\(the same batch in smaller parts, each with fewer negatives to align with\), or"),
        ("dino", r"smaller parts\), or"),
    ],
)
def test_parts_of_a_batch_that_is_aligned_are_said_to_have_fewer_negatives(recipe, words):
    with pytest.raises(MemoryShortError, match=words), memory_words(RECIPES[recipe](), torch.device("cpu")):
        raise torch.OutOfMemoryError

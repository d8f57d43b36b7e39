"""Learning rates by depth, against plain counting and against timm."""

from functools import cache

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from evaluate.layer_decay import layer_groups

DEPTHS = {"resnet18": 9, "vit_tiny_patch16_224": 13, "swin_tiny_patch4_window7_224": 13}
"""Layers below the head: the blocks, and what comes before them."""


@cache
def make(name):
    """A network without its classifier, as it comes."""
    return timm.create_model(name, num_classes=0)


def grouped(name, *, layer_decay=0.5, weight_decay=0.1):
    """(learning rate, weight decay) of each parameter by its name; the head's begin with `head`."""
    network = nn.Sequential(make(name), nn.Linear(4, 3))
    groups = layer_groups(*network, lr=0.2, layer_decay=layer_decay, weight_decay=weight_decay)
    found = {id(each): (group["lr"], group["weight_decay"]) for group in groups for each in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found), "each parameter is in one group"
    named = [(key.removeprefix("0."), each) for key, each in network.named_parameters()]
    return {key.replace("1.", "head.", 1) if key.startswith("1.") else key: (each, *found[id(each)]) for key, each in named}


def plain_depth(key, name):
    """The layer of a parameter, from 0, counted by hand from its name; the head is the deepest."""
    words = key.split(".")
    if key.startswith("head."):
        return DEPTHS[name]
    if name == "resnet18":
        return 1 + 2 * (int(words[0][-1]) - 1) + int(words[1]) if words[0].startswith("layer") else 0
    if name.startswith("vit"):
        return 12 if words[0] == "norm" else 1 + int(words[1]) if words[0] == "blocks" else 0
    before = (0, 2, 4, 10)
    if words[0] == "norm":
        return 12
    return 0 if words[0] == "patch_embed" else before[int(words[1])] + 1 + (int(words[3]) if words[2] == "blocks" else 0)


@pytest.mark.parametrize("name", DEPTHS)
def test_each_layer_learns_slower_than_the_one_above_it(name):
    for key, (_, lr, _) in grouped(name).items():
        assert lr == pytest.approx(0.2 * 0.5 ** (DEPTHS[name] - plain_depth(key, name))), key


@pytest.mark.parametrize("name", [*DEPTHS, "convnext_atto"])  # the last has a norm in its head
def test_rates_are_those_that_timm_gives_a_network_with_its_own_head(name):
    network = timm.create_model(name, num_classes=3)
    groups = param_groups_layer_decay(network, layer_decay=0.5)
    scales = {id(each): group["lr_scale"] for group in groups for each in group["params"]}
    ours = grouped(name)
    for key, parameter in network.named_parameters():
        mine = key if key in ours else f"head.{key.rsplit('.', 1)[1]}"
        assert ours[mine][1] == pytest.approx(0.2 * scales[id(parameter)]), key


@pytest.mark.parametrize("name", DEPTHS)
def test_norms_biases_and_position_embeddings_have_no_weight_decay(name):
    for key, (parameter, _, weight_decay) in grouped(name).items():
        spared = parameter.ndim <= 1 or key in ("pos_embed", "cls_token") or "relative_position_bias_table" in key
        assert weight_decay == (0.0 if spared else 0.1), key


def test_without_decay_all_layers_learn_alike():
    assert {lr for _, lr, _ in grouped("resnet18", layer_decay=1.0).values()} == {0.2}


def test_groups_are_what_an_optimizer_takes():
    optimizer = torch.optim.AdamW(layer_groups(make("resnet18"), nn.Linear(512, 3), lr=0.2, layer_decay=0.5, weight_decay=0.1))
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(0.2 * group["lr_scale"])

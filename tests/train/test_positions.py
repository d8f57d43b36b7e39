"""Positions at other sizes are DINO's own, or timm's."""

import copy

import pytest
import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import nn
from torch.nn.functional import interpolate

from tests.train.published_checkpoints import PlainViT
from train.backbones import make_backbone
from train.positions import fit_positions, fit_to_size, place_by_products, resize_by_products, resize_positions
from train.sensor_backbones import share_trunk


@pytest.fixture(scope="module")
def vit():
    return PlainViT(seed=3)


@pytest.mark.parametrize("side", [6, 14, 16, 28])
@torch.no_grad()
def test_positions_are_interpolated_as_dino_does(vit, side):
    torch.testing.assert_close(resize_positions(vit.pos_embed, side), vit.positions(side), atol=1e-5, rtol=1e-5)


def test_positions_of_the_same_size_are_the_same_numbers(vit):
    assert resize_positions(vit.pos_embed, 14) is vit.pos_embed


@torch.no_grad()
def test_features_at_another_size_are_those_of_the_plain_network(vit):
    backbone = make_backbone("vit_tiny_patch16_224", bands=3, size_px=96).eval()
    tensors = fit_positions(vit.state_dict(), backbone)
    backbone.load_state_dict(tensors)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(backbone(images), vit(images), atol=1e-4, rtol=1e-4)


def test_what_has_no_positions_or_cannot_be_fitted_stays_as_it_is(vit):
    other = make_backbone("vit_tiny_patch16_224", bands=3)
    short = {"pos_embed": torch.zeros(1, 197, 64)}
    for tensors, backbone in (({"a": torch.zeros(1)}, other), (vit.state_dict(), torch.nn.Linear(2, 2)), (short, other)):
        found = fit_positions(tensors, backbone)
        assert all(found[name] is tensors[name] for name in tensors)


@pytest.mark.parametrize(
    "options", [{}, {"reg_tokens": 2}, {"class_token": False, "global_pool": "avg"}, {"no_embed_class": True}]
)
@torch.no_grad()
def test_positions_of_a_vit_are_resized_as_its_own_crops_of_another_size_see_them(options):
    made = {"num_classes": 0, "dynamic_img_size": True, **options}
    torch.manual_seed(0)
    large, small = (timm.create_model("test_vit", img_size=size, **made).eval() for size in (96, 64))
    torch.nn.init.normal_(large.pos_embed)
    small.load_state_dict(fit_to_size(large.state_dict(), small))
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(small(images), large(images))
    prefix = large.pos_embed.shape[1] - 36
    grid = large.pos_embed[:, prefix:].reshape(1, 6, 6, -1).permute(0, 3, 1, 2)
    plain = interpolate(grid, (4, 4), mode="bicubic", antialias=True).permute(0, 2, 3, 1).reshape(1, 16, -1)
    assert small.pos_embed[:, prefix:].equal(plain)
    assert small.pos_embed[:, :prefix].equal(large.pos_embed[:, :prefix])


def test_what_timm_would_not_resize_stays_as_it_is(vit):
    same, narrow = make_backbone("vit_tiny_patch16_224", bands=3), {"pos_embed": torch.zeros(1, 5, 64)}
    for tensors, backbone in ((vit.state_dict(), same), (narrow, same), ({"a": torch.zeros(1)}, torch.nn.Linear(2, 2))):
        found = fit_to_size(tensors, backbone)
        assert all(found[name] is tensors[name] for name in tensors)


def steps_back(tensor):
    """Names of the operations that a tensor's gradient goes back through."""
    found, ahead = set(), [tensor.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in found:
            found.add(node)
            ahead += [before for before, _ in node.next_functions]
    return {node.name() for node in found}


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize(
    ("before", "after"),
    [((14, 14), (6, 6)), ((6, 6), (14, 14)), ((28, 28), (23, 23)), ((7, 7), (1, 1)), ((14, 14), (9, 20)), ((5, 12), (7, 3))],
)
def test_two_products_give_the_numbers_and_the_gradient_of_timm(before, after, prefix):
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(1, prefix + before[0] * before[1], 24, generator=generator)
    towards = torch.randn(1, prefix + after[0] * after[1], 24, generator=generator)
    found = []
    for resize in (
        lambda each: resize_by_products(each, after, before=before, prefix=prefix),
        lambda each: resample_abs_pos_embed(each, list(after), list(before), num_prefix_tokens=prefix),
    ):
        leaf = table.clone().requires_grad_()
        made = resize(leaf)
        made.backward(towards)
        found.append((made.detach(), leaf.grad))
    torch.testing.assert_close(found[0], found[1], atol=4e-6, rtol=0.0)  # timm's are up to 7e-6 from what float64 gives


def test_the_same_number_of_patches_has_the_same_table(vit):
    assert resize_by_products(vit.pos_embed, (14, 14), before=(14, 14), prefix=1) is vit.pos_embed


def test_positions_are_resized_in_full_precision_where_the_rest_is_not():
    table = torch.randn(1, 37, 8, generator=torch.Generator().manual_seed(0))
    exact = resize_by_products(table, (4, 5), before=(6, 6), prefix=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert resize_by_products(table, (4, 5), before=(6, 6), prefix=1).equal(exact)


def test_what_was_first_resized_for_inference_can_be_learnt_later():
    with torch.inference_mode():
        resize_by_products(torch.zeros(1, 121, 2), (3, 3), before=(11, 11), prefix=0)
    table = torch.zeros(1, 121, 2, requires_grad=True)
    resize_by_products(table, (3, 3), before=(11, 11), prefix=0).sum().backward()
    assert table.grad.sum() == pytest.approx(18)


VITS = {
    "class token": ("test_vit", {}),
    "registers": ("test_vit", {"reg_tokens": 2}),
    "no class token": ("test_vit", {"class_token": False, "global_pool": "avg"}),
    "positions of patches alone": ("test_vit", {"no_embed_class": True, "reg_tokens": 1}),
    "distilled": ("deit_tiny_distilled_patch16_224", {"depth": 1}),
}


def features_and_gradients(vit, sizes=(96, 64, 32)):
    generator = torch.Generator().manual_seed(0)
    features = [vit(torch.randn(2, 3, size, size, generator=generator)) for size in sizes]
    total = torch.stack(features).square().mean()
    total.backward()
    return torch.stack(features).detach(), {name: each.grad for name, each in vit.named_parameters()}, steps_back(total)


@pytest.mark.parametrize(("name", "options"), VITS.values(), ids=VITS)
def test_a_vit_computes_what_timms_does_and_no_gradient_goes_back_through_an_interpolation(name, options):
    torch.manual_seed(0)
    timms = timm.create_model(name, img_size=96, num_classes=0, dynamic_img_size=True, **options)
    nn.init.normal_(timms.pos_embed)
    ours = copy.deepcopy(timms)
    place_by_products(ours)
    ours = copy.deepcopy(ours)  # as teachers are made
    found, expected = features_and_gradients(ours), features_and_gradients(timms)
    torch.testing.assert_close(found[:2], expected[:2], atol=1e-5, rtol=1e-5)
    assert type(ours) is type(timms)
    assert ours.state_dict().keys() == timms.state_dict().keys()
    assert any("Bicubic" in step for step in expected[2])
    assert not any("Bicubic" in step for step in found[2])


def test_the_backbones_of_training_resize_by_products_and_copies_have_their_own():
    backbone = make_backbone("test_vit", bands=3, size_px=96, further_sizes=(64,)).eval()
    trunks = share_trunk(backbone, {"one": 3, "other": 3})
    copied = copy.deepcopy(trunks)
    nn.init.normal_(trunks["other"].pos_embed, std=2.0)
    images = torch.randn(2, 3, 64, 64)
    features = {sensor: trunk(images) for sensor, trunk in trunks.items()}
    for sensor, found in features.items():
        assert not any("Bicubic" in step for step in steps_back(found.sum()))
        assert not torch.allclose(copied[sensor](images), found, atol=1e-2)
    copied.load_state_dict(trunks.state_dict())
    assert all(copied[sensor](images).equal(found) for sensor, found in features.items())


def test_networks_of_one_size_and_other_networks_are_timms_own():
    for name in ("vit_tiny_patch16_224", "resnet10t"):
        assert "_pos_embed" not in vars(make_backbone(name, bands=3, size_px=64))

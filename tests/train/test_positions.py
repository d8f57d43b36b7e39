"""Positions at other sizes are DINO's own, or timm's."""

import pytest
import timm
import torch
from torch.nn.functional import interpolate

from tests.train.published_checkpoints import PlainViT
from train.backbones import make_backbone
from train.positions import fit_positions, fit_to_size, resize_positions


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

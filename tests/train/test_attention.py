"""Shares of attention against timm's own unfused path, and pictures of them tile by tile."""

import numpy as np
import pytest
import timm
import torch

from train.attention import COLORS, GAP_PX, class_attention, draw_attention, shows_attention

SIDES = [(32, 32), (48, 32)]


def make_vit(**options):
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=0, dynamic_img_size=True, **options).eval()


def unfused(backbone, images):
    """What the last block's softmax gives, (batch, heads, tokens, tokens), as timm computes it without a fused kernel."""
    attention = backbone.blocks[-1].attn
    attention.fused_attn = False
    seen = []
    handle = attention.attn_drop.register_forward_hook(lambda _module, _given, found: seen.append(found))
    with torch.no_grad():
        backbone(images)
    handle.remove()
    attention.fused_attn = True
    return seen[0]


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("options", [{}, {"qk_norm": True}, {"reg_tokens": 3}])
def test_shares_are_those_of_the_last_block(size, options):
    backbone, images = make_vit(**options), torch.randn(3, 3, *size)
    shares = class_attention(backbone, images)
    prefix = 1 + options.get("reg_tokens", 0)
    wanted = unfused(backbone, images)[:, :, 0, prefix:]
    assert shares.shape == (3, 2, size[0] // 16, size[1] // 16)
    assert not shares.requires_grad
    torch.testing.assert_close(shares.flatten(2), wanted)


def test_a_map_lies_as_its_image_does():
    """Without positions, patches that look alike have the same share, and the one bright patch has another."""
    backbone = make_vit()
    torch.nn.init.zeros_(backbone.pos_embed)
    images = torch.zeros(1, 3, 48, 32)
    images[0, :, 32:, :16] = 5.0
    shares = class_attention(backbone, images)[0]
    differs = (shares - shares[:, :1, :1]).abs().amax(0) > 1e-5
    assert differs.tolist() == [[False, False], [False, False], [True, False]]


def test_looking_leaves_no_hook_behind_even_when_it_fails():
    backbone = make_vit()
    with pytest.raises(RuntimeError):
        class_attention(backbone, torch.zeros(1, 5, 32, 32))
    class_attention(backbone, torch.zeros(1, 3, 32, 32))
    assert not backbone.blocks[-1].attn._forward_pre_hooks


@pytest.mark.parametrize(
    ("name", "options", "shows"),
    [
        ("test_vit", {}, True),
        ("test_vit", {"class_token": False, "global_pool": "avg"}, False),
        ("test_resnet", {}, False),
        ("swin_tiny_patch4_window7_224", {}, False),
    ],
)
def test_networks_without_a_class_token_show_nothing(name, options, shows):
    with torch.device("meta"):
        assert shows_attention(timm.create_model(name, num_classes=0, **options)) is shows


def test_a_picture_has_a_row_per_image_and_a_column_per_head():
    images = torch.zeros(2, 3, 28, 28)
    images[1, 0, :, 14:] = 1
    shares = torch.zeros(2, 3, 2, 2)
    shares[0, 1, 0, 1] = 0.5
    shares[1, 2, 1, 0] = 0.1
    picture = draw_attention(images, shares)
    side = 112
    assert picture.shape == (2 * side + GAP_PX, 4 * side + 3 * GAP_PX, 3)
    assert (picture[side : side + GAP_PX] == 255).all()
    assert (picture[:, side : side + GAP_PX] == 255).all()

    def tile(row, column):
        top, left = row * (side + GAP_PX), column * (side + GAP_PX)
        return picture[top : top + side, left : left + side]

    least, most = COLORS[0], COLORS[-1]
    assert (tile(0, 2)[:56, 56:] == most).all()
    assert (tile(0, 2)[56:] == least).all()
    assert (tile(1, 3)[56:, :56] == most).all()
    assert (tile(0, 1) == least).all()
    assert not tile(0, 0).any()
    assert (tile(1, 0)[:, -40:] == (255, 0, 0)).all()
    assert not tile(1, 0)[:, :40].any()


def test_colours_grow_lighter_with_the_share():
    picture = draw_attention(torch.zeros(1, 1, 16, 16), torch.linspace(0, 1, 16).view(1, 1, 4, 4))
    tile = picture[:, 112 + GAP_PX :]
    light = tile[14::28, 14::28].reshape(16, 3).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(light) > 0).all()


def test_grey_images_and_many_patches_fit():
    picture = draw_attention(torch.rand(1, 1, 40, 40), torch.rand(1, 2, 150, 150))
    assert picture.shape == (150, 3 * 150 + 2 * GAP_PX, 3)
    assert picture.dtype == np.uint8

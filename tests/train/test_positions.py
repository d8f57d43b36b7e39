"""Position embeddings at other sizes are DINO's own."""

import pytest
import torch

from tests.train.published_checkpoints import PlainViT
from train.backbones import make_backbone
from train.positions import fit_positions, resize_positions


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

"""Crops of one size go through a backbone together, and come back in their order."""

import pytest
import torch
from torch import nn

from train.backbones import make_backbone
from train.crop_encoder import CropEncoder, by_size

SIZES = (48, 48, 32, 48, 16)


class Counting(nn.Module):
    """How often a backbone is called, and with how many images."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.batches = backbone, []

    def forward(self, images):
        self.batches.append(len(images))
        return self.backbone(images)


def draw(sizes=SIZES, batch=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(batch, 2, size, size, generator=generator) for size in sizes]


def make(name, sizes=SIZES):
    torch.manual_seed(0)
    return make_backbone(name, bands=2, size_px=sizes[0], further_sizes=tuple(dict.fromkeys(sizes))[1:])


def test_crops_are_grouped_by_size_in_their_order():
    assert by_size(draw()) == [[0, 1, 3], [2], [4]]


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_features_are_those_of_each_crop_alone(name):
    backbone = make(name).eval()
    crops = draw()
    counting = Counting(backbone)
    found = CropEncoder(counting, nn.Identity()).encode(crops)
    assert counting.batches == [9, 3, 3]
    torch.testing.assert_close(found, torch.stack([backbone(crop) for crop in crops]), rtol=1e-4, atol=1e-5)


def test_swin_takes_crops_of_several_sizes():
    sizes = (64, 64, 52, 40)
    backbone = make("swin_tiny_patch4_window7_224", sizes).eval()
    with torch.no_grad():
        found = CropEncoder(backbone, nn.Identity()).encode(draw(sizes, batch=1))
    assert found.shape == (4, 1, 768)
    assert found.isfinite().all()


def test_scores_come_crop_by_crop_with_the_features_of_the_first():
    backbone = make("test_resnet").eval()
    head = nn.Linear(backbone.num_features, 4)
    crops = draw()
    scores, features = CropEncoder(backbone, head)(crops)
    torch.testing.assert_close(scores[3], head(backbone(crops[3])), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features, backbone(crops[0]), rtol=1e-4, atol=1e-5)
    assert scores.requires_grad
    assert not features.requires_grad

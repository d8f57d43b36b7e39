"""Networks are told by the shapes of their tensors; those that nobody knows are refused."""

import pytest
import timm
import torch
import torchvision

from tests.train.published_checkpoints import make_seco_module
from train.errors import CheckpointError
from train.published_networks import find_network


def shapes(make):
    """Tensors of a network by name, without memory for them."""
    with torch.device("meta"):
        return dict(make().state_dict())


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2"])
def test_a_resnet_is_told_by_its_blocks_and_its_width(name):
    tensors = shapes(getattr(torchvision.models, name))
    found = find_network(tensors, "here")
    assert (found.timm_name, found.channels, found.size_px) == (name, 3, 224)
    assert found.tensors.keys() == tensors.keys()


@pytest.mark.parametrize(
    ("name", "size_px", "bands"),
    [
        ("vit_tiny_patch16_224", 224, 3),
        ("vit_small_patch8_224", 224, 3),
        ("vit_small_patch16_224", 96, 13),
        ("vit_base_patch16_224", 224, 13),
        ("vit_large_patch16_224", 224, 3),
    ],
)
def test_a_vit_is_told_by_its_tokens_blocks_and_patches(name, size_px, bands):
    found = find_network(shapes(lambda: timm.create_model(name, num_classes=0, img_size=size_px, in_chans=bands)), "here")
    assert (found.timm_name, found.channels, found.size_px) == (name, bands, size_px)


@pytest.mark.parametrize(
    ("name", "timm_name"),
    [
        ("swin_t", "swin_tiny_patch4_window7_224"),
        ("swin_s", "swin_small_patch4_window7_224"),
    ],
)
def test_a_swin_of_torchvision_has_timms_names_and_shapes(name, timm_name):
    tensors = {key: each for key, each in shapes(getattr(torchvision.models, name)).items() if "head" not in key}
    found = find_network(tensors, "here")
    expected = shapes(lambda: timm.create_model(timm_name, num_classes=0))
    assert found.timm_name == timm_name
    assert {key: each.shape for key, each in found.tensors.items()} == {key: each.shape for key, each in expected.items()}


def encoder(name="resnet18"):
    return {
        key.removeprefix("encoder_q."): each for key, each in make_seco_module(name).state_dict().items() if "encoder_q" in key
    }


@torch.no_grad()
def test_a_sequence_of_layers_is_the_same_resnet():
    seco = make_seco_module("resnet34")
    found = find_network(dict(seco.encoder_q.state_dict().items()), "here")
    backbone = timm.create_model(found.timm_name, num_classes=0)
    backbone.load_state_dict(found.tensors)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert found.timm_name == "resnet34"
    assert torch.equal(backbone.eval()(images), seco.encoder_q.eval()(images))


def test_a_sequence_with_another_layer_is_refused():
    with pytest.raises(CheckpointError, match=r"here has 9\.weight in its encoder, which none of SeCo has"):
        find_network(encoder() | {"9.weight": torch.zeros(1)}, "here")


def test_a_resnet_of_other_blocks_is_refused():
    state = {name: tensor for name, tensor in encoder().items() if not name.startswith("7.1")}
    with pytest.raises(
        CheckpointError,
        match=r"here is no ResNet that we know: its stages have 2, 2, 2, 1 blocks, the first of width 64.*resnet18",
    ):
        find_network(state, "here")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patch_embed.proj.weight": torch.zeros(192, 3, 8, 8)}, "blocks of tokens of length 192, patches of 8 px, 197 pos"),
        ({"pos_embed": torch.zeros(1, 200, 192)}, r"patches of 16 px, 200 positions\. Expected one of vit_tiny_patch16_224,"),
        ({"blocks.12.norm1.weight": torch.zeros(192)}, " of length 192, patches of 16 px, 197"),
    ],
)
def test_a_vit_that_timm_does_not_have_is_refused(change, words):
    tensors = shapes(lambda: timm.create_model("vit_tiny_patch16_224", num_classes=0)) | change
    with pytest.raises(CheckpointError, match=rf"here is no ViT that we know: .*{words}"):
        find_network(tensors, "here")


def test_a_swin_of_other_stages_or_windows_is_refused():
    tensors = shapes(torchvision.models.swin_t)
    fewer = {name: each for name, each in tensors.items() if not name.startswith("features.7.1")}
    with pytest.raises(CheckpointError, match=r"no Swin that we know: its stages have 2, 2, 6, 1 blocks, tokens of length 96"):
        find_network(fewer, "here")
    with pytest.raises(CheckpointError, match="no Swin that we know"):
        find_network(shapes(torchvision.models.swin_v2_t), "here")


def test_what_is_no_network_at_all_is_refused():
    with pytest.raises(
        CheckpointError, match=r"here is no network that we know: it has a, b \.\.\. Expected one of resnet18, "
    ):
        find_network({"b": torch.zeros(1), "a": torch.zeros(1)}, "here")

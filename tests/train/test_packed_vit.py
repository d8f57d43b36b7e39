"""Crops of several sizes through a ViT together: the same features and gradients as size by size, paths dropped per crop."""

import copy
from functools import partial

import pytest
import timm
import torch
from timm.layers import DropPath
from torch import nn

from train.backbones import make_backbone
from train.crop_encoder import CropEncoder
from train.errors import ConfigError
from train.packed_vit import Packing, _drop_path, can_pack, check_packs, encode_packed

SIZES = (48, 48, 32, 48, 16)


def draw(sizes=SIZES, batch=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(batch, 2, size, size, generator=generator) for size in sizes]


def make(name="vit_tiny_patch16_224", **options):
    torch.manual_seed(0)
    options = {"img_size": 48, "in_chans": 2, "num_classes": 0, "depth": 3, "dynamic_img_size": True, **options}
    return timm.create_model(name, **options)


VITS = {
    "plain": {},
    "mean of tokens": {"global_pool": "avg"},
    "layer scale, normalised queries": {"init_values": 0.5, "qk_norm": True},
    "registers": {"reg_tokens": 2},
    "normalised first": {"pre_norm": True},
}


WAYS = {"apart": {}, "packed": {"pack": True}, "attention too": {"pack": True, "pack_attention": True}}


def run_each_way(backbone, ways=WAYS, device="cpu", precision=torch.float32):
    """Features of crops, and the gradients of a sum of them, on copies of a backbone."""
    found = {}
    for way, settings in ways.items():
        encoder = CropEncoder(copy.deepcopy(backbone), nn.Identity(), **settings).to(device)
        assert (encoder.packs, encoder.packs_attention) == ("pack" in settings, "pack_attention" in settings)
        torch.manual_seed(0)
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            features = encoder.encode([crop.to(device) for crop in draw()])
        (features * torch.linspace(-1, 1, features.numel(), device=device).view_as(features)).sum().backward()
        found[way] = features, {name: each.grad for name, each in encoder.named_parameters()}
    return found


def assert_same(found, expected, rtol=1e-4, atol=1e-5):
    torch.testing.assert_close(found[0], expected[0], rtol=rtol, atol=atol)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        told = partial("{} {}".format, name)
        torch.testing.assert_close(found[1][name], gradient, rtol=rtol, atol=atol, msg=told)


@pytest.mark.parametrize("options", VITS.values(), ids=VITS)
def test_features_and_gradients_are_those_of_each_size_alone(options):
    found = run_each_way(make(**options))
    assert_same(found["packed"], found["apart"])
    assert_same(found["attention too"], found["apart"])


@pytest.mark.parametrize("options", VITS.values(), ids=VITS)
def test_attention_in_one_call_is_that_of_each_size_in_16_bits_too(options):
    found = run_each_way(make(**options), precision=torch.bfloat16)
    for features, gradients in found.values():
        assert features.dtype == found["apart"][0].dtype
        assert all(each.dtype == torch.float32 for each in gradients.values())
    apart, together = (nn.utils.get_total_norm(found[way][1].values()) for way in ("apart", "attention too"))
    torch.testing.assert_close(found["attention too"][0], found["apart"][0], rtol=0, atol=0.05)
    assert together == pytest.approx(apart.item(), rel=0.02)


def test_the_same_paths_are_dropped_whichever_way_attention_is_computed():
    ways = {name: WAYS[name] for name in ("packed", "attention too")}
    backbone = make(drop_path_rate=0.5).train()
    found = run_each_way(backbone, ways)
    assert_same(found["attention too"], found["packed"])
    assert not torch.allclose(found["packed"][0], run_each_way(backbone.eval(), ways)["packed"][0], atol=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_attention_in_one_call_is_that_of_each_size_on_a_gpu(precision):
    found = run_each_way(make(), device="cuda", precision=precision)
    tolerance = 1e-3 if precision == torch.float32 else 0.1
    assert_same(found["attention too"], found["packed"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("attention", [False, True])
def test_an_image_attends_to_itself_alone(attention):
    backbone = make().eval()
    groups = [torch.cat(draw((48, 48))), *draw((32, 16))]
    before = encode_packed(backbone, groups, attention=attention)
    changed = [groups[0], groups[1].clone(), groups[2]]
    changed[1][1] += 1
    after = encode_packed(backbone, changed, attention=attention)
    same = [torch.isclose(one, other, atol=1e-6).all(1).tolist() for one, other in zip(before, after, strict=True)]
    assert same == [[True] * 6, [True, False, True], [True] * 3]


@pytest.mark.parametrize("attention", [False, True])
def test_weights_of_attention_are_dropped_in_training_alone(attention):
    backbone = make(attn_drop_rate=0.5)
    groups = draw((48, 32))
    one, other = (encode_packed(backbone.train(), groups, attention=attention)[1] for _ in range(2))
    assert not torch.allclose(one, other)
    one, other = (encode_packed(backbone.eval(), groups, attention=attention)[1] for _ in range(2))
    assert torch.equal(one, other)


def test_paths_are_dropped_for_each_crop_apart():
    """All tokens of a crop or none, and those that stay count for those that do not, as timm has it."""
    packing = Packing.of([torch.zeros(20, 5, 1), torch.zeros(30, 2, 1)])
    torch.manual_seed(0)
    kept = packing.split(_drop_path(DropPath(0.5), torch.ones(160, 1), packing))
    assert all(len(image.unique()) == 1 for part in kept for image in part)
    first = torch.cat([part[:, 0, 0] for part in kept])
    assert sorted(first.unique().tolist()) == [0.0, 2.0]
    assert 15 < (first > 0).sum() < 35


def test_packed_crops_drop_as_many_paths_as_crops_alone_do():
    backbone = make(drop_path_rate=0.9).train()
    groups = draw((48, 32))
    torch.manual_seed(0)
    one, other = (encode_packed(backbone, groups) for _ in range(2))
    assert not torch.equal(one[0], other[0])
    packing = Packing.of([torch.zeros(2000, 2, 1)])
    kept = _drop_path(backbone.blocks[-1].drop_path1, torch.ones(4000, 1), packing).view(2000, 2)
    assert 0.07 < (kept[:, 0] > 0).float().mean() < 0.13
    backbone.eval()
    assert torch.equal(encode_packed(backbone, groups)[0], encode_packed(backbone, groups)[0])


def test_every_token_knows_its_image():
    packing = Packing.of([torch.zeros(2, 3, 4), torch.zeros(1, 2, 4)])
    assert packing.image.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert packing.images == 3
    assert [tuple(part.shape) for part in packing.split(torch.zeros(8, 4))] == [(2, 3, 4), (1, 2, 4)]


@pytest.mark.parametrize(
    ("name", "packs"),
    [("test_vit", True), ("vit_tiny_patch16_224", True), ("test_resnet", False), ("swin_tiny_patch4_window7_224", False)],
)
def test_only_plain_vits_are_packed(name, packs):
    backbone = make_backbone(name, bands=2, size_px=32)
    assert can_pack(backbone) is packs
    assert CropEncoder(backbone, nn.Identity(), pack=True).packs is packs


def test_attention_in_one_call_is_refused_for_what_cannot_be_packed():
    check_packs(make(), "vit")
    words = r"--pack-attention is for plain ViTs such as vit_small_patch16_224, .* resnet is none"
    with pytest.raises(ConfigError, match=words):
        check_packs(make_backbone("test_resnet", bands=2), "resnet")
    assert not CropEncoder(make_backbone("test_resnet", bands=2), nn.Identity(), pack=True, pack_attention=True).packs_attention


def test_a_vit_that_recomputes_its_activations_is_not_packed():
    backbone = make()
    backbone.set_grad_checkpointing()
    assert not can_pack(backbone)
    other = make(block_fn=timm.models.vision_transformer.ParallelThingsBlock)
    assert not can_pack(other)

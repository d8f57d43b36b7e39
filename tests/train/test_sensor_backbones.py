"""Backbones of several sensors: one trunk, patch embeddings apart, each of them a ViT like any other."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn

from train.backbones import feature_size, make_backbone
from train.crop_encoder import encode_crops
from train.errors import ConfigError
from train.packed_vit import can_pack
from train.sensor_backbones import as_vit, check_trunk, ground_tokens, share_trunk
from train.steps import group_parameters

BANDS = {"landsat-c2-l2": 3, "sentinel-2-l2a": 2, "spot-ortho": 3}


def vit(bands=3, **settings):
    torch.manual_seed(0)
    return make_backbone("test_vit", bands=bands, size_px=32, **settings)


def images(bands, size_px=32, seed=1):
    return torch.randn(2, bands, size_px, size_px, generator=torch.Generator().manual_seed(seed))


def apart(backbones):
    """Names of the first backbone's parameters that the others hold others of, and those that they hold too."""
    first, *others = (dict(each.named_parameters()) for each in backbones.values())
    mine = {name for name in first if all(each.get(name) is not first[name] for each in others)}
    return mine, set(first) - mine


def test_sensors_share_everything_but_their_patch_embeddings():
    own, common = apart(share_trunk(vit(), BANDS))
    assert own == {"patch_embed.proj.weight", "patch_embed.proj.bias"}
    assert {"cls_token", "pos_embed", "norm.weight", "blocks.0.attn.qkv.weight"} <= common
    assert len(common) > 50


def test_one_patch_embedding_is_one_backbone():
    backbones = share_trunk(vit(), dict.fromkeys(BANDS, 3), shared=True)
    assert list(backbones) == list(BANDS)
    assert len({id(each) for each in backbones.values()}) == 1
    assert apart(backbones)[0] == set()


def test_each_backbone_is_a_vit_like_any_other():
    backbones = share_trunk(vit(further_sizes=[16]), BANDS)
    for sensor, count in BANDS.items():
        backbone = backbones[sensor].eval()
        assert feature_size(backbone) == 64
        assert can_pack(backbone)
        crops = [images(count), images(count, 16)]
        for attention in (False, True):
            together = encode_crops(backbone, crops, pack=True, pack_attention=attention)
            for crop, found in zip(crops, together, strict=True):
                torch.testing.assert_close(found, backbone(crop), rtol=1e-4, atol=1e-5)


def test_what_a_backbone_gives_is_what_timm_gives_with_its_tensors():
    backbones = share_trunk(vit(), BANDS)
    for sensor, count in BANDS.items():
        plain = make_backbone("test_vit", bands=count, size_px=32)
        plain.load_state_dict(backbones[sensor].state_dict())
        torch.testing.assert_close(backbones[sensor].eval()(images(count)), plain.eval()(images(count)))


def test_a_step_of_one_sensor_moves_the_trunk_of_all_and_no_other_patch_embedding():
    backbones = share_trunk(vit(), BANDS)
    features = backbones["sentinel-2-l2a"](images(2))
    # Weighed: plain sums of normalised features are the same whatever the images, and their gradient zero but for rounding.
    (features * torch.linspace(-1, 1, features.numel()).view_as(features)).sum().backward()
    moved = {name for name, each in backbones["spot-ortho"].named_parameters() if each.grad is not None}
    assert "blocks.0.attn.qkv.weight" in moved
    assert not any(name.startswith("patch_embed") for name in moved)
    assert backbones["sentinel-2-l2a"].patch_embed.proj.weight.grad.any()


def test_every_parameter_is_counted_once():
    backbones = share_trunk(vit(), BANDS)
    found = [id(each) for each in backbones.parameters()]
    assert len(found) == len(set(found))
    single = sum(each.numel() for each in vit().parameters())
    embeddings = sum(64 * (count * 16**2 + 1) for count in (2, 3))
    assert sum(each.numel() for each in backbones.parameters()) == single + embeddings
    for decays in ("all", "matrices", "kernels"):
        groups = group_parameters(backbones, decays)
        assert sorted(id(each) for group in groups for each in group["params"]) == sorted(found)
    spared = {id(each) for each in group_parameters(backbones, "kernels")[1]["params"]}
    first = backbones["landsat-c2-l2"]
    assert {id(first.pos_embed), id(first.cls_token)} <= spared


@pytest.mark.parametrize("change", [copy.deepcopy, lambda each: each.to(torch.float64), lambda each: each.to("cpu")])
def test_copies_and_moves_keep_what_is_shared(change):
    backbones = share_trunk(vit(), BANDS)
    changed = change(backbones)
    own, common = apart(changed)
    assert own == {"patch_embed.proj.weight", "patch_embed.proj.bias"}
    assert len(common) > 50
    assert len(list(changed.parameters())) == len(list(backbones.parameters()))
    kind = next(changed.parameters()).dtype
    assert {each.dtype for each in changed.parameters()} == {kind}


def test_a_copy_shares_nothing_with_what_it_was_made_of():
    backbones = share_trunk(vit(), BANDS)
    mine = {id(each) for each in backbones.parameters()}
    assert not mine & {id(each) for each in copy.deepcopy(backbones).parameters()}


def test_modes_of_all_sensors_change_together():
    backbones = share_trunk(vit(drop_path=0.2), BANDS).eval()
    assert not any(each.training for each in backbones.modules())
    assert all(each.training for each in backbones.train().modules())


def test_a_state_dict_names_the_trunk_once_per_sensor_and_is_stored_once(tmp_path):
    backbones = share_trunk(vit(), BANDS)
    state = backbones.state_dict()
    assert {name.split(".")[0] for name in state} == set(BANDS)
    single = {name for name in state if name.startswith("spot-ortho.")}
    assert len(state) == 3 * len(single)
    torch.save(state, tmp_path / "state.pt")
    torch.save(vit().state_dict(), tmp_path / "single.pt")
    assert (tmp_path / "state.pt").stat().st_size < 1.8 * (tmp_path / "single.pt").stat().st_size
    torch.manual_seed(7)
    others = share_trunk(make_backbone("test_vit", bands=3, size_px=32), BANDS)
    others.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(backbones.parameters(), others.parameters(), strict=True))
    assert len(apart(others)[1]) > 50


def test_patch_embeddings_are_drawn_apart_as_timm_draws_them():
    backbones = share_trunk(vit(), dict.fromkeys(BANDS, 3))
    kernels = [each.patch_embed.proj.weight for each in backbones.values()]
    for first, second in pairwise(kernels):
        assert not torch.equal(first, second)
        assert first.abs().max().item() == pytest.approx(second.abs().max().item(), rel=0.01), "bounds of a uniform draw"


def test_patch_embeddings_that_are_given_are_where_their_sensors_begin():
    backbone, other = vit(), vit(2)
    learnt, theirs = (each.patch_embed.proj.weight.detach().clone() for each in (backbone, other))
    given = {"sentinel-2-l2a": other.patch_embed, "spot-ortho": backbone.patch_embed}
    backbones = share_trunk(backbone, BANDS, embeddings=given)
    first, second, third = (each.patch_embed.proj.weight for each in backbones.values())
    assert torch.equal(first, learnt)
    assert torch.equal(second, theirs)
    assert second is not other.patch_embed.proj.weight
    assert torch.equal(third, learnt)
    assert third is not first


def test_a_patch_embedding_of_another_sensor_is_not_taken_for_its_number_of_bands():
    """Red, green, blue of one sensor may be blue, green, red of another."""
    backbone = vit()
    learnt = backbone.patch_embed.proj.weight.detach().clone()
    drawn = share_trunk(backbone, {"spot-ortho": 3}, encoded="landsat-c2-l2")["spot-ortho"].patch_embed.proj.weight
    assert drawn.shape == learnt.shape
    assert not torch.equal(drawn, learnt)


@pytest.mark.parametrize("class_token", [False, True])
def test_tokens_of_ground_are_those_of_its_patches_row_by_row(class_token):
    """A pixel of one patch that changes, changes its token the most."""
    backbone = share_trunk(vit(), BANDS)["landsat-c2-l2"].eval()
    before = images(3)
    after = before.clone()
    after[:, :, 3, 20] += 50  # the second patch of the first row
    with torch.no_grad():
        tokens, changed = (ground_tokens(backbone, each, class_token=class_token) for each in (before, after))
    assert tokens.shape == (2, 4 + class_token, 64)
    moved = (changed - tokens).norm(dim=-1).mean(0)
    assert moved[class_token:].argmax() == 1
    torch.testing.assert_close(tokens[:, class_token:], backbone.forward_features(before)[:, 1:])
    if class_token:
        torch.testing.assert_close(tokens[:, 0], backbone(before))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "test_resnet",
            "A ResNet has no tokens that several sensors can share. Choose a ViT with a class token, such as vit_s",
        ),
        ("test_vit3", "A VisionTransformer without a class token has no tokens that several sensors can share"),
    ],
)
def test_other_networks_are_refused(name, words):
    with pytest.raises(ConfigError, match=words):
        as_vit(make_backbone(name, bands=3))


@pytest.mark.parametrize("name", ["vit_small_patch16_224", "deit_tiny_patch16_224", "test_vit"])
def test_names_of_vits_are_taken_before_they_are_made(name):
    check_trunk(name)


def test_names_of_other_networks_are_refused_before_they_are_made():
    with pytest.raises(ConfigError, match=r"resnet50 has no tokens that several sensors can share\. Choose a ViT with a class"):
        check_trunk("resnet50")


def test_one_patch_embedding_for_other_bands_is_refused():
    with pytest.raises(ConfigError, match=r"as many bands of each, and there are of landsat-c2-l2 3, sentinel-2-l2a 2, spot-"):
        share_trunk(vit(), BANDS, shared=True)


def test_a_strangers_module_is_refused():
    with pytest.raises(ConfigError, match="A Linear has no tokens"):
        share_trunk(nn.Linear(2, 2), BANDS)

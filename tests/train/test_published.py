"""Published checkpoints, each in the layout it came in, give the features of the network that they were made with."""

import argparse

import pytest
import torch

from tests.train.published_checkpoints import (
    PlainViT,
    make_seco_module,
    make_torchvision,
    prefixed,
    write_dino_checkpoint,
    write_moco_checkpoint,
    write_pickle,
    write_seco_checkpoint,
)
from train.backbones import make_backbone
from train.errors import CheckpointError
from train.published import LAYOUTS, read_published
from train.published_inputs import DINO_INPUT, DINO_MC_INPUT, SECO_INPUT, SSL4EO_INPUT, SSL4EO_RGB_INPUT

MC = {"size_crops": [184, 164, 144, 124, 104, 84], "data_mode": "mc"}


@torch.no_grad()
def check_features(published, source, *, size_px=64, tolerance=0.0):
    """The converted weights give what the source network gives."""
    size_px = published.spec.size_px if "vit" in published.timm_name or "swin" in published.timm_name else size_px
    backbone = make_backbone(published.timm_name, bands=len(published.spec.bands))
    backbone.load_state_dict(published.tensors)
    images = torch.randn(1, len(published.spec.bands), size_px, size_px, generator=torch.Generator().manual_seed(0))
    found, expected = backbone.eval()(images), source.eval()(images)
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.fixture(scope="module")
def seco():
    return make_seco_module()


@pytest.fixture(scope="module")
def vits():
    return PlainViT(seed=0), PlainViT(seed=1)


@pytest.fixture(scope="module")
def resnets():
    return make_torchvision("resnet18", seed=0), make_torchvision("resnet18", seed=1)


def test_seco_s_query_encoder_is_taken_unless_the_key_is_asked_for(seco, tmp_path):
    path = write_seco_checkpoint(tmp_path / "any.ckpt", seco)
    published = read_published(path)
    assert (published.timm_name, published.spec) == ("resnet18", SECO_INPUT)
    assert published.tensors.keys() == make_backbone("resnet18", bands=3).state_dict().keys()
    check_features(published, seco.encoder_q)
    check_features(read_published(path, "key"), seco.encoder_k)


def test_dino_s_released_backbone_has_no_prefix_and_no_arguments(vits, tmp_path):
    published = read_published(write_pickle(tmp_path / "dino.pth", vits[0].state_dict()))
    assert (published.timm_name, published.spec) == ("vit_tiny_patch16_224", DINO_INPUT)
    check_features(published, vits[0], tolerance=1e-5)


@pytest.mark.parametrize("part", [None, "teacher", "student"])
def test_of_dino_s_two_networks_the_teacher_is_taken_unless_the_student_is_asked_for(part, vits, tmp_path):
    path = write_dino_checkpoint(tmp_path / "full.pth", *vits, arguments={"data_path": "imagenet"})
    published = read_published(path, part)
    assert published.spec == DINO_INPUT
    check_features(published, vits[part == "student"], tolerance=1e-5)


@pytest.mark.parametrize("part", ["teacher", "student"])
def test_a_teacher_with_batch_norm_is_wrapped_as_the_student_is(part, resnets, tmp_path):
    path = write_dino_checkpoint(tmp_path / "mc.pth", *resnets, arguments=MC, wrapped=True)
    published = read_published(path, part)
    assert (published.timm_name, published.spec) == ("resnet18", DINO_MC_INPUT)
    check_features(published, resnets[part == "student"])


def test_dino_mc_s_swin_is_torchvision_s(tmp_path):
    swin = make_torchvision("swin_t")
    published = read_published(write_dino_checkpoint(tmp_path / "swin.pth", swin, swin, arguments=MC))
    assert (published.timm_name, published.spec) == ("swin_tiny_patch4_window7_224", DINO_MC_INPUT)
    check_features(published, swin, tolerance=1e-5)


def test_x_stars_is_fed_with_the_mean_and_deviation_of_its_command(vits, tmp_path):
    given = {"sensors": ["Sentinel", "Landsat"], "mean": [0.1559, 0.1585, 0.1011], "std": [0.1424, 0.1157, 0.0911]}
    published = read_published(write_dino_checkpoint(tmp_path / "x.pth", *vits, arguments=given))
    assert published.spec.mean == (0.1559, 0.1585, 0.1011)
    assert published.spec.std == (0.1424, 0.1157, 0.0911)
    assert (published.spec.low, published.spec.high) == ((0.0,) * 3, (1.0,) * 3)
    check_features(published, vits[0], tolerance=1e-5)


@pytest.mark.parametrize(("channels", "spec"), [(13, SSL4EO_INPUT), (3, SSL4EO_RGB_INPUT)])
def test_ssl4eo_s_moco_of_a_resnet_is_read_without_its_head(channels, spec, tmp_path):
    query, key = (make_torchvision("resnet18", channels=channels, seed=seed) for seed in (0, 1))
    path = write_moco_checkpoint(tmp_path / "moco.pth", query, key)
    published = read_published(path)
    assert (published.timm_name, published.spec) == ("resnet18", spec)
    check_features(published, query)
    check_features(read_published(path, "key"), key)


def test_ssl4eo_s_moco_of_a_vit_is_of_the_third_version(tmp_path):
    query, key = PlainViT(channels=13), PlainViT(channels=13, seed=1)
    path = write_moco_checkpoint(tmp_path / "v3.pth", query, key, names=("base_encoder", "momentum_encoder"), head="head")
    published = read_published(path)
    assert (published.timm_name, published.spec) == ("vit_tiny_patch16_224", SSL4EO_INPUT)
    check_features(published, query, tolerance=1e-5)
    check_features(read_published(path, "key"), key, tolerance=1e-5)


@pytest.mark.parametrize("full", [True, False])
def test_ssl4eo_s_dino_is_told_by_its_thirteen_channels(full, tmp_path):
    teacher = PlainViT(channels=13)
    path = tmp_path / "dino13.pth"
    if full:
        write_dino_checkpoint(path, teacher, PlainViT(channels=13, seed=1), arguments={"bands": "all"})
    else:
        write_pickle(path, teacher.state_dict())
    published = read_published(path)
    assert published.spec == SSL4EO_INPUT
    check_features(published, teacher, tolerance=1e-5)


@pytest.mark.parametrize("part", ["query", "techer", ""])
def test_a_part_that_a_layout_does_not_have_is_refused_with_those_it_has(part, vits, tmp_path):
    path = write_dino_checkpoint(tmp_path / "full.pth", *vits, arguments={})
    with pytest.raises(
        CheckpointError, match=rf"full\.pth has no part '{part}'\. It is of DINO, .*: choose from teacher, student, or leave"
    ):
        read_published(path, part)


def test_a_part_that_was_not_saved_is_refused(vits, tmp_path):
    path = write_pickle(tmp_path / "half.pth", {"teacher": prefixed("backbone.", vits[0])})
    with pytest.raises(
        CheckpointError, match=r"half\.pth has no part 'student'\. It is of DINO, .*: choose from teacher, or leave it out\."
    ):
        read_published(path, "student")


def test_a_student_without_a_teacher_is_taken_where_it_is_asked_for(vits, tmp_path):
    path = write_pickle(tmp_path / "half.pth", {"student": prefixed("backbone.", vits[1])})
    check_features(read_published(path, "student"), vits[1], tolerance=1e-5)
    with pytest.raises(
        CheckpointError, match=r"has no part 'teacher'\. It is of .*: choose from student, as in .*half\.pth#student\."
    ):
        read_published(path)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"student": {"a": torch.zeros(1)}, "teacher": {}}, "student/a, teacher"),
        ({"state_dict": {"encoder.x": torch.zeros(1), "b": torch.zeros(1), "c": 1}}, r"state_dict/encoder\.x, state_dict/b"),
        ({"conv1.weight": "no tensor", 3: 4}, r"conv1\.weight, 3"),
        ({}, "nothing"),
        ([torch.zeros(1)], "list"),
    ],
)
def test_an_unknown_layout_is_told_with_all_that_was_looked_for(content, shown, tmp_path):
    with pytest.raises(
        CheckpointError, match=rf"of a layout that we do not know: it holds {shown} \.\.\. Looked for"
    ) as caught:
        read_published(write_pickle(tmp_path / "other.pth", content))
    for layout in LAYOUTS:
        assert str(layout) in str(caught.value)
    for words in (
        "module.base_encoder.* under state_dict",
        "(backbone.* or module.backbone.* under teacher)",
        "(*)",
        "conv1.weight",
    ):
        assert words in str(caught.value)


def test_a_file_is_told_by_what_it_holds_and_not_by_its_name(resnets, tmp_path):
    published = read_published(write_moco_checkpoint(tmp_path / "dino_vits16_seco.pth", *resnets))
    assert (published.timm_name, published.spec) == ("resnet18", SSL4EO_RGB_INPUT)


def test_the_fixtures_have_the_namespace_that_released_files_have(vits, tmp_path):
    path = write_dino_checkpoint(tmp_path / "full.pth", *vits, arguments={})
    assert isinstance(torch.load(path, weights_only=False)["args"], argparse.Namespace)

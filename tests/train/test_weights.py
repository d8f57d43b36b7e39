"""Backbones by name: what each name gives, that loading is strict, and the words for what does not fit."""

import json
import shutil

import pytest
import timm
import torch

from tests.train.exporting import make_export, make_spec
from tests.train.published_checkpoints import (
    PlainViT,
    make_seco_module,
    write_dino_checkpoint,
    write_pickle,
    write_seco_checkpoint,
)
from train.backbones import make_backbone
from train.errors import CheckpointError, ConfigError
from train.exported import CONFIG, SECTION, WEIGHTS
from train.published_inputs import DINO_INPUT, SECO_INPUT
from train.tensors import hash_tensors
from train.weights import LoadedBackbone, load_backbone, load_into


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export, and the backbone in it."""
    folder = tmp_path_factory.mktemp("weights") / "out"
    return folder, make_export(folder, spec=make_spec(("B08", "B04", "B03", "B02")))


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the export that may be spoiled."""
    return shutil.copytree(exported[0], tmp_path / "copy")


@torch.no_grad()
def features(module, bands=4, size_px=64):
    return module.eval()(torch.randn(2, bands, size_px, size_px, generator=torch.Generator().manual_seed(0)))


def test_an_export_gives_its_backbone_its_input_and_its_hash(exported):
    folder, backbone = exported
    loaded = load_backbone(folder)
    assert torch.equal(features(loaded.module), features(backbone))
    assert loaded.spec == make_spec(("B08", "B04", "B03", "B02"))
    assert loaded.identity == json.loads((folder / CONFIG).read_text())[SECTION]["weights_sha256"]
    assert loaded.timm_name == "resnet10t"
    assert not loaded.module.training


def test_timm_and_we_open_the_same(exported):
    opened = timm.create_model(f"local-dir:{exported[0]}", pretrained=True)
    assert torch.equal(features(load_backbone(str(exported[0])).module), features(opened))


def test_a_run_gives_its_export(copy, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.move(copy, run / "weights")
    (run / CONFIG).write_text("{}")
    loaded = load_backbone(run)
    assert loaded.spec is not None
    assert loaded.name == str(run)


def test_a_transformer_of_another_size_comes_back(tmp_path):
    spec = make_spec(size_px=32)
    backbone = make_export(tmp_path / "out", name="vit_tiny_patch16_224", spec=spec)
    assert torch.equal(features(load_backbone(tmp_path / "out").module, 3, 32), features(backbone, 3, 32))


def test_random_weights_are_always_the_same_and_leave_the_generator_alone():
    drawn = torch.get_rng_state()
    first, again = load_backbone("random:resnet10t", bands=("B04", "B03")), load_backbone("random:resnet10t", bands=("a", "b"))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert first.identity == again.identity
    assert torch.equal(features(first.module, 2), features(again.module, 2))
    assert first.spec is None
    torch.manual_seed(5)
    assert load_backbone("random:resnet10t", bands=("a", "b")).identity == first.identity


def test_random_weights_are_of_red_green_and_blue_unless_told():
    assert features(load_backbone("random:resnet10t").module, 3).shape == (2, 512)


def test_a_random_transformer_takes_the_size_it_is_told():
    loaded = load_backbone("random:vit_tiny_patch16_224", bands=("a", "b"), size_px=48)
    assert features(loaded.module, 2, 48).shape == (2, 192)


def test_the_same_weights_have_one_identity_wherever_they_lie(tmp_path):
    loaded = load_backbone("random:resnet10t")
    make_export(tmp_path / "out", backbone=loaded.module)
    assert load_backbone(tmp_path / "out").identity == loaded.identity == hash_tensors(loaded.module.state_dict())


def test_a_published_checkpoint_gives_seco_s_features_and_input(tmp_path):
    seco = make_seco_module()
    loaded = load_backbone(write_seco_checkpoint(tmp_path / "seco.ckpt", seco))
    assert torch.equal(features(loaded.module, 3), features(seco.encoder_q, 3))
    assert loaded.spec == SECO_INPUT
    assert loaded.timm_name == "resnet18"


def test_a_part_of_a_published_checkpoint_is_named_behind_a_sharp(tmp_path):
    teacher, student = PlainViT(seed=0), PlainViT(seed=1)
    path = write_dino_checkpoint(tmp_path / "full.pth", teacher, student, arguments={})
    plain, chosen = load_backbone(path), load_backbone(f"{path}#student")
    assert (plain.spec, chosen.name) == (DINO_INPUT, f"{path}#student")
    assert plain.identity == load_backbone(f"{path}#teacher").identity != chosen.identity
    torch.testing.assert_close(features(chosen.module, 3, 224), features(student, 3, 224), atol=1e-5, rtol=1e-5)
    with pytest.raises(CheckpointError, match=r"has no part 'techer'\. It is of DINO.*: choose from teacher, student"):
        load_backbone(f"{path}#techer")


def test_a_file_may_have_a_sharp_in_its_name(tmp_path):
    other = write_dino_checkpoint(tmp_path / "dino.pth", PlainViT(seed=0), PlainViT(seed=1), arguments={})
    path = write_pickle(tmp_path / "dino.pth#student", PlainViT(seed=2).state_dict())
    named = load_backbone(path).identity
    path.unlink()
    assert len({named, load_backbone(path).identity, load_backbone(other).identity}) == 3


@pytest.mark.parametrize("bands", [("B04", "B03", "B02"), ("red", "green", "blue"), None])
def test_weights_of_pictures_read_red_green_and_blue_of_any_sensor(tmp_path, bands):
    path, backbone = (
        write_pickle(tmp_path / "dino.pth", PlainViT().state_dict()),
        make_backbone("vit_tiny_patch16_224", bands=3),
    )
    assert load_into(backbone, path, bands=bands) == load_backbone(path, bands=bands).identity
    with pytest.raises(
        CheckpointError, match=r"was trained with 3 bands \(red, green, blue\); asked for are 3 \(B02, B03, B04\)"
    ):
        load_into(backbone, path, bands=("B02", "B03", "B04"))


def test_published_positions_are_fitted_to_a_backbone_of_another_size(tmp_path):
    vit, backbone = PlainViT(), make_backbone("vit_tiny_patch16_224", bands=3, size_px=64)
    load_into(backbone, write_pickle(tmp_path / "dino.pth", vit.state_dict()))
    torch.testing.assert_close(features(backbone, 3, 64), features(vit, 3, 64), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("resnet10t", "mean"),
        ("vit_tiny_patch16_224", "class token"),
        ("swin_tiny_patch4_window7_224", "mean"),
    ],
)
def test_weights_say_how_their_features_are_pooled(name, pooling):
    with torch.device("meta"):
        module = timm.create_model(name, num_classes=0)
    assert LoadedBackbone(module, None, name, "", name).pooling == pooling


def test_timms_weights_that_cannot_be_had_are_said_to_be_missing(monkeypatch):
    def unreachable(name, *, pretrained, **_):
        assert pretrained
        raise FileNotFoundError("cannot find the requested files in the local cache.\nand much more")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(
        CheckpointError,
        match=r"timm's weights of resnet10t are not on this machine and cannot be fetched: cannot find the requested files "
        r"in the local cache\. Fetch them once .* HF_HOME .* random:resnet10t\.$",
    ):
        load_backbone("timm:resnet10t")


def test_timms_weights_are_asked_for_with_our_bands(monkeypatch):
    asked = {}
    create_model = timm.create_model

    def remember(name, *, pretrained, **options):
        asked.update(options, pretrained=pretrained)
        return create_model(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", remember)
    loaded = load_backbone("timm:resnet10t", bands=("B08", "B04", "B03", "B02"))
    assert asked == {"pretrained": True, "in_chans": 4, "num_classes": 0}
    assert loaded.spec is None


@pytest.mark.parametrize("name", ["random:resnet10", "timm:resnet10"])
def test_an_unknown_backbone_is_guessed(name):
    with pytest.raises(ConfigError, match=r"has no backbone 'resnet10'\. Did you mean .*resnet10t"):
        load_backbone(name)


def test_a_name_that_is_nothing_lists_what_it_could_be(tmp_path):
    with pytest.raises(
        CheckpointError,
        match=r"There are no weights '.*none'\. Expected an export's folder, a run's folder, timm:NAME, random:NAME",
    ):
        load_backbone(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"Did you mean 'random:resnet18'\?"):
        load_backbone("radnom:resnet18")


def test_a_folder_without_weights_says_so(tmp_path):
    with pytest.raises(
        CheckpointError, match=rf"holds no weights: there is neither {WEIGHTS} nor weights/{WEIGHTS}\. Expected an export"
    ):
        load_backbone(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match=rf"Make them with train export {tmp_path}"):
        load_backbone(tmp_path)


def test_bare_safetensors_do_not_say_their_input(exported):
    with pytest.raises(
        CheckpointError, match=r"does not say what its weights expect of their input\. Give the folder of the export"
    ):
        load_backbone(exported[0] / WEIGHTS)


def test_weights_that_were_changed_after_the_export_are_refused(copy):
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"is not what was exported: its SHA-256 begins with [0-9a-f]{12}, config\.json says"
    ):
        load_backbone(copy)


def test_a_folder_that_train_export_did_not_write_is_refused(copy):
    config = json.loads((copy / CONFIG).read_text())
    del config[SECTION]
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match=r"does not say what the weights beside it expect .*Expected a folder that train export wrote"
    ):
        load_backbone(copy)
    (copy / CONFIG).write_text("not JSON")
    with pytest.raises(CheckpointError, match=r"JSONDecodeError"):
        load_backbone(copy)
    (copy / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=r"FileNotFoundError"):
        load_backbone(copy)


def test_an_export_of_another_version_is_refused(copy):
    config = json.loads((copy / CONFIG).read_text())
    config[SECTION]["version"] = 99
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"has version 99; this seastars reads version 1\. Export it again"):
        load_backbone(copy)


def test_an_export_lacking_a_tensor_is_refused(exported, tmp_path):
    """Made by hand: the tensors of another backbone under a hash that fits."""
    import hashlib

    from train.tensors import encode_tensors

    folder = shutil.copytree(exported[0], tmp_path / "copy")
    state = exported[1].state_dict()
    del state["bn1.weight"], state["bn1.bias"]
    content = encode_tensors(state)
    config = json.loads((folder / CONFIG).read_text())
    config[SECTION]["weights_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / CONFIG).write_text(json.dumps(config))
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"copy lacks 2 of \d+ backbone tensors \(first: bn1\.weight\)\. It was made with another"
    ):
        load_backbone(folder)


def test_weights_of_other_bands_are_refused(exported):
    assert load_backbone(exported[0], bands=("B08", "B04", "B03", "B02")).spec is not None
    with pytest.raises(
        CheckpointError,
        match=r"was trained with 4 bands \(B08, B04, B03, B02\); asked for are 2 \(B04, B03\)\. "
        r"Pass --bands B08,B04,B03,B02, in this order",
    ):
        load_backbone(exported[0], bands=("B04", "B03"))
    with pytest.raises(CheckpointError, match="in this order"):
        load_backbone(exported[0], bands=("B02", "B03", "B04", "B08"))


def test_weights_go_into_a_backbone_that_is_there(exported):
    backbone = make_backbone("resnet10t", bands=4)
    identity = load_into(backbone, exported[0], bands=("B08", "B04", "B03", "B02"))
    assert torch.equal(features(backbone), features(exported[1]))
    assert identity == load_backbone(exported[0]).identity


def test_published_and_random_weights_go_into_a_backbone_too(tmp_path):
    seco, backbone = make_seco_module(), make_backbone("resnet18", bands=3)
    load_into(backbone, write_seco_checkpoint(tmp_path / "seco.ckpt", seco))
    assert torch.equal(features(backbone, 3), features(seco.encoder_q, 3))
    assert load_into(backbone, "random:resnet18") == load_backbone("random:resnet18").identity
    assert torch.equal(features(backbone, 3), features(load_backbone("random:resnet18").module, 3))


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """timm's weights of `test_vit`, for images of 160 px, as if it had fetched them; with their classifier."""
    torch.manual_seed(5)
    vit = timm.create_model("test_vit", num_classes=1000)
    torch.nn.init.normal_(vit.pos_embed)
    torch.save(vit.state_dict(), tmp_path / "test_vit.pth")
    create_model, place = timm.create_model, {"file": str(tmp_path / "test_vit.pth"), "num_classes": 1000}

    def create(name, *, pretrained=False, **options):
        overlay = {"pretrained_cfg_overlay": place} if pretrained else {}
        return create_model(name, pretrained=pretrained, **overlay, **options)

    monkeypatch.setattr(timm, "create_model", create)
    return create_model("test_vit", num_classes=0, dynamic_img_size=True, pretrained=True, pretrained_cfg_overlay=place)


@pytest.mark.parametrize("size_px", [160, 64])
def test_timms_weights_go_into_a_backbone_for_views_of_another_size(fetched, size_px):
    backbone = make_backbone("test_vit", bands=3, size_px=size_px, further_sizes=(32,))
    load_into(backbone, "timm:test_vit")
    torch.testing.assert_close(features(backbone, 3, size_px), features(fetched, 3, size_px))


@pytest.mark.parametrize("name", ["random:test_vit", "random:swin_tiny_patch4_window7_224"])
def test_random_weights_are_drawn_for_the_size_of_the_backbone(name):
    backbone = make_backbone(name.removeprefix("random:"), bands=3, size_px=96)
    load_into(backbone, name)
    assert features(backbone, 3, 96).equal(features(load_backbone(name, size_px=96).module, 3, 96))


def test_an_export_goes_into_a_backbone_for_views_of_another_size(tmp_path):
    trained = make_backbone("test_vit", bands=3, size_px=96, further_sizes=(64,))
    make_export(tmp_path / "out", name="test_vit", spec=make_spec(size_px=96), backbone=trained)
    backbone = make_backbone("test_vit", bands=3, size_px=64)
    identity = load_into(backbone, tmp_path / "out")
    torch.testing.assert_close(features(backbone, 3, 64), features(trained, 3, 64))
    assert identity == load_backbone(tmp_path / "out").identity


def test_weights_of_twelve_bands_do_not_go_into_a_backbone_of_four(tmp_path):
    make_export(tmp_path / "out", spec=make_spec(tuple("abcdefghijkl")))
    backbone = make_backbone("resnet10t", bands=4)
    before = hash_tensors(backbone.state_dict())
    with pytest.raises(
        CheckpointError, match=r"out has 1 of \d+ backbone tensors in another shape .* trained with 12 bands, here are 4\. Pass"
    ):
        load_into(backbone, tmp_path / "out")
    with pytest.raises(
        CheckpointError, match=r"was trained with 12 bands \(a, b, .*\); asked for are 4 \(B08, B04, B03, B02\)"
    ):
        load_into(backbone, tmp_path / "out", bands=("B08", "B04", "B03", "B02"))
    assert hash_tensors(backbone.state_dict()) == before


def test_weights_of_another_backbone_do_not_go_in(tmp_path):
    path = write_seco_checkpoint(tmp_path / "seco.ckpt", make_seco_module())
    with pytest.raises(
        CheckpointError, match=r"seco\.ckpt lacks \d+ of \d+ backbone tensors .*It was made with another backbone"
    ):
        load_into(make_backbone("resnet10t", bands=3), path)

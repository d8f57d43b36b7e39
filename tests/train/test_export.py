"""An export opens with timm and gives the very features; it is whole or not there; the same twice gives the same bytes."""

import json
import shutil

import pytest
import timm
import torch
from safetensors.torch import load_file

from tests.train.exporting import make_export, make_provenance, make_spec
from train.backbones import make_backbone
from train.config import to_json
from train.errors import CheckpointError, ConfigError
from train.export import export_weights
from train.exported import CARD, CONFIG, ITEM, SECTION, WEIGHTS

TWELVE = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


def draw_images(spec, count=3):
    return torch.randn(count, len(spec.bands), spec.size_px, spec.size_px, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def features(module, images):
    return module.eval()(images)


def settle(backbone, spec):
    """Give batch statistics other values than those they are born with."""
    with torch.no_grad():
        backbone.train()(draw_images(spec, 4))
    return backbone


@pytest.mark.parametrize(
    ("name", "bands", "size_px"),
    [("resnet10t", ("B04", "B03", "B02"), 64), ("resnet10t", TWELVE, 40), ("vit_tiny_patch16_224", TWELVE, 32),
     ("convnext_atto", ("B08",), 64)],
)  # fmt: skip
def test_timm_opens_an_export_and_gives_the_very_features(tmp_path, name, bands, size_px):
    spec = make_spec(bands, size_px=size_px)
    backbone = settle(make_backbone(name, bands=len(bands), size_px=size_px), spec)
    make_export(tmp_path / "out", name=name, spec=spec, backbone=backbone)
    opened = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    assert torch.equal(features(opened, draw_images(spec)), features(backbone, draw_images(spec)))
    assert opened.num_classes == 0
    assert list(opened.pretrained_cfg["input_size"]) == [len(bands), size_px, size_px]


def test_timm_reads_the_input_from_an_export(tmp_path):
    spec = make_spec(interpolation="bicubic", size_px=48)
    make_export(tmp_path / "out", spec=spec)
    opened = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    read = timm.data.resolve_model_data_config(opened)
    assert (tuple(read["mean"]), tuple(read["std"])) == (spec.mean, spec.std)
    assert (tuple(read["input_size"]), read["interpolation"], read["crop_pct"]) == ((3, 48, 48), "bicubic", 1.0)


def test_timm_puts_a_classifier_on_an_export(tmp_path):
    backbone = make_export(tmp_path / "out")
    classifier = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True, num_classes=7)
    assert torch.equal(classifier.state_dict()["layer1.0.conv1.weight"], backbone.state_dict()["layer1.0.conv1.weight"])
    assert features(classifier, draw_images(make_spec())).shape == (3, 7)


def test_the_weights_alone_are_the_backbone_and_nothing_else(tmp_path):
    backbone = make_export(tmp_path / "out")
    tensors = load_file(tmp_path / "out" / WEIGHTS)
    assert tensors.keys() == backbone.state_dict().keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in backbone.state_dict().items())


def test_our_section_says_all_that_the_input_and_the_training_are(tmp_path):
    spec = make_spec()
    make_export(tmp_path / "out", spec=spec, catalog_href=str(tmp_path / "data" / "france"))
    section = json.loads((tmp_path / "out" / CONFIG).read_text())[SECTION]
    assert section["input"] == json.loads(json.dumps(to_json(spec)))
    assert section["provenance"]["index_hash"] == "ab" * 32
    assert section["provenance"]["method"] == "seco"
    assert section["provenance"]["steps"] == 5000
    assert section["provenance"]["git_commit"] == "0" * 40
    assert section["provenance"]["catalog_href"] == "france"


def test_nothing_of_timms_own_weights_is_claimed_of_ours(tmp_path):
    make_export(tmp_path / "out")
    text = (tmp_path / "out" / CONFIG).read_text()
    assert not [word for word in ("tag", "url", "hf_hub", "in1k", "test_input_size", "apache") if word in text]
    assert json.loads(text)["pretrained_cfg"]["license"] == "CC-BY-4.0"


def test_an_export_names_no_path_of_this_machine(tmp_path):
    make_export(tmp_path / "out", catalog_href=str(tmp_path / "data" / "france"))
    for name in (CONFIG, CARD, ITEM):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()


def test_secrets_of_an_address_stay_out_of_an_export(tmp_path):
    make_export(tmp_path / "out", catalog_href="https://me:pw@host/france?sig=abc")
    for name in (CONFIG, CARD, ITEM):
        text = (tmp_path / "out" / name).read_text()
        assert "pw" not in text
        assert "sig=" not in text


def test_the_same_weights_give_the_same_bytes_again(tmp_path):
    backbone = make_export(tmp_path / "first")
    make_export(tmp_path / "second", backbone=backbone.to(memory_format=torch.channels_last))
    make_export(tmp_path / "first", backbone=backbone)
    for name in (WEIGHTS, CONFIG, CARD, ITEM):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_exporting_leaves_the_backbone_and_the_generator_as_they_were(tmp_path):
    backbone = make_backbone("resnet10t", bands=3).train()
    backbone.layer1.eval()
    before, drawn = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}, torch.get_rng_state()
    make_export(tmp_path / "out", backbone=backbone)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert backbone.training
    assert not backbone.layer1.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_an_export_replaces_an_older_one_and_leaves_nothing_beside_it(tmp_path):
    make_export(tmp_path / "out")
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "leftover").write_text("of a run that was killed")
    newer = make_export(tmp_path / "out")
    assert torch.equal(load_file(tmp_path / "out" / WEIGHTS)["bn1.weight"], newer.state_dict()["bn1.weight"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [CARD, CONFIG, ITEM, WEIGHTS]


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "family.jpg").write_text("precious")
    with pytest.raises(
        CheckpointError, match=r"photos is in the way: it holds family\.jpg, and no export\. Give another folder"
    ):
        make_export(tmp_path / "photos")
    assert (tmp_path / "photos" / "family.jpg").is_file()


def test_a_failed_export_leaves_the_older_one_whole(tmp_path):
    backbone = make_export(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(CheckpointError, match="timm makes another network of what would be exported as out: "):
        make_export(tmp_path / "out", name="resnet18", backbone=backbone)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_backbone_with_options_that_timm_would_not_repeat_is_refused(tmp_path):
    pooled = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=32, global_pool="avg", fc_norm=False)
    with pytest.raises(CheckpointError, match=r"with other tensors or features\. Export backbones as .*make_backbone"):
        make_export(tmp_path / "out", name="vit_tiny_patch16_224", spec=make_spec(size_px=32), backbone=pooled)


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path):
    backbone = make_backbone("resnet10t", bands=3)
    with pytest.raises(ConfigError, match="resnet10tt"):
        export_weights(tmp_path / "out", backbone, timm_name="resnet10tt", spec=make_spec(), provenance=make_provenance())
    assert not list(tmp_path.iterdir())


def test_a_tag_of_other_weights_is_no_part_of_the_architecture(tmp_path):
    backbone = make_backbone("resnet10t", bands=3)
    make_export(tmp_path / "out", name="resnet10t.c3_in1k", backbone=backbone)
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["architecture"] == "resnet10t"


def test_an_export_can_be_moved(tmp_path):
    spec = make_spec()
    backbone = make_export(tmp_path / "out", spec=spec)
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    opened = timm.create_model(f"local-dir:{tmp_path / 'elsewhere'}", pretrained=True)
    assert torch.equal(features(opened, draw_images(spec)), features(backbone, draw_images(spec)))

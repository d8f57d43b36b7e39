"""SeCo's checkpoints are read and give SeCo's features; whatever else a pickle holds is listed, refused and never run."""

import pickle
import sys
import zipfile

import pytest
import torch

from tests.train.published_checkpoints import (
    MODULE,
    Command,
    Evaluation,
    checkpoint_of,
    lightning_1_1,
    make_seco_module,
    write_pickle,
    write_seco_checkpoint,
)
from train.backbones import make_backbone
from train.errors import CheckpointError
from train.published import CALLBACK, SECO_INPUT, convert_seco, read_checkpoint, read_published


@pytest.fixture(scope="module")
def seco():
    return make_seco_module()


@pytest.fixture(scope="module")
def path(seco, tmp_path_factory):
    return write_seco_checkpoint(tmp_path_factory.mktemp("seco") / "seco_resnet18_100k.ckpt", seco)


def test_the_checkpoint_does_not_open_by_torch_itself(path):
    """What makes the reader needed: the built file has the one name that torch refuses."""
    with pytest.raises(pickle.UnpicklingError, match="ModelCheckpoint"):
        torch.load(path, weights_only=True)
    assert torch.serialization.get_unsafe_globals_in_checkpoint(str(path)) == [CALLBACK]


def test_a_checkpoint_of_seco_is_read(path, seco):
    content = read_checkpoint(path)
    assert content["epoch"] == 199
    assert torch.equal(content["state_dict"]["encoder_q.0.weight"], seco.state_dict()["encoder_q.0.weight"])


def test_reading_imports_nothing_and_allows_nothing_for_later(path):
    modules, allowed = set(sys.modules), set(torch.serialization.get_safe_globals())
    read_checkpoint(path)
    assert not [name for name in set(sys.modules) - modules if name.startswith("pytorch_lightning.callbacks")]
    assert set(torch.serialization.get_safe_globals()) == allowed


@torch.no_grad()
def test_converted_features_are_seco_s_own_exactly(path, seco):
    published = read_published(path)
    backbone = make_backbone(published.timm_name, bands=3)
    backbone.load_state_dict(published.tensors)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    assert torch.equal(backbone.eval()(images), seco.encoder_q.eval()(images))
    assert not torch.equal(backbone(images), seco.encoder_k.eval()(images))


@torch.no_grad()
def test_a_resnet_50_is_told_from_its_shapes():
    seco = make_seco_module("resnet50")
    published = convert_seco(seco.state_dict(), "here")
    assert published.timm_name == "resnet50"
    backbone = make_backbone("resnet50", bands=3)
    backbone.load_state_dict(published.tensors)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(backbone.eval()(images), seco.encoder_q.eval()(images))


def test_heads_key_encoder_and_queue_are_no_part_of_the_backbone(path):
    tensors = read_published(path).tensors
    assert tensors.keys() == make_backbone("resnet18", bands=3).state_dict().keys()


def test_the_input_is_that_of_the_released_code():
    """Quantiles of 8-bit numbers, reflectance times 255: B4 0 to 129, B3 2 to 103, B2 3 to 88; then ImageNet's."""
    assert SECO_INPUT.bands == ("B04", "B03", "B02")
    for name, low, high, mean, std in zip(
        SECO_INPUT.bands, SECO_INPUT.low, SECO_INPUT.high, SECO_INPUT.mean, SECO_INPUT.std, strict=True
    ):
        first, last = {"B04": (0, 129), "B03": (2, 103), "B02": (3, 88)}[name]
        stretched = ((200 - first) / (last - first) - mean) / std
        assert ((200 / 255 - low) / (high - low) - mean) / std == pytest.approx(stretched)
    assert SECO_INPUT.mean == (0.485, 0.456, 0.406)
    assert SECO_INPUT.std == (0.229, 0.224, 0.225)
    assert (SECO_INPUT.size_px, SECO_INPUT.sensor) == (224, "sentinel-2-l2a")


@pytest.mark.parametrize("harm", [Command, Evaluation])
def test_a_malicious_checkpoint_is_refused_and_does_nothing(tmp_path, harm, seco):
    trace = tmp_path / "trace"
    words = f"touch {trace}" if harm is Command else f"open({str(trace)!r}, 'w')"
    path = write_pickle(tmp_path / "seco.ckpt", checkpoint_of(seco, callbacks={"a": harm(words)}))
    name = "posix.system" if harm is Command else "builtins.eval"
    with pytest.raises(CheckpointError, match=rf"seco\.ckpt names {name}, which is not plain data: reading it could run code"):
        read_published(path)
    assert not trace.exists()


def test_the_malicious_checkpoint_would_have_harmed(tmp_path):
    """Without this, the test above could not fail."""
    trace = tmp_path / "trace"
    path = write_pickle(tmp_path / "seco.ckpt", {"callbacks": Command(f"touch {trace}")})
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_all_that_is_refused_is_listed(tmp_path):
    import argparse

    path = write_pickle(tmp_path / "dino.pth", {"args": argparse.Namespace(lr=1), "more": pickle.Unpickler})
    with pytest.raises(
        CheckpointError, match=r"names argparse\.Namespace, pickle\.Unpickler, which.* beyond them only pytorch_lightning"
    ):
        read_checkpoint(path)


def test_nothing_can_be_made_of_the_allowed_name(tmp_path, seco):
    def misuse(callback):
        made = callback()
        made.best_model_path = "x.ckpt"
        return {"state": made}

    path = write_seco_checkpoint(tmp_path / "seco.ckpt", seco, say=misuse)
    with pytest.raises(
        CheckpointError, match=r"is no whole checkpoint of torch 1\.6 or later \(UnpicklingError\)\. Nothing of it was run"
    ):
        read_published(path)


def test_a_pickle_that_hides_its_names_is_refused(tmp_path):
    """Protocol 4 puts names on the stack, where the list does not see them; torch's reader knows no such instruction."""
    trace = tmp_path / "trace"
    path = tmp_path / "seco.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"state_dict": Command(f"touch {trace}")}, protocol=4))
        file.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError, match="Nothing of it was run"):
        read_published(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"state_dict": {}}, protocol=2)])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path, content):
    (tmp_path / "seco.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"seco\.ckpt is no whole checkpoint of torch 1\.6 or later .* Copy it again"):
        read_published(tmp_path / "seco.ckpt")


def test_half_a_checkpoint_is_said_to_be_no_whole_one(tmp_path, path):
    content = path.read_bytes()
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"half\.ckpt is no whole checkpoint"):
        read_published(tmp_path / "half.ckpt")


def test_a_missing_checkpoint_is_said_to_be_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt is not there\. Give the path of weights"):
        read_published(tmp_path / "none.ckpt")


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"student": {"a": torch.zeros(1)}, "teacher": {}}, "student, teacher"),
        ({"state_dict": {"layer1.0.conv1.weight": torch.zeros(1)}}, r"layer1\.0\.conv1\.weight"),
        ([torch.zeros(1)], "list"),
    ],
)
def test_another_layout_is_named_by_what_it_holds(tmp_path, content, shown):
    path = write_pickle(tmp_path / "other.pth", content)
    with pytest.raises(
        CheckpointError, match=rf"a layout that we do not know: it holds {shown} .* Expected SeCo's, with encoder_q"
    ):
        read_published(path)


def test_an_encoder_that_is_no_resnet_is_refused(seco):
    state = {name: tensor for name, tensor in seco.state_dict().items() if not name.startswith("encoder_q.7.1")}
    with pytest.raises(
        CheckpointError, match=r"here is no ResNet that we know: its stages have 2, 2, 2, 1 blocks.*resnet18, resnet34"
    ):
        convert_seco(state, "here")
    with pytest.raises(CheckpointError, match=r"here has encoder_q\.9\.weight, which no encoder of SeCo has"):
        convert_seco(seco.state_dict() | {"encoder_q.9.weight": torch.zeros(1)}, "here")


def test_the_layout_is_the_one_that_was_released(seco):
    names = set(seco.state_dict())
    assert {"encoder_q.4.0.conv1.weight", "encoder_k.7.1.bn2.running_mean", "heads_q.2.0.weight", "heads_k.0.2.bias"} <= names
    with lightning_1_1() as callback:
        assert f"{callback.__module__}.{callback.__qualname__}" == CALLBACK == f"{MODULE}.ModelCheckpoint"

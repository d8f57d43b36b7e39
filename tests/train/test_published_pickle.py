"""Checkpoints are read without running anything; whatever else a pickle holds is listed, refused and never run."""

import argparse
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
from train.errors import CheckpointError
from train.published_pickle import ARGUMENTS, CALLBACK, read_arguments, read_checkpoint


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


@pytest.mark.parametrize("harm", [Command, Evaluation])
def test_a_malicious_checkpoint_is_refused_and_does_nothing(tmp_path, harm, seco):
    trace = tmp_path / "trace"
    words = f"touch {trace}" if harm is Command else f"open({str(trace)!r}, 'w')"
    path = write_pickle(tmp_path / "seco.ckpt", checkpoint_of(seco, callbacks={"a": harm(words)}))
    name = "posix.system" if harm is Command else "builtins.eval"
    with pytest.raises(CheckpointError, match=rf"seco\.ckpt names {name}, which is not plain data: reading it could run code"):
        read_checkpoint(path)
    assert not trace.exists()


def test_the_malicious_checkpoint_would_have_harmed(tmp_path):
    """Without this, the test above could not fail."""
    trace = tmp_path / "trace"
    path = write_pickle(tmp_path / "seco.ckpt", {"callbacks": Command(f"touch {trace}")})
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_all_that_is_refused_is_listed(tmp_path):
    path = write_pickle(tmp_path / "dino.pth", {"args": argparse.ArgumentParser, "more": pickle.Unpickler})
    with pytest.raises(
        CheckpointError,
        match=r"names argparse\.ArgumentParser, pickle\.Unpickler, which.* only .*ModelCheckpoint and argparse\.Names",
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
        read_checkpoint(path)


def test_a_pickle_that_hides_its_names_is_refused(tmp_path):
    """Protocol 4 puts names on the stack, where the list does not see them; torch's reader knows no such instruction."""
    trace = tmp_path / "trace"
    path = tmp_path / "seco.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"state_dict": Command(f"touch {trace}")}, protocol=4))
        file.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError, match="Nothing of it was run"):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"state_dict": {}}, protocol=2)])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path, content):
    (tmp_path / "seco.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"seco\.ckpt is no whole checkpoint of torch 1\.6 or later .* Copy it again"):
        read_checkpoint(tmp_path / "seco.ckpt")


def test_half_a_checkpoint_is_said_to_be_no_whole_one(tmp_path, path):
    content = path.read_bytes()
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"half\.ckpt is no whole checkpoint"):
        read_checkpoint(tmp_path / "half.ckpt")


def test_a_missing_checkpoint_is_said_to_be_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt is not there\. Give the path of weights"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_the_arguments_of_a_command_are_read_by_name_and_are_no_namespace(tmp_path):
    given = argparse.Namespace(lr=0.1, sensors=["SPOT"], nested=argparse.Namespace(a=1))
    path = write_pickle(tmp_path / "dino.pth", {"args": given})
    with pytest.raises(pickle.UnpicklingError, match=ARGUMENTS):
        torch.load(path, weights_only=True)
    found = read_checkpoint(path)["args"]
    assert not isinstance(found, argparse.Namespace)
    words = read_arguments(found)
    assert (words["lr"], words["sensors"], read_arguments(words["nested"])) == (0.1, ["SPOT"], {"a": 1})


@pytest.mark.parametrize("thing", [None, {"lr": 0.1}, 3])
def test_where_no_arguments_were_kept_there_are_none(thing):
    assert read_arguments(thing) == {}


class Called:
    """Unpickles as a call of the allowed name."""

    def __reduce__(self):
        return argparse.Namespace, ("--harm",)


def test_the_allowed_name_is_not_called_with_anything(tmp_path):
    with pytest.raises(CheckpointError, match=r"is no whole checkpoint .*\(UnpicklingError\)\. Nothing of it was run"):
        read_checkpoint(write_pickle(tmp_path / "dino.pth", {"args": Called()}))


def test_attributes_cannot_make_the_namespace_another_thing(tmp_path):
    given = argparse.Namespace(lr=1)
    given.__dict__["__class__"] = int
    path = write_pickle(tmp_path / "dino.pth", {"args": given})
    with pytest.raises(CheckpointError, match=r"names (__builtin__|builtins)\.int|no whole checkpoint"):
        read_checkpoint(path)


def test_the_name_is_the_one_that_was_released():
    with lightning_1_1() as callback:
        assert f"{callback.__module__}.{callback.__qualname__}" == CALLBACK == f"{MODULE}.ModelCheckpoint"

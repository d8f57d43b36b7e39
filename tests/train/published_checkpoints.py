"""Checkpoints in the exact layout of SeCo's released ones, and some that nobody should open."""

import sys
from contextlib import contextmanager
from types import ModuleType

import torch
import torchvision
from torch import nn

MODULE = "pytorch_lightning.callbacks.model_checkpoint"


@contextmanager
def lightning_1_1():
    """The class that SeCo's checkpoints name, at the place where PyTorch Lightning 1.1 had it, while a file is written."""
    names = [MODULE.rsplit(".", cut)[0] for cut in (2, 1)] + [MODULE]
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "pytorch_lightning"}
    sys.modules.update({name: ModuleType(name) for name in names})
    made = type("ModelCheckpoint", (), {"__module__": MODULE})
    sys.modules[MODULE].ModelCheckpoint = made
    try:
        yield made
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


def make_seco_module(name="resnet18", *, queue=64, seed=0):
    """Encoders, heads and queue as the released `MocoV2` module makes them, with batch statistics that are not the first ones.

    References:
        https://github.com/ServiceNow/seasonal-contrast, `models/moco2_module.py`
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = nn.Module()
        width = 512 if name in ("resnet18", "resnet34") else 2048
        for side in ("q", "k"):
            encoder = getattr(torchvision.models, name)(num_classes=128)
            setattr(module, f"encoder_{side}", nn.Sequential(*list(encoder.children())[:-1], nn.Flatten()))
            heads = [nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 128)) for _ in range(3)]
            setattr(module, f"heads_{side}", nn.ModuleList(heads))
        module.register_buffer("queue", nn.functional.normalize(torch.randn(3, 128, queue), dim=1))
        module.register_buffer("queue_ptr", torch.zeros(3, 1, dtype=torch.long))
        with torch.no_grad():
            module.encoder_q.train()(torch.randn(4, 3, 64, 64))
    return module


def checkpoint_of(module, **more):
    """What PyTorch Lightning 1.1 saves of a module."""
    return {
        "epoch": 199,
        "global_step": 15600,
        "pytorch-lightning_version": "1.1.8",
        "state_dict": module.state_dict(),
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"base_encoder": "resnet18", "emb_dim": 128, "num_negatives": 16384, "emb_spaces": 3},
        **more,
    }


def write_seco_checkpoint(path, module, *, say=lambda callback: {callback: {"monitor": None, "best_model_path": "x.ckpt"}}):
    """A checkpoint with the state of its callback under the callback's class."""
    with lightning_1_1() as callback:
        torch.save(checkpoint_of(module, callbacks=say(callback)), path)
    return path


class Command:
    """Unpickles as a call of `os.system`."""

    def __init__(self, words):
        self.words = words

    def __reduce__(self):
        import os

        return os.system, (self.words,)


class Evaluation:
    """Unpickles as a call of `eval`."""

    def __init__(self, words):
        self.words = words

    def __reduce__(self):
        return eval, (self.words,)


def write_pickle(path, content):
    """A file that `torch.save` wrote of anything."""
    torch.save(content, path)
    return path

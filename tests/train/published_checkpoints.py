"""Checkpoints in the exact layouts of released ones, and some that nobody should open."""

import argparse
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


class PlainViT(nn.Module):
    """DINO's ViT, by its names, as plainly as it can be written; `heads` is 64 numbers of a token each."""

    def __init__(self, *, length=192, depth=12, patch=16, channels=3, size=224, seed=0):
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(channels, length, patch, patch)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, length))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, length))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(length, eps=1e-6),
                    "attn": nn.ModuleDict({"qkv": nn.Linear(length, 3 * length), "proj": nn.Linear(length, length)}),
                    "norm2": nn.LayerNorm(length, eps=1e-6),
                    "mlp": nn.ModuleDict({"fc1": nn.Linear(length, 4 * length), "fc2": nn.Linear(4 * length, length)}),
                }
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(length, eps=1e-6)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))

    def positions(self, side):
        """Position embeddings for `side` patches on a side, as DINO interpolates them, one number at a time."""
        before = round((self.pos_embed.shape[1] - 1) ** 0.5)
        if side == before:
            return self.pos_embed
        grid = self.pos_embed[0, 1:].reshape(before, before, -1)
        weights = torch.stack([self._cubic((place + 0.5) * before / (side + 0.1) - 0.5, before) for place in range(side)])
        made = torch.einsum("ir,jc,rcl->ijl", weights, weights, grid)
        return torch.cat([self.pos_embed[0, :1], made.reshape(side * side, -1)])[None]

    @staticmethod
    def _cubic(center, count, a=-0.75):
        """What each of `count` numbers weighs in a bicubic interpolation at `center`; beyond the ends the last is repeated."""
        weights = torch.zeros(count)
        for place in range(int(center // 1) - 1, int(center // 1) + 3):
            x = abs(center - place)
            near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
            weights[min(max(place, 0), count - 1)] += near if x <= 1 else far
        return weights

    def forward(self, images):
        tokens = self.patch_embed["proj"](images)
        side = tokens.shape[-1]
        tokens = tokens.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), tokens], dim=1) + self.positions(side)
        for block in self.blocks:
            tokens = tokens + self._attend(block["attn"], block["norm1"](tokens))
            inner = nn.functional.gelu(block["mlp"]["fc1"](block["norm2"](tokens)))
            tokens = tokens + block["mlp"]["fc2"](inner)
        return self.norm(tokens)[:, 0]

    @staticmethod
    def _attend(attention, tokens):
        batch, count, length = tokens.shape
        query, key, value = attention["qkv"](tokens).reshape(batch, count, 3, length // 64, 64).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-1, -2) / 8).softmax(dim=-1)
        return attention["proj"]((weights @ value).transpose(1, 2).reshape(batch, count, length))


def make_torchvision(name, *, channels=3, seed=0):
    """A network of torchvision without its classifier, with batch statistics that are not the first ones."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = getattr(torchvision.models, name)()
        if name.startswith("swin"):
            network.head = nn.Identity()
            return network.eval()
        network.fc = nn.Identity()
        if channels != 3:
            network.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        with torch.no_grad():
            network.train()(torch.randn(4, channels, 64, 64))
    return network.eval()


def prefixed(prefix, network, **more):
    """Tensors of a network under a prefix, and other tensors of other names."""
    return {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()} | more


def write_dino_checkpoint(path, teacher, student, *, arguments, wrapped=False):
    """What DINO's code saves: the student wrapped for several processes, the teacher only where it has batch norm.

    References:
        https://github.com/facebookresearch/dino, `main_dino.py`
    """
    head = torch.zeros(4, 3)
    side = "module." if wrapped else ""
    torch.save(
        {
            "student": prefixed("module.backbone.", student, **{"module.head.mlp.0.weight": head}),
            "teacher": prefixed(f"{side}backbone.", teacher, **{f"{side}head.mlp.0.weight": head}),
            "optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "params": [0]}]},
            "epoch": 300,
            "args": argparse.Namespace(arch="any", lr=0.0005, **arguments),
            "dino_loss": {"center": torch.zeros(1, 8)},
        },
        path,
    )
    return path


def write_moco_checkpoint(path, query, key, *, names=("encoder_q", "encoder_k"), head="fc"):
    """What MoCo's code saves: both encoders with their heads, wrapped for several processes, and the queue.

    References:
        https://github.com/zhu-xlab/SSL4EO-S12, `pretrain_moco_v2_s2c.py`, `pretrain_moco_v3_s2c.py`
    """
    state = {"module.queue": torch.zeros(128, 16)}
    for name, network in zip(names, (query, key), strict=True):
        state |= prefixed(f"module.{name}.", network, **{f"module.{name}.{head}.0.weight": torch.zeros(4, 3)})
    torch.save({"epoch": 100, "arch": "any", "state_dict": state, "optimizer": {"state": {}}}, path)
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

"""Small stand-ins: a linear backbone, a backbone with batch normalisation, a batch, several processes that compute together."""

from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.multiprocessing import start_processes

from tests.train.forked import forking


class Linear(nn.Module):
    """A backbone without batch normalisation."""

    def __init__(self, bands=2, size_px=3, features=5):
        super().__init__()
        self.num_features = features
        self.layer = nn.Linear(bands * size_px**2, features)

    def forward(self, images):
        return torch.tanh(self.layer(images.flatten(1)))


class Normalised(nn.Module):
    """A backbone with batch normalisation."""

    def __init__(self, bands=2, size_px=3, features=5):
        super().__init__()
        self.num_features = features
        self.layer = nn.Linear(bands * size_px**2, features)
        self.norm = nn.BatchNorm1d(features)

    def forward(self, images):
        return torch.tanh(self.norm(self.layer(images.flatten(1))))


@dataclass
class Drawn:
    locations: torch.Tensor
    scenes: torch.Tensor


def run_processes(function, folder, *arguments, count=2):
    """Run `function(rank, folder, *arguments)` in processes that form a group; what each returns, in the order of ranks."""
    start_processes(_in_group, (count, function, folder, arguments), nprocs=count, start_method=forking().get_start_method())
    return [torch.load(folder / f"{rank}.pt") for rank in range(count)]


def _in_group(rank, count, function, folder, arguments):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count)
    torch.save(function(rank, folder, *arguments), folder / f"{rank}.pt")
    distributed.destroy_process_group()

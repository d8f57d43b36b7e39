"""Batches on their way to the device: all of them, once, in order."""

from dataclasses import replace

import pytest
import torch

from tests.train.places import make_places
from tests.train.test_dataset import assert_same
from train.dataset import Batches, Share, load_batches
from train.prefetch import on_device
from train.recipes import RECIPES, with_view_size
from train.samples import find_samples


@pytest.fixture(scope="module")
def batches():
    stack = make_places({f"place-{number}": (0, 90, 180) for number in range(12)})
    config = replace(with_view_size(RECIPES["seco"](), 16), batch_size=4, epochs=3)
    return Batches(stack, find_samples(stack, dates=3), config, Share(accumulate=2))


def assert_all_come(batches, device, **options):
    expected = list(load_batches(batches, range(9), workers=0))
    come = 0
    for parts, others in zip(on_device(load_batches(batches, range(9), **options), device), expected, strict=True):
        assert {part.locations.device.type for part in parts} == {device.type}
        back = [part.to(torch.device("cpu")) for part in parts]
        if device.type == "cuda":
            torch.cuda.synchronize()
        for part, other in zip(back, others, strict=True):
            assert_same(part, other)
        come += 1
    assert come == 9


def test_on_a_cpu_batches_come_as_they_are(batches):
    assert_all_come(batches, torch.device("cpu"), workers=0)
    loaded = [[object()]]
    assert next(on_device(iter(loaded), torch.device("cpu"))) is loaded[0]


def test_no_batches_are_no_batches():
    assert list(on_device(iter([]), torch.device("cpu"))) == []


@pytest.mark.gpu
def test_on_a_gpu_batches_are_copied_ahead_and_none_is_lost(batches):
    assert_all_come(batches, torch.device("cuda"), workers=2, pin_memory=True)
    assert list(on_device(iter([]), torch.device("cuda"))) == []

"""X-STARS' alignment on two processes against one process with the whole batch."""

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from tests.train.stubs import run_processes
from train.alignment_loss import LogTemperature, SensorTokens, multi_sensor_alignment
from train.gathering import gather_tokens, gather_with_gradient

BATCH, SENSORS, TOKENS, DIM, STEPS = 6, 3, 4, 5, 4


class Student(nn.Module):
    """Tokens without any exchange between samples, and the temperature."""

    def __init__(self):
        super().__init__()
        self.layer, self.temperature = nn.Linear(7, DIM), LogTemperature()

    def forward(self, images):
        return [normalize(torch.tanh(self.layer(each)), dim=-1) for each in images], self.temperature()


def draw(step):
    """A whole batch; the second half has little that is valid, and a location comes again in the other half."""
    generator = torch.Generator().manual_seed(step)
    images = [torch.randn(BATCH, TOKENS, 7, generator=generator) for _ in range(SENSORS)]
    shares = torch.tensor([0.9] * 3 + [0.3] * 3)[:, None]
    valid = tuple(torch.rand(BATCH, TOKENS, generator=generator) < shares for _ in range(SENSORS))
    return images, valid, torch.tensor([0, 1, 2, 1, 4, 5])


def train(share, *, gathered=True):
    """Steps on a share of every batch."""
    torch.manual_seed(0)
    student = Student()
    moved = DistributedDataParallel(student) if torch.distributed.is_initialized() else student
    losses, gradients = [], []
    for step in range(STEPS):
        images, valid, locations = draw(step)
        embeddings, temperature = moved([each[share] for each in images])
        own = SensorTokens(tuple(embeddings), tuple(each[share] for each in valid), locations[share])
        everyone, first = gather_tokens(own) if gathered else (own, 0)
        loss = multi_sensor_alignment(own, temperature=temperature, everyone=everyone, first=first)
        loss.backward()
        gradients.append([each.grad.clone() for each in student.parameters()])
        with torch.no_grad():
            for each in student.parameters():
                each.sub_(0.5 * each.grad)
                each.grad = None
        losses.append(loss.item())
    return {"losses": losses, "gradients": gradients, "weights": [each.detach() for each in student.parameters()]}


def in_two_processes(rank, folder):
    share = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    here = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) + 10 * rank
    leaf = here.clone().requires_grad_()
    gathered = gather_with_gradient(leaf)
    (gathered * torch.arange(1.0, 9).view(4, 2) * (rank + 1)).sum().backward()
    return {
        "gathered": gathered.tolist(),
        "gradient": leaf.grad.tolist(),
        "run": train(share),
        "apart": train(share, gathered=False),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_processes(in_two_processes, tmp_path_factory.mktemp("processes"))


def test_one_process_gathers_nothing():
    tensor = torch.randn(3, 2, requires_grad=True)
    assert gather_with_gradient(tensor) is tensor
    embeddings = tuple(torch.ones(2, 3, 1) for _ in range(2))
    own = SensorTokens(embeddings, (torch.ones(2, 3, dtype=torch.bool),) * 2, torch.arange(2))
    assert gather_tokens(own) == (own, 0)


def test_a_gathered_tensor_gets_what_both_processes_say_of_it(results):
    for each in results:
        assert each["gathered"] == [[1, 2], [3, 4], [11, 12], [13, 14]]
    assert [each["gradient"] for each in results] == [[[3, 6], [9, 12]], [[15, 18], [21, 24]]]


def test_the_losses_of_two_processes_average_to_that_of_one(results):
    one = train(slice(None))
    for step in range(STEPS):
        assert sum(each["run"]["losses"][step] for each in results) / 2 == pytest.approx(one["losses"][step], rel=1e-5)
        assert results[0]["run"]["losses"][step] != pytest.approx(results[1]["run"]["losses"][step], rel=1e-3)


def test_two_processes_move_weights_and_temperature_as_one_does(results):
    one = train(slice(None))
    for each in results:
        torch.testing.assert_close(each["run"]["gradients"], one["gradients"], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(each["run"]["weights"], one["weights"], rtol=1e-5, atol=1e-6)


def test_negatives_of_one_process_alone_move_the_weights_otherwise(results):
    one, two = train(slice(None))["weights"], results[0]["apart"]["weights"]
    assert max((a - b).abs().max() for a, b in zip(one, two, strict=True)) > 1e-3

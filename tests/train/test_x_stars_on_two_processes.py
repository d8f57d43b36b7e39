"""X-STARS on two processes against one process with the whole batch: negatives of all, one center, gradients once."""

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.train.aligned import BANDS, aligned_config, draw_sensors
from tests.train.stubs import Drawn, run_processes
from train.methods import make_method

BATCH, STEPS = 4, 3
CASES = {
    "from scratch": {"weight": 1.0},
    "without alignment": {"weight": 0.0},
    "adapting": {"weight": 1.0, "adapt_sensor": "sentinel-2-l2a"},
}


def train(settings, share):
    """Steps on a share of every batch; a location comes again in the other half, and the second half has less that is valid."""
    config = aligned_config(**settings)
    method = make_method(config, BANDS, queue=0)
    bare = method.student
    optimizer = torch.optim.SGD([each for each in bare.parameters() if each.requires_grad], 0.02)
    if torch.distributed.is_initialized():
        method.student = DistributedDataParallel(bare)
    losses = []
    for step in range(STEPS):
        views = draw_sensors(config, batch=BATCH, step=step)
        shares = torch.tensor([0.9] * 2 + [0.4] * 2)[:, None]
        generator = torch.Generator().manual_seed(step)
        views.valid = tuple((torch.rand(BATCH, 4, generator=generator) < shares)[share] for _ in BANDS)
        views.crops = tuple(tuple(each[share] for each in crops) for crops in views.crops)
        views.ground = tuple(each[share] for each in views.ground)
        places = torch.tensor([0, 1, 1, 3])
        optimizer.zero_grad()
        terms = method(views, Drawn(places[share], torch.zeros(BATCH, 1)[share]))
        sum(terms.values()).backward()
        optimizer.step()
        method.after_step()
        losses.append({name: term.item() for name, term in terms.items()})
    weights = [each.detach() for each in (*bare.parameters(), *method.teacher.parameters(), method.center.mean)]
    return {"losses": losses, "weights": weights}


def in_two_processes(rank, folder):
    share = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    return {name: train(settings, share) for name, settings in CASES.items()}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_processes(in_two_processes, tmp_path_factory.mktemp("processes"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_one_with_the_whole_batch(results, name):
    one = train(CASES[name], slice(None))
    for step in range(STEPS):
        for term in ("distillation", "alignment"):
            both = [each[name]["losses"][step][term] for each in results]
            assert sum(both) / 2 == pytest.approx(one["losses"][step][term], rel=1e-4, abs=1e-7)
    for each in results:
        torch.testing.assert_close(each[name]["weights"], one["weights"], rtol=1e-4, atol=1e-5)

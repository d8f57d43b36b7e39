"""SeCo on two processes against plain loops, and against one process; the backbone has no batch normalisation here."""

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.reference.contrast import PlainSeco, Process
from tests.train.stubs import Drawn, Linear, run_processes
from train.config import Contrast
from train.losses import SPACES
from train.methods.moco import Moco
from train.methods.seco import Seco

BATCH, QUEUE, STEPS = 6, 18, 5
CONSTANTS = {
    "default": {},
    "as released": {"mask_same_date": False, "mask_own_location": False, "gather_negatives": False},
    "apart but masked": {"gather_negatives": False},
}


def draw(step):
    """A whole batch: repeated dates, and locations that come again."""
    generator = torch.Generator().manual_seed(step)
    views = [torch.randn(BATCH, 2, 3, 3, generator=generator) for _ in range(4)]
    return views, torch.randperm(8, generator=generator)[:BATCH], torch.randint(0, 3, (BATCH, 3), generator=generator)


def train(kind, constants, share):
    """Steps on a share of every batch, and all that a twin needs of them."""
    torch.manual_seed(0)
    method = kind(Linear(), Contrast(dim=6, ema_momentum=0.5, **constants), queue=QUEUE, batch_size=BATCH, seed=3)
    optimizer = torch.optim.SGD(method.student.parameters(), 0.1)
    if torch.distributed.is_initialized():
        method.student = DistributedDataParallel(method.student)
    seen = [{"queue": method.queue.keys.clone()}]
    for step in range(STEPS):
        views, locations, dates = draw(step)
        views = [view[share] for view in views]
        batch = Drawn(locations[share], dates[share])
        with torch.no_grad():
            given = {"query": method.student(views[0])[0], "keys": method.teacher.encoder.encode_views(views[1:])}
        terms = method(views[: 4 if kind is Seco else 2], batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        method.after_step()
        losses = {name: term.detach() for name, term in terms.items()}
        queue = {name: value.clone() for name, value in method.queue.state_dict().items()}
        seen.append({"losses": losses, "queue": queue, "locations": batch.locations, "dates": batch.scenes, **given})
    return {"seen": seen, "weights": [each.detach() for each in method.teacher.parameters()]}


def in_two_processes(rank, folder):
    share = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    return {
        "seco": {name: train(Seco, constants, share) for name, constants in CONSTANTS.items()},
        "moco": train(Moco, {}, share),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_processes(in_two_processes, tmp_path_factory.mktemp("processes"))


@pytest.mark.parametrize("name", CONSTANTS)
def test_seco_on_two_processes_is_the_plain_loops(results, name):
    runs = [each["seco"][name]["seen"] for each in results]
    constants = Contrast(**CONSTANTS[name])
    plain = PlainSeco(
        runs[0][0]["queue"].tolist(),
        [-1] * QUEUE,
        temperature=0.07,
        own_location=constants.mask_own_location,
        same_date=constants.mask_same_date,
        gather=constants.gather_negatives,
    )
    for step in range(1, STEPS + 1):
        processes = [Process(*(run[step][part].tolist() for part in ("query", "keys", "locations", "dates"))) for run in runs]
        expected = plain.step(processes)
        for run, losses in zip(runs, expected, strict=True):
            assert [run[step]["losses"][space].item() for space in SPACES] == pytest.approx(losses, rel=1e-5, abs=1e-6)
            torch.testing.assert_close(run[step]["queue"]["keys"], torch.tensor(plain.queue))
            assert run[step]["queue"]["locations"].tolist() == plain.locations
            assert run[step]["queue"]["pointer"].item() == plain.pointer


def test_two_processes_move_the_weights_as_one_does(results):
    one = {"seco": train(Seco, {}, slice(None)), "moco": train(Moco, {}, slice(None))}
    for each in results:
        for name, two in (("seco", each["seco"]["default"]), ("moco", each["moco"])):
            torch.testing.assert_close(two["weights"], one[name]["weights"], rtol=1e-5, atol=1e-6)


def test_negatives_of_one_process_alone_move_the_weights_otherwise(results):
    one = train(Seco, CONSTANTS["apart but masked"], slice(None))["weights"]
    two = results[0]["seco"]["apart but masked"]["weights"]
    assert max((a - b).abs().max() for a, b in zip(one, two, strict=True)) > 1e-4

"""SeCo and DINO on two processes against plain loops and one process; the backbone has no batch normalisation here."""

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.reference.contrast import PlainSeco, Process
from tests.reference.dino import PlainDino
from tests.train.stubs import Drawn, Linear, run_processes
from train.config import Contrast, Distillation
from train.losses import SPACES
from train.methods.dino import Dino
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


def distil(global_crops, share):
    """Steps of DINO, or of DINO-TP with its three global crops, on a share of every batch."""
    torch.manual_seed(0)
    constants = Distillation(out_dim=7, head_hidden=6, bottleneck=4, ema_momentum=0.5, freeze_last_layer=0)
    method = Dino(Linear(), constants, global_crops=global_crops)
    optimizer = torch.optim.SGD([each for each in method.student.parameters() if each.requires_grad], 0.1)
    if torch.distributed.is_initialized():
        method.student = DistributedDataParallel(method.student)
    seen = []
    for step in range(STEPS):
        views = [view[share] for view in draw(step)[0]]
        with torch.no_grad():
            given = {"student": method.student(views)[0], "teacher": method.teacher(views[:global_crops])[0]}
        loss = method(views, Drawn(*(each[share] for each in draw(step)[1:])))["distillation"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step()
        seen.append({"loss": loss.detach(), "center": method.center.mean.clone(), **given})
    return {"seen": seen, "weights": [each.detach() for each in method.teacher.parameters()]}


def in_two_processes(rank, folder):
    share = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    return {
        "seco": {name: train(Seco, constants, share) for name, constants in CONSTANTS.items()},
        "moco": train(Moco, {}, share),
        "dino": {global_crops: distil(global_crops, share) for global_crops in (2, 3)},
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


@pytest.mark.parametrize("global_crops", [2, 3])
def test_dino_on_two_processes_is_the_plain_loops_with_one_center(results, global_crops):
    runs = [each["dino"][global_crops]["seen"] for each in results]
    plain = PlainDino(7, teacher_temperature=0.04, student_temperature=0.1, center_momentum=0.9)
    for step in range(STEPS):
        expected = plain.step([tuple(run[step][name].tolist() for name in ("student", "teacher")) for run in runs])
        for run, loss in zip(runs, expected, strict=True):
            assert run[step]["loss"].item() == pytest.approx(loss, rel=1e-4)
            torch.testing.assert_close(run[step]["center"], torch.tensor(plain.center), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("global_crops", [2, 3])
def test_two_processes_of_dino_move_the_weights_as_one_does(results, global_crops):
    one = distil(global_crops, slice(None))
    for each in results:
        two = each["dino"][global_crops]
        torch.testing.assert_close(two["weights"], one["weights"], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(two["seen"][-1]["center"], one["seen"][-1]["center"], rtol=1e-4, atol=1e-6)

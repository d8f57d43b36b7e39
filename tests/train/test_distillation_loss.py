"""DINO's loss and center against plain loops and lightly's."""

import math

import pytest
import torch

from tests.reference.dino import PlainDino
from train.distillation_loss import dino_cross_entropy, entropy, sharpen
from train.state import Center

BATCH, PROTOTYPES, STEPS = 3, 7, 4
TEMPERATURES = {"teacher_temperature": 0.04, "student_temperature": 0.1}


def draw(step, crops, known):
    """Scores as a head gives them: cosines."""
    generator = torch.Generator().manual_seed(step)
    return [2 * torch.rand(count, BATCH, PROTOTYPES, generator=generator) - 1 for count in (crops, known)]


def losses_and_centers(crops, known):
    center, found = Center(PROTOTYPES, 0.9), []
    for step in range(STEPS):
        student, teacher = draw(step, crops, known)
        targets = sharpen(teacher, center.mean, temperature=0.04)
        center.observe(teacher)
        center.update()
        found.append((dino_cross_entropy(student, targets, temperature=0.1).item(), center.mean.clone()))
    return found


@pytest.mark.parametrize(("crops", "known"), [(2, 2), (8, 2), (9, 3), (3, 1)])
def test_loss_and_center_are_the_plain_loops_over_several_steps(crops, known):
    plain = PlainDino(PROTOTYPES, **TEMPERATURES, center_momentum=0.9)
    for step, (loss, center) in enumerate(losses_and_centers(crops, known)):
        student, teacher = draw(step, crops, known)
        (expected,) = plain.step([(student.tolist(), teacher.tolist())])
        assert loss == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(center, torch.tensor(plain.center), rtol=1e-5, atol=1e-6)


@pytest.mark.slow  # lightly takes five seconds to import
@pytest.mark.parametrize(("crops", "known"), [(2, 2), (8, 2), (9, 3)])
def test_loss_center_and_gradient_are_lightlys_over_several_steps(crops, known):
    from lightly.loss import DINOLoss

    theirs = DINOLoss(output_dim=PROTOTYPES, warmup_teacher_temp_epochs=0)
    for step, (loss, center) in enumerate(losses_and_centers(crops, known)):
        student, teacher = draw(step, crops, known)
        student.requires_grad_()
        targets = sharpen(teacher, theirs.center[0, 0], temperature=0.04)
        (ours,) = torch.autograd.grad(dino_cross_entropy(student, targets, temperature=0.1), student)
        expected = theirs(list(teacher), list(student))
        (gradient,) = torch.autograd.grad(expected, student)
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        torch.testing.assert_close(center, theirs.center[0, 0])
        torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("prototypes", [16, 4096])
def test_telling_nothing_apart_costs_the_logarithm_of_the_prototypes(prototypes):
    targets = torch.full((2, BATCH, prototypes), 1 / prototypes)
    student = torch.full((5, BATCH, prototypes), 0.3)
    assert dino_cross_entropy(student, targets, temperature=0.1).item() == pytest.approx(math.log(prototypes), rel=1e-5)
    assert entropy(targets).item() == pytest.approx(math.log(prototypes), rel=1e-5)


def test_entropy_of_a_teacher_that_is_sure_is_zero():
    assert entropy(torch.eye(4)).item() == 0.0


def test_a_global_crop_is_not_compared_with_itself():
    """The one global crop has no partner but the local one, so its own scores have no gradient."""
    student, teacher = draw(0, 2, 1)
    student.requires_grad_()
    dino_cross_entropy(student, sharpen(teacher, torch.zeros(PROTOTYPES), temperature=0.04), temperature=0.1).backward()
    assert not student.grad[0].any()
    assert student.grad[1].any()


def test_low_precision_under_autocast_changes_nothing():
    student, teacher = draw(0, 4, 2)
    targets = sharpen(teacher, torch.zeros(PROTOTYPES), temperature=0.04)
    with torch.autocast("cpu", torch.bfloat16):
        again = sharpen(teacher, torch.zeros(PROTOTYPES), temperature=0.04)
        loss = dino_cross_entropy(student, again, temperature=0.1)
    assert again.dtype == loss.dtype == torch.float32
    assert loss == dino_cross_entropy(student, targets, temperature=0.1)


def test_parts_of_a_batch_move_the_center_as_the_whole_does():
    _, teacher = draw(0, 4, 2)
    one, other = Center(PROTOTYPES, 0.5), Center(PROTOTYPES, 0.5)
    one.observe(teacher)
    for part in teacher.split(1, dim=1):
        assert not other.mean.any(), "all parts see the same center"
        other.observe(part)
    one.update()
    other.update()
    torch.testing.assert_close(one.mean, other.mean)
    one.update()
    torch.testing.assert_close(one.mean, other.mean)


@pytest.mark.parametrize(("crops", "known"), [(1, 1), (2, 3), (2, 0)])
def test_crops_that_make_no_pairs_are_refused(crops, known):
    with pytest.raises(ValueError, match=r"expected two crops or more, the global ones among them"):
        dino_cross_entropy(torch.zeros(crops, 2, 4), torch.zeros(known, 2, 4), temperature=0.1)
    with pytest.raises(ValueError, match=r"Scores of shape \(3, 2, 4\) cannot be compared with targets of shape \(2, 2, 5\)"):
        dino_cross_entropy(torch.zeros(3, 2, 4), torch.zeros(2, 2, 5), temperature=0.1)

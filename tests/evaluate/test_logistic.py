"""The objective of a logistic regression against torch's own losses and autograd."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from evaluate import logistic
from evaluate.logistic import LogisticProblem, errors, second_moments

GENERATOR = torch.Generator().manual_seed(6)
FEATURES = torch.randn(50, 7, generator=GENERATOR)
CLASSES = torch.randint(4, (50,), generator=GENERATOR)
LABELS = torch.rand(50, 4, generator=GENERATOR) < 0.3
AT = torch.randn(4, 8, dtype=torch.float64, generator=GENERATOR)


def plain_value(at, truth, penalty):
    logits = FEATURES.double() @ at[:, :-1].T + at[:, -1]
    if truth.ndim == 1:
        loss = cross_entropy(logits, truth)
    else:
        loss = binary_cross_entropy_with_logits(logits, truth.double(), reduction="none").sum(dim=1).mean()
    return loss + penalty / 2 * at[:, :-1].square().sum()


@pytest.mark.parametrize("truth", [CLASSES, LABELS], ids=["single", "several"])
@pytest.mark.parametrize(("precision", "atol"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_value_and_gradient_equal_autograd_whatever_the_block(truth, precision, atol, monkeypatch):
    monkeypatch.setattr(logistic, "BLOCK", 16)
    found = LogisticProblem(FEATURES, truth, 4, 0.3).evaluate(AT, precision=precision)
    at = AT.clone().requires_grad_()
    value = plain_value(at, truth, 0.3)
    value.backward()
    assert found.value == pytest.approx(value.item(), abs=atol)
    torch.testing.assert_close(found.gradient, at.grad, rtol=0, atol=atol)


@pytest.mark.parametrize("truth", [CLASSES, LABELS], ids=["single", "several"])
def test_errors_are_the_gradient_of_the_loss(truth):
    logits = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    several = truth.ndim == 2
    loss = (
        binary_cross_entropy_with_logits(logits, truth.double(), reduction="sum")
        if several
        else cross_entropy(logits, truth, reduction="sum")
    )
    loss.backward()
    error, total = errors(logits.detach().clone(), truth)
    torch.testing.assert_close(total, loss.detach())
    torch.testing.assert_close(error, logits.grad)


def test_second_moments_are_those_of_the_features_and_a_one():
    table = torch.cat([FEATURES, torch.ones(50, 1)], dim=1).double()
    torch.testing.assert_close(second_moments(FEATURES), table.T @ table / 50, rtol=0, atol=1e-6)


@pytest.mark.parametrize("truth", [CLASSES, LABELS], ids=["single", "several"])
def test_the_preconditioner_is_the_inverse_of_the_hessian_where_all_items_weigh_the_same(truth):
    problem = LogisticProblem(FEATURES, truth, 4, 0.3)
    zeros = torch.zeros_like(AT)
    hessian = torch.autograd.functional.hessian(lambda at: plain_value(at, truth, 0.3), zeros)
    weight = 0.25 if truth.ndim == 2 else 3 / 16
    own = torch.stack([hessian[number, :, number] for number in range(4)])
    torch.testing.assert_close(own[0], weight * second_moments(FEATURES) + 0.3 * torch.diag(torch.tensor([1.0] * 7 + [0.0])))
    made = problem.preconditioner(zeros, second_moments(FEATURES))(AT)
    torch.testing.assert_close(made, torch.linalg.solve(own[0], AT.T).T, rtol=0, atol=1e-4)

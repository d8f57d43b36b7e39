"""Signs of collapse on features whose state is known."""

import math

import numpy as np
import pytest
import torch

from train.collapse import RANK_EPSILON, feature_spread, rank_me, uniform_loss


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_spread(features):
    """Loops over numbers, nothing else."""
    rows = [[value / math.sqrt(sum(each * each for each in row)) for value in row] for row in features.tolist()]
    deviations = []
    for column in zip(*rows, strict=True):
        mean = sum(column) / len(column)
        deviations.append(math.sqrt(sum((value - mean) ** 2 for value in column) / len(column)))
    return sum(deviations) / len(deviations) * math.sqrt(len(deviations))


def plain_rank(features):
    """Singular values as roots of the eigenvalues of the Gram matrix, in 64 bits; then the paper's two equations."""
    table = features.double().numpy()
    values = np.sqrt(np.clip(np.linalg.eigvalsh(table.T @ table), 0, None))
    entropy = 0.0
    for value in values:
        share = value / values.sum() + RANK_EPSILON
        entropy -= share * math.log(share)
    return math.exp(entropy)


def test_spread_equals_its_plain_twin():
    features = draw(40, 7) + 0.5
    assert feature_spread(features).item() == pytest.approx(plain_spread(features), rel=1e-5)


def test_rank_equals_its_plain_twin():
    features = draw(60, 12) @ torch.diag(torch.logspace(0, -2, 12))
    assert rank_me(features).item() == pytest.approx(plain_rank(features), rel=1e-3)
    assert rank_me(features[:5]).item() == pytest.approx(plain_rank(features[:5].T), rel=1e-3)


def test_features_that_point_everywhere_spread_to_one_and_fill_all_directions():
    features = draw(2000, 64)
    assert feature_spread(features).item() == pytest.approx(1, abs=0.02)
    assert rank_me(features).item() > 60
    assert rank_me(torch.eye(16)).item() == pytest.approx(16, abs=1e-3)


def test_features_after_a_relu_reach_six_tenths():
    assert feature_spread(draw(2000, 512).abs()).item() == pytest.approx(math.sqrt(1 - 2 / math.pi), abs=0.02)


def test_features_that_are_all_one_have_no_spread_and_one_direction():
    features = draw(1, 64).repeat(100, 1)
    assert feature_spread(features).item() == pytest.approx(0, abs=1e-6)
    assert rank_me(features).item() == pytest.approx(1, abs=1e-3)


def test_a_dimensional_collapse_is_seen_by_the_rank_and_not_by_the_spread():
    features = draw(1000, 3) @ torch.linalg.qr(draw(64, 3, seed=1))[0].T
    assert feature_spread(features).item() > 0.9
    assert 2.5 < rank_me(features).item() < 3.1


def test_length_does_not_count_in_the_spread():
    features = draw(50, 8)
    assert feature_spread(features * 100).item() == pytest.approx(feature_spread(features).item(), rel=1e-5)


def test_features_that_are_all_zero_give_numbers():
    assert feature_spread(torch.zeros(4, 3)).item() == 0
    assert math.isfinite(rank_me(torch.zeros(4, 3)).item())


def test_half_precision_features_are_taken():
    features = draw(200, 16)
    assert rank_me(features.bfloat16()).item() == pytest.approx(rank_me(features).item(), rel=0.02)
    assert feature_spread(features.bfloat16()).item() == pytest.approx(feature_spread(features).item(), rel=0.02)


def test_signs_send_no_gradient():
    features = draw(8, 4).requires_grad_()
    assert not feature_spread(features).requires_grad
    assert not rank_me(features).requires_grad


@pytest.mark.parametrize(("negatives", "nats"), [(16384, 9.704), (16384 + 512, 9.735)])
def test_the_uniform_loss_is_what_the_paper_starts_from(negatives, nats):
    assert uniform_loss(negatives) == pytest.approx(nats, abs=1e-3)
    logits = torch.zeros(3, 1 + negatives)
    entropy = torch.nn.functional.cross_entropy(logits, torch.zeros(3, dtype=torch.long))
    assert uniform_loss(negatives) == pytest.approx(entropy.item(), abs=1e-4)

"""Features on one scale; what cannot be compared is told in test_knn."""

import numpy as np
import torch

from evaluate.vectors import standardise


def test_the_training_part_gets_mean_0_and_deviation_1_and_the_test_part_its_numbers():
    rng = np.random.default_rng(0)
    train, test = rng.normal(5, 3, (50, 4)), rng.normal(5, 3, (20, 4))
    made, other = standardise(torch.tensor(train), torch.tensor(test))
    np.testing.assert_allclose(made, (train - train.mean(0)) / train.std(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other, (test - train.mean(0)) / train.std(0), rtol=1e-5, atol=1e-6)
    assert made.dtype == other.dtype == torch.float32


def test_what_is_missing_or_constant_becomes_the_mean():
    train = torch.tensor([[1.0, 7.0, 0.1], [3.0, 7.0, 0.1], [np.nan, 7.0, 0.1]], dtype=torch.float64)
    made, other = standardise(train, torch.tensor([[np.nan, 9.0, 0.1]]))
    np.testing.assert_allclose(made, [[-1, 0, 0], [1, 0, 0], [0, 0, 0]], atol=1e-12)
    assert other.tolist() == [[0, 0, 0]]


def test_a_constant_of_single_precision_is_constant():
    train = torch.full((1000, 1), 0.1, dtype=torch.float32)
    assert standardise(train, torch.tensor([[0.2]]))[1].tolist() == [[0]]

"""The benchmark of the evaluator: no slower than scikit-learn at the same accuracy, which `compare` asserts."""

import pytest

from tests.benchmarks import evaluation


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize("task", evaluation.ANSWERS)
def test_an_answer_takes_no_longer_than_scikit_learns(task):
    ours, theirs = evaluation.compare(task, 512, items=13_500)
    assert ours.seconds <= theirs.seconds

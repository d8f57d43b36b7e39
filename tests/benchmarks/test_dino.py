"""The floor of DINO's benchmark: what the loop adds to the parts of a step."""

import pytest
import torch

from tests.benchmarks import dino


@pytest.mark.slow
@pytest.mark.benchmark
def test_the_loop_adds_no_more_than_a_tenth_of_a_step(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _, _, share = dino.loop_overhead(tmp_path, rounds=8, enough=0.1)
    finally:
        torch.set_num_threads(before)
    assert share <= 0.1

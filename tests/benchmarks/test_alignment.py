"""The benchmark of alignment: its floor, not its figures. A ratio of CPU time within one run."""

import pytest
import torch

from tests.benchmarks import alignment


@pytest.mark.slow
@pytest.mark.benchmark
def test_alignment_at_once_costs_no_more_than_a_loop_over_tokens():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        mine, loop = alignment.compare_losses(8)
    finally:
        torch.set_num_threads(before)
    assert mine <= loop

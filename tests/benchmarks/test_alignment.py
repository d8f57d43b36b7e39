"""The benchmark of alignment: its floor, not its figures. A ratio of CPU time within one run."""

import pytest

from tests.benchmarks import alignment


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.usefixtures("one_thread")
def test_alignment_at_once_costs_no_more_than_a_loop_over_tokens():
    mine, loop = alignment.compare_losses(8)
    assert mine <= loop

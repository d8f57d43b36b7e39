"""The benchmark of asking for a range: its floors, not its figures. Ratios of CPU time within one run."""

import pytest

from tests.benchmarks import exchange


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize(("name", "times"), [("header", 1.5), ("block", 1.0)])
def test_asking_for_a_range_costs_no_more_than_by_urllib3(name, times):
    ours, urllib3s = exchange.compare(exchange.LENGTHS[name])
    assert times * ours <= urllib3s

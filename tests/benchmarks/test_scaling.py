"""The benchmark of scaling, small enough for a test: that memory stays within its caches, not its figures."""

import pytest

from tests.benchmarks.scaling import THREADS, measure, quarters, tell

PATCHES = 400
CACHES_MB = 200
"""What the simulated world (176 MB) and the squares that are remembered may still add after a quarter of so short a run."""


def test_quarters_are_means():
    assert quarters([1, 3, 5, 7, 9, 11, 13, 15]) == [2, 6, 10, 14]
    assert quarters([4]) == [0, 0, 0, 4]


@pytest.mark.slow
@pytest.mark.parametrize("way", [THREADS, "local:2"])
def test_a_build_takes_no_more_memory_than_its_caches_as_it_goes_on(tmp_path, way):
    if way != THREADS:
        pytest.importorskip("distributed")
    run = measure(tmp_path / "cat", way, PATCHES)
    assert run.patches == PATCHES
    for resident in (run.keeper_mb, run.worker_mb):
        assert resident[-1] - resident[1] < CACHES_MB
    assert all(0 < megabytes < 600 for megabytes in run.keeper_mb)
    assert (max(run.worker_mb) > 0) == (way != THREADS)
    assert way in tell(run)

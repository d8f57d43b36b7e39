"""The benchmark of a large catalog, small enough for a test: its answers."""

import pytest

from tests.benchmarks.million_catalog import steps

COUNT = 20_016
"""Enough for two files of the index."""
MOST_GB = 0.9


@pytest.mark.slow
def test_every_step_gives_its_answer_in_bounded_memory(tmp_path):
    for name, (result, *_, memory), expected in steps(tmp_path / "large", COUNT, sample=3):
        assert result == expected, name
        assert memory < MOST_GB, name

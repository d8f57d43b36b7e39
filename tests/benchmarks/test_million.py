"""The benchmark of the index, small enough for a test: its floors, not its figures."""

import pytest

from tests.benchmarks.million import (
    SENSOR,
    filter_ours,
    filter_theirs,
    locations_ours,
    locations_theirs,
    measured,
    merge_ours,
    write_ours,
    write_theirs,
)

COUNT = 30_000


@pytest.mark.slow
@pytest.mark.benchmark
def test_an_index_is_written_in_less_time_and_bounded_memory(tmp_path):
    ours, theirs = measured(write_ours, tmp_path / "ours", COUNT), measured(write_theirs, tmp_path / "theirs.parquet", COUNT)
    assert ours[0] == theirs[0] == COUNT
    assert ours[1] < theirs[1]
    assert ours[2] < min(theirs[2], 1.0)
    assert filter_ours(tmp_path / "ours") == filter_theirs(tmp_path / "theirs.parquet") != []
    index = tmp_path / "ours" / SENSOR.id / "items.parquet"
    assert locations_ours(tmp_path / "ours") == locations_theirs(index)
    assert measured(merge_ours, tmp_path / "ours")[2] < 1.0

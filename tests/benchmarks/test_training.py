"""The benchmarks of feeding a trainer: their floors, not their figures. Ratios of CPU time within one run."""

import pytest

from tests.benchmarks import training, views


@pytest.fixture(scope="module")
def france(tmp_path_factory):
    return training.build(tmp_path_factory.mktemp("benchmark") / "france")


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_pack_is_read_fifty_times_and_rasters_three_times_as_fast_as_a_file_per_band(france, tmp_path, one_thread):
    for name, costs in training.measure_reading(france, tmp_path / "released").items():
        assert costs["a"] >= 50 * costs["c"], name
        assert costs["a"] >= 3 * costs["b"], name


@pytest.mark.slow
@pytest.mark.benchmark
def test_training_from_a_pack_waits_for_data_less_than_a_twentieth_of_the_time(france, tmp_path):
    assert training.measure_waiting(france, tmp_path, pack=True)["wait_percent"] < 5


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("size_px", [96, 224])
def test_a_view_costs_no_more_than_pillows(size_px, full, one_thread):
    ours, pillows, _, _ = views.compare(size_px, full=full)
    assert ours <= pillows

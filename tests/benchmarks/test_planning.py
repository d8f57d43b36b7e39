"""The benchmark of planning, small enough for a test: how it grows, not how fast it is."""

import pytest

from tests.benchmarks.planning import plan, prepare

AREA = "1.6,43.3,3.6,44.6"
FEW, FOUR_TIMES = 150, 600


@pytest.mark.slow
def test_a_plan_grows_no_faster_than_its_locations_and_its_memory_hardly(tmp_path):
    for count in (FEW, FOUR_TIMES):
        prepare(tmp_path / str(count), AREA, count)
    few, many = plan(tmp_path / str(FEW)), plan(tmp_path / str(FOUR_TIMES))
    assert many.squares == pytest.approx(few.squares, abs=3)
    assert many.cpu_s < 4 * few.cpu_s
    assert many.peak_gb < few.peak_gb + 0.1
    assert few.patches == pytest.approx(4 * FEW, rel=0.02)
    assert many.patches == pytest.approx(4 * FOUR_TIMES, rel=0.02)
    assert many.gigabytes < 4 * few.gigabytes  # neighbours share blocks

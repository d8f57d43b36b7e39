"""What `make demo` found: training helps, clearly, on squares that it has not seen."""

import pytest

from evaluate.result import read_result
from tests.conftest import ROOT

FOUND = ROOT / "runs" / "demo" / "knn.json"


@pytest.mark.slow
def test_the_weights_of_the_demo_are_better_than_random_ones_and_than_band_statistics_beyond_doubt():
    if not FOUND.exists():
        pytest.skip("make demo has not run here: it writes runs/demo/knn.json")
    result = read_result(FOUND)
    scores = {score.name: score for score in result.scores}
    trained = scores.pop("runs/demo")
    assert set(scores) == {"band statistics", "random:resnet10t"}
    assert trained.interval is not None
    for other in scores.values():
        assert other.interval is not None
        assert trained.interval[0] > other.interval[1], f"{trained} is not clearly better than {other}"

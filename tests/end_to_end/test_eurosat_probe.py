"""A check of the harness on all of EuroSAT: what a logistic regression reads from mean and standard deviation alone."""

import json

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from evaluate.baselines import band_statistics
from evaluate.bench import open_bench
from evaluate.cli import main as evaluate
from evaluate.settings import Settings
from tests.end_to_end.commands import curate


@pytest.mark.slow
def test_a_linear_probe_of_band_statistics_scores_what_scikit_learn_scores(shared_data, tmp_path, capsys):
    archive = shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    catalog = tmp_path / "eurosat"
    assert curate("convert", "eurosat", archive, "--out", catalog, "--quiet") == 0
    capsys.readouterr()
    with pytest.raises(SystemExit, match="0"):
        evaluate(["linear", "--catalog", str(catalog), "--baselines", "--fraction", "0.01,1", "--json", "--quiet"])
    found = json.loads(capsys.readouterr().out)
    assert found["train_items"] + found["test_items"] == 27_000
    few, whole = found["scores"]
    assert whole["value"] == pytest.approx(score_of_scikit_learn(str(catalog), whole["details"]["trials"]["c"][0]), abs=0.001)
    assert few["value"] < whole["value"]
    assert all(whole["details"]["trials"]["converged"])


def score_of_scikit_learn(catalog, c):
    """The same question, the same items, the same regularisation."""
    bench = open_bench(catalog, Settings())
    train, test = bench.task.train, bench.task.test
    scaler = StandardScaler().fit(taught := band_statistics(bench.stack, train.items))
    model = LogisticRegression(C=c, tol=1e-6, max_iter=5000).fit(scaler.transform(taught), train.labels)
    return model.score(scaler.transform(band_statistics(bench.stack, test.items)), test.labels)

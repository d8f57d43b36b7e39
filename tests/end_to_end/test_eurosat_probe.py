"""A check of the harness on all of EuroSAT: what a logistic regression reads from mean and standard deviation alone."""

import json

import pytest

from evaluate.cli import main as evaluate
from tests.end_to_end.commands import curate


@pytest.mark.slow
def test_band_statistics_of_eurosat_are_worth_two_in_three(shared_data, tmp_path, capsys):
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
    assert 0.645 < whole["value"] < 0.685
    assert 0.55 < few["value"] < whole["value"]
    assert all(whole["details"]["trials"]["converged"])

"""EuroSAT as real input without its labels: converted, trained on with MoCo-v2, scored. No figure is claimed."""

import json

import pytest

from evaluate.cli import main as evaluate
from tests.end_to_end.commands import curate
from train.cli import main as train


def run(command, *words):
    with pytest.raises(SystemExit) as ended:
        command([str(word) for word in words])
    return ended.value.code or 0


@pytest.mark.slow
def test_moco_trains_on_the_images_and_its_weights_are_scored(shared_data, tmp_path, capsys):
    archive = shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    catalog, weights = tmp_path / "eurosat", tmp_path / "run"
    assert curate("convert", "eurosat", archive, "--out", catalog, "--limit", 300, "--quiet") == 0
    words = ("--catalog", catalog, "--backbone", "resnet10t", "--size-px", 64, "--scaling", "native", "--batch-size", 32)
    assert run(train, "moco", *words, "--epochs", 1, "--device", "cpu", "--out", weights, "--quiet") == 0
    spec = json.loads((weights / "weights" / "config.json").read_text())["seastars"]["input"]
    assert (spec["bands"], spec["low"], spec["high"]) == (["B04", "B03", "B02"], [0.0] * 3, [1.0] * 3)
    capsys.readouterr()
    assert run(evaluate, "knn", "--catalog", catalog, "--weights", weights, "--json", "--quiet") == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [score["name"] for score in scores] == ["band statistics", "random:resnet10t", str(weights)]
    assert all(0 <= score["value"] <= 1 for score in scores)

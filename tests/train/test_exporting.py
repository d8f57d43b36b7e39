"""From a run to its weights: at the end, and from its last checkpoint."""

import json

import pytest
import timm
import torch

from tests.train.trainings import BACKBONE, prepare_tiny, runtime, tiny_catalog
from train.cli import main
from train.errors import CheckpointError
from train.exporting import export_checkpoint, export_run
from train.loop import fit
from train.weights import load_backbone


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exporting")
    catalog = tiny_catalog(folder / "tiny")
    training = prepare_tiny(catalog, folder / "run", epochs=1)
    outcome = fit(training, folder / "run", runtime())
    export_run(folder / "run", training.record, outcome.backbone, step=outcome.steps)
    return folder / "run"


def test_the_last_checkpoint_exports_what_the_end_of_the_run_did(run):
    folder = export_checkpoint(run, out=run / "again")
    for name in ("model.safetensors", "config.json", "README.md", "item.json"):
        assert (folder / name).read_bytes() == (run / "weights" / name).read_bytes()


def test_timm_opens_the_weights_of_a_run(run):
    module = timm.create_model(f"local-dir:{run / 'weights'}", pretrained=True).eval()
    loaded = load_backbone(run).module.eval()
    images = torch.rand(2, 2, 32, 32)
    assert module(images).equal(loaded(images))


def test_the_weights_say_where_they_come_from(run):
    told = json.loads((run / "weights" / "config.json").read_text())["seastars"]
    record = json.loads((run / "config.json").read_text())
    text = json.dumps(told)
    assert record["index_hash"] in text
    assert '"B04"' in text
    card = (run / "weights" / "README.md").read_text()
    assert "seco" in card
    assert BACKBONE in card


def test_a_run_without_a_checkpoint_has_nothing_to_export(tmp_path):
    prepare_tiny(tiny_catalog(tmp_path / "tiny"), tmp_path / "run")
    with pytest.raises(
        CheckpointError, match=r"has no checkpoint yet, so there is nothing to export\. To train on: train resume"
    ):
        export_checkpoint(tmp_path / "run")


def test_a_folder_that_is_no_run_is_refused_by_the_command(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path)])
    assert end.value.code == 2
    assert "holds no run: it has no config.json" in capsys.readouterr().err

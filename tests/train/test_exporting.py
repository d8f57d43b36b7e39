"""From a run to its weights: at the end, and from its last checkpoint."""

import json

import pytest
import timm
import torch

from tests.train.trainings import BACKBONE, prepare_tiny, runtime, tiny_catalog
from train.checkpoint import list_checkpoints, read_state
from train.cli import main
from train.errors import CheckpointError, ConfigError
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


@pytest.mark.parametrize(("recipe", "prefix"), [("seco", "teacher.encoder.backbone."), ("dino", "teacher.backbone.")])
def test_the_teacher_of_either_family_is_exported_beside_the_student(recipe, prefix, run, tmp_path):
    folder = run
    if recipe != "seco":
        training = prepare_tiny(tiny_catalog(tmp_path / "tiny"), tmp_path / "run", recipe=recipe, epochs=2)
        outcome = fit(training, tmp_path / "run", runtime())
        folder = tmp_path / "run"
        export_run(folder, training.record, outcome.backbone, step=outcome.steps)
    before = load_backbone(folder).identity
    teacher = load_backbone(export_checkpoint(folder, part="teacher"))
    kept = read_state(list_checkpoints(folder)[-1])["method"]
    own = {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
    assert own.keys() == teacher.module.state_dict().keys()
    assert all(value.equal(own[name]) for name, value in teacher.module.state_dict().items())
    assert teacher.identity != before
    assert load_backbone(folder).identity == before
    assert teacher.name == str(folder / "weights-teacher")


def test_an_export_says_which_part_it_is(run, capsys):
    with pytest.raises(SystemExit) as end:
        main(["export", str(run), "--part", "teacher", "--json"])
    assert end.value.code == 0
    folder = run / "weights-teacher"
    assert json.loads(capsys.readouterr().out) == {"weights": str(folder)}
    cards = [(each / "README.md").read_text() for each in (run / "weights", folder)]
    assert "| part | student, whose weights the optimizer moved |" in cards[0]
    assert "| part | teacher, the running mean of the student's weights; figures below are of the student |" in cards[1]
    told = [json.loads((each / "config.json").read_text())["seastars"]["provenance"] for each in (run / "weights", folder)]
    assert [each["part"] for each in told] == ["student", "teacher"]
    assert told[1]["name"] == f"{told[0]['name']}-teacher"


def test_another_part_is_refused(run):
    with pytest.raises(ConfigError, match=r"Unknown part 'techer'\. Choose from: student, teacher\. Did you mean 'teacher'\?"):
        export_checkpoint(run, part="techer")


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

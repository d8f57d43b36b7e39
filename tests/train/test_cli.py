"""The `train` command from outside: its help, its recipes, what it plans, and what it refuses."""

import json
from dataclasses import fields, replace

import pytest

from tests.test_cli import HEAVY, start
from tests.train.trainings import prepare_tiny, tiny_catalog
from train import cli
from train.checkpoint import load_backbone
from train.cli.flags import AlignmentFlags, ContrastFlags, DistillationFlags
from train.cli.training import go_on
from train.config import TrainConfig, from_json
from train.errors import ConfigError
from train.methods import METHODS
from train.recipes import RECIPES

FLAGS = {**dict.fromkeys(("moco", "moco-tp", "seco"), ContrastFlags), "x-stars": AlignmentFlags}
SMALL = {"--bands": "B04,B08", "--backbone": "test_resnet", "--size-px": 32, "--batch-size": 4, "--device": "cpu"}


def small(*words):
    """Flags of a small training, but for those that are given."""
    return [*words, *(part for flag, value in SMALL.items() if flag not in words for part in (flag, value))]


def run(*words):
    """Run `train` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return tiny_catalog(tmp_path_factory.mktemp("catalog") / "tiny", seasons=2, count=9)


@pytest.mark.parametrize("words", [("--help",), ("-h",), ()])
def test_help_lists_every_command_without_loading_it(words):
    code, output, modules = start("train", *words)
    assert code == 0
    for name, line in cli.COMMANDS.items():
        assert f" {name} " in output
        assert " ".join(line.split()[:3]) in output
    assert "train seco --catalog data/demo" in output
    assert modules & HEAVY == set()
    assert {"numpy", "pyarrow"} & modules == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_help_of_a_command_shows_an_example_and_loads_nothing_heavy(name):
    code, output, modules = start("train", name, "--help")
    assert code == 0
    assert f"train {name}" in output.split("Usage:")[1].split("\n", 1)[1], "no example below the usage line"
    assert modules & HEAVY == set()
    assert {"numpy", "pyarrow"} & modules == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_option_of_a_command_is_explained(name):
    arguments = cli.make_app([name])[name].assemble_argument_collection(parse_docstring=True)
    named = {argument.name: argument.parameter.help for argument in arguments if argument.name != "*"}
    assert named
    assert [option for option, line in named.items() if not line] == []
    if name in METHODS:
        assert len(named) == len(fields(FLAGS.get(name, DistillationFlags)))


def test_an_option_that_is_misspelt_is_answered_with_the_one_that_was_meant(capsys):
    assert run("seco", "--catalog", "x", "--batchsize", "3") == 2
    assert capsys.readouterr() == ("", "Unknown option: --batchsize. Did you mean --batch-size?\n")


def test_a_catalog_must_be_named(capsys):
    assert run("seco") == 2
    assert "--catalog" in capsys.readouterr().err


def test_the_recipes_are_listed_with_what_each_reproduces(capsys):
    assert run("recipes") == 0
    output, words = capsys.readouterr()
    assert words == ""
    for name, make in RECIPES.items():
        assert f"{name} " in output
        assert make.__doc__.splitlines()[0] in output
    assert "seco         train seco, its default\n" in output
    assert "seco_2021    train seco\n" in output


def test_the_recipes_as_json_are_the_configurations(capsys):
    assert run("recipes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: from_json(TrainConfig, content) for name, content in told.items()} == {
        name: make() for name, make in RECIPES.items()
    }


def test_a_dry_run_says_what_would_be_trained_on_what_and_writes_nothing(catalog, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("moco-tp", "--catalog", catalog, "--out", out, "--dry-run", "--json", *small("--epochs", 3)) == 0
    output, words = capsys.readouterr()
    plan = json.loads(output)
    assert (plan["locations"], plan["queue"]) == (9, 4)
    config = from_json(TrainConfig, plan["config"])
    assert (config.sensor, config.bands, config.method) == ("sentinel-2-l2a", ("B04", "B08"), "moco-tp")
    assert words.startswith(
        "moco-tp with test_resnet on 9 locations of sentinel-2-l2a: 2 bands, views of 32 px, batches of 4, 6 steps, "
        "4 keys in the queue.\n"
    )
    assert "   B04" in words
    assert not out.exists()


def test_dino_trains_exports_and_says_which_crops_it_took(catalog, tmp_path, capsys):
    small_vit = ("--backbone", "test_vit", "--bands", "B04,B08", "--size-px", "32", "--batch-size", "4", "--device", "cpu")
    head = ("--out-dim", "64", "--head-hidden", "32", "--bottleneck", "16", "--local-sizes", "30,16")
    out = tmp_path / "run"
    words = ("--epochs", "2", "--warmup-epochs", "1", "--workers", "0", "--out", out, "--json")
    assert run("dino-mc", "--catalog", catalog, *small_vit, *head, *words) == 0
    output, told = capsys.readouterr()
    result = json.loads(output)
    assert result["steps"] == 4
    assert {"distillation", "teacher_entropy", "teacher_kl", "spread", "rank"} <= result["figures"].keys()
    assert (
        "dino-mc with test_vit on 9 locations of sentinel-2-l2a: 2 bands, views of 32 and 16 px, batches of 4, 4 steps." in told
    )
    assert (
        "Local crops are drawn at multiples of the 16 px patches of test_vit, so that no border is lost: 30 to 16 px." in told
    )
    loaded = load_backbone(out, size_px=32)
    assert (loaded.spec.bands, loaded.spec.size_px) == (("B04", "B08"), 32)
    assert run("dino-mc", "--catalog", catalog, *small_vit, *head, "--ema-momentum", "0.5", *words) == 2
    assert "distillation.ema_momentum 0.9995; asked for is 0.5" in capsys.readouterr().err


def test_a_flag_of_the_other_family_is_unknown(capsys):
    assert run("dino", "--catalog", "x", "--queue", "3") == 2
    assert "Unknown option: --queue" in capsys.readouterr().err
    assert run("seco", "--catalog", "x", "--out-dim", "3") == 2
    assert "Unknown option: --out-dim" in capsys.readouterr().err


def test_quiet_leaves_nothing_but_the_result(catalog, capsys):
    assert run("moco", "--catalog", catalog, "--dry-run", "--quiet", *small()) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("method", "words", "message"),
    [
        ("seco", (), "No location has the 3 dates that this method needs: 9 locations have 2 dates. Build more seasons"),
        ("moco", ("--bands", "B04,B99"), "B99"),
        (
            "moco",
            ("--batch-size", "16"),
            "A batch of 16 locations is larger than the data: 9 to train on. Choose --batch-size 4",
        ),
        ("moco", ("--queue", "6"), "A queue of 6 keys is no multiple of the batch of 4 locations"),
        ("moco", ("--queue", "8"), "A queue of 8 keys holds more than half of the 9 training locations"),
        ("moco", ("--sensor", "landsat-c2-l2"), "landsat-c2-l2"),
        ("dino", ("--epochs", "3", "--warmup-epochs", "4"), "4 epochs takes 8 steps, and the whole training has 6."),
        ("moco", ("--recipe", "sec"), "Unknown recipe of moco 'sec'. Choose from: moco."),
        ("moco", ("--device", "tpu"), "Unknown device 'tpu'. Choose from: auto, cpu, cuda."),
    ],
)
def test_what_cannot_be_trained_is_a_sentence_and_exit_code_2(catalog, tmp_path, capsys, method, words, message):
    assert run(method, "--catalog", catalog, "--out", tmp_path / "run", *small(*words)) == 2
    output, told = capsys.readouterr()
    assert output == ""
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_keeps_what_it_says_of_its_beginning(catalog, tmp_path):
    training = prepare_tiny(catalog, tmp_path, "moco")
    known = replace(training.record, catalog="where/it/was", versions={"torch": "1.7.1"}, git_commit="c" * 40)
    record = go_on(training, tmp_path, known).record
    assert (record.versions, record.git_commit) == (known.versions, known.git_commit)
    assert record.catalog == str(catalog), "the catalog may have moved"
    with pytest.raises(ConfigError, match="holds a run with seed 4; asked for is 3"):
        go_on(training, tmp_path, replace(known, config=replace(known.config, seed=4)))


def test_a_catalog_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert run("moco", "--catalog", tmp_path / "absent", "--out", tmp_path / "run") == 2
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("resume", "RUN"), ("export", "RUN")])
def test_a_folder_without_a_run_is_a_sentence(tmp_path, capsys, words):
    assert run(*(str(tmp_path) if word == "RUN" else word for word in words)) == 2
    assert "holds no run: it has no config.json" in capsys.readouterr().err

"""The flags of `curate plan` and `curate build`: one home, and all that is given arrives."""

from dataclasses import fields
from datetime import date

import pytest

from curate import cli
from curate.build_request import BuildRequest
from curate.cli.flags import BuildFlags
from curate.cli.planning import FLAGS

VERBS = ("plan", "build")
WRONG = [
    ("--sorce", "x"), ("--sensor",), ("--start", "2023-13-01"), ("--max-cloud", "ten"), ("--radiometry", "stric"),
    ("--items", "jsn"), ("--no-retry-failed",), ("--flags", "x"), ("--flags.source", "x"), ("--empty-sensor",), ("--part", "3"),
]  # fmt: skip
GIVEN = (
    "--source", "simulated", "--sensor", "sentinel-2-l2a", "--sensor", "landsat-c2-l2", "--bands", "B02, B03", "--seasons", "2",
    "--start", "2023-01-01", "--end", "2024-01-01", "--window-days", "60", "--max-cloud", "30", "--max-scene-cloud", "90",
    "--max-delta-days", "20", "--radiometry", "keep", "--items", "parquet",
)  # fmt: skip


def arguments(verb):
    """Those of a command, by name."""
    found = cli.make_app([verb])[verb].assemble_argument_collection(parse_docstring=True)
    return {argument.name: argument for argument in found}


def parse(verb, *words):
    """The flags that a command is called with."""
    _, bound, _ = cli.make_app([verb]).parse_args([verb, "folder", *words], print_error=False, exit_on_error=False)
    return bound.arguments.get("flags", BuildFlags())


def test_what_is_built_is_said_in_the_same_words_by_both_commands():
    plan, build = map(arguments, VERBS)
    for name in (f"--{field.name.replace('_', '-')}" for field in fields(BuildFlags)):
        mine, other = plan[name].parameter, build[name].parameter
        assert mine.help == other.help
        assert not any("\n" in quoted for quoted in mine.help.split("`")[1::2]), "a break within code is shown as spaces"
        assert not plan[name].required


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_mistake_is_answered_alike_by_both_commands(words, capsys):
    told = []
    for verb in VERBS:
        with pytest.raises(SystemExit) as end:
            cli.main([verb, "folder", *words])
        assert end.value.code == 2
        told.append(capsys.readouterr().err.replace(f'Command "{verb}"', "Command"))
    assert told[0] == told[1]
    assert told[0]


@pytest.mark.parametrize("verb", VERBS)
def test_all_that_is_asked_of_a_build_arrives(verb):
    flags = parse(verb, *GIVEN, "--part", "1/2", "--retry-failed")
    assert flags.request() == BuildRequest(
        source="simulated",
        sensors=("sentinel-2-l2a", "landsat-c2-l2"),
        bands=["B02", "B03"],
        seasons="2",
        start=date(2023, 1, 1),
        end=date(2024, 1, 1),
        window_days=60,
        max_cloud=30.0,
        max_scene_cloud=90.0,
        max_delta_days=20.0,
        items="parquet",
        radiometry="keep",
    )
    assert (flags.part, flags.retry_failed) == ("1/2", True)


def test_nothing_given_asks_for_nothing():
    assert parse("build").request() == BuildRequest()
    assert (BuildFlags().part, BuildFlags().retry_failed) == (None, False)


def test_what_a_plan_repeats_of_a_recipe_are_flags_of_the_build():
    assert {*FLAGS, "sensor", "bands", "part", "retry_failed"} == {field.name for field in fields(BuildFlags)}

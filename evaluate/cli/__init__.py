"""The `evaluate` command, which so far can only say that there is no evaluator yet."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, Parameter

app = App(
    name="evaluate",
    version=lambda: version("seastars"),
    help="Score weights on a labelled catalog. Not part of this version: what works now is `curate`.",
)


@app.default
def refuse(*words: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:  # noqa: ARG001
    """Say that there is no evaluator yet, whatever was asked of it."""
    sys.stderr.write("The evaluator is not part of this version of seastars. What works now is curate: see curate --help.\n")
    return 2


def main(argv: Sequence[str] | None = None) -> None:
    """Run `evaluate` and leave the process with its exit code."""
    app(sys.argv[1:] if argv is None else argv)

"""The `train` command, which so far can only say that there is no trainer yet."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, Parameter

app = App(
    name="train",
    version=lambda: version("seastars"),
    help="Pre-train backbones on a catalog. Not part of this version: what works now is `curate`.",
)


@app.default
def refuse(*words: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:  # noqa: ARG001
    """Say that there is no trainer yet, whatever was asked of it."""
    sys.stderr.write("The trainer is not part of this version of seastars. What works now is curate: see curate --help.\n")
    return 2


def main(argv: Sequence[str] | None = None) -> None:
    """Run `train` and leave the process with its exit code."""
    app(sys.argv[1:] if argv is None else argv)

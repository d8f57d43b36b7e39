"""The `evaluate` command: its verbs. How a failure becomes a sentence and an exit code is in `catalogs.command`."""

from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from catalogs.command import APP_OPTIONS, add_commands, run_command

COMMANDS = {
    "knn": "Score weights on a labelled catalog by their nearest neighbours.",
    "linear": "Score weights on a labelled catalog by a linear probe, with all or some of the labels.",
    "finetune": "Score weights on a labelled catalog by fine-tuning them, with all or some of the labels.",
    "segment": "Score weights on a catalog with label rasters by a head that names every pixel.",
    "change": "Score weights on a catalog of pairs by a decoder that finds what changed.",
    "baselines": "Score what needs no training: statistics, histograms, raw pixels, random convolutions and random weights.",
    "leakage": "Measure how much of a labelled catalog's ground was in a pre-training catalog.",
    "compare": "Show results side by side with their intervals, as a table and as a page.",
}
"""What `evaluate --help` says of each command; `evaluate.cli.<name>` has a function of that name, loaded when it is called."""

HELP = r"""Score weights on a labelled catalog, beside what needs no training at all.

Results go to standard output, words and progress to standard error.

    evaluate knn --catalog data/demo --weights random:resnet18 \
        --weights runs/demo
    evaluate linear --catalog data/demo --weights runs/demo \
        --fraction 0.01,0.1,1
    evaluate baselines --catalog data/demo --backbone resnet18
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `evaluate` and leave the process with its exit code.

    Args:
        argv: Words after `evaluate`; those of the process where none are given.

    Raises:
        SystemExit: Always, with the code.
    """
    run_command(
        lambda words: make_app(words)(words),
        argv,
        usage=CycloptsError,
        interrupted="Interrupted. Nothing was written: run the same command again.",
    )


def make_app(words: Sequence[str]) -> App:
    """Put the command line together; see `add_commands`."""
    app = App(
        name="evaluate",
        help=HELP,
        version=lambda: version("seastars"),
        default_parameter=Parameter(negative=()),
        **APP_OPTIONS,
    )
    made: App = add_commands(app, "evaluate", COMMANDS, words)
    return made

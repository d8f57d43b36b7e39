"""The `train` command: its verbs. How a failure becomes a sentence and an exit code is in `catalogs.command`."""

from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from catalogs.command import APP_OPTIONS, add_commands, run_command

COMMANDS = {
    "seco": "Pre-train with SeCo: three subspaces, of season and augmentation.",
    "moco": "Pre-train with MoCo-v2: two views of one date.",
    "moco-tp": "Pre-train with MoCo-v2 and temporal positives: two views of two dates.",
    "dino": "Pre-train with DINO: a student follows its teacher from small crops to large ones.",
    "dino-mc": "Pre-train with DINO-MC: DINO with small crops of six sizes.",
    "dino-tp": "Pre-train with DINO-TP: DINO-MC with large crops of three dates.",
    "x-stars": "Pre-train with X-STARS: DINO on several sensors, whose tokens of one ground find each other.",
    "resume": "Go on exactly where a run stopped.",
    "export": "Write the weights of a run so that others can load them.",
    "recipes": "List the recipes and what each reproduces.",
}
"""What `train --help` says of each command; `train.cli.<name>` has a function of that name, loaded when it is called."""

HELP = r"""Pre-train backbones on a catalog, from the catalog as curate wrote it.

Results go to standard output, words and progress to standard error. Running a command again goes on with the same run.

    train seco --catalog data/demo --backbone resnet18 --size-px 48 \
        --batch-size 64 --epochs 2 --out runs/demo
    torchrun --nproc-per-node 8 -m train seco --catalog data/france
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run `train` and leave the process with its exit code.

    Args:
        argv: Words after `train`; those of the process where none are given.

    Raises:
        SystemExit: Always, with the code.
    """
    run_command(
        lambda words: make_app(words)(words),
        argv,
        usage=CycloptsError,
        interrupted="Interrupted before the step ended: train resume goes on from the last checkpoint.",
    )


def make_app(words: Sequence[str]) -> App:
    """Put the command line together; see `add_commands`."""
    app = App(
        name="train",
        help=HELP,
        version=lambda: version("seastars"),
        default_parameter=Parameter(negative=()),
        **APP_OPTIONS,
    )
    made: App = add_commands(app, "train", COMMANDS, words)
    return made

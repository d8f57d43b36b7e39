"""`evaluate linear`: what weights are worth, by a linear probe."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from evaluate.settings import LinearSettings, Settings

DEFAULTS = Settings()


def linear(
    *,
    catalog: str,
    weights: list[str] | None = None,
    no_baselines: bool = False,
    fraction: list[str] | None = None,
    repeats: int = 1,
    solver: str = "lbfgs",
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Score weights on a labelled catalog by a linear probe: a logistic regression on features that stay as they are.

    Items of the catalog's training locations teach, those of its test locations (of `val`, where none is in `test`) are asked
    about. The regularisation is chosen on `val`, or on a fifth of the training locations where the catalog has no other `val`.
    Intervals are bootstraps over test locations, 95 %; chance is to always answer the most common class. Where items have
    several labels, the figure is micro average precision, and chance is to rank labels by how common they are.

        evaluate linear --catalog data/demo --weights random:resnet18 \
            --weights runs/demo --fraction 0.1,1

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        weights: An export, a run, a published checkpoint, `timm:NAME` or `random:NAME`; repeat it to see several side
            by side, or join seeds of one training by commas: `runs/a-seed0,runs/a-seed1` get one score together.
        no_baselines: Leave out band statistics, and random weights of each backbone fed as it is, which are scored first.
        fraction: Shares of the training labels to teach with, such as `0.01,0.1,1`, each drawn per class (per item, where items
            have several labels) without replacement; all labels where left out.
        repeats: How many times each share below 1 is drawn, or with `seco` and `dino` any share is taught, with seeds `--seed`,
            `--seed` + 1, ...; a score is the mean.
        solver: `lbfgs` fits to the end and chooses the regularisation; `seco` (Adam 0.001, a tenth at 60 and 80 epochs) and
            `dino` (SGD, cosine) descend for 100 epochs in batches of 32, as those released codes do, on features as they are.
        settings: What is asked, and how features are computed.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_settings, split_shares
    from evaluate.linear_protocol import run_linear

    shares = split_shares(fraction)
    chosen = split_settings(LinearSettings(**asdict(settings), fraction=shares, repeats=repeats, solver=solver))
    run = partial(run_linear, catalog, weights or (), chosen, baselines=not no_baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

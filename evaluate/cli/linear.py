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
    baselines: bool = False,
    fraction: list[str] | None = None,
    repeats: int = 1,
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Score weights on a labelled catalog by a linear probe: a logistic regression on features that stay as they are.

    Items of the catalog's training locations teach, those of its test locations (of `val`, where none is in `test`) are asked
    about. The regularisation is chosen on `val`, or on a fifth of the training locations where the catalog has no other `val`.
    Intervals are bootstraps over test locations, 95 %; chance is to always answer the most common class.

        evaluate linear --catalog data/demo --weights random:resnet18 --weights runs/demo --baselines --fraction 0.1,1

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        weights: An export's folder, a run's folder, `timm:NAME` or `random:NAME`; repeat it to see several side by side.
        baselines: Score band statistics too.
        fraction: Shares of the training labels to teach with, such as `0.01,0.1,1`, each drawn per class without replacement;
            all labels where left out.
        repeats: How many times each share below 1 is drawn, with seeds `--seed`, `--seed` + 1, ...; a score is the mean.
        settings: What is asked, and how features are computed.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score, split_shares, with_names
    from evaluate.linear_protocol import run_linear

    shares = split_shares(fraction or ["1"])
    chosen = LinearSettings(**asdict(with_names(settings)), fraction=shares, repeats=repeats)
    run = partial(run_linear, catalog, weights or (), chosen, statistics=baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

"""`evaluate finetune`: what weights are worth as a start, by fine-tuning them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from evaluate.settings import FinetuneSettings, TrainingSettings

DEFAULTS = TrainingSettings()


def finetune(
    *,
    catalog: str,
    weights: list[str],
    no_baselines: bool = False,
    fraction: list[str] | None = None,
    repeats: int = 1,
    settings: Annotated[TrainingSettings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Score weights on a labelled catalog by fine-tuning: all of them are moved, with a new linear head on their features.

    Items of the catalog's training locations teach, those of its test locations (of `val`, where none is in `test`) are asked
    about, once. The epoch whose weights answer is chosen on `val`, or on a fifth of the training locations where the catalog
    has no other `val`. Random weights of the same backbones are fine-tuned beside. Intervals are bootstraps over test
    locations, 95 %; chance is to always answer the most common class. The weights themselves stay as they are.

        evaluate finetune --catalog data/demo --weights runs/demo --fraction 0.1,1

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        weights: An export, a run, a published checkpoint, `timm:NAME` or `random:NAME`; repeat it to see several side
            by side, or join seeds of one training by commas: `runs/a-seed0,runs/a-seed1` get one score together.
        no_baselines: Leave out random weights of each backbone fed as it is, which are fine-tuned first.
        fraction: Shares of the training labels to teach with, such as `0.01,0.1,1`, each drawn per class without replacement;
            all labels where left out.
        repeats: How many times each share is drawn and fine-tuned with, with seeds `--seed`, `--seed` + 1, ...; a score is the
            mean.
        settings: What is asked, and how long and how fast weights are moved.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_settings, split_shares
    from evaluate.finetune import run_finetune

    shares = split_shares(fraction)
    chosen = split_settings(FinetuneSettings(**asdict(settings), fraction=shares, repeats=repeats))
    run = partial(run_finetune, catalog, weights, chosen, baselines=not no_baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

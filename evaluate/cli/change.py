"""`evaluate change`: what weights are worth for finding what changed between two dates."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from evaluate.dense_settings import ChangeSettings
from evaluate.settings import Settings

DEFAULTS = Settings()
CHANGE = ChangeSettings()


def change(
    *,
    catalog: str,
    weights: list[str] | None = None,
    no_baselines: bool = False,
    protocol: Literal["corrected", "seco"] = CHANGE.protocol,
    fraction: list[str] | None = None,
    repeats: int = CHANGE.repeats,
    lr: list[str] | None = None,
    epochs: int | None = None,
    min_steps: int = CHANGE.min_steps,
    samples_per_step: int | None = None,
    keep_gb: float = CHANGE.keep_gb,
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Score weights on a catalog of pairs with change rasters: a decoder learns from how the feature maps of two dates differ.

    Pairs of the catalog's training locations teach, those of its test locations (of `val`, where none is in `test`) are asked
    about. The score is F1 of the pixels that changed. `--protocol corrected` scores all tested pixels at once and chooses
    learning rate, epoch and threshold on `val`, or on a fifth of the training locations where the catalog has no other `val`.
    `--protocol seco` repeats SeCo's released code on OSCD: 100 epochs, no choice, and means over shuffled batches; its
    scores are not to be compared with the others, and have neither intervals nor differences. Intervals are bootstraps over
    test locations, 95 %; chance is to answer `changed` everywhere. Change vector analysis, and random weights of the same
    backbones, are scored too.

        evaluate change --catalog data/demo --weights random:resnet18 \
            --weights runs/demo

    Args:
        catalog: The folder of a catalog of pairs, the later one with a label raster `change`, or its `http(s)://` or `s3://`
            address.
        weights: An export, a run, a published checkpoint, `timm:NAME` or `random:NAME`; repeat it to see several side
            by side, or join seeds of one training by commas: `runs/a-seed0,runs/a-seed1` get one score together.
        no_baselines: Score the weights alone.
        protocol: `corrected`, or `seco` for what SeCo's released code does.
        fraction: Shares of the training locations to teach with, such as `0.01,0.1,1`, drawn without replacement; all where
            left out.
        repeats: How many times a decoder is taught with each share, with seeds `--seed`, `--seed` + 1, ... of the draw, the
            first weights and the order; a score is the mean.
        lr: Learning rates to try, 0.001 where left out; the best on held-out locations counts. `--protocol seco` takes one.
        epochs: Times that a decoder sees every pair: 30, of which the best one on held-out locations counts, or 100 of
            `--protocol seco`, of which the last one counts, where left out.
        min_steps: Steps that a decoder takes at least: where few pairs teach, an epoch has several passes over them. Not
            of `--protocol seco`.
        samples_per_step: Pairs that a decoder learns from at once: 16, or 32 of `--protocol seco`, where left out. Unlike
            `--batch-size`, it changes scores.
        keep_gb: Most memory for feature maps that are computed once, 10^9 bytes; where they need more they are computed in
            every epoch anew. It changes no score.
        settings: What is asked, and how features are computed.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.change import run_change
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_rates, split_settings, split_shares

    chosen = ChangeSettings(
        **asdict(settings),
        protocol=protocol,
        fraction=split_shares(fraction),
        repeats=repeats,
        lr=split_rates(lr) or CHANGE.lr,
        epochs=epochs,
        min_steps=min_steps,
        samples_per_step=samples_per_step,
        keep_gb=keep_gb,
    )
    run = partial(run_change, catalog, weights or (), split_settings(chosen), baselines=not no_baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

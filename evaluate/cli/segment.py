"""`evaluate segment`: what weights are worth for every pixel."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from evaluate.dense_settings import SegmentSettings
from evaluate.settings import Settings

DEFAULTS = Settings()
SEGMENT = SegmentSettings()


def segment(
    *,
    catalog: str,
    weights: list[str] | None = None,
    no_baselines: bool = False,
    head: str = SEGMENT.head,
    fraction: list[str] | None = None,
    repeats: int = SEGMENT.repeats,
    lr: list[str] | None = None,
    epochs: int = SEGMENT.epochs,
    min_steps: int = SEGMENT.min_steps,
    samples_per_step: int = SEGMENT.samples_per_step,
    keep_gb: float = SEGMENT.keep_gb,
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Score weights on a catalog with label rasters: a head names every pixel from feature maps that stay as they are.

    Items of the catalog's training locations teach, those of its test locations (of `val`, where none is in `test`) are asked
    about. Learning rate and epoch are chosen on `val`, or on a fifth of the training locations where the catalog has no other
    `val`. The score is the mean over classes of intersection over union (mean IoU), of all tested pixels at once; pixels of
    which nobody knows are left out. Intervals are bootstraps over test locations, 95 %; chance is to know how common classes
    are, and no more. A linear head on the reflectance of each pixel, and random weights of the same backbones, are scored too.

        evaluate segment --catalog data/demo --weights random:resnet18 \
            --weights runs/demo --head linear

    Args:
        catalog: The folder of a catalog with label rasters `labels`, or its `http(s)://` or `s3://` address.
        weights: An export, a run, a published checkpoint, `timm:NAME` or `random:NAME`; repeat it to see several side
            by side, or join seeds of one training by commas: `runs/a-seed0,runs/a-seed1` get one score together.
        no_baselines: Score the weights alone.
        head: `linear`, a 1 x 1 convolution, or `upernet`, pyramid pooling and a feature pyramid of 64 channels.
        fraction: Shares of the training locations to teach with, such as `0.01,0.1,1`, drawn without replacement; all where
            left out.
        repeats: How many times a head is taught with each share, with seeds `--seed`, `--seed` + 1, ... of the draw, the first
            weights and the order; a score is the mean.
        lr: Learning rates to try, such as `0.001,0.01`, which are those tried where left out; the best on held-out locations
            counts.
        epochs: Times that a head sees every sample; the best one on held-out locations counts.
        min_steps: Steps that a head takes at least: where few samples teach, an epoch has several passes over them.
        samples_per_step: Samples that a head learns from at once. Unlike `--batch-size`, it changes scores.
        keep_gb: Most memory for feature maps that are computed once, 10^9 bytes; where they need more they are computed in
            every epoch anew. It changes no score.
        settings: What is asked, and how features are computed.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_rates, split_settings, split_shares
    from evaluate.segmentation import run_segment

    chosen = SegmentSettings(
        **asdict(settings),
        head=head,
        fraction=split_shares(fraction),
        repeats=repeats,
        lr=split_rates(lr) or SEGMENT.lr,
        epochs=epochs,
        min_steps=min_steps,
        samples_per_step=samples_per_step,
        keep_gb=keep_gb,
    )
    run = partial(run_segment, catalog, weights or (), split_settings(chosen), baselines=not no_baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

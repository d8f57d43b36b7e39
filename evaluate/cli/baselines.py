"""`evaluate baselines`: what needs no training, on the same items by the same protocol."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from evaluate.settings import KnnSettings

DEFAULTS = KnnSettings()


def baselines(
    *,
    catalog: str,
    backbone: list[str] | None = None,
    settings: Annotated[KnnSettings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Score what needs no training on a labelled catalog: mean and standard deviation of each band, and random weights.

    Weights that do no better have learnt nothing that matters here.

        evaluate baselines --catalog data/demo --backbone resnet18

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        backbone: timm's name of a backbone to score with random weights; repeat it for several.
        settings: What is asked, and how.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score, with_names
    from evaluate.protocol import run_knn

    weights = [f"random:{name}" for name in backbone or ()]
    run = partial(run_knn, catalog, weights, with_names(settings), statistics=True, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

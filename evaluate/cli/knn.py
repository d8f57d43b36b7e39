"""`evaluate knn`: what weights are worth, by their nearest neighbours."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from evaluate.settings import KnnSettings

DEFAULTS = KnnSettings()


def knn(
    *,
    catalog: str,
    weights: list[str],
    baselines: bool = False,
    settings: Annotated[KnnSettings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Score weights on a labelled catalog by their nearest neighbours: no training, nothing to tune.

    Items of the catalog's training locations vote, those of its test locations (of `val`, where none is in `test`) are asked
    about. Intervals are bootstraps over locations, 95 %; chance is to always answer the most common class.

        evaluate knn --catalog data/demo --weights random:resnet18 --weights runs/demo --baselines

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        weights: An export's folder, a run's folder, `timm:NAME` or `random:NAME`; repeat it to see several side by side.
        baselines: Score band statistics too.
        settings: What is asked, and how.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score, with_names
    from evaluate.protocol import run_knn

    run = partial(run_knn, catalog, weights, with_names(settings), statistics=baselines, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

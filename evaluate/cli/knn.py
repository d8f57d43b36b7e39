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
    no_baselines: bool = False,
    settings: Annotated[KnnSettings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    pictures: int = 8,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Score weights on a labelled catalog by their nearest neighbours: no training, nothing to tune.

    Items of the catalog's training locations vote, those of its test locations (of `val`, where none is in `test`) are asked
    about. Intervals are bootstraps over locations, 95 %; chance is to always answer the most common class. Where items have
    several labels, the figure is micro average precision, and chance is to rank labels by how common they are.

        evaluate knn --catalog data/demo --weights random:resnet18 \
            --weights runs/demo

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        weights: An export, a run, a published checkpoint, `timm:NAME` or `random:NAME`; repeat it to see several side
            by side, or join seeds of one training by commas: `runs/a-seed0,runs/a-seed1` get one score together.
        no_baselines: Leave out band statistics, and random weights of each backbone fed as it is, which are scored first.
        settings: What is asked, and how.
        out: File to keep the result in, as JSON.
        pictures: Tested items that `--out` keeps as small pictures, each with its nearest training items, for `evaluate
            compare --html` to show; 0 for none.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_settings
    from evaluate.protocol import run_knn

    chosen, kept = split_settings(settings), pictures if out else 0
    run = partial(run_knn, catalog, weights, chosen, baselines=not no_baselines, pictures=kept, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)

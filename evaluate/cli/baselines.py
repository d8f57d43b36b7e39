"""`evaluate baselines`: what needs no training, on the same items by the same protocol."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from evaluate.settings import KnnSettings

if TYPE_CHECKING:
    from evaluate.settings import LinearSettings

DEFAULTS = KnnSettings()
KNN: Literal["knn"] = "knn"


def baselines(
    *,
    catalog: str,
    kind: list[str] | None = None,
    backbone: list[str] | None = None,
    protocol: Literal["knn", "linear"] = KNN,
    settings: Annotated[KnnSettings, Parameter(name="*")] = DEFAULTS,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Score what needs no training on a labelled catalog. Weights that do no better have learnt nothing that matters here.

    - `band-statistics`: mean and standard deviation of each band.
    - `band-histograms`: these, five percentiles and a histogram of 16 bins.
    - `raw-pixels`: the image at 16 by 16 pixels.
    - `random-convolutions`: what 256 small pieces of training images find in the image.
    - `--backbone`: features of a backbone with random weights.

        evaluate baselines --catalog data/demo --backbone resnet18

        evaluate baselines --catalog data/demo --kind band-histograms \
            --protocol linear

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        kind: What to score: band-statistics, band-histograms, raw-pixels or random-convolutions; repeat it for several,
            or join them by commas. All four where left out.
        backbone: timm's name of a backbone to score with random weights; repeat it for several, or join them by commas.
        protocol: How features become answers: nearest neighbours, as `evaluate knn`, or a linear probe, as `evaluate linear`.
        settings: What is asked, and how.
        out: File to keep the result in, as JSON.
        json: Print the result as one JSON object.
        quiet: Say nothing but errors.
    """
    from evaluate.baselines import choose_baselines
    from evaluate.cli.scoring import score
    from evaluate.cli.typed import split_names, split_settings
    from evaluate.linear_protocol import run_linear
    from evaluate.protocol import run_knn

    weights = [f"random:{name}" for name in split_names(backbone) or ()]
    also, chosen = choose_baselines(split_names(kind)), split_settings(settings)
    if protocol == KNN:
        run = partial(run_knn, catalog, weights, chosen, baselines=False, also=also, quiet=quiet)
    else:
        run = partial(run_linear, catalog, weights, _for_linear(chosen), baselines=False, also=also, quiet=quiet)
    score(run, out=out, as_json=json, quiet=quiet)


def _for_linear(settings: KnnSettings) -> LinearSettings:
    """The same for a linear probe.

    Raises:
        InputError: Something is chosen that only neighbours know.
    """
    from evaluate.errors import InputError
    from evaluate.settings import LinearSettings

    known = asdict(settings)
    for name in ("k", "temperature"):
        if known.pop(name) != getattr(DEFAULTS, name):
            raise InputError(f"--{name} is of nearest neighbours, and --protocol linear has none. Leave it out.")
    return LinearSettings(**known)

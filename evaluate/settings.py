"""What a user may choose about an evaluation; every choice is written into the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Which items are asked about, and how features are read and computed: what every protocol has in common."""

    sensor: str | None = None
    """Id of the sensor whose items are scored; that of the weights, or the catalog's only one, where left out."""
    bands: tuple[str, ...] | None = None
    """Names of bands, such as `B04,B03,B02`, for band statistics and for weights that do not say theirs; where left out, those
    of the first weights that do, or else all that every item has."""
    size_px: int | None = None
    """Side of the image that weights see which do not say theirs, pixels; where left out, that of the first weights that do, or
    else of the patch itself."""
    season: int | None = None
    """Score the items of one date window alone, from 0; where left out, every item is a sample of its own."""
    classes: tuple[str, ...] | None = None
    """Labels that count, such as `water,forest`; all where left out."""
    batch_size: int = 64
    """Images that go through a backbone at once; it changes no score."""
    workers: int = 2
    """Processes that read pixels; 0 reads in the command's own. They change no score."""
    cache: Path | None = None
    """Folder that keeps what is fetched of a remote catalog; the user's cache folder where left out."""
    seed: int = 0
    """Of the draws behind the intervals, of the items that scaling is measured on, and of what a protocol draws."""
    device: str = "auto"
    """Where backbones compute: `cpu`, `cuda`, `cuda:1`; `auto` is a GPU if there is one."""


@dataclass(frozen=True, slots=True)
class KnnSettings(Settings):
    """The same, and how neighbours vote."""

    k: int = 20
    """How many neighbours vote."""
    temperature: float = 0.07
    """How much the nearest ones outweigh the others: a vote weighs exp(cosine / temperature)."""


@dataclass(frozen=True, slots=True)
class LinearSettings(Settings):
    """The same, and how much a linear probe is taught."""

    fraction: tuple[float, ...] = (1.0,)
    """Shares of the training items to teach with, above 0 and at most 1, such as `0.01,0.1,1`; each is drawn per class, without
    replacement, and gets a score of its own."""
    repeats: int = 1
    """How many times each share is drawn, with seeds `seed`, `seed + 1`, ...; a score is the mean."""

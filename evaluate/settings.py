"""What a user may choose about an evaluation; every choice is written into the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Which items are asked about, how features are read and computed, and how neighbours vote."""

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
    k: int = 20
    """How many neighbours vote."""
    temperature: float = 0.07
    """How much the nearest ones outweigh the others: a vote weighs exp(cosine / temperature)."""
    batch_size: int = 64
    """Images that go through a backbone at once; it changes no score."""
    workers: int = 2
    """Processes that read pixels; 0 reads in the command's own. They change no score."""
    cache: Path | None = None
    """Folder that keeps what is fetched of a remote catalog; the user's cache folder where left out."""
    seed: int = 0
    """Of the draws behind the intervals, and of the items that scaling is measured on."""
    device: str = "auto"
    """Where backbones compute: `cpu`, `cuda`, `cuda:1`; `auto` is a GPU if there is one."""

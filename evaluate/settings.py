"""What a user may choose about an evaluation; every choice is written into the result."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from evaluate.ranges import check_ranges

WHITE = 0.3
"""Reflectance that is white in Sentinel-2's previews, about."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which items are asked about, and how features are read and computed: what every protocol has in common."""

    sensor: str | None = None
    """Id of the sensor whose items are scored; that of the weights, or the catalog's only one, where left out."""
    bands: tuple[str, ...] | None = None
    """Names of bands, such as `B04,B03,B02`, for band statistics and for weights that do not say theirs; where left out, those
    of the first weights that do, or else all that every item has."""
    fill: tuple[str, ...] | None = None
    """What stands for bands that weights read and the catalog lacks, such as `B10=mean`, the mean that the weights were trained
    with, or `B09=0.05`, a reflectance; a lacking band is an error where left out."""
    white: float = WHITE
    """Reflectance that is white in a picture: weights made for reflectance read display values, such as EuroSAT's JPEGs, as if
    they reached from 0 to it, and weights made for pictures read reflectance so. It counts nowhere else."""
    size_px: int | None = None
    """Side of the image that weights see which do not say theirs, pixels; where left out, that of the first weights that do, or
    else of the patch itself."""
    season: int | None = None
    """Score the items of one date window alone, from 0; where left out, every item is a sample of its own."""
    classes: tuple[str, ...] | None = None
    """Labels that count, such as `water,forest`; all where left out."""
    multilabel: bool = False
    """Score each label by itself, as it is done anyway where an item has several."""
    shuffle_labels: bool = False
    """Control: teach with labels that are dealt out anew by the seed. What scores above chance then, leaks."""
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

    def __post_init__(self) -> None:
        """Check ranges, those of the children's settings too.

        Raises:
            InputError: A setting is out of range; the message says which, and what it may be.
        """
        check_ranges((each.name, getattr(self, each.name)) for each in fields(self))


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
    solver: str = "lbfgs"
    """How the probe is fitted: `lbfgs`, whose regularisation is chosen; `seco` or `dino`, as those released codes do it."""


@dataclass(frozen=True, slots=True)
class TrainingSettings(Settings):
    """The same, and how long and how fast weights are fine-tuned."""

    batch_size: int = 64
    """Images that teach at once; scores hang on it."""
    epochs: int = 20
    """Times that every item teaches."""
    min_steps: int = 200
    """Times that weights are moved at least: a small share of the labels teaches in more epochs."""
    lr: float = 1e-3
    """Learning rate of the head at its peak."""
    layer_decay: float = 0.75
    """Factor on the learning rate from each layer to the one below it; 1 moves all alike. Weights that were never trained
    (`random:`) are always moved alike."""
    weight_decay: float = 0.05
    """Of all but norms and biases."""
    label_smoothing: float = 0.0
    """Share of the truth that is spread evenly over all classes."""
    freeze_batch_norm: bool = False
    """Normalise by the statistics that came with the weights, as SeCo's released code does, rather than by the batch's."""
    last_epoch: bool = False
    """Let the weights of the last epoch answer, for which no items are kept to choose an epoch on."""
    precision: str = "auto"
    """What fine-tuning computes in, `32-true` or `bf16-mixed`; `auto` takes bf16-mixed on a GPU. Answers are always computed in
    32 bits."""
    no_augment: bool = False
    """Teach with whole images, rather than with images that are cut and flipped anew in each epoch."""


@dataclass(frozen=True, slots=True)
class FinetuneSettings(TrainingSettings):
    """The same, and how many labels teach."""

    fraction: tuple[float, ...] = (1.0,)
    """Shares of the training items to teach with, above 0 and at most 1; see `LinearSettings`."""
    repeats: int = 1
    """How many times each share is drawn and fine-tuned with, with seeds `seed`, `seed + 1`, ...; a score is the mean."""

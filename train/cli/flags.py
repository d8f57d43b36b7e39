"""The flags that all methods share, and the configuration that they make of a recipe. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

if TYPE_CHECKING:
    from train.config import TrainConfig


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainFlags:
    """What to train on, how, and where to; what is left out is the recipe's."""

    catalog: str
    """A catalog's folder, or its `http(s)://` or `s3://` address."""
    out: Path | None = None
    """The run folder; `runs/METHOD-CATALOG` where left out. A run of the same settings in it goes on."""
    recipe: str | None = None
    """Name of a recipe; see `train recipes`. The method's own where left out."""
    sensor: str | None = None
    """Sensor to train on; needed where the catalog has several."""
    bands: str | None = None
    """Names of bands, such as `B04,B03,B02`, in the order of the channels; all that the catalog has where left out."""
    scaling: str | None = None
    """How reflectance becomes 0 to 1: `measured` (percentiles of each band), `native`, or `seco`."""
    backbone: str | None = None
    """timm's name, such as `resnet50`, `resnet18` or `vit_small_patch16_224`."""
    size_px: int | None = None
    """Side of a view, pixels."""
    batch_size: int | None = None
    """Locations per step, of all processes together; the learning rate goes with it unless --lr is given."""
    accumulate: int | None = None
    """Compute a batch in so many parts, one after the other: for a GPU that cannot hold it."""
    epochs: int | None = None
    """Times that every location is seen."""
    steps: int | None = None
    """Stop after so many steps, as if interrupted; the schedule still spans all epochs."""
    optimizer: str | None = None
    """`sgd` or `adamw`."""
    lr: float | None = None
    """Peak learning rate."""
    max_norm: float | None = None
    """Clip the norm of all gradients together."""
    queue: int | None = None
    """Keys kept as negatives, a multiple of the batch size; what fits half the locations, up to 65,536, where left out."""
    force_queue: bool = False
    """Take a queue of more than half the training locations."""
    init: str | None = None
    """Start from weights: a run, an export, `timm:NAME`, or SeCo's published checkpoint."""
    precision: str | None = None
    """`32-true` or `bf16-mixed`; `auto` takes bf16-mixed on a GPU."""
    compile: bool = False
    """Compile the student with torch.compile, if its loss then is the same."""
    deterministic: bool = False
    """Same bits again on a GPU too; slower."""
    workers: int = 2
    """Processes that read, for each process that trains."""
    device: str = "auto"
    """`cuda` or `cpu`; a GPU if there is one."""
    cache: Path | None = None
    """Where files of a remote catalog are kept; the user's cache folder where left out."""
    hook: tuple[str, ...] = ()
    """Call a function after every epoch: `evaluate.online:knn=data/labelled`; repeatable."""
    log_every: int = 50
    """Steps from one look at the loss to the next."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; at ends of epochs, at most every five minutes, where left out."""
    seed: int | None = None
    """Of everything that is drawn (0)."""
    dry_run: bool = False
    """Say what would be trained on what, and write nothing."""
    json: bool = False
    """Print the outcome as one JSON object."""
    quiet: bool = False
    """Say nothing but errors."""


SETTINGS = (
    "sensor", "scaling", "backbone", "accumulate", "epochs", "precision", "seed",
)  # fmt: skip
"""Flags that are fields of a configuration under the same name."""


def make_config(method: str, flags: TrainFlags) -> TrainConfig:
    """The configuration of a method, a recipe and flags.

    Raises:
        ConfigError: A name is unknown, or a number out of range.
    """
    from train.recipes import DEFAULTS, find_recipe, with_batch_size, with_view_size

    config = find_recipe(flags.recipe or DEFAULTS[method], method=method)
    if flags.size_px is not None:
        config = with_view_size(config, flags.size_px)
    if flags.batch_size is not None:
        config = with_batch_size(config, flags.batch_size)
    given = {name: value for name in SETTINGS if (value := getattr(flags, name)) is not None}
    if flags.bands is not None:
        given["bands"] = tuple(name.strip() for name in flags.bands.split(","))
    optimizer = {name: value for name in ("lr", "max_norm") if (value := getattr(flags, name)) is not None}
    if flags.optimizer is not None:
        check_lr(flags, config.optimizer.name)
        optimizer["name"] = flags.optimizer
    queue = config.contrast.queue if flags.queue is None else flags.queue
    return replace(
        config,
        **given,
        compile=flags.compile or config.compile,
        deterministic=flags.deterministic or config.deterministic,
        optimizer=replace(config.optimizer, **optimizer),
        contrast=replace(config.contrast, queue=queue, force_queue=flags.force_queue or config.contrast.force_queue),
    )


def check_lr(flags: TrainFlags, usual: str) -> None:
    """Refuse another optimizer with the learning rate of the recipe's.

    Raises:
        ConfigError: It is another one, and no rate is given.
    """
    from train.config import OPTIMIZERS, check_choice
    from train.errors import ConfigError

    check_choice("optimizer", str(flags.optimizer), OPTIMIZERS)
    if flags.optimizer != usual and flags.lr is None:
        raise ConfigError(
            f"--optimizer {flags.optimizer} needs a rate of its own, for the recipe's is {usual}'s. Pass --lr too; "
            "1e-3 is usual for adamw."
        )

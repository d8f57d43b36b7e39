"""The flags that all methods share, those of each family, and the configuration that they make of a recipe. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    """Sensor to train on; needed where the catalog has several. For train x-stars see --sensors."""
    bands: str | None = None
    """Names of bands, such as `B04,B03,B02`, in the order of the channels; all that the catalog has where left out. Of several
    sensors the names that they have in common, such as `red,green,blue`: bands that only some of them have cannot be named."""
    scaling: str | None = None
    """How reflectance becomes 0 to 1: `measured` (percentiles of each band), `native`, `seco`, or `preview`."""
    backbone: str | None = None
    """timm's name, such as `resnet50`, `resnet18` or `vit_small_patch16_224`."""
    size_px: int | None = None
    """Side of a view, pixels; of a global crop, and local crops go with it."""
    batch_size: int | None = None
    """Locations per step, of all processes together; the learning rate goes with it unless --lr is given."""
    accumulate: int | None = None
    """Compute a batch in so many parts, one after the other: for a GPU that cannot hold it. In train x-stars each part is
    aligned by itself, with fewer negatives."""
    epochs: int | None = None
    """Times that every location is seen."""
    steps: int | None = None
    """Stop after so many steps, as if interrupted; the schedule still spans all epochs."""
    optimizer: str | None = None
    """`sgd` or `adamw`. With sgd, recipes that were made for adamw decay weights by 1e-4 throughout."""
    lr: float | None = None
    """Peak learning rate."""
    max_norm: float | None = None
    """Clip the norm of all gradients together."""
    init: str | None = None
    """Start from weights: a run, an export, `timm:NAME`, or a checkpoint of SeCo, DINO, DINO-MC, X-STARS or SSL4EO-S12."""
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ContrastFlags(TrainFlags):
    """What the MoCo family has besides."""

    queue: int | None = None
    """Keys kept as negatives, a multiple of the batch size; what fits half the locations, up to 65,536, where left out."""
    force_queue: bool = False
    """Take a queue of more than half the training locations."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DistillationFlags(TrainFlags):
    """What the DINO family has besides."""

    local_sizes: str | None = None
    """Side of each local crop, pixels, such as `96,96,80`; as many crops as there are numbers."""
    out_dim: int | None = None
    """Prototypes of the head; 4,096 to 16,384 suit small catalogs."""
    head_hidden: int | None = None
    """Width of the head."""
    bottleneck: int | None = None
    """Length of the embedding that is compared with the prototypes."""
    head_batch_norm: bool | None = None
    """Batch normalisation in the head: a short training, of a few thousand steps, then learns from the start."""
    ema_momentum: float | None = None
    """Share of the teacher that stays in the first step."""
    teacher_temperature: float | None = None
    """Of the teacher's softmax."""
    freeze_last_layer: int | None = None
    """Epochs in which the prototypes stay as they were drawn."""
    drop_path: float | None = None
    """Rate of stochastic depth of the student."""
    pack_attention: bool | None = None
    """Compute attention of a plain ViT over crops of all sizes in one call, not size by size: for GPUs, not measured yet."""
    warmup_epochs: float | None = None
    """Epochs in which the learning rate rises."""
    weight_decay: float | None = None
    """At the first step; its end goes with it."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AlignmentFlags(DistillationFlags):
    """What X-STARS has besides."""

    sensors: str | None = None
    """Ids of two sensors or more, such as `sentinel-2-l2a,landsat-c2-l2`; all that the catalog has where left out."""
    crop_m: float | None = None
    """Side of the box on the ground whose tokens are compared, metres; the square's where left out."""
    alignment_weight: float | None = None
    """Weight of the alignment in the loss (0.1)."""
    adapt_sensor: str | None = None
    """Train on this sensor alone, of two, from --init; a frozen copy of those weights encodes the other one."""
    shared_patch_embedding: Annotated[bool | None, Parameter(negative="--separate-patch-embeddings")] = None
    """Cut images of all sensors into tokens with one layer, or with one each; as the recipe does where left out."""


USUAL = {"sgd": "0.03", "adamw": "1e-3"}
"""Learning rates, for advice."""
SGD_DECAY = {"weight_decay": 1e-4, "final_weight_decay": None}
"""Of recipes that were made for AdamW: SGD multiplies the decay by what momentum adds up and by a larger rate, and one of 0.04
to 0.4, which AdamW bears, pulls its weights to nothing. As DINO trains ResNet-50 with SGD."""
SETTINGS = (
    "sensor", "scaling", "backbone", "accumulate", "epochs", "precision", "seed",
)  # fmt: skip
"""Flags that are fields of a configuration under the same name."""
CONSTANTS = (
    "out_dim", "head_hidden", "bottleneck", "head_batch_norm", "ema_momentum", "teacher_temperature", "freeze_last_layer",
    "pack_attention",
)  # fmt: skip
"""Flags that are fields of its `distillation`."""
ALIGNMENT = {
    "crop_m": "crop_m", "alignment_weight": "weight", "adapt_sensor": "adapt_sensor",
    "shared_patch_embedding": "shared_patch_embedding",
}  # fmt: skip
"""Flags that are fields of its `alignment`, and which."""


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
    given = _given(flags, *SETTINGS)
    if flags.bands is not None:
        given["bands"] = _names(flags.bands)
    optimizer = _given(flags, "lr", "max_norm")
    if flags.optimizer is not None:
        check_lr(flags, config.optimizer.name)
        optimizer |= {"name": flags.optimizer, **(SGD_DECAY if flags.optimizer == "sgd" != config.optimizer.name else {})}
    changed = replace(
        config,
        **given,
        compile=flags.compile or config.compile,
        deterministic=flags.deterministic or config.deterministic,
        optimizer=replace(config.optimizer, **optimizer),
    )
    if isinstance(flags, AlignmentFlags):
        return _with_alignment(_with_distillation(changed, flags), flags)
    if isinstance(flags, DistillationFlags):
        return _with_distillation(changed, flags)
    return _with_contrast(changed, flags) if isinstance(flags, ContrastFlags) else changed


def _with_contrast(config: TrainConfig, flags: ContrastFlags) -> TrainConfig:
    constants = config.contrast
    assert constants is not None, "a recipe of the MoCo family"
    queue = constants.queue if flags.queue is None else flags.queue
    return replace(config, contrast=replace(constants, queue=queue, force_queue=flags.force_queue or constants.force_queue))


def _with_distillation(config: TrainConfig, flags: DistillationFlags) -> TrainConfig:
    from train.methods.crops import with_local_sizes

    constants, views, adamw = config.distillation, config.views, config.optimizer
    assert constants is not None, "a recipe of the DINO family"
    if flags.local_sizes is not None:
        views = with_local_sizes(views, _sizes(flags.local_sizes), method=config.method)
    if flags.weight_decay is not None and adamw.final_weight_decay is not None:
        share = adamw.final_weight_decay / adamw.weight_decay
        adamw = replace(adamw, final_weight_decay=share * flags.weight_decay)
    return replace(
        config,
        views=views,
        optimizer=replace(adamw, **_given(flags, "warmup_epochs", "weight_decay")),
        distillation=replace(constants, **_given(flags, *CONSTANTS)),
        **_given(flags, "drop_path"),
    )


def _with_alignment(config: TrainConfig, flags: AlignmentFlags) -> TrainConfig:
    constants = config.alignment
    assert constants is not None, "a recipe of X-STARS"
    given = {field: value for flag, field in ALIGNMENT.items() if (value := getattr(flags, flag)) is not None}
    sensors = config.sensors if flags.sensors is None else _names(flags.sensors)
    return replace(config, alignment=replace(constants, **given), sensors=sensors)


def _names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(","))


def _given(flags: TrainFlags, *names: str) -> dict[str, Any]:
    """Those of some flags that were given."""
    return {name: value for name in names if (value := getattr(flags, name)) is not None}


def _sizes(text: str) -> list[int]:
    """Whole numbers between commas.

    Raises:
        ConfigError: One is none, or not above 0.
    """
    from train.errors import ConfigError

    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ConfigError(f"--local-sizes {text!r} are no sizes. Expected whole numbers of pixels above 0, such as 96,96,80.")
    return [int(word) for word in words]


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
            f"{USUAL[str(flags.optimizer)]} is usual for {flags.optimizer}."
        )

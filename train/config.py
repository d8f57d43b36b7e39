"""What a training is: frozen records, checked when made, written to and read from JSON as they are.

A `TrainConfig` says everything that the weights depend on. Recipes (`train.recipes`) are functions that return one; the
command line replaces some of its fields; a run folder keeps it as `config.json`. Records of views are `train.view_config`'s,
that of aligned sensors is `train.alignment_config`'s, and the way to JSON is `train.config_json`'s; those who read a
configuration find all of them here.
"""

from __future__ import annotations

from dataclasses import dataclass

from train.alignment_config import Alignment
from train.checks import check_choice, check_probability
from train.config_json import from_json, to_json
from train.errors import ConfigError
from train.view_config import INTERPOLATIONS, Crop, InputSpec, Photometric, View

__all__ = [
    "DECAYS", "INTERPOLATIONS", "OPTIMIZERS", "PRECISIONS", "SCALINGS", "SCHEDULES", "Alignment", "Contrast", "Crop",
    "Distillation", "InputSpec", "Optimizer", "Photometric", "TrainConfig", "View", "check_choice", "from_json", "to_json",
]  # fmt: skip

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "step", "constant")
PRECISIONS = ("auto", "32-true", "bf16-mixed")
SCALINGS = ("measured", "native", "seco", "preview")
DECAYS = ("all", "matrices", "kernels")


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How weights move."""

    name: str = "sgd"
    """`sgd` or `adamw`."""
    lr: float = 0.03
    """Peak learning rate, for the whole batch of all processes."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-4
    """On the weights that `decays` says."""
    schedule: str = "cosine"
    """`cosine` down to `final_lr`, `step` by `gamma` at `milestones`, or `constant`."""
    warmup_epochs: float = 0.0
    """Linear rise from 0."""
    final_lr: float = 0.0
    """End of the cosine."""
    milestones: tuple[float, ...] = ()
    """Shares of the training, in 0 to 1, at which `step` multiplies by `gamma`."""
    gamma: float = 0.1
    """See `milestones`."""
    max_norm: float | None = None
    """Greatest norm of all gradients together; none for no clipping."""
    clip_each: bool = False
    """Hold `max_norm` to each parameter's gradient by itself, as DINO's released code does."""
    final_weight_decay: float | None = None
    """End of a cosine that begins at `weight_decay` and spans the training; none for one that stays."""
    decays: str = "all"
    """What weight decay is on: `all`, as SeCo does; `matrices`, all but biases and what normalisation learns, as DINO's
    released code does, where class token and position embeddings do decay; `kernels`, nor those."""

    def __post_init__(self) -> None:
        """Check choices and signs.

        Raises:
            ConfigError: A choice is unknown, or a number has the wrong sign.
        """
        check_choice("optimizer", self.name, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("decays", self.decays, DECAYS)
        if not self.lr > 0:
            raise ConfigError(f"lr is {self.lr}; expected more than 0.")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is {self.momentum}; expected 0 or more and below 1.")
        for name in ("weight_decay", "warmup_epochs", "final_lr", "gamma"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        if not all(0 <= each <= 1 for each in self.milestones):
            raise ConfigError(f"milestones are {self.milestones}; expected shares of the training, from 0 to 1.")
        if self.final_weight_decay is not None and not self.final_weight_decay >= 0:
            raise ConfigError(f"final_weight_decay is {self.final_weight_decay}; expected 0 or more, or none.")
        if sorted(self.milestones) != list(self.milestones) or any(not 0 < share < 1 for share in self.milestones):
            raise ConfigError(f"milestones are {self.milestones}; expected shares of the training in order, between 0 and 1.")
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma is {self.gamma}; expected more than 0 and at most 1.")
        if self.max_norm is not None and not self.max_norm > 0:
            raise ConfigError(f"max_norm is {self.max_norm}; expected more than 0, or none for no clipping.")


@dataclass(frozen=True, slots=True)
class Contrast:
    """The constants of the MoCo family."""

    dim: int = 128
    """Length of an embedding."""
    queue: int | None = None
    """Keys that are kept as negatives; none for the largest that fits, at most 65,536."""
    force_queue: bool = False
    """Take `queue` though it holds more than half of the training locations."""
    temperature: float = 0.07
    """Of the softmax."""
    ema_momentum: float = 0.999
    """Of the key encoder."""
    distinct_dates: bool = True
    """Draw different scenes for a sample; with replacement otherwise, as released."""
    mask_same_date: bool = True
    """Never take another view of the query's own date as a negative where season is what must be told."""
    mask_own_location: bool = True
    """Never take a key of the query's own location out of the queue as a negative."""
    gather_negatives: bool = True
    """Take SeCo's extra negatives from all processes, rather than from each one's own batch."""
    shuffle_batch_norm: bool = True
    """Spread the keys over the processes in another order than the queries, so that batch statistics tell nothing."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A number is out of range.
        """
        if self.dim < 1:
            raise ConfigError(f"dim is {self.dim}; expected 1 or more.")
        if self.queue is not None and self.queue < 1:
            raise ConfigError(
                f"A queue of {self.queue} keys is empty. Give 1 or more, or leave it away for the largest that fits."
            )
        if not self.temperature > 0:
            raise ConfigError(f"temperature is {self.temperature}; expected more than 0.")
        if not 0 <= self.ema_momentum < 1:
            raise ConfigError(f"ema_momentum is {self.ema_momentum}; expected 0 or more and below 1.")


@dataclass(frozen=True, slots=True)
class Distillation:
    """The constants of the DINO family; where not said otherwise, those of its released code.

    References:
        Caron et al., Emerging Properties in Self-Supervised Vision Transformers, https://arxiv.org/abs/2104.14294
    """

    out_dim: int = 65_536
    """Prototypes that teacher and student sort a view into; 4,096 to 16,384 suit small data sets."""
    head_layers: int = 3
    """Linear layers of the head before the prototypes."""
    head_hidden: int = 2048
    """Width of those between."""
    bottleneck: int = 256
    """Length of an embedding, which is a point of the unit sphere."""
    head_batch_norm: bool = False
    """Normalise what is between the head's layers over the crops of a batch (`use_bn_in_head` of the released code). The
    features of a network that was just drawn are much the same for every image; so it tells images apart from the first step,
    where training is short."""
    norm_last_layer: bool = True
    """Hold each prototype at unit length."""
    teacher_temperature: float = 0.04
    """Of the teacher's softmax: sharpening."""
    first_teacher_temperature: float = 0.04
    """Where its warm-up begins, in a straight line."""
    teacher_warmup_epochs: int = 0
    """Epochs of that warm-up."""
    student_temperature: float = 0.1
    """Of the student's softmax."""
    center_momentum: float = 0.9
    """Share of the center that stays in a step."""
    ema_momentum: float = 0.996
    """Share of the teacher that stays in the first step; 0.9995 suits batches of 256 and less."""
    final_ema_momentum: float = 1.0
    """The same of the last step, at the end of a cosine."""
    freeze_last_layer: int = 1
    """Epochs in which the prototypes stay as they were drawn."""
    distinct_dates: bool = True
    """Draw different scenes for a sample; with replacement otherwise, as released."""
    pack_crops: bool = True
    """Run what works on each token alone over the crops of all sizes together, where the backbone is a plain ViT."""
    pack_attention: bool = False
    """Compute attention over these crops in one call too, not size by size: the same to rounding. Made for GPUs, and no default
    until it is measured on one."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A number is out of range.
        """
        for name in ("out_dim", "head_layers", "head_hidden", "bottleneck"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more.")
        for name in ("teacher_temperature", "first_teacher_temperature", "student_temperature"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected more than 0.")
        for name in ("teacher_warmup_epochs", "freeze_last_layer"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        for name in ("center_momentum", "ema_momentum", "final_ema_momentum"):
            check_probability(name, getattr(self, name))
        if self.pack_attention and not self.pack_crops:
            raise ConfigError("pack_attention without pack_crops: attention is computed over crops that are packed. Set both.")
        if self.final_ema_momentum < self.ema_momentum:
            raise ConfigError(
                f"ema_momentum falls from {self.ema_momentum} to {self.final_ema_momentum}; expected it to stay or to rise."
            )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that the weights depend on."""

    method: str
    """One of `train.methods.METHODS`."""
    recipe: str
    """Name of the recipe that it came from."""
    views: tuple[View, ...]
    """Of one sample."""
    contrast: Contrast | None
    """Constants of the method, where it is of the MoCo family."""
    optimizer: Optimizer
    """How weights move."""
    backbone: str = "resnet50"
    """timm's name."""
    drop_path: float = 0.0
    """Rate of stochastic depth."""
    sensor: str | None = None
    """Id of the sensor; none for the catalog's only one, and of a method of several."""
    bands: tuple[str, ...] = ()
    """In the order of the channels; empty for all that the catalog has, in the sensor's order. Of several sensors, common names
    such as `red`, which each has a band of."""
    scaling: str = "measured"
    """How reflectance becomes [0, 1]: `measured` (2nd and 98th percentile of each band), `native` (as it is), `seco`, or
    `preview`."""
    batch_size: int = 256
    """Locations per step, of all processes together."""
    accumulate: int = 1
    """Parts that a batch is computed in, one after the other."""
    epochs: int = 200
    """Times that every location is seen."""
    seed: int = 0
    """Of everything that is drawn."""
    precision: str = "auto"
    """`bf16-mixed` on a GPU and `32-true` elsewhere, if `auto`."""
    sync_batch_norm: bool = False
    """Take batch statistics of all processes together, on GPUs; on CPUs each process has its own. Not for the MoCo family,
    where Shuffle-BN is there for the opposite."""
    channels_last: bool = True
    """Memory format of convolutional backbones."""
    compile: bool = False
    """Compile the student's forward pass."""
    deterministic: bool = False
    """Choose only algorithms that give the same bits again."""
    distillation: Distillation | None = None
    """Constants of the method, where it is of the DINO family."""
    alignment: Alignment | None = None
    """Constants of what aligns several sensors, where the method does."""
    sensors: tuple[str, ...] = ()
    """Ids of the sensors of a method of several; empty for all that the catalog has."""

    def __post_init__(self) -> None:
        """Check what one record can tell.

        Raises:
            ConfigError: A setting is out of range, or two do not fit together.
        """
        for name in ("batch_size", "accumulate", "epochs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more.")
        if self.batch_size % self.accumulate:
            raise ConfigError(
                f"A batch of {self.batch_size} does not divide into {self.accumulate} equal parts. "
                "Choose accumulate among the divisors of the batch size."
            )
        if not 0 <= self.drop_path < 1:
            raise ConfigError(f"drop_path is {self.drop_path}; expected 0 or more and below 1.")
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("scaling", self.scaling, SCALINGS)
        if not self.views:
            raise ConfigError("A method without views sees nothing. Give one or more.")
        if (self.contrast is None) == (self.distillation is None):
            raise ConfigError(
                f"{self.method} has constants of {'both families' if self.contrast else 'no family'}; expected either contrast "
                "(MoCo) or distillation (DINO). Start from a recipe of it."
            )
        self._check_sensors()

    def _check_sensors(self) -> None:
        """Refuse sensors of a method of one, and one sensor of a method of several."""
        if self.alignment is None and self.sensors:
            raise ConfigError(f"{self.method} trains on one sensor; named are {', '.join(self.sensors)}. Give one (--sensor).")
        if self.alignment is not None and self.distillation is None:
            raise ConfigError(
                f"{self.method} has constants of alignment without distillation (DINO). Start from a recipe of it."
            )
        if self.alignment is not None and self.sensor is not None:
            raise ConfigError(f"{self.method} trains on several sensors; named is {self.sensor} alone. Give all (--sensors).")
        if self.alignment is not None:
            self.alignment.check_part(self.batch_size // self.accumulate)
        if self.alignment is not None and self.sensors:
            self.alignment.check_sensors(self.sensors)

    @property
    def scenes(self) -> int:
        """Scenes that a sample needs."""
        return 1 + max(view.scene for view in self.views)

    @property
    def distinct_dates(self) -> bool:
        """Whether these are of different dates."""
        constants = self.contrast or self.distillation
        assert constants is not None, "checked when made"
        return constants.distinct_dates

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the views, each once, in the order of the views; at last of the one that is aligned."""
        aligned = [self.alignment.size_px] if self.alignment else []
        return tuple(dict.fromkeys([*(view.crop.size_px for view in self.views), *aligned]))

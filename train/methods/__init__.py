"""The methods, each beside its paper: MoCo-v2, MoCo-v2 with temporal positives, and SeCo; DINO, DINO-MC, DINO-TP and X-STARS.

To add one: a module here with a class that meets `protocol.Method`, its views in `views.py` or `crops.py`, a line in `METHODS`,
a recipe in `train.recipes`, and a slow twin of its loss in `tests/reference`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from train.config import TrainConfig
    from train.methods.protocol import Method

METHODS = ("moco", "moco-tp", "seco", "dino", "dino-mc", "dino-tp", "x-stars")
"""Every method, by name."""


def make_method(
    config: TrainConfig,
    bands: int | Mapping[str, int],
    *,
    queue: int,
    backbone: nn.Module | None = None,
    embeddings: Mapping[str, nn.Module] | None = None,
) -> Method:
    """Make a method as a configuration says, on the CPU.

    All that is drawn for it hangs on `config.seed` alone, so every process makes the same; torch's global generator is left as
    it was.

    Args:
        config: Of the training.
        bands: Channels of an image; of several sensors, those of each by its id.
        queue: Keys that are kept, see `state.queue_capacity`; of the MoCo family.
        backbone: One that was made already from weights; none for timm's `config.backbone`, drawn at random.
        embeddings: Of several sensors, patch embeddings that some begin with, see `train.sensor_backbones.share_trunk`.

    Raises:
        ConfigError: The method or backbone is unknown, the views do not fit it, or the batch does not divide the queue.
    """
    import torch

    from train.backbones import backbone_of

    check_method(config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        if config.alignment is not None:
            return _make_aligned(config, bands, backbone, embeddings)
        assert isinstance(bands, int), "a method of one sensor"
        return _make(config, backbone or backbone_of(config, bands), queue=queue)


def check_method(config: TrainConfig) -> None:
    """Refuse a configuration that does not fit its method.

    Raises:
        ConfigError: The method is unknown, or its views, constants or backbone are another family's.
    """
    from train.config import check_choice
    from train.errors import ConfigError
    from train.methods.crops import GLOBAL_SCENES, check_crops
    from train.methods.views import check_views
    from train.sensor_backbones import check_trunk

    check_choice("method", config.method, METHODS)
    needed = "distillation" if config.method in GLOBAL_SCENES else "contrast"
    if getattr(config, needed) is None:
        raise ConfigError(f"{config.method} needs constants of {needed}, which are missing. Start from a recipe of it.")
    if (config.alignment is None) is (config.method == "x-stars"):
        lacks = "needs constants of alignment, which are missing" if config.alignment is None else "aligns no sensors"
        raise ConfigError(f"{config.method} {lacks}. Start from a recipe of it.")
    if config.alignment is not None:
        check_trunk(config.backbone)
    (check_crops if config.method in GLOBAL_SCENES else check_views)(config.method, config.views)


def _make_aligned(
    config: TrainConfig,
    bands: int | Mapping[str, int],
    backbone: nn.Module | None,
    embeddings: Mapping[str, nn.Module] | None,
) -> Method:
    """X-STARS, of a backbone from weights or of one for the sensor that it begins with."""
    from train.backbones import backbone_of
    from train.methods.x_stars import XStars

    assert not isinstance(bands, int), "a method of several sensors"
    assert config.alignment is not None, "of the caller"
    assert config.distillation is not None, "checked when made"
    made = backbone or backbone_of(config, bands[config.alignment.first_encoded(tuple(bands))])
    return XStars(made, bands, distillation=config.distillation, alignment=config.alignment, embeddings=embeddings)


def _make(config: TrainConfig, backbone: nn.Module, *, queue: int) -> Method:
    """The method that a checked configuration names."""
    if config.distillation is not None:
        from train.methods.crops import GLOBAL_SCENES
        from train.methods.dino import Dino

        return Dino(backbone, config.distillation, global_crops=len(GLOBAL_SCENES[config.method]))
    from train.methods.moco import Moco
    from train.methods.seco import Seco

    assert config.contrast is not None, "checked"
    kind = Seco if config.method == "seco" else Moco
    return kind(backbone, config.contrast, queue=queue, batch_size=config.batch_size, seed=config.seed)

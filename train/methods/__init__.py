"""The methods, each beside its paper: MoCo-v2, MoCo-v2 with temporal positives, and SeCo; DINO, DINO-MC and DINO-TP.

To add one: a module here with a class that meets `protocol.Method`, its views in `views.py` or `crops.py`, a line in `METHODS`,
a recipe in `train.recipes`, and a slow twin of its loss in `tests/reference`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from train.config import TrainConfig
    from train.methods.protocol import Method

METHODS = ("moco", "moco-tp", "seco", "dino", "dino-mc", "dino-tp")
"""Every method, by name."""


def make_method(config: TrainConfig, bands: int, *, queue: int, backbone: nn.Module | None = None) -> Method:
    """Make a method as a configuration says, on the CPU.

    All that is drawn for it hangs on `config.seed` alone, so every process makes the same; torch's global generator is left as
    it was.

    Args:
        config: Of the training.
        bands: Channels of an image.
        queue: Keys that are kept, see `state.queue_capacity`; of the MoCo family.
        backbone: One that was made already, such as from weights; none for timm's `config.backbone`, drawn at random.

    Raises:
        ConfigError: The method or backbone is unknown, the views do not fit it, or the batch does not divide the queue.
    """
    import torch

    from train.backbones import backbone_of

    check_method(config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        made = backbone or backbone_of(config, bands)
        return _make(config, made, queue=queue)


def check_method(config: TrainConfig) -> None:
    """Refuse a configuration that does not fit its method.

    Raises:
        ConfigError: The method is unknown, or its views or constants are another family's.
    """
    from train.config import check_choice
    from train.errors import ConfigError
    from train.methods.crops import GLOBAL_SCENES, check_crops
    from train.methods.views import check_views

    check_choice("method", config.method, METHODS)
    needed = "distillation" if config.method in GLOBAL_SCENES else "contrast"
    if getattr(config, needed) is None:
        raise ConfigError(f"{config.method} needs constants of {needed}, which are missing. Start from a recipe of it.")
    (check_crops if config.method in GLOBAL_SCENES else check_views)(config.method, config.views)


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

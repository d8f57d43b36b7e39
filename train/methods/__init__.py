"""The methods, each beside its paper: MoCo-v2, MoCo-v2 with temporal positives, and SeCo.

To add one: a module here with a class that meets `protocol.Method`, its views in `views.py`, a line in `METHODS`, a recipe in
`train.recipes`, and a slow twin of its loss in `tests/reference`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from train.config import TrainConfig
    from train.methods.protocol import Method

METHODS = ("moco", "moco-tp", "seco")
"""Every method, by name."""


def make_method(config: TrainConfig, bands: int, *, queue: int, backbone: nn.Module | None = None) -> Method:
    """Make a method as a configuration says, on the CPU.

    All that is drawn for it hangs on `config.seed` alone, so every process makes the same; torch's global generator is left as
    it was.

    Args:
        config: Of the training.
        bands: Channels of an image.
        queue: Keys that are kept, see `state.queue_capacity`.
        backbone: One that was made already, such as from weights; none for timm's `config.backbone`, drawn at random.

    Raises:
        ConfigError: The method or backbone is unknown, the views do not fit it, or the batch does not divide the queue.
    """
    import torch

    from train.backbones import backbone_of
    from train.config import check_choice
    from train.methods.moco import Moco
    from train.methods.seco import Seco
    from train.methods.views import check_views

    check_choice("method", config.method, METHODS)
    check_views(config.method, config.views)
    kind = Seco if config.method == "seco" else Moco
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        made = backbone or backbone_of(config, bands)
        return kind(made, config.contrast, queue=queue, batch_size=config.batch_size, seed=config.seed)

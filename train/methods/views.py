"""The views that each method asks for, as the papers' code makes them, and whether a configuration's views fit its method."""

from __future__ import annotations

from collections.abc import Sequence

from train.config import Crop, Photometric, View
from train.errors import ConfigError

AUGMENTED = Photometric(
    jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grayscale=0.2, blur=0.5, blur_sigma=(0.1, 2.0)
)
"""MoCo-v2's synthetic augmentation."""
SCALE = (0.2, 1.0)
"""Share of the patch that a view shows."""


def moco_views(size_px: int, photometric: Photometric = AUGMENTED) -> tuple[View, ...]:
    """Two augmented views of one date.

    Args:
        size_px: Side of a view.
        photometric: What is done to their values.

    References:
        Chen et al., Improved Baselines with Momentum Contrastive Learning, https://arxiv.org/abs/2003.04297
    """
    return (_augmented("query", 0, size_px, photometric), _augmented("key", 0, size_px, photometric))


def moco_tp_views(size_px: int, photometric: Photometric = AUGMENTED) -> tuple[View, ...]:
    """Augmented views of two dates: arguments as of `moco_views`.

    References:
        Mañas et al., Seasonal Contrast, section 4.1, https://arxiv.org/abs/2103.16607
    """
    return (_augmented("query", 0, size_px, photometric), _augmented("key", 1, size_px, photometric))


def seco_views(size_px: int, photometric: Photometric = AUGMENTED) -> tuple[View, ...]:
    """The query and SeCo's three keys, of the dates t0, t1 and t2.

    Every view is cut at random. The query (t0) and key 1 (t2) have nothing else done to them, neither flip nor colour, so that
    they differ by season; key 2 (t0 augmented) differs from the query by augmentation, key 0 (t1 augmented) by both.

    Args:
        size_px: Side of a view.
        photometric: What is done to the values of the augmented ones.

    References:
        Mañas et al., Seasonal Contrast, section 3.2, https://arxiv.org/abs/2103.16607; released code,
        `datasets/seco_dataset.py`.
    """
    return (
        _as_it_is("query", 0, size_px),
        _augmented("key_0", 1, size_px, photometric),
        _as_it_is("key_1", 2, size_px),
        _augmented("key_2", 0, size_px, photometric),
    )


SCENES = {"moco": (0, 0), "moco-tp": (0, 1), "seco": (0, 1, 2, 0)}
"""Which of the drawn scenes each view of a method shows: the query, then the keys."""


def check_views(method: str, views: Sequence[View]) -> None:
    """Refuse views that the method's loss would misread.

    Args:
        method: One of `SCENES`.
        views: Of a configuration.

    Raises:
        ConfigError: There are too few or too many, they show other scenes, or their sizes differ.
    """
    expected, found = SCENES[method], tuple(view.scene for view in views)
    if found != expected:
        raise ConfigError(
            f"{method} takes {len(expected)} views, of the scenes {_listed(expected)} (the query, then its keys); the "
            f"configuration has {len(found)}, of the scenes {_listed(found)}. Start from a recipe of {method}."
        )
    sizes = sorted({view.crop.size_px for view in views})
    if len(sizes) > 1:
        raise ConfigError(f"Views of {_listed(sizes)} px cannot be compared by {method}. Give all of them one size.")


def _augmented(name: str, scene: int, size_px: int, photometric: Photometric) -> View:
    return View(name, scene, Crop(size_px, SCALE, flip=0.5), photometric)


def _as_it_is(name: str, scene: int, size_px: int) -> View:
    return View(name, scene, Crop(size_px, SCALE, flip=0.0))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)

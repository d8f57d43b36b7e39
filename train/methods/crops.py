"""The crops that each method of the DINO family asks for, as the papers' code makes them, and whether a configuration's fit it.

The global crops come first, as many as `GLOBAL_SCENES` says, and the teacher sees those alone. Their number is nowhere else:
the released code of DINO-TP has an option for it, whose default of 2 mixes up the views of a method that has 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from train.config import Crop, Photometric, View
from train.errors import ConfigError
from train.methods.views import AUGMENTED

GLOBAL_SCENES = {"dino": (0, 0), "dino-mc": (0, 0), "dino-tp": (1, 2, 0), "x-stars": (0, 0)}
"""Which of the drawn scenes each global crop of a method shows; local crops show scene 0. Of several sensors, of each."""
GLOBAL_PX = 224
LOCAL_PX = 96
DINO_SCALES = ((0.4, 1.0), (0.05, 0.4))
"""Share of the patch that a global and that a local crop shows, in DINO."""
LOCAL_SIZES_PX = (184, 164, 144, 124, 104, 84)
"""Of DINO-MC's six local crops."""
MC_SCALES = ((0.32, 1.0), (0.05, 0.32))
"""As `DINO_SCALES`, of DINO-MC."""
JITTER = Photometric(jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, grayscale=0.2)
FIRST = replace(JITTER, blur=1.0)
"""What is done to the first global crop."""
FURTHER = replace(JITTER, blur=0.1, solarize=0.2)
"""What is done to every further global crop."""
LOCAL = replace(JITTER, blur=0.5)
"""What DINO does to local crops."""
STRONG = replace(LOCAL, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
"""What DINO-MC does to them."""
PLAIN = Photometric()


def dino_views(size_px: int = GLOBAL_PX, local_sizes: Sequence[int] = (LOCAL_PX,) * 8) -> tuple[View, ...]:
    """Two global crops and some local ones of one date.

    Args:
        size_px: Side of a global crop.
        local_sizes: Side of each local crop.

    References:
        Caron et al., DINO, section 3.2, https://arxiv.org/abs/2104.14294; released code, `DataAugmentationDINO`.
    """
    wide, narrow = (Crop(size_px, scale, interpolation="bicubic") for scale in DINO_SCALES)
    locals_ = [replace(narrow, size_px=each) for each in local_sizes]
    return (*_globals("dino", wide, (FIRST, FURTHER)), *_locals(locals_, LOCAL))


def dino_mc_views(size_px: int = GLOBAL_PX, local_sizes: Sequence[int] = LOCAL_SIZES_PX) -> tuple[View, ...]:
    """Two global crops, and local ones of several sizes with stronger colour jitter, of one date: arguments as of `dino_views`.

    References:
        Wanyan et al., section 3.2, https://arxiv.org/abs/2303.06670; released code, `main_dino_mc.py`.
    """
    return (*_globals("dino-mc", _wide(size_px), (FIRST, FURTHER)), *_locals(_narrow(local_sizes), STRONG))


def dino_tp_views(size_px: int = GLOBAL_PX, local_sizes: Sequence[int] = LOCAL_SIZES_PX) -> tuple[View, ...]:
    """Three global crops of three dates, and local ones of the third: arguments as of `dino_views`. Colours as in DINO-MC."""
    return (*_globals("dino-tp", _wide(size_px), (FIRST, FURTHER, FURTHER)), *_locals(_narrow(local_sizes), STRONG))


def dino_tp_2024_views(size_px: int = GLOBAL_PX, local_sizes: Sequence[int] = LOCAL_SIZES_PX) -> tuple[View, ...]:
    """As `dino_tp_views`, changed as SeCo's keys are: t1 and t0 augmented, t2 as it is; local crops of t0 as it is.

    References:
        Wanyan et al., section 3.3, https://arxiv.org/abs/2303.06670; released code, `data_process/dino_dataset.py`.
    """
    crops = _globals("dino-tp", _wide(size_px), (AUGMENTED, PLAIN, AUGMENTED))
    as_they_are = [replace(crop, flip=0.0) for crop in _narrow(local_sizes)]
    second = replace(crops[1], crop=replace(crops[1].crop, flip=0.0))
    return (crops[0], second, crops[2], *_locals(as_they_are, PLAIN))


def check_crops(method: str, views: Sequence[View]) -> None:
    """Refuse views that the loss would misread.

    Args:
        method: One of `GLOBAL_SCENES`.
        views: Of a configuration.

    Raises:
        ConfigError: The first views are not the global crops of the method, of one size; or a local crop shows another date or
            is larger than a global one.
    """
    expected = GLOBAL_SCENES[method]
    first, rest = views[: len(expected)], views[len(expected) :]
    found, sizes = tuple(view.scene for view in first), {view.crop.size_px for view in first}
    if found != expected or len(sizes) > 1:
        raise ConfigError(
            f"{method} takes {len(expected)} global crops first, of the scenes {_listed(expected)} and of one size; the "
            f"configuration begins with scenes {_listed(found)}, of {_listed(view.crop.size_px for view in first)} px. Start "
            f"from a recipe of {method}."
        )
    for view in rest:
        if view.scene != 0 or view.crop.size_px > max(sizes):
            raise ConfigError(
                f"Local crop {view.name} is of scene {view.scene} and {view.crop.size_px} px; {method} takes those of scene 0, "
                f"up to the {max(sizes)} px of its global crops. Start from a recipe of {method}."
            )


def with_local_sizes(views: Sequence[View], sizes: Sequence[int], *, method: str) -> tuple[View, ...]:
    """Views with local crops of other sizes, as many as there are sizes, made as the last one is.

    Args:
        views: Of the method, with a local crop.
        sizes: Side of each, pixels.
        method: One of `GLOBAL_SCENES`.
    """
    count = len(GLOBAL_SCENES[method])
    assert len(views) > count, "recipes have local crops"
    crops = [replace(views[-1].crop, size_px=size_px) for size_px in sizes]
    return (*views[:count], *_locals(crops, views[-1].photometric))


def fit_local_sizes(views: Sequence[View], multiple: int, *, method: str) -> tuple[View, ...]:
    """Views whose local crops are brought to the next lower multiple of a patch, of which a network would lose the rest.

    Args:
        views: Of the method.
        multiple: Side of a patch, pixels.
        method: One of `GLOBAL_SCENES`.

    Raises:
        ConfigError: A local crop is smaller than a patch.
    """
    count = len(GLOBAL_SCENES[method])
    fitted = list(views[:count])
    for view in views[count:]:
        lower = view.crop.size_px // multiple * multiple
        if not lower:
            raise ConfigError(
                f"Local crop {view.name} of {view.crop.size_px} px is smaller than a patch of {multiple} px. Choose "
                f"--local-sizes of {multiple} and more, or a backbone with smaller patches."
            )
        fitted.append(replace(view, crop=replace(view.crop, size_px=lower)))
    return tuple(fitted)


def _wide(size_px: int) -> Crop:
    return Crop(size_px, MC_SCALES[0], interpolation="bicubic")


def _narrow(sizes: Sequence[int]) -> list[Crop]:
    return [Crop(size_px, MC_SCALES[1]) for size_px in sizes]


def _globals(method: str, crop: Crop, changes: Sequence[Photometric]) -> list[View]:
    rows = enumerate(zip(GLOBAL_SCENES[method], changes, strict=True))
    return [View(f"global_{number}", scene, crop, change) for number, (scene, change) in rows]


def _locals(crops: Sequence[Crop], change: Photometric) -> list[View]:
    return [View(f"local_{number}", 0, crop, change) for number, crop in enumerate(crops)]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)

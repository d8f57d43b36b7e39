"""What is done to the values of a view: jitter in its drawn order, grayscale, blur, solarise.

Values are reflectance scaled to [0, 1]; they are normalised afterwards. Red, green and blue, where the input has them, come
first and are treated as torchvision treats an image. Every further band has a gain and an offset of its own where the jitter
was drawn, takes part in blur and solarise, and under grayscale becomes the mean of the further bands.

The same functions run in two ways: one sample after the other with plain numbers, where nothing that was not drawn costs
anything and a sample stays in the cache (CPU), or a batch at once, each change on just the samples it was drawn for (GPU).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from catalogs.bands import SENSORS
from train.blur import blur, blur_one
from train.color import Number, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, remove_color, solarize
from train.parameters import COLUMNS, NEUTRAL, OPERATIONS, PER_BAND, ViewParameters

ADJUST: dict[str, Callable[[Tensor, Number], None]] = {
    "brightness": adjust_brightness, "contrast": adjust_contrast, "saturation": adjust_saturation, "hue": adjust_hue,
}  # fmt: skip


def find_rgb(sensor: str, bands: Sequence[str]) -> tuple[int, int, int] | None:
    """Positions of red, green and blue among bands, by the sensor's common names or by their own.

    Args:
        sensor: Its id; one that `catalogs` does not know has no common names.
        bands: Names of the channels.

    Returns:
        None where one of the three is missing.
    """
    known = {band.name: band.common_name for band in SENSORS[sensor].bands} if sensor in SENSORS else {}
    names = [known.get(band) or band for band in bands]
    if not {"red", "green", "blue"} <= set(names):
        return None
    return names.index("red"), names.index("green"), names.index("blue")


def change_one(image: Tensor, row: Sequence[float], *, rgb: bool, bands: Sequence[int]) -> Tensor:
    """Change the values of one image as drawn.

    Args:
        image: (bands, height, width) in [0, 1], changed in place; red, green, blue first if `rgb`.
        row: Of `ViewParameters.host`, as Python floats.
        rgb: Whether the first three bands are red, green and blue.
        bands: For each band of `image`, its number among the drawn gains and offsets.

    Returns:
        The image, perhaps in other memory.
    """
    _change_further_bands(image, row, bands, first=3 if rgb else 0)
    for turn in row[COLUMNS["order"]] if rgb else ():
        name = OPERATIONS[int(turn)]
        factor = row[COLUMNS[name].start]
        if factor != NEUTRAL.get(name, 0.0):
            ADJUST[name](image[:3], factor)
    if row[COLUMNS["grayscale"].start]:
        remove_color(image, rgb=rgb)
    if row[COLUMNS["sigma"].start]:
        image = blur_one(image, row[COLUMNS["sigma"].start])
    if row[COLUMNS["solarize"].start]:
        solarize(image)
    return image


def change_batch(images: Tensor, parameters: ViewParameters, *, rgb: bool, bands: Tensor) -> Tensor:
    """Change the values of a batch as drawn; the same numbers as `change_one`, sample by sample.

    Args:
        images: (batch, bands, height, width) in [0, 1], changed in place; red, green, blue first if `rgb`.
        parameters: Of the batch.
        rgb: Whether the first three bands are red, green and blue.
        bands: For each band of `images`, its number among the drawn gains and offsets, where the pixels are.
    """
    first = 3 if rgb else 0
    if parameters.has_gains and len(bands) > first:
        gain, offset = (parameters.bands(name)[:, bands[first:], None, None] for name in ("gain", "offset"))
        images[:, first:].mul_(gain).add_(offset).clamp_(0, 1)
    for name, rows in parameters.groups():
        if name in OPERATIONS and not rgb:
            continue
        number = parameters.column(name)[rows]
        chosen = images[:, :3] if name in OPERATIONS else images
        part = chosen[rows]
        chosen.index_copy_(0, rows, _change_part(part, name, number, rgb=rgb))
    return images


def _change_part(part: Tensor, name: str, number: Tensor, *, rgb: bool) -> Tensor:
    """One change on the samples that it was drawn for; `number` is (samples, 1)."""
    if name == "sigma":
        return blur(part, number[:, 0])
    if name in ADJUST:
        ADJUST[name](part, number[..., None, None])
    elif name == "grayscale":
        remove_color(part, rgb=rgb)
    else:
        solarize(part)
    return part


def _change_further_bands(image: Tensor, row: Sequence[float], bands: Sequence[int], *, first: int) -> None:
    count = (len(row) - PER_BAND) // 3
    for plane, band in zip(image[first:], bands[first:], strict=True):
        gain, offset = row[PER_BAND + band], row[PER_BAND + count + band]
        if (gain, offset) != (1.0, 0.0):
            plane.mul_(gain).add_(offset).clamp_(0, 1)

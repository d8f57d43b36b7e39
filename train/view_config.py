"""What a view is, and what weights expect of their input: frozen records, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.checks import check_choice, check_probability, check_range
from train.errors import ConfigError

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True, slots=True)
class Crop:
    """How a view is cut: a random box, resized, perhaps flipped (torchvision's `RandomResizedCrop`)."""

    size_px: int
    """Side of the view."""
    scale: tuple[float, float] = (0.2, 1.0)
    """Least and greatest share of the patch's area."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and greatest width over height."""
    interpolation: str = "bilinear"
    """`bilinear` or `bicubic`, antialiased."""
    flip: float = 0.5
    """Probability of a horizontal flip."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A size, share or ratio is out of range, or the interpolation is unknown.
        """
        check_range("crop scale", self.scale, 0.0, 1.0)
        if self.size_px < 1:
            raise ConfigError(f"A view of {self.size_px} px has no pixels. Give a size above 0.")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ConfigError(f"Crop ratio {self.ratio} is no range of width over height. Give two positive numbers in order.")
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        check_probability("flip", self.flip)


@dataclass(frozen=True, slots=True)
class Photometric:
    """What is done to the values of a view, in reflectance scaled to [0, 1], before normalising."""

    jitter: float = 0.0
    """Probability of the jitter."""
    brightness: float = 0.0
    """Factor from 1 - x to 1 + x, on red, green and blue; the gain of every further band."""
    contrast: float = 0.0
    """Factor from 1 - x to 1 + x towards the mean luminance, on red, green and blue."""
    saturation: float = 0.0
    """Factor from 1 - x to 1 + x towards gray, on red, green and blue."""
    hue: float = 0.0
    """Shift from -x to x of a turn, on red, green and blue."""
    band_offset: float = 0.0
    """Offset from -x to x of every band beyond red, green and blue, apart."""
    grayscale: float = 0.0
    """Probability that colour is taken away."""
    blur: float = 0.0
    """Probability of a Gaussian blur."""
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Least and greatest standard deviation of the blur, pixels of the view."""
    solarize: float = 0.0
    """Probability that values of 0.5 and above are turned round: x to 1 - x."""
    drop_band: float = 0.0
    """Probability that a band is set to its mean, each apart; one at least stays."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: A probability is outside 0 to 1, or a strength is negative.
        """
        for name in ("jitter", "grayscale", "blur", "solarize", "drop_band"):
            check_probability(name, getattr(self, name))
        for name in ("brightness", "contrast", "saturation", "hue", "band_offset"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        if self.hue > 0.5:
            raise ConfigError(f"hue is {self.hue}; expected at most 0.5, half a turn.")
        if not 0 < self.blur_sigma[0] <= self.blur_sigma[1]:
            raise ConfigError(f"blur_sigma is {self.blur_sigma}; expected two positive numbers in order.")


@dataclass(frozen=True, slots=True)
class View:
    """One view of a sample: which of its scenes, how cut, how coloured."""

    name: str
    """Such as `query`, `key_0`."""
    scene: int
    """Which of the scenes drawn for the sample, from 0."""
    crop: Crop
    """How it is cut."""
    photometric: Photometric = field(default_factory=Photometric)
    """What is done to its values."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What weights expect of their input: enough to feed them from raw numbers, with nothing to guess."""

    sensor: str
    """Id of the sensor, such as `sentinel-2-l2a`."""
    bands: tuple[str, ...]
    """Names of the channels, in their order."""
    low: tuple[float, ...]
    """Reflectance that becomes 0, of each band; less is clipped."""
    high: tuple[float, ...]
    """Reflectance that becomes 1, of each band; more is clipped."""
    mean: tuple[float, ...]
    """Subtracted from the scaled value, of each band."""
    std: tuple[float, ...]
    """The scaled value less `mean` is divided by it, of each band."""
    size_px: int
    """Side of the image that features are computed from."""
    interpolation: str = "bilinear"
    """How images are resized to `size_px`, antialiased."""

    def __post_init__(self) -> None:
        """Check that every band has its numbers.

        Raises:
            ConfigError: Counts differ, a range is empty, or a standard deviation is not positive.
        """
        for name in ("low", "high", "mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                raise ConfigError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.bands)} bands: give one per band."
                )
        for band, low, high, std in zip(self.bands, self.low, self.high, self.std, strict=True):
            if not low < high:
                raise ConfigError(f"Band {band} is scaled from {low} to {high}; expected a low value below the high one.")
            if not std > 0:
                raise ConfigError(f"Band {band} has standard deviation {std}; expected more than 0. Is the band constant?")
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)

"""From raw patches to what a network sees: cut, scaled, coloured, normalised, on the device.

The order of things, for every band: the patch's box · DN to reflectance by the item's scale and offset · reflectance to [0, 1]
by the input's low and high, clipped · antialiased resize and flip · photometric changes · mean and standard deviation. Bands
of coarser layers are cut by the same box on the ground, on fractions of their pixels where need be.

Where pixels may be missing, validity goes through the same geometry (normalised convolution): an output pixel is valid where at
least half of the kernel's weight lay on valid pixels. Others have the band's mean, before the photometric changes and after.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from catalogs.layers import Layer
from train.config import InputSpec, View
from train.cutting import Cutter
from train.parameters import ViewParameters, draw_parameters, neutral_parameters
from train.patches import Patches, Target
from train.photometric import change_batch, change_one
from train.scaling import measure_input

__all__ = ["ViewMaker", "ViewParameters", "draw_parameters", "measure_input", "whole_view"]


def whole_view(
    pixels: Sequence[Tensor], scale: Tensor, offset: Tensor, *, spec: InputSpec, layers: Sequence[Layer], all_valid: bool
) -> Tensor:
    """Whole patches as features are computed from them: scaled, resized, normalised, nothing drawn.

    What weights are trained on differs from this by what was drawn and by nothing else; exported weights repeat it from the
    numbers of `spec` alone.

    Args:
        pixels: Of each layer, (batch, bands, height, width), native type, all on one device.
        scale: (batch, bands) in the order of `spec.bands`; `scale * DN + offset` is reflectance.
        offset: (batch, bands).
        spec: The input that the weights expect.
        layers: What the patches come in, finest first; together they have the bands of `spec`, in any order.
        all_valid: Whether every pixel is known to be a measurement; otherwise that is found out.

    Returns:
        (batch, bands, size, size), float32, 0 (the band's mean) where there is no measurement.
    """
    neutral = neutral_parameters(len(scale), height=layers[0].height, width=layers[0].width, bands=len(spec.bands))
    patches = Patches(pixels, scale, offset, all_valid)
    target = Target(spec.size_px, spec.interpolation)
    return ViewMaker(spec, layers).make(patches, target, neutral.to(scale.device))[0]


class ViewMaker:
    """Makes views of patches for one kind of input.

    Bands are worked on layer by layer, red, green and blue first, and put into the input's order at the end.
    """

    def __init__(self, spec: InputSpec, layers: Sequence[Layer], *, batched: bool | None = None) -> None:
        """Say what comes in and what goes out.

        Args:
            spec: The input that the network expects.
            layers: What the patches come in, finest first; together they have the bands of `spec`, in any order.
            batched: Work on whole batches rather than sample by sample; where absent, on everything but a CPU.
        """
        self.spec = spec
        self.batched = batched
        self._cutter = Cutter(spec, layers)

    def __call__(  # noqa: PLR0917  three of what is seen, two of what is drawn
        self,
        pixels: Sequence[Tensor],
        scale: Tensor,
        offset: Tensor,
        view: View,
        parameters: ViewParameters,
        *,
        all_valid: bool,
        out: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Make one view of a batch.

        Args:
            pixels: See `Patches`, as for the next two.
            scale: (batch, bands).
            offset: (batch, bands).
            view: Which view it is.
            parameters: What was drawn for it, on the pixels' device.
            all_valid: See `Patches`.
            out: Where the view is written, in any memory format. New memory, where absent, is a third of the time on a CPU.

        Returns:
            The view, (batch, bands, size, size), float32, normalised, 0 where a band is invalid; and where all its bands are
            valid, (batch, size, size), None if `all_valid`.
        """
        patches = Patches(pixels, scale, offset, all_valid)
        return self.make(patches, Target(view.crop.size_px, view.crop.interpolation), parameters, out=out)

    @torch.no_grad()
    def make(
        self, patches: Patches, target: Target, parameters: ViewParameters, *, out: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As the call, for any target."""
        if out is None:
            size = (len(parameters), len(self.spec.bands), target.size_px, target.size_px)
            out = torch.empty(size, device=patches.scale.device)
        batched = patches.scale.device.type != "cpu" if self.batched is None else self.batched
        make = self._make_batch if batched else self._make_each
        return out, make(patches, target, parameters, out)

    def _make_each(self, patches: Patches, target: Target, parameters: ViewParameters, out: Tensor) -> Tensor | None:
        """Sample by sample: each stays in the cache from its first number to its last."""
        valid = None if patches.all_valid else torch.ones(len(out), *out.shape[2:], dtype=torch.bool)
        rows = parameters.host.tolist()
        for number, (image, seen) in enumerate(self._cutter.cut_each(patches, target, parameters)):
            changed = change_one(image, rows[number], rgb=self._cutter.rgb, bands=self._cutter.channels)
            self._finish_one(changed, seen, rows[number], out=out[number])
            if valid is not None and seen is not None:
                torch.all(seen, dim=0, out=valid[number])
        return valid

    def _finish_one(self, image: Tensor, seen: Tensor | None, row: Sequence[float], *, out: Tensor) -> None:
        """Normalise a sample and put its bands into the input's order."""
        constants = self._cutter.constants(image.device)
        image.sub_(constants.mean)
        if seen is not None:
            image.masked_fill_(~seen, 0)
        if self._cutter.in_order:
            torch.mul(image, constants.rate, out=out)
        else:
            out.index_copy_(0, constants.channels, image.mul_(constants.rate))
        for channel, kept in enumerate(row[-len(out) :]):
            if not kept:
                out[channel].zero_()

    def _make_batch(self, patches: Patches, target: Target, parameters: ViewParameters, out: Tensor) -> Tensor | None:
        """The whole batch, without a question to the device."""
        constants = self._cutter.constants(out.device)
        image, seen = self._cutter.cut_batch(patches, target, parameters)
        image = change_batch(image, parameters, rgb=self._cutter.rgb, bands=constants.channels)
        image.sub_(constants.mean).mul_(constants.rate)
        if seen is not None:
            image.masked_fill_(~seen, 0)
        out.index_copy_(1, constants.channels, image)
        if parameters.drops_bands:
            out.mul_(parameters.bands("kept")[..., None, None])
        return None if seen is None else seen.all(1)

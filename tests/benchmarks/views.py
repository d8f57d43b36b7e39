"""Cost of making views beside torchvision on Pillow images: `python -m tests.benchmarks.views`.

One core, CPU time, patches of 264 px in memory, the augmentation of MoCo-v2 and SeCo: crop of 20 to 100 % of the area, jitter
0.4/0.4/0.4/0.1 for 80 %, grayscale for 20 %, blur of 0.1 to 2 px for 50 %, flip for 50 %. Ours counts drawing, cutting,
changing and normalising; theirs the same by torchvision's transforms with the blur of the released code. Both write float32
batches into memory that is there. Before they are timed, our views are compared with torchvision's float path for the same
draws, and those that are only cut and flipped with Pillow's too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import functional as tv

from catalogs.layers import Layer
from tests.benchmarks.machine import asked, describe_machine
from tests.train.references import torchvision_view
from train.config import Crop, InputSpec, Photometric, View
from train.parameters import COLUMNS
from train.views import ViewMaker, draw_parameters

PATCH_PX = 264
SAMPLES = 64
ROUNDS = 11
RGB = ("red", "green", "blue")
LAW = Photometric(jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grayscale=0.2, blur=0.5)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_patches(bands: int) -> np.ndarray:
    """Patches with detail at every scale, (samples, bands, 264, 264) uint8."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(PATCH_PX)[:, None], np.fft.rfftfreq(PATCH_PX)[None])
    noise = np.fft.rfft2(rng.normal(size=(SAMPLES, bands, PATCH_PX, PATCH_PX)))
    fields = np.fft.irfft2(noise / (frequency + 1 / PATCH_PX), s=(PATCH_PX, PATCH_PX))
    return np.clip(110 + 45 * fields / fields.std(axis=(-2, -1), keepdims=True), 0, 255).astype(np.uint8)


class Ours:
    """Views of one kind from patches whose first three bands are red, green and blue."""

    def __init__(self, bands: int, view: View) -> None:
        names, more = (*RGB, *(f"band{number}" for number in range(3, bands))), bands - 3
        mean, std = MEAN + (0.45,) * more, STD + (0.225,) * more
        spec = InputSpec("made-up", names, (0.0,) * bands, (1.0,) * bands, mean, std, view.crop.size_px)
        self.maker = ViewMaker(spec, [Layer(10, names, "uint8", PATCH_PX, PATCH_PX, (None,) * bands)])
        self.view, self.bands = view, bands
        self.pixels = torch.from_numpy(make_patches(bands))
        self.scale, self.offset = torch.full((SAMPLES, bands), 1 / 255), torch.zeros(SAMPLES, bands)
        self.made = torch.empty(SAMPLES, bands, view.crop.size_px, view.crop.size_px)
        self.host = np.empty(0)

    def __call__(self) -> None:
        keys = np.arange(SAMPLES, dtype=np.uint64)
        drawn = draw_parameters([self.view], seed=0, epoch=0, locations=keys, size_px=PATCH_PX, bands=self.bands)
        self.host = drawn[0].host
        self.maker([self.pixels], self.scale, self.offset, self.view, drawn[0], all_valid=True, out=self.made)


class PillowBlur:
    """As in the code of MoCo-v2 and SeCo."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


class Theirs:
    """torchvision's transforms on Pillow images."""

    def __init__(self, size_px: int, *, full: bool) -> None:
        self.images = [Image.fromarray(patch.transpose(1, 2, 0)) for patch in make_patches(3)]
        jitter = transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)
        colors = [jitter, transforms.RandomGrayscale(0.2), transforms.RandomApply([PillowBlur()], p=0.5)]
        crop = transforms.RandomResizedCrop(size_px, scale=(0.2, 1.0))
        end = [transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        self.transform = transforms.Compose([crop, *(colors if full else []), *end])
        self.made = torch.empty(SAMPLES, 3, size_px, size_px)

    def __call__(self) -> None:
        for image, out in zip(self.images, self.made, strict=True):
            out.copy_(self.transform(image))


def cpu_ms(actions: Sequence[Callable[[], object]]) -> list[float]:
    """CPU milliseconds per view of each action: the best of some rounds, in turn."""
    best = [float("inf")] * len(actions)
    for _ in range(ROUNDS):
        for number, action in enumerate(actions):
            start = time.process_time()
            action()
            best[number] = min(best[number], 1e3 * (time.process_time() - start) / SAMPLES)
    return best


def differences(ours: Ours, expect: Callable[[Tensor, np.ndarray], Tensor]) -> tuple[float, float]:
    """Mean and largest difference of the views that are timed from what is expected of a patch and its draws, in 1/255."""
    ours()
    made = ours.made * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    expected = torch.stack([expect(patch, row) for patch, row in zip(ours.pixels, ours.host, strict=True)])
    found = (made - expected).abs() * 255
    return found.mean().item(), found.max().item()


def pillow_view(patch: Tensor, row: np.ndarray, size_px: int) -> Tensor:
    """A view that is only cut and flipped, by Pillow."""
    box = [int(side) for side in row[COLUMNS["box"]]]
    image = tv.resized_crop(Image.fromarray(patch.permute(1, 2, 0).numpy()), *box, [size_px, size_px])
    return tv.to_tensor(tv.hflip(image) if row[COLUMNS["flip"].start] else image)


def compare(size_px: int, *, full: bool) -> tuple[float, float, float, float]:
    """Check that the views are the right ones, then time them.

    Returns:
        Milliseconds of ours and of Pillow, mean and largest difference of ours from torchvision's floats in 1/255.
    """
    view = View("query", 0, Crop(size_px), LAW if full else Photometric())
    ours, theirs = Ours(3, view), Theirs(size_px, full=full)
    mean, largest = differences(ours, lambda patch, row: torchvision_view(patch / 255, row, view.crop))
    assert mean < 0.01, f"not torchvision's views: {mean}/255 apart"
    if not full:
        apart = differences(ours, lambda patch, row: pillow_view(patch, row, size_px))
        assert apart[0] <= 0.35, f"not Pillow's views: {apart[0]}/255 apart"
        assert apart[1] <= 1.01, f"not Pillow's views: {apart[1]}/255 apart at most"
    mine, pillow = cpu_ms([ours, theirs])
    return mine, pillow, mean, largest


def main() -> None:
    """Print one line per kind of view."""
    asked(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    torch.empty(7 << 20).fill_(0)  # so that malloc keeps what is freed, as in any process that trains; for both
    print(describe_machine(), f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}")
    print("law | size px | ours ms | Pillow ms | times faster | mean and largest difference from torchvision's floats, /255")
    for full in (False, True):
        for size_px in (96, 224):
            mine, pillow, mean, largest = compare(size_px, full=full)
            name = "full" if full else "crop"
            print(f"{name} | {size_px} | {mine:.2f} | {pillow:.2f} | {pillow / mine:.1f} | {mean:.5f}, {largest:.4f}")
    print("bands | ours ms at 96 px | at 224 px")
    for bands in (3, 4, 6, 12):
        small, large = cpu_ms([Ours(bands, View("query", 0, Crop(size_px), LAW)) for size_px in (96, 224)])
        print(f"{bands} | {small:.2f} | {large:.2f}")


if __name__ == "__main__":
    main()

"""Cost of making views beside torchvision on Pillow images: `python -m tests.benchmarks.views`.

One core, CPU time, patches of 264 px in memory, the augmentation of MoCo-v2 and SeCo: crop of 20 to 100 % of the area, jitter
0.4/0.4/0.4/0.1 for 80 %, grayscale for 20 %, blur of 0.1 to 2 px for 50 %, flip for 50 %. Ours counts drawing, cutting, changing
and normalising; theirs counts the same in torchvision's transforms, with the blur of the released code. The views that were
timed are compared with torchvision's float path in the same run, and those that were only cut with Pillow's too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torchvision
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import v2

from catalogs.layers import Layer
from tests.benchmarks.machine import describe_machine
from tests.train.references import torchvision_view
from train.config import Crop, InputSpec, Photometric, View
from train.views import ViewMaker, draw_parameters

PATCH_PX = 264
SAMPLES = 64
ROUNDS = 9
RGB = ("red", "green", "blue")
LAW = Photometric(jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grayscale=0.2, blur=0.5)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_patches(bands: int) -> np.ndarray:
    """Patches with detail at every scale, (samples, bands, 264, 264) uint8."""
    rng = np.random.default_rng(0)
    frequencies = np.hypot(np.fft.fftfreq(PATCH_PX)[:, None], np.fft.rfftfreq(PATCH_PX)[None])
    noise = np.fft.rfft2(rng.normal(size=(SAMPLES, bands, PATCH_PX, PATCH_PX)))
    fields = np.fft.irfft2(noise / (frequencies + 1 / PATCH_PX), s=(PATCH_PX, PATCH_PX))
    fields /= fields.std(axis=(-2, -1), keepdims=True)
    return np.clip(110 + 45 * fields, 0, 255).astype(np.uint8)


def make_view(size_px: int, *, full: bool) -> View:
    """The whole law, or crop and flip alone."""
    return View("query", 0, Crop(size_px), LAW if full else Photometric())


def make_maker(bands: int) -> ViewMaker:
    """Of patches whose first three bands are red, green and blue."""
    names = (*RGB, *(f"band{number}" for number in range(3, bands)))
    further = bands - 3
    spec = InputSpec(
        "made-up", names, (0.0,) * bands, (1.0,) * bands, MEAN + (0.45,) * further, STD + (0.225,) * further, PATCH_PX
    )
    return ViewMaker(spec, [Layer(10, names, "uint8", PATCH_PX, PATCH_PX, (None,) * bands)])


class Ours:
    """Views of one kind from patches of some bands."""

    def __init__(self, bands: int, view: View) -> None:
        self.pixels = torch.from_numpy(make_patches(bands))
        self.scale, self.offset = torch.full((SAMPLES, bands), 1 / 255), torch.zeros(SAMPLES, bands)
        self.maker, self.view, self.bands = make_maker(bands), view, bands
        self.locations = np.arange(SAMPLES, dtype=np.uint64)

    def draw(self):
        """Its parameters."""
        drawn = draw_parameters([self.view], seed=0, epoch=0, locations=self.locations, size_px=PATCH_PX, bands=self.bands)
        return drawn[0]

    def __call__(self) -> Tensor:
        return self.maker([self.pixels], self.scale, self.offset, self.view, self.draw(), all_valid=True)[0]


class PillowBlur:
    """As in the code of MoCo-v2 and SeCo."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


class Theirs:
    """torchvision's transforms on Pillow images."""

    def __init__(self, size_px: int, *, full: bool) -> None:
        self.images = [Image.fromarray(patch.transpose(1, 2, 0)) for patch in make_patches(3)]
        colors = [
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([PillowBlur()], p=0.5),
        ]
        self.transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.RandomResizedCrop(size_px, scale=(0.2, 1.0)),
                *(colors if full else []),
                torchvision.transforms.RandomHorizontalFlip(),
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize(MEAN, STD),
            ]
        )

    def __call__(self) -> list[Tensor]:
        return [self.transform(image) for image in self.images]


def cpu_ms(actions: list[Callable[[], object]]) -> list[float]:
    """CPU milliseconds per view of each action, the best of some rounds in turn."""
    best = [float("inf")] * len(actions)
    for _ in range(ROUNDS):
        for number, action in enumerate(actions):
            start = time.process_time()
            action()
            best[number] = min(best[number], 1e3 * (time.process_time() - start) / SAMPLES)
    return best


def differences(ours: Ours) -> tuple[float, float]:
    """Mean and largest difference of the views that are timed from torchvision's float path, in 1/255 of the range."""
    made = ours() * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    host = ours.draw().host
    expected = torch.stack(
        [torchvision_view(patch, row, ours.view.crop) for patch, row in zip(ours.pixels / 255, host, strict=True)]
    )
    found = (made - expected).abs() * 255
    return found.mean().item(), found.max().item()


def main() -> None:
    """Print one line per kind of view."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    print(describe_machine(), f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {Image.__version__}")
    print("law | size | ours ms | Pillow ms | times faster | mean and largest difference from torchvision's floats, /255")
    for full in (False, True):
        for size_px in (96, 224):
            ours, theirs = Ours(3, make_view(size_px, full=full)), Theirs(size_px, full=full)
            mean, largest = differences(ours)
            assert mean < 0.01, f"not the same views: {mean}/255 apart"
            mine, pillow = cpu_ms([ours, theirs])
            name = "full" if full else "crop"
            print(f"{name} | {size_px} | {mine:.2f} | {pillow:.2f} | {pillow / mine:.1f} | {mean:.5f}, {largest:.3f}")
    print("bands | ours ms at 96 px | at 224 px")
    for bands in (3, 4, 6, 12):
        costs = cpu_ms([Ours(bands, make_view(size_px, full=True)) for size_px in (96, 224)])
        print(f"{bands} | {costs[0]:.2f} | {costs[1]:.2f}")


if __name__ == "__main__":
    main()

"""Feeding a trainer, the released way and ours, on the same pixels in one run: `python -m tests.benchmarks.training`.

(a) SeCo's released way: one GeoTIFF per band, opened, read, stretched by quantiles to 8 bits, augmented by torchvision on
Pillow images, sample by sample; (b) ours from the catalog's rasters; (c) ours from a pack. CPU time of one core with everything
in the page cache, reading and augmenting apart, and then the share of real training steps that is spent waiting for data.

The files of (a) are uncompressed, which is kinder to it than the JPEG of the release. Reading is judged without the stretch.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from PIL import Image, ImageFilter
from rasterio import Affine
from torchvision import transforms

from catalogs import open_catalog
from catalogs.stack import Stack, open_stack
from tests.benchmarks.machine import asked, describe_machine
from tests.conftest import ROOT
from train.dataset import Batches, Share
from train.loop import Runtime, fit
from train.prepare import Training, prepare_training
from train.recipes import RECIPES, with_view_size
from train.run_folder import write_record
from train.steps import make_views
from train.views import ViewMaker

LOCATIONS = 32
DATES = 3
RGB = ("B04", "B03", "B02")
REPEATS = 5
SIZE_PX = 224


def build(folder: Path) -> Path:
    """Simulated France: squares of 264 px, three dates, all bands."""
    steps = (
        ["sample", "--region", "france", "--count", str(LOCATIONS), "--seed", "7", "--splits", "1,0,0", "--out", str(folder)],
        [
            "build",
            str(folder),
            "--source",
            "simulated",
            "--seasons",
            str(DATES),
            "--start",
            "2023-01-01",
            "--end",
            "2024-01-01",
        ],
        ["pack", str(folder)],
    )
    for words in steps:
        subprocess.run([Path(sys.executable).with_name("curate"), *words, "--quiet"], cwd=ROOT, check=True)
    return folder


def write_released(stack: Stack, folder: Path) -> list[list[dict[str, Path]]]:
    """The same pixels as the release has them: a folder per location and date, a GeoTIFF per band."""
    found: dict[str, list[dict[str, Path]]] = {}
    rooms = stack.empty()
    for number, location in enumerate(stack.items["location"].to_pylist()):
        stack.read_into(number, rooms)
        place = folder / location / str(number)
        place.mkdir(parents=True)
        paths = {}
        for layer, room in zip(stack.layers, rooms, strict=True):
            for band, pixels in zip(layer.bands, room, strict=True):
                paths[band] = place / f"{band}.tif"
                write_band(paths[band], pixels, layer.gsd)
        found.setdefault(location, []).append(paths)
    return list(found.values())


def write_band(path: Path, pixels: np.ndarray, gsd: float) -> None:
    """A single-band GeoTIFF."""
    height, width = pixels.shape
    place = Affine(gsd, 0, 500_000, 0, -gsd, 5_000_000)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=height, width=width, dtype=pixels.dtype, crs="EPSG:32631", transform=place
    ) as file:
        file.write(pixels, 1)


def read_released(dates: list[dict[str, Path]], bands: tuple[str, ...]) -> list[list[np.ndarray]]:
    """(a): every band of every date, opened and read."""
    read = []
    for paths in dates:
        planes = []
        for band in bands:
            with rasterio.open(paths[band]) as file:
                planes.append(file.read(1))
        read.append(planes)
    return read


def stretch(planes: list[np.ndarray]) -> Image.Image:
    """(a): quantiles to 8 bits, as an image."""
    channels = []
    for plane, (low, high) in zip(planes, ((0, 129), (2, 103), (3, 88)), strict=True):
        reflectance = np.clip(plane.astype(np.float32) * 1e-4 - 0.1, 0, 1) * 255
        channels.append((np.clip((reflectance - low) / (high - low), 0, 1) * 255).astype(np.uint8))
    return Image.fromarray(np.dstack(channels))


class Blur:
    """Gaussian blur of a drawn width."""

    def __call__(self, image: Image.Image) -> Image.Image:
        """Blur."""
        return image.filter(ImageFilter.GaussianBlur(radius=np.random.uniform(0.1, 2.0)))  # noqa: NPY002, as released


def released_views() -> Callable[[list[Image.Image]], list[torch.Tensor]]:
    """(a): SeCo's four views of three images."""
    augment = transforms.Compose(
        [
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.RandomApply([Blur()], p=0.5),
            transforms.RandomHorizontalFlip(),
        ]
    )
    cut = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE_PX, scale=(0.2, 1.0)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return lambda images: [cut(images[0]), cut(augment(images[1])), cut(images[2]), cut(augment(images[0]))]


def cpu_ms(actions: dict[str, Callable[[], Any]], count: int) -> dict[str, float]:
    """CPU milliseconds per location of each action: the best of some rounds, the actions in turn."""
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(REPEATS):
        for name, action in actions.items():
            start = time.process_time()
            action()
            best[name] = min(best[name], 1e3 * (time.process_time() - start) / count)
    return best


def measure_reading(catalog: Path, folder: Path) -> dict[str, dict[str, float]]:
    """What reading a location costs in each way, CPU milliseconds, after checking that all ways read the same pixels.

    Returns:
        For three and for all bands, by a name for people, the cost of `a`, `b` and `c`.
    """
    opened = open_catalog(catalog)
    items = opened.items(sensor="sentinel-2-l2a")
    everything = open_stack(opened, items, pack=True)
    files = write_released(everything, folder)
    found = {}
    for bands in (RGB, everything.bands):
        stacks = {name: open_stack(opened, items, bands, pack=name == "c") for name in ("b", "c")}
        rooms = stacks["c"].empty()
        for number in range(0, len(items), 7):
            assert_same(stacks, number, read_released(files[number // DATES], bands)[number % DATES], bands)

        def read(stack: Stack, rooms: Any = rooms) -> None:
            for number in range(len(stack.items)):
                stack.read_into(number, rooms)

        found[f"{DATES} dates x {len(bands):2} bands"] = cpu_ms(
            {
                "a": lambda bands=bands: [read_released(dates, bands) for dates in files],  # type: ignore[misc]
                "b": lambda stacks=stacks: read(stacks["b"]),  # type: ignore[misc]
                "c": lambda stacks=stacks: read(stacks["c"]),  # type: ignore[misc]
            },
            LOCATIONS,
        )
    return found


def print_reading(found: dict[str, dict[str, float]]) -> None:
    """Print what reading a location costs in each way."""
    print("\nreading a location, CPU ms | (a) file per band | (b) rasters     | (c) pack")
    for name, costs in found.items():
        a, b, c = costs.values()
        print(f"{name:<26} | {a:17.2f} | {b:6.2f} ({a / b:5.1f} x) | {c:.3f} ({a / c:.0f} x)")


def assert_same(stacks: dict[str, Stack], number: int, planes: list[np.ndarray], bands: tuple[str, ...]) -> None:
    """All three ways give the same pixels."""
    for stack in stacks.values():
        rooms = stack.empty()
        stack.read_into(number, rooms)
        for layer, room in zip(stack.layers, rooms, strict=True):
            for band, pixels in zip(layer.bands, room, strict=True):
                assert (pixels == planes[bands.index(band)]).all(), "the ways read different pixels"


def prepare(catalog: Path, bands: tuple[str, ...], size_px: int, *, pack: bool = True, **changes: Any) -> Training:
    """SeCo on the catalog."""
    config = with_view_size(RECIPES["seco"](), size_px)
    settings = {"batch_size": 16, "backbone": "resnet18", "bands": bands, **changes}
    return prepare_training(replace(config, **settings), str(catalog), pack=pack)


def compare_augmenting(catalog: Path, folder: Path) -> None:
    """Print what the four views of a location cost in each way."""
    print(f"\nSeCo's four views of {SIZE_PX} px of a location, CPU ms")
    files = [
        {path.stem: path for path in date.iterdir()}
        for location in sorted(folder.iterdir())
        for date in sorted(location.iterdir())
    ]
    views = released_views()
    raw = [read_released([paths], RGB)[0] for paths in files]
    images = [[stretch(planes) for planes in raw[n : n + DATES]] for n in range(0, len(raw), DATES)]
    actions: dict[str, Callable[[], Any]] = {"(a) stretch to 8 bits": lambda: [stretch(planes) for planes in raw]}
    actions |= {"(a) torchvision on Pillow, 3 bands": lambda: [views(each) for each in images]}
    everything = open_stack(open_catalog(catalog), open_catalog(catalog).items(sensor="sentinel-2-l2a")).bands
    ten_m = ("B04", "B03", "B02", "B08")
    for bands in (RGB, ten_m, everything):
        training = prepare(catalog, bands, SIZE_PX)
        batch = Batches(training.stack, training.samples, training.config, Share())[0][0]
        maker = ViewMaker(training.record.spec, training.stack.layers)
        actions[f"ours, {len(bands)} bands"] = lambda batch=batch, maker=maker, training=training: [  # type: ignore[misc]
            make_views(batch, maker=maker, config=training.config) for _ in range(LOCATIONS // training.config.batch_size)
        ]
    for name, cost in cpu_ms(actions, LOCATIONS).items():
        print(f"{name:<36} {cost:7.2f}")


def measure_waiting(catalog: Path, folder: Path, *, pack: bool) -> dict[str, float]:
    """Figures of ten training steps, after ten others: SeCo, ResNet-18, 96 px, batches of 16, two workers."""
    training = prepare(catalog, RGB, 96, pack=pack, epochs=10)
    run = folder / f"run-{pack}"
    write_record(run, training.record)
    return fit(training, run, Runtime(workers=2, log_every=10, steps=20, quiet=True, accelerator="auto")).figures


def main() -> None:
    """Print three tables."""
    asked(__doc__)
    torch.set_num_threads(1)
    print(describe_machine(), f"GDAL {rasterio.__gdal_version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = build(folder / "france")
        print_reading(measure_reading(catalog, folder / "released"))
        compare_augmenting(catalog, folder / "released")
        print("\nSeCo, ResNet-18, 96 px, batches of 16, two workers: share of the time spent waiting for data")
        for pack in (True, False):
            figures = measure_waiting(catalog, folder, pack=pack)
            source = "pack" if pack else "rasters"
            print(f"{source:<8} {figures['wait_percent']:5.1f} %, {figures['samples_per_s']:.1f} locations/s")


if __name__ == "__main__":
    main()

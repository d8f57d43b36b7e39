"""A picture of one box on the ground seen by three sensors: `python -m tests.benchmarks.ground_picture ground_boxes.png`.

Everything goes the way that a training goes: a catalog's files, `prepare_training`, batches, views. Above, made-up fields and
roads as pixels of 30, 10 and 1.5 m, with the same tokens. Below, how far apart the ground lies that a token of two sensors
shows, found from pixels whose value is where they lie: as it is, with kernels that see no pixel beyond the box, and with boxes
rounded to each sensor's pixels, as an image library cuts them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from tests.benchmarks.machine import asked
from tests.train.grounds import (
    GSD_M,
    LANDSAT,
    PAIRS,
    SENTINEL,
    SPOT,
    align_config,
    denormalise,
    make_ground_catalog,
    positions,
    round_boxes,
    token_means,
)
from train.config import Alignment
from train.dataset import Share
from train.ground_boxes import SIZE_PX, TOKENS
from train.prepare import Training, prepare_training
from train.sensor_batches import SensorBatch, SensorBatches
from train.sensor_views import SensorViewMaker

SQUARE_M, CROP_M = 1320, 840.0
FINE_M = 0.5
SENSORS = (LANDSAT, SENTINEL, SPOT)
WAYS = {"as it is": "#1b7837", "clipped at the box": "#f1a340", "rounded to pixels": "#998ec3"}
FIELDS, ROADS = 90, 6


def make_ground() -> Tensor:
    """Reflectance of fields and roads on pixels of half a metre, (1, 1, height, width)."""
    rng = np.random.default_rng(5)
    side = int(SQUARE_M / FINE_M)
    y, x = np.mgrid[:side, :side].astype(np.float32) * FINE_M
    nearest, ground = np.full((side, side), np.inf, np.float32), np.zeros((side, side), np.float32)
    for north, east, value in zip(*rng.uniform(0, SQUARE_M, (2, FIELDS)), rng.uniform(0.1, 0.8, FIELDS), strict=True):
        distance = (y - north) ** 2 + (x - east) ** 2
        ground = np.where(distance < nearest, value, ground)
        nearest = np.minimum(nearest, distance)
    for angle, offset in zip(rng.uniform(0, np.pi, ROADS), rng.uniform(200, 900, ROADS), strict=True):
        ground[np.abs(x * np.cos(angle) + y * np.sin(angle) - offset) < 4] = 1.0
    return torch.from_numpy(ground.astype(np.float32))[None, None]


def paint(ground: Tensor) -> Callable[..., NDArray[np.float32]]:
    """Pixels of a sensor as means of the ground, in both bands."""

    def means(_sensor: str, _place: int, _date: int, pixels: int) -> NDArray[np.float32]:
        return avg_pool2d(ground, ground.shape[-1] // pixels)[0].expand(2, -1, -1).numpy()

    return means


def prepare(folder: Path, painted: Callable[..., Any], *, count: int) -> Training:
    """A training on squares of such ground."""
    make_ground_catalog(folder, painted, count=count, side_m=SQUARE_M)
    config = align_config(sensors=SENSORS, alignment=Alignment(crop_m=CROP_M), batch_size=count, epochs=10, scaling="native")
    return prepare_training(config, str(folder))


def see(training: Training, batch: SensorBatch, way: str) -> tuple[Tensor, ...]:
    """Views of one ground by each sensor, as they are or in a worse way."""
    make = SensorViewMaker(training.inputs, training.config, tokens=TOKENS)
    if way != "as it is":
        make.target = replace(make.target, beyond=False)
    if way == "rounded to pixels":
        batch = replace(batch, ground=tuple(round_boxes(each) for each in batch.ground))
    return make(batch).ground


def farthest(training: Training) -> dict[str, list[float]]:
    """How far apart a token of two sensors lies at most, along an axis, of each way and of `PAIRS`, metres."""
    batches = SensorBatches(training.inputs, training.config, Share())
    found = {way: [0.0] * len(PAIRS) for way in WAYS}
    for (batch,) in (batches[step] for step in range(len(batches))):
        for way in WAYS:
            shown = token_means(training, see(training, batch, way), SQUARE_M)
            apart = [(shown[left] - shown[right]).abs().max().item() for left, right in PAIRS]
            found[way] = [max(pair) for pair in zip(found[way], apart, strict=True)]
    return found


def draw_cut(axes: Any, view: Tensor, gsd_m: float) -> None:
    """One sensor's view, (height, width), with its tokens."""
    axes.imshow(view.clamp(0, 1).numpy(), cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    for line in range(0, SIZE_PX + 1, SIZE_PX // TOKENS):
        axes.axhline(line - 0.5, color="white", linewidth=0.4)
        axes.axvline(line - 0.5, color="white", linewidth=0.4)
    axes.set(xticks=[], yticks=[], title=f"{gsd_m:g} m: {CROP_M / TOKENS / gsd_m:.1f} px per token")


def draw_distances(axes: Any, found: dict[str, list[float]]) -> None:
    """Bars of each pair of sensors and way, with half a pixel of the finer one."""
    for number, (way, color) in enumerate(WAYS.items()):
        places = np.arange(len(PAIRS)) + 0.26 * (number - 1)
        bars = axes.bar(places, found[way], width=0.24, color=color, label=way, bottom=0)
        axes.bar_label(bars, [f"{value:.2g} m" for value in found[way]], fontsize=8)
    pairs = [(GSD_M[left], GSD_M[right]) for left, right in PAIRS]
    for number, (_, fine) in enumerate(pairs):
        label = "half a pixel of the finer sensor" if number == 0 else None
        axes.hlines(fine / 2, number - 0.42, number + 0.42, color="black", linestyle="--", linewidth=1, label=label)
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 300)
    axes.set_xticks(range(len(PAIRS)), [f"{left:g} m and {right:g} m" for left, right in pairs])
    axes.set_ylabel("metres apart, worst token and axis")
    axes.legend(fontsize=8, ncols=4, frameon=False, loc="upper center")
    axes.spines[["top", "right"]].set_visible(False)


def draw_picture(path: Path) -> dict[str, list[float]]:
    """Write the picture; what its bars show."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    with TemporaryDirectory() as folder:
        painted = prepare(Path(folder) / "painted", paint(make_ground()), count=2)
        (batch,) = SensorBatches(painted.inputs, painted.config, Share())[0]
        views = see(painted, batch, "as it is")
        found = farthest(prepare(Path(folder) / "positions", positions, count=4))
    figure = plt.figure(figsize=(9, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, len(SENSORS), height_ratios=(3, 2.1))
    for number, (spec, view) in enumerate(zip(painted.record.specs, views, strict=True)):
        draw_cut(figure.add_subplot(grid[0, number]), denormalise(view, spec)[0, 0], GSD_M[spec.sensor])
    draw_distances(figure.add_subplot(grid[1, :]), found)
    figure.suptitle(
        f"One box of {CROP_M:g} m on the ground: token i is the same {CROP_M / TOKENS:g} m for every sensor", fontsize=11
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return found


if __name__ == "__main__":
    for name, distances in draw_picture(Path(*asked(__doc__, "PICTURE") or ["ground_boxes.png"])).items():
        apart = zip(PAIRS, distances, strict=True)
        print(f"{name:<20}", *(f"{GSD_M[left]:g} and {GSD_M[right]:g} m: {value:.3g} m" for (left, right), value in apart))

"""A picture of one box on the ground seen by three sensors: `python -m tests.benchmarks.ground_picture ground_boxes.png`.

Above, made-up fields and roads as pixels of 30, 10 and 1.5 m, cut by `train.ground_boxes`, with the same tokens. Below, how far
apart the ground lies that a token of two sensors shows, found from pixels whose value is where they lie: as it is, with kernels
that see no pixel beyond the box, and with boxes rounded to each sensor's pixels, as an image library cuts them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from train.ground_boxes import SIZE_PX, TOKENS, GroundBoxes, PatchGround, cut_ground, draw_ground_boxes, kernel_margin_m
from train.resampling import resample

SQUARE_M, CROP_M = 1320, 840.0
FINE_M = 0.5
GSD_M = (30, 10, 1.5)
PAIRS = ((30, 10), (10, 1.5), (30, 1.5))
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


def positions(gsd_m: float, count: int) -> Tensor:
    """Patches whose value is where a pixel's centre lies, southwards and eastwards, (count, 2, height, width) metres."""
    centers = (torch.arange(round(SQUARE_M / gsd_m), dtype=torch.float32) + 0.5) * gsd_m
    return torch.stack(torch.meshgrid(centers, centers, indexing="ij")).expand(count, -1, -1, -1)


def show(gsd_m: float, boxes: GroundBoxes, way: str) -> Tensor:
    """Where the tokens of a sensor lie, (count, 2, 14, 14) metres."""
    pixels, ground = positions(gsd_m, len(boxes)), PatchGround(gsd_m)
    if way == "as it is":
        return avg_pool2d(cut_ground(pixels, None, boxes, ground)[0], SIZE_PX // TOKENS)
    in_pixels = boxes.in_pixels(ground)
    box = torch.from_numpy(np.rint(in_pixels) if way == "rounded to pixels" else in_pixels).float()
    cut = resample(pixels, box, size_px=SIZE_PX, interpolation="bilinear", flip=torch.from_numpy(boxes.flip))
    return avg_pool2d(cut, SIZE_PX // TOKENS)


def farthest(boxes: GroundBoxes) -> dict[str, list[float]]:
    """How far apart a token of two sensors lies at most, along an axis, of each way and of `PAIRS`, metres."""
    found = {}
    for way in WAYS:
        shown = {gsd_m: show(gsd_m, boxes, way) for gsd_m in GSD_M}
        found[way] = [(shown[left] - shown[right]).abs().max().item() for left, right in PAIRS]
    return found


def draw_cut(axes: Any, ground: Tensor, gsd_m: float, boxes: GroundBoxes) -> None:
    """One sensor's view with its tokens."""
    patch = avg_pool2d(ground, round(gsd_m / FINE_M))
    view, _ = cut_ground(patch, None, boxes, PatchGround(gsd_m))
    axes.imshow(view[0, 0].clamp(0, 1).numpy(), cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
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
    for number, (_, fine) in enumerate(PAIRS):
        label = "half a pixel of the finer sensor" if number == 0 else None
        axes.hlines(fine / 2, number - 0.42, number + 0.42, color="black", linestyle="--", linewidth=1, label=label)
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 300)
    axes.set_xticks(range(len(PAIRS)), [f"{left:g} m and {right:g} m" for left, right in PAIRS])
    axes.set_ylabel("metres apart, worst token and axis")
    axes.legend(fontsize=8, ncols=4, frameon=False, loc="upper center")
    axes.spines[["top", "right"]].set_visible(False)


def draw_picture(path: Path) -> dict[str, list[float]]:
    """Write the picture; what its bars show."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    margin_m = max(kernel_margin_m(gsd_m, crop_m=CROP_M) for gsd_m in GSD_M)
    keys = np.arange(40, dtype=np.uint64)
    boxes = draw_ground_boxes(0, epoch=0, locations=keys, square_m=SQUARE_M, crop_m=CROP_M, margin_m=margin_m)
    first = GroundBoxes(boxes.corner_m[:1], CROP_M, boxes.flip[:1])
    found, ground = farthest(boxes), make_ground()
    figure = plt.figure(figsize=(9, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, len(GSD_M), height_ratios=(3, 2.1))
    for number, gsd_m in enumerate(GSD_M):
        draw_cut(figure.add_subplot(grid[0, number]), ground, gsd_m, first)
    draw_distances(figure.add_subplot(grid[1, :]), found)
    figure.suptitle(
        f"One box of {CROP_M:g} m on the ground: token i is the same {CROP_M / TOKENS:g} m for every sensor", fontsize=11
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return found


if __name__ == "__main__":
    for name, distances in draw_picture(Path(sys.argv[1])).items():
        print(f"{name:<20}", *(f"{pair}: {value:.3g} m" for pair, value in zip(PAIRS, distances, strict=True)))

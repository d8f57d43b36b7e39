"""A picture of a catalog of France: `python -m tests.benchmarks.france_picture CATALOG FILE.png`.

On the left where its locations are, among all places that the sampler knows; on the right a few of its patches, one scene of
each season. `.github/france.png` shows the first catalog of README.md, whose scenes are simulated; the picture says so.
"""

from __future__ import annotations

from argparse import ArgumentParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from catalogs import open_catalog
from catalogs.reader import Catalog
from curate.places import load_places

SENSOR = "sentinel-2-l2a"
COLORS = {"train": "tab:blue", "val": "tab:orange", "test": "tab:red"}
WEST, EAST, SOUTH, NORTH = -5.3, 9.7, 41.2, 51.3
ROWS = 3
BRIGHTEST = 0.22
"""Reflectance that is drawn white."""
PALETTE = 256
"""Colours of the file, which is a third of the size with so few."""


def draw_map(axes: Any, folder: Path) -> None:
    """The locations by split, over all French places of 500 inhabitants or more."""
    places = load_places()
    french = places.subset(places.country == "FR")
    axes.scatter(french.lon, french.lat, s=0.3, color="0.8", linewidths=0)
    locations = pq.read_table(folder / "locations.parquet", columns=["lon", "lat", "split"]).to_pandas()
    for split, color in COLORS.items():
        chosen = locations[locations["split"] == split]
        if len(chosen):
            axes.scatter(chosen["lon"], chosen["lat"], s=16, color=color, label=f"{split} ({len(chosen)})")
    axes.set(xlim=(WEST, EAST), ylim=(SOUTH, NORTH), aspect=1 / np.cos(np.radians((SOUTH + NORTH) / 2)))
    axes.set_title(f"{len(locations)} locations", fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc="lower left")
    axes.set_axis_off()


def draw_patch(axes: Any, catalog: Catalog, scene: Any) -> None:
    """One scene of a location in true colours, with its date."""
    reflectance = catalog.read(scene, bands=["B04", "B03", "B02"], reflectance=True)
    axes.imshow(np.clip(reflectance.transpose(1, 2, 0) / BRIGHTEST, 0, 1))
    axes.set_title(f"{scene.datetime:%d %b %Y}", fontsize=8, pad=2)
    axes.set(xticks=[], yticks=[])


def draw_picture(folder: Path, path: Path) -> list[str]:
    """Write the picture; the locations whose patches it shows: the first of the catalog that have most seasons."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from PIL import Image

    catalog = open_catalog(folder.as_posix())
    series = {name: list(scenes) for name, scenes in catalog.items(sensor=SENSOR).by_location()}
    seasons = max(map(len, series.values()))
    shown = [name for name, scenes in series.items() if len(scenes) == seasons][:ROWS]
    figure = plt.figure(figsize=(9, 4.2), dpi=100, layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.35))
    left, right = parts
    draw_map(left.subplots(), folder)
    grid = right.subplots(len(shown), seasons, squeeze=False)
    for row, name in zip(grid, shown, strict=True):
        for axes, scene in zip(row, series[name], strict=True):
            draw_patch(axes, catalog, scene)
        row[0].set_ylabel(name, fontsize=8)
    if all(scene.simulated for name in shown for scene in series[name]):
        right.supxlabel("simulated scenes of a made-up landscape: no measurement", fontsize=8)
    drawn = BytesIO()
    figure.savefig(drawn)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(PALETTE, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    return shown


if __name__ == "__main__":
    parser = ArgumentParser(description="Draw a catalog of France: a map of its locations and patches through the seasons.")
    parser.add_argument("catalog", type=Path, help="a catalog that was built of sentinel-2-l2a")
    parser.add_argument("picture", type=Path, help="the file to write, such as france.png")
    given = parser.parse_args()
    print("Drawn:", *draw_picture(given.catalog, given.picture))

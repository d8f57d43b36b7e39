"""Catalogs of Landsat, Sentinel-2 and SPOT whose pixels are a function of where they lie, and trainings that align them."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Radiometry, Scene
from catalogs.testing import make_locations
from catalogs.writer import CatalogWriter, Patch
from train.config import Alignment
from train.methods.crops import with_local_sizes
from train.parameters import COLUMNS, cut_parameters
from train.recipes import RECIPES, with_view_size

LANDSAT, SENTINEL, SPOT = "landsat-c2-l2", "sentinel-2-l2a", "spot-ortho"
GSD_M = {LANDSAT: 30, SENTINEL: 10, SPOT: 1.5}
PAIRS = ((LANDSAT, SENTINEL), (SENTINEL, SPOT), (LANDSAT, SPOT))
COMMON = ("red", "green")
SCALE = 1e-4
"""Reflectance of a digital number of every raster; numbers are floats, so that nothing is rounded."""


def make_ground_catalog(folder, paint, *, count=4, side_m=1320, sensors=tuple(GSD_M), dates=1, missing=(), held_out=0):
    """Write a catalog to train on.

    Args:
        folder: Where to.
        paint: From a sensor, a place, a date and the pixels of a side to reflectance, (2, pixels, pixels); NaN where there is
            no measurement.
        count: Squares.
        side_m: Of each.
        sensors: Their ids.
        dates: Of each sensor.
        missing: (sensor, place) that have no scene.
        held_out: Of the squares, the last so many, which are not trained on.
    """
    splits = ["train"] * (count - held_out) + ["val"] * held_out
    squares = [replace(each, split=split) for each, split in zip(make_locations(count, side_m=side_m), splits, strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_section(folder, "build", {"source": "tests", "sensors": list(sensors), "seasons": dates})
    write_locations(folder / layout.LOCATIONS, squares)
    bands = {sensor: _bands(sensor) for sensor in sensors}
    writer = CatalogWriter(folder, squares, bands, description="Ground for tests.", json_items=False)
    for place, square in enumerate(squares):
        items = []
        for sensor, date in product([each for each in sensors if (each, place) not in missing], range(dates)):
            reflectance = paint(sensor, place, date, square.grid(GSD_M[sensor]).width)
            items.append(writer.write_scene(*_scene(sensor, square, date, reflectance)))
        writer.finish(square, items, [])
    writer.close()
    return folder


def align_config(**changes):
    """X-STARS on a small ViT, on red and green, with reflectance as it is."""
    config = with_view_size(RECIPES["x_stars"](), 32)
    settings = {
        "backbone": "test_vit",
        "batch_size": 2,
        "epochs": 4,
        "bands": COMMON,
        "scaling": "native",
        "seed": 3,
        "views": with_local_sizes(config.views, (16, 16), method="dino-mc"),
        "distillation": replace(config.distillation, out_dim=64, head_hidden=32, bottleneck=16),
        "alignment": Alignment(dim=16, dropout=0.0),
        "optimizer": replace(config.optimizer, lr=1e-3, warmup_epochs=1),
    }
    return replace(config, **(settings | changes))


def positions(_sensor, _place, _date, pixels):
    """Paint: the northing, counted southwards, and the easting of a pixel's centre from the corner, in sides of the square."""
    centers = (np.arange(pixels) + 0.5) / pixels
    return np.stack(np.meshgrid(centers, centers, indexing="ij"))


def denormalise(view, spec):
    """A view in reflectance again, (batch, bands, height, width)."""
    low, high, mean, std = (torch.tensor(getattr(spec, name))[:, None, None] for name in ("low", "high", "mean", "std"))
    return (view * std + mean) * (high - low) + low


def token_means(training, ground, side_m, *, tokens=14):
    """What the tokens of each sensor show of `positions`, (batch, 2, tokens, tokens) metres, by sensor."""
    return {
        spec.sensor: side_m * avg_pool2d(denormalise(view, spec), view.shape[-1] // tokens)
        for spec, view in zip(training.record.specs, ground, strict=True)
    }


def round_boxes(parameters):
    """Parameters with boxes on whole pixels, as an image library cuts them."""
    host = parameters.host
    return cut_parameters(np.rint(host[:, COLUMNS["box"]]), host[:, COLUMNS["flip"]][:, 0], bands=len(COMMON))


def _bands(sensor):
    of_name = {band.common_name: band for band in find_sensor(sensor).bands}
    return tuple(replace(of_name[name], scale=SCALE, offset=0.0, nodata=float("nan")) for name in COMMON)


def _scene(sensor, square, date, reflectance):
    bands = _bands(sensor)
    pixels = (np.asarray(reflectance) / SCALE).astype(np.float32)
    patch = Patch(f"{GSD_M[sensor]:g}m", pixels, bands, square.grid(GSD_M[sensor]))
    when, vintage = datetime(2023, 2 + date, 3, 11, tzinfo=UTC), sensor == SPOT
    scene = Scene(
        sensor=sensor,
        location=square,
        rasters=(),
        datetime=None if vintage else when,
        start_datetime=when if vintage else None,
        end_datetime=when if vintage else None,
        season=date,
        valid_percent=100 * float(np.isfinite(pixels).all(0).mean()),
        source_id=f"{sensor}-{date}",
        source_href=f"https://example.com/{sensor}/{date}.json",
        radiometry=Radiometry("default", "consistent"),
        simulated=True,
    )
    return scene, [patch]

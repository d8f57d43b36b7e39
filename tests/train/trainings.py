"""A tiny catalog and a tiny training, for the tests of the loop."""

from dataclasses import replace
from pathlib import Path

from catalogs.testing import make_catalog, make_locations
from train.config import TrainConfig
from train.loop import Runtime
from train.methods.crops import with_local_sizes
from train.prepare import Training, prepare_training
from train.recipes import RECIPES, with_view_size
from train.run_folder import write_record

BACKBONE = "test_resnet"
LOCATIONS = 13
"""Three batches of four and one location that is left over."""
PAIR = ("landsat-c2-l2", "sentinel-2-l2a")


def tiny_catalog(folder: Path, *, seasons: int = 3, count: int = LOCATIONS) -> Path:
    """Squares of 60 px with a few dates each, all of them to train on."""
    locations = [replace(location, split="train") for location in make_locations(count)]
    return make_catalog(folder, locations=locations, seasons=seasons, json_items=False)


def tiny_pairs(folder: Path, *, seasons: int = 2, count: int = LOCATIONS, sensors: tuple[str, ...] = PAIR) -> Path:
    """Squares of 960 m as several sensors saw them, all of them to train on."""
    locations = [replace(location, split="train") for location in make_locations(count, side_m=960)]
    return make_catalog(folder, locations=locations, seasons=seasons, sensors=sensors, json_items=False)


def tiny_config(recipe: str = "seco", **changes: object) -> TrainConfig:
    """A recipe with a small backbone, a small head and small views of two bands."""
    config = with_view_size(RECIPES[recipe](), 32)
    settings = {"backbone": BACKBONE, "batch_size": 4, "epochs": 4, "bands": ("B04", "B08"), "seed": 3}
    if config.distillation is not None:
        settings["distillation"] = replace(config.distillation, out_dim=64, head_hidden=32, bottleneck=16)
        settings["views"] = with_local_sizes(config.views, (24, 18, 16), method=config.method)
        settings["optimizer"] = replace(config.optimizer, lr=1e-3, warmup_epochs=1)
    if config.alignment is not None:
        settings |= {"backbone": "test_vit", "bands": ("red", "green"), "alignment": replace(config.alignment, dim=16)}
        settings["views"] = with_local_sizes(config.views, (16, 16), method=config.method)
    return replace(config, **(settings | changes))


def prepare_tiny(catalog: Path, run: Path, recipe: str = "seco", **changes: object) -> Training:
    """A training, its run folder begun."""
    training = prepare_training(tiny_config(recipe, **changes), str(catalog))
    write_record(run, training.record)
    return training


def runtime(**changes: object) -> Runtime:
    """In this process, silently."""
    return Runtime(**({"workers": 0, "accelerator": "cpu", "quiet": True, "log_every": 2} | changes))

"""From a catalog and a configuration to everything that a training needs, checked before a weight moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs import open_catalog
from catalogs.stack import Stack, open_stack
from train.backbones import check_name, patch_side
from train.config import InputSpec, TrainConfig, View
from train.errors import ConfigError, DataError
from train.methods import check_method
from train.methods.crops import GLOBAL_SCENES, fit_local_sizes
from train.provenance import git_commit
from train.run_folder import RunRecord, package_versions
from train.samples import Samples, find_samples, refuse_large_batch
from train.scaling import measure_input
from train.state import queue_capacity

if TYPE_CHECKING:
    from catalogs import Catalog


STILL_DRAWN = 0.05
"""Share of a teacher's first weights in its last ones that is worth a word."""


@dataclass(frozen=True, eq=False)
class Training:
    """What is trained on what; see `prepare_training`."""

    config: TrainConfig
    """With the sensor, the bands and the queue that were left open filled in."""
    stack: Stack
    """Pixels of the sensor's items."""
    samples: Samples
    """Locations to train on."""
    record: RunRecord
    """What a run folder says of it."""
    notes: tuple[str, ...] = ()
    """What was settled in another way than asked for, in words."""


def prepare_training(
    config: TrainConfig,
    catalog: str,
    *,
    cache: Path | None = None,
    pack: bool | None = None,
    init: str | None = None,
    spec: InputSpec | None = None,
) -> Training:
    """Open a catalog for a training and settle what the configuration leaves open.

    Args:
        config: Of a recipe, changed as the user likes.
        catalog: A catalog's folder or address.
        cache: Folder that files of a remote catalog are kept in.
        pack: Read from a pack (`True`), from rasters (`False`), or from a pack where there is one.
        init: Weights to start from; where they say how their input is scaled, that is kept.
        spec: Scaling and normalisation that were settled before, of a run that is resumed.

    Raises:
        CatalogError: The catalog cannot be read, or lacks a band.
        ConfigError: Settings do not fit the catalog.
        DataError: The catalog has too few locations or dates.
    """
    check_name(config.backbone)
    opened = open_catalog(catalog)
    sensor = _sensor(config, opened)
    items = opened.items(sensor=sensor)
    if not len(items):
        raise DataError(f"{opened} has no items of {sensor} yet. Build it first: curate build {opened.href}.")
    stack = open_stack(opened, items, config.bands or None, cache=cache, pack=pack)
    samples = find_samples(stack, dates=config.scenes if config.distinct_dates else 1)
    refuse_large_batch(config.batch_size, len(samples))
    queue = _queue(config, len(samples))
    settled = replace(config, sensor=sensor, bands=stack.bands, views=fit_views(config))
    crop = config.views[0].crop
    measured = (
        spec
        or _spec_of_weights(init, settled)
        or measure_input(
            stack, np.unique(samples.items), size_px=crop.size_px, scaling=config.scaling, interpolation=crop.interpolation
        )
    )
    record = RunRecord(
        config=settled,
        spec=measured,
        catalog=catalog,
        catalog_id=str(opened.document.get("id")),
        index_hash=stack.index_hash,
        locations=len(samples),
        queue=queue,
        versions=package_versions(),
        git_commit=git_commit(),
        init=init,
        **_origin(opened.collection(sensor)),
    )
    return Training(settled, stack, samples, record, notes=(*_changes(config, settled), *slow_teacher(settled, len(samples))))


def fit_views(config: TrainConfig) -> tuple[View, ...]:
    """The views of a configuration, local crops at sizes that the backbone sees all of.

    Raises:
        ConfigError: The views do not fit the method, or a local crop is smaller than a patch.
    """
    if config.method not in GLOBAL_SCENES:
        return config.views
    check_method(config)
    return fit_local_sizes(config.views, patch_side(config.backbone), method=config.method)


def _changes(asked: TrainConfig, settled: TrainConfig) -> Iterator[str]:
    """What to say of local crops that became smaller."""
    sides = [tuple(view.crop.size_px for view in config.views) for config in (asked, settled)]
    pairs = dict.fromkeys(zip(*sides, strict=True))
    changed = [f"{before} to {after}" for before, after in pairs if before != after]
    if changed:
        yield (
            f"Local crops are drawn at multiples of the {patch_side(settled.backbone)} px patches of {settled.backbone}, so "
            f"that no border is lost: {', '.join(changed)} px."
        )


def slow_teacher(config: TrainConfig, locations: int) -> Iterator[str]:
    """What to say of a teacher that will still be much as it was drawn when training ends."""
    constants = config.distillation
    if constants is None:
        return
    steps = locations // config.batch_size * config.epochs
    left = math.exp(-steps * (1 - (constants.ema_momentum + constants.final_ema_momentum) / 2))
    if left > STILL_DRAWN:
        yield (
            f"After {steps:,} steps the teacher will still be {100 * left:.0f} % as it was drawn. "
            "Choose more epochs, or a lower --ema-momentum."
        )


def _queue(config: TrainConfig, locations: int) -> int:
    """Keys to keep; 0 of a method without a queue."""
    if config.contrast is None:
        return 0
    asked, force = config.contrast.queue, config.contrast.force_queue
    return queue_capacity(asked, batch_size=config.batch_size, locations=locations, force=force)


def _spec_of_weights(init: str | None, config: TrainConfig) -> InputSpec | None:
    """The scaling that weights were trained with, if training starts from them and measures none of its own."""
    if init is None or config.scaling != "measured":
        return None
    from train.weights import load_backbone

    spec = load_backbone(init, bands=config.bands).spec
    if spec is None or spec.sensor != config.sensor or spec.bands != config.bands:
        return None
    crop = config.views[0].crop
    return replace(spec, size_px=crop.size_px, interpolation=crop.interpolation)


def _origin(collection: Mapping[str, Any]) -> dict[str, Any]:
    """What a collection says of where its pixels are from, and whose they are."""
    extent = collection.get("extent", {})
    box = (extent.get("spatial", {}).get("bbox") or [None])[0]
    first, last = (extent.get("temporal", {}).get("interval") or [(None, None)])[0]
    return {
        "license": str(collection.get("license", "other")),
        "attribution": str(collection.get("description", "")),
        "bbox": tuple(box) if box else None,
        "interval": (first, last) if first and last else None,
    }


def _sensor(config: TrainConfig, catalog: Catalog) -> str:
    """The sensor to train on."""
    if config.sensor is not None:
        return config.sensor
    if not catalog.sensors:
        raise DataError(f"{catalog} holds no scenes of a sensor that we know. Build it first: curate build {catalog.href}.")
    if len(catalog.sensors) > 1:
        raise ConfigError(
            f"{catalog} has several sensors: {', '.join(catalog.sensors)}. Choose one with --sensor {catalog.sensors[0]}."
        )
    return catalog.sensors[0]

"""From a catalog and a configuration to everything that a training needs, checked before a weight moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from catalogs import open_catalog
from catalogs.stack import Stack
from train.backbones import backbone_of, check_name, make_backbone, patch_side
from train.config import InputSpec, TrainConfig, View
from train.errors import ConfigError
from train.ground_boxes import box_side_m
from train.initial_weights import load_initial
from train.methods import check_method
from train.methods.crops import GLOBAL_SCENES, fit_local_sizes
from train.packed_vit import check_packs
from train.provenance import git_commit
from train.run_folder import RunRecord, package_versions
from train.samples import Samples, refuse_large_batch
from train.scaling import measure_input
from train.schedules import warm_up_steps
from train.sensor_backbones import as_vit
from train.sensor_input import (
    SensorInput,
    check_same_bands,
    choose_sensors,
    describe_lacking,
    open_sensor,
    share_locations,
    square_side_m,
)
from train.state import queue_capacity
from train.token_scale import count_tokens, describe_tokens, token_warnings

STILL_DRAWN = 0.05
"""Share of a teacher's first weights in its last ones that is worth a word."""


@dataclass(frozen=True, eq=False)
class Training:
    """What is trained on what; see `prepare_training`."""

    config: TrainConfig
    """With the sensors, the bands and the queue that were left open filled in."""
    inputs: tuple[SensorInput, ...]
    """Of each sensor, with the same locations."""
    record: RunRecord
    """What a run folder says of it."""
    notes: tuple[str, ...] = ()
    """What was settled in another way than asked for, in words; of several sensors, what a token shows of each."""

    @property
    def stack(self) -> Stack:
        """Pixels of the first sensor's items."""
        return self.inputs[0].stack

    @property
    def samples(self) -> Samples:
        """Locations to train on, with the first sensor's items."""
        return self.inputs[0].samples


def prepare_training(
    config: TrainConfig,
    catalog: str,
    *,
    cache: Path | None = None,
    pack: bool | None = None,
    init: str | None = None,
    specs: Sequence[InputSpec] = (),
) -> Training:
    """Open a catalog for a training and settle what the configuration leaves open.

    Args:
        config: Of a recipe, changed as the user likes.
        catalog: A catalog's folder or address.
        cache: Folder that files of a remote catalog are kept in.
        pack: Read from a pack (`True`), from rasters (`False`), or from a pack where there is one.
        init: Weights to start from; where they say how their input is scaled, that is kept. They are loaded once to check them.
        specs: Scaling and normalisation that were settled before, of each sensor of a run that is resumed.

    Raises:
        CatalogError: The catalog cannot be read, or lacks a band.
        ConfigError: Settings do not fit the catalog, or each other.
        CheckpointError: The weights to start from do not fit.
        DataError: The catalog has too few locations or dates, or several sensors have no ground in common.
    """
    check_name(config.backbone)
    _check_begins(config, init)
    opened = open_catalog(catalog)
    sensors = choose_sensors(config, opened)
    stacks = [open_sensor(opened, sensor, config, cache=cache, pack=pack) for sensor in sensors]
    samples, lacking = share_locations(stacks, dates=config.scenes if config.distinct_dates else 1)
    count = len(samples[0])
    refuse_large_batch(config.batch_size, count)
    per_epoch = count // config.batch_size
    warm_up_steps(config.optimizer, steps=per_epoch * config.epochs, steps_per_epoch=per_epoch)
    queue = _queue(config, count)
    settled = _settle(config, stacks)
    _check_packing(settled)
    aligned = tuple(_describe_alignment(settled, stacks))
    bands = {stack.sensor: stack.bands for stack in stacks}
    _check_shared(settled, bands)
    initial = None if init is None or specs else load_initial(init, settled, bands)
    known = {spec.sensor: spec for spec in (initial.specs if initial else specs)}
    inputs = tuple(
        SensorInput(stack, each, known.get(stack.sensor) or _measure(settled, stack, each))
        for stack, each in zip(stacks, samples, strict=True)
    )
    record = RunRecord(
        config=settled,
        spec=inputs[0].spec,
        catalog=catalog,
        catalog_id=str(opened.document.get("id")),
        index_hash="+".join(stack.index_hash for stack in stacks),
        locations=count,
        queue=queue,
        versions=package_versions(),
        git_commit=git_commit(),
        init=init,
        further_specs=tuple(each.spec for each in inputs[1:]),
        **origin_of([opened.collection(sensor) for sensor in sensors]),
    )
    left_out = (describe_lacking(lacking),) if lacking else ()
    begins = initial.notes if initial else ()
    notes = (*_changes(config, settled), *slow_teacher(settled, count), *left_out, *begins, *aligned)
    return Training(settled, inputs, record, notes)


def _check_begins(config: TrainConfig, init: str | None) -> None:
    """Refuse to align a sensor with one that nobody encodes.

    Raises:
        ConfigError: The frozen copy would be of weights that were never trained.
    """
    sensor = None if config.alignment is None else config.alignment.adapt_sensor
    if sensor is not None and init is None:
        raise ConfigError(
            f"--adapt-sensor {sensor} needs weights of the other sensor: training starts from them, and a frozen copy encodes "
            "that sensor. Pass --init with a run, an export or a published checkpoint."
        )


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


def _settle(config: TrainConfig, stacks: Sequence[Stack]) -> TrainConfig:
    """The configuration with what it leaves open; bands of several sensors keep their common names."""
    views = fit_views(config)
    if config.alignment is not None:
        return replace(config, sensors=tuple(stack.sensor for stack in stacks), views=views)
    return replace(config, sensor=stacks[0].sensor, bands=stacks[0].bands, views=views)


def _measure(config: TrainConfig, stack: Stack, samples: Samples) -> InputSpec:
    """The scaling of a sensor, found on what is trained on."""
    crop = config.views[0].crop
    items = np.unique(samples.items)
    return measure_input(stack, items, size_px=crop.size_px, scaling=config.scaling, interpolation=crop.interpolation)


def _check_packing(config: TrainConfig) -> None:
    """Refuse attention over crops of all sizes where the backbone cannot pack them.

    Raises:
        ConfigError: It is no plain ViT.
    """
    if config.distillation is not None and config.distillation.pack_attention:
        with torch.random.fork_rng(devices=[]):
            check_packs(make_backbone(config.backbone, bands=1), config.backbone)


def _check_shared(config: TrainConfig, bands: Mapping[str, Sequence[str]]) -> None:
    """Refuse a backbone that several sensors cannot share, or bands that its one patch embedding would take for each other.

    Raises:
        ConfigError: They are such, or the backbone cannot be made.
    """
    if config.alignment is None:
        return
    if config.alignment.shared_patch_embedding:
        check_same_bands(bands)
    with torch.random.fork_rng(devices=[]):
        as_vit(backbone_of(config, len(next(iter(bands.values())))))


def origin_of(collections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What collections of the same places say of where their pixels are from, and whose they are.

    Args:
        collections: As STAC, one or one of each sensor.

    Returns:
        `license`, `attribution`, `bbox` and `interval` as in `train.run_folder.RunRecord`: of several collections each licence
        and attribution once, and the time of all together.
    """
    licenses, attributions = (
        tuple(dict.fromkeys(str(each.get(name, default)) for each in collections))
        for name, default in (("license", "other"), ("description", ""))
    )
    extents = [each.get("extent", {}) for each in collections]
    box = (extents[0].get("spatial", {}).get("bbox") or [None])[0]
    spans = [(each.get("temporal", {}).get("interval") or [(None, None)])[0] for each in extents]
    known = all(first and last for first, last in spans)
    return {
        "license": " AND ".join(licenses),
        "attribution": " ".join(attributions),
        "bbox": tuple(box) if box else None,
        "interval": (min(first for first, _ in spans), max(last for _, last in spans)) if known else None,
    }


def _describe_alignment(config: TrainConfig, stacks: Sequence[Stack]) -> Iterator[str]:
    """What a token shows of each sensor that is aligned.

    Raises:
        ConfigError: The view does not divide into tokens, or the box is larger than a square.
        DataError: Squares differ in size.
    """
    if config.alignment is None:
        return
    tokens = count_tokens(config.alignment.size_px, config.backbone)
    crop_m = box_side_m(square_side_m(stacks), config.alignment.crop_m)
    gsd_m = {stack.sensor: stack.layers[0].gsd for stack in stacks}
    yield describe_tokens(gsd_m, crop_m=crop_m, tokens=tokens)
    yield from token_warnings(gsd_m, crop_m=crop_m, tokens=tokens)

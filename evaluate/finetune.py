"""The protocol of fine-tuning: what weights are worth as a start, when all of them are moved by all labels or by a share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from catalogs.console import progress
from catalogs.stack import Stack
from evaluate.answers import make_result, score_answers
from evaluate.asking import choose_device
from evaluate.augmentation import SCALE
from evaluate.bench import Bench, open_bench
from evaluate.entries import Group, read_entries, spec_of, with_random
from evaluate.errors import InputError
from evaluate.finetune_course import LAST_RATE, WARM_UP
from evaluate.finetune_trials import Start, answer_tuned
from evaluate.finetuning import HEAD_STD, MAX_NORM, is_mixed
from evaluate.fractions import HELD_OUT
from evaluate.kept_pixels import KeptPixels, keep_pixels
from evaluate.opened import find_sensors
from evaluate.result import Result, Score
from evaluate.seeds import join_answers, join_identities
from evaluate.settings import FinetuneSettings
from evaluate.task import TRAIN, TUNING, Task
from train.backbones import feature_size
from train.config import InputSpec


def run_finetune(
    catalog: str, weights: Sequence[str], settings: FinetuneSettings, *, baselines: bool = True, quiet: bool = True
) -> Result:
    """Score weights on a labelled catalog by fine-tuning them.

    There is a score for each share of the labels. Items of training locations teach, items of test locations are asked about,
    once, by the weights of one epoch. Which, is chosen on items of `val`, of which the same share is drawn, or, where the
    catalog has none beside those tested, on a fifth of the drawn training locations, which then do not teach; or it is the last
    one, and all that was drawn teaches. (SeCo's released code reports the split that it validates on.)

    Weights are fed as `run_protocol` feeds them, and stay as they are: what was fine-tuned is not kept.

    Args:
        catalog: Path or address of a labelled catalog.
        weights: What to start from: an export, a run, a published checkpoint, `timm:NAME`, `random:NAME`; or several seeds of
            one training, joined by commas, which get one score together.
        settings: What is asked, how long and how fast weights are moved, and by how many labels.
        baselines: Fine-tune random weights of each backbone too, first, and those fed as the backbone is.
        quiet: Show no progress.

    Raises:
        InputError: There is nothing to choose an epoch on, or fine-tuning diverged.
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    if not weights:
        raise InputError("There is nothing to fine-tune. Give --weights, such as an export's folder or random:resnet18.")
    device = choose_device(settings.device)
    entries = read_entries(weights, find_sensors(catalog, settings))
    bench = open_bench(catalog, settings, entries.like, tuning=not settings.last_epoch)
    groups = entries.feed(bench.stack, bench.task.train.items, size_px=bench.size_px, seed=settings.seed)
    scored = with_random(groups) if baselines else groups
    scores = list(_score_all(bench, scored, settings, device=device, quiet=quiet))
    return make_result(bench, settings, describe(bench.task, settings, device), scores)


def describe(task: Task, settings: FinetuneSettings, device: torch.device) -> dict[str, Any]:
    """The protocol's name, and every setting that scores hang on; JSON's types."""
    held = {"split": TRAIN, "locations": HELD_OUT} if task.tuning is None else {"split": TUNING}
    augmentation = f"crops of {SCALE[0]:g} to {SCALE[1]:g}, flips both ways"
    return {
        "name": "finetune",
        "optimizer": "AdamW",
        "epochs": settings.epochs,
        "min_steps": settings.min_steps,
        "lr": settings.lr,
        "layer_decay": settings.layer_decay,
        "weight_decay": settings.weight_decay,
        "batch_size": settings.batch_size,
        "schedule": f"warm-up of {WARM_UP:g}, cosine to {LAST_RATE:g}",
        "max_norm": MAX_NORM,
        "head_std": HEAD_STD,
        "label_smoothing": settings.label_smoothing,
        "freeze_batch_norm": settings.freeze_batch_norm,
        "augmentation": None if settings.no_augment else augmentation,
        "precision": "bf16-mixed" if is_mixed(settings.precision, device) else "32-true",
        "epoch": "last" if settings.last_epoch else "best",
        "tuned_on": None if settings.last_epoch else held,
        "fractions": list(settings.fraction),
        "repeats": settings.repeats,
    }


def _score_all(
    bench: Bench, groups: Sequence[Group], settings: FinetuneSettings, *, device: torch.device, quiet: bool
) -> Iterator[Score]:
    """A score for each share of the labels, of one group of seeds after the other."""
    stack: Stack | None = None
    kept_for: tuple[tuple[str, ...], str] | None = None
    for group in groups:
        spec = spec_of(group[0])
        if stack is None or kept_for != (spec.bands, spec.sensor):  # what white is hangs on the sensor
            stack, kept_for = _keep(bench, spec, settings, quiet=quiet), (spec.bands, spec.sensor)
        starts = [Start(loaded, stack, device) for loaded in group]
        alone = replace(settings, workers=0) if isinstance(stack.pixels, KeptPixels) else settings
        for fraction in settings.fraction:
            answers = [answer_tuned(start, bench.task, alone, fraction=fraction, quiet=quiet) for start in starts]
            yield score_answers(
                ",".join(loaded.name for loaded in group), join_answers(group, answers), bench.task,
                features=feature_size(group[0].module), bands=spec.bands, seed=settings.seed,
                identity=join_identities(group), spec=spec,
            )  # fmt: skip


def _keep(bench: Bench, spec: InputSpec, settings: FinetuneSettings, *, quiet: bool) -> Stack:
    with progress(len(bench.rows), "Reading pixels", quiet=quiet) as job:
        return keep_pixels(bench.pixels(spec.bands, spec.sensor), bench.rows, workers=settings.workers, advance=job.advance)

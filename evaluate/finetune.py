"""The protocol of fine-tuning: what weights are worth as a start, when all of them are moved by all labels or by a share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from catalogs.console import progress
from catalogs.stack import Stack
from evaluate.answers import make_result, score_answers
from evaluate.asking import WITHOUT_INPUT, choose_device, random_beside
from evaluate.augmentation import SCALE
from evaluate.bench import Bench, open_bench
from evaluate.errors import InputError
from evaluate.finetune_course import LAST_RATE, WARM_UP
from evaluate.finetune_trials import Start, answer_tuned
from evaluate.finetuning import HEAD_STD, MAX_NORM, is_mixed
from evaluate.fractions import HELD_OUT
from evaluate.kept_pixels import KeptPixels, keep_pixels
from evaluate.result import Result, Score
from evaluate.seeds import check_seeds, join_answers, join_identities, split_seeds
from evaluate.settings import FinetuneSettings
from evaluate.task import TRAIN, TUNING, Task
from train.backbones import feature_size
from train.checkpoint import LoadedBackbone, load_backbone
from train.config import PRECISIONS, InputSpec
from train.views import measure_input


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
        InputError: A setting is out of range, there is nothing to choose an epoch on, or fine-tuning diverged.
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    check_settings(settings)
    if not weights:
        raise InputError("There is nothing to fine-tune. Give --weights, such as an export's folder or random:resnet18.")
    device = choose_device(settings.device)
    entries = [split_seeds(each) for each in weights]
    trained = {name: load_backbone(name) for names in entries for name in names if not name.startswith(WITHOUT_INPUT)}
    specs = [each.spec for each in trained.values() if each.spec is not None]
    bench = open_bench(catalog, settings, specs[0] if specs else None, tuning=not settings.last_epoch)
    groups = [[_load(bench, name, trained, seed=settings.seed) for name in names] for names in entries]
    for group in groups:
        check_seeds(group)
    beside = random_beside([group[0] for group in groups]) if baselines else ()
    scores = list(_score_all(bench, [*([each] for each in beside), *groups], settings, device=device, quiet=quiet))
    return make_result(bench, settings, describe(bench.task, settings, device), scores)


def check_settings(settings: FinetuneSettings) -> None:
    """Refuse what cannot be fine-tuned with.

    Raises:
        InputError: A setting is out of range; the message says which, and what it may be.
    """
    shares = bool(settings.fraction) and all(0 < each <= 1 for each in settings.fraction)
    rules = (
        ("--epochs", settings.epochs, settings.epochs >= 1, "1 or more"),
        ("--min-steps", settings.min_steps, settings.min_steps >= 0, "0 or more"),
        ("--lr", settings.lr, 0 < settings.lr < math.inf, "more than 0, such as 1e-3"),
        ("--layer-decay", settings.layer_decay, 0 < settings.layer_decay <= 1, "more than 0 and at most 1, such as 0.75"),
        ("--weight-decay", settings.weight_decay, 0 <= settings.weight_decay < math.inf, "0 or more, such as 0.05"),
        ("--label-smoothing", settings.label_smoothing, 0 <= settings.label_smoothing < 1, "0 or more and below 1"),
        ("--batch-size", settings.batch_size, settings.batch_size >= 1, "1 or more"),
        ("--repeats", settings.repeats, settings.repeats >= 1, "1 or more"),
        ("--fraction", list(settings.fraction), shares, "shares of the labels above 0 and at most 1, such as 0.1,1"),
        ("--precision", settings.precision, settings.precision in PRECISIONS, ", ".join(PRECISIONS)),
    )
    for flag, value, holds, expected in rules:
        if not holds:
            raise InputError(f"{flag} is {value}; expected {expected}.")


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


def _load(bench: Bench, name: str, trained: Mapping[str, LoadedBackbone], *, seed: int) -> LoadedBackbone:
    """Weights with their input: their own, or, where they do not say one, what is measured on the training items."""
    loaded = trained.get(name) or load_backbone(name, bands=bench.stack.bands, size_px=bench.size_px)
    spec = loaded.spec or measure_input(bench.stack, bench.task.train.items, size_px=bench.size_px, seed=seed)
    return replace(loaded, spec=spec)


def _score_all(
    bench: Bench, groups: Sequence[Sequence[LoadedBackbone]], settings: FinetuneSettings, *, device: torch.device, quiet: bool
) -> Iterator[Score]:
    """A score for each share of the labels, of one group of seeds after the other."""
    stack: Stack | None = None
    kept_for: tuple[tuple[str, ...], str] | None = None
    for group in groups:
        spec = group[0].spec
        assert spec is not None, "what is scored is fed somehow"
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

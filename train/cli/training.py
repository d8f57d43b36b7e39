"""What the methods' commands do: prepare, say what is trained on what, train, export, say what comes next."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from catalogs.console import emit, emit_json, say
from train.cli.flags import TrainFlags, make_config
from train.errors import ConfigError

if TYPE_CHECKING:
    from train.loop import Outcome, Runtime
    from train.prepare import Training

INTERRUPTED = 130
DEVICES = ("auto", "cpu", "cuda")
LEAST = {"workers": 0, "log_every": 1, "checkpoint_every": 1, "steps": 1}
"""Of the flags that are counts and no settings of a training."""


def run_training(method: str, flags: TrainFlags) -> int:
    """Train a method from the command line.

    Args:
        method: Its name.
        flags: What was typed.

    Returns:
        The exit code.
    """
    config, runtime = make_config(method, flags), make_runtime(flags)
    run = flags.out or Path("runs") / f"{method}-{PurePosixPath(flags.catalog.rstrip('/')).name}"
    from train.prepare import prepare_training
    from train.run_folder import CONFIG, read_record, refuse_other_run

    known = read_record(run) if (run / CONFIG).is_file() else None
    spec = known.spec if known else None
    training = prepare_training(config, flags.catalog, cache=_cache(flags), init=flags.init, spec=spec)
    if known:
        refuse_other_run(run, known, training.record)
    first = int(os.environ.get("RANK", "0")) == 0
    _describe(training, quiet=flags.quiet or not first)
    if flags.dry_run:
        if flags.json:
            emit_json(_plan(training))
        return 0
    return train_and_tell(training, run, runtime, json=flags.json, quiet=flags.quiet or not first)


def make_runtime(flags: TrainFlags) -> Runtime:
    """How to train, as the flags say.

    Raises:
        ConfigError: A hook names no function, the device is unknown, or a count is out of range.
    """
    from train.config import check_choice
    from train.hooks import find_hook
    from train.loop import Runtime

    check_choice("device", flags.device, DEVICES)
    for name, least in LEAST.items():
        value = getattr(flags, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; expected {least} or more.")
    return Runtime(
        workers=flags.workers,
        accelerator=flags.device,
        log_every=flags.log_every,
        checkpoint_every=flags.checkpoint_every,
        steps=flags.steps,
        hooks=tuple(find_hook(text) for text in flags.hook),
        quiet=flags.quiet,
    )


def train_and_tell(training: Training, run: Path, runtime: Runtime, *, json: bool, quiet: bool) -> int:
    """Train, export, and say what was written and what comes next.

    Args:
        training: What on what.
        run: The run folder.
        runtime: How.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.

    Returns:
        The exit code: 130 where it was interrupted.
    """
    from train.exporting import export_run
    from train.loop import fit
    from train.run_folder import write_record

    first = int(os.environ.get("RANK", "0")) == 0
    if first:
        write_record(run, training.record)
    outcome = fit(training, run, runtime)
    if not first:
        return 0 if outcome.finished else INTERRUPTED
    if not outcome.finished:
        say(f"Stopped after step {outcome.steps:,}; a checkpoint is written. To go on: train resume {run}", quiet=quiet)
        return INTERRUPTED
    weights = export_run(run, training.record, outcome.backbone, step=outcome.steps)
    if json:
        emit_json(_result(run, weights, outcome))
    else:
        emit(str(weights))
    say(f"Trained {outcome.steps:,} steps. Next: evaluate knn --weights {run} --catalog A_LABELLED_CATALOG", quiet=quiet)
    return 0


def _cache(flags: TrainFlags) -> Path | None:
    from catalogs.files import is_remote

    if flags.cache or not is_remote(flags.catalog):
        return flags.cache
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seastars"


def _describe(training: Training, *, quiet: bool) -> None:
    """Say what is trained on what."""
    from train.samples import describe_left_out
    from train.scaling import spec_lines

    config, samples = training.config, training.samples
    steps = len(samples) // config.batch_size * config.epochs
    say(
        f"{config.method} with {config.backbone} on {len(samples):,} locations of {config.sensor}: {len(config.bands)} bands, "
        f"views of {config.views[0].crop.size_px} px, batches of {config.batch_size}, {steps:,} steps, "
        f"{training.record.queue:,} keys in the queue.",
        quiet=quiet,
    )
    if samples.left_out:
        say(f"Left out for want of dates: {describe_left_out(samples.left_out)}.", quiet=quiet)
    say("\n".join(spec_lines(training.record.spec)), quiet=quiet)


def _plan(training: Training) -> dict[str, Any]:
    from train.config import to_json

    return {"config": to_json(training.config), "locations": len(training.samples), "queue": training.record.queue}


def _result(run: Path, weights: Path, outcome: Outcome) -> dict[str, Any]:
    return {"run": str(run), "weights": str(weights), "steps": outcome.steps, "figures": outcome.figures}


def resume_training(run: Path, flags: TrainFlags) -> int:
    """Go on with a run; `flags` say how, not what."""
    from train.prepare import prepare_training
    from train.run_folder import read_record, refuse_other_run

    record = read_record(run)
    catalog = flags.catalog or record.catalog
    training = prepare_training(
        record.config,
        catalog,
        cache=_cache(replace(flags, catalog=catalog)),
        init=record.init,
        spec=record.spec,
    )
    refuse_other_run(run, record, training.record)
    return train_and_tell(training, run, make_runtime(flags), json=flags.json, quiet=flags.quiet)

"""What the methods' commands do: prepare, say what is trained on what, train, export, say what comes next."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from catalogs.cache import cache_for
from catalogs.command import INTERRUPTED
from catalogs.console import emit, emit_json, say
from train.cli.flags import TrainFlags, make_config
from train.errors import ConfigError

if TYPE_CHECKING:
    from train.loop import Outcome, Runtime
    from train.prepare import Training
    from train.run_folder import RunRecord

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
    run = flags.out or Path("runs") / f"{method}-{_name(flags.catalog)}"
    from train.checkpoint import list_checkpoints
    from train.prepare import prepare_training
    from train.run_folder import read_record

    known = read_record(run) if list_checkpoints(run) else None  # a run that never got that far may begin anew, otherwise
    specs = known.specs if known else ()
    training = prepare_training(
        config, flags.catalog, cache=cache_for(flags.catalog, flags.cache), init=flags.init, specs=specs
    )
    if known:
        training = go_on(training, run, known)
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

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # a user's hook lies beside the data, and the installed script does not look there
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
    from train.exporting import export_checkpoint, export_run
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
    if training.config.alignment is None:
        weights = export_run(run, training.record, outcome.backbone, step=outcome.steps)
    else:
        weights = export_checkpoint(run)
    if json:
        emit_json(_result(run, weights, outcome))
    else:
        emit(str(weights))
    say(f"Trained {outcome.steps:,} steps. Next: evaluate knn --weights {run} --catalog A_LABELLED_CATALOG", quiet=quiet)
    return 0


def go_on(training: Training, run: Path, known: RunRecord) -> Training:
    """A training as the next part of a run: what the run says of how it began stays.

    Args:
        training: As asked for now.
        run: The run folder.
        known: Its record.

    Raises:
        ConfigError: The run is of other settings, or of another catalog.
    """
    from train.run_folder import refuse_other_run

    refuse_other_run(run, known, training.record)
    return replace(training, record=replace(training.record, versions=known.versions, git_commit=known.git_commit))


def _name(catalog: str) -> str:
    """The last part of a catalog's path or address."""
    from catalogs.files import is_remote

    return PurePosixPath(catalog.rstrip("/")).name if is_remote(catalog) else Path(catalog).resolve().name


def _describe(training: Training, *, quiet: bool) -> None:
    """Say what is trained on what."""
    from train.samples import describe_left_out
    from train.scaling import spec_lines

    config, samples = training.config, training.samples
    steps = len(samples) // config.batch_size * config.epochs
    sizes = " and ".join(part for part in (", ".join(map(str, config.sizes[:-1])), str(config.sizes[-1])) if part)
    queue = "" if config.contrast is None else f", {training.record.queue:,} keys in the queue"
    specs = training.record.specs
    sensors, bands = (" and ".join(each) for each in zip(*((spec.sensor, str(len(spec.bands))) for spec in specs), strict=True))
    say(
        f"{config.method} with {config.backbone} on {len(samples):,} locations of {sensors}: {bands} bands, "
        f"views of {sizes} px, batches of {config.batch_size}, {steps:,} steps{queue}.",
        quiet=quiet,
    )
    for note in training.notes:
        say(note, quiet=quiet)
    if samples.left_out:
        say(f"Left out for want of dates: {describe_left_out(samples.left_out)}.", quiet=quiet)
    for spec in specs:
        say("\n".join([*([spec.sensor] if len(specs) > 1 else []), *spec_lines(spec)]), quiet=quiet)


def _plan(training: Training) -> dict[str, Any]:
    from train.config import to_json

    return {"config": to_json(training.config), "locations": len(training.samples), "queue": training.record.queue}


def _result(run: Path, weights: Path, outcome: Outcome) -> dict[str, Any]:
    return {"run": str(run), "weights": str(weights), "steps": outcome.steps, "figures": outcome.figures}


def resume_training(run: Path, flags: TrainFlags) -> int:
    """Go on with a run; `flags` say how, not what."""
    from train.prepare import prepare_training
    from train.run_folder import read_record

    record, runtime = read_record(run), make_runtime(flags)
    catalog = flags.catalog or record.catalog
    training = prepare_training(
        record.config,
        catalog,
        cache=cache_for(catalog, flags.cache),
        init=record.init,
        specs=record.specs,
    )
    return train_and_tell(go_on(training, run, record), run, runtime, json=flags.json, quiet=flags.quiet)

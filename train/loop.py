"""One loop for all methods.

Lightning Fabric brings devices, precision, processes and the writing of checkpoints; the loop is ours. Nothing in a step waits
for the device: the loss stays there and is read every `log_every` steps.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from catalogs.console import say
from train.backbones import has_batch_norm, is_convolutional
from train.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from train.compiling import compile_student
from train.dataset import Share, load_batches
from train.distributed import gather
from train.errors import ConfigError
from train.feeding import Feed, feed_training
from train.hooks import Hook, HookContext
from train.initial_weights import load_initial
from train.journal import Journal
from train.methods import make_method
from train.methods.uniform import uniform_terms
from train.monitors import Monitor, make_monitors
from train.prefetch import on_device
from train.steps import make_optimizer, memory_words, seed_step, set_rates, train_step

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from train.config import TrainConfig
    from train.methods.protocol import Method
    from train.prepare import Training

CHECKPOINT_S = 300.0
"""Seconds after which the end of an epoch is worth a checkpoint."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a training runs; the weights do not depend on it."""

    workers: int = 2
    """Processes that read, per process that trains."""
    accelerator: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    devices: int | None = None
    """Of this machine; all that torchrun started, or one, where none."""
    nodes: int = 1
    """Machines."""
    log_every: int = 50
    """Steps from one look at the loss to the next."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; none for the ends of epochs, at most every five minutes."""
    steps: int | None = None
    """Stop after so many steps in all; none for all epochs."""
    hooks: Sequence[Hook] = ()
    """Called after every epoch."""
    quiet: bool = False
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended."""

    steps: int
    """Optimizer steps done, in all runs together."""
    finished: bool
    """Whether these were all; otherwise it was interrupted."""
    backbone: nn.Module
    """What was trained, on the CPU."""
    figures: dict[str, float] = field(default_factory=dict)
    """The last row of `metrics.csv`."""


def fit(training: Training, run: Path, runtime: Runtime) -> Outcome:
    """Train, going on from the last checkpoint of the run folder if there is one.

    Args:
        training: What on what.
        run: The run folder, with its `config.json`.
        runtime: How.

    Raises:
        ConfigError: The batch does not divide among the processes, or weights do not fit.
        CheckpointError: The last checkpoint is of something else.
        DivergedError: The loss is not finite.
        MemoryShortError: The device cannot hold the batch.
    """
    config = training.config
    fabric = make_fabric(config, runtime)
    last, identity = list_checkpoints(run), training.record.identity
    method = _make_method(training, fresh=not last)
    config = replace(config, channels_last=config.channels_last and is_convolutional(method.backbone()))
    feed = feed_training(training, config, Share(fabric.global_rank, fabric.world_size, config.accumulate))
    batches = feed.batches
    steps = min(len(batches), runtime.steps or len(batches))
    student = method.student
    optimizer = _set_up(fabric, method, config, feed=feed)
    with _bare(method, student):
        start = load_checkpoint(last[-1], fabric, method, optimizer, identity=identity) if last else 0
    loaded = load_batches(batches, range(start, steps), workers=runtime.workers, pin_memory=fabric.device.type == "cuda")
    upcoming = on_device(loaded, fabric.device)
    length = {"steps": len(batches), "steps_per_epoch": batches.steps_per_epoch}
    monitors = make_monitors(training, run, runtime.hooks)
    saved, saved_at = start, time.monotonic()
    step = start
    journaling = _journal(fabric, training, run, runtime, start=start, steps=steps, epoch=batches.steps_per_epoch)
    with journaling as journal, _stopping() as stop:
        if start == 0:
            with journal.aside():
                _look_aside(fabric, method, training, monitors, step=0, journal=journal)
        while step < steps and not _agree(fabric, stop, step, runtime):
            with journal.waiting():
                parts = next(upcoming)
            rate = set_rates(optimizer, config.optimizer, step, **length)
            method.at_step(step, **length)
            seed_step(config.seed, step, fabric.global_rank)
            with memory_words(config, fabric.device):
                terms, found = train_step(fabric, method, optimizer, parts, make=feed.make, config=config)
            step += 1
            journal.after_step(step, terms, found, rate=rate)
            ends_epoch = step % batches.steps_per_epoch == 0
            if ends_epoch or step == steps:
                with journal.aside():
                    _look_aside(fabric, method, training, monitors, step=step, journal=journal)
            if _is_due(fabric, runtime, step - saved, time.monotonic() - saved_at, ends_epoch=ends_epoch):
                journal.look()
                with journal.aside(), _bare(method, student):
                    save_checkpoint(run, fabric, method, optimizer, step=step, identity=identity)
                saved, saved_at = step, time.monotonic()
        journal.look()
        if step > saved:
            with _bare(method, student):
                save_checkpoint(run, fabric, method, optimizer, step=step, identity=identity)
        figures = journal.figures
    return Outcome(step, step == steps, method.backbone().to("cpu"), figures)


def _make_method(training: Training, *, fresh: bool) -> Method:
    """The method, its backbone from weights where the user has some and there is no checkpoint yet."""
    config, record = training.config, training.record
    if not fresh or record.init is None:
        return make_method(config, record.channels, queue=record.queue)
    found = load_initial(record.init, config, {spec.sensor: spec.bands for spec in record.specs})
    return make_method(config, record.channels, queue=record.queue, backbone=found.backbone, embeddings=found.embeddings)


@contextmanager
def _bare(method: Method, student: nn.Module) -> Iterator[None]:
    """The method without the wrapper of its student, whose names a checkpoint must not hold."""
    wrapper, method.student = method.student, student
    try:
        yield
    finally:
        method.student = wrapper


def make_fabric(config: TrainConfig, runtime: Runtime) -> Fabric:
    """Devices, precision and processes; under torchrun, those that it started."""
    from lightning.fabric import Fabric
    from lightning.fabric.strategies.ddp import DDPStrategy

    processes, local = _torchrun_processes()
    cuda = runtime.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    if runtime.accelerator == "cuda" and not cuda:
        raise ConfigError("--device cuda: torch finds no GPU here. Pass --device cpu, or look at what nvidia-smi says.")
    devices = local or runtime.devices or 1
    several = max(processes, devices * runtime.nodes) > 1
    fabric = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=devices,
        num_nodes=processes // local if processes else runtime.nodes,
        strategy=DDPStrategy(gradient_as_bucket_view=True) if several else "auto",
        precision=choose_precision(config, cuda=cuda),  # type: ignore[arg-type]  # checked by TrainConfig
    )
    fabric.launch()
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    return fabric


def choose_precision(config: TrainConfig, *, cuda: bool) -> str:
    """What `auto` means on a device."""
    return config.precision if config.precision != "auto" else ("bf16-mixed" if cuda else "32-true")


def _torchrun_processes() -> tuple[int, int]:
    """Processes in all and on this machine, as torchrun tells; 0 without it."""
    return int(os.environ.get("WORLD_SIZE", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "0"))


def _set_up(fabric: Fabric, method: Method, config: TrainConfig, *, feed: Feed) -> torch.optim.Optimizer:
    """Move a method to the device; wrap what is trained, and nothing else."""
    module: Any = method
    module.to(fabric.device)
    method.autocast = fabric.autocast
    if config.sync_batch_norm and fabric.world_size > 1:
        synchronise(module, fabric.device)
    if config.channels_last:
        module.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(config.optimizer, method.student)
    student: Any = method.student
    if config.compile:
        first = feed.batches[0][0].to(fabric.device)
        precision = choose_precision(config, cuda=fabric.device.type == "cuda")
        student = compile_student(method, feed.make(first), first, precision=precision)
    wrapped: tuple[nn.Module, torch.optim.Optimizer] = fabric.setup(student, optimizer)
    method.student = wrapped[0]
    return wrapped[1]


def synchronise(method: nn.Module, device: torch.device) -> None:
    """Let batch normalisation take the statistics of all processes together, where the device can; a teacher's too."""
    from timm.layers.norm_act import convert_sync_batchnorm

    if not has_batch_norm(method):
        return
    if device.type != "cuda":
        say("Batch statistics are each process's own: torch synchronises them on GPUs alone.")
        return
    # In place. torch's own would drop the activations that timm keeps in its layers.
    convert_sync_batchnorm(method)  # type: ignore[no-untyped-call]  # of timm itself


def _agree(fabric: Fabric, stop: threading.Event, step: int, runtime: Runtime) -> bool:
    """Whether to stop; several processes ask each other when they look at the loss."""
    if fabric.world_size == 1:
        return stop.is_set()
    if step % runtime.log_every:
        return False
    asked = torch.tensor(float(stop.is_set()), device=fabric.device)
    return bool(gather(asked[None]).any())


def _is_due(fabric: Fabric, runtime: Runtime, steps: int, seconds: float, *, ends_epoch: bool) -> bool:
    """Whether it is time for a checkpoint; the first process's clock decides for all."""
    if runtime.checkpoint_every is not None:
        return steps >= runtime.checkpoint_every
    return ends_epoch and bool(fabric.broadcast(seconds >= CHECKPOINT_S))


def _look_aside(
    fabric: Fabric, method: Method, training: Training, monitors: Sequence[Monitor], *, step: int, journal: Journal
) -> None:
    """Show the method to the monitors; the other processes wait."""
    if monitors and fabric.is_global_zero:
        spe = len(training.samples) // training.config.batch_size
        seen = (step, step // spe, method.backbone(), training.record.spec, fabric.device)
        context = HookContext(*seen, log=journal.log, record=journal.record, say=journal.tell)
        for monitor in monitors:
            monitor(method, context)
        if journal.owes_figures:
            journal.look()
    if monitors:
        fabric.barrier()


@contextmanager
def _journal(
    fabric: Fabric, training: Training, run: Path, runtime: Runtime, *, start: int, steps: int, epoch: int
) -> Iterator[Journal]:
    journal = Journal(
        run,
        start=start,
        steps=steps,
        config=training.config,
        uniform=uniform_terms(training.config, queue=training.record.queue, processes=fabric.world_size),
        log_every=runtime.log_every,
        epoch=epoch,
        silent=not fabric.is_global_zero,
        quiet=runtime.quiet,
    )
    with journal:
        yield journal


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step ends before a training stops; a second Ctrl-C stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, _frame: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

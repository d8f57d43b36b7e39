"""What a step of DINO-MC costs: `python -m tests.benchmarks.dino [cuda [BACKBONE RECIPE BATCH]]`.

(a) A step with the crops of all sizes packed, their attention by size or in one call, against one forward pass per size, in
turn; (b) what the loop adds to its parts: the CPU time of a step of `fit` less that of reading, views, forwards, loss,
backward, clipping, optimiser and EMA, each timed alone, the best of some rounds in turn. On a GPU (a) alone, in images per
second. CPU time of one core, or wall time of a GPU that was waited for.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.machine import asked, describe_machine
from tests.train.stubs import Drawn
from tests.train.trainings import tiny_catalog
from train.config import TrainConfig
from train.dataset import Batches, Share
from train.distillation_loss import dino_cross_entropy, sharpen
from train.loop import Runtime, fit
from train.methods import make_method
from train.methods.crops import fit_local_sizes, with_local_sizes
from train.methods.dino import Dino
from train.prepare import Training, prepare_training
from train.recipes import RECIPES, with_view_size
from train.run_folder import write_record
from train.steps import clip_gradients, make_optimizer, make_views
from train.views import ViewMaker

BANDS = ("B04", "B03", "B02")
STEPS = 4
USUAL = {"cpu": ("vit_tiny_patch16_224", "dino_mc", "4"), "cuda": ("vit_small_patch8_224", "dino_mc", "64")}
"""Backbone, recipe and batch, where none are given."""
WAYS: dict[str, dict[str, bool]] = {
    "packed": {"pack_crops": True},
    "attention too": {"pack_crops": True, "pack_attention": True},
    "by size": {"pack_crops": False},
}
"""What a step is computed in, and the constants that say so."""
EUROSAT_SIZES = (52, 46, 41, 35, 29, 24)


def make_config(recipe: str, backbone: str, batch_size: int, *, patch: int) -> TrainConfig:
    """A recipe on another backbone, its local crops at sizes that the backbone takes."""
    config = RECIPES[recipe]()
    views = fit_local_sizes(config.views, patch, method=config.method)
    return replace(config, backbone=backbone, batch_size=batch_size, views=views, bands=BANDS)


def make_step(config: TrainConfig, device: str, **constants: bool) -> Callable[[], None]:
    """A step of student, teacher, loss, backward, clipping, optimiser and EMA on crops that are there."""
    torch.manual_seed(0)
    assert config.distillation is not None
    config = replace(config, distillation=replace(config.distillation, **constants))
    method: Any = make_method(config, len(BANDS), queue=0).to(device)
    method.at_step(0, steps=10, steps_per_epoch=1)
    views = [torch.randn(config.batch_size, len(BANDS), *[view.crop.size_px] * 2, device=device) for view in config.views]
    optimizer = make_optimizer(config.optimizer, method.student)
    batch = Drawn(torch.arange(config.batch_size), torch.zeros(config.batch_size, 1))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        method.autocast = lambda: torch.autocast(device, torch.bfloat16, enabled=device == "cuda")
        with method.autocast():
            loss: Tensor = method(views, batch)["distillation"]
        loss.backward()
        clip_gradients(method.student.parameters(), config.optimizer)
        optimizer.step()
        method.after_step()

    return step


def seconds(action: Callable[[], object], device: str) -> float:
    """CPU time, or wall time of a GPU."""
    if device == "cpu":
        start = time.process_time()
        action()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    action()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def compare_packing(config: TrainConfig, device: str = "cpu", *, repeats: int = 5) -> dict[str, float]:
    """Seconds of a step in each of `WAYS`, in turn after one of each."""
    steps = {name: make_step(config, device, **constants) for name, constants in WAYS.items()}
    found: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            taken = seconds(step, device)
            if repeat:
                found[name].append(taken)
    return {name: statistics.median(each) for name, each in found.items()}


def prepare(folder: Path, batch_size: int = 16) -> Training:
    """DINO-MC at EuroSAT's scale: ResNet-18, global crops of 64 px, a small head."""
    config = with_view_size(RECIPES["dino_mc"](), 64)
    assert config.distillation is not None
    small = replace(config.distillation, out_dim=4096, head_hidden=512, bottleneck=128)
    views = with_local_sizes(config.views, EUROSAT_SIZES, method="dino-mc")
    config = replace(config, backbone="resnet18", batch_size=batch_size, bands=BANDS, distillation=small, views=views)
    return prepare_training(config, str(tiny_catalog(folder / "tiny", count=2 * batch_size)))


def time_loop(training: Training, folder: Path) -> float:
    """CPU seconds of a step of the loop: of more steps less those of one, start, checkpoint and all."""
    taken = []
    for steps in (1, 1 + STEPS):
        run = folder / f"run-{steps}"
        write_record(run, training.record)
        runtime = Runtime(workers=0, accelerator="cpu", steps=steps, quiet=True)
        taken.append(seconds(lambda run=run, runtime=runtime: fit(training, run, runtime), "cpu"))  # type: ignore[misc]
    return (taken[1] - taken[0]) / STEPS


def time_parts(training: Training) -> dict[str, float]:
    """CPU seconds of each part of a step, alone."""
    config, batches = training.config, Batches(training.stack, training.samples, training.config, Share())
    maker = ViewMaker(training.record.spec, training.stack.layers)
    method = make_method(config, len(BANDS), queue=0)
    assert isinstance(method, Dino)
    method.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(config.optimizer, method.student)
    found: dict[str, list[float]] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        found.setdefault(name, []).append(time.process_time() - start)

    for step in range(STEPS + 1):
        with timed("read"):
            (batch,) = batches[step]
        with timed("views"):
            views = make_views(batch, maker=maker, config=config)
        with timed("student"):
            student, _ = method.student(views)
        with timed("teacher"), torch.no_grad():
            teacher, _ = method.teacher(views[:2])
        with timed("loss"):
            targets = sharpen(teacher, method.center.mean, temperature=0.04)
            method.center.observe(teacher)
            loss = dino_cross_entropy(student, targets, temperature=0.1)
        optimizer.zero_grad(set_to_none=True)
        with timed("backward"):
            loss.backward()
        with timed("clipping"):
            clip_gradients(method.student.parameters(), config.optimizer)
        with timed("optimiser"):
            optimizer.step()
        with timed("EMA and center"):
            method.after_step()
    return {name: statistics.fmean(each[1:]) for name, each in found.items()}


def loop_overhead(folder: Path, *, rounds: int = 3, enough: float = 0.0) -> tuple[float, dict[str, float], float]:
    """CPU seconds of a step and of its parts, and the share of the step that is the loop's.

    Each is the best of rounds in turn, as other work only ever adds time; no further round once the share is `enough`.
    """
    training = prepare(folder)
    time_loop(training, folder / "first")  # with what is imported once
    step, told, share = float("inf"), dict[str, float](), 1.0
    for number in range(rounds):
        step = min(step, time_loop(training, folder / str(number)))
        parts = time_parts(training)
        told = {name: min(value, told.get(name, value)) for name, value in parts.items()}
        share = 1 - sum(told.values()) / step
        if share <= enough:
            break
    return step, told, share


def main() -> None:
    """Print two tables, or one of a GPU."""
    device, *rest = asked(__doc__, "DEVICE", "BACKBONE", "RECIPE", "BATCH") or ["cpu"]
    torch.set_num_threads(1)
    print(describe_machine(), f"torch {torch.__version__}", torch.cuda.get_device_name() if device == "cuda" else "")
    backbone, recipe, batch = rest or USUAL[device]
    patch = 8 if "patch8" in backbone else 16
    config = make_config(recipe, backbone, int(batch), patch=patch)
    taken = compare_packing(config, device)
    print(f"\n{recipe}, {backbone}, batch {batch}, crops of {', '.join(map(str, config.sizes))} px: a step")
    for name, value in taken.items():
        print(f"{name:<13} {1e3 * value:8.1f} ms, {int(batch) / value:7.1f} images/s, {taken['by size'] / value:.2f} x")
    if device == "cuda":
        return
    with tempfile.TemporaryDirectory() as folder:
        step, parts, share = loop_overhead(Path(folder))
    print("\ndino_mc, resnet18, globals of 64 px, batch 16: a step of the loop, CPU ms")
    for name, value in {"step": step, **parts}.items():
        print(f"{name:<16} {1e3 * value:8.1f}")
    print(f"the loop itself  {100 * share:8.1f} % of the step; {1 / step:.2f} steps/s of one core")


if __name__ == "__main__":
    main()

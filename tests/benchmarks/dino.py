"""What a step of DINO-MC costs: `python -m tests.benchmarks.dino [cuda [BACKBONE RECIPE BATCH]]`.

(a) A step alone, on crops that are there, with those of all sizes packed, their attention by size or in one call, against one
forward pass per size, in turn; and a packed step that makes its crops on the device, of raw patches that lie there. (b) What
the loop adds to its parts: the CPU time of a step of `fit` less that of views, forwards, loss, backward, clipping, optimiser
and EMA, each timed alone between two steps of `fit`, the quickest of some; reading is the loop's, and is told too. On a GPU
(a) alone. CPU time of one core, or wall time of a GPU that was waited for.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, cycle, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catalogs.testing import make_catalog, make_locations
from tests.benchmarks.machine import asked, describe_machine
from tests.train.stubs import Drawn
from tests.train.trainings import tiny_catalog
from train.config import TrainConfig
from train.dataset import Batches, Share
from train.distillation_loss import dino_cross_entropy, sharpen
from train.feeding import feed_training
from train.hooks import HookContext
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
PATCH_M = 2640
"""Side of the squares that crops are made of."""
VIEWS_TOO = "views and step"
"""The step that makes its crops."""
USUAL = {"cpu": ("vit_tiny_patch16_224", "dino_mc", "4"), "cuda": ("vit_small_patch8_224", "dino_mc", "64")}
"""Backbone, recipe and batch, where none are given."""
WAYS: dict[str, dict[str, bool]] = {
    "packed": {"pack_crops": True},
    "attention too": {"pack_crops": True, "pack_attention": True},
    "by size": {"pack_crops": False},
}
"""What a step is computed in, and the constants that say so."""
EUROSAT_SIZES = (52, 46, 41, 35, 29, 24)


@dataclass(frozen=True, slots=True)
class Overhead:
    """What a step of the loop costs."""

    step: float
    """CPU seconds of it."""
    parts: dict[str, float]
    """CPU seconds of its parts, `read` among them."""

    @property
    def share(self) -> float:
        """Of the step, what is none of its parts, or reading."""
        return self.share_beside_reading + self.parts["read"] / self.step

    @property
    def share_beside_reading(self) -> float:
        """Of the step, what is none of its parts."""
        return 1 - together(self.parts) / self.step


def make_config(recipe: str, backbone: str, batch_size: int, *, patch: int) -> TrainConfig:
    """A recipe on another backbone, its local crops at sizes that the backbone takes."""
    config = RECIPES[recipe]()
    views = fit_local_sizes(config.views, patch, method=config.method)
    return replace(config, backbone=backbone, batch_size=batch_size, views=views, bands=BANDS)


def make_step(
    config: TrainConfig, device: str, *, make: Callable[[], Sequence[Tensor]] | None = None, **constants: bool
) -> Callable[[], None]:
    """A step of student, teacher, loss, backward, clipping, optimiser and EMA on crops that are there, or that it makes."""
    torch.manual_seed(0)
    assert config.distillation is not None
    config = replace(config, distillation=replace(config.distillation, **constants))
    method: Any = make_method(config, len(BANDS), queue=0).to(device)
    method.at_step(0, steps=10, steps_per_epoch=1)
    crops = [torch.randn(config.batch_size, len(BANDS), *[view.crop.size_px] * 2, device=device) for view in config.views]
    optimizer = make_optimizer(config.optimizer, method.student)
    batch = Drawn(torch.arange(config.batch_size), torch.zeros(config.batch_size, 1))

    def step() -> None:
        views = crops if make is None else make()
        optimizer.zero_grad(set_to_none=True)
        method.autocast = lambda: torch.autocast(device, torch.bfloat16, enabled=device == "cuda")
        with method.autocast():
            loss: Tensor = method(views, batch)["distillation"]
        loss.backward()
        clip_gradients(method.student.parameters(), config.optimizer)
        optimizer.step()
        method.after_step()

    return step


def make_crops(config: TrainConfig, device: str, folder: Path) -> Callable[[], Sequence[Tensor]]:
    """What makes the crops of a batch as training does, of raw patches on the device, three batches in turn."""
    locations = [replace(each, split="train") for each in make_locations(config.batch_size, side_m=PATCH_M)]
    catalog = make_catalog(folder / "squares", locations=locations, seasons=max(config.scenes, 1), json_items=False)
    training = prepare_training(config, str(catalog))
    feed = feed_training(training, replace(training.config, channels_last=False), Share())
    batches = cycle([part.to(torch.device(device)) for step in range(3) for part in feed.batches[step]])
    return lambda: feed.make(next(batches))


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


def compare_packing(config: TrainConfig, device: str, folder: Path, *, repeats: int = 5) -> dict[str, float]:
    """Seconds of a step alone in each of `WAYS`, and of `VIEWS_TOO`, in turn after one of each."""
    steps = {name: make_step(config, device, **constants) for name, constants in WAYS.items()}
    steps[VIEWS_TOO] = make_step(config, device, make=make_crops(config, device, folder), **WAYS["packed"])
    found: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            taken = seconds(step, device)
            if repeat:
                found[name].append(taken)
    return {name: statistics.median(each) for name, each in found.items()}


def prepare(folder: Path, batch_size: int = 16) -> Training:
    """DINO-MC at EuroSAT's scale: ResNet-18, global crops of 64 px, a small head; every step is an epoch."""
    config = with_view_size(RECIPES["dino_mc"](), 64)
    assert config.distillation is not None
    small = replace(config.distillation, out_dim=4096, head_hidden=512, bottleneck=128)
    views = with_local_sizes(config.views, EUROSAT_SIZES, method="dino-mc")
    config = replace(config, backbone="resnet18", batch_size=batch_size, bands=BANDS, distillation=small, views=views)
    return prepare_training(config, str(tiny_catalog(folder / "tiny", count=batch_size)))


def loop_overhead(folder: Path, *, rounds: int = 8) -> Overhead:
    """What a step of the loop costs and its parts: of both the quickest of so many, as other work only ever adds time.

    They take turns, step by step, as a busy machine changes its pace from one second to the next.
    """
    training, run = prepare(folder), folder / "run"
    write_record(run, training.record)
    parts, times = time_parts(training), list[tuple[float, dict[str, float], float]]()

    def look(_: HookContext) -> None:
        with torch.enable_grad():
            times.append((time.process_time(), next(parts), time.process_time()))

    fit(training, run, Runtime(workers=0, accelerator="cpu", steps=1 + rounds, quiet=True, hooks=(look,)))
    steps = [ended - began for (_, _, began), (ended, _, _) in pairwise(times)]
    return Overhead(min(steps), min((each for _, each, _ in times[1:]), key=together))


def time_parts(training: Training) -> Iterator[dict[str, float]]:
    """CPU seconds of each part of a step alone, step after step."""
    config, batches = training.config, Batches(training.stack, training.samples, training.config, Share())
    maker = ViewMaker(training.record.spec, training.stack.layers)
    method = make_method(config, len(BANDS), queue=0)
    assert isinstance(method, Dino)
    method.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(config.optimizer, method.student)
    for step in count():
        found: dict[str, float] = {}
        with timed("read", found):
            (batch,) = batches[step]
        with timed("views", found):
            views = make_views(batch, maker=maker, config=config)
        with timed("student", found):
            student, _ = method.student(views)
        with timed("teacher", found), torch.no_grad():
            teacher, _ = method.teacher(views[:2])
        with timed("loss", found):
            targets = sharpen(teacher, method.center.mean, temperature=0.04)
            method.center.observe(teacher)
            loss = dino_cross_entropy(student, targets, temperature=0.1)
        optimizer.zero_grad(set_to_none=True)
        with timed("backward", found):
            loss.backward()
        with timed("clipping", found):
            clip_gradients(method.student.parameters(), config.optimizer)
        with timed("optimiser", found):
            optimizer.step()
        with timed("EMA and center", found):
            method.after_step()
        yield found


@contextmanager
def timed(name: str, found: dict[str, float]) -> Iterator[None]:
    """Note the CPU seconds of what is within."""
    start = time.process_time()
    yield
    found[name] = time.process_time() - start


def together(parts: Mapping[str, float]) -> float:
    """The sum."""
    return sum(parts.values())


def print_steps(taken: Mapping[str, float], batch_size: int) -> None:
    """A line for each step, with images per second of a batch of so many."""
    for name, value in taken.items():
        told = f"{1e3 * value:8.1f} ms, {batch_size / value:7.1f} images/s"
        means = "packed; nothing is read" if name == VIEWS_TOO else f"step alone, {taken['by size'] / value:.2f} x"
        print(f"{name:<15} {told}, {means}")


def print_overhead(found: Overhead) -> None:
    """The second table."""
    for name, value in {"step": found.step, **found.parts}.items():
        print(f"{name:<16} {1e3 * value:8.1f}")
    shares = f"{100 * found.share:.1f} % of the step with reading, {100 * found.share_beside_reading:.1f} % without"
    print(f"the loop itself: {shares}; {1 / found.step:.2f} steps/s of one core")


def main() -> None:
    """Print two tables, or one of a GPU."""
    device, *rest = asked(__doc__, "DEVICE", "BACKBONE", "RECIPE", "BATCH") or ["cpu"]
    torch.set_num_threads(1)
    print(describe_machine(), f"torch {torch.__version__}", torch.cuda.get_device_name() if device == "cuda" else "")
    backbone, recipe, batch = rest or USUAL[device]
    patch = 8 if "patch8" in backbone else 16
    config = make_config(recipe, backbone, int(batch), patch=patch)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{recipe}, {backbone}, batch {batch}, crops of {', '.join(map(str, config.sizes))} px")
        print_steps(compare_packing(config, device, Path(folder)), int(batch))
        if device == "cuda":
            return
        print("\ndino_mc, resnet18, globals of 64 px, batch 16: a step of the loop, CPU ms")
        print_overhead(loop_overhead(Path(folder)))


if __name__ == "__main__":
    main()

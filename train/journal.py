"""What a training says while it runs: a line for people, `metrics.csv`, TensorBoard, and whether it is well."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from catalogs.console import duration, live, say
from train.health import ENTROPY, HealthLimits, HealthMonitor
from train.run_folder import LOG, Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from train.config import TrainConfig


class Journal:
    """Collects what steps measure; reads it back from the device, and tells it, every `log_every` steps."""

    def __init__(
        self,
        run: Path,
        *,
        start: int,
        steps: int,
        config: TrainConfig,
        uniform: Mapping[str, float],
        log_every: int,
        epoch: int = 0,
        quiet: bool = False,
        silent: bool = False,
    ) -> None:
        """Prepare; files are opened on entering.

        Args:
            run: The run folder.
            start: Steps done before.
            steps: Steps there will be in all.
            config: Of the training.
            uniform: Value of each loss term where nothing is told apart, nats.
            log_every: Steps between two looks.
            epoch: Steps of an epoch.
            quiet: Nothing is said to people.
            silent: Nothing is written either: this is not the first process.
        """
        self.figures: dict[str, float] = {}
        """The last row written."""
        self._run, self._steps, self._config = run, steps, config
        self._quiet, self._silent = quiet or silent, silent
        self._step = self._looked = start
        self._rate = 0.0
        self._terms: tuple[str, ...] = ()
        self._began = self._since = time.monotonic()
        self._waited = 0.0
        self._extra: dict[str, float] = {}
        self._diagnostics: Mapping[str, Tensor] = {}
        limits = HealthLimits(every=log_every, epoch=epoch * _frozen_epochs(config))
        self._monitor = HealthMonitor(uniform, warn=self.warn, limits=limits)
        self._stack = ExitStack()
        self._metrics: Metrics | None = None
        self._board: Any = None
        self._show: Callable[[int, str], None] = lambda _done, _words: None

    def __enter__(self) -> Self:
        if not self._silent:
            self._run.mkdir(parents=True, exist_ok=True)
            self._metrics = Metrics(self._run, step=self._step)
            self._monitor.recall(self._metrics.figures())
            self._board = self._open_board()
        self._show = self._stack.enter_context(live(self._steps, "Training", quiet=self._quiet))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)
        if self._board is not None:
            self._board.close()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time within as waiting for data."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the time within out of samples per second and of the share of waiting: hooks, checkpoints."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began

    def after_step(self, step: int, terms: Mapping[str, Tensor], diagnostics: Mapping[str, Tensor], *, rate: float) -> None:
        """Take in a step.

        Args:
            step: Steps done, this one included.
            terms: The loss, on the device.
            diagnostics: Scalars on the device, and `features`, (batch, dim). A row has the mean since the last one of the
                teacher's entropy and of separations, and all others as the last step has them.
            rate: Learning rate.

        Raises:
            DivergedError: When it looks, and the loss was not finite.
        """
        self._step, self._rate, self._terms = step, rate, tuple(terms)
        self._diagnostics = {name: value for name, value in diagnostics.items() if name != "features"}
        gaps = {name.partition("/")[2]: value for name, value in self._diagnostics.items() if name.startswith("separation/")}
        reading = self._monitor.observe(
            step, terms, lr=rate, features=diagnostics.get("features"), separation=gaps, entropy=diagnostics.get(ENTROPY)
        )
        if reading is not None:
            self._write(reading)

    def look(self) -> None:
        """Read what was not read yet, and write what was logged since the last row.

        Raises:
            DivergedError: The loss was not finite.
        """
        reading = self._monitor.read()
        if reading:
            self._write(reading)
        elif self._extra:
            self._keep({"step": self._step, **self._extra})

    def record(self, name: str, value: float) -> None:
        """Write a figure into the next row, and say nothing of it."""
        self._extra[name] = float(value)

    def log(self, name: str, value: float) -> None:
        """Write a figure into the next row, such as a hook's."""
        self.record(name, value)
        self.tell(f"Step {self._step}: {name} {value:.4g}")

    @property
    def owes_figures(self) -> bool:
        """Whether a figure waits for the next row."""
        return bool(self._extra)

    def warn(self, words: str) -> None:
        """Tell people, and `log.txt`, what is wrong."""
        self.tell(f"Warning: {words}")

    def tell(self, words: str) -> None:
        """Tell people, and `log.txt`."""
        if self._silent:
            return
        say(words, quiet=self._quiet)
        with (self._run / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{words}\n")

    def _open_board(self) -> Any:
        """TensorBoard's writer; none where TensorBoard is not installed, which is said."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.tell("TensorBoard is not installed: curves are in metrics.csv alone. pip install tensorboard adds them.")
            return None
        return SummaryWriter(str(self._run), purge_step=self._step + 1)

    def _write(self, reading: Mapping[str, float]) -> None:
        """A row of everything since the last one."""
        now = time.monotonic()
        steps, seconds = self._step - self._looked, max(now - self._since, 1e-9)
        scalars = {name: float(value) for name, value in self._diagnostics.items() if name not in reading}
        row = {
            "step": self._step,
            "loss": sum(reading[name] for name in self._terms),
            "lr": self._rate,
            "samples_per_s": steps * self._config.batch_size / seconds,
            "wait_percent": 100 * self._waited / seconds,
            **reading,
            **scalars,
            **self._extra,
        }
        self._keep(row)
        left = (self._steps - self._step) * seconds / max(steps, 1)
        self._show(self._step, self._words(row, left))
        self._looked, self._since, self._waited = self._step, now, 0.0

    def _keep(self, row: Mapping[str, float]) -> None:
        """Write figures of this step where they are kept."""
        self.figures = {**(self.figures if self.figures.get("step") == self._step else {}), **row}
        if self._metrics is not None:
            self._metrics.add(row)
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, self._step)
        self._extra = {}

    def _words(self, row: Mapping[str, float], left_s: float) -> str:
        end = f"{duration(left_s)} left" if self._step < self._steps else f"took {duration(time.monotonic() - self._began)}"
        return (
            f"step {self._step:,}/{self._steps:,}, loss {row['loss']:.3f}, {row['samples_per_s']:.0f} locations/s, "
            f"{row['wait_percent']:.0f} % waiting for data, {end}"
        )


def _frozen_epochs(config: TrainConfig) -> int:
    """Epochs that a student is given before it is judged: those in which prototypes are frozen, one at least."""
    return max(1, config.distillation.freeze_last_layer) if config.distillation is not None else 1

"""Signs of a training that went wrong, seen without any label.

`HealthMonitor` is fed at every step, keeps what it is given on the device, and reads it back once in a while, so that no step
waits for the device. What it finds it says in words; only a loss that is not finite ends a training unasked. The signs
themselves are in `train.collapse`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from train.collapse import feature_spread, rank_me
from train.errors import ConfigError, DivergedError

ENTROPY = "teacher_entropy"
"""The name of the one figure beside loss terms that has a uniform value."""
DISTILLATION = "distillation"
"""The loss term that compares a student with the teacher of that entropy."""
STUDENT_KL = "student_kl"
"""What that term has beyond that entropy, nats: how far the student is from what the teacher says. At 0, all samples are
answered alike (DINO, section 5.3)."""
TEACHER_KL = "teacher_kl"
"""What that entropy lacks to its uniform value, nats: 0 where the teacher tells nothing apart."""
_LOOK_AT = (
    "Lower the learning rate or lengthen its warm-up, clip gradients (max_norm) or train in 32-true, and look for pixels that "
    "are not finite with curate verify CATALOG --deep. Go on from an earlier checkpoint with train resume RUN."
)
_SEE_ALIKE = "that the views of a sample show the same ground and that the bands are not constant"
_SHARPEN = (
    "Lower the teacher's temperature (--teacher-temperature) or the learning rate (--lr), freeze the last layer for longer "
    "(--freeze-last-layer), or take fewer prototypes (--out-dim)"
)
_WIDEN = "Lower the learning rate, raise ema_momentum or the number of negatives, and widen the augmentation."


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """What counts as ill, with the reason of each number."""

    every: int = 50
    """Steps between two readings: one wait for the device in fifty steps costs nothing that can be measured."""
    patience: int = 1000
    """Steps of a training before features and subspaces are judged, and that a loss must stay at its uniform value: at first
    the queue holds keys that tell nothing, and losses pass their uniform value on the way down."""
    epoch: int = 0
    """Steps of an epoch, or of all in which prototypes are frozen; 0 where it is not known. A teacher and its student must stay
    at their uniform value for so many steps in place of `patience`, so that a run of a few epochs is judged too."""
    settling: int = 200
    """But for no fewer than these, where epochs are short: a DINO-TP that went on to learn, of 1,024 prototypes and 31 steps an
    epoch, stood there for 100 steps once the center had caught up."""
    plateau: float = 0.01
    """A mean loss above (1 - this) of its uniform value has learned nothing; healthy runs leave that band within an epoch."""
    spread: float = 0.1
    """Less is a collapse to a point. ResNet-18 and -50 that were never trained have 0.27 on EuroSAT in evaluation mode, and
    0.65 in training mode."""
    rank: float = 0.03
    """A share of the directions there can be; less is a dimensional collapse. Those networks fill 0.07 and more."""
    separation: float = 0.05
    """A smaller difference of cosines is what subspaces show that hold the same."""
    features: int = 1024
    """Features that spread and rank are taken of, the latest; 0.05 to 0.5 s on one core for 512 to 2,048 dimensions."""

    def __post_init__(self) -> None:
        """Check counts.

        Raises:
            ConfigError: A count is below 1.
        """
        for name in ("every", "patience", "settling", "features"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 or more.")


class HealthMonitor:
    """Watches a training and says what ails it."""

    def __init__(
        self,
        uniform: Mapping[str, float],
        *,
        warn: Callable[[str], None],
        limits: HealthLimits | None = None,
        stop_when_stalled: bool = False,
    ) -> None:
        """Start with nothing seen.

        Args:
            uniform: Of each loss term that has one, its value where nothing is told apart: of `uniform_loss`, times its weight.
            warn: Called with a sentence, once per ailment until it has passed.
            limits: What counts as ill.
            stop_when_stalled: Whether a loss that stays at its uniform value ends the training.
        """
        self._uniform = dict(uniform)
        self._warn = warn
        self._limits = limits or HealthLimits()
        self._stop = stop_when_stalled
        self._seen: list[_Seen] = []
        self._features: deque[Tensor] = deque()
        self._uniform_since: dict[str, int] = {}
        self._told: set[str] = set()

    def recall(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Take in what a training read before it was cut off, so that what stood at its uniform value then is not counted anew.

        Args:
            rows: Readings in their order, each with its `step`; one need not have every figure.
        """
        for name in self._uniform:
            first = 1
            for row in (row for row in rows if name in row):
                last = int(row["step"])
                self._steps_at_uniform(name, first, last, row[name])
                first = last + 1

    def observe(
        self,
        step: int,
        terms: Mapping[str, Tensor],
        *,
        lr: float,
        features: Tensor | None = None,
        separation: Mapping[str, Tensor] | None = None,
        entropy: Tensor | None = None,
    ) -> dict[str, float] | None:
        """Take in one step; every `limits.every` steps, read back and judge.

        Args:
            step: Optimizer steps done, this one included.
            terms: Scalars on the device: the weighted terms of the loss.
            lr: Learning rate of the step.
            features: (batch, dim) on the device: backbone features or embeddings, always of the same kind.
            separation: Scalars on the device, by what differs between query and key, such as `season`: their mean cosine in the
                subspace where they are a positive pair, less that in the one where they are negatives. 0 where both subspaces
                hold the same.
            entropy: A scalar on the device: mean entropy of the teacher's distributions, nats, for methods that have them.

        Returns:
            At a reading, what was read: the mean of each term, `spread`, `rank`, `separation/...`, `teacher_entropy`,
            `teacher_kl` and `student_kl`; else none.

        Raises:
            DivergedError: At a reading, if a term was not finite at any step since the last one; or if the loss stays at its
                uniform value and the monitor was asked to stop then.
        """
        named = {**terms, **{f"separation/{name}": value for name, value in (separation or {}).items()}}
        if entropy is not None:
            named[ENTROPY] = entropy
        values = torch.stack([value.detach().float().reshape(()) for value in named.values()])
        self._seen.append(_Seen(step, lr, tuple(named), values))
        if features is not None:
            self._keep(features.detach())
        return None if step % self._limits.every else self.read()

    def read(self) -> dict[str, float]:
        """Read back what is there and judge it; also before a checkpoint, so that none is written of what is not finite.

        Raises:
            DivergedError: See `observe`.
        """
        if not self._seen:
            return {}
        seen, self._seen = self._seen, []
        values = iter(torch.cat([each.values for each in seen]).tolist())
        columns: dict[str, list[float]] = {}
        for each in seen:
            named = dict(zip(each.names, islice(values, len(each.names)), strict=True))
            _check_finite(each, named)
            for name, value in named.items():
                columns.setdefault(name, []).append(value)
        reading = {name: sum(column) / len(column) for name, column in columns.items()} | self._read_features()
        if ENTROPY in reading and DISTILLATION in reading:
            reading[STUDENT_KL] = reading[DISTILLATION] - reading[ENTROPY]
        if ENTROPY in reading and ENTROPY in self._uniform:
            reading[TEACHER_KL] = self._uniform[ENTROPY] - reading[ENTROPY]
        self._judge(seen[0].step, seen[-1].step, reading)
        return reading

    def _keep(self, features: Tensor) -> None:
        self._features.append(features)
        while sum(map(len, self._features)) - len(self._features[0]) >= self._limits.features:
            self._features.popleft()

    def _read_features(self) -> dict[str, float]:
        if not self._features:
            return {}
        features = torch.cat(tuple(self._features))[-self._limits.features :]
        return {
            "spread": float(feature_spread(features)),
            "rank": float(rank_me(features)),
            "directions": float(min(features.shape)),
        }

    def _judge(self, first: int, last: int, reading: Mapping[str, float]) -> None:
        terms = [name for name in self._uniform if name in reading and name != ENTROPY]
        words = {name: self._plateau(name, first, last, reading) for name in terms}
        words[ENTROPY] = self._dull_teacher(first, last, reading)
        if self._stop and any(words.values()):
            raise DivergedError(" ".join(text for text in words.values() if text))
        if last > self._limits.patience:
            words |= _collapse(last, reading, self._limits) | _mixed_subspaces(last, reading, self._limits)
        for ailment, text in words.items():
            if text and ailment not in self._told:
                self._warn(text)
            (self._told.add if text else self._told.discard)(ailment)

    def _plateau(self, name: str, first: int, last: int, reading: Mapping[str, float]) -> str | None:
        """What to say of a term that has stayed at its uniform value for too long."""
        steps = self._steps_at_uniform(name, first, last, reading[name])
        if steps < self._patience(name):
            return None
        found = (
            f"Loss term {name} has been at {reading[name]:.3f} for {steps} steps, up to step {last}; "
            f"{self._uniform[name]:.3f} is what it costs to tell nothing apart."
        )
        if name != DISTILLATION or STUDENT_KL not in reading:
            return f"{found} Raise or lower the learning rate, and check {_SEE_ALIKE}."
        if reading[ENTROPY] >= (1 - self._limits.plateau) * self._uniform[name]:
            return None  # the teacher is no better, and what is said of it says what to do
        return (
            f"{found} The teacher does tell samples apart, and the student does not follow: {reading[STUDENT_KL]:.3f} lies "
            f"between them (student_kl). Raise or lower the learning rate (--lr), lengthen its warm-up (--warmup-epochs), and "
            f"check {_SEE_ALIKE}."
        )

    def _dull_teacher(self, first: int, last: int, reading: Mapping[str, float]) -> str | None:
        """What to say of a teacher that has told nothing apart for an epoch, and for as long as features are given time."""
        if ENTROPY not in reading or ENTROPY not in self._uniform:
            return None
        found, uniform = reading[ENTROPY], self._uniform[ENTROPY]
        steps = self._steps_at_uniform(ENTROPY, first, last, found)
        if steps < self._patience(ENTROPY):
            return None
        return (
            f"The teacher has told nothing apart for {steps} steps, up to step {last}: the entropy of what it says is "
            f"{found:.3f}, {uniform - found:.3f} below that of all prototypes alike. {_SHARPEN}."
        )

    def _patience(self, name: str) -> int:
        """For how many steps a figure may be at its uniform value."""
        if self._limits.epoch and name in {DISTILLATION, ENTROPY}:
            return max(self._limits.epoch, self._limits.settling)
        return self._limits.patience

    def _steps_at_uniform(self, name: str, first: int, last: int, value: float) -> int:
        """For how many steps a figure has been at its uniform value; 0 where it is not."""
        if value < (1 - self._limits.plateau) * self._uniform[name]:
            self._uniform_since.pop(name, None)
            return 0
        return last - self._uniform_since.setdefault(name, first) + 1


@dataclass(frozen=True, slots=True)
class _Seen:
    """One step, still on the device."""

    step: int
    lr: float
    names: tuple[str, ...]
    values: Tensor


def _check_finite(seen: _Seen, named: Mapping[str, float]) -> None:
    bad = [name for name, value in named.items() if not math.isfinite(value)]
    if bad:
        others = ", ".join(f"{name} {value:.4g}" for name, value in named.items() if name not in bad)
        raise DivergedError(
            f"Loss term {', '.join(bad)} is {named[bad[0]]} at step {seen.step}, with learning rate {seen.lr:g}"
            f"{f' (finite: {others})' if others else ''}. Expected a finite number. {_LOOK_AT}"
        )


def _collapse(step: int, reading: Mapping[str, float], limits: HealthLimits) -> dict[str, str | None]:
    """What to say of features that have shrunk, to a point or to a few directions."""
    if "spread" not in reading:
        return {}
    spread, rank, least = reading["spread"], reading["rank"], limits.rank * reading["directions"]
    point = (
        f"Features have collapsed by step {step}: their spread is {spread:.3f}, expected {limits.spread:g} or more, where 1 is "
        f"everywhere alike. {_WIDEN}"
    )
    few = (
        f"Features fill {rank:.1f} of {reading['directions']:.0f} directions at step {step} (RankMe); expected {least:.1f} or "
        f"more. {_WIDEN}"
    )
    collapsed = spread < limits.spread
    return {"spread": point if collapsed else None, "rank": few if rank < least and not collapsed else None}


def _mixed_subspaces(step: int, reading: Mapping[str, float], limits: HealthLimits) -> dict[str, str | None]:
    """What to say of subspaces that see the same change alike."""
    words: dict[str, str | None] = {}
    for name in (name for name in reading if name.startswith("separation/")):
        text = (
            f"The subspaces do not part: where only {name.partition('/')[2]} differs, their cosines differ by "
            f"{reading[name]:.3f} at step {step}, expected {limits.separation:g} or more and growing. Check that the views of "
            "the keys differ as the method says, and that the dates of a sample are different ones."
        )
        words[name] = text if reading[name] < limits.separation else None
    return words

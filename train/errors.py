"""What can go wrong with training.

TrainError
├── ConfigError       (ValueError)    a setting that is impossible, or that does not fit another one
├── DataError         (ValueError)    a catalog that lacks what the method asks for: dates, bands, locations
├── CheckpointError   (ValueError)    a checkpoint or weights that do not fit, or that may not be read
├── DivergedError     (RuntimeError)  a loss that is not finite, or that does not move
└── MemoryShortError  (MemoryError)   a device that cannot hold the batch

Each message says what is wrong, with the value; what was expected; and what to do.
"""

from typing import ClassVar


class TrainError(Exception):
    """Any failure of training that its user can act on."""

    exit_code: ClassVar[int] = 2
    """What the command leaves with."""


class ConfigError(TrainError, ValueError):
    """A setting that is impossible, or that does not fit another one."""


class DataError(TrainError, ValueError):
    """A catalog that lacks what the method asks for."""


class CheckpointError(TrainError, ValueError):
    """A checkpoint or weights that do not fit, or that may not be read."""


class DivergedError(TrainError, RuntimeError):
    """A loss that is not finite, or that does not move."""

    exit_code: ClassVar[int] = 5


class MemoryShortError(TrainError, MemoryError):
    """A device that cannot hold the batch."""

    exit_code: ClassVar[int] = 5

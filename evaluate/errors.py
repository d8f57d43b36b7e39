"""What can go wrong with an evaluation.

EvaluateError
├── LabelError     (ValueError)   labels that are absent, several where one is asked for, or in no training item
├── SplitError     (ValueError)   a catalog whose items cannot be parted into training and test
├── InputError     (ValueError)   weights and a catalog that do not fit, or settings that do not
└── ResultError    (ValueError)   a result file that cannot be read or written

Each message says what is wrong, with the value; what was expected; and what to do.
"""

from typing import ClassVar


class EvaluateError(Exception):
    """Any failure of an evaluation that its user can act on."""

    exit_code: ClassVar[int] = 2
    """What the command leaves with."""


class LabelError(EvaluateError, ValueError):
    """Labels that are absent, several where one is asked for, or in no training item."""


class SplitError(EvaluateError, ValueError):
    """A catalog whose items cannot be parted into training and test."""


class InputError(EvaluateError, ValueError):
    """Weights and a catalog that do not fit, or settings that do not."""


class ResultError(EvaluateError, ValueError):
    """A result file that cannot be read or written."""

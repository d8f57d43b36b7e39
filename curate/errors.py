"""What can go wrong while a catalog is made.

CurateError                                  exit code 2: change the command
├── RegionError          (ValueError)        an unknown or empty region, or one that cannot hold so many locations
├── RecipeError          (ValueError)        flags that disagree with what the folder was made from
├── SourceSensorError    (ValueError)        a source without the sensor
├── StorageError         (OSError)           the disk is full or cannot be written
└── SourceUnavailableError (ConnectionError) exit code 4: the source does not answer; run again

Each message says what is wrong, with the value; what was expected; and what to do.
"""

from typing import ClassVar


class CurateError(Exception):
    """Any failure of curation that its user can act on."""

    exit_code: ClassVar[int] = 2


class RegionError(CurateError, ValueError):
    """A region that is unknown or empty, or that cannot hold so many locations."""


class RecipeError(CurateError, ValueError):
    """Flags that disagree with what the folder was made from, or a folder that is not ours."""


class SourceSensorError(CurateError, ValueError):
    """A source without the sensor that was asked for."""


class StorageError(CurateError, OSError):
    """The disk is full or cannot be written."""


class SourceUnavailableError(CurateError, ConnectionError):
    """A source that does not answer, or that answers with a failure of its own."""

    exit_code = 4

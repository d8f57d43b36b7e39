"""What can go wrong while a catalog is made.

CurateError                                  exit code 2: change the command
├── RegionError          (ValueError)        an unknown or empty region, or one that cannot hold so many locations
├── RecipeError          (ValueError)        flags that disagree with what the folder was made from
├── SourceSensorError    (ValueError)        a source without the sensor
├── StorageError         (OSError)           the disk is full or cannot be written
├── ClusterError                             --scheduler names none, or its workers are not set up as the build is
│   └── ClusterLostError                     exit code 4: the scheduler does not answer; run again
├── SourceUnavailableError (ConnectionError) exit code 4: the source does not answer; run again
│   └── HostDownError                        all of one host fails: nobody asks it for a while
├── UnfinishedError                          exit code 4: locations were left out; run again
└── StoppedError                             exit code 130: a fetch that was told to stop

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


class ClusterError(CurateError):
    """A scheduler that is none, or workers that cannot do what the build asks of them."""


class ClusterLostError(ClusterError):
    """A scheduler that does not answer, or not any more."""

    exit_code = 4


class SourceUnavailableError(CurateError, ConnectionError):
    """A source that does not answer, or that answers with a failure of its own."""

    exit_code = 4


class HostDownError(SourceUnavailableError):
    """A host of which nothing succeeds any more, so that it is left alone for a while."""


class UnfinishedError(CurateError):
    """A build that ended with fewer locations done than were to do."""

    exit_code = 4


class StoppedError(CurateError):
    """A fetch that was told to stop, as on Ctrl-C; it says nothing about its source."""

    exit_code = 130

"""What a source cannot do, refused before anything is asked of it."""

from __future__ import annotations

from collections.abc import Sequence

from catalogs.records import Location
from curate.errors import ClusterError
from curate.sources.protocol import LimitsSquares, Source, members_of, why_one_process

ONE_PROCESS = "local:1"
"""The scheduler that surely is one."""


def check_squares(source: Source, sensors: Sequence[str], locations: Sequence[Location]) -> None:
    """Refuse squares that are too large for a source, or for one of several.

    Args:
        source: Of the build.
        sensors: That are wanted.
        locations: All of the catalog.

    Raises:
        CurateError: They are.
    """
    for each in members_of(source):
        if isinstance(each, LimitsSquares):
            each.check_squares(sensors, max((location.side_m for location in locations), default=0))


def check_processes(source: Source, scheduler: str) -> None:
    """Refuse a cluster of several processes for a source that one alone may read.

    Args:
        source: Of the build.
        scheduler: As `curate.cluster.check_scheduler` lets pass.

    Raises:
        ClusterError: It may be several.
    """
    if scheduler == ONE_PROCESS:
        return
    for each in members_of(source):
        if why := why_one_process(each):
            raise ClusterError(
                f"--scheduler {scheduler} may be several processes, but {each.name} is read by one. {why} Leave --scheduler "
                f"out, or give {ONE_PROCESS}."
            )

"""The source of a build: opened, and held against what is asked of it before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalogs.bands import find_sensor
from catalogs.records import Location
from curate.assemble import Wanted
from curate.clouds import check_judge
from curate.errors import CurateError, SourceSensorError
from curate.source_limits import check_squares
from curate.sources.offers import check_offered, choice
from curate.sources.protocol import Several, Source, why_lacking
from curate.sources.same_source import lost_path


def source_of_build(
    open_source: Callable[..., Source],
    folder: Path,
    section: Mapping[str, Any],
    wanted: Wanted,
    *,
    locations: Sequence[Location],
    is_remembered: bool,
) -> Source:
    """Open the source that a recipe names.

    Args:
        open_source: As `curate.sources.open_source`.
        folder: The catalog's.
        section: The recipe's build section; its `source` may be an older spelling of the source's name.
        wanted: Of every location.
        locations: All of the catalog.
        is_remembered: Whether the source is an earlier run's, rather than what was typed now.

    Raises:
        CurateError: There is no such source, or it wants what is not there, such as an account; or the locations are too large
            for it.
        SourceSensorError: It lacks a sensor.
        SourceUnavailableError: One of several sources does not answer, and may have it.
    """
    try:
        source = open_source(section["source"], max_scene_cloud=section["max_scene_cloud"])
    except CurateError as error:
        if is_remembered:
            _check_there(folder, section["source"], error)
        check_offered(section["source"], section["sensors"])  # sooner than what it wants of who asks for what it has not
        raise
    for sensor in section["sensors"]:
        _check_sensor(source, sensor)
        check_judge(find_sensor(sensor), [band.name for band in wanted.sensors[sensor]])
    check_squares(source, section["sensors"], locations)
    return source


def _check_there(folder: Path, source: str, error: CurateError) -> None:
    """Say where a catalog's archive was, if it is not there.

    Raises:
        CurateError: It is not.
    """
    path = lost_path(source)
    if path:
        raise CurateError(
            f"{folder} is built from {path}, as seen from the folder where the command was run first, and from here there is "
            "no such path. Run it there, or say where the archive is now: --source PATH"
        ) from error


def _check_sensor(source: Source, sensor: str) -> None:
    """Refuse a sensor that the source lacks.

    Raises:
        SourceSensorError: It does; the message lists what it has.
        SourceUnavailableError: One of several sources does not answer, and may have it.
    """
    find_sensor(sensor)
    has = source.sensors()
    if sensor not in has and isinstance(source, Several):
        source.check_answered()
    if sensor not in has:
        words = [f"Source {source.name} has no {sensor}.", why_lacking(source, sensor), choice(sensor, has)]
        raise SourceSensorError(" ".join(filter(None, words)))

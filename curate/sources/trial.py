"""A trial of a source of files: whether it answers a small search, and gives the beginning of a file that it found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError
from curate.reading.transport import Patience, Transport
from curate.sources.protocol import LonLatBox, Source

SPAN = timedelta(days=16)
"""Of the search: a cycle of Landsat, three of Sentinel-2."""
BEGINNING = 1024
"""Bytes of a file that are fetched."""


def try_out(source: Source, sensor: str, box: LonLatBox, day: str) -> str:
    """Search a source, and fetch the beginning of the first file that it names; the search and the file cost next to nothing.

    Args:
        source: Of files.
        sensor: Which it has there.
        box: Small.
        day: The first of sixteen, `YYYY-MM-DD`.

    Returns:
        What came of it, in a few words.

    Raises:
        SourceUnavailableError: It does not answer, finds nothing, or its file cannot be read.
        CurateError: Credentials are missing.
    """
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    scenes = source.search(sensor, box, start, start + SPAN)
    if not scenes:
        raise SourceUnavailableError(
            f"{source.name} answers, but has no {sensor} at {box} within {SPAN.days} days from {day}, where there was some. "
            "Check its address, or look at its status page; then run the same command again."
        )
    href = next(iter(scenes[0].bands.values())).href
    with Transport(connections=1, patience=Patience(attempts=2)) as transport:
        transport.fetch(href, 0, BEGINNING)
    return f"answers; scenes of {sensor} within {SPAN.days} days: {len(scenes)}; {_host(href)} gives their files"


def _host(href: str) -> str:
    return "/".join(without_secrets(href).split("/")[:3])

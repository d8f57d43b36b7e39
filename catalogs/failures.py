"""`failures.parquet`: locations that could not be completed, and why; sorted, without clock times."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import layout
from catalogs.journal import Failure
from catalogs.pixels import write_whole

SCHEMA = pa.schema(
    [
        ("location", pa.string()),
        ("season", pa.int32()),
        ("sensor", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("transient", pa.bool_()),
    ]
)


def write_failures(folder: Path, failures: Iterable[Failure]) -> None:
    """Write all failures of a catalog, sorted by location, season and sensor."""
    rows = sorted(failures, key=lambda failure: (failure.location, failure.season, failure.sensor))
    table = pa.table([[getattr(row, field.name) for row in rows] for field in SCHEMA], schema=SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write_whole(folder / layout.FAILURES, sink.getvalue())


def read_failures(folder: Path) -> list[Failure]:
    """The failures of a catalog; none where the file is not written yet."""
    path = folder / layout.FAILURES
    return [Failure(**row) for row in pq.read_table(path).to_pylist()] if path.exists() else []

"""What is there of what was asked for: every location's every season, as items or as a recorded failure."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.checks.documents import Collected
from catalogs.checks.report import Findings
from catalogs.checks.tree import BROKEN_TABLE, Tree, check_text
from catalogs.errors import CatalogUnreachableError, MissingAssetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED_SEASONS = {"seco": 5}
"""How many date windows the named presets have."""


def seasons_of(recipe: Mapping[str, Any]) -> int | None:
    """How many date windows every location has; none where nothing was asked for yet."""
    seasons = recipe.get("build", {}).get("seasons")
    return NAMED_SEASONS.get(seasons) if isinstance(seasons, str) else seasons


def check_coverage(
    tree: Tree, findings: Findings, recipe: Mapping[str, Any], collections: Sequence[Collected], locations: Sequence[str]
) -> int:
    """Check that what was begun is complete.

    Args:
        tree: The catalog, whose last run reached its end.
        findings: Where problems go.
        recipe: Of the catalog.
        collections: Its collections.
        locations: Ids of all its locations.

    Returns:
        How many locations have neither items nor failures: a build has not come to them yet.
    """
    failures = _read_failures(tree, findings)
    seasons = seasons_of(recipe)
    if not seasons or not locations:
        return 0
    ids = pa.array(locations, pa.string())
    failed = _cells(failures, ids, "location", "season", seasons) if failures is not None else np.zeros((len(ids), seasons), bool)
    done = {collected.sensor: _items(tree, collected, ids, seasons) for collected in collections if collected.rows}
    any_done = np.any([failed, *done.values()], axis=0).any(axis=1)
    for collected in collections:
        has = done.get(collected.sensor, np.zeros_like(failed))
        lacking = any_done[:, None] & ~failed & ~has
        for row, season in np.argwhere(lacking):
            words = f"Has neither an item of {collected.sensor} for season {season} nor a recorded failure."
            findings.add("incomplete", locations[row], words)
        for row, season in np.argwhere(failed & has):
            findings.add("incomplete", locations[row], f"Has an item of {collected.sensor} for season {season}, and a failure too.")
    return int(np.sum(~any_done))


def _read_failures(tree: Tree, findings: Findings) -> pa.Table | None:
    try:
        table = pq.read_table(io.BytesIO(tree.read(layout.FAILURES)))
        messages = table["message"].to_pylist()
        missing = {"location", "season", "sensor", "reason"} - set(table.column_names)
    except MissingAssetError:
        return None
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE as error:
        findings.add("unreadable", layout.FAILURES, f"Cannot be read: {error}; expected one row per failure.")
        return None
    if missing:
        findings.add("unreadable", layout.FAILURES, f"Lacks the column {min(missing)!r}.")
        return None
    for message in messages:
        check_text(message or "", layout.FAILURES, findings)
    return table


def _items(tree: Tree, collected: Collected, ids: pa.Array, seasons: int) -> NDArray[np.bool_]:
    with tree.open_parquet(f"{collected.sensor}/{layout.INDEX}") as file:
        return _cells(file.read(columns=[fields.LOCATION, fields.SEASON]), ids, fields.LOCATION, fields.SEASON, seasons)


def _cells(table: pa.Table, ids: pa.Array, location: str, season: str, seasons: int) -> NDArray[np.bool_]:
    """Which (location, season) a table has rows of: (locations, seasons)."""
    cells = np.zeros((len(ids), seasons), bool)
    rows = pc.fill_null(pc.index_in(table[location], value_set=ids), -1).to_numpy()
    columns = pc.fill_null(table[season], -1).to_numpy()
    known = (rows >= 0) & (columns >= 0) & (columns < seasons)
    cells[rows[known], columns[known]] = True
    return cells

"""What is there of what was asked for: every location's seasons and static layers, as items or as recorded failures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields, layout
from catalogs.bands import find_sensor
from catalogs.checks.documents import Collected
from catalogs.checks.tree import BROKEN_TABLE, Visit, check_text
from catalogs.date_windows import SECO, SECO_DATES, windows_of
from catalogs.errors import CatalogUnreachableError, MissingAssetError
from catalogs.failures import SCHEMA
from catalogs.journal import NO_SEASON
from catalogs.recipe import items_section

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED_SEASONS = {SECO: SECO_DATES}
"""How many date windows the named presets have."""
READ = (fields.LOCATION, fields.SEASON, "start_datetime", "end_datetime")
"""Columns of an index that tell what there is."""


def seasons_of(recipe: Mapping[str, Any]) -> int | None:
    """How many date windows every location has; none where nothing was asked for yet."""
    seasons = items_section(recipe).get("seasons")
    return NAMED_SEASONS.get(seasons) if isinstance(seasons, str) else seasons


def check_coverage(visit: Visit, recipe: Mapping[str, Any], collections: Sequence[Collected], locations: Sequence[str]) -> int:
    """Check that what was begun is complete.

    Args:
        visit: The check that this is part of, of a catalog whose last run reached its end.
        recipe: Of the catalog.
        collections: Its collections.
        locations: Ids of all its locations.

    Returns:
        How many locations have neither items nor failures: a build has not come to them yet.
    """
    failures = _read_failures(visit)
    seasons = seasons_of(recipe)
    if not seasons or not locations:
        return 0
    cells = Cells(pa.array(locations, pa.string()), seasons)
    failed = cells.of(failures, "location", "season")
    items = {collected.sensor: _read_seasons(visit, collected) for collected in collections}
    done = {sensor: cells.of(found, fields.LOCATION, fields.SEASON) & cells.asked(sensor) for sensor, found in items.items()}
    begun = np.any([failed, *done.values()], axis=0).any(axis=1)
    for sensor, has in done.items():
        missing = begun[:, None] & cells.asked(sensor) & ~failed & ~has
        if missing.any():
            missing &= ~cells.shared(items[sensor], recipe)
        of_sensor = "" if find_sensor(sensor).is_static else " for season {season}"
        for row, season in np.argwhere(missing):
            words = f"Has neither an item of {sensor}{of_sensor.format(season=season)} nor a recorded failure."
            visit.add("incomplete", locations[row], words)
        for row, season in np.argwhere(failed & has):
            words = f"Has an item of {sensor}{of_sensor.format(season=season)}, and a failure too."
            visit.add("incomplete", locations[row], words)
    return int(np.sum(~begun))


@dataclass(frozen=True, slots=True)
class Cells:
    """What is asked for: one cell per location and season, and a last one per location for static layers, of no season."""

    locations: pa.Array
    seasons: int

    def asked(self, sensor: str) -> NDArray[np.bool_]:
        """In which cells of a location something is asked of a sensor, (seasons + 1,)."""
        asked = np.full(self.seasons + 1, not find_sensor(sensor).is_static)
        asked[-1] = not asked[-1]
        return asked

    def of(self, table: pa.Table | None, location: str, season: str) -> NDArray[np.bool_]:
        """Which cells a table has rows of, (locations, seasons + 1)."""
        cells = np.zeros((len(self.locations), self.seasons + 1), bool)
        if table is None:
            return cells
        rows = self._rows(table[location])
        columns = pc.fill_null(table[season], NO_SEASON).to_numpy()
        known = (rows >= 0) & (columns >= NO_SEASON) & (columns < self.seasons)  # the last cell is that of -1
        cells[rows[known], columns[known]] = True
        return cells

    def shared(self, items: pa.Table | None, recipe: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Which cells the vintages of a sensor answer beside the season that they state, (locations, seasons + 1).

        A scene is one item however many seasons keep it, and states the last of them; so it may have been kept by any earlier
        one whose date window its interval touches. Nothing tells whether it was: hold this against what failed.

        Args:
            items: The columns `READ` of the sensor's index.
            recipe: Of the catalog; where it tells no dates, no season shares an item.
        """
        cells = np.zeros((len(self.locations), self.seasons + 1), bool)
        if items is None:
            return cells
        vintages = items.filter(pc.and_(pc.is_valid(items["start_datetime"]), pc.greater(items[fields.SEASON], 0)))
        windows = windows_of(recipe, vintages[fields.LOCATION].to_pylist())
        if windows is None:
            return cells
        rows, stated = self._rows(vintages[fields.LOCATION]), vintages[fields.SEASON].to_numpy()
        starts, ends = (vintages[name].to_numpy()[:, None] for name in ("start_datetime", "end_datetime"))
        touched = (starts < windows[..., 1]) & (ends >= windows[..., 0])
        places, seasons = np.nonzero(touched & (np.arange(self.seasons) < stated[:, None]) & (rows >= 0)[:, None])
        cells[rows[places], seasons] = True
        return cells

    def _rows(self, locations: pa.ChunkedArray) -> NDArray[np.int64]:
        """The row of each location; -1 of one that is not known."""
        rows: NDArray[np.int64] = pc.fill_null(pc.index_in(locations, value_set=self.locations), -1).to_numpy()
        return rows


def _read_seasons(visit: Visit, collected: Collected) -> pa.Table | None:
    """Location, season and interval of every item; none where the index cannot be read, which was told."""
    if not collected.rows:
        return None
    with visit.tree.open_index(collected.index) as file:
        table = file.read(columns=READ)
    if set(READ) <= set(table.column_names):
        return table
    visit.add("index", collected.index_name, f"Lacks one of the columns {', '.join(READ)}.")
    return None


def _read_failures(visit: Visit) -> pa.Table | None:
    try:
        table = pq.read_table(io.BytesIO(visit.tree.read(layout.FAILURES)))
        lacking = [field.name for field in SCHEMA if field.name not in table.column_names]
        messages = [] if lacking else table["message"].to_pylist()
    except MissingAssetError:
        return None
    except CatalogUnreachableError:
        raise
    except BROKEN_TABLE as error:
        visit.add("unreadable", layout.FAILURES, f"Cannot be read: {error}; expected one row per failure.")
        return None
    if lacking:
        visit.add("unreadable", layout.FAILURES, f"Lacks the column {lacking[0]!r}; expected {', '.join(SCHEMA.names)}.")
        return None
    for message in messages:
        check_text(message or "", layout.FAILURES, visit.findings)
    return table

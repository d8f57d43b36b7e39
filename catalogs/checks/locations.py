"""`locations.parquet`: squares on the lattice, told once, their splits apart."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogs import layout
from catalogs.checks.items import BROKEN_RECORD
from catalogs.checks.report import Findings
from catalogs.checks.tree import BROKEN_TABLE, Visit
from catalogs.errors import CatalogUnreachableError, ContractError, MissingAssetError
from catalogs.locations import NEEDED, location_of_row, locations_table, read_locations_table
from catalogs.records import Location

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREES = 1e-6
"""By how much another version of PROJ may differ."""
DERIVED = ("lon", "lat", "grid_square", "geometry", "bbox")
"""Columns that a location's square entails."""
SHOWN = 20
"""Locations that are named for one column, or pairs for one fault."""


def check_locations(visit: Visit, recipe: Mapping[str, Any]) -> dict[str, Location | None]:
    """Check what was sampled.

    Args:
        visit: The check that this is part of.
        recipe: Of the catalog.

    Returns:
        All locations by id; none in place of one that breaks the contract.
    """
    table = _read_table(visit, recipe)
    if table is None:
        return {}
    found: dict[str, Location | None] = {}
    for row in zip(*(table[name].to_pylist() for name in NEEDED), strict=True):
        if row[0] in found:
            visit.add("location", row[0], f"Has two rows in {layout.LOCATIONS}; expected each id once.")
        else:
            found[row[0]] = _read_location(visit, row, is_sampled="sample" in recipe)
    visit.findings.checked["locations"] = len(table)
    whole = [location for location in found.values() if location is not None]
    if len(whole) == len(table):
        _check_columns(table, whole, visit.findings)
    _check_squares(whole, visit.findings, disjoint=bool(recipe.get("sample", {}).get("no_overlap")))
    return found


def _read_table(visit: Visit, recipe: Mapping[str, Any]) -> pa.Table | None:
    """The rows; none, and mostly a problem, where they cannot be read."""
    try:
        return read_locations_table(io.BytesIO(visit.tree.read(layout.LOCATIONS)))
    except MissingAssetError:
        if "build" in recipe or "sample" not in recipe:
            visit.add("missing-file", layout.LOCATIONS, "Is not there; expected what was sampled.")
    except CatalogUnreachableError:
        raise
    except (ContractError, *BROKEN_TABLE) as error:
        visit.add("location", layout.LOCATIONS, f"Cannot be read: {error}")
    return None


def _read_location(visit: Visit, row: Sequence[Any], *, is_sampled: bool) -> Location | None:
    """One row; none, and a problem, where it breaks the contract, or what is asked of a catalog that was sampled."""
    try:
        location = location_of_row(row)
    except BROKEN_RECORD as error:
        visit.add("location", str(row[0]), str(error))
        return None
    if is_sampled and not location.is_sampled:
        words = "Has no grid square" if location.epsg else "Has no zone"
        visit.add("location", location.id, f"{words}; expected a square of the lattice, since the catalog was sampled.")
        return None
    if _is_on_earth(location):
        return location
    words = f"Lies at {location.bounds} of EPSG:{location.epsg}"
    visit.add("location", location.id, f"{words}; expected eastings of 100 to 900 km, northings under 10,000 km.")
    return None


def _is_on_earth(location: Location) -> bool:
    """Whether a square's centre is where its zone has grid squares; one of unknown ground may be anywhere."""
    x, y = location.centre_xy
    return location.epsg is None or (100_000 <= x < 900_000 and 0 <= y < 10_000_000)


def _check_columns(table: pa.Table, locations: Sequence[Location], findings: Findings) -> None:
    """Hold the derived columns against the squares."""
    expected = locations_table(locations)
    for name in DERIVED:
        if name not in table.column_names:
            words = f"Lacks the column {name!r}; expected {', '.join(expected.column_names)}."
            findings.add("location", layout.LOCATIONS, words)
            continue
        for row in np.flatnonzero(_differs(table[name], expected[name]))[:SHOWN]:
            told = "another footprint" if name == "geometry" else f"{name} {table[name][int(row)].as_py()}"
            wanted = "" if name == "geometry" else f" ({expected[name][int(row)].as_py()})"
            findings.add("location", locations[row].id, f"Has {told} than its square entails{wanted}.")


def _differs(told: pa.ChunkedArray, expected: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which rows of a column differ by more than rounding, or have a value in one alone."""
    has, should_have = (np.asarray(column.is_valid(), bool) for column in (told, expected))
    both = has & should_have
    different: NDArray[np.bool_] = has != should_have
    different[both] = _values_differ(told.filter(pa.array(both)), expected.filter(pa.array(both)))
    return different


def _values_differ(told: pa.ChunkedArray, expected: pa.ChunkedArray) -> NDArray[np.bool_]:
    import shapely

    different: NDArray[np.bool_]
    if pa.types.is_binary(expected.type):
        shapes, wanted = (shapely.from_wkb(column.to_numpy(zero_copy_only=False)) for column in (told, expected))
        different = ~np.asarray(shapely.equals_exact(shapes, wanted, tolerance=DEGREES))
    elif pa.types.is_struct(expected.type):
        parts = [_differs(pc.struct_field(told, field.name), pc.struct_field(expected, field.name)) for field in expected.type]
        different = np.any(parts, axis=0)
    elif pa.types.is_floating(expected.type):
        different = np.abs(told.to_numpy() - expected.to_numpy()) > DEGREES
    else:
        different = pc.not_equal(told, expected).to_numpy()
    return different


def _check_squares(locations: Sequence[Location], findings: Findings, *, disjoint: bool) -> None:
    """Find squares that were sampled twice, neighbours that two splits share, and overlaps that nobody asked for.

    Where the images of somebody else's data set lie is a fact of it, not a fault of the catalog.
    """
    locations = [location for location in locations if location.is_sampled]
    counts = Counter((location.epsg, location.bounds) for location in locations)
    for location in locations:
        if counts[location.epsg, location.bounds] > 1:
            words = f"Shares its square {location.bounds} with another id; expected one id for one square."
            findings.add("location", location.id, words)
    for one, other in _overlapping_pairs(locations):
        if one.bounds == other.bounds:
            continue
        if one.split != other.split and "none" not in (one.split, other.split):
            words = f"Is in split {one.split!r} and overlaps {other.id} in {other.split!r}; expected neighbours together."
            findings.add("split", one.id, words)
        elif disjoint:
            findings.add("location", one.id, f"Overlaps {other.id}; expected disjoint squares, as the recipe asks for.")


def _overlapping_pairs(locations: Sequence[Location]) -> Iterator[tuple[Location, Location]]:
    """Pairs of squares that share ground; each zone by itself."""
    import shapely

    for zone in sorted({location.zone for location in locations}):
        mine = [location for location in locations if location.epsg == zone]
        squares = shapely.box(*np.array([location.bounds for location in mine], float).T)
        first, second = shapely.STRtree(squares).query(squares, predicate="intersects")
        once = first < second
        first, second = first[once], second[once]
        shares = shapely.area(shapely.intersection(squares[first], squares[second])) > 0
        for i, j in zip(first[shares], second[shares], strict=True):
            yield mine[i], mine[j]

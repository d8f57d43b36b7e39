"""How much of a labelled catalog's ground was in the catalog that weights were trained on."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogs import fields
from catalogs.reader import Catalog, open_catalog
from evaluate.errors import InputError, ResultError
from evaluate.leakage_squares import Squares, find_overlaps
from evaluate.task import TRAIN

if TYPE_CHECKING:
    from evaluate.leakage_pixels import Alike
    from evaluate.leakage_scores import Scored

FORMAT = "seastars:leakage"
FORMAT_VERSION = 1
LARGEST_BUFFER_M = 100_000
COLUMNS = ("id", "split", "epsg", "left", "bottom", "right", "top")


@dataclass(frozen=True, slots=True)
class Share:
    """How much of one split lies on ground that was seen."""

    split: str
    """Split of the labelled catalog."""
    locations: int
    """Locations that have items and whose ground is known."""
    overlapping: int
    """Of these, how many share ground with any location of the pre-training catalog."""
    trained: int
    """Of these again, how many share it with a location that pre-training reads: of its training split."""


@dataclass(frozen=True, slots=True, eq=False)
class Leakage:
    """Which ground of a labelled catalog was in a pre-training catalog."""

    pretrain: str
    """Name of the pre-training catalog."""
    pretrain_locations: int
    """Its locations that have items and whose ground is known."""
    pretrain_unknown: int
    """Its locations whose ground is not known."""
    catalog: str
    """Name of the labelled catalog."""
    unknown: int
    """Its locations whose ground is not known: nothing can be said of them."""
    buffer_m: float
    """How far each labelled square was grown to each side, metres."""
    shares: tuple[Share, ...]
    """By split, in the order of their names."""
    locations: pa.Table
    """Labelled locations that share ground: `location`, `split`, `overlaps` and `trained` (how many locations of the
    pre-training catalog, and of its training split), `pretrain_location` and `pretrain_split` (of the one whose centre is
    nearest) and `distance_m` (of the centres); in the order of the catalog."""
    alike: Alike | None = None
    """Images that look alike, if these were asked for."""
    scored: tuple[Scored, ...] = ()
    """Results with and without the items that pre-training saw, if these were asked for."""

    def to_json(self) -> dict[str, Any]:
        """As JSON, with the format's name and version, and the version of seastars."""
        named = {name: getattr(self, name) for name in self.__slots__}
        named |= {"shares": [asdict(share) for share in self.shares], "locations": self.locations.to_pylist()}
        named["alike"] = self.alike.to_json() if self.alike else None
        named["scored"] = [asdict(each) for each in self.scored]
        return {FORMAT: FORMAT_VERSION, "version": version("seastars"), **named}


def measure_leakage(pretrain: str, catalog: str, *, buffer_m: float = 0) -> Leakage:
    """Compare the squares of two catalogs; see `evaluate.leakage_squares.find_overlaps` for what counts as shared.

    Locations count that have an item. Pre-training reads those of the training split, or all of a catalog without splits.

    Args:
        pretrain: Path or address of the catalog that weights were trained on.
        catalog: Path or address of the labelled one.
        buffer_m: How far each labelled square is grown to each side, 0 to 100,000 m.

    Raises:
        InputError: The buffer is out of range, or a catalog is another's, which has no locations.
        CatalogError: A catalog cannot be read.
    """
    if not 0 <= buffer_m <= LARGEST_BUFFER_M:
        raise InputError(f"A buffer of {buffer_m:g} m was asked for; expected 0 to {LARGEST_BUFFER_M:,} m. Change --buffer-m.")
    opened = open_catalog(pretrain), open_catalog(catalog)
    all_held, all_asked = (_built_locations(each) for each in opened)
    held, asked = (table.filter(pc.is_valid(table["epsg"])) for table in (all_held, all_asked))
    found = _Found(len(asked))
    trained = is_trained(all_held).filter(pc.is_valid(all_held["epsg"])).to_numpy(zero_copy_only=False)
    for rows, others, distance in find_overlaps(_squares(asked), _squares(held), buffer_m=buffer_m):
        found.add(rows, others, distance, trained=trained[others])
    return Leakage(
        pretrain=str(opened[0].document.get("id")),
        pretrain_locations=len(held),
        pretrain_unknown=len(all_held) - len(held),
        catalog=str(opened[1].document.get("id")),
        unknown=len(all_asked) - len(asked),
        buffer_m=float(buffer_m),
        shares=_shares(asked, found),
        locations=_overlapping(asked, held, found),
    )


def check_out(path: Path) -> None:
    """Refuse, before anything is computed, a file that `write_leakage` would not write.

    Raises:
        ResultError: Its name ends in neither `.parquet` nor `.json`.
    """
    if path.suffix not in (".parquet", ".json"):
        raise ResultError(f"{path} is neither .parquet (the locations) nor .json (all there is to say). Choose another --out.")


def write_leakage(path: Path, leakage: Leakage) -> None:
    """Write the locations that share ground as parquet, or all there is to say as JSON, as the name's end says; atomically.

    Raises:
        ResultError: The name ends in neither, or it cannot be written there.
    """
    from catalogs.pixels import write_whole

    check_out(path)
    if path.suffix == ".json":
        content = (json.dumps(leakage.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    else:
        sink = io.BytesIO()
        pq.write_table(leakage.locations, sink, compression="zstd")
        content = sink.getvalue()
    try:
        write_whole(path, content)
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.") from error


class _Found:
    """What was found of each location so far, as pairs come in."""

    def __init__(self, count: int) -> None:
        """Start with nothing found of so many locations."""
        self.overlaps = np.zeros(count, np.int64)
        self.trained = np.zeros(count, np.int64)
        self.nearest = np.full(count, -1, np.int64)
        self.distance = np.full(count, np.inf)

    def add(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], distance: NDArray[np.float64], *, trained: NDArray[np.bool_]
    ) -> None:
        """Take in pairs; of two that are equally near, the earlier one is named."""
        count = len(self.overlaps)
        self.overlaps += np.bincount(rows, minlength=count)
        self.trained += np.bincount(rows[trained], minlength=count)
        rows, others = np.append(rows, np.flatnonzero(self.nearest >= 0)), np.append(others, self.nearest[self.nearest >= 0])
        distance = np.append(distance, self.distance[self.nearest >= 0])
        order = np.lexsort((others, distance, rows))
        rows, first = np.unique(rows[order], return_index=True)
        self.nearest[rows], self.distance[rows] = others[order][first], distance[order][first]


def _built_locations(catalog: Catalog) -> pa.Table:
    """Locations that have an item of any sensor."""
    if not catalog.is_ours:
        raise InputError(
            f"{catalog} is not of our making: it has no locations whose squares could be compared. "
            "Build a catalog from it with curate build, or convert it with curate convert."
        )
    built = pc.unique(catalog.items().picks.columns([fields.LOCATION])[fields.LOCATION])
    table = catalog.locations().select(COLUMNS)
    return table.filter(pc.is_in(table["id"], value_set=built))


def is_trained(table: pa.Table) -> pa.ChunkedArray:
    """Whether pre-training reads each location or item, by its `split`, as `train.samples` chooses them."""
    if pc.all(pc.equal(table["split"], "none")).as_py():
        return pc.equal(table["split"], "none")
    return pc.equal(table["split"], TRAIN)


def _squares(table: pa.Table) -> Squares:
    epsg, *edges = (table[name].to_numpy() for name in COLUMNS[2:])
    return Squares.of(epsg.astype(np.int64), np.stack(edges, axis=-1))


def _shares(asked: pa.Table, found: _Found) -> tuple[Share, ...]:
    splits = np.asarray(asked["split"].to_pylist(), dtype=np.str_)
    rows = {split: splits == split for split in sorted(set(splits.tolist()))}
    return tuple(
        Share(split, int(mine.sum()), int((found.overlaps[mine] > 0).sum()), int((found.trained[mine] > 0).sum()))
        for split, mine in rows.items()
    )


def _overlapping(asked: pa.Table, held: pa.Table, found: _Found) -> pa.Table:
    rows = np.flatnonzero(found.overlaps)
    near = held.take(pa.array(found.nearest[rows]))
    mine = asked.take(pa.array(rows))
    return pa.table(
        {
            "location": mine["id"],
            "split": mine["split"],
            "overlaps": found.overlaps[rows],
            "trained": found.trained[rows],
            "pretrain_location": near["id"],
            "pretrain_split": near["split"],
            "distance_m": np.round(found.distance[rows], 2),
        }
    )

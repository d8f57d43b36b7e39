"""`locations.parquet`: what was sampled, one row per location, as GeoParquet.

Columns: `id`, `split`, `epsg`, `left`, `bottom`, `right`, `top` (whole metres of the UTM zone), `lon`, `lat` (of the centre),
`grid_square` (MGRS, 100 km), `geometry` (the footprint, WKB, OGC:CRS84) and `bbox` (`xmin` > `xmax` across 180 degrees, as in
RFC 7946). Rows keep the order in which locations were accepted. Of an image off the lattice there is no `grid_square`; of one
whose ground is not known there is no `epsg`, `lon`, `lat`, `geometry` or `bbox` either. Reading needs pyarrow alone.

References:
    GeoParquet 1.1.0, https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import ContractError, MissingAssetError
from catalogs.lattice import corner_lonlats, footprint_of_corners, mgrs_square, to_lonlat
from catalogs.pixels import write_whole
from catalogs.records import Location

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES = ("left", "bottom", "right", "top")
BBOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("epsg", pa.int32()),
        *((edge, pa.int64()) for edge in EDGES),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("grid_square", pa.string()),
        ("geometry", pa.binary()),
        ("bbox", BBOX),
    ]
)
NEEDED = ("id", "split", "epsg", *EDGES, "grid_square")
ROW_GROUP = 20_000


def write_locations(path: Path, locations: Sequence[Location]) -> None:
    """Write locations as a whole or not at all; the same locations give the same bytes.

    Args:
        path: The file; its folder is made.
        locations: In the order of their ids.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    sink = io.BytesIO()
    pq.write_table(locations_table(locations), sink, compression="zstd", row_group_size=ROW_GROUP)
    write_whole(path, sink.getvalue())


def locations_table(locations: Sequence[Location]) -> pa.Table:
    """The rows of `locations.parquet`, with GeoParquet's metadata."""
    bounds = np.array([location.bounds for location in locations], np.int64).reshape(-1, 4)
    located, boxes = _located([location for location in locations if location.epsg is not None])
    has_ground = np.array([location.epsg is not None for location in locations], bool)
    rows = pa.array(np.cumsum(has_ground) - 1, mask=~has_ground)
    epsg, *others = (column.take(rows) for column in located)
    columns = [
        pa.array([location.id for location in locations], pa.string()),
        pa.array([location.split for location in locations], pa.string()),
        epsg,
        *bounds.T,
        *others,
    ]
    return pa.table(columns, schema=SCHEMA.with_metadata({"geo": json.dumps(_geo_metadata(boxes))}))


def _located(locations: Sequence[Location]) -> tuple[list[pa.Array], NDArray[np.float64]]:
    """What there is of locations whose ground is known: columns `epsg` and from `lon` to `bbox`, and the boxes again."""
    epsg = np.fromiter((location.zone for location in locations), np.int32, len(locations))
    bounds = np.array([location.bounds for location in locations], np.int64).reshape(-1, 4)
    x, y = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    lon, lat = to_lonlat(x, y, epsg)
    geometry, boxes = _footprints(corner_lonlats(epsg, bounds)) if len(locations) else ([], np.empty((0, 4)))
    is_sampled = [location.is_sampled for location in locations]
    squares = (mgrs_square(*row) for row in zip(epsg.tolist(), x, y, lat, strict=True))
    columns = [
        pa.array(epsg),
        pa.array(np.round(lon, 7)),
        pa.array(np.round(lat, 7)),
        pa.array([square if sampled else None for square, sampled in zip(squares, is_sampled, strict=True)], pa.string()),
        pa.array(geometry, pa.binary()),
        pa.StructArray.from_arrays([pa.array(edge) for edge in boxes.T], fields=list(BBOX)),
    ]
    return columns, boxes


def _footprints(corners: NDArray[np.float64]) -> tuple[list[bytes], NDArray[np.float64]]:
    """Footprints as WKB and their boxes (west, south, east, north), both as `lattice.footprint` gives them."""
    import shapely

    corners = np.round(corners, 7)
    lon, lat = corners[..., 0], corners[..., 1]
    geometry = np.array(shapely.polygons(corners), object)
    boxes = np.stack([lon.min(axis=1), lat.min(axis=1), lon.max(axis=1), lat.max(axis=1)], axis=-1)
    for row in np.flatnonzero(np.ptp(lon, axis=1) > 180):
        shape, boxes[row] = footprint_of_corners(corners[row])
        geometry[row] = shapely.geometry.shape(shape)
    return [bytes(wkb) for wkb in np.asarray(shapely.to_wkb(geometry, byte_order=1))], boxes


def _geo_metadata(boxes: NDArray[np.float64]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon", "Polygon"],
        "orientation": "counterclockwise",
        "covering": {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if len(boxes):
        crosses = bool((boxes[:, 0] > boxes[:, 2]).any())
        west, east = (-180.0, 180.0) if crosses else (float(boxes[:, 0].min()), float(boxes[:, 2].max()))
        column["bbox"] = [west, float(boxes[:, 1].min()), east, float(boxes[:, 3].max())]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def read_locations_table(source: Path | str | BinaryIO, columns: Sequence[str] | None = None) -> pa.Table:
    """All locations as a table: for large sets, or for some columns only.

    Args:
        source: Path of a `locations.parquet`, or such a file opened for reading.
        columns: Names of the columns wanted; all where absent.

    Raises:
        MissingAssetError: There is no such file.
        ContractError: It holds something else.
    """
    if isinstance(source, str | Path) and not Path(source).is_file():
        raise MissingAssetError(
            f"{source} is not there. A catalog starts with its locations: make them with `curate sample --out FOLDER`."
        )
    try:
        file = pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise ContractError(f"{source} is no parquet file ({error}). Make it again with `curate sample`.") from error
    with file:
        names = file.schema_arrow.names
        lacking = [name for name in (NEEDED if columns is None else columns) if name not in names]
        if lacking:
            raise ContractError(
                f"{source} lacks the column {lacking[0]!r}; it has {', '.join(names)}. "
                "Expected the locations.parquet of a catalog, as `curate sample` writes it."
            )
        return file.read(None if columns is None else list(columns))


def read_locations(source: Path | str | BinaryIO) -> list[Location]:
    """All locations, in the order of the file.

    Args:
        source: Path of a `locations.parquet`, or such a file opened for reading.

    Raises:
        MissingAssetError: There is no such file.
        ContractError: It holds something else, or a location that breaks the contract.
    """
    table = read_locations_table(source, NEEDED)
    return [location_of_row(row) for row in zip(*(table[name].to_pylist() for name in NEEDED), strict=True)]


def location_of_row(row: Sequence[Any]) -> Location:
    """The location of one row.

    Args:
        row: Values of its `NEEDED` columns.

    Raises:
        ContractError: It breaks the contract.
    """
    id_, split, epsg, left, bottom, right, top, grid_square = row
    return Location(id_, epsg, (left, bottom, right, top), split, off_lattice=epsg is not None and grid_square is None)

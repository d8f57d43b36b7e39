"""Answers of a source, saved: the scenes of one sensor over one grid square and period, as stac-geoparquet.

`<sensor>/<square>_<first day>_<day after the last>.parquet`, one row per scene, one asset per band under our names, so that
geopandas, DuckDB and stac-geoparquet read what a build had to choose from. Each file says which question it answers; that of
another question (other locations in the square, another source) is no answer. The same scenes give the same bytes.

References:
    stac-geoparquet 1.1.0, https://github.com/radiantearth/stac-geoparquet-spec
    GeoParquet 1.1.0, https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs import fields
from catalogs.bands import Sensor, find_sensor
from catalogs.foreign import BandPart, SourceBand, SourceScene
from catalogs.from_stac import read_time
from catalogs.pixels import write_whole
from catalogs.rows import BBOX, LINK
from catalogs.to_stac import STAC_VERSION
from catalogs.wkb import from_wkb, to_wkb
from curate.sources.protocol import LonLatBox

METADATA = {
    "geo": {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": [],
                "covering": {"bbox": {field.name: ["bbox", field.name] for field in BBOX}},
            }
        },
    },
    "stac-geoparquet": {"version": "1.1.0"},
}
"""Of a file; unlike our own items' footprints, a provider's may turn either way."""
QUESTION = "seastars:question"
"""Key of a file's metadata: what was asked, as JSON."""
UNANSWERED = "seastars:unanswered"
"""Key of a file's metadata: names of the sources that did not answer, as JSON; absent where all did."""
SOURCE_RANK = "seastars:source_rank"
"""See `catalogs.foreign.SourceScene.rank`."""
SOURCE_BAND = "seastars:source_band"
"""Of an asset: which band of its file, from 1."""
PARTS = "seastars:parts"
"""Of an asset that is a mosaic's: see `catalogs.foreign.SourceBand.parts`; absent where no scene's is."""
BOX_DIGITS = 7
"""Of degrees, in a question: a centimetre, so that another release of PROJ asks nothing anew."""
TEXT, NUMBER, TIME = pa.string(), pa.float64(), pa.timestamp("us", tz="UTC")
BAND = pa.struct([("name", TEXT), ("nodata", NUMBER), ("raster:scale", NUMBER), ("raster:offset", NUMBER)])
ASSET = pa.struct([("href", TEXT), ("bands", pa.list_(BAND)), ("file:checksum", TEXT), (SOURCE_BAND, pa.int32())])
FOOTPRINT = "seastars:footprint"
"""Of a part: WKB in hexadecimal digits, since readers that make JSON of an answer refuse bytes within assets."""
PART = pa.struct([("id", TEXT), *ASSET, (FOOTPRINT, TEXT)])
MOSAIC = pa.struct([*ASSET, (PARTS, pa.list_(PART))])
"""An asset where a scene's band has parts."""
PLAIN = {
    "datetime": ("datetime", TIME),
    "start_datetime": ("start_datetime", TIME),
    "end_datetime": ("end_datetime", TIME),
    "cloud_percent": ("eo:cloud_cover", NUMBER),
    "platform": ("platform", TEXT),
    "sun_elevation": ("view:sun_elevation", NUMBER),
    "sun_azimuth": ("view:sun_azimuth", NUMBER),
    "relative_orbit": ("sat:relative_orbit", pa.int32()),
    "orbit_state": ("sat:orbit_state", TEXT),
    "baseline": ("processing:version", TEXT),
    "created": ("processing:datetime", TEXT),
    "radiometry": (fields.RADIOMETRY, TEXT),
    "simulated": (fields.SIMULATED, pa.bool_()),
    "source": (fields.SOURCE, TEXT),
    "rank": (SOURCE_RANK, pa.int32()),
    "disputed": ("seastars:offset_disputed", pa.bool_()),
}
"""Column and type by the field of a scene that it holds as it is."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a source was asked."""

    source: str
    """Its name, without secrets."""
    sensor: str
    """Id of the sensor."""
    boxes: Sequence[LonLatBox]
    """(west, south, east, north), degrees."""
    start: datetime
    """First instant."""
    end: datetime
    """First instant after the last."""
    max_scene_cloud: float
    """Percent of a whole scene above which none is offered."""

    def text(self) -> str:
        """The question as JSON, the same for the same question."""
        boxes = [[round(value, BOX_DIGITS) for value in box] for box in self.boxes]
        told: dict[str, Any] = {"source": self.source, "sensor": self.sensor, "boxes": boxes}
        told |= {"start": self.start.isoformat(), "end": self.end.isoformat(), "max_scene_cloud": float(self.max_scene_cloud)}
        return json.dumps(told, ensure_ascii=False)


def answer_path(folder: Path, square: str, question: Question) -> Path:
    """Where the answer over a grid square is saved.

    Examples:
        >>> from datetime import UTC
        >>> asked = Question(source="a", sensor="naip", boxes=(), start=datetime(2023, 1, 1, tzinfo=UTC),
        ...     end=datetime(2023, 7, 1, 12, tzinfo=UTC), max_scene_cloud=100)
        >>> answer_path(Path("search"), "31UDQ", asked).as_posix()
        'search/naip/31UDQ_20230101_20230701T1200.parquet'
    """
    first, last = (
        f"{when:%Y%m%d}" if when.hour == when.minute == 0 else f"{when:%Y%m%dT%H%M}" for when in (question.start, question.end)
    )
    return folder / question.sensor / f"{square}_{first}_{last}.parquet"


def periods(span: tuple[datetime, datetime]) -> Iterator[tuple[datetime, datetime]]:
    """A span cut into periods of at most a year, each from where the last ended."""
    start, end = span
    while start < end:
        until = min(_year_later(start), end)
        yield start, until
        start = until


def _year_later(when: datetime) -> datetime:
    try:
        return when.replace(year=when.year + 1)
    except ValueError:  # the 29th of February
        return when + timedelta(days=365)


def save_answer(path: Path, scenes: Sequence[SourceScene], question: Question, *, unanswered: Iterable[str] = ()) -> None:
    """Write an answer as a whole or not at all.

    Args:
        path: Of `answer_path`; its folder is made.
        scenes: Of one sensor, without secrets, in the order in which they are to be read again.
        question: What they answer.
        unanswered: Names of the sources that did not answer, and may have more.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    table = encode_scenes(scenes, find_sensor(question.sensor))
    told = {QUESTION: question.text()} | ({UNANSWERED: json.dumps(missing)} if (missing := sorted(unanswered)) else {})
    table = table.replace_schema_metadata({**table.schema.metadata, **told})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=max(len(table), 1))
    write_whole(path, buffer.getvalue(), shared=True)  # a plan may run beside a build


def load_answer(path: Path, question: Question, *, in_part: bool = False) -> list[SourceScene] | None:
    """The scenes of a saved answer.

    Args:
        path: Of `answer_path`.
        question: What was asked.
        in_part: Whether an answer counts that a source did not take part in.

    Returns:
        None where there is no file, a broken one, that of another question, or one that does not count.
    """
    try:
        with pq.ParquetFile(path) as file:
            told = file.schema_arrow.metadata or {}
            if told.get(QUESTION.encode()) != question.text().encode() or (UNANSWERED.encode() in told and not in_part):
                return None
            return decode_scenes(file.read())
    except (OSError, pa.ArrowException):
        return None


def is_in_part(path: Path) -> bool:
    """Whether a saved answer says that a source did not take part in it."""
    try:
        return UNANSWERED.encode() in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def load_old_answer(path: Path) -> list[SourceScene]:
    """The scenes of an answer of seastars 0.1, gzipped JSON of a whole span, so that a build begun with it ends as it would."""
    return [_scene_from_json(row) for row in json.loads(gzip.decompress(path.read_bytes()))]


def encode_scenes(scenes: Sequence[SourceScene], sensor: Sensor) -> pa.Table:
    """Scenes of a sensor as rows of stac-geoparquet."""
    columns: dict[str, pa.Array] = {"id": pa.array([scene.id for scene in scenes], TEXT)}
    for name, (column, type_) in PLAIN.items():
        columns[column] = pa.array([getattr(scene, name) for scene in scenes], type_)
    count = len(scenes)
    columns |= {
        "proj:code": pa.array([scene.epsg and f"EPSG:{scene.epsg}" for scene in scenes], TEXT),
        "bbox": pa.array([_box(scene.footprint) for scene in scenes], BBOX),
        "type": pa.array(["Feature"] * count, TEXT),
        "stac_version": pa.array([STAC_VERSION] * count, TEXT),
        "stac_extensions": pa.array([[]] * count, pa.list_(TEXT)),
        "collection": pa.array([sensor.id] * count, TEXT),
        "geometry": pa.array([to_wkb(scene.footprint) for scene in scenes], pa.binary()),
        "links": pa.array([_links(scene) for scene in scenes], pa.list_(LINK)),
        "assets": pa.StructArray.from_arrays([_assets(scenes, name) for name in _band_names(sensor)], _band_names(sensor)),
    }
    return pa.table(columns).replace_schema_metadata({key: json.dumps(value) for key, value in METADATA.items()})


def decode_scenes(table: pa.Table) -> list[SourceScene]:
    """The scenes of a table, equal to those that were encoded; heights in footprints are left out."""
    table = _with_all_columns(table)
    values = {name: table[column].to_pylist() for name, (column, _) in PLAIN.items()}
    values |= {"id": table["id"].to_pylist(), "sensor": table["collection"].to_pylist()}
    values["footprint"] = [from_wkb(content) for content in table["geometry"].to_pylist()]
    values["epsg"] = [code and int(code.removeprefix("EPSG:")) for code in table["proj:code"].to_pylist()]
    values["rank"] = [rank or 0 for rank in values["rank"]]
    values["disputed"] = [bool(disputed) for disputed in values["disputed"]]
    values["href"] = [links[0]["href"] if links else None for links in table["links"].to_pylist()]
    values["bands"] = _bands_of_rows(table["assets"].combine_chunks())
    names = list(values)
    return [
        SourceScene(**_in_utc(dict(zip(names, row, strict=True))))
        for row in zip(*(values[name] for name in names), strict=True)
    ]


def _with_all_columns(table: pa.Table) -> pa.Table:
    """A table that an earlier version wrote, with the columns that it lacks, null."""
    for column, type_ in PLAIN.values():
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(len(table), type_))
    return table


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """Times in Python's own UTC rather than Arrow's."""
    return row | {name: read_time(row[name]) for name in ("datetime", "start_datetime", "end_datetime")}


def _band_names(sensor: Sensor) -> list[str]:
    return [band.name for band in (*sensor.bands, sensor.mask) if band]


def _assets(scenes: Sequence[SourceScene], name: str) -> pa.Array:
    bands = [scene.bands.get(name) for scene in scenes]
    type_ = MOSAIC if any(band and band.parts for band in bands) else ASSET
    return pa.array([band and _asset(name, band) | _parts(name, band) for band in bands], type_)


def _asset(name: str, band: SourceBand) -> dict[str, Any]:
    stated = {"name": name, "nodata": band.nodata, "raster:scale": band.scale, "raster:offset": band.offset}
    return {"href": band.href, "bands": [stated], "file:checksum": band.checksum, SOURCE_BAND: band.index}


def _parts(name: str, band: SourceBand) -> dict[str, Any]:
    if not band.parts:
        return {}
    return {PARTS: [_asset(name, part.band) | {"id": part.id, FOOTPRINT: part.footprint.hex()} for part in band.parts]}


def _bands_of_rows(assets: pa.StructArray) -> list[dict[str, SourceBand]]:
    """The bands of every row, read column by column: a tenth of the time that rows as dictionaries take."""
    rows: list[dict[str, SourceBand]] = [{} for _ in range(len(assets))]
    known: dict[Any, Any] = {}
    for field in assets.type:
        asset = pc.struct_field(assets, field.name)
        present = pc.is_valid(asset).to_numpy(zero_copy_only=False).nonzero()[0]
        asset = asset.take(pa.array(present))
        bands = _bands_of(asset)
        if PARTS in asset.type.names:
            bands = _with_parts(bands, pc.struct_field(asset, PARTS), known)
        for row, band in zip(present, bands, strict=True):
            rows[row][field.name] = band
    return rows


def _bands_of(assets: pa.StructArray) -> list[SourceBand]:
    stated = pc.list_flatten(pc.struct_field(assets, "bands"))
    columns = (
        pc.struct_field(assets, "href"),
        pc.struct_field(assets, SOURCE_BAND),
        pc.struct_field(stated, "raster:scale"),
        pc.struct_field(stated, "raster:offset"),
        pc.struct_field(stated, "nodata"),
        pc.struct_field(assets, "file:checksum"),
    )
    return [SourceBand(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]


def _with_parts(bands: Sequence[SourceBand], lists: pa.ListArray, known: dict[Any, Any]) -> list[SourceBand]:
    """Bands with their parts; what is alike in parts, such as the file of several bands, is held in memory once, as `known`."""
    files = pc.list_flatten(lists)
    ids = [known.setdefault(id_, id_) for id_ in pc.struct_field(files, "id").to_pylist()]
    outlines = [
        known.get(text) or known.setdefault(text, bytes.fromhex(text)) for text in pc.struct_field(files, FOOTPRINT).to_pylist()
    ]
    named = [replace(band, href=known.setdefault(band.href, band.href)) for band in _bands_of(files)]
    parts = map(BandPart, ids, named, outlines)
    counts = [count or 0 for count in pc.list_value_length(lists).to_pylist()]
    return [replace(band, parts=tuple(islice(parts, count))) for band, count in zip(bands, counts, strict=True)]


def _links(scene: SourceScene) -> list[dict[str, str]]:
    return [{"rel": "self", "href": scene.href, "type": "application/geo+json"}] if scene.href else []


def _box(geometry: Mapping[str, Any]) -> dict[str, float]:
    """Bounding box of a geometry; of parts on both sides of 180 degrees its west exceeds its east (RFC 7946)."""
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    parts = [[(point[0], point[1]) for point in polygon[0]] for polygon in polygons]
    south, north = _reach(y for part in parts for _, y in part)
    west, east = _reach(x for part in parts for x, _ in part)
    if (west, east) == (-180.0, 180.0) and len(parts) > 1:
        western = [part for part in parts if min(x for x, _ in part) == -180.0]
        eastern = [part for part in parts if part not in western]
        west, east = min(x for part in eastern for x, _ in part), max(x for part in western for x, _ in part)
    return {"xmin": west, "ymin": south, "xmax": east, "ymax": north}


def _reach(values: Iterable[float]) -> tuple[float, float]:
    known = [float(value) for value in values]
    return min(known), max(known)


def _scene_from_json(row: dict[str, Any]) -> SourceScene:
    times: dict[str, Any] = {key: read_time(row[key]) for key in ("datetime", "start_datetime", "end_datetime") if key in row}
    return SourceScene(**{**row, **times, "bands": {name: SourceBand(**band) for name, band in row["bands"].items()}})

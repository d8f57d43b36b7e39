"""Saved answers: exact round trips, the same bytes, other people's readers, and the question that a file answers."""

import gzip
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import geopandas
import pyarrow.parquet as pq
import pytest
import rustac
from stac_geoparquet.arrow import parse_stac_items_to_arrow, stac_table_to_items

from catalogs.bands import find_sensor
from catalogs.foreign import BandPart, SourceBand, SourceScene
from catalogs.wkb import to_wkb
from curate.saved_searches import (
    Question,
    answer_path,
    decode_scenes,
    encode_scenes,
    load_answer,
    load_old_answer,
    periods,
    save_answer,
)
from curate.sources import open_source
from tests.curate.sources.archive import AGES, WORLD

S2 = "sentinel-2-l2a"
SQUARE = {"type": "Polygon", "coordinates": [[[1.0, 43.0], [2.0, 43.0], [2.0, 44.0], [1.0, 44.0], [1.0, 43.0]]]}
ACROSS = {
    "type": "MultiPolygon",
    "coordinates": [
        [[[179.0, -17.0], [180.0, -17.0], [180.0, -16.0], [179.0, -16.0], [179.0, -17.0]]],
        [[[-180.0, -17.0], [-179.5, -17.0], [-179.5, -16.0], [-180.0, -16.0], [-180.0, -17.0]]],
    ],
}
FULL = SourceScene(
    id="b",
    sensor=S2,
    footprint=SQUARE,
    bands={
        "B02": SourceBand("https://host/all.tif", 2, 0.0001, -0.1, 0, "1220ab"),
        "B03": SourceBand("s3://bucket/b03.tif"),
        "scl": SourceBand("~/scl.tif", nodata=0),
    },
    datetime=datetime(2023, 7, 14, 10, 50, 31, 24000, tzinfo=UTC),
    epsg=32631,
    cloud_percent=12.25,
    href="https://host/b.json",
    platform="sentinel-2b",
    sun_elevation=61,
    sun_azimuth=140.5,
    relative_orbit=51,
    orbit_state="descending",
    baseline="05.09",
    created="2023-07-15T00:00:00Z",
    radiometry="metadata",
    source="earth-search",
    rank=1,
    disputed=True,
)
BARE = SourceScene(
    id="a",
    sensor=S2,
    footprint=ACROSS,
    bands={},
    start_datetime=datetime(2021, 4, 1, tzinfo=UTC),
    end_datetime=datetime(2021, 9, 30, tzinfo=UTC),
    simulated=True,
)
MOSAIC = replace(
    FULL,
    bands={
        "B02": SourceBand(
            "mosaic://a/b/c/B02",
            nodata=0,
            parts=(
                BandPart("one", SourceBand("https://host/1.tif", 3, 2.5, -1.0, 255, "1220cd"), to_wkb(SQUARE)),
                BandPart("two", SourceBand("https://host/2.tif"), to_wkb(ACROSS)),
            ),
        ),
        "B03": SourceBand("mosaic://a/b/c/B03", parts=(BandPart("one", SourceBand("https://host/1.tif"), to_wkb(SQUARE)),)),
    },
)


def question(**changes):
    values = {
        "source": "here",
        "sensor": S2,
        "boxes": [(1.0, 43.0, 2.0, 44.0)],
        "start": datetime(2023, 1, 1, tzinfo=UTC),
        "end": datetime(2024, 1, 1, tzinfo=UTC),
        "max_scene_cloud": 100,
    }
    return Question(**{**values, **changes})


@pytest.fixture
def saved(tmp_path):
    path = answer_path(tmp_path, "31TCJ", question())
    save_answer(path, [BARE, FULL], question())
    return path


def test_scenes_come_back_as_they_were(saved):
    assert load_answer(saved, question()) == [BARE, FULL]


@pytest.mark.parametrize("sensor", [S2, "landsat-c2-l2"])
def test_every_scene_of_the_archive_comes_back_as_it_was(shared_data, sensor):
    scenes = open_source(str(shared_data / "archive")).search(sensor, WORLD, *AGES)
    assert len(scenes) > 20
    assert decode_scenes(encode_scenes(scenes, find_sensor(sensor))) == scenes


def test_heights_of_a_footprint_are_left_out():
    high = {"type": "Polygon", "coordinates": [[[x, y, 500] for x, y in SQUARE["coordinates"][0]]]}
    (scene,) = decode_scenes(encode_scenes([replace(FULL, footprint=high)], find_sensor(S2)))
    assert scene == FULL


def test_an_answer_of_an_earlier_version_has_scenes_without_a_source(saved):
    table = pq.read_table(saved).drop_columns(["seastars:source", "seastars:source_rank"])
    pq.write_table(table, saved)
    assert load_answer(saved, question()) == [BARE, replace(FULL, source=None, rank=0)]


@pytest.mark.parametrize("scenes", [[MOSAIC], [BARE, FULL, MOSAIC], [MOSAIC, FULL]])
def test_parts_of_mosaics_come_back_as_they_were(tmp_path, scenes):
    save_answer(tmp_path / "a.parquet", scenes, question())
    assert load_answer(tmp_path / "a.parquet", question()) == scenes
    save_answer(tmp_path / "b.parquet", scenes, question())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_what_parts_have_in_common_is_in_memory_once():
    (scene,) = decode_scenes(encode_scenes([MOSAIC], find_sensor(S2)))
    blue, green = scene.bands["B02"].parts[0], scene.bands["B03"].parts[0]
    assert blue.footprint is green.footprint
    assert blue.band.href is green.band.href


def test_an_answer_without_mosaics_has_no_column_of_parts_and_one_of_an_earlier_version_is_read(tmp_path, saved):
    assert "seastars:parts" not in str(pq.read_schema(saved))
    without = {name: replace(band, parts=()) for name, band in MOSAIC.bands.items()}
    save_answer(tmp_path / "a.parquet", [replace(MOSAIC, bands=without)], question())
    assert "seastars:parts" not in str(pq.read_schema(tmp_path / "a.parquet"))
    (scene,) = load_answer(tmp_path / "a.parquet", question())
    assert [band.parts for band in scene.bands.values()] == [(), ()]


def test_others_read_an_answer_with_parts(tmp_path):
    path = tmp_path / "a.parquet"
    save_answer(path, [FULL, MOSAIC], question())
    assert len(geopandas.read_parquet(path)) == 2
    assert [item["assets"]["B02"]["href"] for item in stac_table_to_items(pq.read_table(path))][1] == "mosaic://a/b/c/B02"
    assert [item["id"] for item in rustac.read_sync(str(path))["features"]] == ["b", "b"]


def test_an_answer_that_lacks_a_source_counts_where_it_is_asked_for_alone(saved):
    whole = saved.read_bytes()
    save_answer(saved, [BARE, FULL], question(), unanswered=["b", "a"])
    assert json.loads(pq.read_schema(saved).metadata[b"seastars:unanswered"]) == ["a", "b"]
    assert load_answer(saved, question()) is None
    assert load_answer(saved, question(), in_part=True) == [BARE, FULL]
    save_answer(saved, [BARE, FULL], question(), unanswered=[])
    assert saved.read_bytes() == whole


def test_no_scene_is_an_answer_too(tmp_path):
    save_answer(tmp_path / "none.parquet", [], question())
    assert load_answer(tmp_path / "none.parquet", question()) == []


def test_the_same_answer_is_the_same_bytes(tmp_path, saved):
    save_answer(tmp_path / "again.parquet", [BARE, FULL], question())
    assert (tmp_path / "again.parquet").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "there"},
        {"boxes": [(1.0, 43.0, 2.0, 44.001)]},
        {"end": datetime(2024, 1, 2, tzinfo=UTC)},
        {"max_scene_cloud": 50},
    ],
)
def test_the_answer_to_another_question_is_none(saved, changes):
    assert load_answer(saved, question(**changes)) is None


def test_a_question_does_not_hang_on_the_last_digits_of_a_projection(saved):
    assert load_answer(saved, question(boxes=[(1.0 + 1e-12, 43.0, 2.0, 44.0)])) is not None


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_a_broken_file_is_no_answer(saved, content):
    saved.write_bytes(content)
    assert load_answer(saved, question()) is None


def test_a_file_cut_short_is_no_answer(saved):
    whole = saved.read_bytes()
    for keep in range(0, len(whole), 997):
        saved.write_bytes(whole[:keep])
        assert load_answer(saved, question()) is None


def test_answers_of_the_first_version_are_read(tmp_path):
    rows = []
    for scene in (BARE, FULL):
        row = {key: value for key, value in asdict(scene).items() if value is not None}
        row["bands"] = {name: {key: band[key] for key in band if key != "parts"} for name, band in row["bands"].items()}
        rows.append({key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()})
    path = tmp_path / "31TCJ.json.gz"
    path.write_bytes(gzip.compress(json.dumps(rows).encode()))
    assert load_old_answer(path) == [BARE, FULL]


def test_a_span_is_cut_into_years():
    first, last = datetime(2022, 6, 1, 12, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
    cut = list(periods((first, last)))
    assert [start.year for start, _ in cut] == [2022, 2023, 2024]
    assert cut[0][0] == first
    assert cut[-1][1] == last
    assert all(end == start for (_, end), (start, _) in pairwise(cut))
    assert all(end - start <= timedelta(days=366) for start, end in cut)
    assert list(periods((datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)))) == [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    ]
    leap = next(periods((datetime(2024, 2, 29, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))))
    assert leap[1] == datetime(2025, 2, 28, tzinfo=UTC)


def test_geopandas_and_duckdb_read_an_answer(saved):
    frame = geopandas.read_parquet(saved)
    assert list(frame["id"]) == ["a", "b"]
    assert frame.geometry[1].bounds == (1.0, 43.0, 2.0, 44.0)
    asked = f"SELECT id, assets.B02.href, \"eo:cloud_cover\" FROM '{saved}' WHERE bbox.xmin <= 2 AND bbox.xmax >= 1"
    assert duckdb.sql(asked).fetchall() == [("b", "https://host/all.tif", 12.25)]
    ((box,),) = duckdb.sql(f"SELECT bbox FROM '{saved}' WHERE id = 'a'").fetchall()
    assert box == {"xmin": 179.0, "ymin": -17.0, "xmax": -179.5, "ymax": -16.0}


def test_stac_geoparquet_and_rustac_read_an_answer(saved):
    import pyarrow.parquet as pq

    bare, full = stac_table_to_items(pq.read_table(saved))
    assert bare["properties"]["start_datetime"].startswith("2021-04-01T00:00:00")
    assert full["assets"].keys() == {"B02", "B03", "scl"}
    assert full["assets"]["B02"]["bands"] == [
        {"name": "B02", "nodata": 0.0, "raster:scale": 0.0001, "raster:offset": -0.1},
    ]
    assert full["properties"]["proj:code"] == "EPSG:32631"
    assert parse_stac_items_to_arrow([full]) is not None
    assert [item["id"] for item in rustac.read_sync(str(saved))["features"]] == ["a", "b"]

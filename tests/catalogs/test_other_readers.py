"""Other people's tools read what we write: the index and the JSON alike."""

import asyncio
import json
from datetime import datetime

import duckdb
import geopandas
import numpy as np
import odc.stac
import pyarrow.parquet as pq
import pystac
import pytest
import rustac
import shapely
import stac_geoparquet.arrow
from shapely.geometry import shape

from catalogs import find_sensor, open_catalog
from catalogs.errors import ContractError
from catalogs.index import items_schema, write_items
from catalogs.rows import BBOX, NOWHERE
from catalogs.testing import make_catalog, make_locations
from catalogs.to_stac import scene_to_item
from tests.catalogs.scenes import every_kind, make_items

SENSOR_IDS = ("sentinel-2-l2a", "spot-ortho", "landsat-c2-l2")


@pytest.fixture(scope="module")
def items():
    """Items of all kinds, by sensor, as they were written."""
    unique = {(scene.sensor, scene_to_item(scene)["id"]): scene_to_item(scene) for scene in every_kind()}
    ordered = sorted(unique.values(), key=lambda item: (item["properties"]["seastars:location"], item["id"]))
    return {sensor: [item for item in ordered if item["collection"] == sensor] for sensor in SENSOR_IDS}


@pytest.fixture(scope="module")
def index(items, tmp_path_factory):
    """Their indices, by sensor."""
    paths = {}
    for sensor_id in SENSOR_IDS:
        sensor = find_sensor(sensor_id)
        paths[sensor_id] = tmp_path_factory.mktemp("index") / "items.parquet"
        schema = items_schema(sensor, sensor.bands, has_mask=sensor.mask is not None)
        write_items(paths[sensor_id], items[sensor_id], schema)
    return paths


def as_rows_have_it(item):
    """An item whose ground is not known as a row tells it: an empty polygon, and a box that is inside out."""
    if item["geometry"]:
        return item
    return {**item, "geometry": {"type": "Polygon", "coordinates": []}, "bbox": list(NOWHERE)}


def tidy(value):
    """Without what is none, times as instants: what two spellings of an item have in common."""
    if isinstance(value, dict):
        return {key: tidy(part) for key, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [tidy(part) for part in value]
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value).replace(microsecond=0)
    return value


@pytest.mark.parametrize("sensor_id", SENSOR_IDS)
def test_stac_geoparquet_reads_the_items_that_were_written(index, items, sensor_id):
    found = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(index[sensor_id])))
    assert [tidy(item) for item in found] == [tidy(as_rows_have_it(item)) for item in items[sensor_id]]


@pytest.mark.parametrize("sensor_id", SENSOR_IDS)
def test_rustac_reads_the_items_that_were_written(index, items, sensor_id):
    async def read():
        return await rustac.read(str(index[sensor_id]))

    found = asyncio.run(read())["features"]
    for theirs, ours in zip(found, items[sensor_id], strict=True):
        assert tidy(theirs) == tidy(as_rows_have_it(ours))


def test_duckdb_selects_by_box_without_an_extension(index, items):
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    rows = connection.execute(
        """SELECT id, assets."10m".href, "eo:cloud_cover" FROM read_parquet(?)
           WHERE bbox.xmin <= 3 AND bbox.xmax >= 2 AND bbox.ymin <= 49 AND bbox.ymax >= 48 AND "seastars:split" = 'train'
           ORDER BY id""",
        [str(index["sentinel-2-l2a"])],
    ).fetchall()
    located = [item for item in items["sentinel-2-l2a"] if "bbox" in item]
    inside = [item for item in located if 2 <= item["bbox"][0] < 3 and 48 <= item["bbox"][1] < 49]
    expected = sorted((item for item in inside if item["properties"]["seastars:split"] == "train"), key=lambda item: item["id"])
    hrefs = [item["assets"].get("10m", {}).get("href") for item in expected]
    clouds = [item["properties"].get("eo:cloud_cover") for item in expected]
    assert rows == list(zip([item["id"] for item in expected], hrefs, clouds, strict=True)) != []


def test_geopandas_reads_the_footprints(index, items):
    frame = geopandas.read_parquet(index["sentinel-2-l2a"])
    assert frame.crs == "OGC:CRS84"
    assert frame["id"].tolist() == [item["id"] for item in items["sentinel-2-l2a"]]
    expected = [shape(as_rows_have_it(item)["geometry"]) for item in items["sentinel-2-l2a"]]
    assert shapely.equals_exact(frame.geometry.to_numpy(), np.array(expected), 0).all()
    assert {"Polygon", "MultiPolygon"} == set(frame.geometry.geom_type)


def test_metadata_is_that_of_geoparquet_and_stac_geoparquet(index):
    metadata = pq.read_metadata(index["sentinel-2-l2a"]).metadata
    geo = json.loads(metadata[b"geo"])
    assert geo["columns"]["geometry"]["covering"]["bbox"] == {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert json.loads(metadata[b"stac-geoparquet"]) == {"version": "1.1.0"}
    assert [field.name for field in BBOX] == ["xmin", "ymin", "xmax", "ymax"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    places = make_locations(2)
    return open_catalog(make_catalog(tmp_path_factory.mktemp("odc") / "cat", locations=places, sensors=SENSOR_IDS))


@pytest.mark.filterwarnings("ignore")
def test_odc_stac_loads_bands_of_two_pixel_sizes_by_their_names(catalog):
    items = catalog.items(sensor="sentinel-2-l2a", location="test-000000", season=1)
    stac = [pystac.Item.from_dict(item) for item in items.to_stac()]
    loaded = odc.stac.load(stac, bands=["B04", "B11", "scl"], stac_cfg=catalog.odc_config(), crs="EPSG:32631", resolution=10)
    scene = items[0]
    assert (loaded["B04"].to_numpy()[0] == catalog.read(scene, ["B04"])[0]).all()
    assert (loaded["B11"].to_numpy()[0] == catalog.read(scene, ["B11"])[0].repeat(2, 0).repeat(2, 1)).all()
    assert (loaded["scl"].to_numpy()[0] == catalog.read_mask(scene).repeat(2, 0).repeat(2, 1)).all()
    assert [loaded[name].dtype for name in ("B04", "scl")] == [np.uint16, np.uint8]
    assert loaded["B04"].attrs["nodata"] == 0


@pytest.mark.filterwarnings("ignore")
def test_odc_stac_loads_the_items_that_pystac_walks_to(catalog):
    root = pystac.Catalog.from_file(f"{catalog.href}/catalog.json")
    walked = [item for item in root.get_child("landsat-c2-l2").get_items(recursive=True) if item.id.startswith("test-000001")]
    loaded = odc.stac.load(walked, bands=["B05", "red"], stac_cfg=catalog.odc_config(), crs="EPSG:32631", resolution=30)
    scenes = list(catalog.items(sensor="landsat-c2-l2", location="test-000001"))
    for time, scene in enumerate(scenes):
        pixels = catalog.read(scene, ["B05", "B04"])
        assert (loaded["B05"].to_numpy()[time] == pixels[0]).all()
        assert (loaded["red"].to_numpy()[time] == pixels[1]).all()


def test_a_band_in_different_places_is_no_case_for_odc(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=[], seasons=0)
    items = make_items(3)
    for key in ("bands", "seastars:sources"):
        del items[1]["assets"]["10m"][key][1]
    sensor = find_sensor("sentinel-2-l2a")
    write_items(folder / sensor.id / "items.parquet", items, items_schema(sensor, sensor.bands, has_mask=True))
    words = r"Item france-000001_\w+ has band B04 as number 2 of asset 10m, others have it as number 3 of 10m: a source"
    with pytest.raises(ContractError, match=words):
        open_catalog(folder).odc_config()

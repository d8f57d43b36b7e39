"""`locations.parquet`: against geopandas, against `lattice.footprint`, and without anything but pyarrow."""

import json
import subprocess
import sys

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from catalogs.errors import ContractError, MissingAssetError
from catalogs.lattice import footprint, grid_square, squares_around, to_lonlat
from catalogs.locations import locations_table, read_locations, read_locations_table, write_locations
from catalogs.records import SPLITS, Location
from tests.catalogs.scenes import GROUNDLESS, OFF_LATTICE
from tests.conftest import ROOT


def some_locations(count=60, side_m=2640):
    """All over the world, the first across 180 degrees."""
    rng = np.random.default_rng(5)
    lon, lat = np.append(179.999, rng.uniform(-180, 180, count - 1)), np.append(-17.0, rng.uniform(-79, 83, count - 1))
    epsg, bounds = squares_around(lon, lat, side_m)
    rows = enumerate(zip(epsg.tolist(), bounds.tolist(), strict=True))
    return [Location(f"world-{n:06d}", code, tuple(edges), SPLITS[n % 4]) for n, (code, edges) in rows]


def test_locations_come_back_as_they_were_in_their_order(tmp_path):
    locations = some_locations()[::-1]
    write_locations(tmp_path / "new" / "locations.parquet", locations)
    assert read_locations(tmp_path / "new" / "locations.parquet") == locations
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["locations.parquet"]


def test_images_of_other_people_come_back_with_what_is_known_of_them(tmp_path):
    locations = [GROUNDLESS, *some_locations(3), OFF_LATTICE]
    write_locations(tmp_path / "locations.parquet", locations)
    assert read_locations(tmp_path / "locations.parquet") == locations
    rows = pq.read_table(tmp_path / "locations.parquet").to_pylist()
    assert {name for name, value in rows[0].items() if value is None} == {
        "epsg", "lon", "lat", "grid_square", "geometry", "bbox"}  # fmt: skip
    assert {name for name, value in rows[4].items() if value is None} == {"grid_square"}
    assert rows[1:4] == locations_table(some_locations(3)).to_pylist()
    frame = geopandas.read_parquet(tmp_path / "locations.parquet")
    assert [shape is None for shape in frame.geometry] == [True, False, False, False, False]
    assert frame.geometry[4] == shapely.geometry.shape(footprint(OFF_LATTICE)[0])


def test_locations_of_which_no_ground_is_known_are_a_file_too(tmp_path):
    write_locations(tmp_path / "locations.parquet", [GROUNDLESS])
    assert read_locations(tmp_path / "locations.parquet") == [GROUNDLESS]
    assert len(geopandas.read_parquet(tmp_path / "locations.parquet")) == 1


def test_the_same_locations_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_locations(tmp_path / name, some_locations())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_replaces_another_as_a_whole(tmp_path):
    path = tmp_path / "locations.parquet"
    write_locations(path, some_locations(9))
    write_locations(path, some_locations(4))
    assert len(read_locations(path)) == 4


def test_geopandas_reads_the_footprints(tmp_path):
    locations = some_locations()
    write_locations(tmp_path / "locations.parquet", locations)
    frame = geopandas.read_parquet(tmp_path / "locations.parquet")
    assert frame.crs == "OGC:CRS84"
    boxes = read_locations_table(tmp_path / "locations.parquet", ["bbox"])["bbox"].to_pylist()
    for row, box, location in zip(frame.itertuples(), boxes, locations, strict=True):
        geometry, bbox = footprint(location)
        assert row.geometry == shapely.geometry.shape(geometry)
        assert [box[name] for name in ("xmin", "ymin", "xmax", "ymax")] == bbox
        assert shapely.is_ccw(shapely.get_exterior_ring(shapely.get_parts(row.geometry))).all()


def test_a_footprint_across_180_degrees_is_in_two_parts_with_west_greater_than_east():
    row = locations_table(some_locations()).slice(0, 1).to_pylist()[0]
    geometry = shapely.from_wkb(row["geometry"])
    assert geometry.geom_type == "MultiPolygon"
    assert len(geometry.geoms) == 2
    assert row["bbox"]["xmin"] > 179.9
    assert row["bbox"]["xmax"] < -179.9


def test_centres_and_grid_squares_are_the_locations_own():
    locations = some_locations()
    table = locations_table(locations)
    for row, location in zip(table.to_pylist(), locations, strict=True):
        lon, lat = to_lonlat(*location.centre_xy, location.epsg)
        assert (row["lon"], row["lat"]) == pytest.approx((lon[0], lat[0]), abs=1e-7)
        assert row["grid_square"] == grid_square(location)


def test_metadata_is_geoparquet_1_1_with_the_bbox_as_covering():
    geo = json.loads(locations_table(some_locations()).schema.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert column["bbox"][0::2] == [-180, 180]
    west, south, east, north = json.loads(locations_table(some_locations()[1:9]).schema.metadata[b"geo"])["columns"][
        "geometry"
    ]["bbox"]
    assert -180 < west < east < 180
    assert south < north


def test_no_locations_are_a_file_too(tmp_path):
    write_locations(tmp_path / "locations.parquet", [])
    assert read_locations(tmp_path / "locations.parquet") == []
    assert len(geopandas.read_parquet(tmp_path / "locations.parquet")) == 0


def test_some_columns_can_be_read_alone_and_from_an_open_file(tmp_path):
    locations = some_locations()
    write_locations(tmp_path / "locations.parquet", locations)
    table = read_locations_table(tmp_path / "locations.parquet", ["lon", "split"])
    assert table.column_names == ["lon", "split"]
    with (tmp_path / "locations.parquet").open("rb") as file:
        assert read_locations(file) == locations


def test_reading_needs_pyarrow_alone(tmp_path):
    write_locations(tmp_path / "locations.parquet", some_locations())
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("pyproj", "shapely", "geopandas", "rasterio", "pandas", "scipy")))
from catalogs.locations import read_locations
print(len(read_locations({str(tmp_path / "locations.parquet")!r})))
"""
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert child.stdout == "60\n"


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(MissingAssetError, match=r"locations\.parquet is not there.*curate sample --out FOLDER"):
        read_locations(tmp_path / "locations.parquet")


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("hello")
    with pytest.raises(ContractError, match="is no parquet file"):
        read_locations(tmp_path / "a")
    pq.write_table(pa.table({"id": ["a"], "split": ["train"]}), tmp_path / "b")
    with pytest.raises(ContractError, match="lacks the column 'epsg'; it has id, split"):
        read_locations(tmp_path / "b")


def test_a_location_that_breaks_the_contract_is_refused(tmp_path):
    write_locations(tmp_path / "a", some_locations(1))
    table = pq.read_table(tmp_path / "a")
    moved = table.set_column(3, "left", pa.array([table["left"][0].as_py() + 10]))
    pq.write_table(moved.set_column(5, "right", pa.array([table["right"][0].as_py() + 10])), tmp_path / "b")
    with pytest.raises(ContractError, match="expected multiples of 60"):
        read_locations(tmp_path / "b")


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_locations(tmp_path / "file" / "locations.parquet", some_locations(3))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

"""Builds where geography is awkward, on simulated scenes: zones and their exceptions, the antimeridian, the south, overlaps."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pystac
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.from_stac import location_from_properties
from catalogs.lattice import bounds_in_lattice, utm_epsg
from catalogs.validate import check_catalog
from curate.choose import merge_copies
from curate.fetch import aligned_window
from curate.search import Searches
from curate.simulation.covers import COVER_NAMES
from curate.simulation.truth import truth
from curate.sources import open_source
from tests.end_to_end.commands import curate, items_of

S2, LANDSAT = "sentinel-2-l2a", "landsat-c2-l2"
PLACES = {
    "zone border, west": (5.99, 47.3),
    "zone border, east": (6.01, 47.3),
    "Norway's exception": (4.0, 60.4),
    "Svalbard's exception": (15.6, 78.2),
    "south": (-70.65, -33.45),
    "north of the equator": (32.6, 0.005),
    "south of the equator": (32.6, -0.005),
    "antimeridian": (180.0, -16.8),
    "overlap of four tiles": (2.0, 48.72),
}
DATES = ("--seasons", 1, "--start", "2023-05-01", "--end", "2023-09-01", "--max-cloud", 30)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("awkward")
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Point", "coordinates": place}}
        for name, place in PLACES.items()
    ]
    (folder / "places.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    out = folder / "cat"
    assert (
        curate("sample", "--strategy", "file", "--from", folder / "places.geojson", "--patch-m", 600, "--out", out, "--quiet")
        == 0
    )
    assert curate("build", out, "--source", "simulated", *DATES, "--quiet") == 0
    return out


def source_rasters(item):
    """Every asset of an item with the source raster of its first band, opened."""
    source = open_source("simulated")
    for asset in item["assets"].values():
        for index, told in enumerate(asset["seastars:sources"]):
            sensor, scene_id = item["collection"], item["properties"]["seastars:source_id"]
            west, south, east, north = item["bbox"]
            boxes = (
                [(west, south, east, north)] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
            )
            when = datetime.fromisoformat(item["properties"]["datetime"])
            scenes = [s for box in boxes for s in source.search(sensor, box, when.replace(hour=0), when.replace(hour=23))]
            scene = next(s for s in scenes if s.id == scene_id)
            with source.open(scene.bands[asset["bands"][index]["name"]]) as raster:
                yield asset, index, told, raster
            break


def test_every_place_is_completed_and_verifies(built):
    assert len(items_of(built, S2)) == len(PLACES)
    report = check_catalog(str(built), deep=True)
    assert not report.problems, report.problems


def test_items_are_labelled_with_the_cover_that_most_of_their_square_has(built):
    labels = []
    for _, item in items_of(built, S2):
        cover = truth(location_from_properties(item["properties"])).cover
        labels.append(COVER_NAMES[np.bincount(cover.ravel()).argmax()])
        assert item["properties"]["seastars:labels"] == [labels[-1]]
    assert len(set(labels)) > 2
    assert open_catalog(built).items(sensor=S2).table["labels"].to_pylist() == [[label] for label in labels]


def test_squares_lie_in_the_zone_of_their_place_on_its_lattice(built):
    zones = []
    for _, item in items_of(built, S2):
        location = location_from_properties(item["properties"])
        assert bounds_in_lattice(location.bounds, location.epsg)
        zones.append(location.epsg)
    wished = [int(utm_epsg(lon, lat)) for lon, lat in PLACES.values()]
    assert zones == wished
    assert wished[:7] == [32631, 32632, 32632, 32633, 32719, 32636, 32736]


def test_pixels_are_copied_from_the_tile_of_the_own_zone_wherever_there_is_one(built):
    for path, item in items_of(built, S2):
        for asset, index, told, raster in source_rasters(item):
            assert f"EPSG:{raster.grid.epsg}" == item["properties"]["proj:code"]
            with rasterio.open(path.parent / asset["href"]) as ours:
                grid = location_from_properties(item["properties"]).grid(ours.transform.a)
                window = aligned_window(raster.grid, grid)
                assert window == tuple(told["window"])
                assert (ours.read(index + 1) == raster.read(window)).all()
        assert all("seastars:resampling" not in asset for asset in item["assets"].values())


def test_copies_of_one_acquisition_exist_and_are_merged(built):
    source = open_source("simulated")
    catalog = open_catalog(str(built))
    locations = [scene.location for scene in catalog.items(sensor=S2)]
    searches = Searches(source, built, locations, (datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC)))
    zones_of_copies = set()
    for location in locations:
        candidates = searches.candidates(S2, location)
        merged = merge_copies(candidates, location.epsg)
        passes = Counter((c.scene.platform, c.scene.datetime.replace(second=0, microsecond=0)) for c in merged)
        assert max(passes.values()) == 1
        if len(candidates) > len(merged):
            zones_of_copies.add(len({c.scene.epsg for c in candidates}))
        assert all(c.scene.epsg == location.epsg for c in merged if c.covers)
    assert zones_of_copies >= {1, 2}


def test_the_square_across_the_antimeridian_is_two_polygons_that_pystac_reads(built):
    item = items_of(built, S2)[list(PLACES).index("antimeridian")][1]
    assert item["geometry"]["type"] == "MultiPolygon"
    assert item["bbox"][0] > 179
    assert item["bbox"][2] < -179
    across = open_catalog(str(built)).items(bbox=(179.9, -17, -179.9, -16))
    assert [scene.location.id for scene in across] == [item["properties"]["seastars:location"]]
    pystac.Item.from_dict(item)


def test_pairs_of_three_sensors_share_one_square_and_truly_align(tmp_path):
    """The 30 m mean of Sentinel-2's red and Landsat's warped red correlate best without a shift."""
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 4, "--seed", 3, "--out", out, "--quiet") == 0
    words = ("--sensor", S2, "--sensor", LANDSAT, "--sensor", "spot-ortho", "--max-delta-days", 10)
    code = curate(
        "build", out, "--source", "simulated", *words, "--seasons", 1, "--start", "2023-04-01", "--end", "2023-10-01", "--quiet"
    )
    assert code == 0
    catalog = open_catalog(str(out))
    assert not check_catalog(str(out)).problems
    groups = list(catalog.items().by_location())
    assert len(groups) >= 3
    for _, scenes in groups:
        by_sensor = {scene.sensor: scene for scene in scenes}
        assert len({scene.location for scene in scenes}) == 1
        assert abs((by_sensor[S2].datetime - by_sensor[LANDSAT].datetime).days) <= 10
        fine = catalog.read(by_sensor[S2], bands=["B04"], reflectance=True)[0]
        coarse = catalog.read(by_sensor[LANDSAT], bands=["B04"], reflectance=True)[0]
        assert best_shift(fine.reshape(88, 3, 88, 3).mean((1, 3)), coarse) == (0, 0)


def best_shift(first, second, reach=2):
    """Shift in pixels at which two images correlate best, by trying all."""
    inner = slice(reach, -reach)

    def agreement(shift):
        moved = np.roll(second, shift, (0, 1))[inner, inner]
        both = np.isfinite(first[inner, inner]) & np.isfinite(moved)
        return np.corrcoef(first[inner, inner][both], moved[both])[0, 1]

    shifts = [(rows, columns) for rows in range(-reach, reach + 1) for columns in range(-reach, reach + 1)]
    return max(shifts, key=agreement)


def test_secos_dates_are_twelve_weeks_apart_give_or_take_half_a_window(tmp_path):
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 3, "--seed", 3, "--patch-m", 600, "--out", out, "--quiet") == 0
    words = ("--seasons", "seco", "--end", "2024-01-01", "--max-cloud", 100)
    assert curate("build", out, "--source", "simulated", *words, "--quiet") == 0
    shifts = set()
    for _, scenes in open_catalog(str(out)).items().by_location():
        dates = [scene.datetime for scene in scenes]
        assert len(dates) == 5
        assert all(abs((later - earlier).total_seconds() / 86400 - 84) <= 15 for earlier, later in pairwise(dates))
        shifts.add((datetime(2024, 1, 1, tzinfo=UTC) - dates[-1]).days)
    assert len(shifts) == 3

"""The checks on real pixels: never a false conflict, and how many wrong offsets are found."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import rasterio

from catalogs.bands import find_sensor
from catalogs.masks import mask_shares
from catalogs.pixels import read_raster
from catalogs.radiometry import check_scene
from catalogs.same_ground import check_moved, moved_between, see_ground
from tests.catalogs.radiometry_scenes import CONVENTIONS, S2, TEN_M, archive_scene, spoiled

NEW, OLD = "05.11", "02.14"
SIDE = 100
"""Of a square of the Tyrol scene, pixels of 10 m."""


@pytest.fixture(scope="module")
def flanders(shared_data):
    """(bands, classification, share that is not clear, day) of all dates."""
    folders = sorted((shared_data / "archive" / "sentinel-2-l2a").glob("S2_T31UDS_*"))
    scenes = []
    for folder in folders:
        bands, scl = archive_scene(folder)
        day = datetime.fromisoformat(folder.name.split("_")[2])
        scenes.append((bands, scl, mask_shares(scl, "scl").not_clear, day))
    return scenes


def verdicts(squares, convention, baseline, names=None):
    return Counter(check_scene(S2, spoiled(bands, convention, names=names), scl, baseline) for bands, scl in squares)


@pytest.mark.parametrize("names", [None, TEN_M, TEN_M[:3]], ids=["all bands", "10 m", "visible"])
def test_flanders_has_no_false_conflict_and_most_wrong_offsets_are_found(flanders, names):
    everything = [(bands, scl) for bands, scl, _, _ in flanders]
    clear = [(bands, scl) for bands, scl, not_clear, _ in flanders if not_clear <= 10]
    assert (len(everything), len(clear)) == (118, 55)
    for convention, baseline in (("not needed", OLD), ("not needed", NEW), ("applied", NEW)):
        assert verdicts(everything, convention, baseline, names)["conflict"] == 0
        assert verdicts(clear, convention, baseline, names)["consistent"] >= 51
    for convention in ("missing", "one too many"):
        assert verdicts(everything, convention, NEW, names)["consistent"] == 0
        assert verdicts(clear, convention, NEW, names)["conflict"] >= 51


def test_every_wrong_offset_is_found_in_the_tyrol(shared_data):
    bands, scl = archive_scene(shared_data / "archive" / "sentinel-2-l2a" / "S2_T32TPS_20220612_L2A")
    corners = [(y, x) for y in range(0, 601, SIDE) for x in range(0, 801, SIDE)]
    squares = [
        ({name: pixels[y : y + SIDE, x : x + SIDE] for name, pixels in bands.items()}, scl[y : y + SIDE, x : x + SIDE])
        for y, x in corners
    ]
    for convention in CONVENTIONS:
        expected = "consistent" if convention in {"not needed", "applied"} else "conflict"
        assert verdicts(squares, convention, NEW) == {expected: 63}


def test_no_two_dates_of_flanders_are_taken_for_an_offset_and_neighbours_tell_most_wrong_ones(flanders):
    clear = [(bands, scl, day) for bands, scl, not_clear, day in flanders if not_clear <= 30]
    right = [(see_ground(S2, spoiled(bands, "not needed"), scl), day) for bands, scl, day in clear]
    pairs = [moved_between(one, other) for one, _ in right for other, _ in right if one is not other]
    for offset in (0.0, -0.1):
        assert not any(check_moved(moved, offset, may_lack=True) == "conflict" for moved in pairs)
    for convention in ("missing", "one too many"):
        found = Counter()
        for number, (bands, scl, day) in enumerate(clear):
            others = sorted((one for one in right if one is not right[number]), key=lambda one: abs(one[1] - day))
            spoilt = see_ground(S2, spoiled(bands, convention), scl)
            told = [
                check_moved(moved_between(spoilt, other), CONVENTIONS[convention][1], may_lack=True) for other, _ in others[:2]
            ]
            found[next((verdict for verdict in told if verdict != "unchecked"), "unchecked")] += 1
        assert found["conflict"] >= 50, found
        assert found["consistent"] <= 1, found
    assert len(clear) == 58


def test_landsat_of_the_archive_has_no_conflict(shared_data):
    sensor = find_sensor("landsat-c2-l2")
    folders = sorted((shared_data / "archive" / "landsat-c2-l2").glob("LC08_*"))
    for folder in folders:
        item = json.loads((folder / f"{folder.name}.json").read_text())
        stated = item["assets"]["blue"]["raster:bands"][0]
        planes = [
            (replace(band, scale=stated["scale"], offset=stated["offset"]), read_raster(str(folder / f"{band.name}.tif"))[0])
            for band in sensor.bands
            if (folder / f"{band.name}.tif").exists()
        ]
        mask = read_raster(str(folder / "qa_pixel.tif"))[0]
        assert check_scene(sensor, planes, mask, None) != "conflict", folder.name
    assert len(folders) == 26


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_level_1c_of_eurosat_is_told_by_its_cirrus_band(shared_data, convention):
    sensor = find_sensor("sentinel-2-l1c")
    order = [band.name for band in sensor.bands if band.name != "B8A"] + ["B8A"]
    paths = sorted((shared_data / "eurosat_ms").rglob("*.tif"))[::4]
    assert len(paths) == 50
    expected = "consistent" if convention in {"not needed", "applied"} else "conflict"
    for path in paths:
        with rasterio.open(path) as raster:
            numbers = dict(zip(order, raster.read(), strict=True))
        added, stated = CONVENTIONS[convention]
        planes = [
            (replace(band, offset=stated), np.where(numbers[band.name] == 0, 0, numbers[band.name] + np.uint16(added)))
            for band in sensor.bands
        ]
        assert check_scene(sensor, planes, None, NEW) == expected, path.name

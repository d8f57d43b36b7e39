"""The archive's real pixels published in four conventions at random, two of them lies, through whole builds."""

import json
import random
import re
import shutil
from collections import Counter

import numpy as np
import pytest
import rasterio

from catalogs.failures import read_failures
from tests.catalogs.radiometry_scenes import CONVENTIONS
from tests.end_to_end.commands import curate, items_of

S2 = "sentinel-2-l2a"
FLAG = "earthsearch:boa_offset_applied"
OFTEN = ("--seasons", 60, "--start", "2017-08-01", "--end", "2018-12-01", "--max-cloud", 20, "--quiet")


@pytest.fixture(scope="module")
def mixed(shared_data, tmp_path_factory):
    """An archive of Flanders: every second date from before there was an offset, the others without a class of plants.

    Gives its folder, and what the numbers of each scene really need.
    """
    out, truth, rng = tmp_path_factory.mktemp("mixed") / "archive", {}, random.Random(1)
    shutil.copytree(shared_data / "archive", out, ignore=shutil.ignore_patterns("landsat*", "*TPS*"))
    for document in (out / "catalog.json", out / S2 / "collection.json"):
        content = json.loads(document.read_text())
        content["links"] = [link for link in content["links"] if not re.search("landsat|T32TPS", link["href"])]
        document.write_text(json.dumps(content))
    for number, path in enumerate(sorted((out / S2).glob("S2_*/S2_*.json"))):
        item, is_old = json.loads(path.read_text()), number % 2 == 0
        added, offset = (0, 0) if is_old else CONVENTIONS[rng.choice(list(CONVENTIONS))]
        truth[item["id"]] = -0.1 if added else 0
        item["properties"] |= {"s2:processing_baseline": "02.14" if is_old else "05.11", FLAG: not offset}
        path.write_text(json.dumps(item))
        if added:
            edit(path.parent.glob("B*.tif"), lambda pixels: np.where(pixels == 0, 0, pixels + np.uint16(1000)))
        if not is_old:
            edit(path.parent.glob("SCL.tif"), lambda classes: np.where(classes == 4, 5, classes))
    return out, truth


def edit(paths, change):
    for path in paths:
        with rasterio.open(path) as raster:
            profile, pixels = raster.profile, raster.read(1)
        with rasterio.open(path, "w", **profile) as raster:
            raster.write(change(pixels).astype(pixels.dtype), 1)


def build(archive, place, out, mode):
    """How many items are right or wrong, by what was checked and how."""
    source, truth = archive
    words = ("--strategy", "file", "--from", place / "flanders_centre.geojson", "--patch-m", 600, "--out", out)
    assert curate("sample", *words, "--quiet") == 0
    assert curate("build", out, "--source", source, *OFTEN, "--radiometry", mode) == 0
    found = Counter()
    for _, item in items_of(out, S2):
        told = item["properties"]["seastars:radiometry"]
        is_right = item["assets"]["10m"]["bands"][0]["raster:offset"] == truth[item["properties"]["seastars:source_id"]]
        found["right" if is_right else "wrong", told["check"], told.get("evidence")] += 1
    return found


@pytest.mark.slow
def test_wrong_offsets_among_real_dates_are_found_and_no_right_one_is_blamed(mixed, shared_data, tmp_path):
    place = shared_data / "archive"
    kept = build(mixed, place, tmp_path / "keep", "keep")
    assert sum(kept.values()) == 36
    assert {key[:2] for key in kept if key[2]} == {("right", "consistent"), ("wrong", "conflict")}, kept
    assert {key[2] for key in kept} == {"dark", None}, "other dates are read though whatever they say is kept"
    assert sum(count for key, count in kept.items() if not key[2]) >= 5, kept
    strict = build(mixed, place, tmp_path / "strict", "strict")
    assert {key[0] for key in strict} == {"right"}, strict
    assert "radiometry" in {failure.reason for failure in read_failures(tmp_path / "strict")}
    believed = build(mixed, place, tmp_path / "pixels", "pixels")
    assert {key[:2] for key in believed} == {("right", "consistent")}, believed
    assert sum(believed.values()) == 36
    assert sum(count for key, count in believed.items() if key[2] == "date") >= 5, believed

"""The land mask: the package's own answers, without its gigabyte."""

import json
import subprocess
import sys

import numpy as np
import pytest

from curate.land import has_land, is_land


@pytest.mark.parametrize(
    ("lon", "lat", "land"),
    [(2.35, 48.86, True), (-30, 40, False), (33, -1, True), (-87, 44, True), (6.5, 46.4, True), (180, 0, False),
     (-180, 66, True), (0, -90, True), (0, 90, False)],
    ids=["Paris", "Atlantic", "Lake Victoria", "Lake Michigan", "Lake Geneva", "180 east", "Chukotka", "South Pole",
         "North Pole"],
)  # fmt: skip
def test_land_is_land_and_lakes_count_as_land(lon, lat, land):
    assert is_land([lon], [lat]) == [land]


@pytest.mark.slow
def test_every_answer_is_that_of_the_package():
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(-180, 180, 500_000), rng.uniform(-90, 90, 500_000)
    code = """
import numpy as np
from global_land_mask import globe
rng = np.random.default_rng(0)
lon, lat = rng.uniform(-180, 180, 500_000), rng.uniform(-90, 90, 500_000)
print(np.flatnonzero(globe.is_land(lat, lon)).tolist())
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert np.flatnonzero(is_land(lon, lat)).tolist() == json.loads(child.stdout)


def test_no_box_with_land_is_missed():
    rng = np.random.default_rng(1)
    west, south = rng.uniform(-180, 179, 300), rng.uniform(-60, 80, 300)
    east, north = west + rng.uniform(0, 1, 300), south + rng.uniform(0, 1, 300)
    found = has_land(west, south, east, north)
    for i in range(300):
        lon, lat = np.meshgrid(np.linspace(west[i], east[i], 40), np.linspace(south[i], north[i], 40))
        assert found[i] or not is_land(lon.ravel(), lat.ravel()).any()
    assert 50 < found.sum() < 250

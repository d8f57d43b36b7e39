"""`curate verify` says of a scene's pixels what its build said."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from catalogs.checks.scenes import check_pixels, judge_offset
from catalogs.records import Radiometry
from tests.catalogs.radiometry_scenes import as_planes, ground
from tests.catalogs.scenes import make_location, make_rasters, make_scene

SIDE = 264
"""Pixels of 10 m of a location's square."""
HAZE = 0.08
"""What thin haze adds to the reflectance of all bands: plants are then as bright as where an offset is missing."""
COVER = {"cloud_percent": None, "snow_percent": None, "unclassified_percent": None}


def hazy(**changes):
    """A scene of fields under haze that states no offset, and its pixels."""
    bands, scl = ground(side=SIDE)
    planes = as_planes({name: values + HAZE for name, values in bands.items()})
    scene = make_scene(make_location(), **{"baseline": "05.11", **COVER, **changes})
    scene = replace(scene, rasters=make_rasters(scene, [band for band, _ in planes]))
    return scene, {"10m": np.stack([pixels for _, pixels in planes]), "scl": scl[None, ::2, ::2]}


def problems(**changes):
    scene, pixels = hazy(**changes)
    return [problem.kind for problem in check_pixels(scene, pixels, "item", judge_offset(scene, pixels))]


@pytest.mark.parametrize(("year", "found"), [(2021, []), (2023, ["offset"])])
def test_a_scene_of_an_interval_is_dated_by_its_first_instant_as_its_build_does(year, found):
    interval = {"start_datetime": datetime(year, 6, 1, tzinfo=UTC), "end_datetime": datetime(year, 6, 30, tzinfo=UTC)}
    assert problems(datetime=None, baseline=None, **interval) == found


@pytest.mark.parametrize(("decision", "found"), [("collection", []), ("metadata", ["offset"])])
def test_haze_is_no_missing_offset_of_a_collection_that_has_none(decision, found):
    assert problems(radiometry=Radiometry(decision, "unchecked", "not_needed")) == found

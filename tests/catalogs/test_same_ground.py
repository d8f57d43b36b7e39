"""Two dates of one ground, and what an offset does to one of them."""

import numpy as np
import pytest

from catalogs.same_ground import POINTS, check_moved, moved_between, see_ground
from tests.catalogs.radiometry_scenes import S2, as_planes, ground


def see(kind, convention, *, seed=0, scl=None):
    bands, classes = ground(kind, seed=seed)
    return see_ground(S2, as_planes(bands, convention), classes if scl is None else scl)


@pytest.mark.parametrize("kind", ["fields", "desert"])
@pytest.mark.parametrize(
    ("convention", "offset", "verdict"),
    [
        ("not needed", 0.0, "consistent"),
        ("applied", -0.1, "consistent"),
        ("one too many", -0.1, "conflict"),
        ("missing", 0.0, "conflict"),
    ],
)
def test_another_date_tells_of_an_offset_over_any_ground(kind, convention, offset, verdict):
    moved = moved_between(see(kind, convention), see(kind, "not needed", seed=1))
    assert check_moved(moved, offset, may_lack=True) == verdict


def test_it_is_the_dark_end_of_visible_bands_that_counts_by_a_plain_twin():
    one, other = see("fields", "applied"), see("fields", "applied", seed=1)
    lows = [np.percentile(one.bands[name], 5) - np.percentile(other.bands[name], 5) for name in ("B02", "B03", "B04")]
    assert moved_between(one, other) == pytest.approx((min(lows), max(lows)))


def test_fields_that_were_harvested_are_no_offset():
    bands, scl = ground()
    for name, value in (("B04", 0.2), ("B08", 0.25)):
        bands[name][:21] = value
    harvested = see_ground(S2, as_planes(bands), scl)
    assert check_moved(moved_between(harvested, see("fields", "not needed")), 0.0, may_lack=True) == "unchecked"


def test_one_band_that_moves_as_an_offset_would_is_neither():
    assert check_moved((0.0, 0.1), 0.0, may_lack=True) == "unchecked"


def test_what_no_offset_explains_is_unchecked():
    assert check_moved((0.08, 0.1), -0.1, may_lack=True) == "unchecked"
    assert check_moved((0.08, 0.1), 0.0, may_lack=False) == "unchecked"
    assert check_moved((-0.1, -0.08), 0.0, may_lack=True) == "unchecked"


def test_where_too_little_of_the_ground_is_seen_nothing_is_told():
    cloud = np.full((POINTS, POINTS), 9, "uint8")
    cloud[:3] = 4
    moved = moved_between(see("fields", "missing", scl=cloud), see("fields", "not needed"))
    assert moved is None
    assert check_moved(moved, 0.0, may_lack=True) == "unchecked"
    bands, scl = ground()
    assert moved_between(see_ground(S2, as_planes({"B08": bands["B08"]}), scl), see("fields", "applied")) is None


@pytest.mark.parametrize("scl_class", [0, 1, 2, 3, 7, 8, 9, 10, 11])
def test_snow_shade_haze_and_cloud_are_no_ground(scl_class):
    seen = see("fields", "applied", scl=np.full((POINTS, POINTS), scl_class, "uint8"))
    assert np.isnan(seen.bands["B02"]).all()

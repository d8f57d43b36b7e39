from datetime import UTC, datetime

import numpy as np
import pytest

from catalogs.errors import ContractError
from catalogs.records import Location
from curate.errors import SourceUnavailableError
from curate.simulation import COVER_NAMES, cloud_truth, truth
from curate.sources.simulated import SimulatedSource

PARIS = Location("paris-000000", 32631, (447_000, 5_408_040, 449_640, 5_410_680))


def test_the_truth_of_a_location_is_its_cover_and_no_shift():
    found = truth(PARIS)
    assert found.cover.shape == (264, 264)
    assert found.cover.dtype == np.uint8
    assert found.cover_names == COVER_NAMES
    assert found.shift_m == (0, 0)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares[found.dominant] == max(found.shares.values())


def test_the_truth_at_a_coarser_pixel_is_that_of_the_point_in_its_middle():
    fine, coarse = truth(PARIS, gsd=10).cover, truth(PARIS, gsd=30).cover
    assert np.array_equal(coarse, fine[1::3, 1::3])


def test_another_seed_has_another_truth():
    assert np.mean(truth(PARIS).cover == truth(PARIS, seed=5).cover) < 0.6


def test_a_pixel_size_that_does_not_divide_is_refused():
    with pytest.raises(ContractError, match="no whole number of 7 m pixels"):
        truth(PARIS, gsd=7)


def test_cloud_truth_is_that_of_the_mask():
    source = SimulatedSource(seed=2)
    span = (datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 7, 1, tzinfo=UTC))
    checked = 0
    for scene in source.search("sentinel-2-l2a", (2.3, 48.84, 2.31, 48.85), *span):
        cloud, shadow = cloud_truth(scene, PARIS.grid(20))
        if scene.epsg != 32631 or not 0.05 < cloud.mean() < 0.95:
            continue
        with source.open(scene.bands["scl"]) as raster:
            left, top = raster.grid.transform[2], raster.grid.transform[5]
            mask = raster.read((int((447_000 - left) / 20), int((top - 5_410_680) / 20), 132, 132))
        assert np.array_equal(cloud[mask > 0], np.isin(mask, (8, 9))[mask > 0])
        assert not (mask[shadow] == 4).any()
        assert not (cloud & shadow).any()
        named = cloud_truth(scene.id, PARIS.grid(20), seed=2)
        assert np.array_equal(named[0], cloud)
        checked += 1
    assert checked >= 3


def test_an_unknown_scene_is_named_with_the_remedy():
    for wrong in (
        "SIM_31UDQ_20230101T000000",
        "S2A_31UDQ",
        "SIM_99XXX_20230101T000000",
        "SIM_31UDQ_20239901T000000",
        "SIM_31UDQ_2023",
    ):
        with pytest.raises(SourceUnavailableError, match=f"has no scene '{wrong}'.*Search again"):
            cloud_truth(wrong, PARIS.grid(20))


def test_an_image_whose_ground_is_not_known_has_no_truth():
    with pytest.raises(ContractError, match=r"have no place in the simulated world\. Give a place on the globe"):
        truth(Location("images-000000", None, (0, 0, 640, 640)))

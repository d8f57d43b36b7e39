"""Scale and offset: the item's word, else the baseline, else the product's definition."""

import pytest

from catalogs.bands import find_sensor
from catalogs.foreign import from_item
from tests.catalogs.foreign_items import asset, small_item

NEW = "2023-07-14T10:50:31Z"
OLD = "2021-07-14T10:50:31Z"


def decide(band, *, sensor="sentinel-2-l2a", **properties):
    item = small_item(**properties) | {"assets": {"B04": asset("B04.tif", **band)}}
    scene = from_item(item, find_sensor(sensor))
    return scene.bands["B04"].scale, scene.bands["B04"].offset, scene.radiometry


@pytest.mark.parametrize(
    "band",
    [
        {"raster:bands": [{"scale": 2e-4, "offset": -0.3}]},
        {"bands": [{"name": "B04", "raster:scale": 2e-4, "raster:offset": -0.3}]},
        {"raster:scale": 2e-4, "raster:offset": -0.3},
        {"raster:scale": 2e-4, "bands": [{"raster:offset": -0.3}]},
    ],
)
def test_the_item_s_own_word_wins_over_any_baseline(band):
    assert decide(band, **{"s2:processing_baseline": "02.14"}) == (2e-4, -0.3, "metadata")


@pytest.mark.parametrize(
    ("properties", "offset", "decision"),
    [
        ({"s2:processing_baseline": "03.01"}, 0.0, "baseline"),
        ({"s2:processing_baseline": "04.00"}, -0.1, "baseline"),
        ({"processing:version": "05.11", "datetime": OLD}, -0.1, "baseline"),
        ({"s2:product_uri": "S2B_MSIL2A_20250731T130249_N0511_R095_T24MWV_20250731T132745.SAFE"}, -0.1, "baseline"),
        ({"sentinel:product_id": "S2A_MSIL2A_20190524T101031_N0212_R022_T31NBJ_20190524T130304"}, 0.0, "baseline"),
        ({"datetime": NEW}, -0.1, "default"),
        ({"datetime": OLD}, 0.0, "default"),
        ({"datetime": OLD, "processing:version": "my own"}, 0.0, "default"),
    ],
)
def test_a_silent_sentinel_2_item_follows_its_baseline_else_its_date(properties, offset, decision):
    assert decide({}, **properties) == (1e-4, offset, decision)


def test_an_item_that_states_half_is_completed_by_the_baseline():
    assert decide({"raster:bands": [{"scale": 1e-4}]}, **{"s2:processing_baseline": "05.09"}) == (1e-4, -0.1, "baseline")
    assert decide({"raster:bands": [{"offset": -0.1}]}, **{"s2:processing_baseline": "05.09"}) == (1e-4, -0.1, "baseline")


def test_an_offset_that_its_baseline_does_not_have_was_not_decided_by_it():
    """`curate verify` holds what a baseline decided against that baseline."""
    assert decide({"raster:bands": [{"offset": 0}]}, **{"s2:processing_baseline": "05.09"}) == (1e-4, 0.0, "metadata")
    shifted = {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}
    assert decide({}, **shifted) == (1e-4, 0.0, "metadata")


@pytest.mark.parametrize("flag", ["earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"])
def test_a_shift_that_the_provider_has_applied_overrides_the_stated_offset(flag):
    stated = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
    assert decide(stated, **{flag: True}) == (1e-4, 0.0, "metadata")
    assert decide(stated, **{flag: False}) == (1e-4, -0.1, "metadata")


def test_landsat_follows_its_collection_s_definition():
    assert decide({}, sensor="landsat-c2-l2") == (2.75e-5, -0.2, "default")
    assert decide({"raster:bands": [{"scale": 1e-4, "offset": 0}]}, sensor="landsat-c2-l2") == (1e-4, 0.0, "metadata")


def test_a_scene_is_as_sure_as_its_least_sure_band_and_masks_do_not_count():
    item = small_item(**{"s2:processing_baseline": "05.09"})
    item["assets"] = {
        "B04": asset("B04.tif", **{"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}),
        "B08": asset("B08.tif"),
        "scl": asset("SCL.tif", **{"raster:bands": [{"scale": 5}]}),
    }
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.radiometry == "baseline"
    assert (scene.bands["scl"].scale, scene.bands["scl"].offset) == (None, None)
    del item["assets"]["B08"]
    assert from_item(item, find_sensor("sentinel-2-l2a")).radiometry == "metadata"


def test_words_for_numbers_are_read_as_raster_1_writes_them():
    item = small_item()
    item["assets"] = {"B04": asset("B04.tif", **{"raster:bands": [{"nodata": "nan"}]}), "B08": asset("B08.tif", nodata="none")}
    scene = from_item(item, find_sensor("sentinel-2-l2a"))
    assert scene.bands["B04"].nodata != scene.bands["B04"].nodata
    assert scene.bands["B08"].nodata is None

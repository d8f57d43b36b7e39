"""Addresses of measurements, of what belongs to them, and of the items that hold them."""

import json

import pytest

from catalogs.foreign import SourceBand, match_sensor
from curate.errors import SourceUnavailableError
from curate.sources.scenes import read_scene
from curate.sources.sentinel1.addresses import MARK, SENSOR, Documents, documents_of, is_radar, mark_item

FOLDER = "s3://sentinel-s1-l1c/GRD/2024/3/11/IW/DV/S1A_IW_GRDH_1SDV_20240311T173953_20240311T174018_052938_066870_1A2B"
RECORDED = "stac_recorded/api/005_e84_v1_search.json"


def test_the_documents_of_a_measurement_lie_beside_it():
    assert documents_of(SourceBand(f"{FOLDER}/measurement/iw-vh.tiff{MARK}")) == Documents(
        f"{FOLDER}/measurement/iw-vh.tiff",
        "VH",
        f"{FOLDER}/annotation/iw-vh.xml",
        f"{FOLDER}/annotation/calibration/calibration-iw-vh.xml",
    )


@pytest.mark.parametrize("name", ["measurement/iw-hh.tiff", "measurement/ew-vv.tiff", "iw-vv.tiff", "annotation/iw-vv.xml"])
def test_other_files_are_no_measurements(name):
    with pytest.raises(
        SourceUnavailableError, match=r"is no measurement of Sentinel-1 that can be geocoded\. Expected \.\.\./mea"
    ):
        documents_of(SourceBand(f"{FOLDER}/{name}{MARK}"))


def test_a_measurement_without_the_mark_is_a_file_as_any_other():
    band = SourceBand(f"{FOLDER}/measurement/iw-vv.tiff")
    assert not is_radar(band)
    with pytest.raises(SourceUnavailableError, match="is no measurement of Sentinel-1"):
        documents_of(band)


@pytest.fixture(scope="module")
def recorded(shared_data):
    """An item of Earth Search as it was given: HH alone."""
    page = json.loads((shared_data / RECORDED).read_text())["response"]["json"]
    return next(item for item in page["features"] if item["collection"] == "sentinel-1-grd")


def with_polarisations(item, *names):
    """The item with other polarisations than its own."""
    text = json.dumps(item["assets"])
    assets = {}
    for name in names:
        assets |= json.loads(text.replace("hh", name).replace("HH", name.upper()))
    return item | {"assets": assets}


def test_an_item_of_earth_search_becomes_a_scene_with_its_orbit(recorded):
    skipped = {}
    scene = read_scene(mark_item(with_polarisations(recorded, "vv", "vh")), skipped)
    assert skipped == {}
    assert (scene.sensor, list(scene.bands)) == (SENSOR, ["vv", "vh"])
    assert scene.bands["vv"].href.endswith(f"_0C44/measurement/iw-vv.tiff{MARK}")
    assert (scene.platform, scene.relative_orbit, scene.orbit_state) == ("sentinel-1a", 56, "ascending")
    assert scene.datetime.isoformat() == "2025-07-31T13:57:12.200811+00:00"
    assert all(is_radar(band) for band in scene.bands.values())


def test_its_own_address_of_the_annotation_is_that_of_interference(recorded):
    """Why the address is made rather than taken; see `addresses`."""
    assert recorded["assets"]["schema-product-hh"]["href"].endswith("/annotation/rfi/rfi-iw-hh.xml")


def test_one_polarisation_is_a_scene_of_one_band(recorded):
    assert list(read_scene(mark_item(with_polarisations(recorded, "vv")), {}).bands) == ["vv"]


def test_other_polarisations_and_modes_are_no_scenes_and_it_is_told_why(recorded):
    skipped = {}
    wide = json.loads(json.dumps(with_polarisations(recorded, "vv")).replace("/iw-vv.tiff", "/ew-vv.tiff")) | {"id": "wide"}
    assert read_scene(mark_item(recorded), skipped) is None
    assert read_scene(mark_item(wide), skipped) is None
    words = "none of its assets could be told to be a band of sentinel-1-gec"
    assert skipped == {recorded["id"]: words, "wide": words}


def test_items_of_other_collections_are_left_as_they_are(recorded):
    other = recorded | {"collection": "sentinel-2-l2a"}
    assert mark_item(other) is other
    assert match_sensor(recorded) is None, "elsewhere these are no sensor of ours"

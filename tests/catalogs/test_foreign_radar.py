"""Radar that others call as we call ours, and that is another product."""

from catalogs.fields import CONTRACT, CONTRACT_VERSION
from catalogs.foreign import match_sensor

GRD = "sentinel-1-grd"


def test_ground_range_detected_numbers_of_others_are_no_sensor_of_ours():
    told = {"platform": "sentinel-1a", "constellation": "sentinel-1", "sar:product_type": "GRD"}
    assert match_sensor({"collection": GRD, "properties": told}) is None
    assert match_sensor({"id": GRD, "type": "Collection"}) is None


def test_those_of_a_catalog_of_ours_are():
    assert match_sensor({"collection": GRD, "properties": {CONTRACT: CONTRACT_VERSION}}) == GRD
    assert match_sensor({"id": GRD, "type": "Collection", CONTRACT: CONTRACT_VERSION}) == GRD

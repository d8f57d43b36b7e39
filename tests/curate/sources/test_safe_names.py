"""Names of Sentinel-2 products."""

from datetime import UTC, datetime

import pytest

from curate.sources.safe.names import read_name


def test_a_name_tells_satellite_level_time_baseline_orbit_and_tile():
    name = read_name("S2B_MSIL1C_20191101T104149_N0208_R008_T33HXC_20191101T125520.SAFE")
    assert (name.title, name.sensor) == ("S2B_MSIL1C_20191101T104149_N0208_R008_T33HXC_20191101T125520", "sentinel-2-l1c")
    assert (name.platform, name.baseline, name.relative_orbit) == ("sentinel-2b", "02.08", 8)
    assert (name.tile, name.epsg) == ("33HXC", 32733)
    assert name.datetime == datetime(2019, 11, 1, 10, 41, 49, tzinfo=UTC)


@pytest.mark.parametrize("end", ["", ".SAFE", ".zip", ".SAFE.zip"])
def test_the_end_of_a_name_does_not_matter(end):
    assert read_name(f"S2C_MSIL2A_20250301T105031_N0511_R051_T31UES_20250301T145031{end}").sensor == "sentinel-2-l2a"


@pytest.mark.parametrize(
    "text",
    [
        "S1A_IW_GRDH_1SDV_20141003T054235_20141003T054300_002666_006F8B_3A44.SAFE",
        "S2A_OPER_PRD_MSIL1C_PDMC_20160318T145513_R008_V20160318T104217_20160318T104217.SAFE",
        "S2A_MSIL2A_20239914T105031_N0509_R051_T31UES_20230614T164454",
        "S2A_MSIL2A_20230614T105031_N0509_R051_T31IES_20230614T164454",
        "products.zip",
        "",
    ],
)
def test_other_names_are_none_of_ours(text):
    assert read_name(text) is None

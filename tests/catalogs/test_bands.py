"""The sensors' tables, and what they refuse."""

import pytest

from catalogs.bands import SENSORS, find_sensor, raster_key
from catalogs.errors import ContractError, MissingBandError


def test_sentinel_2_l2a_has_twelve_bands_of_three_pixel_sizes():
    sensor = SENSORS["sentinel-2-l2a"]
    by_size = {gsd: [band.name for band in sensor.bands if band.gsd == gsd] for gsd in sensor.gsds}
    assert by_size == {10: ["B02", "B03", "B04", "B08"], 20: ["B05", "B06", "B07", "B8A", "B11", "B12"], 60: ["B01", "B09"]}
    assert [raster_key(sensor.band(name)) for name in ("B02", "B11", "B01")] == ["10m", "20m", "60m"]


def test_level_1c_adds_cirrus_between_water_vapour_and_short_wave():
    names = [band.name for band in SENSORS["sentinel-2-l1c"].bands]
    assert names[9:] == ["B09", "B10", "B11", "B12"]


def test_eurosat_of_13_bands_has_those_of_level_1c_in_the_same_order_all_at_10_m():
    ours, theirs = SENSORS["eurosat-ms"].bands, SENSORS["sentinel-2-l1c"].bands
    assert [(band.name, band.common_name, band.wavelength_um) for band in ours] == [
        (band.name, band.common_name, band.wavelength_um) for band in theirs
    ]
    assert {(band.gsd, band.scale, band.offset, band.nodata) for band in ours} == {(10, 1e-4, 0.0, 0)}


def test_wavelengths_rise_with_the_order_of_bands_of_multispectral_sensors():
    for sensor in ("sentinel-2-l1c", "landsat-c2-l2"):
        waves = [band.wavelength_um for band in SENSORS[sensor].bands if band.name != "B10"]
        assert waves == sorted(waves)


def test_every_sensor_says_whose_it_is():
    for sensor in SENSORS.values():
        assert sensor.attribution
        assert sensor.license
        assert sensor.provider["name"]
        assert sensor.provider.get("url", "").startswith("https://") == (sensor.id != "rgb-image")


def test_select_keeps_the_sensors_order():
    assert [band.name for band in SENSORS["sentinel-2-l2a"].select(["B11", "B02"])] == ["B02", "B11"]
    assert len(SENSORS["sentinel-2-l2a"].select(None)) == 12


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("S2", "sentinel-2-l2a"),
        ("s1", "sentinel-1-rtc"),
        ("landsat", "landsat-c2-l2"),
        ("Sentinel_2 L1C", "sentinel-2-l1c"),
        ("SPOT", "spot-ortho"),
        ("DEM", "cop-dem-glo-30"),
        ("nap", "naip"),
    ],
)
def test_a_sensor_is_guessed_by_what_people_call_it(typed, meant):
    with pytest.raises(ContractError, match=rf"Did you mean '{meant}'\?$"):
        find_sensor(typed)


def test_an_unknown_band_or_sensor_lists_and_guesses():
    with pytest.raises(MissingBandError, match=r"Unknown band 'B2'. sentinel-2-l2a has B01, B02.*Did you mean 'B02'\?"):
        SENSORS["sentinel-2-l2a"].band("B2")
    with pytest.raises(
        ContractError, match=r"Unknown sensor 'sentinel-2'. Choose from: sentinel-2-l2a, .*Did you mean 'sentinel-2-l"
    ):
        find_sensor("sentinel-2")

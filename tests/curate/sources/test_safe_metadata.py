"""Metadata of Sentinel-2 products: levels, baselines, offsets of single bands, and what is wrong with damaged ones."""

from datetime import UTC, datetime

import pytest

from curate.errors import SourceUnavailableError
from curate.sources.safe.metadata import read_metadata, read_tile
from tests.safe_products import NAMES, Product, product_xml, tile_xml


def read(product, *changes):
    text = product_xml(product)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_metadata(text.encode(), "X.SAFE")


def test_who_recorded_it_when_and_where_is_told():
    metadata = read(Product())
    assert (metadata.title, metadata.level) == (Product().title, "L2A")
    assert (metadata.platform, metadata.relative_orbit, metadata.orbit_state) == ("sentinel-2a", 51, "descending")
    assert metadata.datetime == datetime(2023, 6, 14, 10, 50, 31, 24000, tzinfo=UTC)
    assert (metadata.created, metadata.cloud_percent) == ("2023-06-14T16:44:54.000000Z", 12.5)
    ((west, north), *_) = metadata.footprint["coordinates"][0]
    assert (round(west, 2), round(north, 2)) == (3.0, 51.45)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("baseline", ["02.07", "02.12", "03.01"])
def test_before_baseline_four_there_are_no_offsets(level, baseline):
    metadata = read(Product(level=level, baseline=baseline))
    assert (metadata.baseline, metadata.quantification, metadata.offsets) == (baseline, 10_000, {})


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("baseline", ["04.00", "05.00", "05.11"])
def test_from_baseline_four_on_each_band_has_its_offset(level, baseline):
    assert read(Product(level=level, baseline=baseline)).offsets == dict.fromkeys(NAMES, -1000.0)


def test_offsets_that_differ_stay_with_their_bands():
    offsets = {"B02": -1001, "B8A": -900, "B12": -950}
    assert read(Product(offsets=offsets)).offsets == dict.fromkeys(NAMES, -1000.0) | offsets


def test_the_product_s_own_numbers_of_bands_win_over_the_usual_ones():
    swapped = [('bandId="1" physicalBand="B2"', 'bandId="1" physicalBand="B3"')]
    swapped += [('bandId="2" physicalBand="B3"', 'bandId="2" physicalBand="B2"')]
    assert read(Product(offsets={"B02": -1}), *swapped).offsets["B03"] == -1


def test_level_2a_may_leave_out_the_offset_of_the_cirrus_band():
    cirrus = '<BOA_ADD_OFFSET band_id="10">-1000</BOA_ADD_OFFSET>'
    assert "B10" not in read(Product(), (cirrus, "")).offsets


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('<BOA_ADD_OFFSET band_id="3">-1000</BOA_ADD_OFFSET>', ""), "states BOA_ADD_OFFSET of some bands, and none of B04"),
        (("BOA_ADD_OFFSET", "GONE"), "its baseline is 05.09, and it states no BOA_ADD_OFFSET"),
        ((">10000<", ">0<"), "BOA_QUANTIFICATION_VALUE is 0, not above 0"),
        (("BOA_QUANTIFICATION_VALUE", "GONE"), "they lack BOA_QUANTIFICATION_VALUE"),
        (("Level-2A</PROC", "Level-1B</PROC"), "PROCESSING_LEVEL is Level-1B, neither Level-1C nor Level-2A"),
        (("</n1:General_Info>", ""), "mismatched tag"),
        ((">2023-06-14T10:50:31.024Z</PRODUCT_START", ">yesterday</PRODUCT_START"), "Invalid isoformat"),
        (("<EXT_POS_LIST>", "<EXT_POS_LIST>1 "), r"zip\(\)"),
    ],
)
def test_damaged_metadata_are_told_of_in_words(change, words):
    with pytest.raises(SourceUnavailableError, match=f"The metadata of X.SAFE cannot be read: .*{words}.*; fetch it again"):
        read(Product(), change)


def test_a_product_of_sen2cor_itself_is_used_with_its_offsets_and_refused_without_in_words_of_its_own():
    assert read(Product(baseline="99.99")).offsets == dict.fromkeys(NAMES, -1000.0)
    with pytest.raises(
        SourceUnavailableError, match=r"^X.SAFE was made by Sen2Cor .*99\.99.*no BOA_ADD_OFFSET.*Sen2Cor 2\.10"
    ) as told:
        read(Product(baseline="99.99"), ("BOA_ADD_OFFSET", "GONE"))
    assert "fetch it again" not in str(told.value)


def test_a_tile_tells_its_grid_and_its_sun():
    tile = read_tile(tile_xml(Product()).encode(), "X.SAFE")
    assert (tile.epsg, tile.sun_elevation, tile.sun_azimuth) == (32631, 59.75, 151.5)


def test_a_sun_that_is_no_number_is_not_known():
    text = tile_xml(Product()).replace(">30.25<", ">NaN<").replace(">151.5<", ">NaN<")
    tile = read_tile(text.encode(), "X.SAFE")
    assert (tile.sun_elevation, tile.sun_azimuth) == (None, None)


def test_a_tile_without_sun_or_grid_is_told_of():
    for lacking in ("Mean_Sun_Angle", "HORIZONTAL_CS_CODE"):
        text = tile_xml(Product()).replace(lacking, "GONE")
        with pytest.raises(SourceUnavailableError, match=f"they lack {lacking}"):
            read_tile(text.encode(), "X.SAFE")

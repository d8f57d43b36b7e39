"""Which asset is which band: by names, never by places."""

import pytest

from catalogs.bands import find_sensor
from catalogs.foreign_bands import canonical, is_data, map_bands
from tests.catalogs.foreign_items import asset, small_item

S2 = find_sensor("sentinel-2-l2a")


def hrefs(assets, sensor=S2, **properties):
    item = small_item(**properties) | {"assets": assets}
    return {name: (found.asset["href"], found.index) for name, found in map_bands(item, sensor).items()}


def test_native_copies_are_preferred_where_a_provider_offers_several():
    sizes = {"B01": (20, 60), "B02": (10, 20, 60), "B8A": (20, 60), "SCL": (20, 60), "B09": (60,), "TCI": (10, 20)}
    assets = {
        f"{band}_{size}m": asset(f"{band}_{size}m.jp2", gsd=size, bands=[{"name": band}]) | {"type": "image/jp2"}
        for band, several in sizes.items()
        for size in reversed(several)
    }
    expected = {"B01": "B01_60m", "B02": "B02_10m", "B8A": "B8A_20m", "B09": "B09_60m", "scl": "SCL_20m"}
    assert hrefs(assets) == {name: (f"{key}.jp2", 1) for name, key in expected.items()}


def test_native_copies_are_preferred_by_their_key_alone():
    assets = {key: {"href": f"s3://eodata/{key}.jp2", "type": "image/jp2"} for key in ("B02_60m", "B02_10m", "B02_20m")}
    assert hrefs(assets) == {"B02": ("s3://eodata/B02_10m.jp2", 1)}


def test_geotiff_is_preferred_to_jpeg_2000():
    assets = {"blue-jp2": asset("B02.jp2") | {"type": "image/jp2"}, "blue": asset("B02.tif")}
    assert hrefs(assets) == {"B02": ("B02.tif", 1)}
    assert hrefs({"blue-jp2": assets["blue-jp2"]}) == {"B02": ("B02.jp2", 1)}


def test_a_common_name_that_several_assets_carry_maps_none_of_them():
    rededges = {key: asset(f"{key}.tif", **{"eo:bands": [{"common_name": "rededge"}]}) for key in ("e1", "e2", "e3")}
    assert hrefs(rededges) == {}
    nirs = {key: asset(f"{key}.tif", **{"eo:bands": [{"common_name": "nir"}]}) for key in ("broad", "narrow")}
    assert hrefs(nirs) == {}
    assert hrefs({"broad": nirs["broad"]}) == {"B08": ("broad.tif", 1)}


def test_the_key_or_the_name_tells_apart_what_the_common_name_does_not():
    keys = {f"rededge{n}": asset(f"e{n}.tif", **{"eo:bands": [{"common_name": "rededge"}]}) for n in (3, 1, 2)}
    assert hrefs(keys) == {"B05": ("e1.tif", 1), "B06": ("e2.tif", 1), "B07": ("e3.tif", 1)}
    names = {f"x{n}": asset(f"e{n}.tif", **{"eo:bands": [{"name": f"B{n}", "common_name": "rededge"}]}) for n in (7, 5, 6)}
    assert hrefs(names) == {"B05": ("e5.tif", 1), "B06": ("e6.tif", 1), "B07": ("e7.tif", 1)}


def test_a_declared_name_outweighs_the_key():
    swapped = {"red": asset("a.tif", bands=[{"name": "B02"}]), "blue": asset("b.tif", bands=[{"name": "B04"}])}
    assert hrefs(swapped) == {"B02": ("a.tif", 1), "B04": ("b.tif", 1)}


def test_the_same_name_is_another_band_of_another_sensor():
    assets = {"B05": asset("5.tif"), "nir08": asset("8.tif")}
    assert hrefs(assets) == {"B05": ("5.tif", 1), "B8A": ("8.tif", 1)}
    assert hrefs({"B05": assets["B05"]}, find_sensor("landsat-c2-l2")) == {"B05": ("5.tif", 1)}
    assert hrefs({"nir08": assets["nir08"]}, find_sensor("landsat-c2-l2")) == {"B05": ("8.tif", 1)}
    older = {
        "a": asset("a.tif", **{"eo:bands": [{"name": "ETM_B5"}]}),
        "b": asset("b.tif", **{"eo:bands": [{"name": "TM_B4"}]}),
    }
    assert hrefs(older, find_sensor("landsat-c2-l2")) == {}


def test_bands_of_one_file_are_told_by_name_whatever_their_order():
    assets = {"10m": asset("10m.tif", bands=[{"name": "B08"}, {"name": "B02"}, {"name": "aerosol"}, {"name": "B04"}])}
    assert hrefs(assets) == {"B02": ("10m.tif", 2), "B04": ("10m.tif", 4), "B08": ("10m.tif", 1)}


def test_unnamed_bands_of_one_file_are_not_guessed():
    assets = {"image": asset("i.tif", **{"eo:bands": [{}, {"name": "b2"}, {}, {}]})}
    assert hrefs(assets) == {}
    assert hrefs(assets, find_sensor("aerial-ortho")) == {}


def test_naip_is_read_by_name_and_only_without_names_in_documented_order():
    naip = find_sensor("naip")
    named = {
        "image": asset("i.tif", **{"eo:bands": [{"name": "NIR", "common_name": "nir"}, {"name": "Red", "common_name": "red"}]})
    }
    assert hrefs(named, naip) == {"red": ("i.tif", 2), "nir": ("i.tif", 1)}
    unnamed = {"image": asset("i.tif", **{"raster:bands": [{}, {}, {}]})}
    assert hrefs(unnamed, naip) == {"red": ("i.tif", 1), "green": ("i.tif", 2), "blue": ("i.tif", 3)}


def test_bands_that_point_into_a_list_of_the_item_are_followed():
    listed = [{"name": "SR_B1", "common_name": "coastal"}, {"name": "SR_B2", "common_name": "blue"}]
    assets = {"x": asset("x.tif", **{"eo:bands": [1]}), "y": asset("y.tif", **{"eo:bands": [0]})}
    assert hrefs(assets, find_sensor("landsat-c2-l2"), **{"eo:bands": listed}) == {"B01": ("y.tif", 1), "B02": ("x.tif", 1)}


def test_what_an_asset_or_the_item_says_for_all_bands_holds_for_each_unless_it_says_otherwise():
    bands = [{"name": "B02"}, {"name": "B03", "raster:scale": 3, "nodata": 7}]
    item = small_item(nodata=5) | {"assets": {"10m": asset("a.tif", bands=bands, **{"raster:scale": 2})}}
    found = map_bands(item, S2)
    assert [(found[name].fields["raster:scale"], found[name].fields["nodata"]) for name in ("B02", "B03")] == [(2, 5), (3, 7)]


@pytest.mark.parametrize(
    ("key", "fields", "data"),
    [
        ("B04", {"href": "a.tif"}, True),
        ("B04", {"href": "a.jp2", "type": "image/jp2"}, True),
        ("qa_pixel", {"href": "a.tif", "roles": ["cloud", "cloud-shadow"]}, True),
        ("B04", {"href": "a.tif", "roles": None, "type": None}, True),
        ("visual", {"href": "a.tif", "roles": ["data"]}, False),
        ("TCI_10m", {"href": "a.jp2", "roles": ["data"]}, False),
        ("reduced_resolution_browse", {"href": "a.jpeg"}, False),
        ("red", {"href": "a.tif", "roles": ["overview"]}, False),
        ("red", {"href": "a.tif", "roles": ["thumbnail"]}, False),
        ("red", {"href": "a.png", "type": "image/png"}, False),
        ("red", {"href": "a.jpg?sig=a.tif"}, False),
        ("red", {"href": "a", "type": "application/json"}, False),
        ("rendered_preview", {"href": "a.tif"}, False),
    ],
)
def test_pictures_and_documents_are_not_data(key, fields, data):
    assert is_data(key, fields) is data


@pytest.mark.parametrize(
    ("written", "one"),
    [("B4", "B04"), ("B04", "B04"), ("b8a", "B8A"), ("B08A", "B8A"), ("OLI_B4", "B04"), ("SR_B4", "B04"), ("SR_B4.TIF", "B04"),
     ("B11_20m", "B11"), ("QA_PIXEL.TIF", "QA_PIXEL"), ("swir16-jp2", "SWIR16"), ("TIRS_B10", "TIRS_B10"),
     ("ST_B10", "ST_B10")],
)  # fmt: skip
def test_one_spelling_of_a_name(written, one):
    assert canonical(written) == one

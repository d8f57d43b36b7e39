"""Stacks read from rasters: what the slow way reads, item by item; and what they refuse."""

import json
import pickle
import shutil
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from catalogs import open_catalog
from catalogs.bands import SENSORS
from catalogs.errors import CatalogUnreachableError, ContractError, MissingAssetError, MissingBandError, UnsafeHrefError
from catalogs.layers import Layer
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_images, make_locations
from tests.catalogs.damage import edit_item
from tests.catalogs.varied import SENSOR, make_varied, one_by_one, other_offsets, turned_round, unchanged, without_bands
from tests.servers import serve_files

RGB = ("B04", "B03", "B02")
SIDES_M = {"aerial-ortho": 60, "naip": 600}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack") / "cat"
    return open_catalog(make_catalog(folder, sensors=(SENSOR, "landsat-c2-l2"), seasons=3))


@pytest.fixture(scope="module")
def items(catalog):
    return catalog.items(sensor=SENSOR)


def arrays_of(stack, number=0):
    arrays = stack.empty()
    stack.read_into(number, arrays)
    return arrays


@pytest.mark.parametrize("sensor", SENSORS)
def test_every_sensor_is_read_as_the_slow_way_reads_it(sensor, tmp_path):
    locations = make_locations(2, side_m=SIDES_M.get(sensor, 240))
    opened = open_catalog(make_catalog(tmp_path / "cat", locations=locations, sensors=(sensor,)))
    stack = open_stack(opened, opened.items())
    assert stack.sensor == sensor
    assert stack.bands == tuple(band.name for band in SENSORS[sensor].bands)
    assert [layer.gsd for layer in stack.layers] == list(SENSORS[sensor].gsds)
    one_by_one(opened, opened.items(), stack)


def test_images_without_ground_are_read_alike(tmp_path):
    opened = open_catalog(make_catalog(tmp_path / "cat", locations=make_images(2, side_m=660)))
    one_by_one(opened, opened.items(), open_stack(opened, opened.items()))


def test_layers_go_from_fine_to_coarse_and_keep_the_order_asked_for(catalog, items):
    stack = open_stack(catalog, items, ["B01", "B11", "B04", "B05", "B02"])
    assert stack.bands == ("B01", "B11", "B04", "B05", "B02")
    assert stack.layers == (
        Layer(10, ("B04", "B02"), "uint16", 60, 60, (0, 0)),
        Layer(20, ("B11", "B05"), "uint16", 30, 30, (0, 0)),
        Layer(60, ("B01",), "uint16", 10, 10, (0,)),
    )
    assert stack.layers[0].shape == (2, 60, 60)
    assert stack.layers[0].size == 2 * 60 * 60 * 2
    one_by_one(catalog, items, stack)


@pytest.mark.parametrize("bands", [RGB, ("B03",), ("B08", "B02"), ("B12", "B05", "B8A"), ("B09", "B02", "B06")])
def test_any_bands_are_read_in_any_order(catalog, items, bands):
    one_by_one(catalog, items, open_stack(catalog, items, bands))


def test_rows_are_those_of_the_items_with_their_valid_share(catalog):
    items = catalog.items(sensor=SENSOR, split="train")[1:5]
    stack = open_stack(catalog, items, RGB)
    assert stack.items.drop_columns("valid_percent").equals(items.table)
    assert stack.items["valid_percent"].to_pylist() == [scene.valid_percent for scene in items]
    one_by_one(catalog, items, stack)
    one_by_one(catalog, items[::-1], open_stack(catalog, items[::-1], RGB))


def test_scale_and_offset_are_each_items_own(tmp_path):
    opened = open_catalog(make_varied(tmp_path / "cat", other_offsets))
    stack = open_stack(opened, opened.items())
    assert sorted(set(stack.offset.ravel().tolist())) == [np.float32(-0.1), 0]
    one_by_one(opened, opened.items(), stack)


def test_files_whose_bands_come_in_another_order_are_read_by_name(tmp_path):
    opened = open_catalog(make_varied(tmp_path / "cat", turned_round))
    first, last = opened.items()[0], opened.items()[len(opened.items()) - 1]
    assert first.rasters[0].bands == last.rasters[0].bands[::-1]
    one_by_one(opened, opened.items(), open_stack(opened, opened.items(), ["B04", "B12", "B02", "B08", "B05"]))


def test_a_band_in_a_file_of_its_own_at_some_items_is_found_there(tmp_path):
    def split(location, _season, patches):
        ten = patches[0]
        assert ten.key == "10m"
        if location != 1:
            return patches
        first = replace(ten, pixels=ten.pixels[:1], bands=ten.bands[:1], sources=())
        others = replace(ten, key="20m", pixels=ten.pixels[1:], bands=ten.bands[1:], sources=())
        return [first, others]

    opened = open_catalog(make_varied(tmp_path / "cat", split))
    stack = open_stack(opened, opened.items(), ["B04", "B02", "B08"])
    assert len(stack.layers) == 1
    one_by_one(opened, opened.items(), stack)


def test_without_bands_all_that_every_item_has_are_read(tmp_path):
    opened = open_catalog(make_varied(tmp_path / "cat", without_bands("B08", "B01", "B09")))
    stack = open_stack(opened, opened.items())
    assert stack.bands == ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12")
    assert len(open_stack(opened, opened.items(location="test-000000")).bands) == 12
    one_by_one(opened, opened.items(), stack)


def test_a_catalog_without_an_index_is_read_alike(catalog, tmp_path):
    shutil.copytree(catalog.href, tmp_path / "cat")
    (tmp_path / "cat" / SENSOR / "items.parquet").unlink()
    opened = open_catalog(tmp_path / "cat")
    items = opened.items(sensor=SENSOR)
    stack, indexed = open_stack(opened, items), open_stack(catalog, catalog.items(sensor=SENSOR))
    assert stack.items.drop_columns("bbox").equals(indexed.items.drop_columns("bbox"))
    assert (stack.scale == indexed.scale).all()
    one_by_one(opened, items, stack)


def test_the_hash_is_that_of_the_index_wherever_the_catalog_is(catalog, items, tmp_path):
    (stated,) = {item["file:checksum"] for key, item in catalog.collection(SENSOR)["assets"].items() if key == "items"}
    assert f"1220{open_stack(catalog, items).index_hash}" == stated
    with serve_files(tmp_path.parent) as _, serve_files(catalog.href) as address:
        assert open_catalog(address).index_hash(SENSOR) == catalog.index_hash(SENSOR)
    shutil.copytree(catalog.href, tmp_path / "cat")
    edit_item(tmp_path / "cat", lambda item: item["properties"].update({"eo:cloud_cover": 1.5}))
    assert open_catalog(tmp_path / "cat").index_hash(SENSOR) != catalog.index_hash(SENSOR)


def test_a_catalog_of_items_alone_has_a_hash_of_them(catalog, tmp_path):
    hashes = []
    for name in ("a", "b"):
        shutil.copytree(catalog.href, tmp_path / name)
        (tmp_path / name / SENSOR / "items.parquet").unlink()
        path = tmp_path / name / SENSOR / "collection.json"
        document = json.loads(path.read_text())
        del document["assets"]
        path.write_text(json.dumps(document))
        hashes.append(open_catalog(tmp_path / name).index_hash(SENSOR))
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 64
    next((tmp_path / "b" / SENSOR).rglob("test-000000_*.json")).unlink()
    for path in (tmp_path / "b" / SENSOR).glob("*/catalog.json"):
        document = json.loads(path.read_text())
        links = [link for link in document["links"] if (path.parent / link["href"]).exists()]
        path.write_text(json.dumps(document | {"links": links}))
    assert open_catalog(tmp_path / "b").index_hash(SENSOR) != hashes[0]


def sums(stack):
    return [int(array.sum()) for number in range(len(stack)) for array in arrays_of(stack, number)]


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_a_stack_goes_to_another_process(catalog, items, start):
    stack = open_stack(catalog, items, RGB)
    with get_context(start).Pool(2) as pool:
        assert pool.map(sums, [stack, stack]) == [sums(stack)] * 2
    assert sums(pickle.loads(pickle.dumps(stack))) == sums(stack)


def test_a_moved_catalog_is_read_where_it_is(catalog, tmp_path):
    shutil.copytree(catalog.href, tmp_path / "moved")
    opened = open_catalog(tmp_path / "moved")
    one_by_one(opened, opened.items(sensor=SENSOR), open_stack(opened, opened.items(sensor=SENSOR)))


# What is refused, and in which words.


def test_an_unknown_band_is_guessed_at(catalog, items):
    with pytest.raises(MissingBandError, match=r"Unknown band 'B4'\. sentinel-2-l2a has B01.*Did you mean 'B04'\?"):
        open_stack(catalog, items, ["B02", "B4"])


def test_a_band_that_some_items_lack_is_counted_and_named(tmp_path):
    opened = open_catalog(make_varied(tmp_path / "cat", without_bands("B08", "B11")))
    words = r"Band B11 is lacking in 2 of 4 items of sentinel-2-l2a \(first: test-000001_20230115T105031\)\. Leave it out \(all"
    with pytest.raises(MissingBandError, match=words + " items have B01 B02 B03 B04 B05 B06 B07 B8A B09 B12"):
        open_stack(opened, opened.items(), ["B02", "B11"])


def test_a_catalog_without_any_common_band_says_so(tmp_path):
    def one_of_two(location, _season, patches):
        return patches[:1] if location else patches[1:3]

    opened = open_catalog(make_varied(tmp_path / "cat", one_of_two))
    with pytest.raises(ContractError, match="No band of sentinel-2-l2a is in all of 4 items"):
        open_stack(opened, opened.items())


def test_several_patch_sizes_are_counted(tmp_path):
    locations = [*make_locations(2, side_m=600), *make_locations(3, side_m=1200, lat=44)[2:]]
    opened = open_catalog(make_varied(tmp_path / "cat", unchanged, locations=locations))
    words = "differ in band B01: 4 with 10 x 10 px of 60 m, uint16; 2 with 20 x 20 px of 60 m, uint16.*one --patch-m"
    with pytest.raises(ContractError, match=words):
        open_stack(opened, opened.items())
    one_by_one(opened, opened.items(location="test-000002"), open_stack(opened, opened.items(location="test-000002")))


def test_several_types_and_nodata_values_are_counted(tmp_path):
    def in_float(location, _season, patches):
        return [replace(patch, pixels=patch.pixels.astype(np.float32)) for patch in patches] if location else patches

    def without_nodata(location, season, patches):
        return [
            replace(patch, bands=tuple(replace(band, nodata=None) for band in patch.bands)) if location and season else patch
            for patch in patches
        ]

    opened = open_catalog(make_varied(tmp_path / "types", in_float))
    with pytest.raises(ContractError, match=r"differ in band B02: 2 with .* uint16; 2 with .* float32"):
        open_stack(opened, opened.items(), RGB[::-1])
    opened = open_catalog(make_varied(tmp_path / "nodata", without_nodata))
    with pytest.raises(ContractError, match=r"differ in band B04: 3 with nodata 0.0; 1 with nodata None"):
        open_stack(opened, opened.items(), RGB)


def test_a_band_without_scale_is_refused(tmp_path):
    def unscaled(location, _season, patches):
        bare = [replace(patch, bands=tuple(replace(band, scale=None) for band in patch.bands)) for patch in patches]
        return bare if location else patches

    opened = open_catalog(make_varied(tmp_path / "cat", unscaled))
    with pytest.raises(ContractError, match="Band B04 has no scale and offset in 2 of 4 items"):
        open_stack(opened, opened.items(), RGB)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        ([], "Bands none were asked for; expected at least one"),
        (["B02", "B02"], "Bands B02, B02 were asked for; expected at least one, and each once"),
        (["scl"], "scl is the mask of sentinel-2-l2a.*read_mask"),
    ],
)
def test_bands_that_make_no_sense_are_refused(catalog, items, bands, words):
    with pytest.raises(ContractError, match=words):
        open_stack(catalog, items, bands)


def test_items_of_two_sensors_or_of_none_are_refused(catalog):
    with pytest.raises(ContractError, match=r'2 sensors \(sentinel-2-l2a, landsat-c2-l2\).*items\(sensor="sentinel-2-l2a"\)'):
        open_stack(catalog, catalog.items())
    with pytest.raises(ContractError, match=r"No items of .* were given.*curate info"):
        open_stack(catalog, catalog.items(sensor=SENSOR, season=99))


def test_items_of_another_catalog_are_refused(catalog, items, tmp_path):
    other = open_catalog(make_catalog(tmp_path / "cat"))
    with pytest.raises(ContractError, match=f"outside {tmp_path / 'cat'}. Give the catalog's own"):
        open_stack(other, items)


def test_a_catalog_of_others_points_to_curate_build(catalog, tmp_path):
    shutil.copytree(catalog.href, tmp_path / "cat")
    for path in (tmp_path / "cat").rglob("*.json"):
        path.write_text(path.read_text().replace("seastars:", "theirs:"))
    opened = open_catalog(tmp_path / "cat")
    with pytest.raises(ContractError, match=r"is not of our making.*curate build CATALOG --source .*cat"):
        open_stack(opened, opened.items(sensor=SENSOR))


def test_a_file_that_is_gone_or_broken_is_named_when_it_is_read(catalog, tmp_path):
    shutil.copytree(catalog.href, tmp_path / "cat")
    opened = open_catalog(tmp_path / "cat")
    items = opened.items(sensor=SENSOR)
    stack = open_stack(opened, items, RGB)
    path = tmp_path / "cat" / SENSOR / items[1].rasters[0].href
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CatalogUnreachableError, match=path.name):
        arrays_of(stack, 1)
    path.unlink()
    with pytest.raises(MissingAssetError, match=path.name):
        arrays_of(stack, 1)
    arrays_of(stack, 0)


def test_an_href_that_leaves_the_catalog_is_refused_unless_it_is_trusted(catalog, tmp_path):
    shutil.copytree(catalog.href, tmp_path / "cat")
    asset = next((tmp_path / "cat" / SENSOR).rglob("*_10m.tif"))
    shutil.copy(asset, tmp_path / "outside.tif")
    edit_item(tmp_path / "cat", lambda item: item["assets"]["10m"].update(href="../../outside.tif"))
    opened = open_catalog(tmp_path / "cat")
    with pytest.raises(UnsafeHrefError, match=r"outside\.tif"):
        arrays_of(open_stack(opened, opened.items(sensor=SENSOR), RGB))
    trusting = open_catalog(tmp_path / "cat", trust_hrefs=True)
    arrays_of(open_stack(trusting, trusting.items(sensor=SENSOR), RGB))

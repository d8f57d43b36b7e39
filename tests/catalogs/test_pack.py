"""Packs give what the rasters give, bit for bit; stale and damaged ones are refused."""

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pyarrow.parquet as pq
import pytest

from catalogs import layout, open_catalog
from catalogs.bands import SENSORS
from catalogs.errors import ContractError, MissingAssetError, MissingBandError
from catalogs.pack_pixels import _runs
from catalogs.pack_plan import PackPlan
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_images, make_locations
from tests.catalogs.damage import edit_item, edit_json
from tests.catalogs.packs import TWO_ITEMS, make_pack, make_source
from tests.catalogs.varied import SENSOR, make_varied, one_by_one, other_offsets, turned_round, without_bands
from tests.conftest import ROOT

SIDES_M = {"aerial-ortho": 60, "naip": 600}
RGB = ("B04", "B03", "B02")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with a pack of all bands, in shards of two items; not to be changed."""
    folder = make_catalog(tmp_path_factory.mktemp("pack") / "cat", seasons=3)
    writer = make_pack(folder, shard_bytes=TWO_ITEMS)
    assert writer.todo == []
    return folder


@pytest.fixture
def copied(packed, tmp_path):
    return shutil.copytree(packed, tmp_path / "cat")


def pack_of(folder):
    return folder / layout.pack_folder(SENSOR)


def both(folder, bands=None, **chosen):
    """A stack from the pack and one from the rasters."""
    catalog = open_catalog(folder)
    items = catalog.items(**chosen)
    return open_stack(catalog, items, bands), open_stack(catalog, items, bands, pack=False)


def expect_equal(pack, rasters):
    """Hold a packed stack against one from rasters: all they say, and all pixels."""
    assert (pack.is_packed, rasters.is_packed) == (True, False)
    for name in ("sensor", "bands", "layers", "index_hash"):
        assert getattr(pack, name) == getattr(rasters, name)
    assert pack.items.equals(rasters.items)
    assert pack.scale.tobytes() == rasters.scale.tobytes()
    assert pack.offset.tobytes() == rasters.offset.tobytes()
    mine, theirs = pack.empty(), rasters.empty()
    for number in range(len(pack)):
        pack.read_into(number, mine)
        rasters.read_into(number, theirs)
        for one, other in zip(mine, theirs, strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_pack_of_every_sensor_equals_its_rasters(sensor, tmp_path):
    locations = make_locations(2, side_m=SIDES_M.get(sensor, 240))
    folder = make_catalog(tmp_path / "cat", locations=locations, sensors=(sensor,))
    make_pack(folder, sensor=sensor)
    pack, rasters = both(folder)
    assert pack.bands == tuple(band.name for band in SENSORS[sensor].bands)
    expect_equal(pack, rasters)
    catalog = open_catalog(folder)
    one_by_one(catalog, catalog.items(), pack)


@pytest.mark.parametrize("change", [other_offsets, turned_round, without_bands("B08", "B12")])
def test_items_that_differ_are_packed_alike(change, tmp_path):
    folder = make_varied(tmp_path / "cat", change)
    make_pack(folder)
    bands = None if change is not turned_round else ["B04", "B12", "B03"]
    expect_equal(*both(folder, bands))


def test_images_without_ground_are_packed_alike(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_images(2, side_m=660), labels=("forest", "water"))
    make_pack(folder)
    pack, rasters = both(folder)
    assert pack.items["labels"].to_pylist()[0] == ["forest"]
    expect_equal(pack, rasters)


@pytest.mark.parametrize(
    "bands",
    [RGB, RGB[::-1], ("B03",), ("B08", "B02", "B03"), ("B12", "B05", "B8A"), ("B09", "B02", "B06", "B03"), ("B01", "B09")],
)
def test_some_bands_of_a_pack_come_in_any_order(packed, bands):
    expect_equal(*both(packed, bands))


def test_any_items_of_a_pack_are_found(packed):
    expect_equal(*both(packed, split="train", season=1))
    expect_equal(*both(packed, RGB, location="test-000002"))
    catalog = open_catalog(packed)
    backwards = catalog.items()[::-2]
    expect_equal(open_stack(catalog, backwards), open_stack(catalog, backwards, pack=False))


def test_only_the_bands_asked_for_are_touched(packed):
    """Of a map of which all other bytes are gone, they read the same."""
    pack, _ = both(packed, ("B03", "B04"))
    arrays = pack.empty()
    pack.read_into(0, arrays)
    pixels = pack.pixels
    (source,) = pixels._sources
    rest = np.array(source.maps[0])
    rest[:, [0, 3]] = 0
    source.maps[0] = rest
    again = pack.empty()
    pack.read_into(0, again)
    assert (arrays[0] == again[0]).all()
    assert source.runs == [(slice(0, 2), slice(1, 3, 1))]


@pytest.mark.parametrize("places", [[0], [3, 2, 1, 0], [0, 1, 2, 5, 4, 3, 9], [0, 2, 4, 6], [5, 0, 1], [2, 1, 3, 0]])
def test_places_are_cut_into_slices_that_give_them_back(places):
    whole, found = np.arange(10), np.full(len(places), -1)
    for target, origin in _runs(places):
        found[target] = whole[origin]
    assert found.tolist() == places


def test_shards_are_plain_arrays_of_all_items(packed):
    plan = make_source(packed, shard_bytes=TWO_ITEMS).plan
    assert (plan.items, plan.items_per_shard, plan.shards) == (9, 2, 5)
    for layer, name in enumerate(("10m", "20m", "60m")):
        shards = [np.load(path) for path in sorted((pack_of(packed) / name).iterdir())]
        assert [shard.shape for shard in shards] == [plan.shape(layer, number) for number in range(5)]
        assert [len(shard) for shard in shards] == [2, 2, 2, 2, 1]
        assert np.concatenate(shards).nbytes == 9 * plan.layers[layer].size
    assert plan.size == sum(9 * layer.size for layer in plan.layers)


def test_the_table_says_where_each_item_is(packed):
    table = pq.read_table(pack_of(packed) / layout.PACK)
    items = open_catalog(packed).items()
    assert table["id"].to_pylist() == items.table["id"].to_pylist()
    assert list(zip(table["shard"].to_pylist(), table["row"].to_pylist(), strict=True)) == [(n // 2, n % 2) for n in range(9)]
    assert table["scale"][3].as_py() == [1e-4] * 12
    assert table["offset"][3].as_py() == [-0.1] * 12
    assert table["nodata"][3].as_py() == [0.0] * 12
    assert table["valid_percent"].to_pylist() == [100.0] * 9
    plan = PackPlan.from_json(table.schema.metadata[b"seastars:pack"])
    assert plan == make_source(packed, shard_bytes=TWO_ITEMS).plan


def test_nodata_that_a_sensor_does_not_have_is_null(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_locations(1, side_m=60), sensors=("naip",))
    make_pack(folder, sensor="naip")
    assert pq.read_table(folder / "packs" / "naip" / layout.PACK)["nodata"][0].as_py() == [None] * 4
    pack, rasters = both(folder)
    assert pack.layers[0].nodata == (None,) * 4
    expect_equal(pack, rasters)


def sums(stack):
    arrays, found = stack.empty(), []
    for number in range(len(stack)):
        stack.read_into(number, arrays)
        found += [int(array.sum()) for array in arrays]
    return found


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_a_packed_stack_goes_to_another_process(packed, start):
    pack, rasters = both(packed, RGB)
    expected = sums(rasters)
    assert sums(pack) == expected
    with get_context(start).Pool(2) as pool:
        assert pool.map(sums, [pack, pack]) == [expected] * 2


def test_maps_are_not_pickled(packed):
    pack, _ = both(packed)
    before = len(pickle.dumps(pack.pixels))
    sums(pack)
    assert len(pickle.dumps(pack.pixels)) == before


# Which is read: the pack, or the rasters.


def test_a_pack_of_some_bands_is_read_where_they_are_enough(tmp_path):
    folder = make_catalog(tmp_path / "cat")
    make_pack(folder, ["B04", "B02", "B03"])
    catalog = open_catalog(folder)
    items = catalog.items()
    assert open_stack(catalog, items, RGB).is_packed
    assert not open_stack(catalog, items, [*RGB, "B08"]).is_packed
    assert not open_stack(catalog, items).is_packed
    assert len(open_stack(catalog, items).bands) == 12
    assert open_stack(catalog, items, pack=True).bands == ("B02", "B03", "B04")
    with pytest.raises(MissingBandError, match="pack of sentinel-2-l2a lacks B08, B11; it has B02, B03, B04"):
        open_stack(catalog, items, ["B08", "B02", "B11"], pack=True)
    expect_equal(*both(folder, RGB))


def test_a_band_that_only_some_items_have_is_read_where_all_that_are_asked_for_have_it(tmp_path):
    folder = make_varied(tmp_path / "cat", without_bands("B08"))
    make_pack(folder)
    catalog = open_catalog(folder)
    assert open_stack(catalog, catalog.items()).is_packed
    assert len(open_stack(catalog, catalog.items()).bands) == 11
    alone = open_stack(catalog, catalog.items(location="test-000000"))
    assert (alone.is_packed, len(alone.bands)) == (False, 12)
    with pytest.raises(MissingBandError, match="B08 is lacking in 2 of 4 items"):
        open_stack(catalog, catalog.items(), ["B08"])


def test_a_pack_that_is_not_there_is_told_where_it_is_demanded(tmp_path):
    catalog = open_catalog(make_catalog(tmp_path / "cat"))
    assert not open_stack(catalog, catalog.items()).is_packed
    with pytest.raises(
        MissingAssetError, match=r"has no pack of sentinel-2-l2a\. Make one: curate pack .*cat --sensor sentinel"
    ):
        open_stack(catalog, catalog.items(), pack=True)


def test_an_unknown_band_is_guessed_at_before_the_pack_is_asked(packed):
    catalog = open_catalog(packed)
    with pytest.raises(MissingBandError, match="Did you mean 'B04'"):
        open_stack(catalog, catalog.items(), ["B4"])


# What is refused.


@pytest.mark.parametrize("demanded", [None, True])
def test_a_stale_pack_is_refused_with_the_command_that_renews_it(copied, demanded):
    edit_item(copied, lambda item: item["properties"].update({"eo:cloud_cover": 1.5}))
    catalog = open_catalog(copied)
    words = r"The pack of sentinel-2-l2a is stale: .* has changed since it was made\. Renew it: curate pack .*cat --sensor"
    with pytest.raises(ContractError, match=words):
        open_stack(catalog, catalog.items(), pack=demanded)
    assert not open_stack(catalog, catalog.items(), pack=False).is_packed
    make_pack(copied, shard_bytes=TWO_ITEMS)
    expect_equal(*both(copied))


def test_a_truncated_shard_is_named_when_it_is_read(copied):
    path = pack_of(copied) / "10m" / "00002.npy"
    path.write_bytes(path.read_bytes()[:-1])
    pack, _ = both(copied)
    arrays = pack.empty()
    pack.read_into(0, arrays)
    with pytest.raises(
        ContractError, match=r"10m/00002\.npy is damaged: .* remove it, and make it anew with curate pack .*cat"
    ):
        pack.read_into(4, arrays)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array at all" * 10])
def test_a_shard_that_is_no_array_is_named_when_it_is_read(copied, content):
    (pack_of(copied) / "20m" / "00000.npy").write_bytes(content)
    pack, _ = both(copied)
    with pytest.raises(ContractError, match=r"20m/00000\.npy is damaged"):
        pack.read_into(0, pack.empty())


def test_a_shard_of_another_shape_or_type_is_named_when_it_is_read(copied):
    path = pack_of(copied) / "60m" / "00000.npy"
    np.save(path, np.load(path).astype(np.float32))
    pack, _ = both(copied)
    words = r"has shape \(2, 2, 10, 10\) of float32; its pack says \(2, 2, 10, 10\) of uint16"
    with pytest.raises(ContractError, match=words):
        pack.read_into(0, pack.empty())


def test_a_shard_that_is_gone_is_named_when_it_is_read(copied):
    (pack_of(copied) / "60m" / "00000.npy").unlink()
    pack, _ = both(copied)
    with pytest.raises(MissingAssetError, match=r"60m/00000\.npy is not there, though the pack lists it"):
        pack.read_into(0, pack.empty())


@pytest.mark.parametrize("damage", ["gone", "cut", "other", "version"])
def test_a_table_that_is_gone_or_damaged_is_named(copied, damage):
    path = pack_of(copied) / layout.PACK
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "other":
        pq.write_table(pq.read_table(path).slice(1), path)
    else:
        table = pq.read_table(path)
        plan = json.loads(table.schema.metadata[b"seastars:pack"]) | {"version": 2}
        pq.write_table(table.replace_schema_metadata({b"seastars:pack": json.dumps(plan)}), path)
    words = {
        "gone": "is not there",
        "cut": "is damaged",
        "other": "holds 8 rows of sentinel-2-l2a; expected 9",
        "version": "another version",
    }
    catalog = open_catalog(copied)
    with pytest.raises((ContractError, MissingAssetError), match=rf"pack\.parquet.*{words[damage]}.*make it anew"):
        open_stack(catalog, catalog.items())


def test_a_table_of_other_items_is_refused(copied):
    path = pack_of(copied) / layout.PACK
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "id", table["id"].take(list(range(8, -1, -1)))), path)
    catalog = open_catalog(copied)
    with pytest.raises(ContractError, match="rows of the pack of sentinel-2-l2a are not those of its index"):
        open_stack(catalog, catalog.items())


BARE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)
sys.meta_path.insert(0, Refuse())
from catalogs import open_catalog
from catalogs.stack import open_stack
catalog = open_catalog({folder!r})
for pack in (True, False):
    stack = open_stack(catalog, catalog.items(sensor="sentinel-2-l2a", split="train"), ["B04", "B11"], pack=pack)
    arrays = stack.empty()
    stack.read_into(1, arrays)
    print(stack.is_packed, [int(array.sum()) for array in arrays])
print(catalog.locations().num_rows, sorted(set(sys.modules) & {blocked}))
"""
HEAVY = {"rasterio", "pystac", "shapely", "geopandas", "obstore", "pyproj", "torch", "pandas", "scipy", "requests", "cyclopts"}


def test_numpy_and_pyarrow_are_enough_to_read_a_pack_and_the_rasters_too(packed):
    code = BARE.format(blocked=HEAVY, folder=str(packed))
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    first, second, last = child.stdout.splitlines()
    assert (first.split(" ", 1)[0], second.split(" ", 1)[0]) == ("True", "False")
    assert first.split(" ", 1)[1] == second.split(" ", 1)[1] != "[0, 0]"
    assert last == "3 []"


def test_plans_of_one_pixel_size_in_two_types_have_folders_of_their_own(packed):
    plan = make_source(packed, ["B02", "B03"], shard_bytes=TWO_ITEMS // 2).plan
    (layer,) = plan.layers
    two = PackPlan(SENSOR, plan.index_hash, 9, 2, (layer, layer), plan.all_bands)
    assert [two.shard_name(number, 3) for number in (0, 1)] == ["10m/00003.npy", "10m-2/00003.npy"]


def test_a_plan_with_nan_for_nodata_equals_itself_after_a_trip_through_text(packed):
    plan = make_source(packed, ["B02", "B03"]).plan
    layers = (replace(plan.layers[0], nodata=(float("nan"), None)),)
    there = PackPlan.from_json(replace(plan, layers=layers).to_json())
    assert there == PackPlan.from_json(there.to_json())


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 1}', '{"version": 1, "layers": 3}', '{"version": 1, "layers": [{}]}']
)
def test_text_that_is_no_plan_is_refused(text):
    with pytest.raises(ValueError, match=r"plan of a pack|version of packs|Expecting value"):
        PackPlan.from_json(text)


def test_a_collection_that_lists_no_table_lists_no_pack(copied):
    edit_json(copied / SENSOR / layout.COLLECTION, lambda document: document["assets"].pop("pack"))
    catalog = open_catalog(copied)
    assert not open_stack(catalog, catalog.items()).is_packed

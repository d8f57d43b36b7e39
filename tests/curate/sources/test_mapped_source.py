"""Archives read as their mapping files say: APIs and static catalogs under other names, and folders."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio

from catalogs.foreign import SourceBand
from curate.errors import CurateError, SourceSensorError
from curate.sources import open_source
from curate.sources.archives.mapped_source import MappedItems
from curate.sources.archives.mapping import read_mapping
from tests.catalogs.foreign_items import asset, small_item
from tests.curate.sources.archive import AGES, WORLD, archive_items
from tests.servers import serve_api

S2 = "sentinel-2-l2a"
STACK = """
[sensors.sentinel-2-l2a]
collection = "ours"
bands.B02 = {asset = "all", band = 2}
bands.B03 = {asset = "all", band = 3, scale = 2e-4, offset = 0.5, nodata = 9}
bands.B04 = "one_10m"
mask = "classes"
"""
RADIOMETRY = "scale = 1e-4\noffset = 0\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "mine.toml").write_text(text)
        return "mine.toml"

    return write


def our_item(id_="a", collection="ours", **properties):
    item = small_item(**properties) | {"id": id_, "collection": collection}
    item["assets"] = {
        "all": {
            "href": "./all.jp2",
            "type": "application/x-whatever",
            "raster:bands": [{}, {"scale": 3e-4, "offset": -0.2}, {}],
        },
        "one_10m": asset("./one.tif", roles=["overview"]),
        "classes": asset("./classes.tif"),
        "blue": asset("./not_this.tif"),
    }
    return item


def static(tmp_path, *items):
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": list(items)}))
    return 'catalog = "items.json"\n'


def test_bands_are_where_the_mapping_says_whatever_the_archive_calls_them(write, tmp_path):
    source = open_source(write(static(tmp_path, our_item()) + STACK))
    (scene,) = source.search(S2, WORLD, *AGES)
    folder = tmp_path.as_posix()
    assert scene.bands == {
        "B02": SourceBand(f"{folder}/all.jp2", 2, 3e-4, -0.2),
        "B03": SourceBand(f"{folder}/all.jp2", 3, 2e-4, 0.5, 9),
        "B04": SourceBand(f"{folder}/one.tif", 1, 1e-4, -0.1),
        "scl": SourceBand(f"{folder}/classes.tif", 1),
    }
    assert (scene.source, scene.radiometry) == ("mine", "default")
    assert (source.sensors(), source.simulated, source.reads_files) == ([S2], False, True)


def test_what_the_mapping_says_of_numbers_wins_and_is_told_as_the_decision(write, tmp_path):
    shifted = our_item(**{"earthsearch:boa_offset_applied": True})
    (scene,) = open_source(write(static(tmp_path, shifted) + STACK + RADIOMETRY)).search(S2, WORLD, *AGES)
    assert [(scene.bands[name].scale, scene.bands[name].offset) for name in ("B02", "B03", "B04")] == [
        (1e-4, 0), (2e-4, 0.5), (1e-4, 0),
    ]  # fmt: skip
    assert (scene.bands["scl"].scale, scene.bands["scl"].nodata) == (None, None)
    assert scene.radiometry == "collection"


@pytest.mark.parametrize(("collection", "disputed"), [("sentinel-2-c1-l2a", False), ("sentinel-2-l2a", True)])
def test_a_mapped_collection_of_earth_search_is_in_doubt_only_if_it_is_one_of_those(write, tmp_path, collection, disputed):
    flags = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09", "datetime": "2023-06-01T10:00:00Z"}
    text = static(tmp_path, our_item(collection=collection, **flags)) + STACK.replace('"ours"', f'"{collection}"')
    (scene,) = open_source(write(text)).search(S2, WORLD, datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    assert scene.disputed is disputed
    assert scene.bands["B04"].offset == -0.1


def test_without_bands_the_items_own_names_do(write, tmp_path):
    item = small_item() | {"collection": "ours", "assets": {"B02": asset("./b.tif"), "B8A_20m": asset("./c.tif")}}
    mapping = static(tmp_path, item) + '[sensors.sentinel-2-l2a]\ncollection = "ours"\n'
    (scene,) = open_source(write(mapping)).search(S2, WORLD, *AGES)
    assert list(scene.bands) == ["B02", "B8A"]


def test_without_bands_what_the_mapping_says_of_numbers_holds_for_all_but_the_mask(write, tmp_path):
    scl = asset("./scl.tif")
    item = small_item() | {"collection": "ours", "assets": {"B02": asset("./b.tif"), "B03": asset("./c.tif"), "scl": scl}}
    text = static(tmp_path, item) + "[sensors.sentinel-2-l2a]\nscale = 2e-4\nnodata = 7\n"
    (scene,) = open_source(write(text)).search(S2, WORLD, *AGES)
    told = {name: (band.scale, band.nodata) for name, band in scene.bands.items()}
    assert told == {"B02": (2e-4, 7), "B03": (2e-4, 7), "scl": (None, None)}
    assert scene.radiometry != "collection"
    (scene,) = open_source(write(f"{text}offset = -0.5\n")).search(S2, WORLD, *AGES)
    assert {scene.bands[name].offset for name in ("B02", "B03")} == {-0.5}
    assert scene.bands["scl"].offset is None
    assert scene.radiometry == "collection"


def test_items_of_other_collections_are_left_out_with_a_reason(write, tmp_path):
    source = open_source(write(static(tmp_path, our_item("a"), our_item("b", S2), our_item("c", "theirs")) + STACK))
    assert [scene.id for scene in source.search(S2, WORLD, *AGES)] == ["a"]
    assert set(source.skipped) == {"b", "c"}


def test_a_collection_need_not_be_named_where_there_is_one_sensor(write, tmp_path):
    text = static(tmp_path, our_item("a"), our_item("b", "theirs")) + STACK.replace('collection = "ours"\n', "")
    assert [scene.id for scene in open_source(write(text)).search(S2, WORLD, *AGES)] == ["a", "b"]


def test_an_asset_that_no_item_has_is_told_with_a_guess(write, tmp_path):
    text = static(tmp_path, our_item()) + STACK.replace('"classes"', '"clases"')
    with pytest.raises(
        CurateError,
        match=r"^mine\.toml: sensors\.sentinel-2-l2a says that scl is asset 'clases', which no item has; "
        r"there are all, blue, classes, one_10m\. Did you mean 'classes'\?$",
    ):
        open_source(write(text))


def test_an_item_that_lacks_an_asset_is_not_used_and_says_which(write, tmp_path):
    part = our_item("b")
    del part["assets"]["one_10m"]
    source = open_source(write(static(tmp_path, our_item("a"), part) + STACK))
    assert [scene.id for scene in source.search(S2, WORLD, *AGES)] == ["a"]
    assert source.skipped == {
        "b": "sensors.sentinel-2-l2a says that B04 is asset 'one_10m', which it lacks; there are all, blue, classes."
    }


def test_an_api_is_given_some_items_before_its_mapping_is_called_wrong(write):
    items = MappedItems(read_mapping(write('api = "https://a.b"\n' + STACK.replace('"classes"', '"clases"'))))
    for number in range(4):
        items(our_item(str(number)))
        items.check(5)
    items(our_item("4"))
    with pytest.raises(CurateError, match="which no item has"):
        items.check(5)


def test_a_thread_that_checks_while_another_notes_an_item_finds_no_mistake(write):
    items = MappedItems(read_mapping(write('api = "https://a.b"\n' + STACK)))

    class Interrupted(Counter):
        def update(self, *assets):
            items.check(1)
            super().update(*assets)

    items._seen[S2] = Interrupted()
    assert items(our_item())["assets"]
    items.check(1)


def test_nothing_is_said_of_assets_where_nothing_was_found(write, tmp_path):
    MappedItems(read_mapping(write('api = "https://a.b"\n' + STACK))).check(1)
    source = open_source(write(static(tmp_path, our_item("b", "theirs")) + STACK))
    with pytest.raises(SourceSensorError, match=r"mine has no sentinel-2-l2a"):
        source.search(S2, WORLD, *AGES)


def test_an_api_is_asked_for_the_collection_that_is_named_and_nothing_before(write, shared_data):
    archive = shared_data / "archive"
    items = [item for item in archive_items(archive, archive.as_uri()) if item["collection"] == S2][:4]
    for item in items:
        item["collection"] = "ours"
        item["assets"] = {
            {"blue": "x1", "scl": "x2"}.get(key, key): {"href": value["href"], "type": value["type"]}
            for key, value in item["assets"].items()
        }
    unopened = open_source(write('api = "http://127.0.0.1:9"\n[sensors.naip]\ncollection = "n"\n'))
    assert unopened.skipped == {}
    with serve_api(items) as url:
        text = f'api = "{url}"\n[sensors.{S2}]\ncollection = "ours"\nbands.B02 = "x1"\nmask = "x2"\nscale = 1e-4\noffset = 0\n'
        source = open_source(write(text), max_scene_cloud=99)
        scenes = source.search(S2, WORLD, *AGES)
    assert len(scenes) == sum(item["properties"]["eo:cloud_cover"] <= 99 for item in items)
    assert {tuple(scene.bands) for scene in scenes} == {("B02", "scl")}
    with source.open(scenes[0].bands["B02"]) as raster:
        assert raster.grid.epsg == 32631


def test_the_name_of_a_source_tells_its_contents_and_opens_it_again(write, tmp_path):
    text = static(tmp_path, our_item()) + STACK
    source = open_source(write(text))
    assert source.name == f"mine.toml#{source.mapping.digest}"
    assert open_source(source.name).name == source.name
    write("# a comment\n" + text)
    assert open_source(source.name).name == source.name
    write(text + RADIOMETRY)
    with pytest.raises(
        CurateError, match=r"mine\.toml was changed since the catalog was begun: its contents are \w{12}, and were"
    ):
        open_source(source.name)


def test_the_name_of_a_source_tells_nothing_of_whose_home_it_is_in(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(static(tmp_path, our_item()) + STACK)
    source = open_source(str(tmp_path / "mine.toml"))
    assert source.name == f"~/mine.toml#{source.mapping.digest}"
    assert open_source(source.name).name == source.name


def test_a_folder_is_opened_through_its_mapping(write, tmp_path):
    with rasterio.open(
        tmp_path / "a_20200113.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint16", crs="EPSG:32631",
        transform=rasterio.Affine(10, 0, 500000, 0, -10, 5e6),
    ) as raster:  # fmt: skip
        raster.write(np.ones((1, 4, 4), "uint16"))
    source = open_source(
        write(f'folder = "."\n[sensors.{S2}]\nfiles = "a_{{date}}.tif"\nbands = ["B02"]\nscale = 1e-4\noffset = -0.1\n')
    )
    (scene,) = source.search(S2, WORLD, *AGES)
    assert scene.start_datetime == datetime(2020, 1, 13, tzinfo=UTC)
    assert (scene.source, scene.radiometry) == ("mine", "collection")
    assert Path(scene.bands["B02"].href) == tmp_path / "a_20200113.tif"
    assert source.skipped == {}


def test_a_mapping_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CurateError, match=r"no\.toml does not exist\. Expected a mapping file of an archive"):
        open_source(str(tmp_path / "no.toml"))

"""Static catalogs of other people and of our own: read once, whatever their shape, from a path and over HTTP."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio

from catalogs.errors import NotACatalogError
from catalogs.testing import make_catalog
from curate.errors import SourceSensorError, SourceUnavailableError
from curate.sources.static_catalog import StaticCatalogSource, crawl
from tests.catalogs.foreign_items import asset, small_item
from tests.curate.sources.archive import AGES, SENSORS, WORLD
from tests.servers import Recording, replay, serve_files

S2 = "sentinel-2-l2a"


def write(folder, name, document) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def links(*pairs):
    return [{"rel": rel, "href": href} for rel, href in pairs]


def catalog(*pairs, **fields):
    return {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "description": "", "links": links(*pairs), **fields}


def item(name="a", **fields):
    return small_item() | {"id": name, "assets": {"B04": asset("./B04.tif")}} | fields


def found(source, sensor=S2):
    return source.search(sensor, WORLD, *AGES)


def test_the_archive_has_its_scenes_with_their_bands_and_files(shared_data):
    archive = shared_data / "archive"
    source = StaticCatalogSource(str(archive))
    assert list(source.sensors()) == list(SENSORS)
    assert source.skipped == {}
    assert source.name == str(archive)
    for sensor, count in SENSORS.items():
        scenes = found(source, sensor)
        assert len(scenes) == count
        assert [scene.id for scene in scenes] == [
            scene.id for scene in sorted(scenes, key=lambda scene: (scene.datetime, scene.id))
        ]
        for scene in scenes:
            assert scene.radiometry == "metadata"
            for band in scene.bands.values():
                assert Path(band.href).is_file()
                assert band.offset in {0, None}
    bands = {scene.id: list(scene.bands) for scene in found(source)}
    tyrol = bands.pop("S2_T32TPS_20220612_L2A")
    assert tyrol == ["B02", "B03", "B04", "B08", "scl"]
    assert set(map(tuple, bands.values())) == {("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "scl")}
    for scene in found(source):
        for name, band in scene.bands.items():
            assert Path(band.href).name == f"{name.upper()}.tif"


def test_the_same_scenes_as_pystac_finds(shared_data):
    archive = shared_data / "archive"
    ours = {scene.href for sensor in SENSORS for scene in found(StaticCatalogSource(str(archive)), sensor)}
    theirs = {item.self_href for item in pystac.Catalog.from_file(str(archive / "catalog.json")).get_items(recursive=True)}
    assert ours == theirs


def test_a_search_narrows_by_box_and_time(shared_data):
    source = StaticCatalogSource(str(shared_data / "archive"))
    flanders, span = (3.02, 50.81, 3.03, 50.82), (datetime(2017, 9, 1, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC))
    scenes = source.search(S2, flanders, *span)
    expected = [scene for scene in found(source) if "31UDS" in scene.id and span[0] <= scene.datetime < span[1]]
    assert scenes == expected
    assert 50 < len(scenes) < 118
    assert [scene.id for scene in source.search(S2, (11.3, 46.5, 11.31, 46.51), *AGES)] == ["S2_T32TPS_20220612_L2A"]


def test_a_limit_on_scene_cloud_is_kept(shared_data):
    archive = str(shared_data / "archive")
    clear = found(StaticCatalogSource(archive, max_scene_cloud=20))
    assert clear == [scene for scene in found(StaticCatalogSource(archive)) if scene.cloud_percent <= 20]
    assert 0 < len(clear) < 119


def test_a_collection_alone_is_a_source_too(shared_data):
    assert len(found(StaticCatalogSource(str(shared_data / "archive/landsat-c2-l2/collection.json")), "landsat-c2-l2")) == 26
    assert StaticCatalogSource(str(shared_data / "archive/landsat-c2-l2")).sensors() == ["landsat-c2-l2"]


def test_a_web_server_gives_the_same_scenes_and_pixels(shared_data):
    archive = shared_data / "archive"
    local = StaticCatalogSource(str(archive))
    with serve_files(archive) as url:
        for address in (f"{url}/catalog.json", url, f"{url}/"):
            remote = StaticCatalogSource(address)
            assert remote.name == address
            for sensor in SENSORS:
                assert [scene.id for scene in found(remote, sensor)] == [scene.id for scene in found(local, sensor)]
        for there, here in list(zip(found(remote), found(local), strict=True))[::20]:
            assert there.href == f"{url}/{Path(here.href).relative_to(archive).as_posix()}"
            for name, band in there.bands.items():
                with remote.open(band) as raster, local.open(here.bands[name]) as file:
                    whole = (0, 0, file.grid.width, file.grid.height)
                    assert raster.grid == file.grid
                    assert np.array_equal(raster.read(whole), file.read(whole))


def test_items_are_found_at_any_depth_once_and_loops_end(tmp_path):
    root = catalog(
        ("child", "./deep/catalog.json"), ("child", "./collection.json"), ("item", "./a.json"), ("child", "./catalog.json")
    )
    write(tmp_path, "catalog.json", root)
    write(
        tmp_path,
        "deep/catalog.json",
        catalog(("child", "../catalog.json"), ("child", "deeper/catalog.json"), ("root", "../x.json")),
    )
    write(tmp_path, "deep/deeper/catalog.json", catalog(("item", "b.json"), ("item", "../../a.json"), ("item", "./b.json")))
    write(
        tmp_path,
        "collection.json",
        catalog(("item", "c/c.json"), ("parent", "nowhere.json")) | {"type": "Collection", "id": S2},
    )
    for name, path in (("a", "a.json"), ("b", "deep/deeper/b.json"), ("c", "c/c.json")):
        write(tmp_path, path, item(name))
    source = StaticCatalogSource(str(tmp_path))
    assert [scene.id for scene in found(source)] == ["a", "b", "c"]
    assert source.skipped == {}
    assert found(source)[1].bands["B04"].href == (tmp_path / "deep/deeper/B04.tif").as_posix()


def test_items_that_do_not_name_their_collection_are_of_the_one_that_links_them(tmp_path):
    write(
        tmp_path, "collection.json", catalog(("item", "a.json"), ("child", "b/catalog.json")) | {"type": "Collection", "id": S2}
    )
    write(tmp_path, "b/catalog.json", catalog(("item", "b.json")))
    nameless = {key: value for key, value in item().items() if key != "collection"}
    write(tmp_path, "a.json", nameless)
    write(tmp_path, "b/b.json", nameless | {"id": "b"})
    assert [scene.id for scene in found(StaticCatalogSource(str(tmp_path)))] == ["a", "b"]


def test_a_file_of_items_is_a_source_and_a_page_of_a_search_is_not(tmp_path, shared_data):
    recorded = shared_data / "stac_recorded/odc_stac/site2-2020_jun_jul-35MNM.geojson"
    assert len(found(StaticCatalogSource(str(recorded)))) == 13
    page = {"type": "FeatureCollection", "features": [item()], "links": links(("next", "https://host/search?page=2"))}
    with pytest.raises(
        NotACatalogError, match=r"page\.json is one page of a search, and others follow.* the root of the API instead"
    ):
        StaticCatalogSource(str(write(tmp_path, "page.json", page)))


def test_one_item_is_a_source(tmp_path):
    assert [scene.id for scene in found(StaticCatalogSource(str(write(tmp_path, "a.json", item()))))] == ["a"]


def test_what_is_of_no_use_is_counted_with_its_reason(tmp_path):
    old = item("old", collection="landsat-c2-l2")
    old["properties"]["platform"] = "landsat-7"
    for name, document in (("a", item()), ("old", old), ("empty", item("empty", assets={})), ("other", {"hello": 1})):
        write(tmp_path, f"{name}.json", document)
    pairs = [("item", f"{name}.json") for name in ("a", "old", "empty", "other", "gone")]
    write(tmp_path, "catalog.json", catalog(*pairs))
    source = StaticCatalogSource(str(tmp_path))
    assert [scene.id for scene in found(source)] == ["a"]
    assert source.skipped["old"] == "collection landsat-c2-l2, landsat-7: no sensor of ours"
    assert "none of its assets" in source.skipped["empty"]
    assert "JSON without stac_version" in source.skipped[(tmp_path / "other.json").as_posix()]
    assert "does not exist" in source.skipped[(tmp_path / "gone.json").as_posix()]
    assert len(source.skipped) == 4


def test_a_sensor_that_the_catalog_lacks_is_told_with_those_it_has(shared_data, tmp_path):
    source = StaticCatalogSource(str(shared_data / "archive"))
    with pytest.raises(
        SourceSensorError, match=r"has no naip\. It has sentinel-2-l2a \(119 scenes\), landsat-c2-l2 \(26 scenes\)\. Choose"
    ):
        found(source, "naip")
    write(tmp_path, "catalog.json", catalog(("item", "a.json")))
    write(tmp_path, "a.json", item(collection="dem"))
    with pytest.raises(
        SourceSensorError, match=r"has no naip\. It has no scene of a sensor that we know; 1 others were skipped"
    ):
        found(StaticCatalogSource(str(tmp_path)), "naip")


def test_a_server_that_fails_below_the_root_is_unavailable_and_not_skipped(quick):
    recordings = [
        Recording("GET", "/catalog.json", catalog(("item", "a.json"))),
        Recording("GET", "/a.json", {}, status=503),
    ]
    with replay(recordings) as server, pytest.raises(SourceUnavailableError, match=r"a\.json has a fault \(HTTP 503"):
        StaticCatalogSource(f"{server.url}/catalog.json")


def test_a_document_that_a_server_lacks_is_counted():
    recordings = [
        Recording("GET", "/catalog.json", catalog(("item", "a.json?token=hidden"), ("item", "gone.json?token=hidden"))),
        Recording("GET", "/a.json", item()),
    ]
    with replay(recordings) as server:
        source = StaticCatalogSource(f"{server.url}/catalog.json?token=hidden")
        assert source.name == f"{server.url}/catalog.json"
        assert list(source.skipped) == [f"{server.url}/gone.json"]
        assert "gives HTTP 404" in source.skipped[f"{server.url}/gone.json"]
        assert found(source)[0].href == f"{server.url}/a.json"
        assert "hidden" not in str(source.skipped)


def test_a_catalog_of_ours_is_a_source_by_its_index_alone_by_its_items_and_over_http(tmp_path):
    make_catalog(tmp_path / "ours")
    folder = tmp_path / "ours" / S2
    by_index = found(StaticCatalogSource(str(tmp_path / "ours")))
    assert by_index
    for scene in by_index:
        document = json.loads(Path(scene.href).read_text())
        assert document["id"] == scene.id
        assert {Path(band.href) for band in scene.bands.values()} == {
            (Path(scene.href).parent / asset["href"]).resolve() for asset in document["assets"].values()
        }
        for band in scene.bands.values():
            with rasterio.open(band.href) as file:
                assert file.count >= band.index
    with serve_files(tmp_path / "ours") as url:
        remote = found(StaticCatalogSource(url))
        assert [scene.href for scene in remote] == [
            f"{url}/{Path(scene.href).relative_to(tmp_path / 'ours').as_posix()}" for scene in by_index
        ]
    without_items = tmp_path / "without_items"
    shutil.copytree(tmp_path / "ours", without_items, ignore=shutil.ignore_patterns("*_2*.json"))
    assert [scene.id for scene in found(StaticCatalogSource(str(without_items)))] == [scene.id for scene in by_index]
    (folder / "items.parquet").unlink()
    assert found(StaticCatalogSource(str(tmp_path / "ours"))) == by_index


def test_a_path_is_taken_from_the_current_folder_and_the_home_folder(tmp_path, monkeypatch):
    write(tmp_path, "here/catalog.json", catalog(("item", "a.json")))
    write(tmp_path, "here/a.json", item())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("here", "./here/catalog.json", "~/here"):
        source = StaticCatalogSource(text)
        assert source.name == text
        assert os.path.realpath(found(source)[0].bands["B04"].href) == os.path.realpath(tmp_path / "here/B04.tif")


def test_crawling_yields_every_item_with_its_address(tmp_path):
    write(tmp_path, "catalog.json", catalog(("item", "a.json")))
    path = write(tmp_path, "a.json", item())
    assert [(found["id"], address) for found, address in crawl(str(tmp_path), {})] == [("a", path.as_posix())]

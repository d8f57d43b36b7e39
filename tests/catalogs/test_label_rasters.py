"""Labels of pixels are read by the number of an item, and stay out of everything that reads measurements."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.bands import find_sensor
from catalogs.errors import ContractError, MissingAssetError, MissingBandError
from catalogs.label_rasters import open_label_rasters
from catalogs.layout import LOCATIONS
from catalogs.locations import write_locations
from catalogs.masks import unknown_labels
from catalogs.pixels import write_raster
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.writer import CatalogWriter, label_patch
from tests.catalogs.damage import SENSOR, asset_path
from tests.end_to_end.commands import curate
from tests.servers import serve_files

CLASSES = {"labels": ("water", "dry land", "étang"), "change": ("unchanged", "changed")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "cat"
    return make_catalog(path, locations=make_locations(3), label_rasters=CLASSES)


@pytest.fixture(params=["index", "walked"])
def catalog(request, folder, tmp_path_factory):
    if request.param == "index":
        return open_catalog(folder)
    path = tmp_path_factory.mktemp("walked") / "cat"
    make_catalog(path, locations=make_locations(3), label_rasters=CLASSES)
    (path / SENSOR / "items.parquet").unlink()
    return open_catalog(path)


def read_file(catalog, scene, key):
    raster = next(raster for raster in scene.rasters if raster.key == key)
    with rasterio.open(f"{catalog.href}/{SENSOR}/{raster.href}") as file:
        return file.read(1)


@pytest.mark.parametrize("key", CLASSES)
def test_labels_are_those_of_the_files(catalog, key):
    items = catalog.items()
    labels = pickle.loads(pickle.dumps(open_label_rasters(catalog, items, key)))
    assert (labels.key, labels.classes, labels.height, labels.width, labels.gsd) == (key, CLASSES[key], 60, 60, 10)
    assert labels.rows.tolist() == {"labels": [0, 1, 2, 3, 4, 5], "change": [1, 3, 5]}[key]
    for item in labels.rows:
        found = labels.read(int(item))
        assert found.dtype == np.uint8
        assert (found == read_file(catalog, items[int(item)], key)).all()
        assert set(np.unique(found)) == {*range(len(CLASSES[key])), 255}


def test_labels_of_a_remote_catalog_are_the_same_and_kept(folder, tmp_path):
    near = open_catalog(folder)
    expected = open_label_rasters(near, near.items(), "change")
    with serve_files(folder.parent) as address:
        far = open_catalog(f"{address}/{folder.name}")
        for cache in (None, tmp_path / "cache"):
            found = open_label_rasters(far, far.items(), "change", cache=cache)
            assert all((found.read(int(item)) == expected.read(int(item))).all() for item in found.rows)
    kept = open_label_rasters(near, near.items(), "change")
    assert len([path for path in (tmp_path / "cache").glob("??/*") if len(path.name) == 64]) == len(kept.rows)


def test_numbers_are_those_of_the_items_that_were_given(folder):
    catalog = open_catalog(folder)
    later = catalog.items(season=1)
    change = open_label_rasters(catalog, later[1:], "change")
    assert change.rows.tolist() == [0, 1]
    assert (change.read(0) == read_file(catalog, later[1], "change")).all()


def test_an_item_without_is_told(folder):
    catalog = open_catalog(folder)
    change = open_label_rasters(catalog, catalog.items(), "change")
    with pytest.raises(MissingAssetError, match=r"Item test-000000_20230115T105031 has no label raster change\. Read items of"):
        change.read(0)
    with pytest.raises(IndexError):
        change.read(6)


def test_what_is_not_there_is_told(folder, tmp_path):
    catalog = open_catalog(folder)
    with pytest.raises(ContractError, match=r"Label rasters 'mask' were asked for; expected labels or change"):
        open_label_rasters(catalog, catalog.items(), "mask")
    with pytest.raises(
        MissingAssetError, match=r"None of 3 items of sentinel-2-l2a in .* has a label raster 'change'; they have 'labels'"
    ):
        open_label_rasters(catalog, catalog.items(season=0), "change")
    bare = open_catalog(make_catalog(tmp_path / "bare", locations=make_locations(1)))
    with pytest.raises(
        MissingAssetError, match=r"has a label raster 'labels'\. Labels of pixels come with data sets that have"
    ):
        open_label_rasters(bare, bare.items(), "labels")


def write_two(folder, patches):
    """A catalog of two items, each with a label raster of its own kind."""
    locations = make_locations(2)
    folder.mkdir()
    write_locations(folder / LOCATIONS, locations)
    writer = CatalogWriter(folder, locations, {SENSOR: find_sensor(SENSOR).bands}, description="", label_rasters=CLASSES)
    for location, (gsd, classes) in zip(locations, patches, strict=True):
        scene, others = make_scene(find_sensor(SENSOR), location, 0, seed=1)
        grid = location.grid(gsd)
        labels = label_patch("labels", np.zeros(grid.shape, np.uint8), classes, grid)
        writer.finish(location, [writer.write_scene(scene, [*others, labels])], [])
    writer.close()
    return open_catalog(folder)


@pytest.mark.parametrize(
    ("patches", "words"),
    [
        ([(10, ("a", "b")), (10, ("a", "c"))], "differ: 1 with classes a, b; 1 with classes a, c"),
        ([(10, ("a", "b")), (20, ("a", "b"))], "differ: 1 with 60 x 60 px of 10 m; 1 with 30 x 30 px of 20 m"),
    ],
    ids=["classes", "sizes"],
)
def test_label_rasters_of_several_kinds_are_refused(tmp_path, patches, words):
    catalog = write_two(tmp_path / "cat", patches)
    with pytest.raises(ContractError, match=words):
        open_label_rasters(catalog, catalog.items(), "labels")
    assert open_label_rasters(catalog, catalog.items()[:1], "labels").classes == ("a", "b")


def test_a_value_that_no_class_has_is_refused_where_it_is_read(tmp_path):
    path = make_catalog(tmp_path / "cat", locations=make_locations(1), label_rasters=CLASSES)
    catalog = open_catalog(path)
    raster = next(raster for raster in catalog.items()[0].rasters if raster.key == "labels")
    write_raster(asset_path(path, "labels"), np.full((1, 60, 60), 3, np.uint8), raster.grid, raster.bands)
    labels = open_label_rasters(catalog, catalog.items(), "labels")
    with pytest.raises(ContractError, match=r"60 x 60 px of uint8 with value 3; expected 60 x 60 px of uint8 below 3, or 255"):
        labels.read(0)
    coarse = catalog.items()[0].location.grid(20)
    write_raster(asset_path(path, "labels"), np.zeros((1, 30, 30), np.uint8), coarse, raster.bands)
    with pytest.raises(ContractError, match=r"is 30 x 30 px of uint8; expected 60 x 60 px"):
        labels.read(0)


def test_labels_are_no_measurements(folder, tmp_path):
    catalog = open_catalog(folder)
    items = catalog.items()
    scene = items[1]
    assert {"labels", "change"}.isdisjoint(scene.bands)
    stack = open_stack(catalog, items)
    assert stack.bands == tuple(band.name for band in find_sensor(SENSOR).bands)
    assert {band for layer in stack.layers for band in layer.bands} == set(stack.bands)
    assert catalog.read_mask(scene).shape == (30, 30)
    assert (catalog.read(scene, ["labels"])[0] == read_file(catalog, scene, "labels")).all()
    for bands in (["labels"], ["B04", "change"]):
        with pytest.raises(MissingBandError, match=r"Unknown band '(labels|change)'"):
            open_stack(catalog, items, bands)


def test_a_pack_holds_no_labels_and_they_are_read_all_the_same(tmp_path):
    path = make_catalog(tmp_path / "cat", locations=make_locations(2), label_rasters=CLASSES)
    assert curate("pack", path, "--quiet") == 0
    catalog = open_catalog(path)
    stack = open_stack(catalog, catalog.items(), pack=True)
    assert {"labels", "change"}.isdisjoint(stack.bands)
    assert not list((path / "packs").rglob("labels*"))
    assert open_label_rasters(catalog, catalog.items(), "labels").read(2).shape == (60, 60)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_unknown_labels_are_those_of_no_class(dtype):
    labels = np.array([[0, 1, 2], [7, 255, 7]], dtype)
    assert unknown_labels(labels, ("a", "b", "c")) == [7]
    assert unknown_labels(labels, ("a",)) == [1, 2, 7]
    assert unknown_labels(labels[:1], ("a", "b", "c")) == []


def test_made_up_labels_can_be_learnt_from_the_pixels(folder):
    catalog = open_catalog(folder)
    items = catalog.items()
    labels = open_label_rasters(catalog, items, "labels")
    band = catalog.read(items[0], ["B02"])[0].astype(float)
    found = labels.read(0)
    means = [band[found == number].mean() for number in range(3)]
    assert means == sorted(means)
    assert replace(items[0], labels=()) == items[0]

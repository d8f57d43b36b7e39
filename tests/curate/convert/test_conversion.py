"""A conversion: what it writes, that it resumes to the same bytes, and that what is damaged is recorded and tried again."""

import os
import shutil
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from catalogs import layout, open_catalog
from catalogs.console import progress
from catalogs.errors import ContractError
from catalogs.failures import read_failures
from catalogs.index import read_items
from catalogs.recipe import read_recipe, write_section
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from curate.build_request import BuildRequest
from curate.convert import conversion
from curate.convert.conversion import Conversion
from curate.convert.eurosat import open_eurosat
from curate.errors import CurateError, RecipeError, StorageError
from curate.pipeline import Build
from curate.sources import open_source
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode_jpeg, make_folder
from tests.end_to_end.commands import curate
from tests.trees import tree

QUIET = partial(progress, quiet=True)
SENSOR = "eurosat-rgb"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("eurosat"))


def convert(source, out, *, workers=1, watch=QUIET, limit=None, seed=0, items="parquet"):
    prepared = Conversion.prepare(out, open_eurosat(source, limit=limit, seed=seed), items=items)
    return prepared.run(workers=workers, watch=watch)


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "cat"
    assert convert(source, out).items_written == 13
    return out


def test_the_catalog_holds_every_image_with_its_label_split_and_pixels(source, converted):
    dataset = open_eurosat(source)
    catalog = open_catalog(converted)
    items = catalog.items(sensor=SENSOR)
    assert [scene.location for scene in items] == [image.location for image in dataset.images]
    assert items.table["labels"].to_pylist() == [list(image.labels) for image in dataset.images]
    for scene, image in zip(items, dataset.images, strict=True):
        assert (catalog.read(scene) == dataset.decode(image)[0].pixels).all()
        assert (scene.source_id, scene.valid_percent, scene.simulated) == (image.name, 100.0, False)
        assert (scene.start_datetime, scene.end_datetime, scene.season) == (dataset.start, dataset.end, 0)
    shares = catalog.read(items[0], reflectance=True)
    assert np.allclose(shares * 255, catalog.read(items[0]))


def test_the_catalog_is_valid_and_says_where_it_is_from(converted):
    report = check_catalog(converted, deep=True)
    assert report.is_valid, messages(report)
    assert (report.unfinished, report.checked["assets read"]) == ((), 13)
    recipe = read_recipe(converted)
    assert {key: recipe["convert"][key] for key in ("kind", "limit", "seed", "splits", "sensors", "seasons", "items")} == {
        "kind": "eurosat", "limit": None, "seed": 0, "splits": [0.8, 0.0, 0.2], "sensors": [SENSOR], "seasons": 1,
        "items": "parquet",
    }  # fmt: skip
    collection = open_catalog(converted).collection(SENSOR)
    assert collection["license"] == "MIT"
    assert "Helber" in collection["sci:citation"]
    assert "Contains modified Copernicus Sentinel data 2015-2017." in collection["description"]
    assert not list(converted.rglob("eurosat-*.json"))


def test_clipped_pictures_are_no_fault_of_display_values(source, tmp_path):
    bright = shutil.copytree(source, tmp_path / "bright")
    picture = np.full((3, 64, 64), 255, "uint8")
    picture[:, :8] = 10
    (bright / "2750" / "Forest" / "Forest_1.jpg").write_bytes(encode_jpeg(picture))
    convert(bright, tmp_path / "cat")
    assert check_catalog(tmp_path / "cat").is_valid


def test_items_can_be_files_too(source, tmp_path):
    convert(source, tmp_path / "cat", items="json")
    assert len(list((tmp_path / "cat").rglob("eurosat-*.json"))) == 13
    report = check_catalog(tmp_path / "cat")
    assert report.is_valid, messages(report)


def test_processes_write_the_same_bytes(source, converted, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "CHUNK", 2)
    monkeypatch.setattr(conversion, "WORTH", 1)
    convert(source, tmp_path / "cat", workers=3)
    assert tree(tmp_path / "cat") == tree(converted)


def test_running_again_changes_nothing(source, converted):
    before = tree(converted)
    summary = convert(source, converted)
    assert (summary.images, summary.complete, summary.items_written, summary.stopped) == (13, 13, 0, False)
    assert tree(converted) == before


class Interrupted:
    """Presses Ctrl-C after so many images."""

    def __init__(self, after):
        self.after, self.already, self.seen = after, None, 0

    @contextmanager
    def watch(self, _total, _description, *, already=0):
        self.already = already
        yield self

    def advance(self, ok=1, *, failed=0):
        self.seen += ok + failed
        if self.seen >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("every", [1, 5_000])
def test_an_interrupted_conversion_is_valid_and_ends_the_same(source, converted, tmp_path, monkeypatch, every):
    monkeypatch.setattr(conversion, "CHUNK", 2)
    monkeypatch.setattr(conversion, "CHECKPOINT_EVERY", every)
    out = tmp_path / "cat"
    summary = convert(source, out, watch=Interrupted(4).watch)
    assert (summary.stopped, summary.items_written, summary.complete) == (True, 4, 4)
    report = check_catalog(out)
    assert report.is_valid, messages(report)
    assert report.unfinished[0] == "9 of 13 locations are not built yet."
    assert report.unfinished[-1].startswith("Run the same `curate convert` again to finish it")
    again = Interrupted(99)
    assert convert(source, out, watch=again.watch).items_written == again.seen == 9
    assert again.already == 4
    assert tree(out) == tree(converted)


def test_what_is_damaged_is_recorded_and_the_rest_converted(source, tmp_path):
    damaged = shutil.copytree(source, tmp_path / "data")
    path = damaged / "2750" / "Forest" / "Forest_3.jpg"
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    out = tmp_path / "cat"
    summary = convert(damaged, out)
    (failure,) = summary.failures
    assert (failure.location, failure.reason, failure.sensor, failure.season) == ("eurosat-000009", "unreadable", SENSOR, 0)
    assert failure.message.startswith(
        "2750/Forest/Forest_3.jpg cannot be read: it is no JPEG, or a damaged one. Get the data set"
    )
    assert summary.items_written == 12
    assert read_failures(out) == [failure]
    report = check_catalog(out)
    assert report.is_valid, messages(report)
    before = tree(out)
    assert convert(damaged, out).items_written == 0
    assert tree(out) == before
    path.write_bytes(whole)
    summary = convert(damaged, out)
    assert (summary.items_written, summary.failures) == (1, [])
    assert check_catalog(out).is_valid
    assert [item["properties"]["seastars:location"] for item in read_items(out / SENSOR / layout.INDEX)][9] == "eurosat-000009"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limit": 5}, r"made from another recipe \(convert\): limit was null, now 5"),
        ({"seed": 1}, "seed was 0, now 1"),
        ({"items": "json"}, 'items was "parquet", now "json"'),
    ],
)
def test_another_recipe_is_refused_before_anything_is_written(source, converted, changes, words):
    before = tree(converted)
    with pytest.raises(ContractError, match=words):
        convert(source, converted, **changes)
    assert tree(converted) == before


def test_a_dry_run_writes_nothing_and_checks_the_folder(source, converted, tmp_path):
    Conversion.prepare(tmp_path / "cat", open_eurosat(source), dry_run=True)
    assert not (tmp_path / "cat").exists()
    with pytest.raises(ContractError, match="limit was null, now 3"):
        Conversion.prepare(converted, open_eurosat(source, limit=3), dry_run=True)


def test_folders_of_other_things_are_refused(source, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ContractError, match=r"is not a catalog of seastars: it holds 'notes\.txt'"):
        convert(source, tmp_path)
    sampled = make_catalog(tmp_path / "sampled", locations=make_locations(1), seasons=1)
    with pytest.raises(ContractError, match=r"sampled is a catalog that was sampled, and stays one\. Choose another"):
        convert(source, sampled)


def test_a_converted_catalog_is_neither_sampled_nor_built(converted):
    with pytest.raises(ContractError, match="was converted from a released data set, and stays one"):
        write_section(converted, "sample", {"region": "france"})
    with pytest.raises(RecipeError, match=r"was converted from a released data set: .*curate sample --region REGION"):
        Build.prepare(converted, BuildRequest(source="simulated"), open_source)


def test_a_full_disk_says_what_to_do(source, tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_patch", fail)
    with pytest.raises(
        StorageError, match=r"is full \(No space left on device\)\. What is written is whole: make room and run"
    ):
        convert(source, tmp_path / "cat")
    monkeypatch.undo()
    assert check_catalog(tmp_path / "cat").is_valid
    assert convert(source, tmp_path / "cat").items_written == 13


def test_a_killed_worker_says_what_to_do(source, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "CHUNK", 1)
    monkeypatch.setattr(conversion, "WORTH", 1)
    monkeypatch.setattr(conversion, "convert_images", end_process)
    with pytest.raises(
        CurateError, match=r"A worker that wrote .*cat was killed.*run the same command again, with fewer --work"
    ):
        convert(source, tmp_path / "cat", workers=2)
    assert check_catalog(tmp_path / "cat").is_valid


def end_process(*_args, **_options):
    """Work that ends its process, as a lack of memory does."""
    os._exit(9)


def test_what_to_convert_is_told_by_place_alone(capsys):
    assert curate("convert") == 2
    assert capsys.readouterr().err.strip() == "KIND is missing, and `convert` needs it; `convert --help` has an example."

"""One catalog, one recipe: a build without items binds nobody, one with items is refused with the way out."""

import json
import shutil
from datetime import date

import pytest

from catalogs import layout
from catalogs.console import progress
from catalogs.failures import read_failures
from catalogs.journal import Entry, Failure, Journal
from catalogs.locations import write_locations
from catalogs.publication import RECORD
from catalogs.recipe import read_recipe, write_section
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from curate.build_request import BuildRequest
from curate.earlier_build import EarlierBuild
from curate.errors import CurateError, RecipeError, SourceUnavailableError
from curate.locking import only_writer
from curate.pipeline import Build
from curate.sources import open_source
from tests.trees import tree

S2, L8 = "sentinel-2-l2a", "landsat-c2-l2"
SAMPLE = {"region": "country:FR", "name": "france", "strategy": "cities", "count": 3, "seed": 7}


def quiet(total, description):
    return progress(total, description, quiet=True)


@pytest.fixture
def folder(tmp_path):
    return make_sampled(tmp_path / "cat")


def make_sampled(out):
    out.mkdir()
    write_section(out, "sample", SAMPLE)
    write_locations(out / layout.LOCATIONS, make_locations())
    return out


@pytest.fixture
def archive(tmp_path):
    return make_catalog(tmp_path / "archive", seasons=2)


def request(source, **changes):
    values = {"source": str(source), "seasons": "2", "start": date(2023, 1, 1), "end": date(2023, 7, 1)}
    return BuildRequest(**{**values, **changes})


def prepare(folder, asked, **options):
    return Build.prepare(folder, asked, open_source, **options)


def build(folder, asked, **options):
    return prepare(folder, asked).run(workers=2, watch=quiet, **options)


def fail_to_search(folder, asked, monkeypatch, **options):
    """A build whose source goes away before it has answered."""

    def search(*_, **__):
        raise SourceUnavailableError("it does not answer.")

    prepared = prepare(folder, asked, **options)
    with monkeypatch.context() as patched:
        patched.setattr(prepared.source, "search", search)
        with pytest.raises(SourceUnavailableError, match="does not answer"):
            prepared.run(workers=2, watch=quiet)


def test_a_build_that_wrote_nothing_binds_nobody_to_its_source(folder, archive, tmp_path, monkeypatch):
    other = make_catalog(tmp_path / "other", seasons=2, sensors=[L8])
    fail_to_search(folder, request(other, sensors=[L8], max_cloud=3.0), monkeypatch)
    assert (folder / L8 / layout.COLLECTION).exists()
    prepared = prepare(folder, request(archive, sensors=[S2], max_cloud=10.0))
    assert prepared.changes.startswith(f'source was "{other}", now "{archive}"; sensors was ["{L8}"], now ["{S2}"]; max_cloud')
    assert prepared.run(workers=2, watch=quiet).items_written == 6
    fresh = make_sampled(tmp_path / "fresh")
    build(fresh, request(archive))
    shutil.rmtree(folder / layout.WORK, ignore_errors=True)
    shutil.rmtree(fresh / layout.WORK, ignore_errors=True)
    assert tree(folder / S2) == tree(fresh / S2)
    assert read_recipe(folder) == read_recipe(fresh)
    assert {path.name for path in folder.iterdir()} == {path.name for path in fresh.iterdir()}
    assert not check_catalog(str(folder)).problems


def test_what_is_left_out_is_taken_from_the_build_that_wrote_nothing(folder, archive, monkeypatch):
    fail_to_search(folder, request(archive, bands=["B04"], max_cloud=20.0), monkeypatch)
    prepared = prepare(folder, BuildRequest(seasons="1"))
    assert prepared.changes == "seasons was 2, now 1"
    section = read_recipe(folder)["build"]
    assert (section["max_cloud"], section["end"], section["bands"]) == (20.0, "2023-07-01", ["B04"])
    assert not prepare(folder, BuildRequest()).changes


def test_bands_of_other_sensors_are_forgotten_with_them(folder, archive, tmp_path, monkeypatch):
    fail_to_search(folder, request(archive, bands=["B8A"]), monkeypatch)
    other = make_catalog(tmp_path / "other", seasons=2, sensors=[L8])
    prepare(folder, request(other, sensors=[L8]))
    assert read_recipe(folder)["build"]["bands"] == []


def test_failures_alone_bind_nobody(folder, archive):
    summary = build(folder, request(archive, start=date(2019, 1, 1), end=date(2019, 7, 1)))
    assert (summary.items_written, len(summary.failures)) == (0, 6)
    assert not EarlierBuild.read(folder).has_items
    assert build(folder, request(archive)).items_written == 6
    assert read_failures(folder) == []


def test_a_killed_build_without_a_journal_entry_goes_on_or_begins_anew(folder, archive):
    prepare(folder, request(archive))
    torn = folder / S2 / "31TCJ" / "test-000000"
    torn.mkdir(parents=True)
    (torn / "half.tif").write_bytes(b"II*")
    journal = Journal(folder)
    journal.begin()
    assert not prepare(folder, BuildRequest()).changes
    assert (torn / "half.tif").exists()
    assert build(folder, request(archive, bands=["B04"])).items_written == 6
    assert not (torn / "half.tif").exists()


def test_what_was_begun_elsewhere_is_replaced_there(folder, archive, tmp_path, monkeypatch):
    other, there = make_catalog(tmp_path / "other", seasons=2, sensors=[L8]), tmp_path / "there"
    fail_to_search(folder, request(other, sensors=[L8]), monkeypatch, to=str(there))
    assert (there / L8 / layout.COLLECTION).exists()
    assert build(folder, request(archive, sensors=[S2])).items_written == 6
    assert not [path for path in (there / L8).rglob("*") if path.is_file()]
    assert (there / S2 / layout.COLLECTION).exists()
    assert not check_catalog(str(there)).problems


def test_an_item_in_the_journal_binds(folder, archive):
    prepare(folder, request(archive))
    Journal(folder).append(Entry("test-000000", [{"id": "a", "collection": S2}], []))
    assert EarlierBuild.read(folder).has_items
    with pytest.raises(RecipeError, match="max_cloud"):
        prepare(folder, request(archive, max_cloud=3.0))


def test_a_failure_in_the_journal_does_not_bind(folder, archive):
    prepare(folder, request(archive))
    Journal(folder).append(Entry("test-000000", [], [Failure("test-000000", 0, S2, "not-clear", "words")]))
    assert not EarlierBuild.read(folder).has_items


def test_files_that_may_lie_elsewhere_bind(folder, archive, tmp_path):
    prepare(folder, request(archive))
    Journal(folder).begin()
    (folder / RECORD).write_text(json.dumps({"to": str(tmp_path / "there"), "documents": {}}))
    with pytest.raises(RecipeError, match="max_cloud"):
        prepare(folder, request(archive, max_cloud=3.0))


def test_another_recipe_is_refused_with_the_command_for_another_folder(folder, archive):
    build(folder, request(archive))
    before = tree(folder)
    with pytest.raises(RecipeError) as told:
        prepare(folder, request(archive, max_cloud=50.0))
    words = str(told.value)
    assert f"{folder} was made from another recipe (build): max_cloud was 10.0, now 50.0." in words
    assert "--out)" not in words
    assert words.splitlines()[-1] == f"  curate sample --region france --count 3 --seed 7 --out {folder}-2"
    assert tree(folder) == before


def test_files_of_a_sample_have_to_be_found_by_the_user(folder):
    recipe = {"sample": {**SAMPLE, "exclude": {"file": "a.gpkg", "sha256": ""}}}
    assert "say where its files are" in EarlierBuild(folder, recipe).elsewhere
    assert "--exclude a.gpkg" in EarlierBuild(folder, recipe).elsewhere


def test_nothing_begins_anew_beside_a_build_that_is_at_work(folder, archive):
    prepare(folder, request(archive))
    with only_writer(folder), pytest.raises(CurateError, match="Another build is writing"):
        prepare(folder, request(archive, max_cloud=3.0))
    assert read_recipe(folder)["build"]["max_cloud"] == 10.0


def test_a_build_that_another_one_has_replaced_does_not_run(folder, archive):
    first = prepare(folder, request(archive))
    prepare(folder, request(archive, max_cloud=3.0))
    with pytest.raises(RecipeError, match=r"max_cloud was 3\.0, now 10\.0"):
        first.run(workers=2, watch=quiet)


def test_an_archive_goes_by_another_path_from_another_folder(folder, archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(folder, request("archive"))
    monkeypatch.chdir(folder)
    with pytest.raises(CurateError, match=r"is built from archive, as seen from the folder.*--source PATH"):
        prepare(folder, BuildRequest())
    assert not prepare(folder, BuildRequest(source="../archive")).changes
    assert read_recipe(folder)["build"]["source"] == "../archive"
    assert build(folder, BuildRequest()).locations_done == 0

"""What is left to do, as it stands on the disk: what a writer of the same folder would say."""

from datetime import date

import pytest

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.console import progress
from catalogs.journal import Entry, Failure, Journal
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations
from catalogs.writer import CatalogWriter
from curate.build_request import BuildRequest
from curate.foresight import Finished, foresee, free_bytes
from curate.pipeline import Build
from curate.sources import open_source
from tests.trees import tree

S2 = "sentinel-2-l2a"


def quiet(total, description):
    return progress(total, description, quiet=True)


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "cat"
    out.mkdir()
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations())
    return out


@pytest.fixture
def source(tmp_path):
    return open_source(str(make_catalog(tmp_path / "source", seasons=2)))


def request(**changes):
    return BuildRequest(**{"source": "x", "seasons": "2", "start": date(2023, 1, 1), "end": date(2023, 7, 1), **changes})


def prepare(folder, source, asked=None, *, dry_run=True):
    return Build.prepare(folder, asked or request(), lambda _name, **_: source, dry_run=dry_run)


def plan(folder, source, asked=None, **options):
    return foresee(prepare(folder, source, asked), **{"workers": 2, "retry_failed": False, "watch": quiet, **options})


def test_a_new_catalog_has_nothing_finished(folder):
    assert Finished.read(folder, [S2]) == Finished(frozenset(), [])


def test_what_is_finished_is_what_a_writer_finds(folder, source):
    prepare(folder, source, dry_run=False).run(workers=2, watch=quiet)
    failure = Failure(make_locations()[1].id, 1, S2, "not-clear", "words")
    journal = Journal(folder)
    journal.append(Entry(failure.location, [], [failure]))
    before = tree(folder)
    found = Finished.read(folder, [S2])
    assert tree(folder) == before
    writer = CatalogWriter(folder, make_locations(), {S2: find_sensor(S2).bands}, description="d")
    assert found.done == writer.done == {location.id for location in make_locations()}
    assert found.failures == writer.failures == [failure]


def test_what_is_done_is_not_planned_again(folder, source):
    whole = plan(folder, source)
    assert (whole.locations, whole.seasons) == (3, 6)
    assert whole.bytes > 0
    assert whole.sensors[S2].is_sampled
    prepare(folder, source, dry_run=False).run(workers=2, watch=quiet)
    rest = plan(folder, source)
    assert (rest.locations, rest.seasons, rest.bytes) == (0, 0, 0)


def test_failures_that_may_pass_are_planned_again(folder, source):
    prepare(folder, source, dry_run=False).run(workers=2, watch=quiet)
    kept_back = Failure(make_locations()[0].id, 1, S2, "unreadable", "words", transient=True)
    for_good = Failure(make_locations()[1].id, 0, S2, "not-clear", "words")
    for failure in (kept_back, for_good):
        Journal(folder).append(Entry(failure.location, [], [failure]))
    assert plan(folder, source).seasons == 1
    assert plan(folder, source, retry_failed=True).seasons == 2


def test_a_plan_saves_the_answers_that_the_build_uses_and_nothing_else(folder, source):
    before = tree(folder)
    plan(folder, source)
    after = tree(folder)
    assert {name.rpartition("/")[2] for name in after.keys() - before.keys()} == {"31TCJ_20230101_20230701.parquet"}
    assert {name: after[name] for name in before} == before
    source.search = None
    prepare(folder, source, dry_run=False).run(workers=2, watch=quiet)


def test_another_recipe_than_the_catalogs_is_planned_whole_and_nothing_of_it_saved(folder, source):
    prepare(folder, source, dry_run=False).run(workers=2, watch=quiet)
    before = tree(folder)
    other = request(end=date(2023, 6, 1))
    assert prepare(folder, source, other).is_elsewhere
    assert (plan(folder, source, other).locations, plan(folder, source).locations) == (3, 0)
    assert tree(folder) == before


def test_another_recipe_of_a_folder_without_items_is_planned_there(folder, source):
    prepare(folder, source, dry_run=False)
    other = request(end=date(2023, 6, 1))
    assert not prepare(folder, source, other).is_elsewhere
    plan(folder, source, other)
    assert list((folder / layout.WORK).rglob("*_20230601.parquet"))


def test_there_is_room_on_the_disk(tmp_path):
    assert free_bytes(tmp_path) > 0

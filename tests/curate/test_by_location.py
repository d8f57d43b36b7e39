"""Sources that are asked by location: all masks at once, whole locations together, and the same catalog as ever."""

from datetime import date
from itertools import pairwise

import pytest

from catalogs import layout
from catalogs.console import progress
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations
from curate import pipeline, tasks, unit
from curate.build_request import BuildRequest
from curate.pipeline import Build
from curate.planes import HasPlanes, is_by_location, open_planes
from curate.search import Searches
from curate.sources import open_source
from curate.tasks import GivenFiles, Job, complete_unit, make_units
from tests.curate.asked import AskedPlanes
from tests.trees import tree

S2 = "sentinel-2-l2a"


class ByLocation:
    """A static catalog as a source that is asked by location."""

    simulated, reads_files, looks_at_all = False, False, True

    def __init__(self, address):
        self._inner = open_source(str(address))
        self.name, self.skipped, self.readers = self._inner.name, {}, []

    def sensors(self):
        return self._inner.sensors()

    def search(self, *asked):
        return self._inner.search(*asked)

    def open(self, band):
        return self._inner.open(band)

    def planes(self, *, connections):
        reader = AskedPlanes(self)
        reader.by_location, reader.connections = True, connections
        self.readers.append(reader)
        return reader


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_catalog(tmp_path_factory.mktemp("source"), seasons=4, locations=make_locations(5))


def prepare(folder, source):
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 3})
    write_locations(folder / layout.LOCATIONS, make_locations(5))
    asked = BuildRequest(source=source.name, seasons="2", start=date(2023, 1, 1), end=date(2024, 1, 1), max_cloud=100)
    return Build.prepare(folder, asked, lambda *_, **__: source)


def run(build, **options):
    return build.run(workers=2, watch=lambda total, words: progress(total, words, quiet=True), **options)


def test_a_source_with_planes_of_its_own_is_read_by_them(scenes):
    source = ByLocation(scenes)
    assert isinstance(source, HasPlanes)
    reader = open_planes(source, connections=7)
    assert reader is source.readers[0]
    assert is_by_location(reader)
    assert reader.connections == 7
    assert not is_by_location(open_planes(open_source("simulated"), connections=1))


def test_the_catalog_is_the_same_and_all_masks_of_a_location_are_asked_in_one_go(scenes, tmp_path):
    plain = open_source(str(scenes))
    run(prepare(tmp_path / "plain" / "cat", plain))
    source = ByLocation(scenes)
    run(prepare(tmp_path / "by" / "cat", source))
    assert tree(tmp_path / "by") == tree(tmp_path / "plain")
    (reader,) = source.readers
    masks = [call for call in reader.calls if call.is_of_masks]
    assert len(masks) == 1
    assert len(reader.calls) == 2
    assert len(masks[0].asks) == 5 * 4


def test_portions_hold_whole_locations(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(unit, "OPEN_BYTES", 200_000)
    source = ByLocation(scenes)
    run(prepare(tmp_path / "cat", source))
    calls = [{ask.location.id for ask in call.asks} for call in source.readers[0].calls if not call.is_of_masks]
    assert len(calls) > 1
    assert all(first.isdisjoint(second) for first, second in pairwise(calls))
    assert set.union(*calls) == {location.id for location in make_locations(5)}


def test_units_are_small(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "MOST_BY_LOCATION", 2)
    monkeypatch.setattr(pipeline, "UNITS_AT_ONCE", 1)
    source = ByLocation(scenes)
    run(prepare(tmp_path / "cat", source))
    counts = [len({ask.location.id for ask in call.asks}) for call in source.readers[0].calls if call.is_of_masks]
    assert max(counts) == 2
    assert sum(counts) == 5


def test_a_worker_opens_a_source_without_files_by_its_name_and_gets_its_scenes(scenes, tmp_path, monkeypatch):
    source = ByLocation(scenes)
    build = prepare(tmp_path / "cat", source)
    searches = Searches(source, build.folder, build.locations, build.wanted.plan.span)
    job = Job.of(build.folder, build.locations, connections=3, reads_files=False)
    opened = []
    monkeypatch.setattr(tasks, "open_source", lambda name, **_: opened.append(name) or source)
    places = [[(each, None) for each in build.locations]]
    units = list(make_units(searches, [S2], places, with_items=(), simulated=False))
    monkeypatch.setattr(source, "search", None, raising=False)
    done = [outcome for each in units for outcome in complete_unit(job, each).outcomes]
    tasks._DESKS.clear()
    assert opened == [source.name]
    assert source.readers[-1].connections == 3
    assert sum(len(items) for _, items, _ in done) == 10


def test_a_worker_is_told_what_the_name_of_the_source_leaves_out(scenes, tmp_path, monkeypatch):
    source = ByLocation(scenes)
    build = prepare(tmp_path / "cat", source)
    opened = []
    monkeypatch.setattr(tasks, "open_source", lambda name, **_: opened.append(name) or source)
    job = Job.of(build.folder, build.locations, connections=1, reads_files=False, source="engine:my-project")
    assert "my-project" not in repr(job)
    tasks._Desk(job, has_scenes=True).end()
    assert opened == ["engine:my-project"]


def test_a_worker_reads_files_by_their_addresses_alone(scenes, tmp_path):
    build = prepare(tmp_path / "cat", open_source(str(scenes)))
    desk = tasks._Desk(Job.of(build.folder, build.locations, connections=2), has_scenes=True)
    assert isinstance(desk._source, GivenFiles)
    desk.end()

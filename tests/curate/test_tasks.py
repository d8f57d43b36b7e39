"""What a worker of a cluster does with a unit, in this process: the same as threads, from no more than the task carries."""

import asyncio
import json
import pickle
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from catalogs import layout
from catalogs.console import progress
from catalogs.foreign import BandPart, SourceBand
from catalogs.lattice import footprint
from catalogs.locations import read_locations, write_locations
from catalogs.recipe import write_section
from catalogs.targets import FolderTarget
from catalogs.testing import make_catalog, make_locations
from catalogs.wkb import to_wkb
from curate import tasks
from curate.build_request import BuildRequest
from curate.errors import ClusterError, CurateError
from curate.pipeline import Build
from curate.search import Searches
from curate.sources import open_source
from curate.tasks import GivenScenes, Job, Unit, complete_unit, make_units, stop_units
from tests.trees import tree

S2 = "sentinel-2-l2a"


@pytest.fixture
def prepared(tmp_path):
    """A build that is about to begin, and what its tasks are made of."""
    source = make_catalog(tmp_path / "source", seasons=2)
    out = tmp_path / "cat"
    out.mkdir()
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations())
    request = BuildRequest(source=str(source), seasons="2", start=date(2023, 1, 1), end=date(2023, 7, 1))
    build = Build.prepare(out, request, open_source)
    searches = Searches(build.source, out, build.locations, build.wanted.plan.span)
    yield build, searches, Job.of(out, build.locations, connections=2)
    tasks._DESKS.clear()


def units_of(build, searches, *, with_items=(), simulated=False):
    places = [(location, None) for location in build.locations]
    return list(make_units(searches, [S2], [places[:2], places[2:]], with_items=with_items, simulated=simulated))


def test_units_give_what_a_build_in_threads_writes(prepared, tmp_path):
    build, searches, job = prepared
    outcomes = [outcome for unit in units_of(build, searches) for outcome in complete_unit(job, unit).outcomes]
    written = {name: digest for name, digest in tree(build.folder).items() if name.startswith(f"{S2}/")}
    build.run(workers=2, watch=lambda total, words: progress(total, words, quiet=True))
    built = {name for name in tree(build.folder) if name.startswith(f"{S2}/")}
    assert {name for name in built - written.keys() if "catalog.json" not in name} == {
        f"{S2}/{layout.INDEX}",
        f"{S2}/{layout.COLLECTION}",
    }
    assert {name: tree(build.folder)[name] for name in written} == written
    assert sorted(location.id for location, _, _ in outcomes) == sorted(location.id for location in build.locations)
    assert sum(len(items) for _, items, _ in outcomes) == 6


def test_a_unit_travels_and_carries_only_scenes_that_touch_it(prepared):
    build, searches, job = prepared
    first, second = units_of(build, searches)
    assert pickle.loads(pickle.dumps((job, first)))[0] == job
    assert all(build.locations[0].id in scene.id or build.locations[1].id in scene.id for scene in first.scenes[S2])
    assert {scene.id for scene in first.scenes[S2]}.isdisjoint(scene.id for scene in second.scenes[S2])


def test_a_unit_travels_and_waits_as_a_tenth_of_its_scenes(prepared):
    """Two for each thread of the cluster are held by its scheduler, and by the build."""
    build, searches, _ = prepared
    scene = units_of(build, searches)[0].scenes[S2][0]

    def named(id_):
        bands = {name: SourceBand(f"https://sentinel-cogs.s3.us-west-2.amazonaws.com/{id_}/{name}.tif") for name in scene.bands}
        return replace(scene, id=id_, bands=bands)

    scenes = {S2: [named(f"S2B_31UDQ_2023{day:04}_0_L2A") for day in range(200)]}
    unit = Unit.of(((build.locations[0], None),), frozenset(), scenes)
    assert len(pickle.dumps(unit)) < len(pickle.dumps(scenes)) / 10
    assert pickle.loads(pickle.dumps(unit)).scenes == scenes


def test_a_unit_carries_only_parts_that_touch_it(prepared):
    build, searches, _ = prepared
    whole = units_of(build, searches)
    for unit, plain in zip(units_of(build, Outlines(searches, build.locations)), whole, strict=True):
        assert [scene.id for scene in unit.scenes[S2]] == [scene.id for scene in plain.scenes[S2]]
        ids = {location.id for location, _ in unit.places}
        for scene in unit.scenes[S2]:
            assert {part.band.href for part in scene.bands["B04"].parts} == ids


class Outlines:
    """Searches whose scenes are put together from a file for each location, named as it."""

    def __init__(self, searches, locations):
        self._searches = searches
        self._parts = tuple(BandPart(each.id, SourceBand(each.id), to_wkb(footprint(each)[0])) for each in locations)

    def scenes(self, sensor, square):
        found = self._searches.scenes(sensor, square)
        bands = {"B04": SourceBand("mosaic://a/b/c/B04", parts=self._parts)}
        return replace(found, scenes=[replace(scene, bands=bands) for scene in found.scenes])


def test_a_unit_in_two_grid_squares_has_the_parts_that_either_found(prepared, monkeypatch):
    """Each square's answer holds the files over its own locations; put together they are in the order of their ids."""
    build, searches, _ = prepared
    one, two = build.locations[:2]
    monkeypatch.setattr(tasks, "grid_square", lambda location: "B" if location is one else "A")

    class Halves(Outlines):
        def scenes(self, sensor, square):
            found = super().scenes(sensor, "31TCJ")
            parts = self._parts[:1] if square == "B" else self._parts[1:2]
            bands = {"B04": SourceBand("mosaic://a/b/c/B04", parts=parts)}
            return replace(found, scenes=[replace(scene, bands=bands) for scene in found.scenes])

    (unit,) = make_units(Halves(searches, build.locations), [S2], [[(one, None), (two, None)]], with_items=(), simulated=False)
    for scene in unit.scenes[S2]:
        assert [part.id for part in scene.bands["B04"].parts] == sorted([one.id, two.id])


def test_given_scenes_answer_as_the_search_does(prepared):
    build, searches, _ = prepared
    for unit in units_of(build, searches):
        given = GivenScenes(unit.scenes)
        for location, _ in unit.places:
            assert given.candidates(S2, location) == searches.candidates(S2, location)


def leave_files(build, root):
    """What a worker that was lost may have left of each location."""
    folders = layout.Layout.of(build.locations)
    left = [root / S2 / folders.folder(location) / "20200101T000000_10m.tif" for location in build.locations]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"left")
    return left


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A folder in place of an object store."""
    monkeypatch.setattr(tasks, "open_target", lambda address, *, shared: FolderTarget(tmp_path / "bucket", shared=shared))
    return tmp_path / "bucket"


def test_what_a_lost_worker_left_in_a_bucket_is_removed_unless_its_location_has_older_items(prepared, bucket):
    build, searches, job = prepared
    left = leave_files(build, bucket)
    for unit in units_of(build, searches, with_items=[build.locations[1].id]):
        complete_unit(replace(job, address="s3://bucket/cat"), unit)
    assert [path.exists() for path in left] == [False, True, False]


def test_a_worker_removes_nothing_from_a_folder_which_who_records_does(prepared):
    """It may be one that was given up, while another build writes beside it under names that it does not know."""
    build, searches, job = prepared
    left = leave_files(build, build.folder)
    for unit in units_of(build, searches):
        complete_unit(job, unit)
    assert all(path.exists() for path in left)
    build.run(workers=2, watch=lambda total, words: progress(total, words, quiet=True))
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("address", [None, "s3://bucket/cat"])
def test_a_late_worker_that_can_read_no_more_leaves_what_another_one_wrote(prepared, bucket, tmp_path, address):
    build, searches, job = prepared
    job = replace(job, address=address or job.address)
    units = units_of(build, searches)
    written = sum(len(items) for unit in units for _, items, _ in complete_unit(job, unit).outcomes)
    before = tree(bucket if address else build.folder)
    for path in (tmp_path / "source").rglob("*.tif"):
        path.unlink()
    late = [outcome for unit in units for outcome in complete_unit(job, unit).outcomes]
    assert written == 6
    assert {failure.reason for _, _, failures in late for failure in failures} == {"unreadable"}
    assert tree(bucket if address else build.folder) == before


def test_a_worker_writes_under_names_that_no_other_one_uses(prepared, monkeypatch):
    build, searches, job = prepared
    units, write, parts = units_of(build, searches), Path.write_bytes, []

    def noted(self, content):
        parts.append(self.name)
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", noted)
    for unit in units:
        complete_unit(job, unit)
    assert parts
    assert all(re.search(r"\.(tif|json)\.[0-9a-f]{16}\.part$", name) for name in parts)


def test_rendered_scenes_are_not_sent(prepared):
    build, searches, _ = prepared
    assert [unit.scenes for unit in units_of(build, searches, simulated=True)] == [None, None]


def test_a_run_that_was_stopped_does_nothing_more(prepared):
    build, searches, job = prepared
    unit, _ = units_of(build, searches)
    assert len(complete_unit(job, unit).outcomes) == 2
    asyncio.run(stop_units("another"))
    assert len(complete_unit(job, unit).outcomes) == 2
    asyncio.run(stop_units(job.run))
    assert complete_unit(job, unit).outcomes == []


def test_what_was_fetched_is_told_once(prepared):
    build, searches, job = prepared
    first, second = (complete_unit(job, unit).fetched for unit in units_of(build, searches))
    assert first["bytes"] > second["bytes"] > 0
    assert first["requests"] + second["requests"] == tasks._DESKS[job.run]._reader.fetched.requests


def test_a_new_run_ends_the_one_before(prepared):
    build, searches, job = prepared
    unit, _ = units_of(build, searches)
    complete_unit(job, unit)
    complete_unit(replace(job, run="next"), unit)
    assert list(tasks._DESKS) == ["next"]


def test_a_run_over_another_catalog_leaves_the_one_before_alone(prepared, tmp_path):
    build, searches, job = prepared
    unit, other = units_of(build, searches)
    complete_unit(job, unit)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / layout.RECIPE).write_bytes((build.folder / layout.RECIPE).read_bytes())
    complete_unit(replace(job, run="next", address=str(tmp_path / "other")), unit)
    assert set(tasks._DESKS) == {job.run, "next"}
    assert len(complete_unit(job, other).outcomes) == 1


def test_a_run_that_was_stopped_is_forgotten_by_the_next(prepared, tmp_path):
    build, searches, job = prepared
    unit, _ = units_of(build, searches)
    elsewhere = replace(job, address="s3://bucket/elsewhere")
    complete_unit(job, unit)
    asyncio.run(stop_units(job.run))
    tasks._desk_of(replace(elsewhere, run="next"), has_scenes=True)
    assert list(tasks._DESKS) == ["next"]


def test_a_worker_that_is_given_scenes_does_not_open_the_source(prepared, tmp_path, monkeypatch):
    """Its path is relative to another folder, or its name is without the password that opened it."""
    build, searches, job = prepared
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "worker")
    unlike = replace(job, section=json.dumps({**json.loads(job.section), "source": "../missing"}))
    outcomes = [outcome for unit in units_of(build, searches) for outcome in complete_unit(unlike, unit).outcomes]
    assert [len(items) for _, items, _ in outcomes] == [2, 2, 2]
    source = tasks._DESKS[job.run]._source
    assert (source.sensors(), source.search(S2, (0, 0, 1, 1), *build.wanted.plan.span)) == ((), [])


def test_a_worker_that_is_given_none_opens_the_source(prepared):
    build, searches, job = prepared
    unlike = replace(job, section=json.dumps({**json.loads(job.section), "source": "simulatd"}))
    with pytest.raises(CurateError, match="Did you mean 'simulated'"):
        complete_unit(unlike, units_of(build, searches, simulated=True)[0])


def test_a_worker_of_another_environment_is_refused(prepared):
    build, searches, job = prepared
    unlike = replace(job, versions={**job.versions, "rasterio": "0.1"})
    with pytest.raises(ClusterError, match=r"A worker has rasterio [\d.]+, the build 0\.1\. A catalog is the same bytes"):
        complete_unit(unlike, units_of(build, searches)[0])


@pytest.mark.parametrize("what", ["nothing", "another"])
def test_a_worker_that_does_not_see_the_catalog_is_refused(prepared, tmp_path, what):
    build, searches, job = prepared
    if what == "another":
        (tmp_path / what).mkdir()
        (tmp_path / what / layout.RECIPE).write_text("{}")
    with pytest.raises(ClusterError, match=r"A worker does not see the catalog in .*\. Put it on a file system that all"):
        complete_unit(replace(job, address=str(tmp_path / what)), units_of(build, searches)[0])


def test_what_is_seen_in_logs_holds_no_address(prepared):
    build, searches, job = prepared
    scenes = {S2: [replace(scene, href="https://me:hush@host/x") for scene in units_of(build, searches)[0].scenes[S2]]}
    unit = Unit.of(((read_locations(build.folder / layout.LOCATIONS)[0], None),), frozenset(), scenes)
    assert repr(unit) == "<unit of 1 location from test-000000>"
    assert "source" not in repr(job)

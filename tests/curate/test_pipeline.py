"""The order of a build: recipes, resuming, trying again, and what is recorded."""

from contextlib import contextmanager, nullcontext
from datetime import date
from weakref import WeakSet

import pytest

from catalogs import layout
from catalogs.console import progress
from catalogs.earlier_items import EarlierItems
from catalogs.failures import read_failures
from catalogs.index import read_items
from catalogs.locations import write_locations
from catalogs.publication import AT_WORK
from catalogs.recipe import read_recipe, write_section
from catalogs.testing import make_catalog, make_locations
from catalogs.writer import CatalogWriter
from curate import pipeline
from curate.budget import Budget
from curate.build_request import BuildRequest, read_wanted, resolve_request
from curate.errors import CurateError, RecipeError, SourceSensorError, SourceUnavailableError, UnfinishedError
from curate.pipeline import Build
from curate.reading.counts import Counts
from curate.sources import open_source
from tests.curate.asked import AskedPlanes
from tests.trees import tree

S2 = "sentinel-2-l2a"
TODAY = date(2023, 11, 20)


class Faulty:
    """A real source some of whose files cannot be read for a while."""

    def __init__(self, inner, broken=()):
        self._inner, self.broken, self.opened = inner, set(broken), []
        self.name, self.simulated, self.skipped = inner.name, inner.simulated, inner.skipped
        self.sensors, self.search = inner.sensors, inner.search

    @contextmanager
    def open(self, band):
        self.opened.append(band.href)
        if any(word in band.href for word in self.broken):
            raise SourceUnavailableError(f"{band.href} does not answer. Run again.")
        with self._inner.open(band) as raster:
            yield raster


@pytest.fixture
def source_folder(tmp_path):
    return make_catalog(tmp_path / "source", seasons=2)


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "cat"
    out.mkdir()
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations())
    return out


def quiet(total, description):
    return progress(total, description, quiet=True)


def request(source_folder, **changes):
    values = {"source": str(source_folder), "seasons": "2", "start": date(2023, 1, 1), "end": date(2023, 7, 1)}
    return BuildRequest(**{**values, **changes})


def build(folder, source, asked, to=None, **options):
    return Build.prepare(folder, asked, lambda _name, **_: source, to=to).run(workers=3, watch=quiet, **options)


def resolve(asked, old=None, *, today=TODAY):
    return resolve_request(asked, old, today=today, locations=3)


def test_defaults_are_resolved_once_and_kept():
    section = resolve(BuildRequest())
    assert (section["source"], section["sensors"], section["seasons"]) == ("earth-search", [S2], 4)
    assert (section["start"], section["end"]) == ("2022-10-23", "2023-10-23")
    later = resolve(BuildRequest(), section, today=date(2024, 6, 1))
    assert later == section
    assert resolve(BuildRequest(max_cloud=5.0), section)["max_cloud"] == 5.0


def test_a_start_alone_gives_a_year():
    section = resolve(BuildRequest(start=date(2021, 3, 1)))
    assert (section["start"], section["end"]) == ("2021-03-01", "2022-03-01")


def test_bands_are_those_of_the_sensors_that_have_them():
    section = resolve(BuildRequest(sensors=[S2, "landsat-c2-l2"], bands=["B04", "B8A"]))
    wanted = read_wanted(section, 0)
    assert {sensor: [band.name for band in bands] for sensor, bands in wanted.sensors.items()} == {
        S2: ["B04", "B8A"], "landsat-c2-l2": ["B04"]}  # fmt: skip
    with pytest.raises(CurateError, match="--bands B8A leaves no band of landsat-c2-l2"):
        read_wanted({**section, "bands": ["B8A"]}, 0)


def test_a_build_copies_every_item_of_its_source(folder, source_folder):
    summary = build(folder, open_source(str(source_folder)), request(source_folder))
    assert (summary.complete, summary.items_written, summary.failures) == (3, 6, [])
    ours, theirs = (read_items(where / S2 / layout.INDEX) for where in (folder, source_folder))
    assert [item["id"] for item in ours] == [item["id"] for item in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert {key: asset["file:checksum"] for key, asset in one["assets"].items()} == {
            key: asset["file:checksum"] for key, asset in other["assets"].items()}  # fmt: skip
    assert read_recipe(folder)["build"]["source"] == str(source_folder)


def test_scenes_of_a_simulated_catalog_stay_simulated(folder, source_folder):
    build(folder, open_source(str(source_folder)), request(source_folder))
    assert all(item["properties"]["seastars:simulated"] for item in read_items(folder / S2 / layout.INDEX))


def test_items_of_a_source_that_knows_labels_have_them(folder, source_folder):
    class Surveyed(Faulty):
        def labels(self, location):
            return ("lake",) if location.id.endswith("1") else ("vineyard", "houses")

    build(folder, Surveyed(open_source(str(source_folder))), request(source_folder))
    told = {
        item["properties"]["seastars:location"]: item["properties"]["seastars:labels"]
        for item in read_items(folder / S2 / layout.INDEX)
    }
    assert told == {"test-000000": ["vineyard", "houses"], "test-000001": ["lake"], "test-000002": ["vineyard", "houses"]}


def test_items_of_other_sources_have_none(folder, source_folder):
    build(folder, open_source(str(source_folder)), request(source_folder))
    assert not any("seastars:labels" in item["properties"] for item in read_items(folder / S2 / layout.INDEX))


def test_what_could_not_be_read_is_recorded_and_tried_again_by_the_same_command(folder, source_folder, tmp_path):
    inner = open_source(str(source_folder))
    faulty = Faulty(inner, broken=["test-000001/20230416T105031_20m"])
    summary = build(folder, faulty, request(source_folder))
    assert [(f.location, f.season, f.reason, f.transient) for f in summary.failures] == [("test-000001", 1, "unreadable", True)]
    assert "does not answer" in summary.failures[0].message
    assert summary.items_written == 5
    faulty.broken, faulty.opened = set(), []
    summary = build(folder, faulty, BuildRequest())
    assert (summary.complete, summary.items_written, summary.failures) == (3, 1, [])
    assert all("test-000001/20230416" in href for href in faulty.opened)
    straight = tmp_path / "straight" / "cat"
    straight.mkdir(parents=True)
    for name in (layout.RECIPE, layout.LOCATIONS):
        (straight / name).write_bytes((folder / name).read_bytes())
    build(straight, inner, BuildRequest())
    assert tree(straight) == tree(folder)


def test_a_build_that_leaves_locations_out_is_not_complete(folder, source_folder, monkeypatch):
    source, all_of_them = open_source(str(source_folder)), pipeline.build_in_threads

    def lose_one(*args, **options):
        yield from (outcome for outcome in all_of_them(*args, **options) if outcome[0].id != "test-000001")

    monkeypatch.setattr(pipeline, "build_in_threads", lose_one)
    with pytest.raises(UnfinishedError, match=r"ended with 2 of 3 locations done.*run the same command again") as told:
        build(folder, source, request(source_folder))
    assert told.value.exit_code == 4
    monkeypatch.setattr(pipeline, "build_in_threads", all_of_them)
    summary = build(folder, source, BuildRequest())
    assert (summary.locations_done, summary.complete) == (1, 3)


def test_what_failed_for_good_is_tried_again_only_when_asked(folder, source_folder):
    source = Faulty(open_source(str(source_folder)))
    asked = request(source_folder, seasons="4", end=date(2024, 1, 1))
    summary = build(folder, source, asked)
    assert [(f.season, f.reason) for f in summary.failures if f.location == "test-000000"] == [(2, "no-scene"), (3, "no-scene")]
    assert "No scene of sentinel-2-l2a over location test-000000 (43.60N, 1.44E) in 2023-07" in summary.failures[0].message
    assert len(read_failures(folder)) == 6
    before = tree(folder)
    assert build(folder, source, asked).locations_done == 0
    summary = build(folder, source, asked, retry_failed=True)
    assert (summary.locations_done, summary.items_written) == (3, 0)
    assert tree(folder) == before


def test_of_locations_that_are_tried_again_the_earlier_items_of_one_are_in_memory(folder, source_folder, monkeypatch):
    asked = request(source_folder, seasons="4", end=date(2024, 1, 1))
    source = Faulty(open_source(str(source_folder)))
    build(folder, source, asked)
    before, read, counts = tree(folder), EarlierItems._read, []
    alive = WeakSet()

    def watched(items, *place):
        counts.append(len(alive))
        found = [Item(item) for item in read(items, *place)]
        alive.update(found)
        return found

    monkeypatch.setattr(EarlierItems, "_read", watched)
    assert build(folder, source, asked, retry_failed=True).locations_done == 3
    assert len(counts) == 3
    assert max(counts) <= 2  # those of the location before, which the loop has in hand still
    assert tree(folder) == before


def test_a_cluster_is_told_which_locations_have_items_by_their_names_alone(folder, source_folder, monkeypatch):
    asked, source = request(source_folder, seasons="4", end=date(2024, 1, 1)), open_source(str(source_folder))
    build(folder, source, asked)
    units, copies, copy = [], [], CatalogWriter.items_of

    def counted(*told):
        copies.append(told)
        return copy(*told)

    def lose_all(_client, _job, sent, **_):
        units.extend(sent)
        yield from ()

    monkeypatch.setattr(CatalogWriter, "items_of", counted)
    monkeypatch.setattr("curate.cluster.connect", nullcontext)
    monkeypatch.setattr("curate.cluster.build_on_cluster", lose_all)
    with pytest.raises(UnfinishedError, match="0 of 3 locations"):
        build(folder, source, asked, retry_failed=True, scheduler="local:1")
    assert frozenset().union(*(unit.with_items for unit in units)) == {f"test-{number:06d}" for number in range(3)}
    assert len(copies) == 1


class Item(dict):
    """An item that can be watched."""

    __hash__ = object.__hash__


def test_a_search_that_fails_leaves_no_mark_where_the_files_go(folder, source_folder, tmp_path):
    class Silent(Faulty):
        def __init__(self, inner):
            super().__init__(inner)
            self.search = self._fail

        def _fail(self, *_, **__):
            raise SourceUnavailableError("the source does not answer.")

    with pytest.raises(SourceUnavailableError, match="does not answer"):
        build(folder, Silent(open_source(str(source_folder))), request(source_folder), to=str(tmp_path / "there"))
    assert (tmp_path / "there" / layout.CATALOG).exists()
    assert not (tmp_path / "there" / AT_WORK).exists()


class Fetching(AskedPlanes):
    """Has fetched much before the first location is done."""

    fetched = Counts(requests=3, bytes=1_000)


def test_a_budget_that_is_spent_ends_a_build_in_which_no_location_is_done(folder, source_folder, monkeypatch):
    reader = Fetching(None, hangs_after=-1)
    monkeypatch.setattr("curate.pipeline.open_planes", lambda *_, **__: reader)
    monkeypatch.setattr("curate.threads.ASK_S", 0.01)
    summary = build(folder, open_source(str(source_folder)), request(source_folder), budget=Budget(1e-6))
    assert (summary.is_spent, summary.locations_done, summary.complete) == (True, 0, 0)
    assert summary.fetched.bytes == 1_000


def test_what_was_fetched_is_told_though_no_location_is_done(folder, source_folder, monkeypatch):
    class Interrupted(Fetching):
        def read(self, asks):
            raise KeyboardInterrupt

    monkeypatch.setattr("curate.pipeline.open_planes", lambda *_, **__: Interrupted(None))
    summary = build(folder, open_source(str(source_folder)), request(source_folder))
    assert summary.stopped
    assert summary.fetched.bytes == 1_000


def test_nothing_is_opened_by_a_dry_run(folder, source_folder):
    before = tree(folder)
    Build.prepare(folder, request(source_folder), lambda _name, **_: open_source(str(source_folder)), dry_run=True)
    assert tree(folder) == before


def test_another_recipe_is_refused(folder, source_folder):
    source = open_source(str(source_folder))
    build(folder, source, request(source_folder))
    with pytest.raises(RecipeError, match=r"max_cloud was 10.0, now 50.0"):
        build(folder, source, request(source_folder, max_cloud=50.0))


def test_a_sensor_that_the_source_lacks_is_refused(folder, source_folder):
    with pytest.raises(SourceSensorError, match=r"has no landsat-c2-l2. It has: sentinel-2-l2a"):
        build(folder, open_source(str(source_folder)), request(source_folder, sensors=["landsat-c2-l2"]))


def test_more_than_fifty_thousand_items_become_an_index_alone(folder, source_folder, monkeypatch):
    monkeypatch.setattr("curate.build_request.INDEX_ONLY_ABOVE", 5)
    build(folder, open_source(str(source_folder)), request(source_folder))
    assert read_recipe(folder)["build"]["items"] == "parquet"
    assert len(read_items(folder / S2 / layout.INDEX)) == 6
    assert not list((folder / S2).rglob("test-*.json"))

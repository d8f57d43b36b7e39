"""Units: what is asked of a reader and when, and that the catalog is the same whatever is read together."""

import random
import time
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from threading import Event, Lock

import pytest

from catalogs import layout
from catalogs.console import progress
from catalogs.failures import read_failures
from catalogs.foreign import SourceBand, SourceScene
from catalogs.index import read_items as read_index
from catalogs.lattice import grid_square
from catalogs.locations import write_locations
from catalogs.masks import mask_shares
from catalogs.recipe import write_section
from catalogs.records import Location
from catalogs.scene_writer import SceneWriter
from catalogs.testing import make_locations
from curate import outage, pipeline, threads, unit
from curate.assemble import Season
from curate.build_request import BuildRequest
from curate.errors import HostDownError
from curate.fetch import PlaneAsk
from curate.looks import Wish
from curate.pipeline import Build
from curate.planes import SinglePlanes
from curate.seasons import DateWindow
from curate.sources.simulated import SimulatedSource
from curate.unit import neighbourhoods, portions
from tests.curate.asked import AskedPlanes
from tests.curate.plain_build import plain_unit
from tests.trees import tree

S2, LANDSAT, SPOT = "sentinel-2-l2a", "landsat-c2-l2", "spot-ortho"
PLACES = 3


def sampled(folder, count=PLACES, side_m=600):
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 3})
    write_locations(folder / layout.LOCATIONS, make_locations(count, side_m=side_m))
    return folder


def build(folder, reader=None, *, most=256, at_once=1, source=None, monkeypatch, seasons="2", sensors=(S2, LANDSAT)):
    """Build with a reader of our own, in units of at most so many locations."""
    monkeypatch.setattr(pipeline, "MOST", most)
    monkeypatch.setattr(pipeline, "UNITS_AT_ONCE", at_once)
    if reader:
        monkeypatch.setattr(pipeline, "open_planes", lambda *_, **__: reader)
    asked = BuildRequest(
        source="simulated", sensors=sensors, seasons=seasons, start=date(2023, 4, 1), end=date(2023, 6, 1), bands=["B04", "B11"]
    )
    prepared = Build.prepare(folder, asked, lambda *_, **__: source or SimulatedSource(0))
    return prepared.run(workers=2, watch=lambda total, words: progress(total, words, quiet=True))


def clear_over(call):
    """Hrefs of masks that are clear over a location, as they were given."""
    names = {S2: "scl", LANDSAT: "qa_pixel"}
    found = set()
    for (href, location), plane in call.planes.items():
        name = next(name for name in names.values() if href.endswith(name))
        if mask_shares(plane.pixels, name).not_clear <= 10:
            found.add((href.rpartition("/")[0], location))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The catalog of a build that completes one location after the other."""
    out = sampled(tmp_path_factory.mktemp("plain") / "cat")
    with pytest.MonkeyPatch.context() as monkeypatch:
        build(out, monkeypatch=monkeypatch)
    assert {failure.reason for failure in read_failures(out)} == {"not-clear"}
    return out


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The catalog of one unit of all locations, and its reader."""
    out, reader = sampled(tmp_path_factory.mktemp("together") / "cat"), AskedPlanes(SimulatedSource(0))
    with pytest.MonkeyPatch.context() as monkeypatch:
        build(out, reader, monkeypatch=monkeypatch)
    return out, reader


def test_the_catalog_does_not_hang_on_how_many_are_read_together(undisturbed, together):
    out, reader = together
    assert tree(out) == tree(undisturbed)
    assert reader.closed


@pytest.mark.parametrize(("most", "at_once", "open_bytes"), [(2, 2, 25_000), (2, 1, 1)])
def test_the_catalog_does_not_hang_on_portions_threads_or_order(tmp_path, undisturbed, monkeypatch, most, at_once, open_bytes):
    monkeypatch.setattr(unit, "OPEN_BYTES", open_bytes)
    out = sampled(tmp_path / "cat")
    reader = AskedPlanes(SimulatedSource(0), seed=at_once)
    summary = build(out, reader, most=most, at_once=at_once, monkeypatch=monkeypatch)
    assert tree(out) == tree(undisturbed)
    assert summary.locations_done == PLACES
    portions = [call for call in reader.calls if not call.is_of_masks]
    seasons = [{(ask.location.id, "scene") for ask in call.asks} for call in portions]
    assert all(call.nbytes <= open_bytes or len(places) == 1 for call, places in zip(portions, seasons, strict=True))
    assert len(portions) > 2


def test_masks_are_read_before_measurements_and_nothing_twice(together):
    calls, clear = together[1].calls, set()
    for call in calls:
        if call.is_of_masks:
            clear |= clear_over(call)
            continue
        for ask in call.asks:
            assert (ask.band.href.rpartition("/")[0], ask.location.id) in clear
    asked = Counter((ask.band.href, ask.location.id) for call in calls for ask in call.asks)
    assert set(asked.values()) == {1}
    kinds = [call.is_of_masks for call in calls]
    assert kinds == sorted(kinds, reverse=True)
    assert sum(kinds) > 1


def test_a_failing_read_fails_its_season_only_and_is_tried_again(tmp_path, undisturbed, together, monkeypatch):
    source, broken = SimulatedSource(0), sampled(tmp_path / "cat")
    first = next(call for call in together[1].calls if not call.is_of_masks).asks[0]
    summary = build(broken, AskedPlanes(source, broken=[first.band.href]), monkeypatch=monkeypatch)
    lost = [failure for failure in summary.failures if failure.transient]
    assert {failure.reason for failure in lost} == {"unreadable"}
    assert 1 <= len({(failure.location, failure.season) for failure in lost}) <= PLACES
    assert f"{first.band.href} does not answer" in lost[0].message
    assert summary.locations_done == PLACES
    reader = AskedPlanes(source)
    build(broken, reader, monkeypatch=monkeypatch)
    assert tree(broken) == tree(undisturbed)
    assert {ask.location.id for call in reader.calls for ask in call.asks} == {failure.location for failure in lost}


def test_the_first_failing_band_speaks_whatever_comes_first(tmp_path, monkeypatch):
    words = set()
    for seed in range(3):
        reader = AskedPlanes(SimulatedSource(0), seed=seed, broken=["/B04", "/B11"])
        out = sampled(tmp_path / str(seed) / "cat", 1)
        words |= {failure.message for failure in build(out, reader, sensors=(S2,), monkeypatch=monkeypatch).failures}
    assert len([word for word in words if "/B04 does not answer" in word]) >= 1
    assert not any("/B11" in word for word in words)


def test_reading_waits_for_the_writers(tmp_path, monkeypatch):
    """Seasons that were read and are not written stay few, however slow the disk."""
    monkeypatch.setattr(unit, "UNWRITTEN", 1)
    write, written, ahead = SceneWriter.write_scene, [], []

    def slowly(self, scene, patches):
        time.sleep(0.05)
        written.append(scene.source_id)
        return write(self, scene, patches)

    class InOrder(AskedPlanes):
        def read(self, asks):
            masks = all(ask.kernel == "nearest" for _, ask in asks)
            for number, (key, ask) in enumerate(asks):
                if not masks:
                    ahead.append(number // 2 - len(written))
                yield from SinglePlanes(SimulatedSource(0)).read([(key, ask)])

    monkeypatch.setattr(SceneWriter, "write_scene", slowly)
    build(sampled(tmp_path / "cat", 8), InOrder(None), sensors=(S2,), monkeypatch=monkeypatch)
    assert len(written) > 6
    assert max(ahead) <= 1 + unit.UNWRITTEN


def build_vintages(folder, monkeypatch, sensors=(SPOT,), reader=None, *, seasons="2"):
    """Build with seasons that lie in the same vintage, and so keep the same scene."""
    if reader:
        monkeypatch.setattr(pipeline, "open_planes", lambda *_, **__: reader)
    bands = ["red", *(["B04"] if S2 in sensors else [])]
    asked = BuildRequest(
        source="simulated", sensors=sensors, seasons=seasons, start=date(2023, 4, 1), end=date(2023, 10, 1), bands=bands
    )
    prepared = Build.prepare(folder, asked, lambda *_, **__: SimulatedSource(0))
    return prepared.run(workers=2, watch=lambda total, words: progress(total, words, quiet=True))


@pytest.mark.parametrize("sensors", [(SPOT,), (SPOT, S2)])
def test_seasons_that_keep_one_scene_are_written_as_one_after_the_other_would(tmp_path, monkeypatch, sensors):
    with pytest.MonkeyPatch.context() as plainly:
        plainly.setattr(threads, "build_unit", plain_unit)
        build_vintages(sampled(tmp_path / "plain" / "cat", 8, 120), plainly, sensors)
    for seed in range(2):
        out = sampled(tmp_path / str(seed) / "cat", 8, 120)
        summary = build_vintages(out, monkeypatch, sensors, AskedPlanes(SimulatedSource(0), seed=seed))
        assert tree(out) == tree(tmp_path / "plain" / "cat")
        assert summary.items_written == sum(len(read_index(out / sensor / layout.INDEX)) for sensor in sensors)
    assert len(read_index(out / SPOT / layout.INDEX)) == 8


@pytest.mark.parametrize(("broken", "months"), [({0}, ("04", "05")), ({1}, ("06", "07")), ({0, 2}, ("04", "05", "08", "09"))])
def test_seasons_that_are_done_again_keep_their_turn_among_those_of_one_scene(tmp_path, monkeypatch, broken, months):
    build_vintages(sampled(tmp_path / "plain" / "cat", side_m=120), monkeypatch, (SPOT, S2), seasons="3")
    out = sampled(tmp_path / "again" / "cat", side_m=120)
    reader = AskedPlanes(SimulatedSource(0), broken=[f"_2023{month}" for month in months])
    lost = build_vintages(out, monkeypatch, (SPOT, S2), reader, seasons="3").failures
    assert {failure.season for failure in lost if failure.transient} == broken
    assert len(read_index(out / SPOT / layout.INDEX)) == PLACES
    build_vintages(out, monkeypatch, (SPOT, S2), AskedPlanes(SimulatedSource(0)), seasons="3")
    assert tree(out) == tree(tmp_path / "plain" / "cat")


def test_seasons_of_one_location_are_written_in_turn_and_in_order(tmp_path, monkeypatch):
    """Each write waits for another one of its location, as only a thread that does not take turns makes come."""
    write, lock, at_work, met, order = SceneWriter.write_scene, Lock(), set(), Event(), []

    def waiting(self, scene, patches):
        with lock:
            if scene.location.id in at_work:
                met.set()
            at_work.add(scene.location.id)
            order.append((scene.location.id, scene.season))
        met.wait(0.1)
        item = write(self, scene, patches)
        with lock:
            at_work.discard(scene.location.id)
        return item

    monkeypatch.setattr(SceneWriter, "write_scene", waiting)
    build_vintages(sampled(tmp_path / "cat", side_m=120), monkeypatch)
    assert not met.is_set()
    expected = [(place.id, season) for place in make_locations(PLACES) for season in (0, 1)]
    assert sorted(order, key=lambda each: each[0]) == expected


def test_a_host_that_is_down_for_a_while_costs_time_and_no_location(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(outage, "LOOK_S", 0.01)
    reader = AskedPlanes(SimulatedSource(0), is_down=lambda call, _: call in {2, 3, 6, 7})
    out = sampled(tmp_path / "cat")
    build(out, reader, monkeypatch=monkeypatch)
    assert tree(out) == tree(undisturbed)


def test_a_host_that_stays_down_ends_the_build_and_the_same_command_goes_on(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(outage, "LOOK_S", 0.01)
    monkeypatch.setattr(outage, "OUTAGE_S", 0.2)
    out = sampled(tmp_path / "cat")
    reader = AskedPlanes(SimulatedSource(0), is_down=lambda call, _: call > 3)
    with pytest.raises(HostDownError, match="20 files one after the other"):
        build(out, reader, most=2, monkeypatch=monkeypatch)
    assert not any(failure.transient for failure in read_failures(out))
    build(out, AskedPlanes(SimulatedSource(0)), monkeypatch=monkeypatch)
    assert tree(out) == tree(undisturbed)


def test_a_host_that_stays_down_is_waited_for_by_one_unit_alone(tmp_path, monkeypatch):
    """The others record what they miss at once."""
    monkeypatch.setattr(outage, "LOOK_S", 0.05)
    monkeypatch.setattr(outage, "OUTAGE_S", 0.1)

    class BesideAnother(AskedPlanes):
        def read(self, asks):
            for each in super().read(asks):
                yield each
                self.outage.answered("https://another.example/a.tif")

    reader = BesideAnother(SimulatedSource(0), is_down=lambda *_: True)
    summary = build(sampled(tmp_path / "cat"), reader, most=1, sensors=(S2,), monkeypatch=monkeypatch)
    assert {failure.reason for failure in summary.failures} == {"unreadable"}
    assert summary.locations_done == PLACES
    asked = Counter((ask.band.href, ask.location.id) for call in reader.calls for ask in call.asks)
    assert len({location for (_, location), count in asked.items() if count > 1}) == 1


def test_rounds_without_an_outage_follow_each_other_at_once(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(outage.Outage, "endure", lambda *_: pytest.fail("nothing was down"))
    out = sampled(tmp_path / "cat")
    build(out, AskedPlanes(SimulatedSource(0)), monkeypatch=monkeypatch)
    assert tree(out) == tree(undisturbed)


def test_a_stopped_unit_ends_early_and_gives_whole_locations_only(tmp_path, monkeypatch):
    out = sampled(tmp_path / "cat")
    reader = AskedPlanes(SimulatedSource(0), hangs_after=1)
    given = []

    def watch(*_):
        class Bar:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                return False

            def advance(self, **_):
                given.append(1)
                raise KeyboardInterrupt

        return Bar()

    monkeypatch.setattr(unit, "OPEN_BYTES", 1)
    monkeypatch.setattr(pipeline, "open_planes", lambda *_, **__: reader)
    asked = BuildRequest(source="simulated", sensors=(S2,), seasons="1", start=date(2023, 4, 1), end=date(2023, 6, 1))
    prepared = Build.prepare(out, asked, lambda *_, **__: SimulatedSource(0))
    summary = prepared.run(workers=2, watch=watch)
    assert summary.stopped
    assert given == [1]
    assert len(read_index(out / S2 / layout.INDEX)) <= 1
    assert len([call for call in reader.calls if not call.is_of_masks]) == 2


def test_units_hold_every_location_once_by_square_and_from_north_to_south():
    rng = random.Random(0)
    places = [
        Location(f"a-{number:06d}", 32631, (left, bottom, left + 600, bottom + 600))
        for number in range(500)
        for left, bottom in [(60 * rng.randrange(5000, 11000), 60 * rng.randrange(80000, 86000))]
    ]
    units = neighbourhoods(rng.sample(places, len(places)), 20)
    assert sorted((place for each in units for place in each), key=lambda place: place.id) == places
    assert units == neighbourhoods(places, 20)
    assert max(map(len, units)) <= 20
    squares = Counter(map(grid_square, places))
    for each in units:
        inside = {grid_square(place) for place in each}
        if len(inside) > 1:
            assert all(squares[square] == sum(grid_square(place) == square for place in each) for square in inside)
    for square, count in squares.items():
        strips = [each for each in units if grid_square(each[0]) == square]
        if count > 20:
            tops = [[place.bounds[3] for place in each] for each in strips]
            assert all(min(north) >= max(south) for north, south in pairwise(tops))
            assert max(map(len, strips)) - min(map(len, strips)) <= 1


def test_small_squares_share_a_unit_and_none_is_left_out():
    places = make_locations(3)
    assert neighbourhoods(places, 256) == [tuple(sorted(places, key=lambda place: place.bounds[0]))]
    assert [len(each) for each in neighbourhoods(places, 1)] == [1, 1, 1]
    assert neighbourhoods([], 4) == []


def test_units_cost_no_more_blocks_than_a_crash_may():
    spread_out = [Location(f"a-{n:06d}", 32631, (60 * n * 170, 5400000, 60 * n * 170 + 600, 5400600)) for n in range(40, 70)]
    assert len(neighbourhoods(spread_out)) == 1
    rng = random.Random(0)
    square = [
        Location(f"a-{number:06d}", 32631, (left, bottom, left + 600, bottom + 600))
        for number in range(2000)
        for left, bottom in [(500040 + 60 * rng.randrange(1650), 5400000 + 60 * rng.randrange(1650))]
    ]
    assert [len(each) for each in neighbourhoods(square)] == [500] * 4
    assert [len(each) for each in neighbourhoods(square[:300])] == [150, 150]
    assert [len(each) for each in neighbourhoods(square[:30])] == [30]


class Sized:
    """An assembler of whose scenes one band is wished, of one byte per pixel of 60 m and so 100 bytes a location."""

    def asks(self, scene, location, *, masks):
        return [PlaneAsk(scene.bands["scl"], location, 60, 60, "nearest", 0)]


def wishing(scenes, row):
    bands = {"scl": SourceBand("scl.tif")}
    found = tuple(SourceScene(id_, S2, {}, bands, datetime=datetime(2023, 6, 1, tzinfo=UTC)) for id_ in scenes)
    place = Location(f"a-{row:06d}", 32631, (500040, 5400000 - 6000 * row, 500640, 5400600 - 6000 * row))
    season = Season(Sized(), place, DateWindow(0, datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)))
    season.wish = Wish(found, masks=True)
    return season


def rows(found):
    return [[(season.wish.scenes[0].id, int(season.location.id[2:])) for season in portion] for portion in found]


def test_portions_go_by_scene_from_north_to_south_and_cut_no_scene_that_fits():
    seasons = [wishing([id_], row) for id_ in "ba" for row in (2, 0, 1)]
    assert rows(portions(seasons, 10_000)) == [[(id_, row) for id_ in "ab" for row in range(3)]]
    assert rows(portions(seasons, 500)) == [[(id_, row) for row in range(3)] for id_ in "ab"]
    assert rows(portions(seasons, 200)) == [[("a", 0), ("a", 1)], [("a", 2)], [("b", 0), ("b", 1)], [("b", 2)]]
    assert rows(portions(seasons, 1)) == [[(id_, row)] for id_ in "ab" for row in range(3)]
    assert rows(portions([], 1)) == []


def test_a_scene_that_is_swept_is_held_in_parts():
    """Rows 6 km apart: four of them lie within two blocks of 10 km."""
    long = [wishing(["a"], row) for row in range(12)]
    assert len(rows(portions(long, 400))) == 1
    assert len(rows(portions(long, 399))) == 4


def test_pairs_are_held_until_their_second_scene():
    pairs = [wishing(["a", "b"], row) for row in range(12)]
    assert [len(portion) for portion in portions(pairs, 800)] == [4, 4, 4]


def test_what_is_done_is_dropped_from_units_that_stay_as_they_are():
    places = make_locations(6)
    units = neighbourhoods(places, 2)
    left = [place for place in places if place.id not in {"test-000001", "test-000004", "test-000005"}]
    todo = dict.fromkeys(left, None)
    kept = [[place for place, _ in each] for each in pipeline._units(units, todo)]
    assert kept == [each for unit_ in units if (each := [place for place in unit_ if place in todo])]


def test_what_a_unit_raises_ends_the_build(tmp_path, monkeypatch):
    class Full(AskedPlanes):
        def read(self, asks):
            raise RuntimeError("a defect")
            yield

    with pytest.raises(RuntimeError, match="a defect"):
        build(sampled(tmp_path / "cat"), Full(SimulatedSource(0)), at_once=2, most=1, monkeypatch=monkeypatch)

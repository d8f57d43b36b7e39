"""Searches: one per square, saved without secrets, reused; boxes on both sides of the antimeridian."""

import gzip
import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
from shapely.geometry import shape

from catalogs.foreign import BandPart, SourceBand, SourceScene
from catalogs.lattice import footprint, grid_square, squares_around
from catalogs.records import Location
from catalogs.testing import make_catalog, make_locations
from curate.errors import SourceUnavailableError
from curate.search import Searches, SquareScenes, location_boxes
from curate.sources import open_source
from curate.sources.failover import FailoverSource

SPAN = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
S2 = "sentinel-2-l2a"


@pytest.fixture
def source_folder(tmp_path):
    return make_catalog(tmp_path / "source", seasons=3)


class Signing:
    """A source that signs the addresses it hands out, as Planetary Computer's do."""

    simulated = False
    reads_files = True

    def __init__(self, inner):
        self._inner, self.name, self.searches = inner, inner.name, []

    def search(self, sensor, box, start, end):
        self.searches.append(box)
        scenes = self._inner.search(sensor, box, start, end)
        return [
            replace(s, bands={n: replace(b, href=f"https://example.com/{n}.tif?sig=hush&v=1") for n, b in s.bands.items()})
            for s in scenes
        ]


def searches(source, folder, locations, span=SPAN):
    return Searches(source, folder, locations, span)


class Vintages:
    """A source with one scene, named by the day of the year."""

    simulated, reads_files, skipped = False, True, {}

    def __init__(self, name, when, location):
        self.name = name
        self.scene = SourceScene("0614", S2, footprint(location)[0], {}, datetime=when)

    def sensors(self):
        return [S2]

    def search(self, sensor, box, start, end):
        return [self.scene] if start <= self.scene.datetime < end else []

    def open(self, band):
        raise NotImplementedError


def test_scenes_of_two_sources_and_years_that_have_one_id_are_told_apart(tmp_path):
    location = make_locations()[0]
    whens = [datetime(2022, 6, 14, tzinfo=UTC), datetime(2023, 6, 14, tzinfo=UTC)]
    both = FailoverSource([Vintages(f"in {when.year}", when, location) for when in whens])
    for _ in range(2):  # asked, then saved
        found = searches(both, tmp_path, [location], (datetime(2022, 1, 1, tzinfo=UTC), SPAN[1])).candidates(S2, location)
        assert {each.scene.id: each.scene.datetime for each in found} == {"0614": whens[0], "0614 (in 2023)": whens[1]}


def test_candidates_of_a_location_are_the_scenes_over_it(tmp_path, source_folder):
    locations = make_locations()
    found = searches(open_source(str(source_folder)), tmp_path, locations)
    for location in locations:
        candidates = found.candidates(S2, location)
        assert len(candidates) == 3
        assert all(candidate.covers and location.id in candidate.scene.id for candidate in candidates)


def test_a_square_is_asked_for_once_and_its_answer_saved(tmp_path, source_folder):
    locations = make_locations()
    source = Signing(open_source(str(source_folder)))
    found = searches(source, tmp_path, locations)
    for location in locations:
        found.candidates(S2, location)
    assert len(source.searches) == len(found.squares) == 1
    again = searches(source, tmp_path, locations)
    assert [c.scene.id for c in again.candidates(S2, locations[0])] == [c.scene.id for c in found.candidates(S2, locations[0])]
    assert len(source.searches) == 1


def test_a_saved_answer_outlives_its_source(tmp_path, source_folder):
    locations = make_locations()
    source = open_source(str(source_folder))
    fresh = searches(source, tmp_path, locations).candidates(S2, locations[0])
    saved = searches(source, tmp_path, locations).candidates(S2, locations[0])
    shutil.rmtree(source_folder)
    assert saved == fresh


def test_signatures_stay_in_memory(tmp_path, source_folder):
    locations = make_locations()
    found = searches(Signing(open_source(str(source_folder))), tmp_path, locations)
    scene = found.candidates(S2, locations[0])[0].scene
    assert scene.bands["B04"].href == "https://example.com/B04.tif?sig=hush&v=1"
    (path,) = (tmp_path / ".seastars" / "search" / S2).iterdir()
    assets = pq.read_table(path)["assets"].to_pylist()
    assert "hush" not in str(assets)
    assert assets[0]["B04"]["href"] == "https://example.com/B04.tif?v=1"


class Mosaics(Signing):
    """A source whose bands are put together from files behind signed addresses; it has others in each box."""

    def search(self, sensor, box, start, end):
        scenes = super().search(sensor, box, start, end)
        part = BandPart(
            str(len(self.searches)), SourceBand(f"https://example.com/{len(self.searches)}.tif?sig=hush", 2), bytes(3)
        )
        return [
            replace(s, bands={n: SourceBand(f"mosaic://a/b/c/{n}", parts=(part,)) for n in s.bands}, id="all")
            for s in scenes[:1]
        ]


def test_signatures_of_parts_stay_in_memory_too(tmp_path, source_folder):
    locations = make_locations()
    source = Mosaics(open_source(str(source_folder)))
    for signed in ("?sig=hush", ""):  # asked, then saved
        (found,) = searches(source, tmp_path, locations).candidates(S2, locations[0])
        (part,) = found.scene.bands["B04"].parts
        assert (part.band.href, part.band.index, part.footprint) == (f"https://example.com/1.tif{signed}", 2, bytes(3))
    (path,) = (tmp_path / ".seastars" / "search" / S2).iterdir()
    assert b"hush" not in path.read_bytes()
    assert "hush" not in str(pq.read_table(path).to_pylist())


def test_parts_from_both_sides_of_180_degrees_are_of_one_mosaic(tmp_path, source_folder, monkeypatch):
    locations = make_locations()
    monkeypatch.setattr("curate.search.location_boxes", lambda some: location_boxes(some) * 2)
    (found,) = searches(Mosaics(open_source(str(source_folder))), tmp_path, locations).candidates(S2, locations[0])
    hrefs = [part.band.href for part in found.scene.bands["B04"].parts]
    assert hrefs == [f"https://example.com/{number}.tif?sig=hush" for number in (1, 2)]


def test_the_same_answers_are_saved_as_the_same_bytes(tmp_path, source_folder):
    saved = []
    for name in "ab":
        searches(open_source(str(source_folder)), tmp_path / name, make_locations()).ensure(S2, "31TCJ")
        saved.append((tmp_path / name / ".seastars" / "search" / S2 / "31TCJ_20230101_20240101.parquet").read_bytes())
    assert saved[0] == saved[1]


def test_a_long_span_is_asked_year_by_year_and_a_lost_year_alone_is_asked_again(tmp_path, source_folder):
    locations = make_locations()
    source = Signing(open_source(str(source_folder)))
    span = (datetime(2021, 6, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    whole = searches(source, tmp_path, locations, span).candidates(S2, locations[0])
    folder = tmp_path / ".seastars" / "search" / S2
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "31TCJ_20210601T1200_20220601T1200.parquet",
        "31TCJ_20220601T1200_20230601T1200.parquet",
        "31TCJ_20230601T1200_20240101.parquet",
    ]
    (folder / names[1]).write_bytes(b"cut short")
    assert searches(source, tmp_path, locations, span).candidates(S2, locations[0]) == whole
    assert len(source.searches) == 4


def test_more_locations_in_a_square_ask_anew(tmp_path, source_folder):
    locations = make_locations()
    source = Signing(open_source(str(source_folder)))
    searches(source, tmp_path, locations[:1]).ensure(S2, "31TCJ")
    assert searches(source, tmp_path, locations).ensure(S2, "31TCJ") == 9
    assert len(source.searches) == 2


def test_an_answer_of_the_first_version_is_used_as_it_is(tmp_path, source_folder):
    locations = make_locations()
    scene = open_source(str(source_folder)).search(S2, location_boxes(locations)[0], *SPAN)[0]
    row = {key: value for key, value in asdict(scene).items() if value is not None}
    row["datetime"] = row["datetime"].isoformat()
    row["bands"] = {name: {key: band[key] for key in band if key != "parts"} for name, band in row["bands"].items()}
    path = tmp_path / ".seastars" / "search" / S2 / "31TCJ.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps([row]).encode()))
    source = Signing(open_source(str(source_folder)))
    assert searches(source, tmp_path, locations).scenes(S2, "31TCJ").scenes == [replace(scene, source=source.name)]
    assert source.searches == []


def test_scenes_over_many_squares_are_those_of_each(tmp_path):
    """Against shapely, one pair at a time."""
    rng = np.random.default_rng(3)
    epsg, bounds = squares_around(rng.uniform(1.6, 2.0, 20), rng.uniform(43.3, 43.9, 20), 9000)
    pairs = enumerate(zip(epsg, bounds, strict=True))
    locations = [Location(f"a-{i:06d}", int(e), tuple(int(v) for v in b)) for i, (e, b) in pairs]
    found = searches(open_source("simulated"), tmp_path, locations, (SPAN[0], SPAN[0] + timedelta(days=20)))
    square = "31TCJ"
    mine = [location for location in found.locations if grid_square(location) == square]
    scenes = found.scenes(S2, square)
    touching, covering = scenes.over(mine)
    assert 0 < covering.sum() < touching.sum() < touching.size
    for place, location in enumerate(mine):
        outline = shape(footprint(location)[0])
        for number, scene in enumerate(scenes.scenes):
            assert touching[place, number] == shape(scene.footprint).intersects(outline)
            assert covering[place, number] == shape(scene.footprint).covers(outline)


@pytest.mark.parametrize(("left_out_m", "is_covered"), [(0.01, True), (0.9, True), (5.0, False)])
def test_a_footprint_whose_rounded_edge_cuts_a_square_by_less_than_a_metre_covers_it(left_out_m, is_covered):
    location = Location("a-000000", 32631, (501_360, 5_629_080, 501_960, 5_629_680))
    (ring,) = footprint(location)[0]["coordinates"]
    middle, cut = sum(lat for _, lat in ring[:4]) / 4, left_out_m / 111_200
    shorter = {"type": "Polygon", "coordinates": [[[lon, lat - cut * (lat > middle)] for lon, lat in ring]]}
    scene = SourceScene("s", S2, shorter, {"B02": SourceBand("b")}, SPAN[0])
    touching, covering = SquareScenes.of([scene]).over([location])
    assert touching.tolist() == [[True]]
    assert covering.tolist() == [[is_covered]]


def test_boxes_hold_all_squares_and_split_at_the_antimeridian():
    locations = make_locations()
    ((west, south, east, north),) = location_boxes(locations)
    assert (west, east) == pytest.approx((1.436, 1.594), abs=0.001)
    assert south < 43.6 < north
    epsg, bounds = squares_around([179.95, -179.95, 179.9999], [-17.0, -17.0, -17.05], 2640)
    across = [
        Location(f"w-{i:06d}", int(e), tuple(int(v) for v in b)) for i, (e, b) in enumerate(zip(epsg, bounds, strict=True))
    ]
    east_side, west_side = location_boxes(across)
    assert east_side[0] == pytest.approx(179.937, abs=0.002)
    assert (east_side[2], west_side[0]) == (180.0, -180.0)
    assert west_side[2] == pytest.approx(-179.937, abs=0.002)


class Halting(Signing):
    """A source that does not answer while it is told not to."""

    is_down = False

    def search(self, sensor, box, start, end):
        if self.is_down:
            raise SourceUnavailableError("one answers 503. Run the same command again later.")
        return super().search(sensor, box, start, end)

    def sensors(self):
        return [S2]


@pytest.fixture
def halting(source_folder):
    one, two = Halting(open_source(str(source_folder))), Signing(open_source(str(source_folder)))
    one.name, two.name, two.sensors = "one", "two", lambda: [S2]
    one.skipped = two.skipped = {}
    return one, FailoverSource([one, two])


def test_an_answer_that_lacks_a_source_counts_for_the_run_and_no_longer(tmp_path, halting):
    """Also where the square's scenes leave the memory in between, and though the source is back by then."""
    locations = make_locations(2)
    one, both = halting
    one.is_down = True
    first = searches(both, tmp_path, locations)
    assert [c.scene.source for c in first.candidates(S2, locations[0])] == ["two"] * 3
    (count, why) = first.unanswered["one"]
    assert (count, "503" in str(why), first.is_answered(locations[0])) == (1, True, False)
    one.is_down = False
    first._load.cache_clear()
    assert [c.scene.source for c in first.candidates(S2, locations[0])] == ["two"] * 3
    again = searches(both, tmp_path, locations)
    assert [c.scene.source for c in again.candidates(S2, locations[0])] == ["one", "two"] * 3
    assert (again.unanswered, again.is_answered(locations[0])) == ({}, True)


def test_an_answer_of_all_sources_is_kept_though_one_is_down_later(tmp_path, halting):
    locations = make_locations(2)
    one, both = halting
    assert searches(both, tmp_path, locations).ensure(S2, "31TCJ") == 12
    one.is_down = True
    later = searches(both, tmp_path, locations)
    assert later.ensure(S2, "31TCJ") == 12
    assert later.unanswered == {}


def test_where_no_source_answers_nothing_is_saved(tmp_path, halting):
    one, _ = halting
    one.is_down = True
    with pytest.raises(SourceUnavailableError, match="No source answers that may have it"):
        searches(FailoverSource([one, _named_three(one)]), tmp_path, make_locations(2)).ensure(S2, "31TCJ")
    assert not list((tmp_path / ".seastars").rglob("*.parquet"))


def _named_three(source):
    other = Halting(source)
    other.name, other.skipped, other.is_down = "three", {}, True
    return other

"""Searches: one per square, saved without secrets, reused; boxes on both sides of the antimeridian."""

import gzip
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalogs.lattice import squares_around
from catalogs.records import Location
from catalogs.testing import make_catalog, make_locations
from curate.search import Searches, location_boxes
from curate.sources import open_source

SPAN = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
S2 = "sentinel-2-l2a"


@pytest.fixture
def source_folder(tmp_path):
    return make_catalog(tmp_path / "source", seasons=3)


class Signing:
    """A source that signs the addresses it hands out, as Planetary Computer's do."""

    simulated = False

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
    text = gzip.decompress(path.read_bytes()).decode()
    assert "hush" not in text
    assert json.loads(text)[0]["bands"]["B04"]["href"] == "https://example.com/B04.tif?v=1"


def test_the_same_answers_are_saved_as_the_same_bytes(tmp_path, source_folder):
    saved = []
    for name in "ab":
        searches(open_source(str(source_folder)), tmp_path / name, make_locations()).ensure(S2, "31TCJ")
        saved.append((tmp_path / name / ".seastars" / "search" / S2 / "31TCJ.json.gz").read_bytes())
    assert saved[0] == saved[1]


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

"""The forecast of a build from its searches: what it counts, and that it adds up square by square."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from catalogs.bands import find_sensor
from catalogs.console import progress
from catalogs.lattice import grid_square, squares_around
from catalogs.records import Location
from curate.assemble import Wanted
from curate.choose import in_window, merge_copies
from curate.estimate import expect_visits
from curate.file_shapes import usual_shapes
from curate.offsets import UNTOLD
from curate.plan import WITHIN, Forecast, SensorForecast, forecast, sample_scene
from curate.search import Searches
from curate.seasons import SeasonPlan
from curate.sources import open_source

S2, S1 = "sentinel-2-l2a", "sentinel-1-rtc"
PLAN = SeasonPlan(date(2023, 3, 1), date(2023, 5, 1), seasons=2)


def quiet(total, description):
    return progress(total, description, quiet=True)


def wanted(*sensors, **more):
    return Wanted({sensor: find_sensor(sensor).bands for sensor in sensors or (S2,)}, PLAN, **more)


@pytest.fixture(scope="module")
def locations():
    """Twelve about the corner of two grid squares."""
    lon, lat = [1.55 + 0.02 * n for n in range(12)], [43.6 + 0.013 * (n % 5) for n in range(12)]
    epsg, bounds = squares_around(lon, lat, 2640)
    pairs = enumerate(zip(epsg, bounds, strict=True))
    return [Location(f"a-{n:06d}", int(e), tuple(int(v) for v in b), "train") for n, (e, b) in pairs]


@pytest.fixture(scope="module")
def source():
    return open_source("simulated")


def predict(source, locations, *, todo=None, want=None, shapes=None, as_json=False, folder=Path("nowhere")):
    want = want or wanted()
    searches = Searches(source, folder, locations, want.plan.span)
    found = {sensor: usual_shapes(sensor, bands) for sensor, bands in want.sensors.items()} if shapes is None else shapes
    return forecast(searches, want, todo or dict.fromkeys(locations), found, watch=quiet, as_json=as_json)


def test_looks_and_patches_are_the_sums_of_every_location_and_season(source, locations):
    """Against each location by itself, with nothing shared."""
    told = predict(source, locations).sensors[S2]
    searches = Searches(source, Path("nowhere"), locations, PLAN.span)
    looks = patches = 0.0
    seen = set()
    for location in locations:
        candidates = searches.candidates(S2, location)
        seen |= {candidate.scene.id for candidate in candidates}
        for window in PLAN.windows(location.id):
            inside = {S2: in_window(merge_copies(candidates, location.zone), window)}
            visits = expect_visits(inside, max_cloud=10.0, max_delta_days=None)[S2]
            looks += sum(visit.look for visit in visits)
            patches += sum(visit.keep for visit in visits)
    assert told.looks == pytest.approx(looks)
    assert told.patches == pytest.approx(patches)
    assert told.candidates == len(seen)
    assert 0 < told.scenes < len(seen)
    assert 16 < patches <= 24


def test_grid_squares_add_up(source, locations):
    squares = {grid_square(location) for location in locations}
    assert len(squares) == 2
    whole = predict(source, locations).sensors[S2]
    parts = [
        predict(source, locations, todo={place: None for place in locations if grid_square(place) == square}).sensors[S2]
        for square in squares
    ]
    assert sum(part.patches for part in parts) == pytest.approx(whole.patches)
    assert sum(part.requests for part in parts) >= whole.requests - 1e-6
    assert sum(part.bytes for part in parts) == pytest.approx(whole.bytes, rel=0.05)
    assert max(part.candidates for part in parts) <= whole.candidates <= sum(part.candidates for part in parts)


def test_only_what_is_to_do_counts(source, locations):
    everything = predict(source, locations)
    rest = predict(source, locations, todo={locations[0]: frozenset({1}), locations[1]: None})
    assert (everything.locations, everything.seasons) == (12, 24)
    assert (rest.locations, rest.seasons) == (2, 3)
    assert rest.bytes < everything.bytes / 4
    nothing = predict(source, locations, todo={locations[0]: frozenset()})
    assert (nothing.seasons, nothing.bytes, nothing.requests) == (0, 0, 0)


def test_a_location_alone_costs_the_blocks_that_a_random_window_touches(source, locations):
    """(1 + (w - 1) / b)^2 blocks per band in the mean: 16 for the 12 bands of Sentinel-2 (facts of curation, 4.2)."""
    told = [predict(source, locations, todo={location: None}).sensors[S2] for location in locations]
    blocks = [each.bytes / each.patches / (1.36 * 1024**2) for each in told]
    assert sum(blocks) / len(blocks) == pytest.approx(16.1, rel=0.2)


def test_neighbours_share_blocks_and_headers(source, locations):
    twice = [location for place in locations for location in (place, replace(place, id=f"{place.id}-again"))]
    one, two = predict(source, locations).sensors[S2], predict(source, twice).sensors[S2]
    assert two.patches == pytest.approx(2 * one.patches)
    assert two.bytes < 1.5 * one.bytes
    assert two.disk_bytes == pytest.approx(2 * one.disk_bytes)


def test_each_file_of_a_scene_that_is_read_costs_its_header_once(source, locations):
    whole = predict(source, locations).sensors[S2]
    shapes = usual_shapes(S2, find_sensor(S2).bands)
    bare = predict(source, locations, shapes={S2: [replace(shape, header_bytes=0) for shape in shapes]}).sensors[S2]
    headers, mask_headers = whole.requests - bare.requests, whole.mask_requests - bare.mask_requests
    assert 0 < headers <= 12 * mask_headers
    assert mask_headers <= whole.scenes
    assert whole.bytes - bare.bytes == pytest.approx(headers * 16_384)
    assert whole.mask_bytes - bare.mask_bytes == pytest.approx(mask_headers * 16_384)


def test_pairs_are_planned_together(source, locations):
    told = predict(source, locations[:3], want=wanted(S2, S1, max_delta_days=3.0))
    assert told.sensors[S2].patches == pytest.approx(told.sensors[S1].patches)
    assert told.sensors[S1].mask_bytes == 0
    assert told.bytes == pytest.approx(sum(each.bytes + each.mask_bytes for each in told.sensors.values()))
    assert told.hours(mbps=100) == pytest.approx(told.bytes * 8 / 100e6 / 3600)


def test_a_forecast_comes_with_a_range_of_items_and_of_what_they_cost(source, locations):
    told = predict(source, locations)
    fewest, most = told.items
    assert 0 < fewest < told.total("patches") < most <= told.seasons
    for name, expected in (("requests", told.requests), ("bytes", told.bytes)):
        low, high = told.likely(name)
        assert low < expected / WITHIN
        assert high > expected * WITHIN
    assert not told.is_local


def test_whole_products_that_are_fetched_for_their_masks_cost_no_less_where_they_are_cloudy():
    whole = SensorForecast(looks=1.0, patches=0.6, requests=1.0, bytes=1e9)
    by_blocks = replace(whole, mask_bytes=10.0)
    low, high = (Forecast(1, 1, {S2: each}, found=(0, 1)).likely("bytes")[0] for each in (by_blocks, whole))
    assert low == pytest.approx(10 / WITHIN)
    assert high == pytest.approx(1e9 / WITHIN)


def test_of_pairs_the_range_counts_the_items_of_both(source, locations):
    told = predict(source, locations[:3], want=wanted(S2, S1, max_delta_days=3.0))
    assert told.items == tuple(2 * count for count in told.found)
    assert told.items[0] <= told.total("patches") <= told.items[1]


def test_what_lies_on_this_machine_is_known(source, locations):
    here = [replace(shape, is_local=True) for shape in usual_shapes(S2, find_sensor(S2).bands)]
    assert predict(source, locations[:3], shapes={S2: here}).is_local
    assert not predict(source, locations[:3], shapes={S2: [replace(here[0], is_local=False), *here[1:]]}).is_local
    assert not predict(source, locations[:3], shapes={}).is_local


class Unmasked:
    """Scenes without a mask, whose cover nobody states."""

    name, simulated, skipped = "https://stac.example.org", False, {}

    def __init__(self, source):
        self._source = source

    def search(self, *asked):
        found = self._source.search(*asked)
        return [
            replace(
                scene, simulated=False, source=self.name, cloud_percent=None,
                bands={name: band for name, band in scene.bands.items() if name != "scl"},
            )
            for scene in found
        ]  # fmt: skip


def test_scenes_that_are_judged_by_their_pixels_cost_more_than_one_a_season(source, locations, tmp_path):
    told = predict(Unmasked(source), locations[:1], want=wanted(radiometry="keep"), folder=tmp_path)
    sensor = told.sensors[S2]
    assert sensor.patches == pytest.approx(2, abs=0.1)
    assert sensor.scenes > 1.5 * sensor.patches
    assert sensor.looks == 0
    radar = predict(source, locations[:1], want=wanted(S1), folder=tmp_path / "radar").sensors[S1]
    assert radar.scenes == pytest.approx(radar.patches, abs=0.01)


def test_without_files_there_is_nothing_to_fetch(source, locations):
    told = predict(source, locations[:3], shapes={})
    assert (told.bytes, told.requests) == (0, 0)
    assert told.total("disk_bytes") > 1e6
    assert predict(source, locations[:3], shapes={}, as_json=True).total("disk_bytes") > told.total("disk_bytes")


class Doubted:
    """Scenes with an offset that nobody vouches for."""

    name, simulated, skipped = "https://stac.example.org", False, {}

    def __init__(self, source):
        self._source = source

    def search(self, *asked):
        return [replace(scene, simulated=False, source=self.name) for scene in self._source.search(*asked)]


def test_scenes_whose_offset_is_in_doubt_cost_another_date_and_themselves_once_more(source, locations, tmp_path):
    there = locations[:1]
    sure = predict(Doubted(source), there, want=wanted(radiometry="keep"), folder=tmp_path).sensors[S2]
    doubted = predict(Doubted(source), there, want=wanted(radiometry="strict"), folder=tmp_path).sensors[S2]
    assert sure.proofs == predict(source, there).sensors[S2].proofs == 0
    assert doubted.patches == pytest.approx(sure.patches)
    assert doubted.proofs == pytest.approx(UNTOLD * doubted.patches, rel=0.01)
    assert doubted.looks == pytest.approx(sure.looks + doubted.proofs)
    assert sure.bytes < doubted.bytes < (1 + 2 * UNTOLD + 0.01) * sure.bytes
    assert doubted.bytes > (1 + UNTOLD) * sure.bytes
    assert doubted.disk_bytes == pytest.approx(sure.disk_bytes)


def test_an_empty_plan_is_a_plan(source, locations):
    searches = Searches(source, Path("nowhere"), locations, PLAN.span)
    told = forecast(searches, wanted(), {}, {}, watch=quiet, as_json=False)
    assert (told.locations, told.seasons, told.bytes) == (0, 0, 0)


def test_the_sample_is_the_clearest_scene_of_the_middle_square(source, locations):
    searches = Searches(source, Path("nowhere"), locations, PLAN.span)
    square = sorted({grid_square(location) for location in locations})[1]
    best = sample_scene(searches, S2, dict.fromkeys(locations))
    assert best.cloud_percent == min(scene.cloud_percent for scene in searches.scenes(S2, square).scenes)
    assert sample_scene(searches, S2, {}) is None

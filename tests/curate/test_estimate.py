"""What is expected before a pixel is seen, against draws followed by hand and against blocks counted one by one."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from catalogs.foreign import SourceBand, SourceScene
from curate.choose import Candidate, order_combinations
from curate.estimate import FileShape, Visit, clear_chance, expect_blocks, expect_visits, log_left_out

S2, S1 = "sentinel-2-l2a", "sentinel-1-rtc"
DAY = datetime(2023, 6, 1, tzinfo=UTC)


def candidate(sensor, number, cloud=None, *, covers=True, days=None):
    bands = {"B02": SourceBand("b"), "scl": SourceBand("m")} if sensor == S2 else {"vv": SourceBand("v")}
    when = DAY + timedelta(days=number if days is None else days)
    return Candidate(SourceScene(f"{sensor}-{number}", sensor, {}, bands, when, cloud_percent=cloud), covers)


def expect(by_sensor, max_cloud=10.0, max_delta_days=None):
    return expect_visits(by_sensor, max_cloud=max_cloud, max_delta_days=max_delta_days)


def test_cloudier_scenes_are_less_likely_clear_and_a_higher_limit_helps():
    chances = [clear_chance(cloud, 10.0) for cloud in range(0, 101, 5)]
    assert chances == sorted(chances, reverse=True)
    assert 0.85 < chances[0] < 1
    assert chances[-1] < 0.001
    limits = [clear_chance(40.0, limit) for limit in (0.0, 5.0, 10.0, 50.0, 100.0)]
    assert limits == sorted(limits)
    assert (limits[0], limits[-1]) == (0.0, 1.0)


def test_where_no_cover_is_stated_the_chance_is_that_of_real_dates():
    """67 of the archive's 144 dates are clear, whatever their cover."""
    assert clear_chance(None, 10.0) == pytest.approx(67 / 144, abs=0.02)
    assert clear_chance(None, 100.0) == 1.0


def test_chances_are_those_that_were_measured():
    """P(at most 10 % not clear) of 1,308 squares of the simulated world, by the cover that its scenes state."""
    measured = {4: 0.86, 9: 0.62, 23: 0.43, 39: 0.26, 59: 0.16, 80: 0.03}
    for cloud, chance in measured.items():
        assert clear_chance(float(cloud), 10.0) == pytest.approx(chance, abs=0.13)


def test_of_one_sensor_each_candidate_waits_for_those_before_it_to_fail():
    found = [candidate(S2, 0, 60.0), candidate(S2, 1, 5.0), candidate(S2, 2, 30.0)]
    first, second, third = (clear_chance(cloud, 10.0) for cloud in (5.0, 30.0, 60.0))
    worst, best, middle = expect({S2: found})[S2]
    assert best == Visit(1.0, first, first)
    assert middle.look == pytest.approx(1 - first)
    assert middle.keep == pytest.approx((1 - first) * second)
    assert worst.look == pytest.approx((1 - first) * (1 - second))
    assert worst.fetch == worst.keep == pytest.approx((1 - first) * (1 - second) * third)


def test_a_scene_that_does_not_cover_the_square_is_looked_at_and_not_fetched():
    part, whole = expect({S2: [candidate(S2, 0, 0.0, covers=False), candidate(S2, 1, 50.0)]})[S2]
    assert (part.look, part.fetch, part.keep) == (1.0, 0.0, 0.0)
    assert whole.look == 1.0
    assert expect({S2: [candidate(S2, 0, 0.0, covers=False)]}, max_cloud=100.0)[S2][0].keep == 1.0


def test_without_a_mask_nothing_is_looked_at_and_a_part_is_fetched_in_vain():
    part, whole = expect({S1: [candidate(S1, 0, covers=False), candidate(S1, 1)]})[S1]
    assert part == Visit(0.0, 1.0, 0.0)
    assert whole == Visit(0.0, 1.0, 1.0)


def test_a_scene_that_is_judged_by_its_pixels_is_fetched_before_that_shows():
    found = [
        replace(one, scene=replace(one.scene, bands={"B02": SourceBand("b")})) for one in (candidate(S2, 0), candidate(S2, 1))
    ]
    clear = clear_chance(None, 10.0)
    first, second = expect_visits({S2: found}, max_cloud=10.0, max_delta_days=None, judged={S2})[S2]
    assert first == Visit(0.0, 1.0, clear)
    assert second == Visit(0.0, 1 - clear, pytest.approx((1 - clear) * clear))
    assert expect({S2: found})[S2][0] == Visit(0.0, 1.0, 1.0)


def test_of_two_sensors_one_that_is_judged_by_its_pixels_may_turn_out_cloudy():
    found = [
        replace(one, scene=replace(one.scene, bands={"B02": SourceBand("b")})) for one in (candidate(S2, 0), candidate(S2, 1))
    ]
    both = {S2: found, S1: [candidate(S1, 0)]}
    told = expect_visits(both, max_cloud=10.0, max_delta_days=9.0, judged={S2})
    assert 0.4 < sum(visit.keep for visit in told[S1]) < 0.95
    assert told[S2][1].fetch < told[S2][0].fetch == 1.0


def test_where_a_sensor_has_no_scene_nothing_is_read():
    assert expect({S2: [candidate(S2, 0, 0.0)], S1: []}) == {S2: [Visit(0.0, 0.0, 0.0)], S1: []}


def test_of_two_sensors_the_mean_of_many_draws_is_given():
    """Against plain draws, each followed combination by combination."""
    found = {
        S2: [candidate(S2, n, cloud) for n, cloud in enumerate((80.0, 20.0, 50.0, 5.0))],
        S1: [candidate(S1, n, days=3 * n + 1) for n in range(3)],
    }
    rng = np.random.default_rng(5)
    looked, kept = np.zeros(4), np.zeros(4)
    draws = 4000
    for _ in range(draws):
        is_clear = {c.scene.id: rng.random() < clear_chance(c.scene.cloud_percent, 10.0) for c in found[S2]}
        seen = set()
        for optical, _ in order_combinations(found, 4.0, lambda _: True):
            seen.add(optical.scene.id)
            if is_clear[optical.scene.id]:
                kept[found[S2].index(optical)] += 1
                break
        else:
            seen = set(is_clear)
        looked += [c.scene.id in seen for c in found[S2]]
    visits = expect(found, max_delta_days=4.0)
    assert [visit.look for visit in visits[S2]] == pytest.approx(looked / draws, abs=0.25)
    assert [visit.keep for visit in visits[S2]] == pytest.approx(kept / draws, abs=0.25)
    assert sum(visit.keep for visit in visits[S2]) == pytest.approx(sum(visit.keep for visit in visits[S1]))
    assert all(visit.look == 0 for visit in visits[S1])
    assert visits == expect(found, max_delta_days=4.0)


def test_of_very_many_combinations_all_masks_are_looked_at(monkeypatch):
    found = {S2: [candidate(S2, n, 50.0) for n in range(40)], S1: [candidate(S1, n) for n in range(40)]}
    few = expect(found, max_delta_days=30.0)
    monkeypatch.setattr("curate.choose.MANY", 1000)
    many = expect(found, max_delta_days=30.0)
    assert {visit.look for visit in many[S2]} == {1.0}
    assert {visit.look for visit in many[S1]} == {0.0}
    assert sum(visit.look for visit in few[S2]) < 20
    for visits in (few, many):
        assert sum(visit.keep for visit in visits[S2]) == pytest.approx(1.0)
        assert sum(visit.keep for visit in visits[S1]) == pytest.approx(1.0)


SHAPE = FileShape(
    bands=("B02",), is_mask=False, gsd=10, corner_xy=(500_000.0, 5_000_000.0), block_px=(128, 128), blocks=10_000, across=100,
    block_bytes=1_000_000.0, decoded_bytes=32_768.0, header_bytes=16_384,
)  # fmt: skip


def squares(count, seed=0, reach=12_000):
    rng = np.random.default_rng(seed)
    left, top = 500_000 + 10 * rng.integers(0, reach // 10, count), 5_000_000 - 10 * rng.integers(0, reach // 10, count)
    return np.stack([left, top - 2640, left + 2640, top], axis=1).astype(float)


def blocks_of(bounds, wanted):
    """Blocks and ranges of neighbours that some squares need, by the pixel."""
    found = set()
    for left, bottom, right, top in bounds[wanted]:
        columns = {int((x - 500_000) // 1280) for x in np.arange(left, right, 10)}
        rows = {int((5_000_000 - y) // 1280) for y in np.arange(top, bottom, -10)}
        found |= {(row, column) for row in rows for column in columns}
    return len(found), sum((row, column - 1) not in found for row, column in found)


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_blocks_that_are_surely_wanted_are_counted_exactly(count):
    bounds = squares(count, seed=count)
    blocks, ranges = expect_blocks(replace(SHAPE, block_bytes=1.0), bounds, np.full((count, 1), log_left_out(1.0)))
    expected = blocks_of(bounds, np.ones(count, bool))
    assert (blocks[0], ranges[0]) == pytest.approx(expected, abs=1e-3)


def test_blocks_that_may_be_wanted_are_the_mean_of_draws():
    bounds, chances = squares(12, seed=4), np.linspace(0.05, 0.6, 12)
    rng = np.random.default_rng(0)
    mean = np.mean([blocks_of(bounds, rng.random(12) < chances) for _ in range(600)], axis=0)
    left_out = np.array([[log_left_out(chance)] for chance in chances])
    blocks, ranges = expect_blocks(replace(SHAPE, block_bytes=1.0), bounds, left_out)
    assert (blocks[0], ranges[0]) == pytest.approx(tuple(mean), rel=0.06)


def test_scenes_are_counted_each_by_itself():
    bounds = squares(9)
    left_out = np.random.default_rng(1).uniform(-3, 0, (9, 3))
    together = expect_blocks(SHAPE, bounds, left_out)
    alone = [expect_blocks(SHAPE, bounds, left_out[:, [scene]]) for scene in range(3)]
    for part in (0, 1):
        assert together[part] == pytest.approx([each[part][0] for each in alone])


def test_no_more_blocks_than_a_file_has_and_long_runs_take_several_requests():
    bounds = squares(40)
    sure = np.full((40, 1), log_left_out(1.0))
    assert expect_blocks(replace(SHAPE, blocks=4), bounds, sure)[0][0] == 4
    small, large = (expect_blocks(replace(SHAPE, block_bytes=size), bounds, sure) for size in (1e3, 3e6))
    assert small[0][0] == large[0][0]
    assert large[1][0] == large[0][0] > small[1][0]


def test_rows_of_strips_follow_each_other_in_one_request():
    """A file of one block in each row, as loose GeoTIFFs are: what a square touches lies together."""
    strips = replace(SHAPE, block_px=(8, 10_000), across=1, blocks=1_000, block_bytes=1_000.0)
    blocks, ranges = expect_blocks(strips, squares(1), np.full((1, 1), log_left_out(1.0)))
    assert (blocks[0], ranges[0]) == (pytest.approx(33, abs=1), pytest.approx(1))


def test_whole_rows_of_blocks_follow_each_other_in_one_request():
    tiles = replace(SHAPE, block_px=(200, 200), across=2, blocks=4, block_bytes=1_000.0)
    whole = np.array([[500_000.0, 4_996_000.0, 504_000.0, 5_000_000.0]])
    blocks, ranges = expect_blocks(tiles, whole, np.full((1, 1), log_left_out(1.0)))
    assert (blocks[0], ranges[0]) == pytest.approx((4, 1))


def test_what_is_surely_wanted_stays_finite():
    assert math.isfinite(log_left_out(1.0))
    assert log_left_out(0.0) == 0.0
    assert log_left_out(0.5) == pytest.approx(math.log(0.5))

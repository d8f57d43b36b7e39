"""Who is trained on, in which order, and which dates are drawn: against plain loops, and pure in what they hang on."""

from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tests.train.places import make_places
from train.draws import location_key, uniforms
from train.errors import DataError
from train.samples import describe_left_out, find_samples

SEASONS = {f"place-{number:03d}": list(range(0, 90 * (2 + number % 4), 90)) for number in range(40)}
"""Forty locations with 2, 3, 4 and 5 dates in turn."""
MANY = {f"place-{number:05d}": (0, 90, 180, 270, 360) for number in range(20_000)}


@pytest.fixture(scope="module")
def samples():
    return find_samples(make_places(SEASONS), dates=2)


@pytest.fixture(scope="module")
def many():
    """Twenty thousand locations of five dates, as SeCo has them."""
    return find_samples(make_places(MANY, size_px=2), dates=3)


def plain_samples(stack, *, dates):
    """{location: [(item, day)]} of those with enough dates, and how many others have how many: one row at a time."""
    rows = stack.items.to_pylist()
    untold = all(row["split"] == "none" for row in rows)
    found = {}
    for item, row in enumerate(rows):
        if untold or row["split"] == "train":
            day = ((row["datetime"] or row["start_datetime"]).date() - date(1970, 1, 1)).days
            found.setdefault(row["location"], []).append((item, day))
    counts = {location: len({day for _, day in items}) for location, items in found.items()}
    kept = {location: found[location] for location in sorted(found) if counts[location] >= dates}
    return kept, Counter(count for count in counts.values() if count < dates)


@pytest.mark.parametrize("dates", [1, 2, 3, 4])
def test_samples_are_those_of_a_plain_loop(dates):
    rng = np.random.default_rng(dates)
    names = rng.permutation([f"place-{number:02d}" for number in range(30)]).tolist()
    days = {name: rng.integers(0, 4, rng.integers(1, 6)) + rng.uniform(0, 0.999) for name in names}
    split = {name: ("train", "val", "test", "train")[int(name[-2:]) % 4] for name in names}
    stack = make_places(days, split=split, vintage=names[:5])
    stack = replace(stack, items=stack.items.take(pa.array(rng.permutation(len(stack)))))
    kept, left_out = plain_samples(stack, dates=dates)
    samples = find_samples(stack, dates=dates)
    assert samples.locations == tuple(kept)
    assert len(samples) == len(kept)
    assert samples.keys.tolist() == [location_key(name) for name in kept]
    assert samples.left_out == left_out
    for number, items in enumerate(kept.values()):
        mine = slice(*samples.starts[number : number + 2])
        assert list(zip(samples.items[mine].tolist(), samples.days[mine].tolist(), strict=True)) == items
    assert samples.starts[-1] == len(samples.items) == len(samples.days)


def test_only_the_train_split_is_trained_on():
    split = {name: ("train", "val", "test")[number % 3] for number, name in enumerate(SEASONS)}
    samples = find_samples(make_places(SEASONS, split=split), dates=2)
    assert samples.locations == tuple(name for name in SEASONS if split[name] == "train")
    assert samples.left_out == {}, "those of other splits are not wanting"


def test_all_locations_are_trained_on_where_there_are_no_splits():
    assert find_samples(make_places(SEASONS, split="none"), dates=2).locations == tuple(SEASONS)


def test_a_location_without_a_split_is_left_out_where_others_have_one():
    split = {name: "none" if number % 2 else "train" for number, name in enumerate(SEASONS)}
    assert find_samples(make_places(SEASONS, split=split), dates=2).locations == tuple(SEASONS)[::2]


def test_a_catalog_without_a_train_split_is_refused_with_its_splits():
    split = {name: "val" if number % 4 else "test" for number, name in enumerate(SEASONS)}
    words = r"no sentinel-2-l2a item of the train split to train on; its splits are \{'test': 20, 'val': 120\}. Sample"
    with pytest.raises(DataError, match=words):
        find_samples(make_places(SEASONS, split=split), dates=2)


def test_locations_with_too_few_dates_are_counted_by_their_dates():
    assert find_samples(make_places(SEASONS), dates=4).left_out == {2: 10, 3: 10}
    words = describe_left_out({1: 1, 2: 1200, 3: 2})
    assert words == "1 location has 1 date, 1,200 locations have 2 dates, 2 locations have 3 dates"


def test_two_items_of_one_day_are_one_date():
    stack = make_places({"a": (3, 3.1, 3.9), "b": (3, 4)})
    assert find_samples(stack, dates=1).left_out == {}
    samples = find_samples(stack, dates=2)
    assert samples.locations == ("b",)
    assert samples.left_out == {1: 1}


def test_nobody_with_enough_dates_is_an_error_that_counts_how_many_have_how_many():
    words = (
        "No location has the 6 dates that this method needs: 10 locations have 2 dates, 10 locations have 3 dates, "
        r"10 locations have 4 dates, 10 locations have 5 dates. Build more seasons \(curate build --seasons 6\), or train moco"
    )
    with pytest.raises(DataError, match=words):
        find_samples(make_places(SEASONS), dates=6)


def test_an_order_is_a_permutation_and_another_one_in_every_epoch_and_seed(samples):
    orders = [samples.order(seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert all(sorted(order.tolist()) == list(range(40)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 3
    assert samples.order(0, 1).tolist() == orders[1].tolist()


def test_the_order_of_some_locations_does_not_hang_on_which_others_there_are():
    whole = find_samples(make_places(SEASONS), dates=2)
    fewer = find_samples(make_places(SEASONS), dates=4)
    order = [whole.locations[number] for number in whole.order(3, 5)]
    assert [name for name in order if name in fewer.locations] == [fewer.locations[number] for number in fewer.order(3, 5)]


@pytest.mark.parametrize("distinct", [True, False])
def test_drawn_items_do_not_hang_on_the_batch_or_its_parts(samples, distinct):
    """Locations of 2 to 5 dates draw the same beside one another as alone."""
    chosen = samples.order(0, 0)
    settings = {"seed": 1, "epoch": 4, "distinct": distinct}
    whole = samples.draw_items(chosen, 2, **settings)
    parts = [samples.draw_items(part, 2, **settings) for part in np.split(chosen, [1, 8, 30])]
    assert np.concatenate(parts).tolist() == whole.tolist()
    alone = [samples.draw_items(chosen[place : place + 1], 2, **settings)[0].tolist() for place in range(len(chosen))]
    assert alone == whole.tolist()


def test_drawn_items_do_not_hang_on_which_other_locations_the_catalog_has(samples):
    fewer = find_samples(make_places({name: SEASONS[name] for name in list(SEASONS)[10:20]}), dates=2)
    ours = np.arange(10, 20)
    for distinct in (True, False):
        settings = {"seed": 1, "epoch": 4, "distinct": distinct}
        whole = samples.draw_items(ours, 2, **settings) - samples.starts[ours][:, None]
        alone = fewer.draw_items(np.arange(10), 2, **settings) - fewer.starts[:-1][:, None]
        assert whole.tolist() == alone.tolist()


def test_drawn_items_are_the_locations_own(samples):
    chosen = samples.order(0, 0)
    for distinct in (True, False):
        places = samples.draw_items(chosen, 2, seed=0, epoch=0, distinct=distinct)
        assert (places >= samples.starts[chosen][:, None]).all()
        assert (places < samples.starts[chosen + 1][:, None]).all()


def test_fewer_items_are_the_first_of_more(samples):
    chosen = np.flatnonzero(np.diff(samples.starts) == 5)
    three = samples.draw_items(chosen, 3, seed=0, epoch=0)
    assert samples.draw_items(chosen, 1, seed=0, epoch=0).tolist() == three[:, :1].tolist()


def test_each_epoch_and_each_seed_draws_anew(many):
    chosen = np.arange(2000)
    draws = [many.draw_items(chosen, 3, seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = (draws[one] == draws[other]).all(axis=1).mean()
        assert same == pytest.approx(1 / 60, abs=0.012), "60 ways to draw three of five in order"


@pytest.mark.parametrize(("distinct", "share"), [(False, 0.52), (True, 0.0)])
def test_repeated_dates_are_the_papers_with_replacement_and_none_without(many, distinct, share):
    """methods.md 1.1: three of five dates with replacement repeat one in 1 - 5 * 4 * 3 / 125 = 52 % of the samples."""
    places = many.draw_items(np.arange(len(many)), 3, seed=0, epoch=0, distinct=distinct)
    days = many.days[places]
    repeats = np.array([len(set(row)) < 3 for row in days.tolist()]).mean()
    assert repeats == pytest.approx(share, abs=0.015 if share else 0.0)


@pytest.mark.parametrize(("distinct", "share"), [(False, 0.2), (True, 0.0)])
def test_each_key_shares_the_date_of_the_query_as_often_as_the_paper_says(many, distinct, share):
    days = many.days[many.draw_items(np.arange(len(many)), 3, seed=1, epoch=0, distinct=distinct)]
    for key in (1, 2):
        assert (days[:, 0] == days[:, key]).mean() == pytest.approx(share, abs=0.012 if share else 0.0)


@pytest.mark.parametrize("distinct", [True, False])
def test_every_date_is_drawn_equally_often_at_every_place(many, distinct):
    places = many.draw_items(np.arange(len(many)), 3, seed=2, epoch=1, distinct=distinct)
    numbers = places - many.starts[:-1][:, None]
    for column in numbers.T:
        assert np.bincount(column, minlength=5) / len(many) == pytest.approx(np.full(5, 0.2), abs=0.012)


def test_distinct_items_are_of_distinct_days_even_where_days_have_several_items():
    days = {f"place-{number:03d}": (0, 0.1, 0.2, 0.3, 0.4, 90, 90.5, 180) for number in range(300)}
    samples = find_samples(make_places(days, size_px=2), dates=3)
    places = samples.draw_items(np.arange(300), 3, seed=0, epoch=0)
    drawn = samples.days[places]
    assert all(len(set(row)) == 3 for row in drawn.tolist())
    firsts = Counter((places - samples.starts[:-1][:, None])[:, 0].tolist())
    assert set(firsts) == set(range(8)), "every item of every day can come"


def test_distinct_draws_are_those_of_a_plain_loop(samples):
    """The items in the order of their numbers; of a day that was taken, none again."""
    chosen = np.array([7, 3, 0, 39, 12])
    sizes = np.diff(samples.starts)[chosen]
    for number, size, places in zip(chosen, sizes, samples.draw_items(chosen, 2, seed=5, epoch=6), strict=True):
        draws = uniforms(5, "scenes", epoch=6, locations=samples.keys[[number]], view=0, count=int(size))[0].tolist()
        taken = []
        for _, item in sorted((draw, item) for item, draw in enumerate(draws)):
            place = int(samples.starts[number]) + item
            if samples.days[place] not in samples.days[taken]:
                taken.append(place)
        assert places.tolist() == taken[:2]


def test_each_of_several_sensors_draws_dates_of_its_own(samples):
    chosen = np.arange(len(samples))
    plain, sentinel, spot = (
        samples.draw_items(chosen, 1, seed=7, epoch=0, sensor=sensor)[:, 0] for sensor in (None, "sentinel-2-l2a", "spot-ortho")
    )
    for one, other in ((plain, sentinel), (sentinel, spot)):
        assert 0.15 < np.mean(one == other) < 0.55, "a third, by chance"


def test_some_locations_keep_their_items_and_their_draws(samples):
    kept = samples.keep({name for name in samples.locations if name.endswith(("3", "8"))})
    assert kept.locations == tuple(sorted(name for name in SEASONS if name.endswith(("3", "8"))))
    assert kept.left_out == samples.left_out
    whole = [samples.locations.index(name) for name in kept.locations]
    for number, place in enumerate(whole):
        for name in ("items", "days"):
            ours = getattr(kept, name)[kept.starts[number] : kept.starts[number + 1]]
            assert ours.tolist() == getattr(samples, name)[samples.starts[place] : samples.starts[place + 1]].tolist()
    drawn = kept.items[kept.draw_items(np.arange(len(kept)), 2, seed=7, epoch=1)]
    assert drawn.tolist() == samples.items[samples.draw_items(np.array(whole), 2, seed=7, epoch=1)].tolist()


def test_days_are_counted_in_utc_since_1970(samples):
    assert samples.days[0] == (np.datetime64("2023-01-01") - np.datetime64("1970-01-01")).astype(int)
    late = find_samples(make_places({"a": (0.999, 1.0)}), dates=2)
    assert np.diff(late.days).tolist() == [1]

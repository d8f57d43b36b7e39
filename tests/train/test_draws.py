import numpy as np
import pytest
from scipy import stats

from train.draws import location_key, permutation, philox, uniforms

KEYS = np.array([location_key(f"france-{number:06d}") for number in range(2000)], np.uint64)


def draw(keys=KEYS, *, seed=7, purpose="crop", epoch=3, view=1, count=5, sensor=None):
    return uniforms(seed, purpose, epoch=epoch, locations=keys, view=view, count=count, sensor=sensor)


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, answer):
    assert " ".join(f"{word:08x}" for word in philox(np.array(counter, np.uint64), key)) == answer


def test_philox_of_many_counters_is_that_of_each():
    counters = np.random.default_rng(0).integers(0, 2**32, (4, 3, 5), dtype=np.uint64)
    many = philox(counters, (1, 2))
    assert many.shape == (4, 3, 5)
    for row in range(3):
        for column in range(5):
            assert (many[:, row, column] == philox(counters[:, row, column], (1, 2))).all()


def test_a_location_draws_the_same_in_any_batch_order_and_count():
    together = draw()
    for part in (slice(0, 1), slice(1, 700), slice(700, None)):
        assert (draw(KEYS[part]) == together[part]).all()
    order = np.random.default_rng(0).permutation(len(KEYS))
    assert (draw(KEYS[order]) == together[order]).all()
    assert (draw(count=2) == together[:, :2]).all()


def test_numbers_are_uniform_from_zero_to_below_one():
    numbers = draw(count=50).ravel()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 0.01
    buckets = np.bincount((numbers * 64).astype(int), minlength=64)
    assert stats.chisquare(buckets).pvalue > 0.01


def test_all_53_bits_are_drawn():
    bits = (draw(count=8) * 2.0**53).astype(np.uint64)
    shares = [((bits >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(53)]
    assert np.abs(np.array(shares) - 0.5).max() < 4.5 * 0.5 / bits.size**0.5


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"purpose": "flip"}, {"epoch": 4}, {"view": 2}, {"keys": KEYS[::-1]}, {"sensor": "naip"}],
    ids=lambda change: next(iter(change)),
)
def test_another_seed_purpose_epoch_view_location_or_sensor_is_unrelated(change):
    first, second = draw().ravel(), draw(**change).ravel()
    assert not (first == second).any()
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / len(first) ** 0.5


def test_numbers_of_one_location_are_unrelated_to_each_other():
    found = np.corrcoef(draw(count=12).T) - np.eye(12)
    assert np.abs(found).max() < 4.5 / len(KEYS) ** 0.5


def test_neighbouring_keys_are_unrelated():
    plain = np.arange(2000, dtype=np.uint64)
    numbers = draw(plain, count=1)[:, 0]
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 4 / 2000**0.5


def test_an_order_is_the_same_however_locations_are_listed():
    order = permutation(7, "order", epoch=0, locations=KEYS)
    assert sorted(order) == list(range(len(KEYS)))
    shuffled = np.random.default_rng(0).permutation(len(KEYS))
    again = permutation(7, "order", epoch=0, locations=KEYS[shuffled])
    assert (KEYS[shuffled][again] == KEYS[order]).all()


def test_every_epoch_has_another_order():
    first, second = (permutation(7, "order", epoch=epoch, locations=KEYS) for epoch in (0, 1))
    assert stats.spearmanr(np.argsort(first), np.argsort(second)).pvalue > 0.01
    assert (first == second).sum() < 10


def test_keys_of_locations_are_fixed_for_ever():
    assert location_key("france-000412") == 11541408491725290228
    assert len(set(KEYS.tolist())) == len(KEYS)


def test_what_does_not_fit_the_counter_is_refused():
    for change in ({"epoch": 2**32}, {"epoch": -1}, {"view": 65536}, {"count": 131_073}):
        with pytest.raises(AssertionError, match=r"(does|do) not fit"):
            draw(KEYS[:1], **change)

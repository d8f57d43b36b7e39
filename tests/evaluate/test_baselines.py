"""The baselines by name: each is a table of features that hangs on the training items alone, and on no worker."""

import numpy as np
import pytest

from evaluate.baselines import BASELINES, choose_baselines
from evaluate.errors import InputError
from tests.evaluate.stacks import make_stack

WIDTHS = {"band-statistics": 4, "band-histograms": 46, "raw-pixels": 512, "random-convolutions": 512}


def silent(_):
    """Tell nobody."""


@pytest.fixture(scope="module")
def stack():
    """40 items of two bands."""
    rng = np.random.default_rng(0)
    return make_stack({("B04", "B08"): rng.integers(1, 4000, (40, 2, 20, 20)).astype(np.uint16)}, ("B04", "B08"), scale=1e-4)


def compute(name, stack, items, *, train=None, seed=0, workers=0, advance=silent):
    train = np.arange(20) if train is None else train
    return BASELINES[name].compute(stack, items, train=train, seed=seed, workers=workers, advance=advance)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_one_row_for_each_item_in_their_order(name, stack):
    told = []
    whole = compute(name, stack, np.arange(40), advance=told.append)
    assert whole.shape == (40, WIDTHS[name])
    assert sum(told) == 40
    assert np.isfinite(whole).all()
    some = compute(name, stack, np.array([31, 2, 2]))
    np.testing.assert_allclose(some, whole[[31, 2, 2]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_workers_change_nothing(name, stack):
    np.testing.assert_array_equal(compute(name, stack, np.arange(6), workers=1), compute(name, stack, np.arange(6)))


@pytest.mark.parametrize("name", ["band-histograms", "raw-pixels", "random-convolutions"])
def test_what_is_measured_is_measured_on_the_training_items(name, stack):
    one = compute(name, stack, np.arange(40))
    assert not np.array_equal(one, compute(name, stack, np.arange(40), train=np.arange(20, 40)))


def test_a_title_is_the_name_as_people_read_it():
    assert [each.title for each in BASELINES.values()] == [name.replace("-", " ") for name in BASELINES]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (None, tuple(BASELINES)),
        ([], tuple(BASELINES)),
        (["raw-pixels", "band-statistics", "raw-pixels"], ("band-statistics", "raw-pixels")),
    ],
)
def test_baselines_are_chosen_by_name_each_once(names, chosen):
    assert choose_baselines(names) == chosen


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raw pixels", r"no baseline 'raw pixels'\. Choose from .*random-convolutions\. Did you mean 'raw-pixels'\?"),
        ("xyz", r"no baseline 'xyz'\. Choose from band-statistics, .*random-convolutions\.$"),
    ],
)
def test_an_unknown_baseline_is_told_with_a_guess(name, words):
    with pytest.raises(InputError, match=words):
        choose_baselines([name])

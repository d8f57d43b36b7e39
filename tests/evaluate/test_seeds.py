"""Several seeds of one training as one entry."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluate.answers import Answers
from evaluate.errors import InputError
from evaluate.seeds import check_seeds, join_answers, join_identities, split_seeds
from tests.evaluate.test_answers import SPEC
from train.checkpoint import LoadedBackbone

GROUP = [LoadedBackbone(torch.nn.Identity(), None, f"runs/{seed}", seed * 64, "resnet18") for seed in "ab"]
TRIALS = [{"fraction": 0.1, "trials": {"seed": [0, 1], "value": [value, 0.5]}, "steps": 3} for value in (0.25, 0.75)]


def test_names_are_parted_by_commas():
    assert split_seeds("runs/a, runs/b ,runs/c") == ("runs/a", "runs/b", "runs/c")
    assert split_seeds("timm:resnet18") == ("timm:resnet18",)


@pytest.mark.parametrize(
    ("name", "words"), [("runs/a,runs/a", "runs/a is there twice"), ("runs/a,", "one of them has no name"), ("", "has no name")]
)
def test_names_that_are_no_seeds_are_told(name, words):
    with pytest.raises(InputError, match=rf"{words}\. Commas join different seeds of one training"):
        split_seeds(name)


def test_answers_follow_one_another_with_their_details():
    found = [np.arange(6).reshape(2, 3), 9 + np.arange(6).reshape(2, 3)]
    joined = join_answers(GROUP, [Answers(each, trials) for each, trials in zip(found, TRIALS, strict=True)])
    np.testing.assert_array_equal(joined.found, np.concatenate(found))
    assert (joined.members, joined.scores) == (2, None)
    assert joined.details == {
        "fraction": 0.1,
        "trials": {"seed": [0, 1, 0, 1], "value": [0.25, 0.5, 0.75, 0.5]},
        "steps": 3,
        "seeds": {"weights": ["runs/a", "runs/b"], "identities": ["a" * 64, "b" * 64]},
    }


def test_scores_of_labels_follow_one_another_and_keep_their_threshold():
    scores = [np.full((1, 3, 2), value) for value in (0.25, 0.75)]
    joined = join_answers(GROUP, [Answers(None, {}, scores=each, threshold=0.0) for each in scores])
    np.testing.assert_array_equal(joined.scores, np.concatenate(scores))
    assert (joined.found, joined.threshold) == (None, 0.0)


def test_one_seed_answers_for_itself():
    answers = Answers(np.zeros((1, 3), np.int64), {})
    assert join_answers(GROUP[:1], [answers]) is answers
    assert join_identities(GROUP[:1]) == "a" * 64


def test_the_identity_of_seeds_hangs_on_all_of_them_and_not_on_their_order():
    assert join_identities(GROUP) == join_identities(GROUP[::-1]) not in {each.identity for each in GROUP}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timm_name": "resnet50"}, "the one is a resnet18, the other a resnet50"),
        ({"identity": "a" * 64}, "they are the same weights"),
        ({"spec": SPEC}, "they are fed differently: their bands, size, scaling or normalisation differ"),
    ],
)
def test_weights_that_are_no_seeds_of_one_training_are_told(change, words):
    with pytest.raises(InputError, match=rf"runs/a and runs/b are no seeds of one training: {words}\. .*repeat --weights"):
        check_seeds([GROUP[0], replace(GROUP[1], **change)])


def test_weights_that_are_there_twice_under_two_names_are_told_wherever_they_stand():
    copied = replace(GROUP[1], name="runs/c")
    with pytest.raises(InputError, match="runs/b and runs/c are no seeds of one training: they are the same weights"):
        check_seeds([*GROUP[:2], copied])


def test_seeds_of_one_training_and_a_seed_alone_are_fine():
    check_seeds(GROUP)
    check_seeds(GROUP[:1])

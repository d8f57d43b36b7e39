import pytest
import torch

from tests.reference.xstars import retrieval_at_1
from train.retrieval import LOCATIONS, retrieve_across_locations, retrieve_within_images

BOTH = pytest.mark.parametrize("retrieve", [retrieve_across_locations, retrieve_within_images])


def drawn(locations=7, tokens=6, features=4, *, noise=1.2, share=1.0, seed=0):
    """Features of one sensor and the same with noise, and what is valid."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(locations, tokens, features, generator=generator) + 3
    key = query + noise * torch.randn(locations, tokens, features, generator=generator)
    return query, key, torch.rand(locations, tokens, generator=generator) < share


@BOTH
@pytest.mark.parametrize("share", [1.0, 0.6, 0.4])
def test_retrieval_is_the_plain_loop(retrieve, share):
    query, key, valid = drawn(share=share)
    found = retrieve(query, key, valid)
    within = retrieve is retrieve_within_images
    plain = retrieval_at_1(query.tolist(), key.tolist(), valid.tolist(), within=within)
    assert (found.at_1, found.chance, found.tokens) == pytest.approx(plain, rel=1e-6)
    assert 0.2 < found.at_1 < 1


@BOTH
def test_equal_features_find_their_own(retrieve):
    query, _, valid = drawn()
    assert retrieve(query, query, valid).at_1 == 1


def test_chance_is_one_in_64_locations_and_one_in_196_tokens():
    query, key = torch.randn(2, LOCATIONS, 196, 8, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(LOCATIONS, 196, dtype=torch.bool)
    across, within = retrieve_across_locations(query, key, valid), retrieve_within_images(query, key, valid)
    assert (across.chance, within.chance) == pytest.approx((1 / 64, 1 / 196))
    assert (across.at_1, within.at_1) == pytest.approx((1 / 64, 1 / 196), abs=0.005)
    assert across.tokens == within.tokens == 64 * 196


@BOTH
def test_a_sensors_own_offset_does_not_matter(retrieve):
    query, key, valid = drawn(share=0.8)
    far = key + torch.tensor([100.0, -50, 0, 20])
    assert retrieve(query, far, valid).at_1 == pytest.approx(retrieve(query, key, valid).at_1, abs=1e-6)


@BOTH
def test_the_length_of_features_does_not_matter(retrieve):
    query, key, valid = drawn()
    assert retrieve(query, 5 * key, valid) == retrieve(query, key, valid)


@BOTH
@pytest.mark.parametrize("value", [1e6, float("nan"), float("inf")])
def test_what_is_invalid_neither_asks_nor_answers_nor_moves_the_mean(retrieve, value):
    query, key, valid = drawn(share=0.5)
    spoilt = [torch.where(valid[..., None], each, value) for each in (query, key)]
    assert retrieve(*spoilt, valid) == retrieve(query, key, valid)


@BOTH
def test_features_that_are_all_one_find_nothing(retrieve):
    query, _, valid = drawn()
    assert retrieve(query, torch.ones_like(query), valid).at_1 == 0


def test_a_token_alone_at_its_position_is_not_asked_for():
    query, key, valid = drawn()
    valid[1:, 2] = False
    found = retrieve_across_locations(query, key, valid)
    assert found.tokens == 7 * 5
    assert found.chance == pytest.approx(1 / 7)


def test_another_location_is_confused_across_locations_alone():
    query, _, valid = drawn()
    key = query.roll(1, 0)
    assert retrieve_across_locations(query, key, valid).at_1 == 0
    turned = query.roll(1, 1)
    assert retrieve_within_images(query, turned, valid).at_1 == 0


@BOTH
def test_nothing_to_ask_for_is_refused(retrieve):
    query, key, valid = drawn()
    with pytest.raises(ValueError, match=r"No token has another valid one to be told from\. Hold out more locations"):
        retrieve(query, key, torch.zeros_like(valid))


@BOTH
def test_shapes_that_do_not_belong_together_are_refused(retrieve):
    query, key, valid = drawn()
    with pytest.raises(ValueError, match=r"do not belong together\. Give \(locations, tokens, features\)"):
        retrieve(query, key[:, :2], valid)
    with pytest.raises(ValueError, match=r"with a mask of \(7, 3\)"):
        retrieve(query, key, valid[:, :3])

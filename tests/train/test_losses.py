import math

import pytest
import torch
from torch.nn.functional import normalize

from tests.reference.contrast import PlainSeco, Process, contrast, mean
from train.losses import SPACES, contrast_logits, info_nce, seco_logits, seco_terms


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_info_nce_is_the_plain_loop():
    query, key, negatives = unit(4, 6), unit(4, 6, seed=1), unit(9, 6, seed=2)
    plain = mean([contrast(q, k, negatives.tolist(), 0.2) for q, k in zip(query.tolist(), key.tolist(), strict=True)])
    assert info_nce(query, key, negatives, temperature=0.2).item() == pytest.approx(plain, rel=1e-6)


def test_negatives_given_apart_count_as_if_together():
    query, key, negatives = unit(4, 6), unit(4, 6, seed=1), unit(9, 6, seed=2)
    whole = info_nce(query, key, negatives, temperature=0.1)
    assert info_nce(query, key, negatives[:2], negatives[2:], temperature=0.1).item() == pytest.approx(whole.item(), rel=1e-6)


def test_an_excluded_negative_is_as_if_it_were_not_there():
    query, key, first, second = unit(3, 6), unit(3, 6, seed=1), unit(4, 6, seed=2), unit(2, 6, seed=3)
    mask = torch.tensor([[True, False, False, False], [False, False, False, False], [False, True, False, True]])
    loss = info_nce(query, key, first, second, temperature=0.1, excluded=[mask, None])
    left = [[1, 2, 3], [0, 1, 2, 3], [0, 2]]
    plain = [contrast(query[n].tolist(), key[n].tolist(), first[left[n]].tolist() + second.tolist(), 0.1) for n in range(3)]
    assert loss.item() == pytest.approx(mean(plain), rel=1e-6)


def test_a_query_with_every_negative_excluded_costs_nothing_and_moves_nothing():
    query = unit(2, 6).requires_grad_()
    loss = info_nce(query, unit(2, 6, seed=1), unit(3, 6, seed=2), temperature=0.1, excluded=[torch.ones(2, 3, dtype=bool)])
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert (query.grad.abs() < 1e-5).all()


def test_the_gradient_is_that_of_cross_entropy_over_all_logits():
    key, negatives, extra = unit(4, 6, seed=1), unit(9, 6, seed=2), unit(3, 6, seed=3)
    mask = torch.rand(4, 9, generator=torch.Generator().manual_seed(1)) < 0.3
    ours, theirs = unit(4, 6).requires_grad_(), unit(4, 6).requires_grad_()
    info_nce(ours, key, negatives, extra, temperature=0.1, excluded=[mask, None]).backward()
    logits = torch.cat([(theirs * key).sum(1, keepdim=True), theirs @ negatives.T, theirs @ extra.T], 1) / 0.1
    logits = logits.masked_fill(torch.cat([torch.zeros(4, 1), mask, torch.zeros(4, 3)], 1).bool(), -torch.inf)
    torch.nn.functional.cross_entropy(logits, torch.zeros(4, dtype=torch.long)).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_losses_are_computed_in_float32_under_autocast():
    query, key, negatives = unit(4, 6), unit(4, 6, seed=1), unit(9, 6, seed=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = info_nce(query, key, negatives, temperature=0.05)
    assert loss.dtype == torch.float32
    assert loss == info_nce(query, key, negatives, temperature=0.05)


def test_top_1_is_the_share_of_queries_nearest_to_their_key():
    query = torch.eye(4)[:, :3]
    query[3] = query[0]
    key, negatives = query.clone(), torch.tensor([[0.0, 0.0, 1.0]])
    key[1] = -key[1]  # farther than the negative; the third ties with it
    logits = contrast_logits(query, key, negatives, negatives, temperature=0.1)
    assert logits.top_1().item() == 0.5


def test_embeddings_of_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"Embeddings of \[5, 6\] dimensions cannot be compared\. Project all of them"):
        info_nce(unit(2, 6), unit(2, 6), unit(3, 5), temperature=0.1)


def test_there_is_a_mask_for_each_kind_of_negatives():
    with pytest.raises(ValueError, match="shorter"):
        info_nce(unit(2, 6), unit(2, 6), unit(3, 6), unit(3, 6), temperature=0.1, excluded=[None])


BATCH, QUEUE, DIM = 4, 8, 6


def given(seed=0):
    keys = unit(3, 3, BATCH, DIM, seed=seed + 1)
    return {"query": unit(3, BATCH, DIM, seed=seed), "keys": keys, "queue": unit(3, QUEUE, DIM, seed=seed + 2), "others": keys}


@pytest.mark.parametrize("own_location", [False, True])
@pytest.mark.parametrize("same_date", [False, True])
def test_secos_terms_are_those_of_the_plain_loops(own_location, same_date):
    tensors = given()
    locations, queue_locations = [3, 4, 5, 6], [5, -1, 3, 3, 9, 6, 5, -1]
    dates = [[1, 1, 2], [1, 2, 1], [7, 8, 9], [5, 5, 5]]
    own = torch.tensor([[place == location for place in queue_locations] for location in locations])
    same = torch.zeros(BATCH, 3, BATCH, dtype=bool)
    for n in range(BATCH):
        for view, scene in enumerate((1, 2, 0)):
            same[n, view, n] = dates[n][0] == dates[n][scene]
    terms = seco_terms(
        **tensors, temperature=0.07, own_location=own if own_location else None, same_date=same if same_date else None
    )
    plain = PlainSeco(
        tensors["queue"].tolist(),
        queue_locations,
        temperature=0.07,
        own_location=own_location,
        same_date=same_date,
        gather=True,
    )
    (expected,) = plain.step([Process(tensors["query"].tolist(), tensors["keys"].tolist(), locations, dates)])
    assert [terms[space].item() for space in SPACES] == pytest.approx(expected, rel=1e-5)


def test_space_0_has_k_negatives_and_the_others_k_plus_2n():
    counts = {
        space: sum(part.shape[1] for part in each.negatives) for space, each in seco_logits(**given(), temperature=1.0).items()
    }
    assert counts == {"all": QUEUE, "season": QUEUE + 2 * BATCH, "synthetic": QUEUE + 2 * BATCH}


def test_equal_similarities_cost_the_uniform_value():
    same = torch.ones(3, 3, BATCH, 1)
    terms = seco_terms(same[:, 0], same, torch.ones(3, QUEUE, 1), others=same, temperature=0.07)
    costs = [terms[space].item() for space in SPACES]
    assert costs == pytest.approx([math.log(1 + QUEUE), math.log(1 + QUEUE + 2 * BATCH), math.log(1 + QUEUE + 2 * BATCH)])


def test_the_papers_start_is_at_9_704_and_9_735():
    keys = torch.ones(3, 3, 256, 1)
    terms = seco_terms(keys[:, 0], keys, torch.ones(3, 16384, 1), others=keys, temperature=0.07)
    assert [round(terms[space].item(), 3) for space in SPACES] == [9.704, 9.735, 9.735]


@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_key_view_is_the_positive_of_its_own_space_alone_and_a_negative_of_spaces_1_and_2(view):
    """Space 0 (blind to all): t1 augmented. Space 1 (season): t2 as it is. Space 2 (synthetic): t0 augmented."""
    tensors = given()
    before = seco_logits(**tensors, temperature=1.0)
    tensors["keys"] = tensors["keys"].clone()
    tensors["keys"][:, view, 2] = unit(3, DIM, seed=9)
    tensors["others"] = tensors["keys"]
    after = seco_logits(**tensors, temperature=1.0)
    for number, space in enumerate(SPACES):
        moved = (before[space].positive != after[space].positive).tolist()
        assert moved == [False, False, number == view, False]
        changed = [not torch.equal(a, b) for a, b in zip(before[space].negatives, after[space].negatives, strict=True)]
        assert changed == ([False] if number == 0 else [False, number != view])


def test_same_dates_are_excluded_in_space_2_alone():
    tensors = given()
    same = torch.zeros(BATCH, 3, BATCH, dtype=bool)
    same[1, 0, 1] = same[2, 1, 2] = True
    logits = seco_logits(**tensors, temperature=1.0, same_date=same)
    assert not logits["season"].negatives[1].isinf().any()
    excluded = logits["synthetic"].negatives[1].isinf()
    assert excluded.nonzero().tolist() == [[1, 1], [2, BATCH + 2]]  # of key views 0 and 1, side by side


def test_the_queues_own_locations_are_excluded_in_every_space():
    own = torch.zeros(BATCH, QUEUE, dtype=bool)
    own[0, 3] = True
    for each in seco_logits(**given(), temperature=1.0, own_location=own).values():
        assert each.negatives[0].isinf().nonzero().tolist() == [[0, 3]]
        assert not any(part.isinf().any() for part in each.negatives[1:])

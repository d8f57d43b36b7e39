import math

import pytest
import torch
from torch.nn.functional import normalize

from tests.reference.xstars import alignment
from train.alignment_loss import LogTemperature, SensorTokens, multi_sensor_alignment
from train.steps import group_parameters

SAMPLES, TOKENS, DIM = 5, 4, 6


def drawn(sensors=2, *, seed=0, share=1.0, locations=None):
    """Embeddings of several sensors, of which a share is valid."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = tuple(normalize(torch.randn(SAMPLES, TOKENS, DIM, generator=generator), dim=-1) for _ in range(sensors))
    valid = tuple(torch.rand(SAMPLES, TOKENS, generator=generator) < share for _ in range(sensors))
    return SensorTokens(embeddings, valid, torch.arange(SAMPLES) if locations is None else torch.tensor(locations))


def with_gradient(tokens):
    leaves = tuple(each.detach().clone().requires_grad_() for each in tokens.embeddings)
    return SensorTokens(leaves, tokens.valid, tokens.locations)


def plain(tokens, temperature):
    lists = [[each.tolist() for each in part] for part in (tokens.embeddings, tokens.valid)]
    return alignment(*lists, tokens.locations.tolist(), temperature)


@pytest.mark.parametrize("sensors", [2, 3])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.2])
@pytest.mark.parametrize("locations", [None, [7, 3, 7, 3, 3], [1, 1, 1, 1, 1]])
def test_the_loss_is_the_plain_loop(sensors, share, locations):
    tokens = drawn(sensors, share=share, locations=locations)
    assert multi_sensor_alignment(tokens, temperature=0.2).item() == pytest.approx(plain(tokens, 0.2), rel=1e-5, abs=1e-7)


def test_the_gradient_is_that_of_cross_entropy_token_by_token():
    tokens = with_gradient(drawn(share=0.7, locations=[0, 1, 2, 0, 3]))
    temperature = torch.tensor(0.1, requires_grad=True)
    multi_sensor_alignment(tokens, temperature=temperature).backward()
    again, cooled = with_gradient(tokens), torch.tensor(0.1, requires_grad=True)
    terms = []
    for a, b in (again.embeddings, again.embeddings[::-1]):
        for n, i in (tokens.valid[0] & tokens.valid[1]).nonzero().tolist():
            shown = [m for m in range(SAMPLES) if m == n or (tokens.locations[m] != tokens.locations[n])]
            shown = [m for m in shown if tokens.valid[0][m, i] and tokens.valid[1][m, i]]
            logits = torch.stack([a[n, i] @ b[m, i] / cooled for m in shown])
            terms.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([shown.index(n)])))
    torch.stack(terms).mean().backward()
    torch.testing.assert_close(temperature.grad, cooled.grad)
    for ours, theirs in zip(tokens.embeddings, again.embeddings, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("value", [-3.0, 0.0, 1e30])
def test_what_is_said_of_invalid_ground_changes_nothing_and_is_not_moved(value):
    tokens = drawn(3, share=0.5, seed=3, locations=[0, 1, 2, 2, 4])
    changed = [torch.where(valid[..., None], each, value) for each, valid in zip(tokens.embeddings, tokens.valid, strict=True)]
    changed = with_gradient(SensorTokens(tuple(changed), tokens.valid, tokens.locations))
    tokens = with_gradient(tokens)
    losses = [multi_sensor_alignment(each, temperature=0.1) for each in (tokens, changed)]
    assert torch.equal(*losses)
    for loss in losses:
        loss.backward()
    for valid, before, after in zip(tokens.valid, tokens.embeddings, changed.embeddings, strict=True):
        assert torch.equal(before.grad, after.grad)
        assert not after.grad[~valid].any()


def test_a_token_has_to_be_valid_in_both_sensors():
    tokens = drawn(2)
    valid = (tokens.valid[0].clone(), tokens.valid[1])
    valid[0][2, 1] = False
    masked = with_gradient(SensorTokens(tokens.embeddings, valid, tokens.locations))
    multi_sensor_alignment(masked, temperature=0.1).backward()
    for each in masked.embeddings:
        moved = each.grad.abs().sum(-1) > 0
        assert moved.sum() == SAMPLES * TOKENS - 1
        assert not moved[2, 1]


def test_an_invalid_token_of_one_sensor_still_aligns_the_two_others():
    tokens = drawn(3)
    tokens.valid[0][2, 1] = False
    tokens = with_gradient(tokens)
    multi_sensor_alignment(tokens, temperature=0.1).backward()
    assert [bool(each.grad[2, 1].any()) for each in tokens.embeddings] == [False, True, True]


def test_two_dates_of_a_location_do_not_repel_each_other():
    tokens = with_gradient(drawn(2, locations=[0, 0, 2, 3, 4]))
    a, b = tokens.embeddings
    every = SensorTokens((a[:2], b[:2]), tuple(each[:2] for each in tokens.valid), tokens.locations[:2])
    loss = multi_sensor_alignment(every, temperature=0.1)
    loss.backward()
    assert loss.item() == 0
    assert not a.grad.any()
    alone = drawn(2, locations=[0, 9, 2, 3, 4])
    assert multi_sensor_alignment(alone, temperature=0.1) > multi_sensor_alignment(tokens, temperature=0.1)


def test_nothing_valid_is_a_zero_of_the_graph():
    tokens = with_gradient(drawn(2, share=0.0))
    temperature = LogTemperature()
    loss = multi_sensor_alignment(tokens, temperature=temperature())
    loss.backward()
    assert loss.item() == 0
    assert all(torch.equal(each.grad, torch.zeros_like(each)) for each in tokens.embeddings)
    assert temperature.logarithm.grad.item() == 0


def test_equal_similarities_cost_the_logarithm_of_the_candidates():
    one = torch.ones(8, 3, 2) / math.sqrt(2)
    tokens = SensorTokens((one, one), (one[..., 0] > 0,) * 2, torch.arange(8))
    assert multi_sensor_alignment(tokens, temperature=0.07).item() == pytest.approx(math.log(8))


def test_the_order_of_sensors_does_not_matter():
    tokens = drawn(3, share=0.7)
    turned = SensorTokens(tokens.embeddings[::-1], tokens.valid[::-1], tokens.locations)
    torch.testing.assert_close(*(multi_sensor_alignment(each, temperature=0.1) for each in (tokens, turned)))


def rows_of(tokens, rows):
    cut = ([each[rows] for each in part] for part in (tokens.embeddings, tokens.valid))
    return SensorTokens(*(tuple(part) for part in cut), tokens.locations[rows])


def test_parts_of_a_batch_against_all_of_it_average_to_the_whole():
    whole = drawn(3, share=0.7, locations=[0, 1, 1, 3, 4])
    parts = [
        multi_sensor_alignment(rows_of(whole, slice(n, n + 1)), temperature=0.1, everyone=whole, first=n)
        for n in range(SAMPLES)
    ]
    assert len({part.item() for part in parts}) == SAMPLES
    assert torch.stack(parts).mean().item() == pytest.approx(plain(whole, 0.1), rel=1e-5)


def test_the_mean_over_parts_holds_where_next_to_nothing_is_valid():
    whole = drawn(2)
    for each in whole.valid:
        each.zero_()[1:3, 2] = True
    parts = [
        multi_sensor_alignment(rows_of(whole, slice(n, n + 1)), temperature=0.1, everyone=whole, first=n)
        for n in range(SAMPLES)
    ]
    assert torch.stack(parts).mean().item() == pytest.approx(plain(whole, 0.1), rel=1e-5)


def test_the_loss_is_computed_in_float32_under_autocast():
    tokens = drawn(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = multi_sensor_alignment(tokens, temperature=0.01)
    assert loss.dtype == torch.float32
    assert loss == multi_sensor_alignment(tokens, temperature=0.01)


def test_half_precision_is_widened_first():
    tokens = drawn(2)
    half = SensorTokens(tuple(each.bfloat16() for each in tokens.embeddings), tokens.valid, tokens.locations)
    wide = SensorTokens(tuple(each.float() for each in half.embeddings), tokens.valid, tokens.locations)
    assert torch.equal(*(multi_sensor_alignment(each, temperature=0.01) for each in (half, wide)))


def test_one_sensor_is_refused():
    tokens = drawn(2)
    with pytest.raises(ValueError, match=r"Tokens of 1 sensor cannot be aligned\. Give two sensors or more\."):
        SensorTokens(tokens.embeddings[:1], tokens.valid[:1], tokens.locations)


@pytest.mark.parametrize("part", ["embeddings", "valid", "locations"])
def test_shapes_that_do_not_belong_together_are_refused(part):
    tokens = drawn(2)
    given = {name: getattr(tokens, name) for name in ("embeddings", "valid", "locations")}
    given[part] = given[part][:3] if part == "locations" else (given[part][0], given[part][1][:, :2])
    with pytest.raises(ValueError, match=r"do not belong together\. Give \(samples, tokens, dim\)"):
        SensorTokens(**given)


def test_the_temperature_begins_at_its_paper_and_is_learnt():
    temperature = LogTemperature()
    assert temperature().item() == pytest.approx(0.07)
    multi_sensor_alignment(drawn(2), temperature=temperature()).backward()
    assert temperature.logarithm.grad.item() != 0
    assert list(temperature.state_dict()) == ["logarithm"]


@pytest.mark.parametrize("decays", ["matrices", "kernels"])
def test_weight_decay_spares_the_temperature(decays):
    temperature = LogTemperature()
    assert group_parameters(temperature, decays)[1]["params"] == [temperature.logarithm]


@pytest.mark.parametrize(("logarithm", "limit"), [(-20.0, 0.01), (5.0, 1.0)])
def test_a_temperature_out_of_range_is_put_back_and_can_return(logarithm, limit):
    temperature = LogTemperature()
    with torch.no_grad():
        temperature.logarithm.fill_(logarithm)
    found = temperature()
    found.backward()
    assert found.item() == pytest.approx(limit)
    assert temperature.logarithm.grad.item() == pytest.approx(limit)
    assert temperature.logarithm.exp().item() == pytest.approx(limit)


@pytest.mark.parametrize("first", [0.001, 1.5, 0.0, math.nan])
def test_a_first_temperature_out_of_range_is_refused(first):
    with pytest.raises(ValueError, match=rf"Temperature {first} is out of range; expected 0\.01 to 1\."):
        LogTemperature(first)

import pytest
import timm
import torch
from torch.nn.functional import gelu, layer_norm, normalize

from train.alignment_config import Alignment
from train.alignment_heads import AlignmentHeads, ResidualProjection
from train.alignment_loss import SensorTokens, multi_sensor_alignment
from train.retrieval import retrieve_across_locations

SENSORS = ("landsat-c2-l2", "sentinel-2-l2a", "spot-ortho")
SAMPLES, TOKENS, FEATURES, DIM = 3, 4, 6, 8


@pytest.fixture
def heads():
    torch.manual_seed(0)
    return AlignmentHeads(FEATURES, SENSORS, Alignment(dim=DIM))


def tokens(sensors=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(SAMPLES, TOKENS, FEATURES, generator=generator) for _ in range(sensors)]


def align(embeddings, temperature):
    valid = tuple(torch.ones(each.shape[:2], dtype=torch.bool) for each in embeddings)
    return multi_sensor_alignment(SensorTokens(tuple(embeddings), valid, torch.arange(len(valid[0]))), temperature=temperature)


def plain(layers, features):
    """The formula of the released code, without dropout."""
    inner = features @ layers.first.weight.T + layers.first.bias
    return layer_norm(inner + gelu(inner) @ layers.second.weight.T + layers.second.bias, inner.shape[-1:])


def test_embeddings_are_the_released_formula_brought_to_unit_length(heads):
    given = tokens()
    found = heads.eval()(given)
    for sensor, features, embedding in zip(SENSORS, given, found, strict=True):
        expected = normalize(plain(heads.heads[sensor], plain(heads.projector, features)), dim=-1)
        torch.testing.assert_close(embedding, expected)
        torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(SAMPLES, TOKENS))


def test_dropout_is_of_the_residual_branch_and_of_training_alone():
    torch.manual_seed(0)
    layers = ResidualProjection(FEATURES, DIM, dropout=0.5)
    given = tokens(1)[0]
    assert (layers(given) - layers(given)).abs().max() > 0.1
    assert torch.equal(layers.eval()(given), layers(given))
    whole = ResidualProjection(FEATURES, DIM, dropout=1.0)
    torch.testing.assert_close(whole(given), layer_norm(whole.first(given), (DIM,)))


def test_sensors_share_the_projector_and_have_heads_of_their_own(heads):
    same = [tokens(1)[0]] * 3
    found = heads.eval()(same)
    assert (found[0] - found[1]).abs().max() > 0.01
    names = set(heads.state_dict())
    assert {f"heads.{sensor}.first.weight" for sensor in SENSORS} <= names
    assert {"projector.first.weight", "temperature.logarithm"} <= names


def test_everything_comes_back_from_a_state_dict(heads):
    torch.manual_seed(1)
    other = AlignmentHeads(FEATURES, SENSORS, Alignment(dim=DIM, temperature=0.5))
    other.load_state_dict(heads.state_dict())
    for left, right in zip(heads.eval()(tokens()), other.eval()(tokens()), strict=True):
        assert torch.equal(left, right)
    assert torch.equal(heads.temperature(), other.temperature())


def test_the_alignment_alone_moves_backbone_projector_heads_and_temperature():
    torch.manual_seed(0)
    backbone = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=0)
    heads = AlignmentHeads(backbone.num_features, SENSORS, Alignment(dim=16))
    images = [torch.randn(SAMPLES, 3, 32, 32) for _ in SENSORS]
    embeddings = heads([backbone.forward_features(each)[:, 1:] for each in images])
    align(embeddings, heads.temperature()).backward()
    parts = {"backbone": backbone, "projector": heads.projector, "temperature": heads.temperature, **heads.heads}
    for name, part in parts.items():
        still = [each for each, weight in part.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert not still, f"{name}: {still}"
    assert len(list(heads.parameters())) == 6 * (1 + len(SENSORS)) + 1


def test_what_is_invalid_moves_nothing_of_the_backbone(heads):
    given = [each.requires_grad_() for each in tokens()]
    valid = tuple(torch.rand(SAMPLES, TOKENS) < 0.5 for _ in SENSORS)
    multi_sensor_alignment(SensorTokens(heads(given), valid, torch.arange(SAMPLES)), temperature=heads.temperature()).backward()
    for mask, each in zip(valid, given, strict=True):
        assert not each.grad[~mask].any()


def test_embeddings_have_unit_length_in_float32_under_autocast(heads):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = heads(tokens())
    for each in found:
        assert each.dtype == torch.float32
        torch.testing.assert_close(each.norm(dim=-1), torch.ones(SAMPLES, TOKENS), rtol=0, atol=1e-6)


def test_sensors_of_other_batch_sizes_keep_to_themselves(heads):
    given = tokens()
    found = heads.eval()([given[0], given[1][:1], given[2]])
    torch.testing.assert_close(found[1], heads(given)[1][:1])


@pytest.mark.parametrize("sensors", [("a",), ("a", "b", "a"), ()])
def test_fewer_than_two_different_sensors_are_refused(sensors):
    with pytest.raises(ValueError, match=r"cannot be aligned\. Give two different ones or more\."):
        AlignmentHeads(FEATURES, sensors, Alignment())


def test_every_sensor_has_to_be_there(heads):
    with pytest.raises(ValueError, match="shorter"):
        heads(tokens(2))


def test_alignment_teaches_to_find_the_ground_of_another_sensor_in_held_out_locations():
    """Sensors see the same ground through maps of their own, and have patch embeddings of their own.

    It is the embeddings that agree. Features before the heads need not, since each sensor has a head of its own to turn them.
    """
    torch.manual_seed(0)
    seen = [torch.randn(5, 12) for _ in range(2)]
    embed = torch.nn.ModuleList(torch.nn.Linear(12, FEATURES) for _ in range(2))
    heads = AlignmentHeads(FEATURES, SENSORS[:2], Alignment(dim=16))

    def look(count):
        ground = torch.randn(count, TOKENS, 5)
        return [layer(ground @ each + 0.1 * torch.randn(count, TOKENS, 12)) for layer, each in zip(embed, seen, strict=True)]

    def found():
        with torch.no_grad():
            query, key = heads.eval()(look(64))
        return retrieve_across_locations(query, key, torch.ones(64, TOKENS, dtype=torch.bool))

    before = found()
    optimizer = torch.optim.Adam([*embed.parameters(), *heads.train().parameters()], 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        align(heads(look(32)), heads.temperature()).backward()
        optimizer.step()
    after = found()
    assert before.at_1 < 4 * before.chance
    assert after.at_1 > 0.8
    assert heads.temperature().item() != pytest.approx(0.07, rel=1e-3)

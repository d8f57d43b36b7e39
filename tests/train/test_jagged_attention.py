"""Attention over images of several sizes in one call: each image by itself, in plain loops."""

import math
import warnings

import pytest
import torch

import train.jagged_attention
from train.errors import ConfigError
from train.jagged_attention import Lengths, attend_jagged

SHAPES = ((2, 4), (1, 7), (3, 2))
"""Images and tokens of each size."""
TOKENS, HEADS, DIM = 21, 2, 3
CPU = torch.device("cpu")


def draw(count=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(TOKENS, HEADS, DIM, dtype=torch.float64, generator=generator) for _ in range(count)]


def plain(query, key, value):
    """Image by image, head by head, token by token."""
    found, begin = torch.zeros_like(query), 0
    for tokens in [tokens for count, tokens in SHAPES for _ in range(count)]:
        own = range(begin, begin + tokens)
        for head in range(HEADS):
            for token in own:
                weights = [math.exp(float(query[token, head] @ key[other, head]) / math.sqrt(DIM)) for other in own]
                total = sum(weights)
                found[token, head] = sum(w / total * value[o, head] for w, o in zip(weights, own, strict=True))
        begin += tokens
    return found


def test_images_lie_one_after_the_other():
    lengths = Lengths.of(SHAPES, CPU)
    assert lengths.offsets.tolist() == [0, 4, 8, 15, 17, 19, 21]
    assert (lengths.shortest, lengths.longest) == (2, 7)


def test_every_token_finds_what_plain_loops_find():
    query, key, value = draw()
    found = attend_jagged(query, key, value, Lengths.of(SHAPES, CPU))
    torch.testing.assert_close(found, plain(query, key, value))


def test_gradients_are_those_of_the_numbers():
    parts = [each.requires_grad_() for each in draw()]
    assert torch.autograd.gradcheck(lambda *given: attend_jagged(*given, Lengths.of(SHAPES, CPU)), parts, fast_mode=True)


def test_queries_that_were_normalised_in_32_bits_are_taken_as_the_values_are():
    query, key, value = (each.float() for each in draw())
    found = attend_jagged(query, key, value.bfloat16(), Lengths.of(SHAPES, CPU))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), plain(query, key, value).double(), rtol=0, atol=0.05)


def test_all_weights_dropped_find_nothing():
    assert not attend_jagged(*draw(), Lengths.of(SHAPES, CPU), dropout=1.0).any()


def test_nothing_is_said_of_prototypes_and_other_warnings_stay():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        attend_jagged(*draw(), Lengths.of(SHAPES, CPU))
        warnings.warn("as before", UserWarning, stacklevel=1)
    assert [str(each.message) for each in said] == ["as before"]


def test_a_torch_that_cannot_says_so_and_what_to_leave_away(monkeypatch):
    def refuse(*_, **__):
        raise NotImplementedError("Could not run 'aten::jagged'.\nsecond line")

    monkeypatch.setattr(train.jagged_attention, "scaled_dot_product_attention", refuse)
    words = r"cannot attend over crops .* in one call on cpu: Could not run 'aten::jagged'\. Leave --pack-attention away"
    with pytest.raises(ConfigError, match=words):
        attend_jagged(*draw(), Lengths.of(SHAPES, CPU))


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError, getattr(torch, "AcceleratorError", torch.distributed.DistError)])
def test_what_ails_the_device_is_no_lack_of_torchs(monkeypatch, fault):
    def refuse(*_, **__):
        raise fault("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(train.jagged_attention, "scaled_dot_product_attention", refuse)
    with pytest.raises(fault):
        attend_jagged(*draw(), Lengths.of(SHAPES, CPU))

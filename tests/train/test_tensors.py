"""Tensors as bytes that hang on nothing but the tensors, and strict loading with words."""

import pytest
import torch
from safetensors.torch import load
from torch import nn

from train.backbones import make_backbone
from train.errors import CheckpointError
from train.tensors import decode_tensors, encode_tensors, hash_tensors, load_strictly


@pytest.fixture(scope="module")
def state():
    return make_backbone("resnet10t", bands=3).state_dict()


def changed(state, **tensors):
    return {**state, **tensors}


def test_tensors_come_back_from_bytes(state, tmp_path):
    found = decode_tensors(encode_tensors(state), tmp_path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in state.items())


def test_bytes_do_not_hang_on_order_memory_format_or_gradient(state):
    content = encode_tensors(state)
    turned = {name: tensor.clone().requires_grad_(tensor.is_floating_point()) for name, tensor in reversed(state.items())}
    assert encode_tensors(turned) == content
    spread = {
        name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor for name, tensor in state.items()
    }
    assert encode_tensors(spread) == content


def test_one_changed_number_gives_another_hash(state):
    other = changed(state, **{"bn1.weight": state["bn1.weight"].clone()})
    assert hash_tensors(other) == hash_tensors(state)
    other["bn1.weight"][0] += 1e-6
    assert hash_tensors(other) != hash_tensors(state)


def test_other_libraries_find_the_format_they_ask_for(state):
    content = encode_tensors(state)
    assert b'"__metadata__":{"format":"pt"}' in content[:200]
    assert load(content).keys() == state.keys()


def test_a_part_of_a_file_is_refused(state, tmp_path):
    with pytest.raises(CheckpointError, match=r"model\.safetensors is no whole safetensors file: .* Copy or export it again"):
        decode_tensors(encode_tensors(state)[:-10], tmp_path / "model.safetensors")


def test_tensors_that_all_fit_are_loaded(state):
    module = make_backbone("resnet10t", bands=3)
    load_strictly(module, state, where="here")
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def test_lacking_tensors_are_counted_and_the_first_is_named(state):
    some = {name: tensor for name, tensor in state.items() if not name.startswith("bn1.running")}
    with pytest.raises(CheckpointError, match=rf"here lacks 2 of {len(state)} backbone tensors \(first: bn1\.running_mean\)"):
        load_strictly(make_backbone("resnet10t", bands=3), some, where="here")


def test_unknown_tensors_are_counted_and_the_first_is_named(state):
    more = changed(state, **{"fc.weight": torch.zeros(2), "fc.bias": torch.zeros(2)})
    with pytest.raises(
        CheckpointError, match=r"has 2 that the backbone does not know \(first: fc\.weight\)\. .* another backbone"
    ):
        load_strictly(make_backbone("resnet10t", bands=3), more, where="here")


def test_tensors_of_twelve_bands_for_four_are_told_by_their_bands():
    twelve = make_backbone("resnet10t", bands=12).state_dict()
    with pytest.raises(
        CheckpointError,
        match=r"in another shape \(first: conv1\.0\.weight, \(24, 12, 3, 3\) for \(24, 4, 3, 3\)\)\. "
        r"It was trained with 12 bands, here are 4\. Pass --bands",
    ):
        load_strictly(make_backbone("resnet10t", bands=4), twelve, where="here")


def test_tensors_of_another_image_size_are_told_by_their_tokens():
    small = make_backbone("vit_tiny_patch16_224", bands=3, size_px=32).state_dict()
    with pytest.raises(CheckpointError, match=r"position embeddings are of 5 tokens, here are 17: .* images of another size"):
        load_strictly(make_backbone("vit_tiny_patch16_224", bands=3, size_px=64), small, where="here")


def test_tables_of_windows_of_another_size_are_told_by_their_places():
    """A Swin's windows shrink on small images."""
    made, here = (torch.nn.ParameterDict({"relative_position_bias_table": torch.zeros(count, 3)}) for count in (169, 121))
    with pytest.raises(
        CheckpointError, match=r"windows have 169 relative positions, here are 121: .* another size\. Give views"
    ):
        load_strictly(here, made.state_dict(), where="here")


def test_all_that_is_wrong_is_said_at_once(state):
    tensors = {**state, "fc.weight": torch.zeros(2), "bn1.weight": torch.zeros(1)}
    del tensors["bn1.bias"]
    with pytest.raises(
        CheckpointError, match=r"lacks 1 of .* and has 1 that the .* and has 1 of .* in another shape .*, \(1,\) for"
    ):
        load_strictly(make_backbone("resnet10t", bands=3), tensors, where="here")


def test_nothing_changes_unless_all_fits():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"lacks 2 of 4 projector tensors \(first: 1\.weight\)"):
        load_strictly(module, {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2)}, where="here", what="projector")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())

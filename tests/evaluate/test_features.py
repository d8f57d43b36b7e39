"""Features: the same whatever the batch size, the workers, the order or the mode that the backbone was in."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from evaluate.errors import InputError
from evaluate.features import extract_features
from tests.evaluate.stacks import make_stack
from train.config import InputSpec

BANDS = ("B04", "B03", "B02", "B11")
SPEC = InputSpec("sentinel-2-l2a", BANDS, (0.0,) * 4, (0.4,) * 4, (0.5, 0.4, 0.3, 0.5), (0.2,) * 4, size_px=32)
ITEMS = np.array([10, 3, 0, 7, 7, 12, 1])


@pytest.fixture(scope="module")
def stack():
    """13 items in two layers, one of them with a hole."""
    rng = np.random.default_rng(0)
    fine = rng.integers(1, 4000, (13, 3, 40, 40)).astype(np.uint16)
    coarse = rng.integers(1, 4000, (13, 1, 20, 20)).astype(np.uint16)
    fine[3, :, :9] = 0
    valid = np.where(np.arange(13) == 3, 80.0, 100.0)
    scale = np.linspace(1e-4, 1.2e-4, 52).reshape(13, 4)
    return make_stack({("B04", "B03", "B02"): fine, ("B11",): coarse}, BANDS, nodata=0, scale=scale, valid_percent=valid)


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return timm.create_model("resnet10t", in_chans=4, num_classes=0).train()


class Means(nn.Module):
    """A backbone whose features are the means of its bands, and that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        return images.mean(dim=(2, 3))


def test_images_are_scaled_and_normalised_as_the_weights_say():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 6000, (5, 2, 24, 24)).astype(np.uint16)
    scale, offset = rng.uniform(1e-4, 2e-4, (5, 2)), rng.uniform(-0.1, 0, (5, 2))
    stack = make_stack({("B04", "B03"): pixels}, ["B04", "B03"], scale=scale, offset=offset)
    spec = InputSpec("sentinel-2-l2a", ("B04", "B03"), (0.0, 0.1), (0.4, 0.5), (0.5, 0.4), (0.2, 0.3), size_px=24)
    backbone = Means()
    extract_features(stack, backbone, spec, np.array([4, 1]))
    for item, image in zip((4, 1), backbone.seen[0].numpy(), strict=True):
        for band in range(2):
            reflectance = pixels[item, band] * scale[item, band] + offset[item, band]
            scaled = np.clip((reflectance - spec.low[band]) / (spec.high[band] - spec.low[band]), 0, 1)
            np.testing.assert_allclose(image[band], (scaled - spec.mean[band]) / spec.std[band], atol=1e-5)


@pytest.mark.parametrize("valid_percent", [75.0, float("nan")])
def test_what_was_not_measured_is_the_mean_of_its_band(valid_percent):
    pixels = np.full((1, 1, 24, 24), 1000, np.uint16)
    pixels[0, 0, :6] = 0
    stack = make_stack({("B04",): pixels}, ["B04"], nodata=0, scale=1e-4, valid_percent=valid_percent)
    backbone = Means()
    extract_features(stack, backbone, InputSpec("sentinel-2-l2a", ("B04",), (0,), (0.4,), (0.5,), (0.2,), 24), np.array([0]))
    assert (backbone.seen[0][0, 0, :6] == 0).all()
    torch.testing.assert_close(backbone.seen[0][0, 0, 6:], torch.full((18, 24), (0.25 - 0.5) / 0.2))


def test_batch_size_and_order_change_nothing_but_rounding(stack, backbone):
    whole = extract_features(stack, backbone, SPEC, ITEMS, batch_size=64)
    assert whole.shape == (7, 512)
    for size in (1, 2, 3):
        torch.testing.assert_close(extract_features(stack, backbone, SPEC, ITEMS, batch_size=size), whole, rtol=1e-5, atol=1e-6)
    turned = extract_features(stack, backbone, SPEC, ITEMS[::-1].copy(), batch_size=3).flip(0)
    torch.testing.assert_close(turned, whole, rtol=1e-5, atol=1e-6)


def test_images_are_the_same_bits_whatever_the_batch_size(stack):
    whole, single = Means(), Means()
    extract_features(stack, whole, SPEC, ITEMS, batch_size=64)
    extract_features(stack, single, SPEC, ITEMS, batch_size=1)
    assert torch.equal(torch.cat(whole.seen), torch.cat(single.seen))


def test_workers_and_repetition_change_no_bit(stack, backbone):
    whole = extract_features(stack, backbone, SPEC, ITEMS, batch_size=2)
    assert torch.equal(extract_features(stack, backbone, SPEC, ITEMS, batch_size=2), whole)
    assert torch.equal(extract_features(stack, backbone, SPEC, ITEMS, batch_size=2, workers=2), whole)


def test_neither_the_mode_before_nor_autocast_changes_a_bit(stack, backbone):
    whole = extract_features(stack, backbone.eval(), SPEC, ITEMS)
    backbone.train()
    backbone.bn1.eval()
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(extract_features(stack, backbone, SPEC, ITEMS), whole)
    assert all(torch.equal(state[name], value) for name, value in backbone.state_dict().items())
    assert (backbone.training, backbone.bn1.training, backbone.layer1.training) == (True, False, True)


def test_features_carry_no_gradient_and_global_generators_stay(stack, backbone):
    state = torch.get_rng_state()
    assert not extract_features(stack, backbone, SPEC, ITEMS, workers=1).requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_precision_is_as_before_after_an_error(stack):
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(InputError):
            extract_features(stack, nn.Identity(), SPEC, ITEMS)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_progress_counts_every_item(stack):
    told = []
    extract_features(stack, Means(), SPEC, ITEMS, batch_size=3, advance=told.append)
    assert told == [3, 3, 1]


def test_bands_in_another_order_are_refused(stack):
    turned = InputSpec(SPEC.sensor, BANDS[::-1], SPEC.low, SPEC.high, SPEC.mean, SPEC.std, size_px=32)
    with pytest.raises(InputError, match="The weights read bands B11, B02, B03, B04, but pixels of B04, B03, B02, B11"):
        extract_features(stack, Means(), turned, ITEMS)


def test_a_backbone_without_pooling_is_refused(stack):
    with pytest.raises(InputError, match=r"The backbone gives \(7, 4, 32, 32\) for 7 images; expected \(7, features\)"):
        extract_features(stack, nn.Identity(), SPEC, ITEMS)


@pytest.mark.gpu
def test_a_gpu_gives_the_features_of_a_cpu_whatever_a_training_allows_itself(stack, backbone):
    whole = extract_features(stack, backbone, SPEC, ITEMS)
    torch.set_float32_matmul_precision("medium")
    try:
        found = extract_features(stack, backbone, SPEC, ITEMS, device="cuda")
        again = extract_features(stack, backbone, SPEC, ITEMS, device="cuda")
        single = extract_features(stack, backbone, SPEC, ITEMS, batch_size=1, device="cuda")
    finally:
        torch.set_float32_matmul_precision("highest")
        backbone.cpu()
    assert torch.equal(found, again)
    torch.testing.assert_close(single, found, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.cpu(), whole, rtol=1e-4, atol=1e-4)

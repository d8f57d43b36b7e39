"""The card's code runs as it stands and does what the card says."""

import re

import numpy as np
import pytest
import torch

from catalogs.layers import Layer
from tests.train.exporting import make_export, make_provenance, make_spec
from train.backbones import make_backbone
from train.config import InputSpec
from train.exported import CARD, Exported
from train.model_card import model_card
from train.views import whole_view

EXPORTED = Exported("resnet10t", "ResNet", False, 512, 4_922_560, "cd" * 32, 19_700_000)


def write(spec=None, exported=EXPORTED, **changed):
    return model_card(exported, spec or make_spec(), make_provenance(**changed))


def blocks(card):
    """The card's pieces of code."""
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def run(code):
    names = {}
    exec(compile(code, "card", "exec"), names)
    return names


def draw_numbers(layer, seed, *, share=0.0):
    """Raw numbers of smooth ground, of which some are nodata."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1000, 4000, layer.shape).astype(layer.data_type)
    numbers[rng.random(layer.shape) < share] = 0
    return numbers


def by_our_own(spec, layers, pixels, *, scale, offset):
    scales = torch.full((1, len(spec.bands)), scale)
    offsets = torch.full((1, len(spec.bands)), offset)
    tensors = [torch.from_numpy(each)[None] for each in pixels]
    return whole_view(tensors, scales, offsets, spec=spec, layers=layers, all_valid=False).numpy()


def difference(theirs, ours, spec):
    """The largest, of values in [0, 1] before they are normalised."""
    return np.max(np.abs(theirs.astype(float) - ours) * np.reshape(spec.std, (-1, 1, 1)))


def by_the_card(spec, layers, pixels, *, scale, offset):
    planes = {
        name: plane for layer, each in zip(layers, pixels, strict=True) for name, plane in zip(layer.bands, each, strict=True)
    }
    names = run(blocks(write(spec))[2])
    return names["to_input"]([planes[name] for name in spec.bands], scale, offset, 0)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size_px", "height"), [(64, 64), (64, 264), (96, 60), (50, 132)])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_cards_numpy_gives_our_input(interpolation, size_px, height, share):
    spec = make_spec(("B04", "B8A", "B03"), size_px=size_px, interpolation=interpolation)
    layers = (
        Layer(10.0, ("B04", "B03"), "uint16", height, height, (0, 0)),
        Layer(20.0, ("B8A",), "uint16", height // 2, height // 2, (0,)),
    )
    pixels = [draw_numbers(layer, seed, share=share) for seed, layer in enumerate(layers)]
    ours = by_our_own(spec, layers, pixels, scale=1e-4, offset=-0.1)
    theirs = by_the_card(spec, layers, pixels, scale=1e-4, offset=-0.1)
    assert theirs.shape == ours.shape == (1, 3, size_px, size_px)
    assert theirs.dtype == np.float32
    assert difference(theirs, ours, spec) < 1e-6


def test_a_hole_gets_the_mean_in_both():
    spec = make_spec(("B04",), size_px=32)
    layers = (Layer(10.0, ("B04",), "uint16", 64, 64, (0,)),)
    pixels = [draw_numbers(layers[0], 3)]
    pixels[0][0, 16:40, 16:40] = 0
    ours = by_our_own(spec, layers, pixels, scale=1e-4, offset=-0.1)
    assert (ours == 0).sum() > 100
    assert difference(by_the_card(spec, layers, pixels, scale=1e-4, offset=-0.1), ours, spec) < 1e-6


@pytest.mark.parametrize(("name", "size_px"), [("resnet10t", 64), ("vit_tiny_patch16_224", 32)])
def test_both_of_the_cards_ways_open_the_very_backbone(tmp_path, monkeypatch, name, size_px):
    spec = make_spec(("B08", "B04", "B03", "B02"), size_px=size_px)
    backbone = make_backbone(name, bands=4, size_px=size_px)
    make_export(tmp_path, name=name, spec=spec, backbone=backbone)
    monkeypatch.chdir(tmp_path)
    images = torch.randn(2, 4, size_px, size_px, generator=torch.Generator().manual_seed(0))
    opening = blocks((tmp_path / CARD).read_text())[:2]
    with torch.no_grad():
        found = [run(code)["backbone"](images) for code in opening]
        assert torch.equal(found[0], backbone.eval()(images))
        assert torch.equal(found[1], found[0])


def test_the_bare_call_has_channels_classes_and_the_size_where_there_is_one():
    card = write(make_spec(("B08", "B04"), size_px=48))
    assert 'timm.create_model("resnet10t", num_classes=0, in_chans=2).eval()' in card
    fixed = Exported("vit_tiny_patch16_224", "VisionTransformer", True, 192, 5_000_000, "cd" * 32, 20_000_000)
    card = write(make_spec(("B08", "B04"), size_px=48), fixed)
    assert 'timm.create_model("vit_tiny_patch16_224", num_classes=0, in_chans=2, img_size=48).eval()' in card


def test_the_card_says_where_the_weights_come_from():
    card = write(created="2026-03-01T12:00:00Z", initial="timm:resnet10t (0123)")
    for words in (
        "# seco-resnet10t-test", "| method, recipe | seco, `seco` |", "| started from | timm:resnet10t (0123) |",
        f"| SHA-256 of its index | `{'ab' * 32}` |", "| catalog | `test`, 1,234 locations |", "| loss | 21.25 |",
        "| area (west, south, east, north) | 1.4, 43.5, 1.9, 43.7 |", "| versions | timm 1.0.31, torch 2.15.0 |",
        "| optimizer steps, epochs | 5,000, 20.5 |", f"| commit of seastars | {'0' * 40} |",
        "| exported | 2026-03-01T12:00:00Z |", "| time | 2023-01-15T10:50:31Z to 2023-12-20T10:50:31Z |",
    ):  # fmt: skip
        assert words in card


def test_what_is_not_known_is_left_out_and_not_called_none():
    card = write(bbox=None, interval=None, git_commit=None, versions={}, figures={}, attribution=())
    assert "None" not in re.sub(r"```python\n.*?```", "", card, flags=re.DOTALL)
    assert "| started from | random weights |" in card
    assert "No attribution was recorded." in card
    assert "within the box above" not in card


def test_the_card_has_licence_attribution_and_limits():
    card = write()
    assert card.startswith("---\nlicense: cc-by-4.0\nlibrary_name: timm\n")
    assert "- Contains modified Copernicus Sentinel data\n- Places: GeoNames" in card
    assert "measure on data held out by place" in card


def test_the_card_says_how_numbers_become_reflectance():
    assert "Of sentinel-2-l2a they are usually 0.0001 and -0.1, with nodata 0" in write()
    spec = make_spec(("a", "b"))
    foreign = InputSpec("of-somebody-else", spec.bands, spec.low, spec.high, spec.mean, spec.std, spec.size_px)
    assert "usually" not in write(foreign)
    assert "`raster:scale` and `raster:offset`" in write(foreign)


def test_no_line_is_wider_than_a_page():
    assert max(len(line) for line in write(make_spec(tuple("abcdefghijkl"))).splitlines() if line.startswith("#")) < 80

"""Which tokens show enough measured ground: exact areas on native pixels, every band, every pixel size."""

import numpy as np
import pytest
import torch

from catalogs.layers import Layer
from tests.reference.xstars import valid_share
from train import ground_validity
from train.ground_boxes import GroundBoxes
from train.ground_validity import find_measured, token_validity

NODATA = 0
TOKENS = 4


def layer(gsd, bands, *, side_m=80, data_type="uint16", nodata=NODATA):
    side = round(side_m / gsd)
    return Layer(gsd, tuple(f"b{gsd}{number}" for number in range(bands)), data_type, side, side, (nodata,) * bands)


def raw(each, count, *, gone=0.0, seed=0):
    """Numbers of a layer, a share of them no measurement."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(1, 9, (count, *each.shape)) * (rng.random((count, *each.shape)) >= gone)
    return torch.from_numpy(numbers.astype(each.data_type))


def both_ways(monkeypatch, pixels, layers, parameters, **options):
    """Sample by sample, and the whole batch as on a GPU."""
    found = token_validity(pixels, layers, parameters, tokens=TOKENS, **options)
    with monkeypatch.context() as patched:
        patched.setattr(ground_validity, "_share_each", ground_validity._share_batch)
        assert torch.equal(found, token_validity(pixels, layers, parameters, tokens=TOKENS, **options))
    return found


def whole(flip, *, side_m=80.0):
    return GroundBoxes(np.zeros((len(flip), 2)), side_m, np.array(flip, float))


def test_a_token_is_valid_when_half_of_its_ground_is(monkeypatch):
    fine = layer(10, 1)
    pixels = torch.ones(3, 1, 8, 8, dtype=torch.uint8)
    pixels[0, 0, :2, :1] = NODATA  # half of the first token
    pixels[1, 0, :2, :1] = NODATA
    pixels[1, 0, 0, 1] = NODATA  # more than half
    pixels[2] = pixels[1]
    parameters = whole([0, 0, 1]).parameters(10, bands=1)
    found = both_ways(monkeypatch, [pixels], [fine], parameters, all_valid=False).view(3, 4, 4)
    assert found[0].all()
    assert (~found[1]).nonzero().tolist() == [[0, 0]]
    assert (~found[2]).nonzero().tolist() == [[0, 3]], "flipped"


def test_every_band_and_every_pixel_size_must_be_measured(monkeypatch):
    layers = [layer(10, 2), layer(20, 1)]
    pixels = [raw(each, 2) for each in layers]
    pixels[0][0, 0, :2, 0] = NODATA  # half of the first token in one band
    pixels[0][0, 1, :2, 1] = NODATA  # and its other half in the other
    pixels[1][1, 0, 3, 3] = NODATA  # the last token, which is one coarse pixel
    parameters = whole([0, 0]).parameters(10, bands=3)
    found = both_ways(monkeypatch, pixels, layers, parameters, all_valid=False)
    assert (~found).nonzero().tolist() == [[0, 0], [1, 15]]


@pytest.mark.parametrize("data_type", ["uint8", "uint16", "float32"])
def test_it_is_the_plain_areas_on_boxes_of_any_fraction(monkeypatch, data_type):
    layers = [layer(10, 2, data_type=data_type), layer(20, 1, data_type=data_type)]
    pixels = [raw(each, 6, gone=0.3, seed=number) for number, each in enumerate(layers)]
    rng = np.random.default_rng(5)
    boxes = GroundBoxes(rng.uniform(0, 80 - 37.3, (6, 2)), 37.3, np.arange(6) % 2.0)
    found = both_ways(monkeypatch, pixels, layers, boxes.parameters(10, bands=3), all_valid=False).view(6, 4, 4)
    assert 0.2 < found.float().mean() < 0.9
    for sample in range(6):
        for row in range(4):
            for column in range(4):
                shown = 3 - column if boxes.flip[sample] else column
                plain = min(
                    valid_share(
                        (numbers[sample] != NODATA).all(0).tolist(), boxes.in_pixels(gsd)[sample].tolist(), row, shown, 4
                    )
                    for numbers, gsd in zip(pixels, (10, 20), strict=True)
                )
                assert found[sample, row, column] == (plain >= 0.5), (sample, row, column, plain)


def test_where_all_is_known_to_be_measured_nothing_is_looked_at():
    fine = layer(10, 1)
    parameters = whole([0, 0]).parameters(10, bands=1)
    gone = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert token_validity([gone], [fine], parameters, all_valid=True, tokens=TOKENS).all()
    assert not token_validity([gone], [fine], parameters, all_valid=False, tokens=TOKENS).any()


@pytest.mark.parametrize(
    ("data_type", "number", "nodata", "gone"),
    [
        ("uint8", 0, 0, True),
        ("uint16", 65535, 65535, True),
        ("int16", -32768, -32768, True),
        ("float32", float("nan"), float("nan"), True),
        ("float32", float("nan"), None, True),
        ("float32", -9999.0, -9999.0, True),
        ("uint8", 0, None, False),
    ],
)
def test_a_measurement_is_neither_nan_nor_the_number_for_none(data_type, number, nodata, gone):
    numbers = np.full((1, 2, 2, 2), 7, data_type)
    numbers[0, 1, 0, 1] = number
    found = find_measured(torch.from_numpy(numbers), (None, nodata))
    assert found.tolist() == [[[True, not gone], [True, True]]]

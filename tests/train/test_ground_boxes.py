import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from tests.reference.xstars import valid_share
from tests.train.references import slow_resample
from train import ground_boxes
from train.draws import location_key
from train.errors import ConfigError
from train.ground_boxes import (
    GroundBoxes,
    PatchGround,
    cut_ground,
    draw_ground_boxes,
    kernel_margin_m,
    token_validity,
    valid_shares,
)

SQUARE_M = 2640
GSD_M = (30, 10, 1.5)
PAIRS = [(30, 10), (30, 1.5), (10, 1.5)]
TOKENS = 14


def keys(count):
    return np.array([location_key(f"place-{number}") for number in range(count)], np.uint64)


def draw(count=40, seed=3, epoch=0, **options):
    return draw_ground_boxes(seed, epoch=epoch, locations=keys(count), square_m=SQUARE_M, **options)


def far_boxes(side_m, margin_m=0.0):
    """Boxes at opposite corners of the square, flipped and not, and two somewhere."""
    low, high = min(margin_m, (SQUARE_M - side_m) / 2), SQUARE_M - side_m - min(margin_m, (SQUARE_M - side_m) / 2)
    corners = [(low, low), (high, high), (low, high), (low + 0.37 * (high - low), low + 0.71 * (high - low))]
    return GroundBoxes(np.array(corners), side_m, np.array([0.0, 1.0, 1.0, 0.0]))


def positions(gsd_m, count):
    """Images whose value is the northing, counted southwards, and the easting of a pixel's centre, metres from the corner."""
    pixels = round(SQUARE_M / gsd_m)
    centers = (torch.arange(pixels, dtype=torch.float32) + 0.5) * gsd_m
    both = torch.stack((centers[:, None].expand(pixels, pixels), centers[None].expand(pixels, pixels)))
    return both.expand(count, 2, pixels, pixels)


def token_means(gsd_m, boxes):
    """What the tokens of one sensor show, (locations, 2, 14, 14) metres: crop, flip and resize, then the mean of a token."""
    cut, valid = cut_ground(positions(gsd_m, len(boxes)), None, boxes, PatchGround(gsd_m))
    assert valid is None
    return avg_pool2d(cut, 224 // TOKENS)


def token_centers(boxes):
    """Where the tokens lie, from the boxes alone, (locations, 2, 14, 14) metres."""
    steps = (np.arange(TOKENS) + 0.5) * boxes.side_m / TOKENS
    along = boxes.corner_m[:, :, None] + steps
    down, across = along[:, 0], np.where(boxes.flip[:, None] > 0, along[:, 1, ::-1], along[:, 1])
    shape = (len(boxes), TOKENS, TOKENS)
    centers = np.stack((np.broadcast_to(down[:, :, None], shape), np.broadcast_to(across[:, None], shape)), 1)
    return torch.from_numpy(centers).float()


@pytest.mark.parametrize("side_m", [2640, 2633.7, 1344, 600])
def test_a_token_shows_the_same_ground_to_every_sensor(side_m):
    boxes = far_boxes(side_m, max(kernel_margin_m(each, crop_m=side_m) for each in GSD_M))
    found = {gsd_m: token_means(gsd_m, boxes) for gsd_m in GSD_M}
    for coarse, fine in PAIRS:
        assert (found[coarse] - found[fine]).abs().max() < fine / 2
    for means in found.values():
        assert (means - token_centers(boxes)).abs().max() < 0.75


def test_with_pixels_beyond_the_box_it_is_the_same_to_a_centimetre():
    boxes = far_boxes(1000, kernel_margin_m(30, crop_m=1000))
    for gsd_m in GSD_M:
        assert (token_means(gsd_m, boxes) - token_centers(boxes)).abs().max() < 0.01


def test_rounding_boxes_to_pixels_would_show_other_ground(monkeypatch):
    boxes = far_boxes(1000, 15)
    in_pixels = GroundBoxes.in_pixels
    monkeypatch.setattr(GroundBoxes, "in_pixels", lambda *given: np.rint(in_pixels(*given)))
    assert (token_means(30, boxes) - token_means(1.5, boxes)).abs().max() > 10


def test_clipping_kernels_at_the_box_would_show_other_ground(monkeypatch):
    boxes, real = far_boxes(1000, 15), ground_boxes.resample
    whole = token_means(30, boxes)
    monkeypatch.setattr(ground_boxes, "resample", lambda *given, **options: real(*given, **{**options, "beyond": False}))
    assert (token_means(30, boxes) - whole).abs().max() > 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("gsd_m", [60, 10])
def test_a_cut_is_the_definition_on_boxes_of_any_fraction(gsd_m, interpolation):
    pixels = 720 // gsd_m
    image = torch.from_numpy(np.random.default_rng(0).random((3, 1, pixels, pixels), np.float32))
    boxes = GroundBoxes(np.array([[0.0, 0.0], [101.3, 217.9], [359.9, 123.4]]), 360.1, np.array([0.0, 1.0, 0.0]))
    made, _ = cut_ground(image, None, boxes, PatchGround(gsd_m), size_px=8, interpolation=interpolation)
    for number, box in enumerate(boxes.in_pixels(PatchGround(gsd_m)).tolist()):
        plain = slow_resample(image[number, 0].numpy(), tuple(box), 8, interpolation, beyond=True)
        plain = plain[:, ::-1] if boxes.flip[number] else plain
        assert np.abs(made[number, 0].numpy() - plain).max() < 1e-5


def test_a_patch_may_begin_elsewhere_than_its_square():
    boxes, ramp = far_boxes(1000, 60), positions(10, 4)
    whole, _ = cut_ground(ramp, None, boxes, PatchGround(10))
    inside, _ = cut_ground(ramp[:, :, 3:, 1:], None, boxes, PatchGround(10, top_m=30, left_m=10))
    torch.testing.assert_close(inside, whole, rtol=0, atol=1e-2)
    wider = torch.nn.functional.pad(ramp, (2, 0, 5, 0))
    around, _ = cut_ground(wider, None, boxes, PatchGround(10, top_m=-50, left_m=-20))
    torch.testing.assert_close(around, whole, rtol=0, atol=1e-2)


@pytest.mark.parametrize("ground", [PatchGround(10, top_m=20), PatchGround(10, left_m=20), PatchGround(10, top_m=-500)])
def test_a_box_that_leaves_its_patch_is_refused(ground):
    boxes = GroundBoxes(np.full((1, 2), 5.0), 2600.0, np.zeros(1))
    with pytest.raises(
        ValueError, match=r"A box of 2600 m begins .* 264 x 264 px of 10 m, and is not within it\. Draw boxes for"
    ):
        cut_ground(positions(10, 1), None, boxes, ground)


def test_the_kernel_margin_is_the_least_that_misses_no_pixel():
    for gsd_m, side_m in ((30, 2400), (30, 700), (1.5, 2000)):
        margin = kernel_margin_m(gsd_m, crop_m=side_m)
        for short in (0.0, 2.0):
            at = max(margin - short, 0)
            boxes = GroundBoxes(np.full((1, 2), at), side_m, np.zeros(1))
            cut, _ = cut_ground(positions(gsd_m, 1), None, boxes, PatchGround(gsd_m))
            expected = at + 0.5 * side_m / 224
            assert (abs(cut[0, 0, 0, 0].item() - expected) < 0.05) == (at >= margin)
    assert kernel_margin_m(30, crop_m=2640, interpolation="bicubic") == pytest.approx(39.1, abs=0.01)
    assert kernel_margin_m(10, crop_m=2240) == 0


def test_what_is_invalid_leaves_the_cut():
    image = torch.rand(2, 3, 44, 44, generator=torch.Generator().manual_seed(0))
    valid = torch.rand(2, 3, 44, 44, generator=torch.Generator().manual_seed(1)) < 0.7
    boxes = GroundBoxes(np.array([[0.0, 0.0], [31.0, 77.7]]), 333.3, np.array([1.0, 0.0]))
    spoilt = torch.where(valid, image, torch.nan)
    (first, seen), (second, _) = (cut_ground(each, valid, boxes, PatchGround(10), size_px=28) for each in (image, spoilt))
    assert torch.equal(first, second)
    assert 0.5 < seen.float().mean() < 1
    assert not first[~seen].any()
    ones, _ = cut_ground(torch.ones_like(image), valid, boxes, PatchGround(10), size_px=28)
    torch.testing.assert_close(ones[seen], torch.ones_like(ones[seen]))


def test_values_beside_invalid_pixels_are_the_definition_of_normalised_convolution():
    image, valid = torch.rand(2, 1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    valid = valid < 0.8
    boxes, ground = GroundBoxes(np.array([[51.3, 37.9]]), 100.0, np.zeros(1)), PatchGround(10)
    made, seen = cut_ground(image, valid, boxes, ground, size_px=7)
    box = tuple(boxes.in_pixels(ground)[0].tolist())
    both = (image * valid, valid.float())
    values, weights = (slow_resample(each[0, 0].numpy(), box, 7, "bilinear", beyond=True) for each in both)
    assert (seen[0, 0].numpy() == (weights >= 0.5)).all()
    plain = np.where(weights >= 0.5, values / np.maximum(weights, 0.5), 0)
    assert np.abs(made[0, 0].numpy() - plain).max() < 1e-5


@pytest.mark.parametrize(("box", "flip"), [((0.0, 0.0), 0.0), ((17.3, 41.9), 1.0), ((55.5, 3.2), 0.0)])
def test_valid_shares_are_the_plain_areas(box, flip):
    valid = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(2)) < 0.5
    boxes, ground = GroundBoxes(np.array([box]), 61.7, np.array([flip])), PatchGround(10)
    found = valid_shares(valid, boxes, ground, tokens=4).view(4, 4)
    for row in range(4):
        for column in range(4):
            shown = 3 - column if flip else column
            plain = valid_share(valid[0].tolist(), boxes.in_pixels(ground)[0].tolist(), row, shown, 4)
            assert found[row, column].item() == pytest.approx(plain, abs=1e-5)


def test_a_token_is_valid_when_half_of_its_ground_is():
    valid = torch.ones(3, 8, 8, dtype=torch.bool)
    valid[0, :2, :1] = False  # half of the first token
    valid[1, :2, :1] = False
    valid[1, 0, 1] = False  # more than half
    boxes = GroundBoxes(np.zeros((3, 2)), 80.0, np.array([0.0, 0.0, 1.0]))
    valid[2] = valid[1]
    found = token_validity(valid, boxes, PatchGround(10), tokens=4).view(3, 4, 4)
    assert found[0].all()
    assert (~found[1]).nonzero().tolist() == [[0, 0]]
    assert (~found[2]).nonzero().tolist() == [[0, 3]]


def test_ground_beyond_the_patch_is_not_valid():
    boxes, ground = GroundBoxes(np.zeros((1, 2)), 80.0, np.zeros(1)), PatchGround(10, left_m=30)
    found = valid_shares(torch.ones(1, 8, 8, dtype=torch.bool), boxes, ground, tokens=4).view(4, 4)
    assert found.tolist() == [[0, 0.5, 1, 1]] * 4


def test_half_of_the_ground_is_the_same_half_for_every_sensor():
    boxes = draw(4, crop_m=700.0)
    shares = []
    for gsd_m in GSD_M:
        rows = torch.arange(round(SQUARE_M / gsd_m)) * gsd_m < 1320
        valid = rows[:, None].expand(-1, len(rows)).expand(4, -1, -1)
        shares.append(valid_shares(valid, boxes, PatchGround(gsd_m)))
    torch.testing.assert_close(shares[0], shares[1], rtol=0, atol=1e-4)
    torch.testing.assert_close(shares[0], shares[2], rtol=0, atol=1e-4)


def test_a_box_hangs_on_seed_epoch_and_location_alone():
    whole = draw(crop_m=1000.0)
    again = draw_ground_boxes(3, epoch=0, locations=keys(40)[::-1][:7], square_m=SQUARE_M, crop_m=1000.0)
    np.testing.assert_array_equal(again.corner_m, whole.corner_m[::-1][:7])
    np.testing.assert_array_equal(again.flip, whole.flip[::-1][:7])
    for other in (draw(crop_m=1000.0, seed=4), draw(crop_m=1000.0, epoch=1)):
        assert (other.corner_m != whole.corner_m).all()
        assert (other.flip != whole.flip).any()


def test_boxes_lie_anywhere_in_the_square_on_no_pixel_and_are_flipped_half_the_time():
    boxes = draw(2000, crop_m=640.0)
    assert boxes.corner_m.min() >= 0
    assert boxes.corner_m.max() <= 2000
    assert boxes.corner_m.mean(axis=0) == pytest.approx([1000, 1000], rel=0.05)
    assert boxes.corner_m.std(axis=0) == pytest.approx([2000 / 12**0.5] * 2, rel=0.05)
    assert boxes.flip.mean() == pytest.approx(0.5, abs=0.05)
    assert (boxes.corner_m / 1.5 % 1 > 1e-9).all()
    kept = draw(2000, crop_m=640.0, margin_m=15)
    assert (kept.corner_m.min() >= 15, kept.corner_m.max() <= 1985) == (True, True)


def test_the_box_is_the_square_unless_told():
    boxes = draw(5, margin_m=15)
    assert boxes.side_m == SQUARE_M
    assert not boxes.corner_m.any()
    assert not draw(5, flip=0.0).flip.any()
    assert draw(5, flip=1.0).flip.all()


@pytest.mark.parametrize("crop_m", [0, -5, 2700.5, float("nan")])
def test_a_box_that_does_not_fit_is_refused(crop_m):
    with pytest.raises(
        ConfigError, match=rf"A box of {crop_m:g} m does not fit squares of 2640 m\. Choose --crop-m up to 2640\."
    ):
        draw(crop_m=crop_m)

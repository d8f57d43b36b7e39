import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from catalogs.layers import Layer
from tests.reference.xstars import valid_share
from tests.train.references import slow_resample
from train.config import InputSpec
from train.draws import location_key
from train.errors import ConfigError
from train.ground_boxes import GroundBoxes, draw_ground_boxes, kernel_margin_m, valid_shares
from train.parameters import COLUMNS, cut_parameters, neutral_parameters
from train.patches import Patches, Target
from train.views import ViewMaker

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
    """Images whose value is the northing, counted southwards, and the easting of a pixel's centre, in sides of the square."""
    centers = (torch.arange(round(SQUARE_M / gsd_m), dtype=torch.float32) + 0.5) * gsd_m / SQUARE_M
    return torch.stack(torch.meshgrid(centers, centers, indexing="ij")).repeat(count, 1, 1, 1)


def view(pixels, box, flip, *, size_px=224, interpolation="bilinear", beyond=True):
    """Boxes in pixels of images of reflectance in [0, 1], as the views of a training are made."""
    bands, side = pixels.shape[1], pixels.shape[-1]
    names = tuple(f"b{band}" for band in range(bands))
    spec = InputSpec("made-up", names, (0.0,) * bands, (1.0,) * bands, (0.0,) * bands, (1.0,) * bands, size_px, interpolation)
    maker = ViewMaker(spec, [Layer(1, names, "float32", side, side, (None,) * bands)])
    patches = Patches([pixels], torch.ones(len(pixels), bands), torch.zeros(len(pixels), bands), all_valid=True)
    return maker.make(patches, Target(size_px, interpolation, beyond=beyond), cut_parameters(box, flip, bands=bands))[0]


def token_means(gsd_m, boxes, *, rounded=False, beyond=True):
    """What the tokens of one sensor show, (locations, 2, 14, 14) metres: crop, flip and resize, then the mean of a token."""
    box = np.rint(boxes.in_pixels(gsd_m)) if rounded else boxes.in_pixels(gsd_m)
    cut = view(positions(gsd_m, len(boxes)), box, boxes.flip, beyond=beyond)
    return avg_pool2d(cut, 224 // TOKENS) * SQUARE_M


def shares(valid, boxes, gsd_m, *, tokens=4):
    box, flip = torch.from_numpy(boxes.in_pixels(gsd_m)), torch.from_numpy(boxes.flip)
    return valid_shares(valid, box, flip, tokens=tokens)


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


def test_rounding_boxes_to_pixels_would_show_other_ground():
    boxes = far_boxes(1000, 15)
    assert (token_means(30, boxes, rounded=True) - token_means(1.5, boxes, rounded=True)).abs().max() > 10


def test_clipping_kernels_at_the_box_would_show_other_ground():
    boxes = far_boxes(1000, 15)
    assert (token_means(30, boxes, beyond=False) - token_means(30, boxes)).abs().max() > 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("gsd_m", [60, 10])
def test_a_view_is_the_definition_on_boxes_of_any_fraction(gsd_m, interpolation):
    pixels = 720 // gsd_m
    image = torch.from_numpy(np.random.default_rng(0).uniform(0.4, 0.6, (3, 1, pixels, pixels)).astype(np.float32))
    boxes = GroundBoxes(np.array([[0.0, 0.0], [101.3, 217.9], [359.9, 123.4]]), 360.1, np.array([0.0, 1.0, 0.0]))
    made = view(image, boxes.in_pixels(gsd_m), boxes.flip, size_px=8, interpolation=interpolation)
    for number, box in enumerate(boxes.in_pixels(gsd_m).tolist()):
        plain = slow_resample(image[number, 0].numpy(), tuple(box), 8, interpolation, beyond=True)
        plain = plain[:, ::-1] if boxes.flip[number] else plain
        assert np.abs(made[number, 0].numpy() - plain).max() < 1e-5


def test_the_kernel_margin_is_the_least_that_misses_no_pixel():
    for gsd_m, side_m in ((30, 2400), (30, 700), (1.5, 2000)):
        margin = kernel_margin_m(gsd_m, crop_m=side_m)
        for short in (0.0, 2.0):
            at = max(margin - short, 0)
            boxes = GroundBoxes(np.full((1, 2), at), side_m, np.zeros(1))
            found = SQUARE_M * view(positions(gsd_m, 1), boxes.in_pixels(gsd_m), boxes.flip)[0, 0, 0, 0].item()
            assert (abs(found - (at + 0.5 * side_m / 224)) < 0.05) == (at >= margin)
    assert kernel_margin_m(30, crop_m=2640, interpolation="bicubic") == pytest.approx(39.1, abs=0.01)
    assert kernel_margin_m(10, crop_m=2240) == 0


def test_views_of_boxes_are_cut_flipped_and_nothing_else():
    boxes = far_boxes(1000)
    made = boxes.parameters(30, bands=3)
    np.testing.assert_allclose(made.column("box").numpy(), boxes.in_pixels(30), rtol=1e-6)
    assert made.column("flip")[:, 0].tolist() == boxes.flip.tolist()
    neutral = neutral_parameters(4, height=88, width=88, bands=3)
    rest = slice(COLUMNS["flip"].stop, None)
    np.testing.assert_array_equal(made.host[:, rest], neutral.host[:, rest])


@pytest.mark.parametrize(("box", "flip"), [((0.0, 0.0), 0.0), ((17.3, 41.9), 1.0), ((55.5, 3.2), 0.0)])
def test_valid_shares_are_the_plain_areas(box, flip):
    valid = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(2)) < 0.5
    boxes = GroundBoxes(np.array([box]), 61.7, np.array([flip]))
    found = shares(valid, boxes, 10).view(4, 4)
    for row in range(4):
        for column in range(4):
            shown = 3 - column if flip else column
            plain = valid_share(valid[0].tolist(), boxes.in_pixels(10)[0].tolist(), row, shown, 4)
            assert found[row, column].item() == pytest.approx(plain, abs=1e-5)


def test_ground_beyond_the_patch_is_not_valid():
    boxes = GroundBoxes(np.array([[0.0, -30.0]]), 80.0, np.zeros(1))
    found = shares(torch.ones(1, 8, 8, dtype=torch.bool), boxes, 10).view(4, 4)
    assert found.tolist() == [[0, 0.5, 1, 1]] * 4


def test_half_of_the_ground_is_the_same_half_for_every_sensor():
    boxes = draw(4, crop_m=700.0)
    found = []
    for gsd_m in GSD_M:
        rows = torch.arange(round(SQUARE_M / gsd_m)) * gsd_m < 1320
        found.append(shares(rows[:, None].expand(-1, len(rows)).expand(4, -1, -1), boxes, gsd_m, tokens=14))
    assert {0.0, 1.0} < set(found[0].flatten().tolist())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[0], found[2], rtol=0, atol=1e-4)


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

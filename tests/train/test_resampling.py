import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from tests.train.references import slow_resample
from train.resampling import axis_taps, axis_weights, exact_products, resample, resample_one, share_out

BOXES = [(0, 0, 264, 264), (3, 40, 200, 131), (100, 5, 97, 259), (11, 12, 96, 224), (200, 210, 7, 5), (263, 0, 1, 264)]


def noise(*shape):
    return torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))


def one_by_one(images, boxes, *, size_px, interpolation, flip=None, beyond=False):
    """`resample` in the way made for a CPU."""
    options = {"bands": images.shape[1], "size_px": size_px, "interpolation": interpolation, "beyond": beyond}
    down = axis_taps(boxes[:, 0], boxes[:, 2], pixels=images.shape[2], **options)
    across = axis_taps(boxes[:, 1], boxes[:, 3], pixels=images.shape[3], flip=flip, **options)
    return torch.stack(
        [
            resample_one(image[:, rows.touched, columns.touched], rows, columns)
            for image, rows, columns in zip(images, down, across, strict=True)
        ]
    )


WAYS = pytest.mark.parametrize("way", [resample, one_by_one], ids=["batch", "one by one"])
KERNELS = pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
BEYOND = pytest.mark.parametrize("beyond", [False, True], ids=["within the box", "beyond the box"])


@WAYS
@KERNELS
@pytest.mark.parametrize("size_px", [64, 96, 224, 300])
def test_boxes_of_whole_pixels_equal_the_float_path_of_torchvision(way, interpolation, size_px):
    images, boxes = noise(len(BOXES), 3, 264, 264), torch.tensor(BOXES, dtype=torch.float32)
    made = way(images, boxes, size_px=size_px, interpolation=interpolation)
    mode = InterpolationMode(interpolation)
    for image, box, ours in zip(images, BOXES, made, strict=True):
        theirs = tv.resized_crop(image, *box, [size_px, size_px], interpolation=mode, antialias=True)
        assert (ours - theirs).abs().max() < 1e-5


@WAYS
@KERNELS
@pytest.mark.parametrize("size_px", [96, 224])
def test_views_equal_those_of_pillow_but_for_its_rounding(way, interpolation, size_px):
    low, high = (0, 256) if interpolation == "bilinear" else (60, 196)  # Pillow clips what its first pass overshoots
    raw = np.random.default_rng(0).integers(low, high, (len(BOXES), 264, 264, 3), dtype=np.uint8)
    images = torch.from_numpy(raw).permute(0, 3, 1, 2) / 255
    made = way(images, torch.tensor(BOXES, dtype=torch.float32), size_px=size_px, interpolation=interpolation).clamp(0, 1)
    for image, box, ours in zip(raw, BOXES, made, strict=True):
        theirs = tv.resized_crop(Image.fromarray(image), *box, [size_px, size_px], InterpolationMode(interpolation))
        difference = (ours * 255 - torch.from_numpy(np.array(theirs)).permute(2, 0, 1)).abs()
        assert difference.mean() <= 0.35
        assert difference.max() <= (1.01 if interpolation == "bilinear" else 1.5)


@WAYS
@KERNELS
@pytest.mark.parametrize("box", [(2.25, 0.5, 9.5, 12.125), (0.0, 3.0, 4.0, 4.0), (5.2, 6.9, 0.4, 0.2), (7.0, 0.0, 6.0, 13.0)])
def test_boxes_on_fractions_of_pixels_equal_the_definition(way, interpolation, box):
    image = noise(1, 1, 13, 14)
    made = way(image, torch.tensor([box]), size_px=6, interpolation=interpolation)
    slow = slow_resample(image[0, 0].numpy(), box, 6, interpolation)
    assert np.abs(made[0, 0].numpy() - slow).max() < 1e-5


@WAYS
@KERNELS
@pytest.mark.parametrize("size_px", [4, 30])
@pytest.mark.parametrize("box", [(2.25, 3.5, 9.5, 7.0), (0.0, 0.0, 13.0, 14.0), (0.4, 8.1, 3.0, 5.9), (6.2, 6.9, 0.4, 0.2)])
def test_the_kernel_may_see_the_pixels_around_the_box(way, interpolation, box, size_px):
    image, options = noise(1, 1, 13, 14), {"size_px": size_px, "interpolation": interpolation}
    made = way(image, torch.tensor([box]), **options, beyond=True)[0, 0]
    assert np.abs(made.numpy() - slow_resample(image[0, 0].numpy(), box, **options, beyond=True)).max() < 1e-5
    cut = way(image, torch.tensor([box]), **options)[0, 0]
    assert ((made - cut).abs().max() > 0.01) == (box[2] < 13)


@WAYS
@KERNELS
def test_it_sees_them_as_far_as_it_reaches_and_no_further(way, interpolation):
    image, reach = noise(1, 2, 60, 60), 3 if interpolation == "bilinear" else 6
    box, options = torch.tensor([[20.0, 24.0, 12.0, 15.0]]), {"size_px": 4, "interpolation": interpolation}
    made = way(image, box, **options, beyond=True)
    spoiled = image.clone()
    spoiled[..., : 20 - reach, :] = spoiled[..., 32 + reach :, :] = spoiled[..., : 24 - reach - 1] = 1e6
    assert torch.equal(way(spoiled, box, **options, beyond=True), made)
    spoiled[..., 32, 30] = 0
    assert not torch.equal(way(spoiled, box, **options, beyond=True), made)
    taps = axis_taps(box[:, 0], box[:, 2], pixels=60, bands=2, beyond=True, **options)
    assert taps[0].touched == slice(20 - reach, 32 + reach)


@BEYOND
@WAYS
@KERNELS
def test_both_ways_agree_on_boxes_of_any_kind(way, interpolation, beyond):
    rng = np.random.default_rng(1)
    sides = rng.uniform(0.3, 44, (30, 2))
    boxes = torch.from_numpy(np.concatenate([rng.uniform(0, 44 - sides), sides], axis=1)).float()
    images, flip = noise(30, 4, 44, 44), torch.arange(30) % 2
    options = {"size_px": 32, "interpolation": interpolation, "flip": flip, "beyond": beyond}
    assert (way(images, boxes, **options) - resample(images, boxes, **options)).abs().max() < 1e-5


@BEYOND
@WAYS
@KERNELS
def test_a_flip_is_exact(way, interpolation, beyond):
    images, boxes = noise(len(BOXES), 2, 264, 264), torch.tensor(BOXES, dtype=torch.float32)
    options = {"size_px": 96, "interpolation": interpolation, "beyond": beyond}
    plain = way(images, boxes, **options, flip=torch.zeros(len(BOXES)))
    flipped = way(images, boxes, **options, flip=torch.ones(len(BOXES)))
    assert (flipped == plain.flip(-1)).all()
    assert (way(images, boxes, **options) == plain).all()
    mixed = way(images, boxes, **options, flip=torch.arange(len(BOXES)) % 2)
    assert (mixed[::2] == plain[::2]).all()
    assert (mixed[1::2] == flipped[1::2]).all()


@WAYS
@KERNELS
def test_a_box_of_the_output_size_is_copied(way, interpolation):
    image = noise(1, 2, 40, 40)
    made = way(image, torch.tensor([[3.0, 5.0, 20.0, 20.0]]), size_px=20, interpolation=interpolation)
    assert (made - image[:, :, 3:23, 5:25]).abs().max() < 1e-6


@WAYS
def test_pixels_outside_the_box_do_not_contribute(way):
    image = noise(1, 1, 40, 40)
    spoiled = image.clone()
    spoiled[:, :, :8] = spoiled[:, :, 21:] = spoiled[..., :4] = spoiled[..., 33:] = 1e6
    box = torch.tensor([[8.0, 4.0, 13.0, 29.0]])
    made, again = (way(each, box, size_px=7, interpolation="bicubic") for each in (image, spoiled))
    assert (made == again).all()


def test_one_box_serves_a_whole_batch():
    images, box = noise(3, 2, 20, 20), torch.tensor([[1.0, 2.0, 15.0, 10.5]])
    together = resample(images, box, size_px=8, interpolation="bilinear")
    apart = resample(images, box.repeat(3, 1), size_px=8, interpolation="bilinear")
    assert (together - apart).abs().max() < 1e-6


@KERNELS
def test_weights_of_an_output_line_sum_to_one(interpolation):
    start, length = torch.tensor([0.0, 3.3, 9.99]), torch.tensor([20.0, 1.7, 0.01])
    weights = axis_weights(start, length, pixels=20, size_px=5, interpolation=interpolation)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 5))
    for beyond in (False, True):
        for each in axis_taps(start, length, pixels=20, bands=2, size_px=5, interpolation=interpolation, beyond=beyond):
            assert torch.allclose(each.weights.sum(-1), torch.ones(10))


def test_a_box_that_floats_put_just_over_an_edge_ends_at_the_edge():
    third = torch.tensor([1 / 3], dtype=torch.float32)
    taps = axis_taps(third * 3 * 7, third * 3 * 5 + 2e-6, pixels=20, bands=1, size_px=4, interpolation="bilinear")
    assert taps[0].touched == slice(7, 12)


def test_what_is_half_valid_is_shared_out_and_what_is_less_is_not():
    values, valid = share_out(torch.tensor([0.8, 0.4, 0.2, 0.0]), torch.tensor([1.0, 0.5, 0.49, 0.0]))
    assert valid.tolist() == [True, True, False, False]
    assert torch.allclose(values, torch.tensor([0.8, 0.8, 0.0, 0.0]))


def test_normalised_convolution_does_not_see_what_is_invalid():
    image, valid = torch.full((1, 1, 20, 20), 0.6), torch.ones(1, 1, 20, 20)
    valid[..., 8:] = 0
    options = {"boxes": torch.tensor([[0.0, 0.0, 20.0, 20.0]]), "size_px": 8, "interpolation": "bilinear"}
    values, seen = share_out(resample(image * valid, **options), resample(valid, **options))
    assert torch.allclose(values[seen], torch.tensor(0.6))
    assert seen[0, 0].all(0).tolist() == [True] * 3 + [False] * 5


def test_products_are_exact_inside_and_what_they_were_outside():
    before = torch.get_float32_matmul_precision()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with exact_products(torch.device("cpu")):
            assert torch.get_float32_matmul_precision() == "highest"
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert torch.get_float32_matmul_precision() == before

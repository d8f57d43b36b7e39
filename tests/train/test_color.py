import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as tv

from train.color import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, luminance, remove_color, solarize

ADJUST = {
    "brightness": adjust_brightness, "contrast": adjust_contrast, "saturation": adjust_saturation, "hue": adjust_hue,
}  # fmt: skip
NUMBERS = {
    "brightness": (0.0, 0.6, 1.4), "contrast": (0.0, 0.6, 1.4), "saturation": (0.0, 0.6, 1.4),
    "hue": (-0.5, -0.1, -1 / 6, 0.03, 0.1, 1 / 3, 0.5),
}  # fmt: skip
CASES = pytest.mark.parametrize(("name", "number"), [(name, number) for name in ADJUST for number in NUMBERS[name]])


def make_images(count=4, side=48):
    """Noise, few colours, grays, and every mixture of 0, 1/2 and 1: hues on the borders of sectors, chroma 0."""
    rng = np.random.default_rng(0)
    images = rng.random((count, 3, side, side), np.float32)
    images[1] = rng.integers(0, 2, images[1].shape)
    images[2] = images[2, :1]
    images[3] = rng.integers(0, 3, images[3].shape) / 2
    return torch.from_numpy(images)


@CASES
def test_given_numbers_change_colours_as_torchvision_does_on_floats(name, number):
    images = make_images()
    made = images.clone()
    for image in made:
        ADJUST[name](image, number)
    theirs = torch.stack([getattr(tv, f"adjust_{name}")(image, number) for image in images])
    assert (made - theirs).abs().mean() < 0.01 / 255
    assert (made - theirs).abs().max() < 1e-5


@CASES
def test_numbers_may_differ_between_the_images_of_a_batch(name, number):
    images = make_images()
    others = torch.tensor([number, NUMBERS[name][0], NUMBERS[name][-1], number])
    made, apart = images.clone(), images.clone()
    ADJUST[name](made, others[:, None, None, None])
    for image, each in zip(apart, others.tolist(), strict=True):
        ADJUST[name](image, each)
    assert (made - apart).abs().max() < 2e-6


@pytest.mark.parametrize(("name", "number"), [("brightness", 1.0), ("contrast", 1.0), ("saturation", 1.0), ("hue", 0.0)])
def test_the_neutral_number_changes_nothing(name, number):
    images = make_images()
    made = images.clone()
    ADJUST[name](made, number)
    assert (made - images).abs().max() < 1e-6


@CASES
def test_pillow_differs_by_no_more_than_its_rounding(name, number):
    smooth = torch.nn.functional.interpolate(make_images()[:1], (200, 200), mode="bicubic").clamp(0, 1)[0]
    raw = (smooth * 255).round()
    made = raw / 255
    ADJUST[name](made, number)
    image = Image.fromarray(raw.to(torch.uint8).permute(1, 2, 0).numpy())
    theirs = torch.from_numpy(np.array(getattr(tv, f"adjust_{name}")(image, number))).permute(2, 0, 1)
    rounding = 2.0 if name == "hue" else 0.6  # Pillow's HSV has 8 bits for the hue, the saturation and the value each
    assert (made * 255 - theirs).abs().mean() < rounding


def test_a_full_turn_of_the_hue_comes_back():
    images = make_images()
    made = images.clone()
    for _ in range(3):
        adjust_hue(made, 1 / 3)
    assert (made - images).abs().max() < 1e-5


def test_a_third_of_a_turn_makes_green_of_red_and_grays_stay():
    image = torch.tensor([[1.0, 0.3], [0.0, 0.3], [0.0, 0.3]])[:, None]
    adjust_hue(image, 1 / 3)
    assert torch.allclose(image[:, 0, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)
    assert torch.allclose(image[:, 0, 1], torch.full((3,), 0.3))


def test_grayscale_is_luminance_in_rgb_and_the_mean_in_further_bands():
    images = torch.rand(2, 5, 6, 6, generator=torch.Generator().manual_seed(0))
    made = images.clone()
    remove_color(made, rgb=True)
    assert (made[:, :3] - tv.rgb_to_grayscale(images[:, :3], num_output_channels=3)).abs().max() < 1e-6
    assert torch.allclose(made[:, 3], images[:, 3:].mean(1))
    assert torch.equal(made[:, 3], made[:, 4])


def test_grayscale_without_rgb_is_the_mean_of_all_bands():
    images = torch.rand(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    made = images.clone()
    remove_color(made, rgb=False)
    for band in range(4):
        assert torch.allclose(made[:, band], images.mean(1))


def test_solarise_turns_what_is_half_or_brighter_as_torchvision_does():
    images = make_images()
    made = images.clone()
    solarize(made)
    assert torch.equal(made, tv.solarize(images, 0.5))


def test_luminance_is_that_of_torchvision():
    images = make_images()
    assert (luminance(images) - tv.rgb_to_grayscale(images)).abs().max() < 1e-6

"""Heads: shapes, the numbers of the linear one, and what a gradient reaches."""

import pytest
import torch
from torch.nn.functional import conv2d, interpolate

from evaluate.dense_heads import HEADS, LinearHead, PyramidHead, Standardise, UNetHead, make_head, resize
from evaluate.errors import InputError

RESNET = ((8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2))
VIT = ((12, 5, 5),) * 4


def make_maps(shapes, *, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, *shape, generator=generator, requires_grad=True) for shape in shapes)


@pytest.mark.parametrize("shapes", [RESNET, VIT])
@pytest.mark.parametrize("make", [LinearHead, PyramidHead, UNetHead])
def test_every_head_gives_logits_at_the_size_of_the_label_raster_and_all_of_it_learns(make, shapes):
    maps = make_maps(shapes)
    head = make([channels for channels, *_ in shapes], 3)
    for parameter in head.parameters():  # zeros at the top of a linear head would stop a gradient
        torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
    logits = head(maps, (20, 20))
    assert logits.shape == (2, 3, 20, 20)
    logits.square().sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    for each in maps:
        assert each.grad.abs().sum() > 0


def test_the_linear_head_equals_one_convolution_of_all_maps_resized_and_stacked():
    maps = make_maps(RESNET)
    head = LinearHead([channels for channels, *_ in RESNET], 5)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    weight = torch.cat([part.weight for part in head.parts], dim=1)
    stacked = torch.cat([interpolate(each, size=(16, 16), mode="bilinear", align_corners=False) for each in maps], dim=1)
    expected = interpolate(conv2d(stacked, weight, head.parts[0].bias), size=(40, 40), mode="bilinear", align_corners=False)
    torch.testing.assert_close(head(maps, (40, 40)), expected, rtol=1e-4, atol=1e-4)


def test_the_linear_head_reads_a_pixel_by_that_pixel_alone():
    values = torch.rand(1, 4, 6, 6)
    head = LinearHead([4], 2)
    torch.nn.init.normal_(head.parts[0].weight)
    other = values.clone()
    other[0, :, 2, 3] += 1
    changed = (head([values], (6, 6)) != head([other], (6, 6))).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 3]]


def test_what_the_pyramid_head_answers_of_an_image_does_not_hang_on_the_others():
    maps = make_maps(RESNET, batch=3)
    head = PyramidHead([channels for channels, *_ in RESNET], 3).train()
    alone = head([each[:1] for each in maps], (16, 16))
    torch.testing.assert_close(head(maps, (16, 16))[:1], alone)


def test_the_decoder_has_the_widths_of_the_backbone():
    head = UNetHead([64, 256, 512])
    assert [tuple(layer.weight.shape[:2]) for layer in head.narrow] == [(64, 256), (256, 512)]
    assert [tuple(layer.weight.shape[:2]) for layer in head.join] == [(64, 128), (256, 512)]


def test_the_decoder_equals_its_description():
    maps = [each.detach() for each in make_maps(RESNET[:3])]
    head = UNetHead([8, 16, 32], 2).eval()
    torch.nn.init.normal_(head.norm[0].running_mean)
    found = maps[2]
    for level, side in ((1, 8), (0, 16)):
        found = found.repeat_interleave(side // found.shape[-1], -1).repeat_interleave(side // found.shape[-2], -2)
        found = conv2d(found, head.narrow[level].weight, head.narrow[level].bias, padding=1)
        found = conv2d(torch.cat([found, maps[level]], dim=1), head.join[level].weight, padding=1)
        norm = head.norm[level]
        found = (found - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + norm.eps).sqrt()
        found = (found * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)
    found = conv2d(found.repeat_interleave(2, -1).repeat_interleave(2, -2), head.out.weight, head.out.bias)
    torch.testing.assert_close(head(maps, (32, 32)), found, rtol=1e-4, atol=1e-5)


def test_maps_are_standardised_by_numbers_that_do_not_learn():
    head = Standardise([torch.tensor([1.0, 2.0])], [torch.tensor([2.0, 0.0])])
    found = head([torch.full((1, 2, 1, 1), 5.0)])[0]
    assert found.flatten().tolist() == [2.0, 0.0]
    assert list(head.parameters()) == []


def test_a_map_of_the_right_size_is_not_resized():
    each = torch.rand(1, 2, 4, 4)
    assert resize(each, (4, 4)) is each


def test_an_unknown_head_is_refused_with_a_guess():
    assert isinstance(make_head("upernet", [8], 2), HEADS["upernet"])
    with pytest.raises(InputError, match=r"no head 'upnet'\. Choose from: linear, upernet\. Did you mean 'upernet'\?"):
        make_head("upnet", [8], 2)

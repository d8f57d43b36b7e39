from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from catalogs.layers import Layer
from tests.train.references import slow_resample, torchvision_view
from train.config import Crop, InputSpec, Photometric, View
from train.parameters import COLUMNS
from train.patches import Patches, Target
from train.views import ViewMaker, draw_parameters, whole_view

FULL = Photometric(
    jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, band_offset=0.05,
    grayscale=0.2, blur=0.5, solarize=0.2, drop_band=0.1,
)  # fmt: skip
SENTINEL = ("B02", "B03", "B04", "B08", "B05", "B11", "B01")
WAYS = pytest.mark.parametrize("batched", [True, False], ids=["batch", "one by one"])
KERNELS = pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])


class Input:
    """A batch of made-up patches of one sensor, and what a network expects of them."""

    def __init__(self, *, bands=SENTINEL, groups=None, sides=(60, 30, 10), data_type="uint16", count=6, size_px=24, nodata=0):
        groups = groups or (bands[:4], bands[4:6], bands[6:])
        rng = np.random.default_rng(0)
        self.layers = [
            Layer(600 / side, group, data_type, side, side, (nodata,) * len(group))
            for group, side in zip(groups, sides, strict=True)
        ]
        numbers = [rng.integers(1, 200 if data_type == "uint8" else 6000, (count, *layer.shape)) for layer in self.layers]
        self.pixels = [torch.from_numpy(each.astype(data_type)) for each in numbers]
        many = len(bands)
        self.spec = InputSpec(
            sensor="sentinel-2-l2a", bands=bands,
            low=tuple(rng.uniform(-0.1, 0.05, many).tolist()), high=tuple(rng.uniform(0.3, 0.5, many).tolist()),
            mean=tuple(rng.uniform(0.3, 0.6, many).tolist()), std=tuple(rng.uniform(0.1, 0.3, many).tolist()),
            size_px=size_px,
        )  # fmt: skip
        scale = 1 / 255 if data_type == "uint8" else 1e-4
        self.scale = torch.from_numpy(rng.uniform(0.8 * scale, scale, (count, many)).astype(np.float32))
        self.offset = torch.from_numpy(rng.uniform(-0.1, 0.0, (count, many)).astype(np.float32))

    def draw(self, view):
        keys = np.arange(len(self.scale), dtype=np.uint64)
        side = self.layers[0].height
        return draw_parameters([view], seed=0, epoch=0, locations=keys, size_px=side, bands=len(self.spec.bands))[0]

    def make(self, view, *, batched, all_valid=True, parameters=None, out=None):
        maker = ViewMaker(self.spec, self.layers, batched=batched)
        drawn = parameters or self.draw(view)
        return maker(self.pixels, self.scale, self.offset, view, drawn, all_valid=all_valid, out=out)

    def expected(self, view, sample, channel, *, beyond=False):
        """What a view without photometric changes is, by its definition, in double precision, and where it is valid."""
        band = self.spec.bands[channel]
        layer = next(number for number, each in enumerate(self.layers) if band in each.bands)
        raw = self.pixels[layer][sample, self.layers[layer].bands.index(band)].double().numpy()
        value = raw * float(self.scale[sample, channel]) + float(self.offset[sample, channel])
        low, high, mean, std = (getattr(self.spec, name)[channel] for name in ("low", "high", "mean", "std"))
        value = np.clip((value - low) / (high - low), 0, 1)
        row = self.draw(view).host[sample]
        box = tuple(row[COLUMNS["box"]].astype(float) * self.layers[layer].height / self.layers[0].height)
        measured = (raw != 0).astype(float)
        weight = slow_resample(measured, box, view.crop.size_px, view.crop.interpolation, beyond=beyond)
        made = slow_resample(value * measured, box, view.crop.size_px, view.crop.interpolation, beyond=beyond)
        made /= np.maximum(weight, 0.1)
        made = np.where(weight >= 0.5 - 1e-5, (np.clip(made, 0, 1) - mean) / std, 0)
        step = -1 if row[COLUMNS["flip"].start] else 1
        return made[:, ::step], (weight >= 0.5 - 1e-5)[:, ::step]


@WAYS
@pytest.mark.parametrize("data_type", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [("B04", "B03", "B02"), ("B02", "B03", "B04")])
def test_an_rgb_view_is_that_of_torchvision_normalised(batched, data_type, bands):
    given = Input(bands=bands, groups=[bands], sides=(264,), data_type=data_type, count=24)
    view = View("query", 0, Crop(96), replace(FULL, drop_band=0.0))
    made, valid = given.make(view, batched=batched)
    assert valid is None
    low, high, mean, std = (torch.tensor(getattr(given.spec, name))[:, None, None] for name in ("low", "high", "mean", "std"))
    reflectance = given.pixels[0].float() * given.scale[..., None, None] + given.offset[..., None, None]
    order = [bands.index(band) for band in ("B04", "B03", "B02")]
    for image, row, ours in zip(((reflectance - low) / (high - low)).clamp(0, 1), given.draw(view).host, made, strict=True):
        theirs = torchvision_view(image[order], row, view.crop)
        assert (ours[order] * std[order] + mean[order] - theirs).abs().mean() < 0.01 / 255


@WAYS
@KERNELS
@pytest.mark.parametrize("size_px", [8, 33])
def test_every_layer_is_cut_by_the_same_box_on_the_ground(batched, interpolation, size_px):
    given = Input(count=4)
    view = View("query", 0, Crop(size_px, scale=(0.1, 0.6), interpolation=interpolation))
    made, _ = given.make(view, batched=batched)
    for sample in range(4):
        for channel in range(len(SENTINEL)):
            assert np.abs(made[sample, channel].numpy() - given.expected(view, sample, channel)[0]).max() < 1e-4


def test_a_slope_on_the_ground_is_the_same_slope_in_every_layer():
    given = Input(count=16)
    for pixels, layer in zip(given.pixels, given.layers, strict=True):
        center = (torch.arange(layer.width) + 0.5) * layer.gsd
        pixels.copy_((1000 + 3 * center).expand(pixels.shape))
    given.scale.fill_(1e-4)
    given.offset.fill_(0)
    given.spec = replace(given.spec, low=(0.0,) * 7, high=(1.0,) * 7, mean=(0.0,) * 7, std=(1.0,) * 7)
    made, _ = given.make(View("query", 0, Crop(80, scale=(0.5, 1.0), flip=0.0)), batched=False)
    inner = made[..., 20:-20]  # a coarse pixel's half away from the edges, and no reduction anywhere
    assert (inner - inner[:, :1]).abs().max() < 1e-5
    assert (inner[..., -1] - inner[..., 0]).min() > 0.05


@KERNELS
@pytest.mark.parametrize("all_valid", [True, False])
@pytest.mark.parametrize("size_px", [16, 72])
def test_both_ways_make_the_same_views(interpolation, all_valid, size_px):
    given = Input(count=40)
    given.pixels[0][::2, :, 10:30, 5:25] = 0
    given.pixels[1][::3, 0] = 0
    view = View("query", 0, Crop(size_px, interpolation=interpolation), FULL)
    (first, valid), (second, again) = (given.make(view, batched=batched, all_valid=all_valid) for batched in (True, False))
    assert (first - second).abs().max() < 1e-4
    assert (valid is None and again is None) if all_valid else torch.equal(valid, again)


@WAYS
@KERNELS
def test_validity_goes_through_the_geometry(batched, interpolation):
    given = Input(count=4)
    rng = np.random.default_rng(1)
    for pixels in given.pixels:
        pixels.copy_(torch.from_numpy(pixels.numpy() * (rng.random(pixels.shape) < 0.7).astype("uint16")))
    given.pixels[0][0, 1] = 0
    view = View("query", 0, Crop(12, scale=(0.1, 0.6), interpolation=interpolation))
    made, valid = given.make(view, batched=batched, all_valid=False)
    for sample in range(4):
        expected = [given.expected(view, sample, channel) for channel in range(len(SENTINEL))]
        for ours, (value, _) in zip(made[sample].numpy(), expected, strict=True):
            assert np.abs(ours - value).max() < 1e-3
        assert (valid[sample].numpy() == np.all([seen for _, seen in expected], axis=0)).all()
    assert 0 < valid.float().mean() < 1
    assert not valid[0].any()
    assert not made[0, 1].any()


@WAYS
@KERNELS
def test_a_kernel_sees_the_pixels_beyond_the_box_in_every_layer_where_the_target_says_so(batched, interpolation):
    given = Input(count=3)
    given.pixels[0][1, :, 10:30, 5:25] = 0
    given.pixels[1][2, 0, :, ::3] = 0
    view = View("query", 0, Crop(7, scale=(0.1, 0.6), interpolation=interpolation))
    maker, patches = (
        ViewMaker(given.spec, given.layers, batched=batched),
        Patches(given.pixels, given.scale, given.offset, False),
    )
    made, valid = maker.make(patches, Target(7, interpolation, beyond=True), given.draw(view))
    for sample in range(3):
        expected = [given.expected(view, sample, channel, beyond=True) for channel in range(len(SENTINEL))]
        for ours, (value, _) in zip(made[sample].numpy(), expected, strict=True):
            assert np.abs(ours - value).max() < 1e-3
        assert (valid[sample].numpy() == np.all([seen for _, seen in expected], axis=0)).all()
    within, _ = maker.make(patches, Target(7, interpolation), given.draw(view))
    assert (made - within).abs().amax((1, 2, 3)).min() > 0.01


@WAYS
def test_invalid_pixels_end_at_the_mean_whatever_is_done_to_colours(batched):
    given = Input(count=16)
    given.pixels[0][:, :, 20:40, 20:40] = 0
    made, valid = given.make(View("query", 0, Crop(32), replace(FULL, jitter=1.0)), batched=batched, all_valid=False)
    gone = ~valid[:, None].expand(-1, 4, -1, -1)
    assert gone.any()
    assert not made[:, :4][gone].any()


@WAYS
@pytest.mark.parametrize(("data_type", "nodata"), [("int16", -32768), ("float32", float("nan")), ("float32", -9999.0)])
def test_nodata_of_any_type_is_found_and_never_leaks(batched, data_type, nodata):
    given = Input(bands=("B08", "B05"), groups=[("B08", "B05")], sides=(40,), data_type=data_type, nodata=nodata, count=5)
    view = View("query", 0, Crop(20, scale=(0.5, 1.0)))
    plain, all_seen = given.make(view, batched=batched, all_valid=False)
    assert all_seen.all()
    assert (plain - given.make(view, batched=batched, all_valid=True)[0]).abs().max() < 1e-5
    given.pixels[0][:, 0, :, 15:25] = nodata
    made, valid = given.make(view, batched=batched, all_valid=False)
    assert made.isfinite().all()
    assert not valid.all()
    assert torch.allclose(made[:, 1], plain[:, 1], atol=1e-5)
    assert (made[:, 0] == 0).sum() == (~valid).sum()


@WAYS
def test_a_band_without_a_nodata_number_is_valid_everywhere(batched):
    given = Input(bands=("B08",), groups=[("B08",)], sides=(40,), nodata=None)
    given.pixels[0][:, :, :20] = 0
    assert given.make(View("query", 0, Crop(20)), batched=batched, all_valid=False)[1].all()


@WAYS
def test_dropped_bands_are_at_their_mean_and_others_as_they_were(batched):
    given = Input(count=30)
    view = View("query", 0, Crop(16), replace(FULL, drop_band=0.3))
    whole = replace(view, photometric=replace(FULL, drop_band=0.0))
    made, plain = (given.make(each, batched=batched)[0] for each in (view, whole))
    kept = given.draw(view).bands("kept").bool()
    assert 0.6 < kept.float().mean() < 0.8
    assert not made[~kept].any()
    assert torch.equal(made[kept], plain[kept])


@WAYS
def test_bands_come_out_in_the_order_of_the_input(batched):
    given = Input()
    view = View("query", 0, Crop(16), replace(FULL, jitter=0.0, drop_band=0.0))
    plain = given.make(view, batched=batched)[0]
    turned = [6, 3, 0, 5, 2, 1, 4]
    spec = given.spec
    numbers = {name: tuple(getattr(spec, name)[band] for band in turned) for name in ("bands", "low", "high", "mean", "std")}
    given.spec = replace(spec, **numbers)
    given.scale, given.offset = given.scale[:, turned], given.offset[:, turned]
    assert torch.allclose(given.make(view, batched=batched)[0], plain[:, turned], atol=1e-5)


@WAYS
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_view_can_be_written_into_memory_that_is_there(batched, memory_format):
    given = Input()
    view = View("query", 0, Crop(16), FULL)
    out = torch.full((6, 7, 16, 16), float("nan")).contiguous(memory_format=memory_format)
    made, _ = given.make(view, batched=batched, out=out)
    assert made is out
    assert made.is_contiguous(memory_format=memory_format)
    assert torch.equal(out, given.make(view, batched=batched)[0])


@WAYS
def test_pixels_and_parameters_stay_as_they_were(batched):
    given = Input(data_type="float32")
    view = View("query", 0, Crop(16), FULL)
    parameters = given.draw(view)
    before = [each.clone() for each in (*given.pixels, given.scale, given.offset, parameters.numbers)]
    given.make(view, batched=batched, all_valid=False, parameters=parameters)
    after = (*given.pixels, given.scale, given.offset, parameters.numbers)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


class Refusal(TorchDispatchMode):
    """Fails where a device would have to be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        waits = ("_local_scalar_dense", "nonzero", "masked_select", "aten::equal", "lift_fresh", "is_nonzero")
        assert not any(word in name for word in waits), f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("all_valid", [True, False])
def test_a_batch_never_waits_for_the_device(all_valid):
    given = Input(count=100)
    view = View("query", 0, Crop(16, interpolation="bicubic"), FULL)
    parameters = given.draw(view)
    maker = ViewMaker(given.spec, given.layers, batched=True)
    with Refusal():
        maker(given.pixels, given.scale, given.offset, view, parameters, all_valid=all_valid)
    with pytest.raises(AssertionError, match="waits for the device"), Refusal():
        torch.ones(1).item()


@pytest.mark.parametrize("all_valid", [True, False])
def test_a_batch_is_made_where_its_pixels_are(all_valid):
    given = Input(count=5)
    view = View("query", 0, Crop(16), FULL)
    parameters = given.draw(view).to("meta")
    given.pixels, given.scale, given.offset = (
        [each.to("meta") for each in given.pixels],
        given.scale.to("meta"),
        given.offset.to("meta"),
    )
    made, valid = given.make(view, batched=None, all_valid=all_valid, parameters=parameters)
    assert made.device.type == "meta"
    assert made.shape == (5, 7, 16, 16)
    assert all_valid or valid.shape == (5, 16, 16)


@KERNELS
@pytest.mark.parametrize("size_px", [24, 60, 100])
def test_a_whole_view_is_the_formula_of_its_numbers(interpolation, size_px):
    given = Input(size_px=size_px)
    spec = replace(given.spec, interpolation=interpolation)
    made = whole_view(given.pixels, given.scale, given.offset, spec=spec, layers=given.layers, all_valid=True)
    low, high, mean, std = (
        torch.tensor(getattr(spec, name), dtype=torch.float64)[:, None, None] for name in ("low", "high", "mean", "std")
    )
    channel = 0
    for pixels in given.pixels:
        here = slice(channel, channel + pixels.shape[1])
        reflectance = given.scale[:, here, None, None].double() * pixels.double() + given.offset[:, here, None, None].double()
        scaled = ((reflectance - low[here]) / (high[here] - low[here])).clamp(0, 1)
        resized = tv.resize(scaled.float(), [size_px, size_px], InterpolationMode(interpolation), antialias=True).clamp(0, 1)
        assert (made[:, here] * std[here] + mean[here] - resized).abs().max() < (1e-6 if interpolation == "bilinear" else 2e-6)
        channel = here.stop


def test_a_whole_view_is_a_view_of_which_nothing_was_drawn():
    given = Input(size_px=32)
    whole = View("query", 0, Crop(32, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0))
    made = whole_view(given.pixels, given.scale, given.offset, spec=given.spec, layers=given.layers, all_valid=True)
    for batched in (True, False):
        assert (made - given.make(whole, batched=batched)[0]).abs().max() < 1e-5


def test_a_whole_view_has_the_mean_where_there_is_no_measurement():
    given = Input(size_px=60)
    given.pixels[0][2, 1, 10:20] = 0
    made = whole_view(given.pixels, given.scale, given.offset, spec=given.spec, layers=given.layers, all_valid=False)
    assert not made[2, 1, 10:20].any()
    assert (made[2, 0, 10:20] != 0).all()


def test_patches_need_not_be_square():
    given = Input(bands=("B08",), groups=[("B08",)], sides=(40,), size_px=20)
    given.pixels = [given.pixels[0][..., :30].contiguous()]
    layers = [replace(given.layers[0], width=30)]
    made = whole_view(given.pixels, given.scale, given.offset, spec=given.spec, layers=layers, all_valid=True)
    assert made.shape == (6, 1, 20, 20)


def test_layers_of_other_bands_are_refused():
    given = Input()
    with pytest.raises(AssertionError, match="the input needs"):
        ViewMaker(replace(given.spec, bands=("B09", *SENTINEL[1:])), given.layers)

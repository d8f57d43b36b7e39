import pickle
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision import transforms

from train.config import Crop, Photometric, View
from train.draws import location_key
from train.parameters import COLUMNS, OPERATIONS, cut_parameters, draw_parameters, neutral_parameters

KEYS = np.array([location_key(f"place-{number:06d}") for number in range(4000)], np.uint64)
PHOTOMETRIC = Photometric(
    jitter=0.8, brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1, band_offset=0.05,
    grayscale=0.2, blur=0.5, blur_sigma=(0.1, 2.0), solarize=0.3, drop_band=0.25,
)  # fmt: skip
VIEW = View("query", 0, Crop(96), PHOTOMETRIC)


def draw(view=VIEW, *, keys=KEYS, bands=5, size_px=264, before=(), **drawn):
    drawn = {"seed": 7, "epoch": 0, **drawn}
    return draw_parameters([*before, view], locations=keys, size_px=size_px, bands=bands, **drawn)[-1]


def column(parameters, name):
    return parameters.host[:, COLUMNS[name]].astype(np.float64).squeeze()


def torchvision_boxes(crop, size_px, count):
    torch.manual_seed(0)
    image = torch.empty(1, size_px, size_px)
    get = transforms.RandomResizedCrop.get_params
    return np.array([get(image, list(crop.scale), list(crop.ratio)) for _ in range(count)])


def same_law(ours, theirs):
    """Kolmogorov and Smirnov's test of two samples; whole numbers are spread so that there are no ties."""
    spread = np.random.default_rng(0).uniform(-0.5, 0.5, (2, len(ours))) * (ours == np.rint(ours)).all()
    return stats.ks_2samp(ours + spread[0], theirs + spread[1]).pvalue > 0.01


@pytest.mark.parametrize(
    ("crop", "size_px"),
    [
        (Crop(96), 264),
        (Crop(96, scale=(0.05, 0.32)), 264),
        (Crop(96, scale=(0.9, 1.0), ratio=(0.2, 5.0)), 64),
        (Crop(96, scale=(0.95, 1.0), ratio=(3.0, 4.0)), 64),
    ],
    ids=["moco", "local", "attempts run out", "falls back to the widest"],
)
def test_boxes_follow_the_law_of_torchvision(crop, size_px):
    ours = column(draw(View("q", 0, crop), size_px=size_px), "box")
    theirs = torchvision_boxes(crop, size_px, len(KEYS))
    for side in range(4):
        assert same_law(ours[:, side], theirs[:, side]), side
    for combine in (
        lambda box: box[:, 2] * box[:, 3],
        lambda box: box[:, 3] / box[:, 2],
        lambda box: box[:, 0] + box[:, 2] / 2,
    ):
        assert same_law(combine(ours), combine(theirs))


def test_boxes_are_whole_pixels_within_the_patch():
    top, left, height, width = column(draw(), "box").T
    for side in (top, left, height, width):
        assert (side == np.rint(side)).all()
    assert min(top.min(), left.min()) == 0
    assert min(height.min(), width.min()) >= 1
    assert max((top + height).max(), (left + width).max()) == 264


@pytest.mark.parametrize("ratio", [(3.0, 4.0), (0.1, 0.2)])
def test_where_nothing_fits_the_middle_is_taken_as_in_torchvision(ratio):
    crop = Crop(96, scale=(1.0, 1.0), ratio=ratio)
    ours = column(draw(View("q", 0, crop), keys=KEYS[:5]), "box")
    assert (ours == torchvision_boxes(crop, 264, 5)).all()


def test_factors_and_order_follow_the_law_of_torchvision():
    parameters = draw(replace(VIEW, photometric=replace(PHOTOMETRIC, jitter=1.0)))
    torch.manual_seed(0)
    jitter = transforms.ColorJitter(0.4, 0.3, 0.2, 0.1)
    ranges = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    theirs = [transforms.ColorJitter.get_params(*ranges) for _ in KEYS]
    for number, name in enumerate(OPERATIONS):
        assert same_law(column(parameters, name), np.array([each[1 + number] for each in theirs])), name
    counts = dict.fromkeys(permutations(range(4)), 0)
    for order in column(parameters, "order").astype(int):
        counts[tuple(order)] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 0.01


def test_a_strength_above_one_never_gives_a_negative_factor():
    strong = draw(replace(VIEW, photometric=replace(PHOTOMETRIC, jitter=1.0, brightness=1.5)))
    assert same_law(column(strong, "brightness"), np.random.default_rng(0).uniform(0, 2.5, len(KEYS)))


@pytest.mark.parametrize(
    ("name", "neutral", "probability"),
    [("flip", 0, 0.5), ("brightness", 1, 0.8), ("hue", 0, 0.8), ("grayscale", 0, 0.2), ("sigma", 0, 0.5), ("solarize", 0, 0.3)],
)
def test_each_step_happens_as_often_as_it_should(name, neutral, probability):
    happened = int((column(draw(), name) != neutral).sum())
    assert stats.binomtest(happened, len(KEYS), probability).pvalue > 0.01


def test_the_four_factors_are_drawn_or_not_together():
    drawn = np.stack([column(draw(), name) != (name != "hue") for name in OPERATIONS])
    assert (drawn == drawn[0]).all()
    gains = draw().bands("gain").numpy()
    assert ((gains != 1).all(axis=1) == drawn[0]).all()


def test_what_is_drawn_is_independent_of_what_else_is_drawn():
    parameters = draw(replace(VIEW, photometric=replace(PHOTOMETRIC, jitter=1.0, blur=1.0)))
    drop = [COLUMNS["order"].stop - 1]
    numbers = np.delete(parameters.host, drop, axis=1)[:, :-5].astype(np.float64)
    found = np.corrcoef(numbers.T) - np.eye(numbers.shape[1])
    found[:4, :4] = 0  # a box's corner hangs on its size
    order = slice(COLUMNS["order"].start, COLUMNS["order"].stop - 1)
    found[order, order] = 0  # what comes first does not come second
    assert np.abs(found).max() < 4.5 / len(KEYS) ** 0.5


def test_the_width_of_a_blur_is_uniform():
    sigma = column(draw(replace(VIEW, photometric=replace(PHOTOMETRIC, blur=1.0))), "sigma")
    assert stats.kstest(sigma, stats.uniform(0.1, 1.9).cdf).pvalue > 0.01


def test_gains_and_offsets_of_bands_are_uniform_each_apart():
    parameters = draw(replace(VIEW, photometric=replace(PHOTOMETRIC, jitter=1.0)))
    for name, low, width in (("gain", 0.6, 0.8), ("offset", -0.05, 0.1)):
        values = parameters.bands(name).double().numpy()
        assert stats.kstest(values.ravel(), stats.uniform(low, width).cdf).pvalue > 0.01
        assert np.abs(np.corrcoef(values.T) - np.eye(5)).max() < 4.5 / len(KEYS) ** 0.5


def test_bands_are_dropped_apart_but_never_all():
    kept = draw(bands=3).bands("kept").numpy()
    assert stats.binomtest(int((1 - kept).sum()), kept.size, 0.25 - 0.25**3 / 3).pvalue > 0.01
    always = draw(replace(VIEW, photometric=replace(PHOTOMETRIC, drop_band=1.0)), bands=3).bands("kept").numpy()
    assert (always.sum(axis=1) == 1).all()
    assert stats.chisquare(always.sum(axis=0)).pvalue > 0.01


def test_a_sample_draws_the_same_in_any_batch():
    together = draw()
    order = np.random.default_rng(0).permutation(len(KEYS))
    assert (draw(keys=KEYS[order]).host == together.host[order]).all()
    assert (draw(keys=KEYS[17:18]).host == together.host[17:18]).all()


@pytest.mark.parametrize(
    "change",
    [{"epoch": 1}, {"seed": 8}, {"before": [VIEW]}, {"sensor": "spot-ortho"}],
    ids=["epoch", "seed", "view", "sensor"],
)
def test_another_epoch_seed_view_or_sensor_draws_anew(change):
    first, second = draw(), draw(**change)
    hues = column(first, "hue"), column(second, "hue")
    both = (hues[0] != 0) & (hues[1] != 0)
    assert both.sum() > 2000
    assert not (hues[0] == hues[1])[both].any()
    assert abs(np.corrcoef(column(first, "box")[:, 2], column(second, "box")[:, 2])[0, 1]) < 4 / len(KEYS) ** 0.5


def test_parameters_of_a_part_are_a_part_of_the_parameters():
    together = draw()
    part = together.part(slice(100, 150))
    alone = draw(keys=KEYS[100:150])
    assert len(part) == 50
    assert (part.host == alone.host).all()
    assert (part.numbers == alone.numbers).all()
    assert (part.rows == alone.rows).all()
    assert part.counts == alone.counts


def test_groups_name_every_change_once_in_its_turn():
    parameters = draw(keys=KEYS[:60])
    done = [[] for _ in range(60)]
    for name, rows in parameters.groups():
        for row in rows.tolist():
            done[row].append(name)
    for row, names in zip(parameters.host, done, strict=True):
        jittered = row[COLUMNS["brightness"].start] != 1
        expected = [OPERATIONS[int(turn)] for turn in row[COLUMNS["order"]]] if jittered else []
        assert names == expected + [name for name in ("grayscale", "sigma", "solarize") if row[COLUMNS[name].start]]


def test_neutral_parameters_do_nothing():
    parameters = neutral_parameters(3, height=20, width=30, bands=2)
    assert parameters.column("box").tolist() == [[0, 0, 20, 30]] * 3
    assert parameters.groups() == []
    assert not parameters.has_gains
    assert not parameters.drops_bands
    assert not parameters.column("flip").any()


def test_parameters_of_a_cut_cut_and_flip_and_do_nothing_else():
    boxes, flip = np.array([[0.5, 1.25, 7.5, 8.0], [3.0, 2.0, 10.0, 11.5]]), np.array([1.0, 0.0])
    parameters = cut_parameters(boxes, flip, bands=2)
    assert parameters.column("box").tolist() == boxes.tolist()
    assert parameters.column("flip")[:, 0].tolist() == [1, 0]
    rest = slice(COLUMNS["flip"].stop, None)
    assert (parameters.host[:, rest] == neutral_parameters(2, height=1, width=1, bands=2).host[:, rest]).all()


def test_gains_and_drops_are_known_without_the_device():
    assert draw().has_gains
    assert draw().drops_bands
    plain = draw(View("q", 0, Crop(96)))
    assert not plain.has_gains
    assert not plain.drops_bands


def test_parameters_go_to_another_process_and_another_device():
    parameters = draw(keys=KEYS[:9])
    again = pickle.loads(pickle.dumps(parameters))
    assert (again.host == parameters.host).all()
    assert (again.numbers == parameters.numbers).all()
    moved = parameters.to("meta", non_blocking=True)
    assert moved.numbers.device.type == moved.rows.device.type == "meta"
    assert moved.counts == parameters.counts
    assert (moved.host == parameters.host).all()

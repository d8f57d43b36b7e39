"""The crops of DINO, DINO-MC and DINO-TP against what the papers' code makes, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from tests.train.places import make_places
from train.config import Photometric
from train.errors import ConfigError
from train.methods.crops import (
    GLOBAL_SCENES,
    check_crops,
    dino_mc_views,
    dino_tp_2024_views,
    dino_tp_views,
    dino_views,
    fit_local_sizes,
    with_local_sizes,
)
from train.recipes import RECIPES
from train.samples import find_samples

JITTER = {"jitter": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1, "grayscale": 0.2}
STRONG = {"jitter": 0.8, "brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2, "grayscale": 0.2}
SECO = {"jitter": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1, "grayscale": 0.2, "blur": 0.5}
FIRST, FURTHER = Photometric(**JITTER, blur=1.0), Photometric(**JITTER, blur=0.1, solarize=0.2)
PLAIN = Photometric()
SIZES = (184, 164, 144, 124, 104, 84)


def rows(views):
    return [(view.scene, view.crop.size_px, view.crop.scale, view.crop.interpolation, view.crop.flip) for view in views]


def test_dino_has_two_global_crops_and_eight_local_ones():
    views = dino_views()
    assert rows(views) == [(0, 224, (0.4, 1.0), "bicubic", 0.5)] * 2 + [(0, 96, (0.05, 0.4), "bicubic", 0.5)] * 8
    assert [view.photometric for view in views] == [FIRST, FURTHER] + [Photometric(**JITTER, blur=0.5)] * 8


def test_dino_mc_has_six_sizes_and_stronger_jitter():
    """methods.md 2.1."""
    views = dino_mc_views()
    local = [(0, size, (0.05, 0.32), "bilinear", 0.5) for size in SIZES]
    assert rows(views) == [(0, 224, (0.32, 1.0), "bicubic", 0.5)] * 2 + local
    assert [view.photometric for view in views] == [FIRST, FURTHER] + [Photometric(**STRONG, blur=0.5)] * 6


def test_dino_tp_as_published_takes_secos_changes_and_adds_no_colour():
    """methods.md 2.2: globals of k0 = aug(t1), k1 = t2 and k2 = aug(t0); locals of q = t0."""
    views = dino_tp_2024_views()
    wide = [(scene, 224, (0.32, 1.0), "bicubic", flip) for scene, flip in ((1, 0.5), (2, 0.0), (0, 0.5))]
    assert rows(views) == wide + [(0, size, (0.05, 0.32), "bilinear", 0.0) for size in SIZES]
    assert [view.photometric for view in views] == [Photometric(**SECO), PLAIN, Photometric(**SECO)] + [PLAIN] * 6


def test_dino_tp_of_today_colours_and_flips_every_crop():
    views = dino_tp_views()
    assert [view.scene for view in views] == [1, 2, 0] + [0] * 6
    assert [view.photometric for view in views] == [FIRST, FURTHER, FURTHER] + [Photometric(**STRONG, blur=0.5)] * 6
    assert {view.crop.flip for view in views} == {0.5}


@pytest.mark.parametrize(
    ("method", "views"),
    [("dino", dino_views), ("dino-mc", dino_mc_views), ("dino-tp", dino_tp_views), ("dino-tp", dino_tp_2024_views)],
)
def test_a_methods_own_crops_fit_it_at_any_size(method, views):
    check_crops(method, views())
    check_crops(method, views(64, (48, 32)))


def test_two_global_crops_where_there_are_three_cannot_happen():
    """The released code's default; it mixes up the views of all samples."""
    tp = dino_tp_views()
    with pytest.raises(ConfigError, match=r"dino-tp takes 3 global crops first, of the scenes 1, 2, 0 .* begins with scenes"):
        check_crops("dino-tp", tp[:2] + tp[3:])
    with pytest.raises(
        ConfigError, match=r"dino-mc takes 2 global crops first, of the scenes 0, 0 .* scenes 1, 2, of 224, 224"
    ):
        check_crops("dino-mc", tp)
    with pytest.raises(ConfigError, match=r"Local crop global_2 is of scene 1 and 224 px"):
        check_crops("dino-mc", [*dino_mc_views(), replace(tp[0], name="global_2")])


def test_crops_that_the_loss_would_misread_are_refused():
    views = dino_mc_views()
    smaller = replace(views[1], crop=replace(views[1].crop, size_px=192))
    with pytest.raises(ConfigError, match=r"of one size; .* of 224, 192 px\. Start from a recipe of dino-mc"):
        check_crops("dino-mc", (views[0], smaller, *views[2:]))
    larger = replace(views[2], crop=replace(views[2].crop, size_px=256))
    with pytest.raises(ConfigError, match=r"Local crop local_0 is of scene 0 and 256 px; .* up to the 224 px"):
        check_crops("dino-mc", (*views[:2], larger))


def test_local_crops_are_brought_to_the_next_lower_multiple_of_a_patch():
    fitted = fit_local_sizes(dino_mc_views(), 8, method="dino-mc")
    assert [view.crop.size_px for view in fitted] == [224, 224, 184, 160, 144, 120, 104, 80]
    assert fit_local_sizes(fitted, 8, method="dino-mc") == fitted
    assert fit_local_sizes(dino_mc_views(), 1, method="dino-mc") == dino_mc_views()
    assert fit_local_sizes(dino_mc_views(225), 8, method="dino-mc")[0].crop.size_px == 225, "a global crop is refused elsewhere"
    with pytest.raises(
        ConfigError, match=r"Local crop local_1 of 12 px is smaller than a patch of 16 px\. Choose --local-sizes"
    ):
        fit_local_sizes(dino_mc_views(64, (32, 12)), 16, method="dino-mc")


def test_other_local_sizes_keep_how_crops_are_made():
    assert with_local_sizes(dino_mc_views(), (96, 80), method="dino-mc") == dino_mc_views(local_sizes=(96, 80))
    assert with_local_sizes(dino_tp_2024_views(), SIZES, method="dino-tp") == dino_tp_2024_views()


@pytest.mark.parametrize("name", ["dino", "dino_mc", "dino_mc_2024"])
def test_a_date_is_drawn_anew_each_epoch(name):
    """The released code draws one date of each location for all of its 300 epochs."""
    config = RECIPES[name]()
    samples = find_samples(make_places({f"place-{number}": range(4) for number in range(40)}), dates=1)
    chosen = np.arange(40)
    drawn = [
        samples.draw_items(chosen, config.scenes, seed=0, epoch=epoch, distinct=config.distinct_dates) for epoch in range(8)
    ]
    assert drawn[0].shape == (40, 1)
    dates = np.concatenate(drawn, 1)
    assert np.mean([len(set(row)) for row in dates.tolist()]) > 3


def test_the_scenes_of_every_method_are_known():
    assert {name: len(scenes) for name, scenes in GLOBAL_SCENES.items()} == {
        "dino": 2,
        "dino-mc": 2,
        "dino-tp": 3,
        "x-stars": 2,
    }

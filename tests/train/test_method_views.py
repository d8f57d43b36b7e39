from dataclasses import replace

import pytest

from train.config import Photometric
from train.errors import ConfigError
from train.methods.views import check_views, moco_tp_views, moco_views, seco_views

WHAT_MOCO_DOES = Photometric(
    jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grayscale=0.2, blur=0.5, blur_sigma=(0.1, 2.0)
)


def test_seco_sees_a_query_and_keys_of_both_changes_of_season_and_of_augmentation():
    assert [(view.name, view.scene, view.crop.flip, view.photometric) for view in seco_views(224)] == [
        ("query", 0, 0.0, Photometric()),
        ("key_0", 1, 0.5, WHAT_MOCO_DOES),
        ("key_1", 2, 0.0, Photometric()),
        ("key_2", 0, 0.5, WHAT_MOCO_DOES),
    ]


@pytest.mark.parametrize(("views", "scenes"), [(moco_views, [0, 0]), (moco_tp_views, [0, 1])])
def test_moco_augments_both_views(views, scenes):
    assert [view.scene for view in views(64)] == scenes
    assert all(view.photometric == WHAT_MOCO_DOES and view.crop.flip == 0.5 for view in views(64))


@pytest.mark.parametrize("views", [seco_views, moco_views, moco_tp_views])
def test_every_view_is_cut_at_random(views):
    assert all((view.crop.size_px, view.crop.scale, view.crop.ratio) == (96, (0.2, 1.0), (3 / 4, 4 / 3)) for view in views(96))
    assert all(view.crop.interpolation == "bilinear" for view in views(96))


def test_another_augmentation_may_be_given():
    stronger = Photometric(blur=1.0)
    assert [view.photometric for view in seco_views(64, stronger)] == [Photometric(), stronger, Photometric(), stronger]


@pytest.mark.parametrize(("method", "views"), [("seco", seco_views), ("moco", moco_views), ("moco-tp", moco_tp_views)])
def test_a_methods_own_views_fit_it(method, views):
    check_views(method, views(64))


def test_views_of_another_method_are_refused():
    with pytest.raises(
        ConfigError, match=r"seco takes 4 views, of the scenes 0, 1, 2, 0 .*has 2, of the scenes 0, 1\. Start from"
    ):
        check_views("seco", moco_tp_views(64))
    with pytest.raises(ConfigError, match=r"moco takes 2 views, of the scenes 0, 0 "):
        check_views("moco", moco_tp_views(64))


def test_views_in_another_order_are_refused():
    query, first, second, third = seco_views(64)
    with pytest.raises(ConfigError, match=r"has 4, of the scenes 0, 1, 0, 2"):
        check_views("seco", (query, first, third, second))


def test_views_of_several_sizes_are_refused():
    query, key = moco_views(64)
    with pytest.raises(ConfigError, match=r"Views of 32, 64 px cannot be compared by moco\. Give all of them one size"):
        check_views("moco", (query, replace(key, crop=replace(key.crop, size_px=32))))

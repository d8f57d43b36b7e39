"""Data sets with labels of pixels: converted, then scored."""

import pytest

from evaluate import cli
from evaluate.result import read_result
from tests.curate.convert.masks import make_oscd, make_pairs
from tests.end_to_end.commands import curate

pytestmark = pytest.mark.slow
FLAGS = ("--weights", "random:resnet10t", "--workers", "0", "--device", "cpu", "--epochs", "2", "--min-steps", "0", "--quiet")


def evaluate(*words):
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


def test_oscd_is_converted_and_scored_with_whole_cities_held_out(tmp_path):
    catalog, out = tmp_path / "catalog", tmp_path / "change.json"
    assert curate("convert", "oscd", make_oscd(tmp_path / "oscd"), "--size-px", 16, "--out", catalog, "--quiet") == 0
    assert evaluate("change", "--catalog", catalog, "--bands", "B04,B03,B02", "--out", out, *FLAGS) == 0
    result = read_result(out)
    assert (result.train_items, result.test_items, result.test_locations) == (8, 6, 1)  # the tiles of three cities
    assert result.protocol["interval"]["method"] == "percentile bootstrap over images that locations are tiles of"
    assert result.scores[1].interval is None  # there is one city to draw
    assert result.scores[1].details["trials"]["tuning_items"][0] in {2, 6}  # all tiles of one of two cities


def test_images_with_masks_are_converted_and_scored(tmp_path):
    catalog, out = tmp_path / "catalog", tmp_path / "segment.json"
    names = [f"{split}/image{number}" for number in range(6) for split in ("train", "test")]
    pairs = make_pairs(tmp_path / "pairs", names)
    assert curate("convert", "segmentation", pairs, "--out", catalog, "--quiet") == 0
    assert evaluate("segment", "--catalog", catalog, "--head", "upernet", "--out", out, *FLAGS) == 0
    result = read_result(out)
    assert len(result.classes) == 3
    assert [each.name for each in result.scores] == ["pixel values", "random:resnet10t"]

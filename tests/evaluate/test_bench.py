"""A labelled catalog, opened: which sensor, which items, which bands."""

import numpy as np
import pytest

from catalogs.errors import MissingBandError
from catalogs.testing import make_catalog, make_locations
from evaluate.bench import open_bench
from evaluate.errors import InputError, LabelError
from evaluate.settings import Settings
from tests.evaluate.conftest import LABELS, LOCATIONS
from train.config import InputSpec

LIKE = InputSpec("sentinel-2-l2a", ("B08", "B04"), (0.0,) * 2, (0.4,) * 2, (0.5,) * 2, (0.2,) * 2, size_px=32)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A catalog of two sensors."""
    folder = tmp_path_factory.mktemp("catalogs") / "pairs"
    locations = make_locations(4, side_m=240)
    return str(make_catalog(folder, locations=locations, sensors=("sentinel-2-l2a", "landsat-c2-l2"), labels=("a", "b")))


def test_every_date_of_a_location_is_an_item_of_the_locations_part(labelled):
    bench = open_bench(str(labelled), Settings())
    assert bench.task.classes == LABELS
    assert (len(bench.task.train), len(bench.task.test), bench.task.unused) == (LOCATIONS, LOCATIONS // 2, LOCATIONS // 2)
    splits = np.array(bench.stack.items["split"].to_pylist())[bench.rows]
    assert splits.tolist() == ["train"] * LOCATIONS + ["test"] * (LOCATIONS // 2)
    assert not set(bench.task.train.locations) & set(bench.task.test.locations)


def test_a_season_leaves_one_date_of_each_location(labelled):
    bench = open_bench(str(labelled), Settings(season=1))
    assert (len(bench.task.train), len(bench.task.test)) == (LOCATIONS // 2, LOCATIONS // 4)
    assert set(bench.stack.items["season"].to_pylist()) == {1}


@pytest.mark.parametrize(
    ("settings", "like", "bands", "size_px"),
    [
        (Settings(bands=("B04", "B03")), None, ("B04", "B03"), 48),
        (Settings(), LIKE, ("B08", "B04"), 32),
        (Settings(bands=("B02",), size_px=40), LIKE, ("B02",), 40),
    ],
)
def test_what_is_left_open_is_as_the_weights_say(labelled, settings, like, bands, size_px):
    bench = open_bench(str(labelled), settings, like)
    assert (bench.stack.bands, bench.size_px) == (bands, size_px)


def test_all_bands_are_read_where_nobody_says_which(labelled):
    assert len(open_bench(str(labelled), Settings()).stack.bands) == 12


def test_other_bands_are_of_the_same_items(labelled):
    bench = open_bench(str(labelled), Settings(bands=("B04",), season=0))
    other = bench.pixels(("B11", "B02"))
    assert other.bands == ("B11", "B02")
    assert other.items["id"] == bench.stack.items["id"]
    assert bench.pixels(("B04",)) is bench.stack


def test_some_items_are_a_question_too(labelled):
    bench = open_bench(str(labelled), Settings()).at_most(10, seed=0)
    assert (len(bench.task.train), len(bench.task.test), len(bench.rows)) == (10, 10, 20)


def test_the_sensor_is_that_of_the_weights_or_must_be_said(pairs):
    assert open_bench(pairs, Settings(bands=("B04",)), LIKE).stack.sensor == "sentinel-2-l2a"
    assert open_bench(pairs, Settings(sensor="landsat-c2-l2")).stack.sensor == "landsat-c2-l2"
    with pytest.raises(InputError, match=r"has items of .*landsat-c2-l2.*Say which to score, such as --sensor "):
        open_bench(pairs, Settings())


def test_a_band_that_the_catalog_lacks_is_told(labelled):
    with pytest.raises(MissingBandError, match="B10"):
        open_bench(str(labelled), Settings(bands=("B04", "B10")))


def test_a_season_without_items_is_told(labelled):
    with pytest.raises(LabelError, match=r"has no item of sentinel-2-l2a of season 9\. curate info counts what there is"):
        open_bench(str(labelled), Settings(season=9))


def test_classes_that_nobody_teaches_are_refused_or_left_out(tmp_path):
    folder = make_catalog(tmp_path / "few", locations=make_locations(8, side_m=240), labels=("a", "b", "c", "d"))
    with pytest.raises(LabelError, match=r"no training item shows: d \(4\)"):
        open_bench(str(folder), Settings())
    bench = open_bench(str(make_catalog(
        tmp_path / "more", locations=make_locations(8, side_m=240), labels=("a", "b", "c", "d", "a", "b", "c", "a")
    )), Settings(), only_taught=True)  # fmt: skip
    assert bench.task.classes == ("a", "b")
    assert bench.task.unused == 2 * 2 + 2

"""OSCD: both dates of a tile with the pixels of their cities, change maps with the later one, published lists."""

import json
import shutil
from datetime import UTC, datetime

import pytest

from catalogs import open_catalog
from catalogs.failures import read_failures
from catalogs.label_rasters import open_label_rasters
from catalogs.validate import check_catalog
from curate.convert.oscd import open_oscd
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode, write_images
from tests.curate.convert.masks import (
    BANDS,
    IMAGES,
    encode_mask,
    make_change,
    make_city,
    make_mask,
    make_oscd,
    make_planes,
    on_utm,
)
from tests.end_to_end.commands import curate

SENSOR = "oscd"
SHAPES = {"paris": (1, 40, 56), "rio": (3, 32, 48), "sao-paulo": (2, 17, 33)}
"""Seed, height and width of each city."""
TRAIN_LABELS, TEST_LABELS = (f"Onera Satellite Change Detection dataset - {split} Labels" for split in ("Train", "Test"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_oscd(tmp_path_factory.mktemp("oscd"))


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "cat"
    assert curate("convert", "oscd", source, "--size-px", 16, "--out", out, "--quiet") == 0
    return open_catalog(out)


def test_every_tile_has_two_dates_with_the_pixels_of_its_city(converted):
    items = converted.items()
    tiles = {(city, row, column) for city, (_, height, width) in SHAPES.items() for row in range(0, height - 15, 16)
             for column in range(0, width - 15, 16)}  # fmt: skip
    assert len(items) == 2 * len(tiles) == 2 * (2 * 3 + 2 * 3 + 1 * 2)
    seen = set()
    for scene in items:
        city, row, column = scene.source_id.rsplit("_", 2)
        seed, height, width = SHAPES[city]
        row, column = int(row), int(column)
        planes = make_planes(10 * seed + scene.season + 1, height, width)
        for number, band in enumerate(BANDS):
            expected = planes[number, row : row + 16, column : column + 16]
            assert (converted.read(scene, bands=[band])[0] == expected).all(), band
        assert scene.location.id.startswith(f"oscd-{city}-")
        seen.add((city, row, column))
    assert seen == tiles


def test_the_later_date_has_the_change_map(converted):
    items = converted.items()
    change = open_label_rasters(converted, items, "change")
    assert (change.classes, change.height, change.width) == (("unchanged", "changed"), 16, 16)
    assert change.rows.tolist() == [number for number, scene in enumerate(items) if scene.season == 1]
    for item in change.rows:
        city, row, column = items[int(item)].source_id.rsplit("_", 2)
        seed, height, width = SHAPES[city]
        expected = make_change(seed, height, width)[int(row) : int(row) + 16, int(column) : int(column) + 16]
        assert (change.read(int(item)) == expected).all()


def test_days_and_splits_are_the_published_ones(converted):
    days = {
        0: (datetime(2016, 8, 16, tzinfo=UTC), datetime(2016, 8, 16, 23, 59, 59, tzinfo=UTC)),
        1: (datetime(2018, 3, 28, tzinfo=UTC), datetime(2018, 3, 28, 23, 59, 59, tzinfo=UTC)),
    }
    for scene in converted.items():
        assert (scene.start_datetime, scene.end_datetime) == days[scene.season]
        assert scene.location.split == ("test" if scene.location.id.startswith("oscd-rio") else "train")
    for _, pair in converted.items().by_location():
        assert [scene.season for scene in pair] == [0, 1]


def test_the_catalog_is_valid_and_cites_its_authors(converted):
    report = check_catalog(converted.href, deep=True)
    assert report.is_valid, messages(report)
    collection = converted.collection(SENSOR)
    assert ("Daudt" in collection["sci:citation"], collection["license"]) == (True, "other")
    assert collection["item_assets"]["change"]["classification:classes"][1] == {"value": 1, "name": "changed"}
    assert converted.recipe["convert"]["splits"] == "as published"


def test_info_counts_the_items_with_labelled_pixels(converted, capsys):
    assert curate("info", converted.href) == 0
    assert "  pixels    labelled: change of 14 items" in capsys.readouterr().out
    assert curate("info", converted.href, "--json") == 0
    assert json.loads(capsys.readouterr().out)["sensors"][0]["label_rasters"] == {"change": 14}


def test_a_dry_run_says_what_there_is(source, tmp_path, capsys):
    assert curate("convert", "oscd", source, "--size-px", 16, "--out", tmp_path / "cat", "--dry-run") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "There are 3 of the 24 cities of OSCD." in told
    assert "Left out 17.4 % of all pixels" in told
    assert "change of each pixel: unchanged, changed" in told
    assert "labels:" not in told
    assert "splits: test 12, train 16" in told


def test_tiles_are_of_96_pixels_unless_asked_otherwise_and_cities_are_limited(source, tmp_path):
    with pytest.raises(CurateError, match=r"No city of .* has 96 x 96 pixels or more\. Give a smaller --size-px"):
        open_oscd(source)
    one = open_oscd(source, size_px=16, limit=1)
    assert len({image.member for image in one.images}) == 1
    everything = open_oscd(source, size_px=16).images
    assert set(one.images) < set(everything)


def test_lists_of_cities_take_the_place_of_the_published_ones(source, tmp_path):
    lists = write_images(tmp_path / "lists", {"train.txt": b"paris\n", "val.txt": b"sao-paulo\n", "test.txt": b"rio\n"})
    out = tmp_path / "cat"
    assert curate("convert", "oscd", source, "--size-px", 16, "--split-lists", lists, "--out", out, "--quiet") == 0
    splits = {(scene.location.id.rpartition("-")[0], scene.location.split) for scene in open_catalog(out).items()}
    assert splits == {("oscd-paris", "train"), ("oscd-sao-paulo", "val"), ("oscd-rio", "test")}


def test_a_date_that_cannot_be_read_takes_the_other_one_with_it(tmp_path, capsys):
    source, out = make_oscd(tmp_path / "in"), tmp_path / "cat"
    write_images(source, {f"{IMAGES}/rio/imgs_2_rect/B11.tif": encode(make_planes(0, 32, 47)[:1], "GTiff")})
    assert curate("convert", "oscd", source, "--size-px", 16, "--out", out) == 0
    assert f"{IMAGES}/rio cannot be read: it has 1 x 32 x 47 values; expected 1 x 32 x 48" in " ".join(
        capsys.readouterr().err.split()
    )
    catalog = open_catalog(out)
    assert {scene.location.id.rpartition("-")[0] for scene in catalog.items()} == {"oscd-paris", "oscd-sao-paulo"}
    failures = read_failures(out)
    assert [failure.season for failure in failures] == [0, 1] * 6
    assert check_catalog(out).is_valid
    make_city(source, "rio", seed=3, split="test", shape=(32, 48))
    assert curate("convert", "oscd", source, "--size-px", 16, "--out", out, "--quiet") == 0
    assert len(open_catalog(out).items()) == 28
    assert not read_failures(out)


def test_cities_on_utm_keep_their_ground(tmp_path):
    source = tmp_path / "in"
    make_city(source, "rio", seed=3, split="test", shape=(32, 48))
    band = make_planes(31, 32, 48)[1][None]
    write_images(source, {
        f"{IMAGES}/test.txt": b"rio", f"{IMAGES}/rio/imgs_1_rect/B02.tif": on_utm(band, 600_000, 7_500_000, 10, 32723),
    })  # fmt: skip
    image = open_oscd(source, size_px=16).images[-1]
    assert (image.location.epsg, image.location.bounds) == (32723, (600_320, 7_499_680, 600_480, 7_499_840))


def remove(name):
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def put(name, content):
    return lambda folder: write_images(folder, {name: content})


RIO = f"{IMAGES}/rio"
SWAPPED = b"date_1: 20180328\ndate_2: 20160816"
STRANGE = encode(make_mask(1, 32, 48, (1, 3))[None], "GTiff")
NARROW = encode_mask(make_mask(1, 17, 32, (0, 255)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove(TEST_LABELS), r"1 of 3 cities \(rio\) without a change map, <city>/cm/<city>-cm\.tif"),
        (remove(f"{IMAGES}/test.txt"), r"1 of 3 cities \(rio\) without a place in train\.txt or test\.txt"),
        (remove(f"{RIO}/dates.txt"), r"rio/dates\.txt of .* has no two dates \(.*\); expected date_1: 2016"),
        (put(f"{RIO}/dates.txt", SWAPPED), r"has 2018-03-28 before 2016-08-16; expected the earlier date first"),
        (put(f"{TEST_LABELS}/rio/cm/rio-cm.tif", STRANGE), r"rio-cm\.tif has value 3; expected 1 and 2"),
        (put(f"{TRAIN_LABELS}/sao-paulo/cm/cm.png", NARROW), r"change map of 33 x 17, 33 x 17, 32 x 17 pixels; expected one"),
        (remove(f"{RIO}/imgs_2_rect/B02.tif"), r"rio of .* cannot be read: .*No such file"),
        (lambda folder: make_city(folder / "again", "rio", seed=3, split="test"), r"has rio twice, as .* and .*\. Give the"),
        (remove(IMAGES), r"but no image of OSCD; expected the folder that holds"),
    ],
    ids=["map", "list", "dates", "order", "values", "sizes", "date", "twice", "nothing"],
)
def test_what_is_lacking_is_told(source, tmp_path, change, words):
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    change(copy)
    with pytest.raises(CurateError, match=words):
        open_oscd(copy, size_px=16)

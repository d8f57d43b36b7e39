"""`curate plan` on real archives, as the README builds them: what comes lies in the range that was told, and is near what was.

The clear share of a square follows the cover of its scene as `curate.estimate` says it does.
"""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
import rasterio

from catalogs.masks import mask_shares
from curate.estimate import clear_chance
from tests.end_to_end.commands import curate

YEAR = ("--seasons", 4, "--start", "2017-09-01", "--end", "2018-09-01")
JUNE = ("--seasons", 1, "--start", "2022-06-01", "--end", "2022-07-01")
CATALONIA = ("--seasons", 6, "--start", "2020-01-01", "--end", "2022-12-31")
LOOSE = """
folder = "{folder}"
[sensors.sentinel-2-l2a]
files = "Boadella_{{date}}.tif"
bands = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
scale = 0.0001
offset = 0
"""


@pytest.fixture
def archive(shared_data):
    return shared_data / "archive"


@pytest.fixture
def loose(shared_data, tmp_path):
    path = tmp_path / "boadella.toml"
    path.write_text(LOOSE.format(folder=shared_data / "s2_boadella"))
    return path


def sample(home, *where):
    assert curate("sample", *where, "--out", home / "cat", "--quiet") == 0
    return home / "cat"


def build(folder, *flags):
    """What a build tells as JSON and in words."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as words:
        assert curate("build", folder, *flags, "--json") == 0
    return json.loads(out.getvalue()), words.getvalue()


def assert_in_range(told):
    """Items, bytes and reads of a build between what was said to be likely."""
    likely = told["expected"]["likely"]
    for name, outcome in (("items", told["items_written"]), *told["fetched"].items()):
        low, high = likely[name]
        assert low <= outcome <= high, name


def test_a_square_at_the_edge_of_its_scenes_finds_its_dates(archive, tmp_path):
    folder = sample(tmp_path, "--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600)
    told, words = build(folder, "--source", archive, *YEAR)
    assert_in_range(told)
    assert told["expected"]["likely"]["items"] == [4, 4]
    assert told["expected"]["bytes"] == pytest.approx(told["fetched"]["bytes"], rel=0.1)
    assert told["expected"]["requests"] == pytest.approx(told["fetched"]["requests"], rel=0.1)
    assert "Expected: 4 items of about 4 scenes; about 89 reads, " in words
    assert " to fetch" not in words
    assert "Fetched" not in words
    assert "Read 346.9 kB in 88 reads; about 332.5 kB in 89 were expected (" in words


def test_many_squares_of_one_scene_share_its_weather(archive, tmp_path):
    where = ("--region", archive / "tyrol_region.geojson", "--strategy", "grid", "--patch-m", 600)
    folder = sample(tmp_path, *where)
    with redirect_stdout(StringIO()) as out:
        assert curate("plan", folder, "--source", archive, *JUNE, "--quiet") == 0
    assert "range 68 to 165 items; 4 to 15 reads, " in out.getvalue()
    assert "note  about 12 (0 to 97) of 165 seasons are expected to find no clear scene" in out.getvalue()
    told, words = build(folder, "--source", archive, *JUNE)
    assert_in_range(told)
    assert told["expected"]["requests"] == told["fetched"]["requests"]
    assert told["expected"]["bytes"] == pytest.approx(told["fetched"]["bytes"], rel=0.02)
    assert "Expected: about 153 (68 to 165) items of about 1 scene; about 10 reads, " in words


@pytest.mark.parametrize("patch_m", [960, 600])
def test_loose_files_without_a_mask_or_a_stated_cover(loose, tmp_path, patch_m):
    """Strips of 8 rows with all bands of a pixel together, in degrees."""
    region = ("--region", "2.795,42.333,2.835,42.362", "--strategy", "uniform", "--count", 3, "--seed", 1)
    told, _ = build(sample(tmp_path, *region, "--patch-m", patch_m), "--source", loose, *CATALONIA)
    assert_in_range(told)
    assert told["expected"]["is_local"]
    assert told["items_written"] >= 14
    assert told["expected"]["bytes"] == pytest.approx(told["fetched"]["bytes"], rel=0.5)
    assert told["expected"]["requests"] < 2 * told["fetched"]["requests"]


@pytest.mark.parametrize(
    ("collection", "mask", "dates", "clear"),
    [("sentinel-2-l2a", "SCL.tif", 118, 55), ("landsat-c2-l2", "qa_pixel.tif", 26, 12)],
)
def test_as_many_dates_are_expected_to_be_clear_as_are(archive, collection, mask, dates, clear):
    found = []
    for path in (archive / collection).glob("*/*.json"):
        with rasterio.open(path.parent / mask) as raster:
            if raster.shape not in [(32, 32), (64, 64)]:  # Tyrol's scene is of another place
                continue
            factor = raster.shape[0] // 32
            pixels = raster.read(1)[: 30 * factor, : 30 * factor]  # the 600 m that README's example takes of 640
        cover = json.loads(path.read_text())["properties"]["eo:cloud_cover"]
        name = "scl" if mask == "SCL.tif" else "qa_pixel"
        found.append((clear_chance(cover, 10.0), mask_shares(pixels, name).not_clear <= 10))
    assert len(found) == dates
    assert sum(is_clear for _, is_clear in found) == clear
    assert sum(chance for chance, _ in found) == pytest.approx(clear, rel=0.2)
    assert sum((chance - is_clear) ** 2 for chance, is_clear in found) / dates < 0.1

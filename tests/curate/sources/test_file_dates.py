"""Dates in the names of files: what is read, what is made of a day, and what is no pattern."""

from datetime import UTC, datetime

import pytest

from curate.sources.archives.file_dates import FilePattern, Told


def when(*parts):
    return datetime(*parts, tzinfo=UTC)


def span(pattern, name):
    return FilePattern(pattern).read(name).span


DAY = when(2020, 1, 13), when(2020, 1, 13, 23, 59, 59)


@pytest.mark.parametrize("name", ["a_2020-01-13.tif", "a_20200113.tif", "a_2020_01_13.tif"])
def test_a_day_is_an_interval_of_that_day(name):
    assert span("a_{date}.tif", name) == DAY


@pytest.mark.parametrize("written", ["20200113T105401", "2020-01-13T10:54:01Z", "20200113_105401", "2020-01-13T10-54-01"])
def test_an_instant_is_an_instant(written):
    assert span("*_{datetime}_*.tif", f"S2A_{written}_x.tif") == (when(2020, 1, 13, 10, 54, 1),) * 2


def test_a_year_and_two_days_are_intervals():
    assert span("{year}/*.tif", "2021/a.tif") == (when(2021, 1, 1), when(2021, 12, 31, 23, 59, 59))
    assert span("spot_{start}_{end}.tif", "spot_20210401_20210930.tif") == (when(2021, 4, 1), when(2021, 9, 30, 23, 59, 59))


def test_other_names_are_not_of_the_pattern_and_stars_stay_in_a_folder():
    pattern = FilePattern("x.y/*_{date}.tif")
    assert pattern.read("x.y/a_20200113.tif") == Told("x.y/a_20200113.tif", DAY)
    for other in ("xzy/a_20200113.tif", "x.y/b/a_20200113.tif", "x.y/a_20200113.tiff", "x.y/a_2020-0113.tif", "a_20200113.tif"):
        assert pattern.read(other) is None


def test_a_band_in_the_name_is_told_apart_from_its_scene():
    pattern = FilePattern("*/{date}_{band}_10m.tif")
    assert pattern.has_band
    assert pattern.read("T31/20200113_B8A_10m.tif") == Told("T31/20200113_{band}_10m.tif", DAY, "B8A")
    assert pattern.read("T31/20200113_B8_A_10m.tif") is None
    assert not FilePattern("{date}.tif").has_band


@pytest.mark.parametrize(
    ("pattern", "names", "scene"),
    [
        ("*_{date}T*_{band}_*.tif", ["a_20200113T10_B02_10m.tif", "a_20200113T10_B11_20m.tif"], "a_20200113T10_{band}_*.tif"),
        ("{band}/*_{date}.tif", ["B02/a_20200113.tif", "B11/b_20200113.tif"], "{band}/*_20200113.tif"),
        ("{band}_*_{date}_*.tif", ["B02_10m_20200113_a.tif", "B11_20m_20200113_b.tif"], "{band}_*_20200113_*.tif"),
    ],
)  # fmt: skip
def test_what_a_star_behind_the_band_stands_for_parts_no_scene(pattern, names, scene):
    told = [FilePattern(pattern).read(name) for name in names]
    assert [each.scene for each in told] == [scene, scene]
    assert [each.band for each in told] == ["B02", "B11"]


def test_what_a_star_before_the_band_stands_for_parts_scenes():
    pattern = FilePattern("*_{date}_{band}.tif")
    assert pattern.read("T31_20200113_B02.tif").scene != pattern.read("T32_20200113_B02.tif").scene


def test_a_date_that_is_none_is_told():
    with pytest.raises(ValueError, match="20201345 is no date"):
        span("{date}.tif", "20201345.tif")
    with pytest.raises(ValueError, match="its end 20200101 is before its start 20200201"):
        span("{start}_{end}.tif", "20200201_20200101.tif")


@pytest.mark.parametrize(
    "text", ["a.tif", "{start}.tif", "{date}_{date}.tif", "{date}_{year}.tif", "{end}_{date}.tif", "{band}.tif"]
)
def test_a_pattern_needs_one_time(text):
    with pytest.raises(ValueError, match=r"one \{date\}, \{datetime\} or \{year\}, or one \{start\} and one \{end\}"):
        FilePattern(text)


def test_an_unknown_token_is_guessed():
    with pytest.raises(ValueError, match=r"one of \{date\}, .* where \{dat\} stands; did you mean \{date\}\?"):
        FilePattern("{dat}.tif")

"""One source under two names: paths as seen from elsewhere, and mapping files by what they say."""

import pytest

from curate.sources import open_source
from curate.sources.same_source import is_same_source, lost_path

API = 'api = "https://stac.example.org/v1"\n[sensors.sentinel-2-l2a]\ncollection = "s2"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with an archive, and a folder beside it."""
    (tmp_path / "archive").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mapping(path, text=API):
    """The name of the source that a mapping file gives, as a recipe has it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return open_source(str(path)).name


@pytest.mark.parametrize("name", ["earth-search", "https://stac.example.org/v1", "archive", "earth-search,archive"])
def test_a_name_means_itself(here, name):
    assert is_same_source(name, name)


@pytest.mark.parametrize("other", ["./archive", "data/../archive", "{here}/archive", "archive/"])
def test_a_path_is_the_same_however_it_is_written(here, other):
    other = other.format(here=here)
    assert is_same_source("archive", other)
    assert is_same_source(other, "archive")
    assert is_same_source("earth-search,archive", f"earth-search,{other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("earth-search", "cdse"),
        ("https://stac.example.org/v1", "https://stac.example.org/v2"),
        ("archive", "other"),
        ("archive", "earth-search"),
        ("archive", "archive,earth-search"),
        ("archive,earth-search", "earth-search,archive"),
        ("gone/archive", "other"),
    ],
)
def test_others_are_others(here, one, other):
    assert not is_same_source(one, other)


def test_the_last_name_decides_where_a_path_is_not_there_any_more(here, monkeypatch):
    monkeypatch.chdir(here / "data")
    assert is_same_source("shared/archive", "../archive")
    assert not is_same_source("../archive", "../other")


def test_another_archive_of_the_same_name_is_another_one_while_both_are_there(here):
    (here / "data" / "archive").mkdir()
    assert not is_same_source("archive", "data/archive")


def test_the_home_of_a_user_is_known_by_its_sign(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert is_same_source("~/archive", f"{here}/archive")
    assert lost_path("~/archive") is None


def test_a_mapping_file_is_the_same_wherever_it_lies(here):
    one = mapping(here / "mine.toml")
    other = mapping(here / "data" / "mine.toml", f"# moved\n{API}")
    assert one != other
    assert is_same_source(one, other)
    (here / "mine.toml").unlink()
    assert is_same_source(one, other)


def test_a_mapping_file_that_says_something_else_is_another_one(here):
    one = mapping(here / "mine.toml")
    other = mapping(here / "data" / "mine.toml", API + "scale = 0.0001\n")
    assert not is_same_source(one, other)
    assert not is_same_source(one, "archive")


def test_a_mapping_file_may_be_renamed_if_items_do_not_call_the_archive_by_it(here):
    assert not is_same_source(mapping(here / "mine.toml"), mapping(here / "yours.toml"))
    named = 'name = "ours"\n' + API
    assert is_same_source(mapping(here / "mine.toml", named), mapping(here / "yours.toml", named))


def test_a_path_that_is_not_there_is_told(here):
    name = mapping(here / "mine.toml")
    assert lost_path("earth-search,archive") is None
    assert lost_path(name) is None
    assert lost_path("cdse,../archive") == "../archive"
    (here / "mine.toml").unlink()
    assert lost_path(name) == str(here / "mine.toml")
    assert lost_path("https://stac.example.org/v1") is None

"""Documents of a catalog follow its files; where they go is remembered and cannot change."""

import json

import pytest

from catalogs import layout
from catalogs.errors import CatalogError
from catalogs.publication import AT_WORK, RECORD, Publication, read_target, remember_target
from catalogs.targets import FolderTarget
from tests.trees import tree

S2 = "sentinel-2-l2a"


@pytest.fixture
def folder(tmp_path):
    """A folder with the documents of a catalog, and things that are none."""
    folder = tmp_path / "cat"
    for name in (layout.RECIPE, layout.LOCATIONS, f"{S2}/{layout.COLLECTION}", f"{S2}/31UDQ/{layout.CATALOG}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / S2 / "items").mkdir()
    (folder / S2 / "items" / "00001.parquet").write_text("index")
    (folder / S2 / "items" / "00002.parquet.part").write_text("half an index")
    (folder / "notes.txt").write_text("mine")
    (folder / "packs").mkdir()
    (folder / "packs" / "x.npy").write_text("derived")
    return folder


def publish(folder):
    publication = Publication(folder, [S2])
    publication.copy()
    return publication


def test_documents_are_copied_and_nothing_else(folder, tmp_path):
    assert remember_target(folder, str(tmp_path / "there")) == str(tmp_path / "there")
    publish(folder)
    copied = (f"{S2}/items/00001.parquet", f"{S2}/31UDQ/{layout.CATALOG}", f"{S2}/{layout.COLLECTION}", "recipe.json")
    expected = {name: tree(folder)[name] for name in (*copied, layout.LOCATIONS)}
    assert tree(tmp_path / "there") == expected


def test_only_what_changed_is_copied_again_and_what_is_no_more_is_removed(folder, tmp_path, monkeypatch):
    remember_target(folder, str(tmp_path / "there"))
    publish(folder)
    (folder / S2 / layout.COLLECTION).write_text("another")
    (folder / S2 / layout.INDEX).write_text("one index")
    (folder / S2 / "items" / "00001.parquet").unlink()
    publication = Publication(folder, [S2])
    put, copied = publication.target.put, []
    monkeypatch.setattr(publication.target, "put", lambda href, content: (copied.append(href), put(href, content)))
    publication.copy()
    assert copied == [f"{S2}/{layout.INDEX}", f"{S2}/{layout.COLLECTION}"]
    assert not (tmp_path / "there" / S2 / "items" / "00001.parquet").exists()
    publication.copy()
    assert len(copied) == 2


def test_what_links_others_is_copied_last(folder, tmp_path, monkeypatch):
    (folder / layout.CATALOG).write_text("root")
    (folder / RECORD).parent.mkdir()
    (folder / RECORD).write_text(json.dumps({"to": str(tmp_path / "there"), "documents": {}}))
    publication = Publication(folder, [S2])
    copied = []
    monkeypatch.setattr(publication.target, "put", lambda href, content: copied.append(href))
    publication.copy()
    assert copied[-4:] == [f"{S2}/{layout.COLLECTION}", layout.RECIPE, layout.LOCATIONS, layout.CATALOG]


def test_a_build_at_work_is_marked_there(folder, tmp_path):
    remember_target(folder, str(tmp_path / "there"))
    publication = Publication(folder, [S2])
    publication.begin()
    assert (tmp_path / "there" / AT_WORK).exists()
    publication.end()
    assert not (tmp_path / "there" / AT_WORK).exists()


def test_the_place_is_remembered(folder, tmp_path):
    assert remember_target(folder, None) is None
    assert read_target(folder) is None
    remember_target(folder, "s3://bucket/france/")
    assert remember_target(folder, None) == remember_target(folder, "s3://bucket/france") == "s3://bucket/france"
    assert read_target(folder) == "s3://bucket/france"


def test_a_place_that_no_run_has_reached_is_forgotten_for_another(folder):
    remember_target(folder, "s3://bukcet/france")
    assert remember_target(folder, "s3://bucket/france") == "s3://bucket/france"
    assert read_target(folder) == "s3://bucket/france"


def test_another_place_later_is_refused(folder):
    remember_target(folder, "s3://bucket/france")
    (folder / layout.CATALOG).write_text("{}")
    with pytest.raises(CatalogError, match=r"has its files in s3://bucket/france; --to s3://bucket/b would split the catalog"):
        remember_target(folder, "s3://bucket/b")


def test_a_catalog_that_has_its_own_files_stays_so(folder):
    (folder / layout.CATALOG).write_text("{}")
    with pytest.raises(CatalogError, match="has its files in itself; --to s3://bucket/b would split"):
        remember_target(folder, "s3://bucket/b")


@pytest.mark.parametrize("inside", [".", "out", "../cat/deeper/out"])
def test_a_place_within_the_catalog_is_refused(folder, inside):
    with pytest.raises(CatalogError, match=r"is the catalog's folder .* or lies within it"):
        remember_target(folder, str(folder / inside))
    assert read_target(folder) is None


@pytest.mark.parametrize("href", [layout.RECIPE, layout.CATALOG, AT_WORK])
def test_a_place_that_holds_another_catalog_is_refused(folder, tmp_path, href):
    there = FolderTarget(tmp_path / "there")
    there.put(href, b"{}")
    before = tree(tmp_path / "there")
    remember_target(folder, there.address)
    words = rf"^{there.address} holds another catalog \({href} there is not of {folder}\).* Give another --to, or empty"
    with pytest.raises(CatalogError, match=words):
        Publication(folder, [S2]).begin()
    assert tree(tmp_path / "there") == before
    (tmp_path / "there" / href).unlink()
    Publication(folder, [S2]).begin()


class Killed(BaseException):
    """What nothing handles."""


@pytest.mark.parametrize("puts", range(8))
def test_a_build_goes_on_there_wherever_it_was_killed(folder, tmp_path, monkeypatch, puts):
    """At the marker, at each document, and between the last of them and the record of it."""
    remember_target(folder, str(tmp_path / "there"))
    (folder / layout.CATALOG).write_text("{}")
    killed = Publication(folder, [S2])
    put, left = killed.target.put, iter(range(puts))

    def put_or_die(href, content):
        if next(left, None) is None:
            raise Killed
        put(href, content)

    monkeypatch.setattr(killed.target, "put", put_or_die)
    monkeypatch.setattr("catalogs.publication._write_record", kill)
    with pytest.raises(Killed):
        begin_and_copy(killed)
    monkeypatch.undo()
    (folder / layout.CATALOG).write_text('{"another": "run"}')
    for _ in range(2):
        goes_on = Publication(folder, [S2])
        begin_and_copy(goes_on)
        goes_on.end()
    assert (tmp_path / "there" / layout.CATALOG).read_bytes() == (folder / layout.CATALOG).read_bytes()


def kill(*_):
    raise Killed


def begin_and_copy(publication):
    publication.begin()
    publication.copy()


def test_a_place_that_another_build_has_taken_since_is_refused(folder, tmp_path):
    remember_target(folder, str(tmp_path / "there"))
    begin_and_copy(publication := Publication(folder, [S2]))
    publication.end()
    (tmp_path / "there" / layout.RECIPE).write_text("of another build")
    with pytest.raises(CatalogError, match=r"holds another catalog \(recipe\.json there is not of"):
        Publication(folder, [S2]).begin()


def test_a_folder_keeps_its_mark_while_addresses_are_tried(folder, tmp_path):
    remember_target(folder, str(tmp_path / "a"))
    Publication(folder, [S2]).begin()
    remember_target(folder, str(tmp_path / "b"))
    remember_target(folder, str(tmp_path / "a"))
    Publication(folder, [S2]).begin()


def test_a_build_that_an_older_version_began_goes_on(folder, tmp_path):
    (folder / RECORD).parent.mkdir()
    (folder / RECORD).write_text(json.dumps({"to": str(tmp_path / "there"), "documents": {}}))
    FolderTarget(tmp_path / "there").put(AT_WORK, b"")
    begin_and_copy(Publication(folder, [S2]))
    begin_and_copy(Publication(folder, [S2]))
    assert (tmp_path / "there" / layout.RECIPE).exists()

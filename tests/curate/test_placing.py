"""Files in two folders: linked, copied where they cannot be, replaced where they differ."""

import errno
import os

import pytest

from catalogs.pixels import multihash
from curate.placing import Placed, place_file

CONTENT = b"pixels"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.tif"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target.tif"


@pytest.fixture(params=sorted({errno.EXDEV, errno.EPERM, errno.EMLINK}))
def no_links(request, monkeypatch):
    def fail(*_):
        raise OSError(request.param, "no")

    monkeypatch.setattr(os, "link", fail)


def test_a_file_is_linked_and_then_there(source, target):
    assert place_file(source, target) is Placed.LINKED
    assert target.samefile(source)
    assert place_file(source, target) is Placed.THERE


def test_a_file_is_copied_where_it_cannot_be_linked(source, target, no_links):
    assert place_file(source, target, multihash(CONTENT)) is Placed.COPIED
    assert target.read_bytes() == CONTENT
    assert not target.samefile(source)
    assert place_file(source, target, multihash(CONTENT)) is Placed.THERE
    target.write_bytes(b"other!")
    assert place_file(source, target) is Placed.COPIED
    assert target.read_bytes() == CONTENT


def test_what_has_the_name_and_differs_is_replaced(source, target):
    target.write_bytes(b"left over by a run that was stopped")
    assert place_file(source, target) is Placed.COPIED
    assert target.read_bytes() == CONTENT


def test_an_equal_copy_stays(source, target):
    target.write_bytes(CONTENT)
    assert place_file(source, target) is Placed.THERE
    assert not target.samefile(source)


def test_a_file_that_is_not_there_is_an_error(tmp_path, target):
    with pytest.raises(FileNotFoundError):
        place_file(tmp_path / "none.tif", target)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_part(source, target, no_links, monkeypatch):
    def fill(_source, part):
        part.write_bytes(b"pi")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fill)
    with pytest.raises(OSError, match="No space"):
        place_file(source, target)
    assert [path.name for path in source.parent.iterdir()] == ["source.tif"]

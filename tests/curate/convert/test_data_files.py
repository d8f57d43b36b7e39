"""Files of a data set are the same from a folder and from an archive."""

import pickle
import zipfile

import pytest

from curate.convert.data_files import DataFiles, digest_of
from curate.errors import CurateError

CONTENTS = {"a/b/one.txt": b"1", "a/two.txt": b"22", "three.txt": b""}


@pytest.fixture(params=["folder", "archive"])
def files(request, tmp_path):
    for name, content in CONTENTS.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("a")
        for name in reversed(CONTENTS):
            archive.write(tmp_path / "data" / name, name)
    return DataFiles.at(tmp_path / ("data" if request.param == "folder" else "data.zip"), "some data")


def test_names_and_sizes_are_sorted(files):
    assert list(files.sizes().items()) == [("a/b/one.txt", 1), ("a/two.txt", 2), ("three.txt", 0)]


def test_contents_are_read_in_another_process_too(files):
    again = pickle.loads(pickle.dumps(files))
    assert {name: again.read(name) for name in CONTENTS} == CONTENTS
    with pytest.raises((OSError, KeyError)):
        again.read("four.txt")


def test_a_digest_tells_names_and_sizes_but_no_order():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert len({digest_of(sizes) for sizes in ({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 3}, {"a": 1, "c": 2})}) == 4


def test_what_is_not_there_or_no_archive_is_refused(tmp_path):
    with pytest.raises(CurateError, match=r"gone\.zip is not there; expected some data\. Check the path"):
        DataFiles.at(tmp_path / "gone.zip", "some data")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.writestr("a", b"1" * 100)
    (tmp_path / "part.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:120])
    with pytest.raises(CurateError, match=r"part\.zip \(120 bytes\) is no zip archive, or a part of one; .*Download it again"):
        DataFiles.at(tmp_path / "part.zip", "some data")

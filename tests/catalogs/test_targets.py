"""Files go whole to a folder or a bucket, leftovers are swept, and nothing secret is told."""

from pathlib import Path
from threading import Event, Thread

import pytest

from catalogs import files
from catalogs.errors import CatalogError, CatalogUnreachableError
from catalogs.targets import BucketTarget, FolderTarget, find_target, open_target
from tests.servers import free_port, serve_s3


@pytest.fixture(scope="module")
def store():
    with serve_s3("bucket", "alone") as environment:
        yield environment


@pytest.fixture
def bucket(store, monkeypatch):
    enter(store, monkeypatch)
    yield BucketTarget("s3://bucket/france")
    files._store.cache_clear()


def enter(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    files._store.cache_clear()


@pytest.fixture(params=["folder", "bucket"])
def target(request, tmp_path):
    return FolderTarget(tmp_path / "france") if request.param == "folder" else request.getfixturevalue("bucket")


def read(target, href):
    return files.read_bytes(f"{target.address}/{href}")


def exists(target, href):
    return files.exists(f"{target.address}/{href}")


def test_bytes_and_files_are_put_as_they_are(target, tmp_path):
    (tmp_path / "some.json").write_bytes(b"{}")
    target.put("a/b/x.tif", b"\x00pixels")
    target.put("a/b/x.json", tmp_path / "some.json")
    assert (read(target, "a/b/x.tif"), read(target, "a/b/x.json")) == (b"\x00pixels", b"{}")
    target.put("a/b/x.tif", b"others")
    assert read(target, "a/b/x.tif") == b"others"


def test_a_file_is_read_and_an_absent_one_is_none(target):
    target.put("a/some.json", b"{}")
    assert (target.read("a/some.json"), target.read("a/other.json"), target.read("a/some.json/x")) == (b"{}", None, None)


def test_what_is_removed_is_gone_and_may_have_been_gone(target):
    target.put("gone/x", b"x")
    target.remove("gone/x")
    target.remove("gone/x")
    assert not exists(target, "gone/x")


def test_a_sweep_leaves_what_is_named_and_what_lies_elsewhere(target):
    for href in ("s/1/kept.tif", "s/1/left.tif", "s/1/left.tif.part", "s/12/other.tif"):
        target.put(href, b"x")
    target.sweep("s/1", {"kept.tif"})
    assert [exists(target, href) for href in ("s/1/kept.tif", "s/1/left.tif", "s/1/left.tif.part")] == [True, False, False]
    assert exists(target, "s/12/other.tif")
    target.sweep("s/1", ())
    target.sweep("s/never", ())
    assert not exists(target, "s/1/kept.tif")


def test_an_emptied_folder_is_removed(tmp_path):
    target = FolderTarget(tmp_path)
    target.put("s/1/x", b"x")
    target.sweep("s/1", ())
    assert not (tmp_path / "s" / "1").exists()


def test_what_two_write_at_once_is_whole_at_every_moment(tmp_path, monkeypatch):
    """The second begins when the first has written its part, and stays behind in the middle of its own."""
    targets = [FolderTarget(tmp_path, shared=True) for _ in range(2)]
    half, go_on, parts = Event(), Event(), []
    second = Thread(target=targets[1].put, args=("s/1/x.tif", b"whole"))
    write, replace = Path.write_bytes, Path.replace

    def write_slowly(self, content):
        parts.append(self.name)
        if len(parts) == 1:
            return write(self, content)
        write(self, content[:2])
        half.set()
        assert go_on.wait(30)
        return write(self, content)

    def replace_late(self, other):
        if not half.is_set():
            second.start()
            assert half.wait(30)
        return replace(self, other)

    monkeypatch.setattr(Path, "write_bytes", write_slowly)
    monkeypatch.setattr(Path, "replace", replace_late)
    targets[0].put("s/1/x.tif", b"whole")
    assert read(targets[0], "s/1/x.tif") == b"whole"
    go_on.set()
    second.join()
    assert all(name.startswith("x.tif.") and name.endswith(".part") for name in parts)
    assert len(set(parts)) == 2
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "s" / "1").iterdir()] == [("x.tif", b"whole")]


def test_what_the_sweep_of_another_process_removed_is_written_again(tmp_path, monkeypatch):
    target, replace, swept = FolderTarget(tmp_path, shared=True), Path.replace, []

    def replace_after_a_sweep(self, other):
        if not swept:
            swept.append(self.name)
            FolderTarget(tmp_path).sweep("s/1", ())
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", replace_after_a_sweep)
    target.put("s/1/x.tif", b"whole")
    assert swept
    assert [path.name for path in (tmp_path / "s" / "1").iterdir()] == ["x.tif"]


def test_a_sweep_bears_that_another_process_writes_or_sweeps_too(tmp_path, monkeypatch):
    target, remove = FolderTarget(tmp_path), Path.rmdir

    def written_to(self):
        (self / "new.part").write_bytes(b"x")
        remove(self)

    def removed(self):
        remove(self)
        remove(self)

    for rmdir, is_there in ((written_to, True), (removed, False)):
        target.put("s/1/x", b"x")
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rmdir", rmdir)
            target.sweep("s/1", ())
        assert (tmp_path / "s" / "1").exists() == is_there


def test_who_lists_once_finds_what_lay_there_before(bucket):
    bucket.put("old/x.tif", b"x")
    lister = open_target(bucket.address, lists_once=True)
    lister.sweep("new", ())
    bucket.put("new/x.tif", b"x")
    lister.sweep("new", ())
    lister.sweep("old", ())
    assert (exists(bucket, "new/x.tif"), exists(bucket, "old/x.tif")) == (True, False)


def test_a_bucket_itself_is_a_place(bucket):
    whole = BucketTarget("s3://alone")
    whole.put("s/1/x", b"x")
    assert list(whole._list("")) == ["s/1/x"]
    whole.sweep("s/1", ())
    assert list(whole._list("")) == []


def test_a_bucket_that_is_not_there_is_told(bucket):
    with pytest.raises(CatalogUnreachableError, match=r"s3://nobody/x cannot be written: there is no such bucket\. Make it"):
        BucketTarget("s3://nobody/x").put("a", b"")


def test_a_store_that_does_not_answer_is_told_without_secrets(store, monkeypatch):
    monkeypatch.setattr(files, "RETRIES", 0)
    enter(store | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, monkeypatch)
    with pytest.raises(CatalogUnreachableError, match="cannot be written: its server does not answer") as told:
        BucketTarget("s3://bucket/x").put("a", b"")
    assert told.value.exit_code == 4
    assert "run the same command again: it continues" in str(told.value)
    assert not any(value in str(told.value) for name, value in store.items() if "KEY" in name)
    files._store.cache_clear()


def test_words_become_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_target("s3://bucket/france/") == "s3://bucket/france"
    assert find_target("s3://bucket") == "s3://bucket"
    assert find_target("out") == str(tmp_path / "out")
    assert isinstance(open_target(str(tmp_path)), FolderTarget)
    assert isinstance(open_target("s3://bucket"), BucketTarget)


@pytest.mark.parametrize("text", ["https://host/cat", "s3://", "gs://bucket/cat", "s3://bucket/cat?versionId=3"])
def test_what_cannot_be_written_to_is_refused(text):
    with pytest.raises(CatalogError, match=r"cannot be written to\. Give the path of a folder, or s3://BUCKET/PREFIX"):
        find_target(text)


def test_credentials_in_an_address_are_refused_and_not_repeated():
    with pytest.raises(CatalogError, match="They belong in the environment") as told:
        find_target("s3://key:hush@bucket/cat")
    assert "hush" not in str(told.value)

"""Files go whole to a folder or a bucket, leftovers are swept, and nothing secret is told."""

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

"""What is fetched of remote catalogs is kept: whole, checked, once for all processes, and there without the server."""

import errno
import fcntl
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from catalogs import download as download_module
from catalogs import files, layout, open_catalog
from catalogs.cache import Cache
from catalogs.download import download
from catalogs.errors import CatalogUnreachableError, ContractError, MissingAssetError, StorageError
from catalogs.pixels import multihash
from catalogs.stack import open_stack
from catalogs.testing import make_catalog
from tests.catalogs.damage import asset_path, edit_pixels
from tests.catalogs.packs import TWO_ITEMS, make_pack
from tests.catalogs.varied import SENSOR
from tests.conftest import ROOT
from tests.servers import free_port, serve_files

RGB = ("B04", "B03", "B02")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A catalog without a pack; not to be changed."""
    return make_catalog(tmp_path_factory.mktemp("plain") / "cat")


@pytest.fixture(scope="module")
def packed(plain, tmp_path_factory):
    """The same with a pack."""
    folder = shutil.copytree(plain, tmp_path_factory.mktemp("packed") / "cat")
    make_pack(folder, shard_bytes=TWO_ITEMS)
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@contextmanager
def serve_web(folder):
    with serve_files(folder) as address:
        yield address


@contextmanager
def serve_bucket(folder):
    """The folder as a prefix of a bucket, which for reading is a web server."""
    settings = {"AWS_SKIP_SIGNATURE": "true", "AWS_REGION": "eu-west-1"}
    with serve_files(folder.parent.parent) as address, pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | {"AWS_ENDPOINT_URL": address}).items():
            patch.setenv(name, value)
        files._store.cache_clear()
        yield f"s3://{folder.parent.name}/{folder.name}"
        files._store.cache_clear()


@pytest.fixture(params=[serve_web, serve_bucket], ids=["web", "bucket"])
def serve(request):
    return request.param


def pixels(stack):
    """All pixels of a stack, as bytes."""
    found, arrays = [], stack.empty()
    for number in range(len(stack)):
        stack.read_into(number, arrays)
        found += [array.tobytes() for array in arrays]
    return found


def local(folder, bands=None):
    catalog = open_catalog(folder)
    return open_stack(catalog, catalog.items(), bands)


def remote(address, cache, bands=None, **options):
    catalog = open_catalog(address)
    return open_stack(catalog, catalog.items(), bands, cache=cache, **options)


def kept(cache):
    """Names of the files in a cache."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.parent.name != "locks")


def read_in_another_process(stack, start):
    with get_context(start).Pool(1) as pool:
        return pool.apply(pixels, (stack,))


def test_rasters_of_a_remote_catalog_are_read_and_kept(plain, cache, serve):
    with serve(plain) as address:
        stack = remote(address, cache)
        assert not stack.is_packed
        assert pixels(stack) == pixels(local(plain))
    scenes = list(open_catalog(plain).items())
    checksums = [raster.checksum for scene in scenes for raster in scene.rasters if not raster.is_mask]
    assert kept(cache) == sorted(checksum.removeprefix("1220") for checksum in checksums)
    for path in cache.glob("??/*"):
        if path.parent.name != "locks":
            assert multihash(path.read_bytes()) == f"1220{path.name}"


def test_a_pack_of_a_remote_catalog_is_read_and_kept(packed, cache, serve):
    with serve(packed) as address:
        stack = remote(address, cache)
        assert stack.is_packed
        assert pixels(stack) == pixels(local(packed))
        assert len(kept(cache)) == 1 + 3 * 3
        assert open_catalog(address).index_hash(SENSOR) == stack.index_hash


def test_only_the_layers_that_are_read_are_fetched(packed, cache):
    with serve_web(packed) as address:
        assert pixels(remote(address, cache, RGB)) == pixels(local(packed, RGB))
    assert len(kept(cache)) == 1 + 3


def test_what_is_kept_is_read_without_the_server(plain, packed, cache):
    code = (
        "import pickle, sys; sys.path.insert(0, '.'); from tests.catalogs.test_cache import pixels;"
        "sys.stdout.buffer.write(pickle.dumps(pixels(pickle.loads(sys.stdin.buffer.read()))))"
    )
    for folder in (plain, packed):
        with serve_web(folder) as address:
            stack = remote(address, cache, RGB)
            pixels(stack)
        child = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, input=pickle.dumps(stack), capture_output=True, check=True
        )
        assert pickle.loads(child.stdout) == pixels(local(folder, RGB))


def test_what_is_not_kept_says_that_the_server_does_not_answer(plain, cache):
    with serve_web(plain) as address:
        stack = remote(address, cache, RGB)
        arrays = stack.empty()
        stack.read_into(0, arrays)
    stack.read_into(0, arrays)
    with pytest.raises(CatalogUnreachableError, match=r"_10m\.tif cannot be read: its server does not answer"):
        stack.read_into(1, arrays)
    assert len(kept(cache)) == 1


def test_an_asset_that_changes_is_fetched_anew(plain, tmp_path, cache):
    folder = shutil.copytree(plain, tmp_path / "cat")
    with serve_web(folder) as address:
        before = pixels(remote(address, cache, RGB))
        count = len(kept(cache))
        edit_pixels(folder, lambda array: array + 1)
        after = pixels(remote(address, cache, RGB))
    assert after == pixels(local(folder, RGB)) != before
    assert len(kept(cache)) == count + 1


def test_a_file_that_is_not_what_its_checksum_says_is_refused_and_not_kept(plain, tmp_path, cache):
    folder = shutil.copytree(plain, tmp_path / "cat")
    asset_path(folder).write_bytes(b"other")
    with serve_web(folder) as address:
        stack = remote(address, cache, RGB)
        digest = multihash(b"other").removeprefix("1220")
        with pytest.raises(ContractError, match=rf"_10m\.tif has SHA-256 {digest}; its catalog says .* Open the catalog anew"):
            stack.read_into(0, stack.empty())
    assert kept(cache) == []


def test_a_file_that_is_not_there_is_named(plain, tmp_path, cache):
    folder = shutil.copytree(plain, tmp_path / "cat")
    asset_path(folder).unlink()
    with serve_web(folder) as address:
        stack = remote(address, cache, RGB)
        with pytest.raises(MissingAssetError, match=r"_10m\.tif is not there"):
            stack.read_into(0, stack.empty())
    assert kept(cache) == []


def test_without_a_cache_rasters_are_fetched_each_time_and_packs_left_alone(packed):
    with serve_web(packed) as address:
        stack = remote(address, None)
        assert not stack.is_packed
        assert pixels(stack) == pixels(local(packed))
        with pytest.raises(ContractError, match=r"is read through a cache, since it is remote\. Give a cache folder"):
            remote(address, None, pack=True)


def test_a_local_catalog_needs_no_cache(plain, cache):
    catalog = open_catalog(plain)
    pixels(open_stack(catalog, catalog.items(), RGB, cache=cache))
    assert not cache.exists()


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_several_processes_fetch_each_file_once(packed, plain, cache, start):
    for folder in (plain, packed):
        with serve_web(folder) as address:
            stack = remote(address, cache)
            with get_context(start).Pool(3) as pool:
                found = pool.map(pixels, [stack] * 3, chunksize=1)
        assert found == [pixels(local(folder))] * 3
    assert not [name for name in kept(cache) if name.endswith(layout.TEMPORARY)]


def test_a_process_that_was_forked_from_one_that_uses_the_network_fetches_too(plain, cache):
    with serve_web(plain) as address:
        stack = remote(address, cache, RGB)
        assert not files.is_client_lost()
        assert read_in_another_process(stack, "fork") == pixels(local(plain, RGB))
        with pytest.raises(CatalogUnreachableError, match="in a process that was forked from one that reads remote files"):
            read_in_another_process(remote(address, None, RGB), "fork")


@contextmanager
def pretend_fork():
    """Have this process take itself for one that was forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CLIENTS", {0})
        yield
    download_module._helper(os.getpid()).close()
    download_module._helper.cache_clear()


def test_a_helper_fetches_what_this_process_would(plain, tmp_path):
    content = (plain / layout.CATALOG).read_bytes()
    with serve_web(plain) as address:
        for number, situation in enumerate((pretend_fork, contextmanager(lambda: iter([None])))):
            path = tmp_path / str(number)
            with situation():
                assert f"1220{download(f'{address}/{layout.CATALOG}', path)}" == multihash(content)
                with pytest.raises(MissingAssetError, match=r"no\.json is not there"):
                    download(f"{address}/no.json", path)
                with pytest.raises(FileNotFoundError, match="No such file"):
                    download(f"{address}/{layout.CATALOG}", tmp_path / "no" / "folder")
                with pytest.raises(CatalogUnreachableError, match="its server does not answer"):
                    download(f"http://127.0.0.1:{free_port()}/a", path)


def test_a_helper_that_was_killed_is_told(plain, tmp_path):
    with serve_web(plain) as address, pretend_fork():
        download(f"{address}/{layout.CATALOG}", tmp_path / "a")
        process = download_module._helper(os.getpid())._process
        process.kill()
        process.wait()
        with pytest.raises(CatalogUnreachableError, match=r"the process that does so for this one was killed\. Start again"):
            download(f"{address}/{layout.CATALOG}", tmp_path / "a")


def fetching(monkeypatch, action):
    """Have an action take the place of the network."""

    def portions(address):
        yield from action(address)

    monkeypatch.setattr(files, "read_portions", portions)


CONTENT = b"pixels" * 1000
ADDRESS = "https://host.example/a.tif?sig=secret"


def test_threads_fetch_a_file_once(cache, monkeypatch):
    asked = []

    def slow(address):
        asked.append(address)
        yield CONTENT[:100]
        yield CONTENT[100:]

    fetching(monkeypatch, slow)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: Cache(cache).fetch(ADDRESS, multihash(CONTENT)), range(32)))
    assert asked == [ADDRESS]
    assert {path.read_bytes() for path in paths} == {CONTENT}


def test_a_fetch_that_breaks_off_leaves_nothing_under_the_name(cache, monkeypatch):
    def broken(address):
        yield CONTENT[:100]
        raise CatalogUnreachableError("gone")

    fetching(monkeypatch, broken)
    with pytest.raises(CatalogUnreachableError, match="gone"):
        Cache(cache).fetch(ADDRESS, multihash(CONTENT))
    assert kept(cache) == []
    fetching(monkeypatch, lambda _: [CONTENT])
    assert Cache(cache).fetch(ADDRESS, multihash(CONTENT)).read_bytes() == CONTENT


def test_a_part_that_a_kill_left_is_overwritten(cache, monkeypatch):
    digest = multihash(CONTENT).removeprefix("1220")
    (cache / digest[:2]).mkdir(parents=True)
    (cache / digest[:2] / f"{digest}{layout.TEMPORARY}").write_bytes(CONTENT * 2)
    fetching(monkeypatch, lambda _: [CONTENT])
    assert Cache(cache).fetch(ADDRESS, multihash(CONTENT)).read_bytes() == CONTENT
    assert kept(cache) == [digest]


def test_a_full_disk_says_what_to_do(cache, monkeypatch):
    def full(_address):
        yield CONTENT
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fetching(monkeypatch, full)
    words = r"cache .*cache is on a disk that is full \(No space left on device\)\. What .* is whole .* give a folder elsewhere"
    with pytest.raises(StorageError, match=words):
        Cache(cache).fetch(ADDRESS, multihash(CONTENT))
    assert kept(cache) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cache .*file/cache cannot be written \(Not a directory\)"):
        Cache(tmp_path / "file" / "cache").fetch(ADDRESS, multihash(CONTENT))


def test_where_there_are_no_locks_each_writes_under_a_name_of_its_own(cache, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, "no locks")

    seen = []

    def watching(_address):
        yield CONTENT
        seen.extend(kept(cache))

    monkeypatch.setattr(fcntl, "flock", refuse)
    fetching(monkeypatch, watching)
    assert Cache(cache).fetch(ADDRESS, multihash(CONTENT)).read_bytes() == CONTENT
    assert f".{os.getpid()}-" in seen[0]
    assert len(kept(cache)) == 1


def test_secrets_of_an_address_are_not_told(cache, monkeypatch):
    fetching(monkeypatch, lambda _: [b"other"])
    with pytest.raises(ContractError, match=r"https://host\.example/a\.tif has SHA-256"):
        Cache(cache).fetch(ADDRESS, multihash(CONTENT))


def test_a_large_file_comes_in_portions_whether_its_server_knows_ranges_or_not(tmp_path, monkeypatch):
    from tests.catalogs.test_shareable import serve_plainly

    content = np.random.default_rng(0).bytes(1000)
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setattr(files, "PORTION", 300)
    assert [len(portion) for portion in files.read_portions(str(tmp_path / "a"))] == [300, 300, 300, 100]
    for serving, lengths in ((serve_web, [300, 300, 300, 100]), (serve_plainly, [1000])):
        with serving(tmp_path) as address:
            portions = list(files.read_portions(f"{address}/a"))
            assert [len(portion) for portion in portions] == lengths
            assert b"".join(portions) == content
            with pytest.raises(MissingAssetError, match="no is not there"):
                list(files.read_portions(f"{address}/no"))


def test_an_empty_file_has_no_portions(tmp_path):
    Path(tmp_path / "a").write_bytes(b"")
    assert list(files.read_portions(str(tmp_path / "a"))) == []

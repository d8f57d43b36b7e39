"""Bytes come the same from a folder, a web server and an object store; what fails says so, without secrets."""

from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import files
from catalogs.errors import CatalogUnreachableError, ContractError, MissingAssetError, NotACatalogError
from catalogs.files import exists, for_gdal, is_remote, open_parquet, read_bytes, read_json
from tests.servers import free_port, serve_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "bucket"
    (folder / "a folder").mkdir(parents=True)
    (folder / "a folder" / "catalog.json").write_text('{"id": "é"}')
    (folder / "page.json").write_text("<!DOCTYPE html><html><body>Welcome</body></html>")
    (folder / "list.json").write_text("[1, 2]")
    rng = np.random.default_rng(0)
    table = pa.table({"id": np.arange(60_000), "noise": rng.random(60_000), "word": ["a", "b"] * 30_000})
    pq.write_table(table, folder / "rows.parquet", row_group_size=20_000)
    return folder


class Handler(SimpleHTTPRequestHandler):
    """The plainest web server: it knows no ranges. It notes what it is asked for."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.headers.get("Range", "whole"))
        if "forbidden" in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    def copyfile(self, source, outputfile):
        try:
            super().copyfile(source, outputfile)
        except (BrokenPipeError, ConnectionResetError):
            """A client that asked for a part goes when it gets the whole."""

    def log_message(self, *_):
        pass


@contextmanager
def serve_whole(folder):
    handler = type("Noting", (Handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def plain(folder):
    with serve_whole(folder) as (address, _):
        yield address


@pytest.fixture
def bucket(folder, monkeypatch):
    """The folder as a bucket of an object store, which for reading is a web server."""
    with serve_whole(folder.parent) as (address, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        files._store.cache_clear()
        yield "s3://bucket"
        files._store.cache_clear()


@pytest.fixture(params=["folder", "web", "bucket"])
def base(request, folder, plain):
    """The same files from each kind of place."""
    return {"folder": lambda: str(folder), "web": lambda: plain, "bucket": lambda: request.getfixturevalue("bucket")}[
        request.param
    ]()


def test_the_same_bytes_come_from_everywhere(base):
    assert read_bytes(f"{base}/a folder/catalog.json") == '{"id": "é"}'.encode()
    assert read_json(f"{base}/a folder/catalog.json") == {"id": "é"}


def test_an_escaped_address_is_understood(plain):
    assert read_json(f"{plain}/a%20folder/catalog.json") == {"id": "é"}


def test_what_is_there_exists(base):
    assert exists(f"{base}/a folder/catalog.json")
    assert not exists(f"{base}/a folder/nothing.json")


def test_a_missing_file_is_named(base):
    with pytest.raises(MissingAssetError, match=r"nothing\.json is not there\. Check the address"):
        read_bytes(f"{base}/a folder/nothing.json")
    with pytest.raises(MissingAssetError, match=r"nothing\.parquet is not there"):
        open_parquet(f"{base}/a folder/nothing.parquet")


def test_a_web_page_is_no_catalog(base):
    with pytest.raises(NotACatalogError, match=r"page\.json holds a web page; expected STAC\. Give the folder or the address"):
        read_json(f"{base}/page.json")
    with pytest.raises(NotACatalogError, match=r"list\.json holds no JSON object; expected STAC"):
        read_json(f"{base}/list.json")


def test_an_index_that_is_none_is_refused(base):
    with pytest.raises(ContractError, match=r"page\.json is no parquet file\. It is derived: remove it"):
        open_parquet(f"{base}/page.json")


def test_a_parquet_file_reads_the_same_from_everywhere(base, folder):
    file = open_parquet(f"{base}/rows.parquet", dictionaries=("word",))
    assert file.read(columns=["id", "noise"]) == pq.read_table(folder / "rows.parquet", columns=["id", "noise"])
    assert pa.types.is_dictionary(file.schema_arrow.field("word").type)


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(files, "WHOLE_BELOW", 1000)


def test_a_large_index_is_read_by_ranges(folder, large):
    with serve_files(folder) as address:
        row_group = open_parquet(f"{address}/rows.parquet").read_row_group(1)
    assert row_group == pq.ParquetFile(folder / "rows.parquet").read_row_group(1)


def test_ranges_fetch_only_what_is_asked_for(folder, large, monkeypatch):
    fetched = []
    read = files._RangeFile.read

    def noted(self, size=-1):
        content = read(self, size)
        fetched.append(len(content))
        return content

    monkeypatch.setattr(files._RangeFile, "read", noted)
    with serve_files(folder) as address:
        whole = (folder / "rows.parquet").stat().st_size
        ids = open_parquet(f"{address}/rows.parquet").read_row_group(2, columns=["word"])["word"].to_pylist()
    assert ids == ["a", "b"] * 10_000
    assert 0 < sum(fetched) < whole / 5


def test_a_large_index_on_a_server_without_ranges_is_fetched_whole(folder, large):
    with serve_whole(folder) as (address, asked):
        file = open_parquet(f"{address}/rows.parquet")
        assert file.read() == pq.read_table(folder / "rows.parquet")
    assert [kind for kind in asked if kind == "whole"] == ["whole"]


def test_an_address_that_does_not_answer_is_told_without_secrets():
    address = f"http://me:secret@127.0.0.1:{free_port()}/cat/catalog.json?sig=abc&version=2"
    with pytest.raises(CatalogUnreachableError) as caught:
        read_bytes(address)
    assert "its server does not answer. Check the address, the network and your credentials" in str(caught.value)
    assert str(caught.value).startswith("http://127.0.0.1:")
    assert "secret" not in str(caught.value)
    assert "sig" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_without_a_host_is_told():
    with pytest.raises(CatalogUnreachableError, match=r"http:///catalog\.json cannot be read: empty host"):
        read_bytes("http:///catalog.json")


def test_an_answer_that_refuses_is_quoted(plain):
    with pytest.raises(CatalogUnreachableError, match="its server says 403 Forbidden"):
        read_bytes(f"{plain}/forbidden/catalog.json")


@pytest.mark.parametrize(
    ("href", "remote", "gdal"),
    [
        ("data/B04.tif", False, "data/B04.tif"),
        ("/data/s3/B04.tif", False, "/data/s3/B04.tif"),
        ("HTTPS://host/B04.tif", True, "/vsicurl/HTTPS://host/B04.tif"),
        ("s3://bucket/a/B04.tif", True, "/vsis3/bucket/a/B04.tif"),
    ],
)
def test_gdal_is_given_its_virtual_files(href, remote, gdal):
    assert (is_remote(href), for_gdal(href)) == (remote, gdal)

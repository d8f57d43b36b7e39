"""JSON at a path or an address, and the words where it is something else."""

import json
import socket

import pytest

from catalogs.errors import NotACatalogError
from curate.errors import SourceUnavailableError
from curate.sources import documents
from curate.sources.documents import check_stac, read_document, read_root, refusal, unavailable
from tests.conftest import NOWHERE
from tests.servers import Recording, replay

STAC = {"stac_version": "1.0.0", "type": "Catalog", "links": []}


def test_a_document_is_the_same_from_a_path_and_from_an_address(tmp_path):
    (tmp_path / "catalog.json").write_text(json.dumps(STAC))
    with replay([Recording("GET", "/catalog.json", STAC)]) as server:
        assert read_document(str(tmp_path / "catalog.json")) == read_document(f"{server.url}/catalog.json") == STAC


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"<html><body>Welcome</body></html>", 200, r"gives text that is not JSON \(it begins '<html><body>Welcome"),
        (b"PAR1\x15\x04\x15Z", 200, r"it gives a file of another kind, which is no text\. Expected a catalog\.json"),
        (b"", 200, r"gives text that is not JSON \(it is empty\)"),
        (b"[1, 2]", 200, "gives a JSON list"),
        (b'{"hello": 1, "world": 2}', 200, r"gives JSON without stac_version \(its fields: hello, world\)"),
        (b"{}", 200, r"its fields: none"),
        (b"gone", 404, "gives HTTP 404 Not Found"),
        (b"no", 403, "gives HTTP 403 Forbidden"),
    ],
)
def test_what_is_no_stac_is_named_with_what_was_expected_and_without_secrets(answer, status, words):
    recordings = [Recording("GET", "/catalog.json", answer, status=status)]
    with replay(recordings) as server, pytest.raises(NotACatalogError, match=words) as caught:
        read_root(f"{server.url}/catalog.json?token=hidden")
    assert str(caught.value).startswith(f"{server.url}/catalog.json is no STAC catalog")
    assert "Expected a catalog.json, a collection.json or the root of a STAC API; check the address." in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status, quick):
    recordings = [Recording("GET", "/", b"", status=status, times=2), Recording("GET", "/", STAC)]
    with replay(recordings) as server:
        assert read_document(f"{server.url}/") == STAC
        assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_unavailable(quick):
    with replay([Recording("GET", "/", b"", status=503)]) as server:
        with pytest.raises(
            SourceUnavailableError,
            match=r"has a fault \(HTTP 503 Service Unavailable\)\. Run the same command again later;",
        ):
            read_document(f"{server.url}/")
        assert len(server.requests) == 6


@pytest.mark.parametrize(("wait", "tries"), [("0", 6), ("901", 1), ("Sun, 22 Nov 2099 02:00:30 GMT", 1)])
def test_a_server_that_asks_to_be_left_alone_for_long_is_unavailable_at_once(quick, wait, tries):
    with replay([Recording("GET", "/", b"", status=429, headers={"Retry-After": wait})]) as server:
        with pytest.raises(SourceUnavailableError, match=r"limits how often it is asked \(HTTP 429 Too Many Requests\)"):
            read_document(f"{server.url}/")
        assert len(server.requests) == tries


def test_an_address_where_nobody_listens_is_unavailable_and_its_secret_is_not_told(quick):
    with pytest.raises(SourceUnavailableError, match=r"^http://127\.0\.0\.1:9/a cannot be reached .* run the same command"):
        read_document(f"{NOWHERE.replace('//', '//ada:pw@')}/a?sig=hidden")


def test_a_host_that_nobody_knows_is_told_as_what_may_be_mistyped(quick, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)  # whose name would be looked up instead
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    words = r"^https://stac\.exmaple\.org cannot be reached \(no host of that name is found\)\. Check the address and the net"
    with pytest.raises(SourceUnavailableError, match=words):
        read_document("https://stac.exmaple.org")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "cannot be reached (why). Check the network; `curate sources cdse --check` tries it again."),
        (429, "limits how often it is asked (why). Run the same command again in some minutes; what is done is kept."),
        (
            502,
            "has a fault (why). Run the same command again later; what is done is kept. `curate sources` tells who",
        ),
        (400, "refuses what it was asked (why). Run the same command again later; if it stays so, report it."),
    ],
)
def test_of_a_provider_nobody_is_sent_to_check_an_address_that_is_ours(code, words):
    told = unavailable("https://stac.example.org/v1?sig=hidden", code, "why", name="cdse")
    assert told.startswith(f"cdse (https://stac.example.org/v1) {words}")
    assert "address" not in told
    assert "address" in unavailable("https://stac.example.org/v1", code, "why") or code in (429, 502)


def test_of_a_provider_that_refuses_nobody_is_sent_to_set_up_an_account():
    told = refusal("https://stac.example.org/v1", "HTTP 403", name="cdse")
    assert "cdse (https://stac.example.org/v1) refuses whoever asks (HTTP 403). Its searches need no account: look" in told
    assert "netrc" not in told


def test_an_address_that_wants_an_account_says_where_it_is_given():
    words = r"refuses whoever asks \(HTTP 401 Unauthorized\).* in ~/\.netrc"
    recordings = [Recording("GET", "/", {"code": "Unauthorized"}, status=401)]
    with replay(recordings) as server, pytest.raises(SourceUnavailableError, match=words):
        read_root(f"{server.url}/")


def test_a_path_that_is_not_there_or_cannot_be_read_is_told(tmp_path):
    with pytest.raises(
        NotACatalogError, match=r"a\.json does not exist\. Expected a STAC catalog, collection or item; check the path"
    ):
        read_document(str(tmp_path / "a.json"))
    with pytest.raises(SourceUnavailableError, match=r"cannot be read \(Is a directory\)"):
        read_document(str(tmp_path))


def test_a_folder_is_entered_by_its_catalog_or_else_its_collection(tmp_path):
    with pytest.raises(
        NotACatalogError, match=r"is a folder without catalog\.json or collection\.json.* Name the folder that has one"
    ):
        read_root(str(tmp_path))
    (tmp_path / "collection.json").write_text(json.dumps(STAC | {"type": "Collection"}))
    assert read_root(str(tmp_path)) == ((tmp_path / "collection.json").as_posix(), STAC | {"type": "Collection"})
    (tmp_path / "catalog.json").write_text(json.dumps(STAC))
    assert read_root(str(tmp_path)) == ((tmp_path / "catalog.json").as_posix(), STAC)
    (tmp_path / "collection.json").unlink()
    (tmp_path / "catalog.json").write_text("oops")
    with pytest.raises(NotACatalogError, match=r"catalog\.json is no STAC catalog: it gives text that is not JSON"):
        read_root(str(tmp_path))


def test_a_folder_of_a_web_server_is_entered_too():
    recordings = [Recording("GET", "/data", b"<html>", status=403), Recording("GET", "/data/catalog.json", STAC)]
    with replay(recordings) as server:
        assert read_root(f"{server.url}/data") == (f"{server.url}/data/catalog.json", STAC)
    with (
        replay([]) as server,
        pytest.raises(NotACatalogError, match=f"{server.url}/data is no STAC catalog: it gives HTTP 404"),
    ):
        read_root(f"{server.url}/data")


def test_item_collections_need_no_version():
    assert check_stac({"type": "FeatureCollection"}, "a") == {"type": "FeatureCollection"}


def test_searches_are_repeated_as_reads_are():
    assert documents.patience().is_retry("POST", 503)
    assert not documents.patience().is_retry("POST", 400)

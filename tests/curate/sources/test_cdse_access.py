"""How the Data Space's files are opened: keys for its store, a token for its downloads (a double of both servers)."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from curate.errors import CurateError
from curate.sources import access, tokens
from curate.sources.cdse import access as cdse_access
from curate.sources.cdse.access import SIGNED_ANEW_S, SIGNED_FOR_S, CdseSigner
from tests.cdse_double import serve_cdse, stranger

HREF = "s3://eodata/Sentinel-2/MSI/L2A/2024/B02_10m.jp2"
DOWNLOAD = "https://download.dataspace.copernicus.eu/odata/v1/Products(1f2)/Nodes(S2A.SAFE)/Nodes(B02_10m.jp2)/$value"


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No credentials but those that a test plants."""
    with stranger(monkeypatch):
        yield


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "PLANTEDKEY")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "plantedSecretKey")


@pytest.fixture
def account(tmp_path, monkeypatch):
    (tmp_path / "B02_10m.jp2").write_bytes(b"pixels")
    with serve_cdse(tmp_path) as double:
        monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", double.token_url)
        monkeypatch.setenv("SEASTARS_CDSE_DOWNLOAD_URL", double.url)
        monkeypatch.setenv("CDSE_USERNAME", double.user)
        monkeypatch.setenv("CDSE_PASSWORD", double.password)
        yield double


def download_of(double):
    return DOWNLOAD.replace(cdse_access.DOWNLOAD_URL, double.url)


@pytest.mark.parametrize(
    ("href", "is_theirs"),
    [
        (HREF, True),
        (HREF.replace("eodata", "EODATA"), True),
        (DOWNLOAD, True),
        (DOWNLOAD.replace("https", "http"), False),
        (DOWNLOAD.replace("copernicus.eu", "copernicus.eu.evil.example"), False),
        ("https://me@evil.example/download.dataspace.copernicus.eu/B02.jp2", False),
        ("s3://eodatabase/B02.jp2", False),
        ("/data/B02.jp2", False),
    ],
)
def test_only_its_files_are_signed(href, is_theirs):
    assert CdseSigner().signs(href) is is_theirs


def test_it_is_the_process_signer_of_its_files_before_that_of_all_buckets(keys):
    assert access.signer_for(HREF) is cdse_access.signer()


def test_on_a_machine_that_reads_the_bucket_as_its_own_it_stays_as_it_is(monkeypatch, keys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://eodata.example")
    assert CdseSigner().signs(HREF)
    monkeypatch.delenv("CDSE_S3_SECRET_KEY")
    assert not CdseSigner().signs(HREF)


def test_all_its_hosts_grant_four_connections():
    for address in (cdse_access.S3_URL, cdse_access.DOWNLOAD_URL):
        assert access.most_connections(urlsplit(address).hostname) == 4


def test_an_object_is_signed_with_the_keys_and_with_nothing_that_is_meant_for_aws(keys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "forAws")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    signed = CdseSigner(clock=lambda: 9000.0).sign(HREF)
    parts = urlsplit(signed.address)
    assert (parts.scheme, parts.netloc) == ("https", "eodata.dataspace.copernicus.eu")
    assert parts.path == "/eodata/Sentinel-2/MSI/L2A/2024/B02_10m.jp2"
    query = parse_qs(parts.query)
    assert query["X-Amz-Credential"][0].startswith("PLANTEDKEY/")
    assert "X-Amz-Security-Token" not in query
    assert "forAws" not in signed.address
    assert (signed.until, dict(signed.headers)) == (9000.0 + SIGNED_FOR_S, {})


def test_an_object_keeps_its_address_for_a_while_and_is_signed_anew_long_before_it_ends(keys):
    now = 10 * SIGNED_ANEW_S
    signer = CdseSigner(clock=lambda: now)
    first = signer.sign(HREF)
    now += SIGNED_ANEW_S - 1
    assert signer.sign(HREF) is first
    assert first.until - now > 600
    now += 1
    assert signer.sign(HREF).until == now + SIGNED_FOR_S
    kept = signer.sign(HREF)
    signer.refuse(HREF)
    assert signer.sign(HREF) is not kept


def test_without_keys_the_user_reads_where_to_make_them_and_what_to_set():
    with pytest.raises(CurateError, match=r"CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY are not both set\. Make keys at") as told:
        CdseSigner().sign(HREF)
    assert told.value.exit_code == 2


def test_a_download_gets_a_token_in_a_header_and_keeps_its_address(account):
    signer, href = CdseSigner(), download_of(account)
    assert signer.signs(href)
    signed = signer.sign(href)
    assert (signed.address, dict(signed.headers)) == (href, {"Authorization": f"Bearer {account.lent[0]}"})
    assert signed.until == pytest.approx(time.time() + 600, abs=5)
    assert requests.get(signed.address, headers=signed.headers, timeout=10).content == b"pixels"
    assert requests.get(href, timeout=10).status_code == 401


def test_many_threads_log_in_once(account):
    signer = CdseSigner()
    with ThreadPoolExecutor(16) as threads:
        signed = list(threads.map(signer.sign, [download_of(account)] * 32))
    assert {each.headers["Authorization"] for each in signed} == {f"Bearer {account.lent[0]}"}
    assert account.grants == ["password"]


def test_a_refused_token_is_replaced_from_the_session(account, monkeypatch):
    monkeypatch.setattr(tokens, "YOUNG_S", 0.0)
    signer, href = CdseSigner(), download_of(account)
    signer.sign(href)
    signer.refuse(href)
    assert signer.sign(href).headers["Authorization"] == f"Bearer {account.lent[1]}"
    assert account.grants == ["password", "refresh_token"]


def test_a_refused_object_is_signed_anew_and_no_other_one(keys):
    now = 10 * SIGNED_ANEW_S
    signer, other = CdseSigner(clock=lambda: now), HREF.replace("B02", "B03")
    refused, kept = signer.sign(HREF), signer.sign(other)
    now += 1
    signer.refuse(HREF)
    assert signer.sign(HREF) != refused
    assert signer.sign(HREF) is signer.sign(HREF)
    assert signer.sign(other) is kept


def test_a_download_that_was_found_with_an_account_is_not_opened_by_keys_and_says_so(keys, account, monkeypatch):
    monkeypatch.delenv("CDSE_PASSWORD")
    words = (
        r"no account for the downloads .* which are set, open its store .* found with an account are to be searched for again"
    )
    with pytest.raises(CurateError, match=words):
        CdseSigner().sign(download_of(account))
    assert account.grants == []


def test_a_wrong_password_is_tried_once_however_many_files_there_are(account, monkeypatch):
    monkeypatch.setenv("CDSE_PASSWORD", "plantedWrong")
    monkeypatch.setattr(tokens, "FAILED_S", 0.0)
    signer = CdseSigner()
    account.token_failures = [(401, {}, b"{}")]
    for _ in range(5):
        with pytest.raises(CurateError, match="refuses CDSE_USERNAME"):
            signer.sign(download_of(account))
    assert account.token_failures == []
    assert account.grants == []


def test_what_it_advises_names_the_quota_and_the_variables_that_are_set(keys, monkeypatch):
    assert CdseSigner().advice.startswith("An account may fetch 12 TB a month. Check CDSE_S3_ACCESS_KEY and")
    monkeypatch.delenv("CDSE_S3_ACCESS_KEY")
    assert CdseSigner().advice.startswith("An account may fetch 12 TB a month. A token of one's own")
    assert "CDSE_PASSWORD" in CdseSigner().advice

"""Signing of Planetary Computer's files against a double of its token server, through the package `planetary-computer`."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.sources import tokens
from curate.sources.access import signer_for
from curate.sources.planetary_computer import tokens as planetary_computer_tokens
from curate.sources.planetary_computer.tokens import PlanetaryComputerSigner, ask_for_token, require_package
from tests.planetary_computer_double import serve_planetary_computer, used

HREF = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/31/T/CJ/B02.tif"
LANDSAT = "https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/B4.TIF"


@pytest.fixture
def double(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01, 0.01))
    with serve_planetary_computer(tmp_path) as running, used(running, monkeypatch):
        yield running


@pytest.fixture
def signer(double):
    return PlanetaryComputerSigner()


def signature(signed):
    return parse_qs(urlsplit(signed.address).query)["sig"][0]


@pytest.mark.parametrize(
    ("href", "is_theirs"),
    [
        (HREF, True),
        (HREF.replace("https", "http"), True),
        (f"{HREF}?sv=2025&se=2030&sig=abc", False),
        ("https://ai4edatasetspublicassets.blob.core.windows.net/assets/preview.png", False),
        ("https://sentinel2l2a01.blob.core.windows.net.evil.example/sentinel2-l2/B02.tif", False),
        ("https://evil.example/.blob.core.windows.net/B02.tif", False),
        ("https://me:sentinel2l2a01.blob.core.windows.net@evil.example/B02.tif", False),
        ("s3://bucket/B02.tif", False),
        ("/data/B02.tif", False),
    ],
)
def test_only_unsigned_files_of_blob_storage_are_signed(href, is_theirs):
    assert PlanetaryComputerSigner().signs(href) is is_theirs


def test_it_is_the_process_signer_of_its_files():
    assert signer_for(HREF) is planetary_computer_tokens.signer()


def test_a_file_gets_the_token_of_its_container_and_keeps_it(double, signer):
    first = signer.sign(HREF)
    assert first.address.startswith(f"{HREF}?")
    assert (signature(first), dict(first.headers)) == ("plantedSignature0", {})
    assert first.until == pytest.approx(time.time() + 2700, abs=5)
    assert signer.sign(HREF) == first
    assert signature(signer.sign(LANDSAT)) == "plantedSignature1"
    assert signature(signer.sign(HREF.replace("B02", "B03"))) == "plantedSignature0"
    assert len(double.lent) == 2


def test_many_threads_make_one_request(double, signer):
    with ThreadPoolExecutor(24) as threads:
        signed = list(threads.map(signer.sign, [HREF.replace("B02", f"{number}") for number in range(48)]))
    assert {signature(each) for each in signed} == {"plantedSignature0"}
    assert double.lent == ["plantedSignature0"]


def test_a_token_that_the_server_had_in_store_for_a_while_is_replaced_in_time(double, signer, monkeypatch):
    double.lasting_s = 120
    first = signer.sign(HREF)
    now = time.time()
    monkeypatch.setattr(signer._tokens, "_clock", lambda: now + 30)
    assert signer.sign(HREF) == first
    monkeypatch.setattr(signer._tokens, "_clock", lambda: now + 70)
    assert signature(signer.sign(HREF)) == "plantedSignature1"


def test_a_clock_that_is_wrong_by_an_hour_does_no_harm(double, signer, monkeypatch):
    ahead = time.time() + 3600
    monkeypatch.setattr(planetary_computer_tokens, "time", SimpleNamespace(time=lambda: ahead))
    token = ask_for_token("sentinel2l2a01/sentinel2-l2")
    assert token.until == pytest.approx(ahead + 2700, abs=5)


def test_a_container_that_it_does_not_know_is_taken_to_be_open(double, signer):
    href = "https://myown.blob.core.windows.net/public/B02.tif"
    assert signer.signs(href)
    assert signer.sign(href).address == href
    assert double.lent == []


def test_a_busy_token_server_is_asked_again(double, signer):
    double.token_failures = [(429, {}), (503, {})]
    assert signature(signer.sign(HREF)) == "plantedSignature0"


def test_one_that_stays_busy_is_a_host_that_is_down_and_is_left_alone(double, signer):
    double.token_failures = [(429, {"Retry-After": "3600"})] * 9
    words = r"The token server of Planetary Computer gives no token \(HTTP 429\) and asks to be left alone for 3,600 s"
    for _ in range(5):
        with pytest.raises(HostDownError, match=words):
            signer.sign(HREF)
    assert len(double.token_failures) == 8


def test_a_key_that_is_refused_is_named(double, monkeypatch):
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "planted-key")
    sas, _ = planetary_computer_tokens._package()
    sas.Settings.get.cache_clear()
    with pytest.raises(CurateError, match=r"refuses your subscription key \(HTTP 401\)\. None is needed") as told:
        ask_for_token("sentinel2l2a01/sentinel2-l2")
    assert told.value.exit_code == 2
    assert "planted-key" not in str(told.value)
    double.subscription_key = "planted-key"
    assert ask_for_token("sentinel2l2a01/sentinel2-l2").text.endswith("plantedSignature0")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "answers with HTTP 403 where a token"),
        (302, "answers with HTTP 302 where"),
        (200, "JSON without a token and its end"),
    ],
)
def test_an_answer_that_is_no_token_is_said(double, status, told):
    double.token_failures = [(status, {})]
    with pytest.raises(SourceUnavailableError, match=told):
        ask_for_token("sentinel2l2a01/sentinel2-l2")


def test_a_refused_token_is_replaced_once_it_is_not_young(double, signer, monkeypatch):
    signer.sign(HREF)
    signer.refuse(HREF)
    assert signature(signer.sign(HREF)) == "plantedSignature0"
    monkeypatch.setattr(tokens, "YOUNG_S", 0.0)
    signer.refuse(HREF)
    assert signature(signer.sign(HREF)) == "plantedSignature1"


def test_without_the_package_the_user_is_told_what_to_install_and_other_files_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(planetary_computer_tokens, "is_installed", lambda: False)
    with pytest.raises(CurateError, match=r"is not installed\. Run: pip install 'seastars\[planetary-computer\]'"):
        require_package()
    signer = PlanetaryComputerSigner()
    assert signer.signs(HREF)
    assert not signer.signs("https://myown.blob.core.windows.net/public/B02.tif")
    with pytest.raises(CurateError, match="pip install"):
        signer.sign(HREF)

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from curate.errors import CurateError, SourceUnavailableError
from curate.reading.addresses import Addresses, place_of
from curate.reading.transport import Patience, Transport
from curate.sources.access import MARGIN_S
from tests.curate.reading.scripted_server import Answer, part_of, serve_script
from tests.curate.reading.signing import NumberedSigner, is_signed

CONTENT = bytes(range(200))
QUICK = Patience(attempts=3, base_s=0.005, longest_s=0.01)


def test_an_address_is_taken_apart():
    place = place_of("https://me:p%40ss@host.example:8443/a b/B04.tif?v=2&sig=x#part")
    assert (place.scheme, place.host, place.port) == ("https", "host.example", 8443)
    assert place.target == "/a%20b/B04.tif?v=2&sig=x"
    assert place.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert place.plain_address == "https://host.example:8443/a%20b/B04.tif?v=2&sig=x"


def test_a_place_does_not_show_what_it_is_signed_by():
    place = Addresses(NumberedSigner(in_header=True)).place("https://ada:s3cr3t@host/a.tif?sig=s3cr3t")
    assert "number-0" in place.headers["Authorization"]
    for secret in ("number-0", "s3cr3t", "ada"):
        assert secret not in repr(place)


def test_ports_are_those_of_the_scheme_and_numbers_of_hosts_may_be_long():
    assert [place_of(f"{scheme}://host/a").port for scheme in ("http", "HTTPS")] == [80, 443]
    assert place_of("http://[::1]:80/a").plain_address == "http://[::1]:80/a"


@pytest.mark.parametrize("address", ["ftp://host/a", "http://", "http://host:99999/a", "http://a..b/"])
def test_what_leads_nowhere_is_told(address):
    with pytest.raises(SourceUnavailableError, match="is no address of a web server"):
        place_of(address)


def test_a_web_address_that_nobody_signs_is_asked_as_it_is():
    place = Addresses().place("https://host/B04.tif?sig=1")
    assert (place.address, place.signed) == ("https://host/B04.tif?sig=1", None)
    assert Addresses().renew("https://host/B04.tif?sig=1", place.signed) is None
    assert Addresses().move("https://host/B04.tif", "eu-west-1") is None


@pytest.mark.parametrize("in_header", [False, True])
def test_an_address_is_signed_in_its_query_or_its_headers(in_header):
    place = Addresses(NumberedSigner(in_header=in_header)).place("https://host/B04.tif")
    assert place.target == ("/B04.tif" if in_header else "/B04.tif?X-Amz-Signature=number-0")
    assert place.headers.get("Authorization") == ("Bearer number-0" if in_header else None)
    assert place.headers["Accept-Encoding"] == "identity"
    assert "number-0" not in repr(place.signed)


def test_who_comes_with_a_signature_that_is_renewed_already_has_nothing_renewed():
    signer = NumberedSigner()
    signed = Addresses(signer)
    refused = signed.place("https://host/a").signed
    for _ in range(3):
        assert signed.renew("https://host/a", refused).target == "/a?X-Amz-Signature=number-1"
    assert len(signer.refused) == 1
    assert signed.place("https://host/a").target == "/a?X-Amz-Signature=number-1"


def test_a_signature_is_renewed_before_its_end():
    now = [0.0]
    signer = NumberedSigner(lifetime_s=600, clock=lambda: now[0])
    signed = Addresses(signer, clock=lambda: now[0])
    now[0] = 600 - MARGIN_S - 1
    assert signed.place("https://host/a").target.endswith("number-0")
    now[0] = 600 - MARGIN_S
    assert signed.place("https://host/a").target.endswith("number-1")
    assert signer.refused == ["https://host/a"]


def test_a_signature_that_nobody_can_replace_is_not_asked_with_again():
    signer = NumberedSigner()
    signer.refuse = lambda _: None
    signed = Addresses(signer)
    assert signed.renew("https://host/a", signed.place("https://host/a").signed) is None


# With a server


@pytest.mark.parametrize("in_header", [False, True])
def test_an_expired_signature_is_renewed_once_for_all_threads(in_header):
    all_refused = threading.Barrier(6)

    def answer(asked):
        if is_signed(asked, 1):
            return part_of(CONTENT, asked)
        all_refused.wait(10)
        return Answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>")

    signer = NumberedSigner(in_header=in_header)
    with serve_script(answer) as server:
        href = f"{server.url}/B04.tif"
        with Transport(patience=QUICK, signer_of=signer) as transport, ThreadPoolExecutor(6) as pool:
            came = list(pool.map(lambda start: transport.fetch(href, start, start + 5).content, range(6)))
            assert transport.counts.retries == 0
            assert transport.fetch(href, 0, 5).content == CONTENT[:5]
    assert came == [CONTENT[start : start + 5] for start in range(6)]
    assert signer.refused == [href]
    assert len(server.asked) == 6 + 6 + 1


def test_a_signature_that_is_refused_twice_is_told_without_it():
    with serve_script(lambda _: Answer(403)) as server:
        words = r"B04\.tif cannot be read: its server says 403 Forbidden\. Check MY_KEY, then run the same command again"
        with (
            Transport(patience=QUICK, signer_of=NumberedSigner()) as transport,
            pytest.raises(SourceUnavailableError, match=words) as caught,
        ):
            transport.fetch(f"{server.url}/B04.tif", 0, 5)
        assert [is_signed(asked, number) for number, asked in enumerate(server.asked)] == [True, True]
    assert "number" not in str(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        b"<Error><Code>QuotaExceeded</Code></Error>",
        b'{"detail": "Monthly transfer limit of the user is exceeded"}',
    ],
)
def test_a_quota_that_is_used_up_is_no_matter_of_the_signature(page):
    signer = NumberedSigner()
    with serve_script(lambda _: Answer(403, page)) as server, Transport(patience=QUICK, signer_of=signer) as transport:
        words = r"403 Forbidden(, QuotaExceeded)?\. Your quota there is used up: wait until it is renewed .* then run the same"
        with pytest.raises(SourceUnavailableError, match=words):
            transport.fetch(f"{server.url}/B04.tif", 0, 5)
        assert len(server.asked) == 1
    assert signer.refused == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "It limits how often it is asked: wait some minutes"), (503, "Check the network and the provider's status")],
)
def test_a_server_that_stays_busy_is_told_by_what_it_says(status, words):
    few = Patience(attempts=2, throttles=1, base_s=0.001, longest_s=0.002)
    told = rf"says {status} .* of 2 tries over 0 s\. {words}, then run the same command again"
    with (
        serve_script(lambda _: Answer(status)) as server,
        Transport(patience=few) as transport,
        pytest.raises(SourceUnavailableError, match=told),
    ):
        transport.fetch(f"{server.url}/B04.tif", 0, 5)


def test_a_file_that_is_not_there_is_no_matter_of_its_signature():
    with serve_script(lambda _: Answer(404)) as server, Transport(signer_of=NumberedSigner()) as transport:
        with pytest.raises(SourceUnavailableError, match=r"404 Not Found\. Expected a raster at that address: check it"):
            transport.fetch(f"{server.url}/B04.tif", 0, 5)
        assert len(server.asked) == 1


def test_what_a_signer_raises_is_what_its_caller_gets():
    signer = NumberedSigner()

    def refuse(_):
        raise CurateError("The tokens are not given out today.")

    signer.refuse = refuse
    with serve_script(lambda _: Answer(401)) as server, Transport(patience=QUICK, signer_of=signer) as transport:
        for _ in range(2):
            with pytest.raises(CurateError, match="not given out today"):
                transport.fetch(f"{server.url}/B04.tif", 0, 5)


def test_a_token_in_a_header_is_told_to_its_own_host_alone():
    with serve_script(lambda asked: part_of(CONTENT, asked)) as store:

        def answer(asked):
            there = {"/a.tif": "/b.tif", "/b.tif": f"{store.url}/c.tif"}
            return Answer(302, headers={"Location": there[asked.target]})

        with serve_script(answer) as server, Transport(signer_of=NumberedSigner(in_header=True)) as transport:
            assert transport.fetch(f"{server.url}/a.tif", 5, 10).content == CONTENT[5:10]
        assert [is_signed(asked, 0) for asked in server.asked] == [True, True]
        assert "authorization" not in store.asked[0].headers


def test_a_refusal_where_a_server_points_to_has_the_first_address_signed_anew():
    with serve_script(lambda asked: part_of(CONTENT, asked) if asked.target == "/1" else Answer(403)) as store:

        def answer(asked):
            return Answer(302, headers={"Location": f"{store.url}/{int(is_signed(asked, 1))}"})

        with serve_script(answer) as server, Transport(signer_of=NumberedSigner()) as transport:
            assert transport.fetch(f"{server.url}/a.tif", 5, 10).content == CONTENT[5:10]


def test_redirections_are_followed_to_other_hosts_too():
    with serve_script(lambda asked: part_of(CONTENT, asked)) as store:

        def answer(asked):
            there = {"/a.tif": "/b.tif", "/b.tif": f"{store.url.replace('127.0.0.1', 'localhost')}/c.tif?sig=s3cr3t"}
            return Answer(302, b"gone on", {"Location": there[asked.target]})

        with serve_script(answer) as server, Transport(patience=QUICK) as transport:
            assert transport.fetch(f"{server.url}/a.tif", 5, 10).content == CONTENT[5:10]
            assert transport.counts.requests == 3
        assert store.asked[0].target == "/c.tif?sig=s3cr3t"


@pytest.mark.parametrize("location", [{"Location": "/a.tif"}, {}])
def test_redirections_that_lead_nowhere_end(location):
    with serve_script(lambda _: Answer(302, headers=location)) as server, Transport(patience=QUICK) as transport:
        with pytest.raises(SourceUnavailableError, match="its server says 302 Found"):
            transport.fetch(f"{server.url}/a.tif", 0, 5)
        assert len(server.asked) == (6 if location else 1)

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from curate.errors import SourceUnavailableError
from curate.reading import addresses
from curate.reading.addresses import Addresses, place_of
from curate.reading.transport import Patience, Transport
from tests.curate.reading.scripted_server import Answer, part_of, serve_script

CONTENT = bytes(range(200))
QUICK = Patience(attempts=3, base_s=0.005, longest_s=0.01)


def test_an_address_is_taken_apart():
    place = place_of("https://me:p%40ss@host.example:8443/a b/B04.tif?v=2&sig=x#part")
    assert (place.scheme, place.host, place.port) == ("https", "host.example", 8443)
    assert place.target == "/a%20b/B04.tif?v=2&sig=x"
    assert place.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert place.plain_address == "https://host.example:8443/a%20b/B04.tif?v=2&sig=x"


def test_ports_are_those_of_the_scheme_and_numbers_of_hosts_may_be_long():
    assert [place_of(f"{scheme}://host/a").port for scheme in ("http", "HTTPS")] == [80, 443]
    assert place_of("http://[::1]:80/a").plain_address == "http://[::1]:80/a"


@pytest.mark.parametrize("address", ["ftp://host/a", "http://", "http://host:99999/a", "http://a..b/"])
def test_what_leads_nowhere_is_told(address):
    with pytest.raises(SourceUnavailableError, match="is no address of a web server"):
        place_of(address)


def test_a_web_address_is_asked_as_it_is():
    assert Addresses().place("https://host/B04.tif?sig=1").address == "https://host/B04.tif?sig=1"
    assert Addresses().renew("https://host/B04.tif?sig=1", "https://host/B04.tif?sig=1") is None
    assert Addresses().move("https://host/B04.tif", "eu-west-1") is None


def test_a_renewed_address_is_used_from_then_on():
    signed = Addresses(lambda href: f"{href}?sig=2")
    assert signed.renew("https://host/B04.tif", "https://host/B04.tif").address == "https://host/B04.tif?sig=2"
    assert signed.place("https://host/B04.tif").address == "https://host/B04.tif?sig=2"
    assert signed.place("https://host/B05.tif").address == "https://host/B05.tif"


def test_who_comes_with_an_address_that_is_renewed_already_signs_nothing():
    calls = []
    signed = Addresses(lambda href: calls.append(href) or f"{href}?sig={len(calls)}")
    for _ in range(3):
        assert signed.renew("https://host/a", "https://host/a").address == "https://host/a?sig=1"
    assert signed.renew("https://host/a", "https://host/a?sig=1").address == "https://host/a?sig=2"
    assert len(calls) == 2


def test_addresses_that_are_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(addresses, "REMEMBERED", 3)
    signed = Addresses(lambda href: f"{href}?sig=1")
    for number in range(5):
        signed.renew(f"https://host/{number}", f"https://host/{number}")
    assert [signed.place(f"https://host/{n}").target for n in range(5)] == ["/0", "/1", "/2?sig=1", "/3?sig=1", "/4?sig=1"]


# With a server


def test_an_expired_signature_is_renewed_once_for_all_threads():
    all_refused = threading.Barrier(6)

    def answer(asked):
        if asked.target.endswith("sig=new"):
            return part_of(CONTENT, asked)
        all_refused.wait(10)
        return Answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>")

    calls = []
    with serve_script(answer) as server:
        href = f"{server.url}/B04.tif?sig=old"

        def resign(given):
            calls.append(given)
            return given.replace("old", "new")

        with Transport(patience=QUICK, resign=resign) as transport, ThreadPoolExecutor(6) as pool:
            came = list(pool.map(lambda start: transport.fetch(href, start, start + 5).content, range(6)))
            assert transport.counts.retries == 0
            assert transport.fetch(href, 0, 5).content == CONTENT[:5]
    assert came == [CONTENT[start : start + 5] for start in range(6)]
    assert calls == [href]
    assert len(server.asked) == 6 + 6 + 1


def test_a_signature_that_is_refused_twice_is_told_without_it():
    with serve_script(lambda _: Answer(403)) as server:
        with (
            Transport(patience=QUICK, resign=lambda href: f"{href}?sig=s3cr3t") as transport,
            pytest.raises(SourceUnavailableError, match=r"B04\.tif cannot be read: its server says 403 Forbidden\. Expec") as e,
        ):
            transport.fetch(f"{server.url}/B04.tif", 0, 5)
        assert [asked.target for asked in server.asked] == ["/B04.tif", "/B04.tif?sig=s3cr3t"]
    assert "s3cr3t" not in str(e.value)


def test_what_a_hook_raises_is_what_its_caller_gets():
    def resign(_):
        raise SourceUnavailableError("The tokens are not given out today.")

    with serve_script(lambda _: Answer(401)) as server, Transport(patience=QUICK, resign=resign) as transport:
        for _ in range(2):
            with pytest.raises(SourceUnavailableError, match="not given out today"):
                transport.fetch(f"{server.url}/B04.tif", 0, 5)


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

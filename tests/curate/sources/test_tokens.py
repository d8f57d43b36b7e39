"""Tokens on loan: one request for many threads, renewed in time, a busy server borne, a refused user not asked again."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.sources import tokens
from curate.sources.tokens import FAILED_S, YOUNG_S, Token, Tokens, ask_token_server, read_answer


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Server:
    """Lends tokens that hold for a while, and counts them."""

    def __init__(self, clock, lasting_s=3600.0):
        self.clock, self.lasting_s, self.asked, self.error = clock, lasting_s, [], None

    def __call__(self, name):
        self.asked.append(name)
        if self.error:
            raise self.error
        return Token(f"{name}-{len(self.asked)}", self.clock.now + self.lasting_s)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server(clock):
    return Server(clock)


@pytest.fixture
def lent(server, clock):
    return Tokens(server, clock=clock)


def test_a_token_is_asked_for_once_for_each_name_and_given_again(lent, server):
    assert [lent.get("a").text, lent.get("b").text, lent.get("a").text] == ["a-1", "b-2", "a-1"]
    assert server.asked == ["a", "b"]


def test_of_many_threads_one_asks_and_the_others_wait_for_its_answer(clock):
    begun, go = [], threading.Event()

    def ask(name):
        begun.append(name)
        assert go.wait(10)
        return Token("secret", clock.now + 3600)

    lent = Tokens(ask, clock=clock)
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(lent.get, "a") for _ in range(16)]
        go.set()
        assert {each.result().text for each in asked} == {"secret"}
    assert begun == ["a"]


def test_it_is_renewed_minutes_before_it_ends(lent, server, clock):
    lent.get("a")
    clock.now += 3600 - tokens.MARGIN_S - 1
    assert lent.get("a").text == "a-1"
    clock.now += 1
    assert lent.get("a").text == "a-2"


def test_one_that_is_lent_for_two_minutes_is_renewed_at_half_its_time_and_not_at_each_request(clock):
    server = Server(clock, lasting_s=120)
    lent = Tokens(server, clock=clock)
    for second, expected in ((0, "a-1"), (59, "a-1"), (60, "a-2"), (119, "a-2"), (120, "a-3")):
        clock.now = 1000.0 + second
        assert lent.get("a").text == expected


def test_where_renewing_fails_the_old_one_is_used_to_its_end_and_the_server_left_alone_between(lent, server, clock):
    lent.get("a")
    server.error = HostDownError("busy")
    clock.now += 3600 - tokens.MARGIN_S
    for _ in range(5):
        assert lent.get("a").text == "a-1"
    assert len(server.asked) == 2
    clock.now += FAILED_S
    assert lent.get("a").text == "a-1"
    assert len(server.asked) == 3
    clock.now += tokens.MARGIN_S
    with pytest.raises(HostDownError, match="busy"):
        lent.get("a")
    server.error = None
    clock.now += FAILED_S
    assert lent.get("a").text == "a-5"


def test_while_one_thread_has_it_renewed_the_others_use_the_old_one_and_wait_only_where_that_has_ended(clock):
    begun, go, count = threading.Event(), threading.Event(), []

    def ask(name):
        count.append(name)
        if len(count) > 1:
            begun.set()
            assert go.wait(10)
        return Token(f"{name}-{len(count)}", clock.now + 3600)

    lent = Tokens(ask, clock=clock)
    lent.get("a")
    clock.now += 3600 - tokens.MARGIN_S
    with ThreadPoolExecutor(2) as threads:
        renewing = threads.submit(lent.get, "a")
        assert begun.wait(10)
        assert lent.get("a").text == "a-1"
        clock.now += tokens.MARGIN_S - tokens.LAST_S
        waiting = threads.submit(lent.get, "a")
        time.sleep(0.05)
        assert not waiting.done()
        go.set()
        assert [renewing.result(10).text, waiting.result(10).text] == ["a-2", "a-2"]


def test_all_threads_get_the_failure_of_the_one_that_asked(lent, server, clock):
    server.error = HostDownError("busy")
    for _ in range(8):
        with pytest.raises(HostDownError, match="busy"):
            lent.get("a")
    assert server.asked == ["a"]


def test_a_user_who_is_refused_is_never_tried_again(lent, server, clock):
    server.error = CurateError("wrong password")
    for _ in range(3):
        clock.now += 10 * FAILED_S
        with pytest.raises(CurateError, match="wrong password"):
            lent.get("a")
    assert server.asked == ["a"]


def test_a_refused_token_is_replaced_but_a_young_one_is_not(lent, clock):
    lent.get("a")
    lent.refuse("a")
    assert lent.get("a").text == "a-1"
    clock.now += YOUNG_S
    lent.refuse("a")
    assert lent.get("a").text == "a-2"
    lent.refuse("b")
    assert lent.get("b").text == "b-3"


def test_a_token_does_not_show_its_secret():
    assert "secret" not in repr(Token("secret", 1.0))


def answers(*statuses, **headers):
    """Requests that are answered so, one after the other."""
    left = list(statuses)
    asked = []

    def ask():
        asked.append(None)
        status = left.pop(0)
        if isinstance(status, Exception):
            raise status
        answer = requests.Response()
        answer.status_code, answer._content = status, b'{"token": "made up"}'
        answer.headers.update(headers)
        return answer

    return ask, asked


@pytest.fixture
def paused(monkeypatch):
    """Pauses that were made, in seconds, without making them."""
    made = []
    monkeypatch.setattr(tokens.time, "sleep", made.append)
    return made


def test_a_busy_token_server_is_asked_again_after_pauses(paused):
    ask, asked = answers(429, 503, 200)
    assert read_answer("Keys Ltd", ask_token_server("Keys Ltd", ask)) == {"token": "made up"}
    assert (len(asked), paused) == (3, list(tokens.PAUSES_S))


def test_it_says_itself_when_to_be_asked_again(paused):
    ask, _ = answers(429, 200, **{"Retry-After": "2"})
    assert ask_token_server("Keys Ltd", ask).status_code == 200
    assert paused == [2.0]


def test_a_long_pause_is_left_to_the_build(paused):
    ask, asked = answers(429, **{"Retry-After": "600"})
    words = r"Keys Ltd gives no token \(HTTP 429\) and asks to be left alone for 600 s\. It limits how many it gives"
    with pytest.raises(HostDownError, match=words):
        ask_token_server("Keys Ltd", ask)
    assert (len(asked), paused) == (1, [])


def test_one_that_fails_throughout_or_cannot_be_reached_is_a_host_that_is_down(paused):
    with pytest.raises(HostDownError, match=r"\(HTTP 502\)\. It limits how many"):
        ask_token_server("Keys Ltd", answers(500, 503, 502)[0])
    unreached = requests.ConnectionError("https://keys.example/?password=made-up")
    with pytest.raises(HostDownError, match=r"\(no connection: ConnectionError\)") as told:
        ask_token_server("Keys Ltd", answers(*[unreached] * 3)[0])
    assert "made-up" not in str(told.value)


def test_a_refusal_is_for_the_caller_to_judge(paused):
    assert ask_token_server("Keys Ltd", answers(401)[0]).status_code == 401
    assert paused == []


@pytest.mark.parametrize("content", [b"<html>login</html>", b"[1]", b""])
def test_an_answer_that_is_no_json_object_is_said(content):
    answer = requests.Response()
    answer.status_code, answer._content = 200, content
    with pytest.raises(SourceUnavailableError, match=r"Keys Ltd answers with something that is no JSON object \(HTTP 200\)"):
        read_answer("Keys Ltd", answer)

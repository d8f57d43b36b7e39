"""Tokens that providers lend for minutes: asked for once for all threads, renewed in good time, kept in memory alone.

A token server that is busy is asked a few times. If it goes on being busy, what was lent before is used to its end; after that
it is a host that is down, and the build waits for it as for any other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.reading.retries import is_passing, retry_after_s
from curate.sources.documents import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from requests import Response

MARGIN_S = 300.0
"""Before its end a token is replaced, seconds; one that is lent for less than twice as long is replaced at half its time."""
LAST_S = 30.0
"""Before its end a token is of no use to a reading that takes a while, seconds."""
YOUNG_S = 10.0
"""For which a token is not replaced though it is refused, seconds: another one would be refused as well."""
FAILED_S = 30.0
"""For which a token server that failed is not asked again, seconds: all threads that wait get the same answer."""
ANSWER_S = 30.0
"""For which a token server may be silent, seconds."""
TIMEOUTS_S = (CONNECT_TIMEOUT_S, ANSWER_S)
"""Of a request to a token server: until it is connected, until it answers."""
PAUSES_S = (1.0, 3.0)
"""Before it is asked again after a failure that may pass, unless it says when itself."""
LONGEST_S = 5.0
"""Of a pause that a token server may ask for, seconds: where it is longer, the build waits, and can be interrupted."""


@dataclass(frozen=True, slots=True)
class Token:
    """Something secret that opens files for a while."""

    text: str = field(repr=False)
    """The secret; empty where the files need none."""
    until: float
    """Until when it holds, seconds since 1970."""


@dataclass(slots=True)
class _Lent:
    """What is known of one token."""

    token: Token | None = None
    since: float = 0.0
    error: CurateError | None = None
    failed_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Tokens:
    """The tokens of one provider, by what they open; any thread may ask."""

    def __init__(self, ask: Callable[[str], Token], *, clock: Callable[[], float] = time.time) -> None:
        """Have none yet.

        Args:
            ask: Gets a token anew; called by one thread at a time for each name.
            clock: The time, seconds since 1970.
        """
        self._ask, self._clock = ask, clock
        self._lent: dict[str, _Lent] = {}

    def get(self, name: str) -> Token:
        """A token that holds for some minutes yet; for less while another thread has it renewed, or where that fails.

        Args:
            name: What it opens.

        Raises:
            SourceUnavailableError: The provider gives none now; it is asked again after a while.
            CurateError: It refuses this user, for good: an account must not be locked by a thousand tries.
        """
        lent = self._lent.get(name) or self._lent.setdefault(name, _Lent())  # one of two threads that come at once sets it
        if token := self._fresh(lent):
            return token
        old = self._held(lent)
        if not lent.lock.acquire(blocking=old is None):
            assert old is not None, "without one it waits"
            return old  # another thread has it renewed meanwhile
        try:
            return self._fresh(lent) or self._renewed(name, lent)
        finally:
            lent.lock.release()

    def refuse(self, name: str) -> None:
        """Take note that a host refused the token; a young one is kept all the same.

        Args:
            name: What it opens.
        """
        lent = self._lent.setdefault(name, _Lent())
        with lent.lock:
            if lent.token is not None and self._clock() - lent.since >= YOUNG_S:
                lent.token = None

    def _fresh(self, lent: _Lent) -> Token | None:
        token = lent.token
        if token is None:
            return None
        margin_s = min(MARGIN_S, (token.until - lent.since) / 2)
        return token if self._clock() < token.until - margin_s else None

    def _held(self, lent: _Lent) -> Token | None:
        """The token, as long as it holds, however soon that ends."""
        token = lent.token
        return token if token is not None and self._clock() < token.until - LAST_S else None

    def _renewed(self, name: str, lent: _Lent) -> Token:
        """The token anew; the old one, as long as it holds, where that fails."""
        now = self._clock()
        passing = isinstance(lent.error, SourceUnavailableError)
        if lent.error is None or (passing and now - lent.failed_at >= FAILED_S):
            try:
                lent.token = self._ask(name)
            except CurateError as error:
                lent.error, lent.failed_at = error, self._clock()
            else:
                lent.error, lent.since = None, self._clock()
                return lent.token
        if old := self._held(lent):
            return old
        assert lent.error is not None, "it has just failed, or has before"
        raise type(lent.error)(*lent.error.args)  # each thread its own: a traceback grows on the one that is raised


def ask_token_server(who: str, ask: Callable[[], Response]) -> Response:
    """The answer of a token server that is no failure of its own; a busy one is asked again after a pause.

    Args:
        who: The server, for messages.
        ask: Makes one request, with `TIMEOUTS_S` and without following redirections.

    Returns:
        An answer with any status but those that may pass.

    Raises:
        HostDownError: It does not answer, or is busy for longer than is waited here.
    """
    from requests import RequestException

    for pause_s in (*PAUSES_S, None):
        try:
            answer = ask()
        except RequestException as error:
            told, wait_s = f"no connection: {type(error).__name__}", None
        else:
            if not is_passing(answer.status_code):
                return answer
            told = f"HTTP {answer.status_code}"
            wait_s = retry_after_s(answer.headers.get("Retry-After"))
        if pause_s is None or (wait_s or 0.0) > LONGEST_S:
            break
        time.sleep(pause_s if wait_s is None else wait_s)
    when = f" and asks to be left alone for {wait_s:,.0f} s" if wait_s else ""
    raise HostDownError(
        f"{who} gives no token ({told}){when}. It limits how many it gives, or has a fault: run the same command again in some "
        "minutes; what is done is kept."
    )


def read_answer(who: str, answer: Response) -> dict[str, Any]:
    """The JSON object of a token server's answer.

    Args:
        who: The server, for messages.
        answer: With status 200.

    Raises:
        SourceUnavailableError: It holds something else.
    """
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    raise no_token(who, f"something that is no JSON object (HTTP {answer.status_code})")


def no_token(who: str, got: str) -> SourceUnavailableError:
    """The words for a token server that answers something else."""
    return SourceUnavailableError(
        f"{who} answers with {got} where a token was expected. Check the network, such as a proxy that wants a login, and the "
        "provider's status, then run the same command again; what is done is kept."
    )

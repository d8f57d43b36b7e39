"""How long a fetch goes on trying, and how long it pauses between.

References:
    RFC 9110, section 10.2.3: Retry-After. M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

THROTTLED = 429
UNAVAILABLE = 503
SLOW_DOWN = frozenset({THROTTLED, UNAVAILABLE})
"""Answers of a server that has too much to do."""
PASSING = frozenset({408, 425, THROTTLED, 500, 502, UNAVAILABLE, 504})
"""Answers that another try may change; those of gateways (520 to 530) too, see `is_passing`."""
GATEWAY = range(520, 531)


@dataclass(frozen=True, slots=True)
class Patience:
    """What a fetch puts up with before it fails."""

    attempts: int = 8
    """Tries of one range that may fail, 1 or more; throttled ones are counted apart."""
    base_s: float = 0.5
    """Longest pause after the first failure, seconds; it doubles with each."""
    longest_s: float = 30.0
    """Longest pause after any failure, seconds."""
    connect_s: float = 10.0
    """For a connection to be made, seconds."""
    stall_s: float = 30.0
    """Without a byte, in the middle of an answer or before it, until the connection is cut, seconds."""
    throttles: int = 30
    """Times that one range may be answered 429, or told when to come back, before it fails."""
    throttled_s: float = 900.0
    """For which a host may answer nothing but that before it is taken for down, and longest Retry-After, seconds."""
    failures: int = 20
    """Different ranges that fail one after the other, none succeeding, until their host is taken for down."""
    failing_s: float = 10.0
    """For which they must have failed, so that a server may start anew, seconds."""
    down_s: float = 60.0
    """For which a host that is down is left alone, seconds; then one range is tried."""


def is_passing(status: int) -> bool:
    """Whether an HTTP status tells of a failure that another try may not meet."""
    return status in PASSING or status in GATEWAY


def pause_s(patience: Patience, failures: int, chance: random.Random) -> float:
    """Pause before another try, seconds: any length up to a bound that doubles (full jitter), so that callers part.

    Args:
        patience: Its bounds.
        failures: Tries that have failed, 1 or more.
        chance: Where the length is drawn from.
    """
    bound = patience.base_s * 2.0 ** min(failures - 1, 60)
    return chance.uniform(0.0, min(bound, patience.longest_s))


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for; none where there is none, or where it is no number and no date.

    Args:
        header: Its text.
        now: The time in UTC; the clock's if not given.

    Examples:
        >>> retry_after_s("120")
        120.0
        >>> retry_after_s("Sun, 22 Nov 2026 02:00:30 GMT", datetime(2026, 11, 22, 2, tzinfo=UTC))
        30.0
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    wait = moment.replace(tzinfo=moment.tzinfo or UTC) - (now or datetime.now(UTC))
    return max(wait.total_seconds(), 0.0)

"""What goes wrong at a DHuS hub, in words of ours: its own may name the user.

References:
    ESA, "Copernicus Long Term Archive Access": 403 and 503 refuse an order for now; the header `cause-message` tells why.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curate.errors import HostDownError, SourceUnavailableError
from curate.sources.sentinelsat.account import PASSWORD, USER

AGAIN = "run the same command again; what is done is kept."


class BusyHubError(HostDownError):
    """A hub that does not answer or fails, and may be able to do it a little later."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which a hub refuses."""

    statuses: Container[int]
    """Of HTTP."""
    cause: str
    """What is in the hub's own reason, in lower case; empty where it does not matter."""
    kind: type[SourceUnavailableError]
    """What becomes of it."""
    words: str
    """For the user, of `hub`, `what` it was asked for, and `status`."""


REFUSALS = (
    Refusal(
        {401}, "", SourceUnavailableError,
        "{hub} refuses the user name or the password (HTTP 401). Expected those of an account at this hub in "
        f"{USER} and {PASSWORD}, or in ~/.netrc: correct them, then {AGAIN}",
    ),
    Refusal(
        {403, 503}, "concurrent", BusyHubError,
        "{hub} has as many downloads of this account as it allows (HTTP {status}). Wait for what else downloads, then " + AGAIN,
    ),
    Refusal(
        {403, 503}, "quota", SourceUnavailableError,
        f"The quota of the account of {USER} at {{hub}} is used up (HTTP {{status}}), at {{what}}. Wait until it is renewed, "
        f"some hours to a day, then {AGAIN}",
    ),
    Refusal(
        {403}, "", SourceUnavailableError,
        f"{{hub}} does not let the account of {USER} have {{what}} (HTTP 403). Ask those who run it, then {AGAIN}",
    ),
    Refusal(
        {404}, "", SourceUnavailableError,
        "{hub} does not know {what} (HTTP 404). A product may have been replaced by a newer version: check its id and the "
        f"hub's address, then {AGAIN}",
    ),
    Refusal({429}, "", BusyHubError, f"{{hub}} was asked too often (HTTP 429). Wait some minutes, then {AGAIN}"),
    Refusal(
        range(500, 600), "", BusyHubError,
        f"{{hub}} fails at {{what}} (HTTP {{status}}). It may be under maintenance: wait, then {AGAIN}",
    ),
)  # fmt: skip
"""The more particular first."""


@contextmanager
def told(hub: str, what: str) -> Iterator[None]:
    """Turn what sentinelsat raises into errors of ours.

    Args:
        hub: Its address.
        what: It is asked for: the name of a product, or `a search`.

    Raises:
        SourceUnavailableError: Something went wrong.
    """
    from requests import JSONDecodeError, RequestException
    from sentinelsat.exceptions import LTATriggered, SentinelAPIError

    try:
        yield
    except LTATriggered:
        raise SourceUnavailableError(
            f"{what} is in the long-term archive of {hub}. It was ordered from there, which takes hours: later {AGAIN}"
        ) from None
    except SentinelAPIError as error:
        raise _refusal(hub, what, error) from None
    except (JSONDecodeError, ValueError, KeyError, TypeError, StopIteration):
        raise SourceUnavailableError(_foreign(hub)) from None
    except RequestException as error:
        raise BusyHubError(
            f"{hub} does not answer ({type(error).__name__}). Check its address and the network, then {AGAIN}"
        ) from None


def _refusal(hub: str, what: str, error: Any) -> SourceUnavailableError:
    headers = getattr(error.response, "headers", {})
    cause = f"{headers.get('cause-message', '')} {error.msg}".lower()
    status = 404 if "invalid key" in cause else getattr(error.response, "status_code", 200)
    for refusal in REFUSALS:
        if status in refusal.statuses and refusal.cause in cause:
            return refusal.kind(refusal.words.format(hub=hub, what=what, status=status))
    return SourceUnavailableError(_foreign(hub))


def _foreign(hub: str) -> str:
    return (
        f"{hub} answers, but not as a DHuS hub does. Expected the address below which it has search and odata/v1, often one "
        "that ends in /dhus: check it."
    )

"""Logging in at the Copernicus Data Space: a name and a password for a token of ten minutes, renewed without the password.

An account may have 100 sessions at once, so one is renewed as long as it can be, for an hour, before another one is begun.
Tokens, name and password stay in memory.

References:
    https://documentation.dataspace.copernicus.eu/APIs/Token.html and Quotas.html. RFC 6749, sections 4.3 and 6.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.sources.tokens import TIMEOUTS_S, Token, ask_token_server, no_token, read_answer

if TYPE_CHECKING:
    from requests import Response

WHO = "The login of the Copernicus Data Space"
TOKEN_URL = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"  # noqa: S105 # an address
TOKEN_URL_VARIABLE = "SEASTARS_CDSE_TOKEN_URL"  # noqa: S105 # a name
"""Leads to another token server."""
CLIENT = {"client_id": "cdse-public"}
USER, PASSWORD = "CDSE_USERNAME", "CDSE_PASSWORD"
GIVEN = "CDSE_TOKEN"
"""A token that the user got elsewhere, used as it is."""
GIVEN_FOR_S = 600.0
"""For which a token that the user gave is taken to hold, seconds."""
SESSION_MARGIN_S = 60.0
"""Before its end a session is not renewed any more, seconds."""
OK = 200
REFUSED = frozenset({400, 401, 403})
KEYS_INSTEAD = (
    "Or use S3 keys, which need no login: make them at https://eodata-s3keysmanager.dataspace.copernicus.eu and set "
    "CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY."
)


class Login:
    """The user's session at the Data Space; one thread at a time may ask it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Log in nowhere yet.

        Args:
            clock: The time, seconds since 1970.
        """
        self._clock = clock
        self._renewal = ""
        self._renewable_until = 0.0

    def token(self) -> Token:
        """A token anew: the session's while it lasts, else that of another login.

        Raises:
            CurateError: There is no account in the environment, or its login is refused.
            HostDownError: The login is busy or does not answer.
            SourceUnavailableError: It answers with something else.
        """
        name, password = os.environ.get(USER), os.environ.get(PASSWORD)
        if not (name and password):
            return self._given()
        if self._renewal and self._clock() < self._renewable_until - SESSION_MARGIN_S:
            renewed = self._post({"grant_type": "refresh_token", "refresh_token": self._renewal})
            if renewed.status_code not in REFUSED:
                return self._read(renewed)
        self._renewal = ""
        answer = self._post({"grant_type": "password", "username": name, "password": password})
        if answer.status_code in REFUSED:
            raise CurateError(_refusal(answer))
        return self._read(answer)

    def _given(self) -> Token:
        text = os.environ.get(GIVEN)
        if text:
            return Token(text, self._clock() + GIVEN_FOR_S)
        raise CurateError(
            f"There is no account for the files of the Copernicus Data Space: {USER} and {PASSWORD} are not both set, nor is "
            f"{GIVEN}. Register at https://dataspace.copernicus.eu (free) and set them. {KEYS_INSTEAD}"
        )

    def _post(self, form: Mapping[str, str]) -> Response:
        import requests

        address = os.environ.get(TOKEN_URL_VARIABLE) or TOKEN_URL

        def ask() -> Response:
            return requests.post(address, data={**CLIENT, **form}, timeout=TIMEOUTS_S, allow_redirects=False)

        return ask_token_server(WHO, ask)

    def _read(self, answer: Response) -> Token:
        if answer.status_code != OK:
            raise no_token(WHO, f"HTTP {answer.status_code}")
        stated, now = read_answer(WHO, answer), self._clock()
        try:
            token = Token(str(stated["access_token"]), now + float(stated["expires_in"]))
            renewable_until = now + float(stated.get("refresh_expires_in") or 0.0)
        except (KeyError, TypeError, ValueError):
            raise no_token(WHO, "JSON without a token and its end") from None
        self._renewal, self._renewable_until = str(stated.get("refresh_token") or ""), renewable_until
        return token


def _refusal(answer: Response) -> str:
    """What the user reads after a refused login; of the server's own words only those that we know."""
    try:
        stated: Any = answer.json()
    except ValueError:
        stated = {}
    said = str(stated.get("error_description", "")) if isinstance(stated, dict) else ""
    if "not fully set up" in said.lower():
        return (
            f"{WHO} refuses the account of {USER} (HTTP {answer.status_code}: it is not fully set up). Log in once at "
            "https://dataspace.copernicus.eu and do what is asked for there, such as accepting new terms."
        )
    return (
        f"{WHO} refuses {USER} and {PASSWORD} (HTTP {answer.status_code}). Check both; an account with a second factor "
        f"cannot log in without its owner. {KEYS_INSTEAD}"
    )

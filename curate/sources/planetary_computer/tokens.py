"""Tokens that open the files of Planetary Computer: one for each container, lent to anybody for some 45 minutes.

The package `planetary-computer` knows where they are asked for, with which key, and how they are read and put into an address.
Its `get_token` is not used: it sets no timeout, sleeps for as long as a 429 says, up to hours, or else for ten tries over seven
minutes, lets each thread ask for itself, and replaces a token only within a minute of its end.

References:
    planetary-computer 1.0.0, `planetary_computer.sas.get_token`. Azure Storage, "Create a service SAS".
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.util import find_spec
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from curate.errors import CurateError
from curate.sources.access import Signed
from curate.sources.tokens import TIMEOUTS_S, Token, Tokens, ask_token_server, no_token, read_answer

if TYPE_CHECKING:
    from requests import Response

WHO = "The token server of Planetary Computer"
PACKAGE = "planetary_computer"
BLOBS = ".blob.core.windows.net"
ACCOUNTS = frozenset(
    {"sentinel2l2a01", "sentinel1euwestrtc", "sentinel1euwest", "landsateuwest", "naipeuwest", "elevationeuwest"}
)
"""That hold the sensors of ours; where the package is installed, other accounts' files are tried too."""
OPEN_ACCOUNTS = frozenset({"ai4edatasetspublicassets"})
"""Whose files need no token."""
REFUSED, UNKNOWN = frozenset({401, 403}), frozenset({400, 404})
"""Answers of the token server: to a key, to a container."""


class PlanetaryComputerSigner:
    """Signs files of Azure's blob storage; see `curate.sources.access.Signer`."""

    def __init__(self, ask: Callable[[str], Token] | None = None) -> None:
        """Have no token yet.

        Args:
            ask: Gets the token of an account and container; from the token server where absent.
        """
        self._tokens = Tokens(ask or ask_for_token)

    @property
    def advice(self) -> str:
        """What to check where a file goes on being refused."""
        return (
            "It was refused with a token that was just lent, so that the file may have been withdrawn: check it at "
            "https://planetarycomputer.microsoft.com"
        )

    def signs(self, href: str) -> bool:
        """Whether a file is of blob storage, unsigned, and perhaps one of theirs."""
        if BLOBS not in href:
            return False
        parts = urlparse(href)
        account, _, domain = parts.netloc.partition(".")
        return (
            domain == BLOBS[1:]
            and parts.scheme in {"http", "https"}
            and account not in OPEN_ACCOUNTS
            and "sig=" not in parts.query
            and (account in ACCOUNTS or is_installed())
        )

    def sign(self, href: str) -> Signed:
        """The file's address with the token of its container; as it is, where the container is none of theirs.

        Raises:
            CurateError: The package is not installed, or a key is refused.
            SourceUnavailableError: The token server gives none now.
        """
        token = self._tokens.get(container_of(href))
        if not token.text:
            return Signed(href)
        joint = "&" if urlparse(href).query else "?"
        return Signed(f"{href}{joint}{token.text}", until=token.until)

    def refuse(self, href: str) -> None:
        """Take note that the token of a file's container was refused."""
        self._tokens.refuse(container_of(href))


@cache
def signer() -> PlanetaryComputerSigner:
    """The one of this process."""
    return PlanetaryComputerSigner()


@cache
def is_installed() -> bool:
    """Whether the package that signs is there."""
    return find_spec(PACKAGE) is not None


def require_package() -> None:
    """Go on only where the package that signs is installed.

    Raises:
        CurateError: It is not.
    """
    if not is_installed():
        raise CurateError(
            "The files of planetary-computer are opened with tokens, and the package planetary-computer that gets them is not "
            "installed. Run: pip install 'seastars[planetary-computer]'"
        )


def container_of(href: str) -> str:
    """Account and container of a file, with a slash between.

    Examples:
        >>> container_of("https://naipeuwest.blob.core.windows.net/naip/v002/md/a.tif")
        'naipeuwest/naip'
    """
    parts = urlparse(href)
    return f"{parts.netloc.partition('.')[0]}/{parts.path.lstrip('/').partition('/')[0]}"


def ask_for_token(container: str) -> Token:
    """The token of a container, from the token server.

    Args:
        container: As `container_of` gives it.

    Returns:
        The token; an empty one, for good, where the server knows no such container.

    Raises:
        CurateError: The package is not installed, or the user's key is refused.
        HostDownError: The server is busy or does not answer.
        SourceUnavailableError: It answers with something else.
    """
    import requests

    sas, settings = _package()
    headers = {"Ocp-Apim-Subscription-Key": settings.subscription_key} if settings.subscription_key else {}

    def ask() -> Response:
        return requests.get(f"{settings.sas_url}/{container}", headers=headers, timeout=TIMEOUTS_S, allow_redirects=False)

    answer = ask_token_server(WHO, ask)
    if answer.status_code in UNKNOWN:
        return Token("", inf)
    if answer.status_code in REFUSED and headers:
        raise CurateError(
            f"{WHO} refuses your subscription key (HTTP {answer.status_code}). None is needed any more: unset "
            "PC_SDK_SUBSCRIPTION_KEY, and take it out of ~/.planetarycomputer/settings.env."
        )
    if answer.status_code != requests.codes.ok:
        raise no_token(WHO, f"HTTP {answer.status_code}")
    try:
        token = sas.SASToken(**read_answer(WHO, answer))
        return Token(token.token, token.expiry.timestamp() - _ahead_s(answer))
    except (ValueError, AttributeError):
        raise no_token(WHO, "JSON without a token and its end") from None


def _ahead_s(answer: Response) -> float:
    """How much the server's clock is ahead of this machine's, seconds: the end of a token is told by the server's."""
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return 0.0


def _package() -> tuple[Any, Any]:
    """The package's module of tokens, and its settings."""
    require_package()
    with warnings.catch_warnings():  # it declares its records as pydantic 1 did
        warnings.simplefilter("ignore")
        from planetary_computer import sas
        from planetary_computer.settings import Settings
    return sas, Settings.get()

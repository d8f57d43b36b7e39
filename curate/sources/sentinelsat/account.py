"""What a DHuS hub needs before it is asked: an address that can work, an account, the package `sentinelsat`."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from catalogs.secrets import has_secret, without_secrets
from curate.errors import CurateError

USER, PASSWORD, ADDRESS = "DHUS_USER", "DHUS_PASSWORD", "DHUS_URL"
EXTRA = "sentinelsat"
CLOSED = ("scihub.copernicus.eu", "apihub.copernicus.eu")
"""ESA's own hubs, closed since the end of October 2023."""
NO_HUB = ("dataspace.copernicus.eu",)
"""Below these is the Copernicus Data Space, which is another system."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def require_package() -> None:
    """See that sentinelsat is installed.

    Raises:
        CurateError: It is not.
    """
    if find_spec("sentinelsat") is None:
        raise CurateError(
            "A DHuS hub is asked through the package sentinelsat, which is not installed. "
            f"Run: pip install 'seastars[{EXTRA}]' (sentinelsat is GPL)."
        )


def checked_address(text: str) -> str:
    """The address of a hub, without `/` at its end.

    Raises:
        CurateError: It names no hub, one that is closed, or one that is no DHuS; or the password would be seen on its way.
    """
    if has_secret(text) or "@" in text:
        raise CurateError(
            f"The address of {_host_in(text)} holds a user name or a password, which would be written to the catalog's recipe. "
            f"Give them as {USER} and {PASSWORD}."
        )
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname or ""
        _ = parts.port  # raises where it is no number: it may be half of a password
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        named = "what is named is no http(s) address" if text else "none is named"  # it may be half of a password
        raise CurateError(
            f"--source sentinelsat needs a hub, and {named}. Name one that still runs, "
            f"--source sentinelsat:https://HUB/dhus, or set {ADDRESS}. For ESA's own archive use --source cdse."
        )
    if host.endswith(CLOSED):
        raise CurateError(
            f"{host} is closed: ESA ended its DHuS hubs in October 2023. Its archive is in the Copernicus Data Space: use "
            "--source cdse. sentinelsat works with hubs that others still run."
        )
    if host.endswith(NO_HUB):
        raise CurateError(
            f"{host} is no DHuS hub: sentinelsat does not work with the Copernicus Data Space. Use --source cdse."
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise CurateError(f"{without_secrets(text)} would send your password in the clear. Use its https:// address.")
    return text.strip().rstrip("/")


def _host_in(text: str) -> str:
    """The host of an address, without what may be a user name or a password before it, in whatever form."""
    return re.split("[/?#]", text.rpartition("@")[2].rpartition("://")[2])[0]


def find_account(address: str) -> tuple[str | None, str | None]:
    """User and password for a hub; none where `~/.netrc` has them.

    Raises:
        CurateError: Neither the environment nor that file has them.
    """
    from requests.utils import get_netrc_auth

    user, password = os.environ.get(USER), os.environ.get(PASSWORD)
    if user and password:
        return user, password
    if not user and not password and get_netrc_auth(address):
        return None, None
    lacking = [name for name, value in ((USER, user), (PASSWORD, password)) if not value]
    raise CurateError(
        f"{address} needs an account, and {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not set. Register at "
        f"the hub and set {USER} and {PASSWORD}, or add a line for {urlsplit(address).hostname} to ~/.netrc."
    )

"""Addresses without what nobody else may see: signatures, tokens, user names.

What `without_secrets` removes, `has_secret` finds; so whatever the first has cleaned passes the second.

References:
    Azure Storage, "Create a service SAS": sig, se, sp, sv and their companions.
    AWS Signature Version 4, query parameters X-Amz-*; Google Cloud Storage V4 signing, X-Goog-*.
    RFC 3986, section 3.2.1 (user information); RFC 6750 (Bearer); RFC 7519 (JSON web tokens).
"""

from __future__ import annotations

import re
from os.path import expanduser
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

SIGNING_NAMES = (
    "sig", "signature", "sas", "sas_token", "expires", "policy", "key-pair-id", "awsaccesskeyid", "googleaccessid",
    "token", "access_token", "accesstoken", "id_token", "refresh_token", "auth", "authorization", "jwt", "session", "sessionid",
    "key", "api_key", "apikey", "api-key", "access_key", "accesskey", "subscription-key", "client_secret", "secret",
    "user", "username", "password", "passwd", "pwd",
)  # fmt: skip
"""Query parameters that carry a signature, a credential or a name, in lower case."""
SIGNING_PREFIXES = ("x-amz-", "x-goog-", "x-oss-")
AZURE_COMPANIONS = ("se", "sp", "sv", "sr", "st", "spr", "sip", "ss", "srt", "skoid", "sktid", "skt", "ske", "sks", "skv")
"""Parameters that describe an Azure signature: worthless without it, but they tell its owner's tenant and rights."""

_NAMES = "|".join(re.escape(name) for name in sorted(SIGNING_NAMES, key=len, reverse=True))
_PREFIXES = "|".join(re.escape(name) for name in SIGNING_PREFIXES)
_SECRETS = {
    "user information in an address": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/\"'<>@?#]+@", re.IGNORECASE),
    "a signed query": re.compile(rf"(?:[?&;#]|&amp;|\\u0026)(?:{_NAMES}|(?:{_PREFIXES})[\w-]+)=[^\s&\"'<>#]", re.IGNORECASE),
    "a bearer token": re.compile(r"\bbearer\s+[\w.~+/=-]{8,}", re.IGNORECASE),
    "a basic authorization": re.compile(r"\bauthorization\W{1,6}basic\s+[\w+/=-]{4,}", re.IGNORECASE),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{16,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access token": re.compile(r"\b(?:hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|AIza[\w-]{35})"),
}
_ADDRESS = re.compile(r"^(?P<prefix>.*?)(?P<url>[a-z][a-z0-9+.-]*://.*)$", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://[\w.:-]+(?:/[\w./~+:=,-]*)?", re.ASCII)
"""An address with nothing to remove, as most are: a search has thousands, and taking one apart costs twenty times as much."""


def without_secrets(href: str) -> str:
    """An address or path without signatures, tokens, passwords and user names; harmless queries stay.

    The user's home folder, whose name is often theirs, is written `~`, which `os.path.expanduser` takes back.

    Examples:
        >>> without_secrets("https://me:pw@host/B04.tif?version=2&sig=abc&se=2030")
        'https://host/B04.tif?version=2'
    """
    if _PLAIN.fullmatch(href):
        return href
    found = _ADDRESS.match(href)
    if not found or found["url"].startswith("file://"):
        return _without_home(href)
    parts = urlsplit(found["url"])
    host = parts.netloc.rpartition("@")[2]
    return found["prefix"] + urlunsplit(
        (parts.scheme, host, parts.path, _without_signing(parts.query), _without_signing(parts.fragment))
    )


def has_secret(text: str) -> bool:
    """Whether a text, such as an href or a whole JSON file, holds a signed address, a credential or a token anywhere."""
    return secret_kind(text) is not None


def secret_kind(text: str) -> str | None:
    """What kind of secret a text holds, in words for a message; none where it holds none.

    Examples:
        >>> secret_kind("https://host/B04.tif?X-Amz-Signature=0f3a")
        'a signed query'
        >>> secret_kind("https://host/search?collections=naip&limit=10") is None
        True
    """
    plain = unquote(text) if "%" in text else ""
    for kind, pattern in _SECRETS.items():
        if pattern.search(text) or (plain and pattern.search(plain)):
            return kind
    return None


def _without_home(path: str) -> str:
    home = expanduser("~").rstrip("/")  # noqa: PTH111 # Path.home() raises where there is none
    plain = path.removeprefix("file://")
    return f"~{plain[len(home) :]}" if home and (plain == home or plain.startswith(f"{home}/")) else path


def _without_signing(query: str) -> str:
    """The query less its signing parameters, the others as they were written; an address within is cleaned too."""
    kept = [part for part in query.split("&") if not _is_signing(part)]
    return "&".join(part for part in kept if not has_secret(f"?{part}"))


def _is_signing(part: str) -> bool:
    name = next((name for name, _ in parse_qsl(part, keep_blank_values=True)), "").lower()
    return name in SIGNING_NAMES or name in AZURE_COMPANIONS or name.startswith(SIGNING_PREFIXES)

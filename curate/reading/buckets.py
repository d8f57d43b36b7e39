"""Web addresses of objects of S3, signed where there are credentials.

Credentials, endpoint and region come from the environment, as in `catalogs.files`, or from the shared file of the profile that
`AWS_PROFILE` names. Where there are none, or with `AWS_SKIP_SIGNATURE`, addresses are not signed; with
`AWS_SKIP_SIGNATURE=false` the machine's own role is asked for some.

References:
    AWS, "Authenticating requests: using query parameters (AWS Signature Version 4)".
"""

from __future__ import annotations

import os
from configparser import ConfigParser
from configparser import Error as ConfigError
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError

if TYPE_CHECKING:
    from obstore.store import S3Store

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)  # fmt: skip
"""Variables that hold credentials, or say where to ask for them."""
ASKED_FOR_S = 10
"""For which a role is asked for its credentials, seconds."""
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_NOBODY = dict.fromkeys(_KEYS[:2], "nobody")


def is_bucket(href: str) -> bool:
    """Whether an href is of S3."""
    return href[:5].lower() == "s3://"


def is_signing() -> bool:
    """Whether there are credentials to sign with."""
    skip = os.environ.get("AWS_SKIP_SIGNATURE", "").lower()
    if skip in {"1", "true", "yes", "on"}:
        return False
    return bool(skip) or any(os.environ.get(name) for name in CREDENTIALS) or bool(_profile())


def web_address(href: str, region: str | None, signed_for_s: float) -> str:
    """The `http(s)://` address of an object.

    Args:
        href: Its `s3://` address.
        region: Of its bucket; the environment's if not given.
        signed_for_s: For which a signature shall hold, seconds.

    Raises:
        SourceUnavailableError: The credentials cannot be had.
    """
    import obstore
    from obstore.exceptions import BaseError

    parts = urlsplit(href)
    signing = is_signing()
    try:
        store = _store(parts.netloc, region, signing)
        address = obstore.sign(store, "GET", unquote(parts.path).lstrip("/"), timedelta(seconds=signed_for_s))
    except (BaseError, ValueError) as error:
        raise SourceUnavailableError(
            f"{without_secrets(href)} cannot be signed: the credentials of the environment cannot be had "
            f"({type(error).__name__}). Check AWS_ACCESS_KEY_ID and its companions, or set AWS_SKIP_SIGNATURE=true for a "
            "public bucket; then run the same command again."
        ) from None
    return address if signing else address.partition("?")[0]


def forget_credentials() -> None:
    """Have the credentials read and asked for anew."""
    _store.cache_clear()
    _profile.cache_clear()


@lru_cache(maxsize=64)
def _store(bucket: str, region: str | None, signing: bool) -> S3Store:  # noqa: FBT001 # a cache takes no keyword
    from obstore.store import S3Store

    options: dict[str, Any] = {
        "client_options": {"allow_http": True, "timeout": f"{ASKED_FOR_S}s"},
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=ASKED_FOR_S)},
    }
    options |= ({"region": region} if region else {}) | (_profile() if signing else _NOBODY)
    return S3Store(bucket, **options)


@lru_cache(maxsize=1)
def _profile() -> dict[str, str]:
    """Keys of the profile that the environment names, where it holds none itself."""
    name = os.environ.get("AWS_PROFILE")
    if not name or os.environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    file = ConfigParser(interpolation=None)
    try:
        file.read(Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser())
    except (ConfigError, UnicodeDecodeError):
        return {}
    return {key: file[name][key] for key in _KEYS if file.has_option(name, key)}

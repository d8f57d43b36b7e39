"""Web addresses of objects of S3, signed where there are credentials.

Credentials, endpoint and region come from the environment, as in `catalogs.files`, or from the shared file of the profile that
`AWS_PROFILE` names. Where there are none, or with `AWS_SKIP_SIGNATURE`, addresses are not signed; with
`AWS_SKIP_SIGNATURE=false` the machine's own role is asked for some. Some buckets are read at their reader's expense: those are
signed, or not read at all.

References:
    AWS, "Authenticating requests: using query parameters (AWS Signature Version 4)"; "Downloading objects from Requester Pays
    buckets". Which buckets: their pages in the Registry of Open Data on AWS.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from catalogs.secrets import without_secrets
from curate.errors import CurateError, SourceUnavailableError
from curate.sources.access import Signed

if TYPE_CHECKING:
    from obstore.store import S3Store

SIGNED_FOR_S = 3600.0
"""For which a signature of ours holds, seconds."""
RENEWED_BEFORE_S = 300.0
"""Its end a signature is replaced, seconds."""
REMEMBERED = 20_000
"""Addresses that are kept beside their hrefs."""
PAYING = (
    "AWS bills an account of yours for each request and for each byte that leaves its region. Set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, of the account that shall pay (and no AWS_SKIP_SIGNATURE)"
)
"""What it means that a requester pays, and how: the end of a sentence, and another one without its end."""
NO_KEYS = (
    "AWS_PROFILE is set, but the shared file of credentials has no keys of it, as where it signs in by SSO: run "
    '`eval "$(aws configure export-credentials --format env)"` first'
)
"""What is missing where a profile is named whose keys are elsewhere: a sentence without its end."""
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)  # fmt: skip
"""Variables that hold credentials, or say where to ask for them."""
ASKED_FOR_S = 10
"""For which a role is asked for its credentials, seconds."""
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_NOBODY = dict.fromkeys(_KEYS[:2], "nobody")


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is known of a public bucket beforehand."""

    region: str
    """Where it is."""
    requester_pays: bool = False
    """Whether AWS bills whoever reads it, who must sign therefore."""


BUCKETS = {
    "usgs-landsat": Bucket("us-west-2", requester_pays=True),
    "naip-analytic": Bucket("us-west-2", requester_pays=True),
    "naip-source": Bucket("us-west-2", requester_pays=True),
    "naip-visualization": Bucket("us-west-2", requester_pays=True),
    "sentinel-s1-l1c": Bucket("eu-central-1", requester_pays=True),
    "sentinel-s2-l1c": Bucket("eu-central-1", requester_pays=True),
    "sentinel-s2-l2a": Bucket("eu-central-1", requester_pays=True),
    "sentinel-cogs": Bucket("us-west-2"),
    "e84-earth-search-sentinel-data": Bucket("us-west-2"),
    "copernicus-dem-30m": Bucket("eu-central-1"),
    "copernicus-dem-90m": Bucket("eu-central-1"),
}
"""Any other bucket is taken to be in the environment's region, until it says where it is, and to be free or ours."""


def is_bucket(href: str) -> bool:
    """Whether an href is of S3."""
    return href[:5].lower() == "s3://"


def is_signing() -> bool:
    """Whether there are credentials to sign with."""
    skip = os.environ.get("AWS_SKIP_SIGNATURE", "").lower()
    if skip in {"1", "true", "yes", "on"}:
        return False
    return bool(skip) or any(os.environ.get(name) for name in CREDENTIALS) or bool(_profile())


def check_paid(href: str) -> None:
    """Make sure that somebody pays for a file, where its bucket is one whose requester does; asks nobody.

    Args:
        href: Any path or address.

    Raises:
        CurateError: There are no credentials to pay with.
    """
    if is_bucket(href) and _requester_pays(href) and not is_signing():
        raise CurateError(
            f"{without_secrets(href)} is in a bucket whose requester pays: {how_to_pay()}, or choose a --source that has it "
            "free: see `curate sources`."
        )


def how_to_pay() -> str:
    """`PAYING`, and what is wrong with a profile that is named already."""
    return f"{PAYING}. {NO_KEYS}" if _lacks_keys() else PAYING


class BucketSigner:
    """Signs the objects of S3, and of stores that answer as it does; see `curate.sources.access.Signer`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Know the buckets of the table only.

        Args:
            clock: The time, seconds since 1970.
        """
        self._clock = clock
        self._signed: OrderedDict[str, Signed] = OrderedDict()
        self._regions: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def advice(self) -> str:
        """What to check where a store goes on refusing."""
        if is_signing():
            return "Check AWS_ACCESS_KEY_ID and its companions, or AWS_PROFILE, and that their account may read the bucket"
        if _lacks_keys():
            return f"It was asked for without credentials: {NO_KEYS}"
        return "It was asked for without credentials: check its address, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

    def signs(self, href: str) -> bool:
        """Whether a file is an object of a bucket."""
        return is_bucket(href)

    def sign(self, href: str) -> Signed:
        """The `http(s)://` address of an object, signed for an hour where there are credentials.

        Raises:
            CurateError: Its bucket's reader pays, and there are no credentials to pay with.
            SourceUnavailableError: The credentials cannot be had.
        """
        known = self._signed.get(href)
        if known is not None and self._clock() < known.until - RENEWED_BEFORE_S:
            return known
        with self._lock:
            now, signing = self._clock(), is_signing()
            address = web_address(href, self._region(urlsplit(href).netloc), SIGNED_FOR_S)
            self._signed[href] = Signed(address, until=now + SIGNED_FOR_S if signing else inf)
            self._signed.move_to_end(href)
            if len(self._signed) > REMEMBERED:
                self._signed.popitem(last=False)
            return self._signed[href]

    def refuse(self, href: str) -> None:
        """Read or ask for the credentials anew before a file is signed next."""
        with self._lock:
            self._signed.pop(href, None)
            forget_credentials()

    def move(self, href: str, region: str) -> bool:
        """Take note of the region of a file's bucket, which its store has told.

        Returns:
            Whether that is news.
        """
        bucket = urlsplit(href).netloc
        with self._lock:
            if self._region(bucket) == region:
                return False
            self._regions[bucket] = region
            self._signed = OrderedDict((href, it) for href, it in self._signed.items() if urlsplit(href).netloc != bucket)
            return True

    def _region(self, bucket: str) -> str | None:
        """Where a bucket is, as far as its store or the table has told."""
        known = BUCKETS.get(bucket)
        return self._regions.get(bucket) or (known.region if known else None)


@cache
def signer() -> BucketSigner:
    """The one of this process."""
    return BucketSigner()


def web_address(href: str, region: str | None, signed_for_s: float) -> str:
    """The `http(s)://` address of an object.

    Args:
        href: Its `s3://` address.
        region: Of its bucket; the environment's if not given.
        signed_for_s: For which a signature shall hold, seconds.

    Raises:
        CurateError: Its bucket's reader pays, and there are no credentials to pay with.
        SourceUnavailableError: The credentials cannot be had.
    """
    import obstore
    from obstore.exceptions import BaseError

    check_paid(href)
    parts, signing = urlsplit(href), is_signing()
    try:
        store = _store(parts.netloc, region, signing, _requester_pays(href))
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


def _lacks_keys() -> bool:
    """Whether a profile is named that has no keys where they are looked for."""
    return bool(os.environ.get("AWS_PROFILE")) and not is_signing() and not os.environ.get("AWS_SKIP_SIGNATURE")


def _requester_pays(href: str) -> bool:
    bucket = BUCKETS.get(urlsplit(href).netloc)
    return bucket is not None and bucket.requester_pays


@lru_cache(maxsize=64)
def _store(bucket: str, region: str | None, signing: bool, pays: bool) -> S3Store:  # noqa: FBT001 # a cache takes no keyword
    from obstore.store import S3Store

    options: dict[str, Any] = {
        "client_options": {"allow_http": True, "timeout": f"{ASKED_FOR_S}s"},
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=ASKED_FOR_S)},
    }
    options |= ({"region": region} if region else {}) | ({"request_payer": True} if pays else {})
    options |= _profile() if signing else _NOBODY
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

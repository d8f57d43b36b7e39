"""How files of the Copernicus Data Space are opened: `s3://eodata/...` with the user's S3 keys, its downloads with a token.

Keys are preferred where both are set: the object store answers ranges, by which JPEG 2000 is read, and needs no login. In
either way a user has four connections at once, which reading keeps to (`access.MOST_CONNECTIONS`).

The environment leads elsewhere: `SEASTARS_CDSE_S3_URL` to another store of the same objects, `SEASTARS_CDSE_DOWNLOAD_URL` to
another server of downloads.

References:
    https://documentation.dataspace.copernicus.eu/APIs/S3.html and APIs/OData.html.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from curate.errors import CurateError
from curate.sources.access import Signed
from curate.sources.cdse.login import Login
from curate.sources.tokens import Tokens

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

BUCKETS = ("s3://eodata/", "s3://EODATA/")
S3_URL, S3_URL_VARIABLE = "https://eodata.dataspace.copernicus.eu", "SEASTARS_CDSE_S3_URL"
DOWNLOAD_URL, DOWNLOAD_URL_VARIABLE = "https://download.dataspace.copernicus.eu", "SEASTARS_CDSE_DOWNLOAD_URL"
REGION = "default"
KEY, SECRET = "CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"
KEYS_ARE_MADE = "Make keys at https://eodata-s3keysmanager.dataspace.copernicus.eu and set them."
ACCOUNT = "CDSE_USERNAME and CDSE_PASSWORD, or CDSE_TOKEN"
OWN_STORE = "AWS_ENDPOINT_URL"
"""Where it is set and our keys are not, as on the Data Space's own machines, the bucket is read like any other."""
SIGNED_FOR_S = 3600.0
"""For which a signature holds, seconds."""
SIGNED_ANEW_S = 2700.0
"""After at most so long a file is signed anew, seconds; until then it keeps its address, by which GDAL remembers it."""
REMEMBERED = 20_000
"""Signed addresses that are kept."""
A_MONTH = "An account may fetch 12 TB a month."
"""Said of each refusal: of the server's answer GDAL tells the code alone, whatever its reason."""
_ACCOUNT = "account"
_NO_ACCOUNT = (
    "There is no account for the downloads of the Copernicus Data Space: CDSE_USERNAME and CDSE_PASSWORD are not both set, nor "
    f"is CDSE_TOKEN. Set them. {KEY} and {SECRET}, which are set, open its store (s3://eodata), where files have other "
    "addresses: scenes that were found with an account are to be searched for again, in another folder."
)


class CdseSigner:
    """Opens the Data Space's files; see `curate.sources.access.Signer`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Have signed nothing yet.

        Args:
            clock: The time, seconds since 1970.
        """
        login = Login(clock)
        self._clock = clock
        self._tokens = Tokens(lambda _: login.token(), clock=clock)
        self._presigned = lru_cache(REMEMBERED)(self._presign)
        self._refusals = Counter[str]()

    @property
    def advice(self) -> str:
        """What to check where the Data Space goes on refusing a file."""
        if has_keys():
            return (
                f"{A_MONTH} Check {KEY} and {SECRET}: keys of the Copernicus Data Space end on a day that was chosen when they "
                "were made"
            )
        return f"{A_MONTH} A token of one's own lasts for 10 minutes. Check {ACCOUNT}, and that the account may download"

    def signs(self, href: str) -> bool:
        """Whether a file is one of the Data Space's, in its store or among its downloads."""
        if href.startswith(BUCKETS):
            return has_keys() or not os.environ.get(OWN_STORE)
        return _server(href) == _server(download_url())

    def sign(self, href: str) -> Signed:
        """The file's address in the store, signed, or with the token that its download asks for.

        Raises:
            CurateError: There are no keys or no account for it, or they are refused.
            SourceUnavailableError: The login does not answer.
        """
        if href.startswith(BUCKETS):
            return self._presigned(href, int(self._clock() // SIGNED_ANEW_S), self._refusals[href])
        if has_keys() and not has_account():
            raise CurateError(_NO_ACCOUNT)
        token = self._tokens.get(_ACCOUNT)
        return Signed(href, {"Authorization": f"Bearer {token.text}"}, token.until)

    def refuse(self, href: str) -> None:
        """Take note that what was given for a file was refused."""
        if href.startswith(BUCKETS):
            self._refusals[href] += 1  # it alone is signed anew: others would lose the address by which GDAL remembers them
        else:
            self._tokens.refuse(_ACCOUNT)

    def _presign(self, href: str, _time: int, _refusals: int) -> Signed:
        import obstore

        key = unquote(urlsplit(href).path).lstrip("/")
        address = obstore.sign(_open_store(), "GET", key, timedelta(seconds=SIGNED_FOR_S))
        return Signed(address, until=self._clock() + SIGNED_FOR_S)


@cache
def signer() -> CdseSigner:
    """The one of this process."""
    return CdseSigner()


def has_keys() -> bool:
    """Whether the environment has S3 keys of the Data Space."""
    return bool(os.environ.get(KEY) and os.environ.get(SECRET))


def has_account() -> bool:
    """Whether the environment has what a token is got with, or one."""
    return bool(os.environ.get("CDSE_TOKEN") or (os.environ.get("CDSE_USERNAME") and os.environ.get("CDSE_PASSWORD")))


def require_credentials() -> None:
    """Go on only where the environment has something that opens the files.

    Raises:
        CurateError: It has not.
    """
    if not (has_keys() or has_account() or os.environ.get(OWN_STORE)):
        raise CurateError(
            "The files of the Copernicus Data Space are open to its users, and there is none in the environment: neither are "
            f"{KEY} and {SECRET} both set, nor CDSE_USERNAME and CDSE_PASSWORD. Register at https://dataspace.copernicus.eu "
            f"(free). {KEYS_ARE_MADE}"
        )


def download_url() -> str:
    """Root of the downloads."""
    return os.environ.get(DOWNLOAD_URL_VARIABLE) or DOWNLOAD_URL


def _open_store() -> S3Store:
    """The Data Space's store of objects, with the user's keys and none of those that the environment has for AWS."""
    if not has_keys():
        raise CurateError(
            f"There are no keys for the files of the Copernicus Data Space (s3://eodata): {KEY} and {SECRET} are not both set. "
            f"{KEYS_ARE_MADE} A name and a password open its downloads, which have other addresses: scenes that were found "
            "with keys are to be searched for again, in another folder."
        )
    return _store(os.environ[KEY], os.environ[SECRET], os.environ.get(S3_URL_VARIABLE) or S3_URL)


@lru_cache(maxsize=1)
def _store(key: str, secret: str, endpoint: str) -> S3Store:
    from obstore.store import S3Store

    def credential() -> S3Credential:  # as plain options they would be joined by AWS_SESSION_TOKEN, for all servers to see
        return {"access_key_id": key, "secret_access_key": secret, "token": None, "expires_at": None}

    return S3Store(
        "eodata",
        endpoint=endpoint,
        region=REGION,
        virtual_hosted_style_request=False,
        skip_signature=False,
        request_payer=False,
        client_options={"allow_http": True},
        credential_provider=credential,
    )


def _server(href: str) -> tuple[str, str]:
    parts = urlsplit(href)
    return parts.scheme, parts.netloc.lower()

"""Who asks Earth Engine, and on whose account: the project, the credentials and the end point, from the environment.

Nothing is asked of the network here. Nobody but Google's own library sees a key or a token.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catalogs.secrets import without_secrets
from curate.errors import CurateError

HIGH_VOLUME = "https://earthengine-highvolume.googleapis.com"
"""Google's end point for many small requests: the same data and limits, less latency under load."""
PROJECT, KEY, URL = "EARTHENGINE_PROJECT", "EARTHENGINE_SERVICE_ACCOUNT_KEY", "EARTHENGINE_URL"
"""Variables of the environment."""
DEFAULT_KEY = "GOOGLE_APPLICATION_CREDENTIALS"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9.-]+:[a-z][a-z0-9-]{4,28}[a-z0-9]|\d{6,}")


@dataclass(frozen=True)
class Account:
    """On whose account Earth Engine is asked."""

    project: str
    """Google Cloud project that the requests count for."""
    url: str
    """Of the end point."""
    credentials_words: str
    """Where the credentials are from, for messages."""
    credentials: Any = field(repr=False, compare=False)
    """As google-auth has them; none where Google's default ones are to be looked for."""

    @classmethod
    def find(cls, project: str = "") -> Account:
        """The account that the environment tells.

        Args:
            project: As the user gave it; the environment's where empty.

        Raises:
            CurateError: The client library is not installed, or there is no project, or the credentials that are named are
                none.
        """
        if find_spec("ee") is None:
            raise CurateError(
                "Earth Engine needs Google's client library, which is not installed. Run: pip install 'seastars[earth-engine]'"
            )
        url = _end_point()
        words, credentials, own_project = _credentials(url)
        return cls(_checked(project or os.environ.get(PROJECT) or own_project or ""), url, words, credentials)

    def load(self) -> Any:
        """The credentials, as google-auth has them; may ask the network.

        Raises:
            CurateError: There are none.
        """
        if self.credentials is not None:
            return self.credentials
        import google.auth
        from ee.oauth import SCOPES
        from google.auth.exceptions import DefaultCredentialsError

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*quota project.*")  # it advises on another project than Earth Engine's
                return google.auth.default(scopes=SCOPES)[0]
        except DefaultCredentialsError:
            raise CurateError(
                "Earth Engine needs an account of yours, and no credentials are stored here. Run `earthengine authenticate` "
                f"once; on a machine without a browser, export {KEY}=/path/to/key.json of a service account."
            ) from None

    @property
    def host(self) -> str:
        """Of the end point, for messages."""
        return urlsplit(self.url).netloc


def _end_point() -> str:
    url = (os.environ.get(URL) or HIGH_VOLUME).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise CurateError(
            f"{URL} is {without_secrets(url)!r}; expected an https:// address, since credentials are sent there. "
            f"Unset it to use {HIGH_VOLUME}."
        )
    return url


def _checked(project: str) -> str:
    if not project:
        raise CurateError(
            "Earth Engine needs a Google Cloud project that is registered for it, and none is given. Name it: "
            f"--source earth-engine:PROJECT, or export {PROJECT}=PROJECT. Register one, free for research, at "
            "https://code.earthengine.google.com/register"
        )
    if not _PROJECT_ID.fullmatch(project):
        raise CurateError(
            f"{project!r} is no id of a Google Cloud project: 6 to 30 small letters, digits and hyphens, such as "
            "my-project-123. Look it up at https://console.cloud.google.com (the id, not the name); `seco` is the one preset."
        )
    return project


def _credentials(url: str) -> tuple[str, Any, str | None]:
    """Where the credentials are from, these, and the project that they belong to."""
    for name in (KEY, DEFAULT_KEY):
        path = os.environ.get(name)
        if path and (name == KEY or _kind(path, name) == "service_account"):
            return _service_account(path, name)
    if urlsplit(url).hostname in LOOPBACK:
        from google.auth.credentials import AnonymousCredentials

        return "no credentials: this machine is asked", AnonymousCredentials(), None  # type: ignore[no-untyped-call] # google-auth annotates it not
    return _stored()


def _kind(path: str, name: str) -> str:
    """What kind of credentials a file holds, by its own word."""
    try:
        return str(json.loads(Path(path).expanduser().read_text()).get("type"))
    except (OSError, ValueError, AttributeError):
        raise CurateError(
            f"{name} names {without_secrets(path)}, which is no file of Google credentials that can be read. Expected the JSON "
            "of a service account's key; download one at https://console.cloud.google.com/iam-admin/serviceaccounts, or unset "
            "it."
        ) from None


def _service_account(path: str, name: str) -> tuple[str, Any, str | None]:
    from ee import ServiceAccountCredentials

    kind = _kind(path, name)
    try:
        credentials = ServiceAccountCredentials(key_file=str(Path(path).expanduser()))
    except (ValueError, KeyError):
        raise CurateError(
            f"{name} names {without_secrets(path)}, credentials of the kind {kind!r}. Expected the key of a service account, "
            "as JSON."
        ) from None
    return f"the service account of {name}", credentials, credentials.project_id


def _stored() -> tuple[str, Any, str | None]:
    """What `earthengine authenticate` stored, or none: then Google's default ones are looked for once they are needed."""
    from ee import oauth
    from google.oauth2.credentials import Credentials

    try:
        stored = oauth.get_credentials_arguments()
    except (OSError, ValueError):
        stored = {}
    if stored.get("refresh_token"):
        credentials = Credentials(None, **stored)  # type: ignore[no-untyped-call] # google-auth does not annotate it
        return "the credentials that `earthengine authenticate` stored", credentials, _own(stored.get("quota_project_id"))
    return "Google's default credentials", None, _own(oauth.get_appdefault_project())


def _own(project: str | None) -> str | None:
    """A project, unless it is that of Google's own tools."""
    from ee.oauth import is_sdk_project

    return project if project and not is_sdk_project(project) else None

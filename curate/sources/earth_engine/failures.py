"""What goes wrong with Earth Engine, and what its user reads.

Google's library tells a failure by its words alone; the HTTP status stands in what it was raised from. Its words are repeated
only where they hold no address and no secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING

from catalogs import layout
from catalogs.secrets import has_secret
from curate.errors import CurateError, SourceUnavailableError
from curate.reading.retries import THROTTLED, is_passing

if TYPE_CHECKING:
    from curate.sources.earth_engine.account import Account

SHOWN_CHARACTERS = 240
QUOTA_WORDS = ("quota", "rate limit", "ratelimitexceeded", "too many requests", "too many concurrent")
"""By which a 403 tells that it is one too many rather than forbidden."""
PROJECT_WORDS = ("project", "regist", "signed up", "disabled", "serviceusage", "caller does not have")
"""By which a 403 tells that a project or an account may ask nothing at all."""
ASSET_WORD = "asset"
"""By which it tells that one image, or one collection, is refused."""
RUN_AGAIN = "What is done is kept: run the same command again"


class RefusedError(SourceUnavailableError):
    """A question that Earth Engine refuses as it stands: an image that is gone, a computation that is too much for it."""


class AccountRefusedError(SourceUnavailableError):
    """Credentials that are refused: no question would be answered."""


@dataclass(frozen=True, slots=True)
class AskFailure:
    """One question that was not answered."""

    status: int | None
    """HTTP status, if there was an answer."""
    said: str
    """What Google said, cleaned; empty where that betrays something."""
    is_credentials: bool = False
    """Whether no token could be had."""

    @property
    def is_throttled(self) -> bool:
        """Whether it was one question too many, now or this month."""
        return self.status == THROTTLED or (self.status == 403 and any(word in self.said.lower() for word in QUOTA_WORDS))

    @property
    def is_passing(self) -> bool:
        """Whether asking again may help."""
        if self.is_credentials:
            return False
        return self.status is None or self.is_throttled or is_passing(self.status)

    @property
    def is_of_project(self) -> bool:
        """Whether nothing at all would be answered: said of the project, or in words with an address, which are left out."""
        said = self.said.lower()
        return self.status == 403 and ASSET_WORD not in said and (not said or any(word in said for word in PROJECT_WORDS))

    @property
    def words(self) -> str:
        """What happened, in short."""
        return f"HTTP {self.status}{f': {self.said}' if self.said else ''}" if self.status else self.said or "no connection"


def failure_of(error: Exception) -> AskFailure:
    """What an error of the library, or of those that it uses, tells.

    Raises:
        Exception: The error itself, where it is none of theirs but a fault of ours.
    """
    from ee.ee_exception import EEException
    from google.auth.exceptions import GoogleAuthError, TransportError
    from googleapiclient.errors import Error, HttpError

    cause = error.__context__ if isinstance(error, EEException) else error
    if isinstance(cause, HttpError):
        return AskFailure(int(cause.resp.status), _clean(str(cause.reason)))
    if isinstance(cause, TransportError | OSError):
        return AskFailure(None, "no answer in time" if isinstance(cause, TimeoutError) else "no connection")
    if isinstance(cause, GoogleAuthError):
        return AskFailure(None, _clean(str(cause.args[0] if cause.args else "")), is_credentials=not cause.retryable)
    if isinstance(cause, JSONDecodeError | UnicodeDecodeError):
        return AskFailure(None, "what answers is not Earth Engine, but perhaps a page to sign in to the network")
    if isinstance(error, EEException | Error):
        return AskFailure(400, _clean(str(error)))
    raise error


def explain(failure: AskFailure, account: Account, what: str) -> CurateError:
    """The error that a user reads.

    Args:
        failure: That is not to be borne any more.
        account: Who asked.
        what: The image or collection that was asked for; empty where none was.
    """
    said = f" (Google: {failure.said.rstrip('.')})" if failure.said else ""
    if failure.is_throttled:
        return SourceUnavailableError(
            f"Earth Engine has answered again and again that project {account.project} asks too much{said}. A project may have "
            "40 requests at once and 100 a second, and EECU-hours a month by its tier (Community 150): see its use at "
            f"https://console.cloud.google.com/earth-engine/configuration. {RUN_AGAIN} later, next month if the month's are "
            "spent."
        )
    if failure.is_credentials or failure.status == 401:
        return AccountRefusedError(
            f"Earth Engine refuses {account.credentials_words}{said}. Its credentials have ended or were withdrawn: run "
            "`earthengine authenticate --force`, or give EARTHENGINE_SERVICE_ACCOUNT_KEY a key that holds. "
            f"{RUN_AGAIN} then."
        )
    if failure.status == 403 and (failure.is_of_project or not what):
        return CurateError(
            f"Project {account.project} may not use Earth Engine with {account.credentials_words}{said}. Register it at "
            "https://code.earthengine.google.com/register, enable its Earth Engine API, and give the account the roles Earth "
            "Engine Resource Viewer and Service Usage Consumer; or name another with --source earth-engine:PROJECT."
        )
    if failure.status == 404:
        about = what or f"project {account.project}"
        return RefusedError(
            f"Earth Engine does not have {about}{said}. Check the name; if the image was withdrawn after it was found, delete "
            f"{layout.WORK}/search in the catalog's folder and run the same command again: it searches anew."
        )
    if failure.status and not failure.is_passing:
        return RefusedError(
            f"Earth Engine refuses what was asked of {what}: {failure.words}. {RUN_AGAIN}; if it stays so, tell us."
        )
    return SourceUnavailableError(
        f"Earth Engine ({account.host}) does not answer: {failure.words}. Check the network and "
        f"https://status.earthengine.google.com. {RUN_AGAIN}."
    )


def _clean(said: str) -> str:
    """Google's words on one line; none where they hold an address or a secret."""
    text = " ".join(said.split())[:SHOWN_CHARACTERS]
    return "" if "://" in text or has_secret(said) or "{" in text else text

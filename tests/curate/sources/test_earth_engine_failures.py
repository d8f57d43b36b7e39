"""What Google's libraries raise, and what a user reads of it: in our words, without what nobody may see."""

from json import JSONDecodeError

import pytest
from ee.ee_exception import EEException
from google.auth.exceptions import RefreshError, TransportError
from googleapiclient.errors import HttpError
from httplib2 import Response

from curate.errors import CurateError, SourceUnavailableError
from curate.sources.earth_engine.account import Account
from curate.sources.earth_engine.failures import AccountRefusedError, AskFailure, RefusedError, explain, failure_of

SIGN_IN = "what answers is not Earth Engine, but perhaps a page to sign in to the network"
ACCOUNT = Account("my-project-1", "https://host", "the service account of KEY", None)


def raised(status, said):
    """As `ee` raises it."""
    content = f'{{"error": {{"message": "{said}"}}}}'.encode()
    cause = HttpError(Response({"status": str(status)}), content, uri="https://x/?key=k")
    error = EEException(cause.reason)
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (raised(404, "gone"), AskFailure(404, "gone")),
        (raised(429, "Too many concurrent aggregations."), AskFailure(429, "Too many concurrent aggregations.")),
        (EEException("ee.Initialize: no project found."), AskFailure(400, "ee.Initialize: no project found.")),
        (ConnectionError("no connection to host"), AskFailure(None, "no connection")),
        (TimeoutError("too late"), AskFailure(None, "no answer in time")),
        (JSONDecodeError("x", "<html>", 0), AskFailure(None, SIGN_IN)),
        (TransportError("x"), AskFailure(None, "no connection")),
        (RefreshError("invalid_grant"), AskFailure(None, "invalid_grant", is_credentials=True)),
        (RefreshError("try later", retryable=True), AskFailure(None, "try later")),
    ],
)
def test_a_failure_is_known_by_its_status(error, failure):
    assert failure_of(error) == failure


def test_a_fault_of_ours_stays_what_it_is():
    with pytest.raises(KeyError):
        failure_of(KeyError("x"))


@pytest.mark.parametrize(
    "said", ["see https://host/?a=b", "Bearer ya29.abcdefghijkl", '{"private": 1}', "token eyJhbGciOiJSUzI1NiIsInR5"]
)
def test_words_that_may_betray_something_are_left_out(said):
    assert failure_of(RefreshError(said)).said == ""
    assert "(Google" not in str(explain(failure_of(RefreshError(said)), ACCOUNT, ""))


def test_long_words_are_cut():
    assert len(failure_of(RefreshError("a b " * 500)).said) == 240


@pytest.mark.parametrize(
    ("failure", "throttled", "passing"),
    [
        (AskFailure(429, ""), True, True),
        (AskFailure(403, "Quota exceeded for quota metric"), True, True),
        (AskFailure(403, "Caller lacks permission"), False, False),
        (AskFailure(500, ""), False, True),
        (AskFailure(None, "no connection"), False, True),
        (AskFailure(None, "invalid_grant", is_credentials=True), False, False),
        (AskFailure(400, "Computation timed out."), False, False),
    ],
)
def test_what_may_pass_is_told_from_what_stays(failure, throttled, passing):
    assert (failure.is_throttled, failure.is_passing) == (throttled, passing)


@pytest.mark.parametrize(
    ("failure", "what", "kind", "words"),
    [
        (
            AskFailure(401, ""),
            "a",
            AccountRefusedError,
            "Earth Engine refuses the service account of KEY. Its credentials have ended or were",
        ),
        (
            AskFailure(403, "Caller does not have required permission to use project my-project-1."),
            "a",
            CurateError,
            r"Project my-project-1 may not use Earth Engine with the service account of KEY \(G",
        ),
        (
            AskFailure(403, "Permission denied on resource projects/earthengine-public/assets/a/b"),
            "a/b",
            RefusedError,
            r"Earth Engine refuses what was asked of a/b: HTTP 403: Permission denied",
        ),
        (AskFailure(403, "no"), "a/b", RefusedError, r"Earth Engine refuses what was asked of a/b: HTTP 403: no\."),
        (AskFailure(403, ""), "a/b", CurateError, "Project my-project-1 may not use Earth Engine"),
        (
            AskFailure(404, "no"),
            "",
            RefusedError,
            r"Earth Engine does not have project my-project-1 \(Google: no\)\. Check the name",
        ),
        (
            AskFailure(400, "no"),
            "a/b",
            RefusedError,
            r"Earth Engine refuses what was asked of a/b: HTTP 400: no\. What is done is",
        ),
        (AskFailure(429, ""), "a", SourceUnavailableError, "A project may have 40 requests at once and 100 a second"),
        (
            AskFailure(None, "no connection"),
            "a",
            SourceUnavailableError,
            r"Earth Engine \(host\) does not answer: no connection\.",
        ),
    ],
)
def test_each_failure_says_what_to_do(failure, what, kind, words):
    error = explain(failure, ACCOUNT, what)
    assert type(error) is kind
    with pytest.raises(kind, match=words):
        raise error

"""The Copernicus Data Space's login (Keycloak) and its downloads, as one server.

    with serve_cdse(folder) as double:
        monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", double.token_url)
        monkeypatch.setenv("SEASTARS_CDSE_DOWNLOAD_URL", double.url)

A download is `/odata/v1/Products(ID)/Nodes(...)/Nodes(NAME)/$value`: the file of that name, wherever it is below the folder. As
there, who has no token, or one that has ended, gets 401; more than four connections at once get 429.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from curate.sources import access
from curate.sources.cdse import access as cdse_access
from tests.ranged_files import Answer, Request, serve_answers

TOKENS = "/auth/realms/CDSE/protocol/openid-connect/token"
MOST = 4
VARIABLES = (
    "CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY", "CDSE_USERNAME", "CDSE_PASSWORD", "CDSE_TOKEN", "AWS_ENDPOINT_URL",
    "SEASTARS_CDSE_URL", "SEASTARS_CDSE_S3_URL", "SEASTARS_CDSE_TOKEN_URL", "SEASTARS_CDSE_DOWNLOAD_URL",
)  # fmt: skip


@dataclass
class CdseDouble:
    """The running server, and what it does."""

    folder: Path
    """Whose files it serves."""
    url: str = ""
    """Its address."""
    user: str = "planted.user@example.org"
    """Who has an account."""
    password: str = "plantedPassword&1"
    """Of the account."""
    lasting_s: float = 600.0
    """For which a token holds."""
    session_s: float = 3600.0
    """For which a session can be renewed."""
    reads_per_token: int | None = None
    """After so many reads a token has ended, whatever was said; never where none."""
    taking_s: float = 0.0
    """For which a download takes at least."""
    token_failures: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Status, headers and content of the next answers of the login."""
    file_failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Those of the downloads, to who has a token that holds."""
    file_failure: bytes = b"{}"
    """Their content."""
    grants: list[str] = field(default_factory=list)
    """By which tokens were got so far: `password` or `refresh_token`."""
    lent: list[str] = field(default_factory=list)
    """Tokens so far."""
    reads: list[str] = field(default_factory=list)
    """Names of the files that were read."""
    refusals: int = 0
    """Of downloads so far, for want of a token that holds."""
    most_at_once: int = 0
    """Downloads at one time."""
    _sessions: dict[str, float] = field(default_factory=dict)
    _ends: dict[str, float] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _at_once: int = 0

    @property
    def token_url(self) -> str:
        """Address of the login."""
        return self.url + TOKENS

    @property
    def secrets(self) -> list[str]:
        """What must stand nowhere."""
        return [self.user, self.password, *self.lent, *self._sessions]

    def answer(self, request: Request) -> Answer:
        """What it answers."""
        if request.target == TOKENS:
            with self._lock:
                return self._log_in({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            many = self._at_once > MOST
        try:
            time.sleep(self.taking_s)
            with self._lock:
                return Answer(429) if many else self._read(request)
        finally:
            with self._lock:
                self._at_once -= 1

    def _log_in(self, form: dict[str, str]) -> Answer:
        if self.token_failures:
            status, headers, content = self.token_failures.pop(0)
            return Answer(status, content, headers)
        grant = form.get("grant_type", "")
        if form.get("client_id") != "cdse-public":
            return _refused("unauthorized_client", "Invalid client", 400)
        if grant == "refresh_token" and self._sessions.get(form["refresh_token"], 0.0) < time.time():
            return _refused("invalid_grant", "Token is not active", 400)
        if grant == "password" and (form["username"], form["password"]) != (self.user, self.password):
            return _refused("invalid_grant", "Invalid user credentials", 401)
        self.grants.append(grant)
        token, renewal = f"eyJplantedAccessToken{len(self.lent):04}", f"eyJplantedRefreshToken{len(self.lent):04}"
        self.lent.append(token)
        self._ends[token], self._sessions[renewal] = time.time() + self.lasting_s, time.time() + self.session_s
        stated = {"access_token": token, "expires_in": self.lasting_s, "token_type": "Bearer"}
        return Answer(body=json.dumps(stated | {"refresh_token": renewal, "refresh_expires_in": self.session_s}).encode())

    def _read(self, request: Request) -> Answer:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        used = self._counts.get(token, 0)
        worn = self.reads_per_token is not None and used >= self.reads_per_token
        if time.time() > self._ends.get(token, 0.0) or worn:
            self.refusals += 1
            return Answer(401, b'{"detail": "Expired signature!"}')
        if self.file_failures:
            status, headers = self.file_failures.pop(0)
            return Answer(status, self.file_failure, headers)
        self._counts[token] = used + 1
        names = re.findall(r"Nodes\(([^)]*)\)", unquote(request.target))
        found = next(self.folder.rglob(names[-1]), None) if names and request.target.endswith("/$value") else None
        if found is None:
            return Answer(404, b'{"detail": "Product not found"}')
        self.reads.append(names[-1])
        return Answer(body=found, headers={"ETag": '"1"'})


def _refused(error: str, said: str, status: int) -> Answer:
    return Answer(status, json.dumps({"error": error, "error_description": said}).encode())


@contextmanager
def serve_cdse(folder: Path) -> Iterator[CdseDouble]:
    """A double of it over a folder."""
    double = CdseDouble(folder)
    with serve_answers(double.answer) as url:
        double.url = url
        yield double


@contextmanager
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody whom the Data Space knows, and signers that know nobody either, before and after."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for forget in (cdse_access.signer.cache_clear, access._signers.cache_clear):
        forget()
    yield
    for forget in (cdse_access.signer.cache_clear, access._signers.cache_clear):
        forget()

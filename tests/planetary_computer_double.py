"""Planetary Computer's token server and its blob storage, as one server: the storage is reached through it as a proxy.

    with serve_planetary_computer(folder) as double, used(double, monkeypatch):
        ...

Files are those below `folder`, by container and path. Storage answers as Azure's does: 409 to who has no token, 403 to one that
is not of that container, that has ended or that was revoked.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from curate.sources import access
from curate.sources.planetary_computer import tokens as planetary_computer_tokens
from tests.ranged_files import Answer, Request, serve_answers

TOKENS = "/api/sas/v1/token"
CONTAINERS = {
    "sentinel2l2a01/sentinel2-l2", "landsateuwest/landsat-c2", "naipeuwest/naip", "sentinel1euwestrtc/sentinel1-grd-rtc",
    "elevationeuwest/copernicus-dem",
}  # fmt: skip


@dataclass
class PlanetaryComputerDouble:
    """The running server, and what it does."""

    folder: Path
    """Whose files it serves."""
    url: str = ""
    """Its address, as a server and as a proxy."""
    lasting_s: float = 2700.0
    """For which it lends a token."""
    reads_per_token: int | None = None
    """After so many reads a token is revoked, whatever it says; never where none."""
    token_failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers of the token server; then it lends."""
    file_failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Those of the storage, to who has a token that holds."""
    subscription_key: str | None = None
    """The only key that it accepts; it cares for none where none."""
    lent: list[str] = field(default_factory=list)
    """Signatures so far, in order."""
    reads: list[tuple[str, str]] = field(default_factory=list)
    """Path and signature of what was read."""
    refusals: int = 0
    """Of the storage so far."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _containers: dict[str, tuple[str, float]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def token_url(self) -> str:
        """Address of the token server."""
        return self.url + TOKENS

    def answer(self, request: Request) -> Answer:
        """What it answers."""
        with self._lock:
            path = urlsplit(request.target).path
            if path.startswith(TOKENS):
                return self._lend(path.removeprefix(TOKENS).strip("/"), request)
            return self._read(request)

    def _lend(self, container: str, request: Request) -> Answer:
        if self.token_failures:
            status, headers = self.token_failures.pop(0)
            return Answer(status, b'{"message": "Too many requests"}', headers)
        key = request.headers.get("Ocp-Apim-Subscription-Key")
        if key is not None and key != self.subscription_key:
            return Answer(401, b'{"message": "Access denied due to invalid subscription key."}')
        if container not in CONTAINERS:
            return Answer(404, b'{"detail": "Not Found"}')
        signature, until = f"plantedSignature{len(self.lent)}", time.time() + self.lasting_s
        self.lent.append(signature)
        self._containers[signature] = container, until
        end = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        token = f"st=2026-01-01T00%3A00%3A00Z&se={end.replace(':', '%3A')}&sp=rl&sv=2025-07-05&sr=c&sig={signature}"
        return Answer(body=json.dumps({"msft:expiry": end, "token": token}).encode())

    def _read(self, request: Request) -> Answer:
        parts = urlsplit(request.target)
        signature = parse_qs(parts.query).get("sig", [""])[0]
        account, container = parts.netloc.partition(".")[0], parts.path.lstrip("/").partition("/")[0]
        if not signature:
            return self._refuse(409, "PublicAccessNotPermitted")
        known, until = self._containers.get(signature, ("", 0.0))
        used = self._counts.get(signature, 0)
        worn = self.reads_per_token is not None and used >= self.reads_per_token
        if known != f"{account}/{container}" or time.time() > until or worn:
            return self._refuse(403, "AuthenticationFailed")
        if self.file_failures:
            status, headers = self.file_failures.pop(0)
            return Answer(status, b"<Error/>", headers)
        self._counts[signature] = used + 1
        self.reads.append((parts.path, signature))
        file = self.folder / parts.path.lstrip("/")
        return Answer(body=file, headers={"ETag": '"1"'}) if file.is_file() else Answer(404, b"<Error>BlobNotFound</Error>")

    def _refuse(self, status: int, code: str) -> Answer:
        self.refusals += 1
        return Answer(status, f"<Error><Code>{code}</Code></Error>".encode())


@contextmanager
def serve_planetary_computer(folder: Path) -> Iterator[PlanetaryComputerDouble]:
    """A double of it over a folder."""
    double = PlanetaryComputerDouble(folder)
    with serve_answers(double.answer) as url:
        double.url = url
        yield double


@contextmanager
def used(double: PlanetaryComputerDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lead this process's tokens and blob storage to a double; the package reads its settings once, so anew here."""
    sas, _ = planetary_computer_tokens._package()
    monkeypatch.delenv("PC_SDK_SUBSCRIPTION_KEY", raising=False)
    monkeypatch.setenv("PC_SDK_SAS_URL", double.token_url)
    monkeypatch.setenv("http_proxy", double.url)
    monkeypatch.setenv("HTTP_PROXY", double.url)
    for forget in (sas.Settings.get.cache_clear, planetary_computer_tokens.signer.cache_clear, access._signers.cache_clear):
        forget()
    yield
    for forget in (sas.Settings.get.cache_clear, planetary_computer_tokens.signer.cache_clear, access._signers.cache_clear):
        forget()

"""A stand-in for S3 over a folder that reads presigned addresses as strictly as AWS: who signs, for how long, who pays.

References:
    AWS, "Authenticating requests: using query parameters (AWS Signature Version 4)"; "Requester Pays buckets", troubleshooting.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.curate.reading.scripted_server import Answer, Asked, Scripted, part_of, serve_script


@dataclass
class PayingBucket:
    """A running store."""

    folder: Path
    """Of which each folder is a bucket."""
    keys: dict[str, str]
    """Secret key by access key, of the accounts that may read."""
    region: str
    """Of all buckets."""
    clock: Callable[[], float] = time.time
    """The store's time."""
    server: Scripted | None = None
    """Where it listens."""
    reads: list[str] = field(default_factory=list)
    """Access key of each request that was answered with bytes."""
    refusals: list[str] = field(default_factory=list)
    """Code of each that was refused."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the next requests get instead of an answer."""
    after: dict[int, Callable[[], None]] = field(default_factory=dict)
    """What happens once so many requests were answered with bytes."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """One request is judged at a time."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead to it, with one of its accounts."""
        assert self.server is not None
        key, secret = next(iter(self.keys.items()))
        return {"AWS_ENDPOINT_URL": self.server.url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}

    def answer(self, asked: Asked) -> Answer:
        """Bytes, or why there are none."""
        with self.lock:
            return self._judge(asked)

    def _judge(self, asked: Asked) -> Answer:
        self.after.pop(len(self.reads), lambda: None)()
        if self.failures:
            return Answer(self.failures.pop(0))
        parts = urlsplit(asked.target)
        query = dict(parse_qsl(parts.query))
        key, _, scope = query.get("X-Amz-Credential", "").partition("/")
        refusal = self._why_not(asked, query, key, scope)
        if refusal is not None:
            self.refusals.append(refusal[1])
            body = f"<Error><Code>{refusal[1]}</Code></Error>".encode()
            return Answer(refusal[0], body, {"x-amz-bucket-region": self.region})
        path = self.folder / unquote(parts.path).lstrip("/")
        if not path.is_file():
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        self.reads.append(key)
        return part_of(path.read_bytes(), asked, ETag='"1"')

    def _why_not(self, asked: Asked, query: Mapping[str, str], key: str, scope: str) -> tuple[int, str] | None:
        if "X-Amz-Signature" not in query or query.get("x-amz-request-payer") != "requester":
            return 403, "AccessDenied"
        if key not in self.keys:
            return 403, "InvalidAccessKeyId"
        if scope.split("/")[1] != self.region:
            return 400, "AuthorizationQueryParametersError"
        began = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if self.clock() > began + int(query["X-Amz-Expires"]):
            return 403, "AccessDenied"
        signed = signature_of(asked, query, self.keys[key], scope)
        return None if hmac.compare_digest(signed, query["X-Amz-Signature"]) else (403, "SignatureDoesNotMatch")


def signature_of(asked: Asked, query: Mapping[str, str], secret: str, scope: str) -> str:
    """What the signature of a presigned GET must be."""
    others = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    listed = "&".join(f"{name}={value}" for name, value in others if name != "X-Amz-Signature")
    path = quote(unquote(urlsplit(asked.target).path), safe="/-_.~")
    canonical = "\n".join(["GET", path, listed, f"host:{asked.headers['host']}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@contextmanager
def serve_paying_bucket(folder: Path, region: str, keys: Mapping[str, str]) -> Iterator[PayingBucket]:
    """Serve folders as buckets whose requester pays.

    Args:
        folder: Of the buckets.
        region: Where they are.
        keys: Secret key by access key.
    """
    bucket = PayingBucket(folder, dict(keys), region)
    with serve_script(bucket.answer) as bucket.server:
        yield bucket

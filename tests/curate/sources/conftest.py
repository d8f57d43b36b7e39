"""Sources are patient; their tests are not."""

from collections.abc import Iterator

import pytest

from curate.reading import buckets
from curate.sources import access, documents, gdal_files


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many tries as ever, without the pauses between them."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(gdal_files, "RETRY_DELAYS_S", (0.01, 0.01))
    monkeypatch.setitem(gdal_files.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.01")
    documents._session.cache_clear()
    yield
    documents._session.cache_clear()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Made-up credentials of AWS, and a signer that knows no others; gives what sets further variables."""
    names = ("REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT", "PROFILE", "SKIP_SIGNATURE", "SESSION_TOKEN")
    for name in names:
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUPFORTESTS00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-and-never-written")
    buckets.forget_credentials()
    buckets.signer.cache_clear()
    access._signers.cache_clear()
    yield monkeypatch
    buckets.forget_credentials()
    buckets.signer.cache_clear()
    access._signers.cache_clear()

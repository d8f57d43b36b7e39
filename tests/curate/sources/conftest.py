"""Sources are patient; their tests are not."""

from collections.abc import Iterator

import pytest

from curate.sources import documents, rasters


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many tries as ever, without the pauses between them."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0)
    monkeypatch.setattr(rasters, "RETRY_DELAYS_S", (0.01, 0.01))
    monkeypatch.setitem(rasters.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.01")
    documents._session.cache_clear()
    yield
    documents._session.cache_clear()

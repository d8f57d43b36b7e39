"""What several of the tests from end to end read, made once."""

import pytest

from tests.end_to_end.commands import curate


@pytest.fixture(scope="session")
def whole_eurosat(shared_data, tmp_path_factory):
    """All 27,000 images as a catalog, to be read alone."""
    archive = shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    catalog = tmp_path_factory.mktemp("whole") / "eurosat"
    assert curate("convert", "eurosat", archive, "--out", catalog, "--quiet") == 0
    return catalog

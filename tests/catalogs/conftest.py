"""Catalogs to damage."""

import shutil

import pytest

from catalogs.testing import make_catalog, make_locations


@pytest.fixture(scope="session")
def sound_catalog(tmp_path_factory):
    """Two locations, two seasons of Sentinel-2, items as files; not to be changed."""
    return make_catalog(tmp_path_factory.mktemp("sound") / "test", locations=make_locations(2))


@pytest.fixture
def catalog(sound_catalog, tmp_path):
    """A copy of it."""
    return shutil.copytree(sound_catalog, tmp_path / "test")


@pytest.fixture
def index_only(tmp_path):
    """The same, its items rows alone."""
    return make_catalog(tmp_path / "test", locations=make_locations(2), json_items=False)

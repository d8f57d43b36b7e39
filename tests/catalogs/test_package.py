"""The package's public names, and what using them costs and needs."""

import subprocess
import sys

import pytest

import catalogs
from catalogs.testing import make_catalog, make_locations

HEAVY = ("geopandas", "obstore", "pandas", "pyproj", "pystac", "rasterio", "scipy", "shapely", "torch")
READ_WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from catalogs import open_catalog
items = open_catalog({folder!r}).items(split="train", max_cloud_percent=50, bbox=(-180, -90, 180, 90))
scenes = [scene for _, scenes in items.by_location() for scene in scenes]
print(len(items), len(items.table), len(scenes), scenes[0].bands[0])
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", catalogs.__all__)
def test_every_public_name_is_there(name):
    assert getattr(catalogs, name) is not None
    assert sum(name in names for names in catalogs._HOMES.values()) == 1


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'catalogs' has no attribute 'open_catalogue'"):
        catalogs.open_catalogue  # noqa: B018


def test_importing_the_package_loads_nothing_else():
    loaded = run("import sys; before = set(sys.modules); import catalogs; print(*(set(sys.modules) - before))").split()
    assert [name for name in loaded if name.startswith("catalogs")] == ["catalogs"]
    assert not {"numpy", "pyarrow", *HEAVY} & set(loaded)


def test_looking_through_a_catalog_needs_numpy_and_pyarrow_alone(tmp_path):
    folder = make_catalog(tmp_path / "cat", locations=make_locations(2))
    assert run(READ_WITHOUT.format(heavy=HEAVY, folder=str(folder))) == "4 4 4 B02"

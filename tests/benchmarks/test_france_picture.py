from PIL import Image

from catalogs.locations import read_locations
from catalogs.testing import make_catalog
from tests.benchmarks.france_picture import PALETTE, draw_picture
from tests.conftest import ROOT


def test_the_picture_shows_the_first_locations_in_few_colours(tmp_path):
    folder = make_catalog(tmp_path / "cat", seasons=4)
    shown = draw_picture(folder, tmp_path / "france.png")
    assert shown == sorted(location.id for location in read_locations(folder / "locations.parquet"))
    with Image.open(tmp_path / "france.png") as drawn, Image.open(ROOT / ".github" / "france.png") as kept:
        assert drawn.size == kept.size
        assert drawn.mode == kept.mode == "P"
        assert len(drawn.getcolors()) <= PALETTE


def test_the_picture_in_the_readme_is_small():
    assert (ROOT / ".github" / "france.png").stat().st_size < 100_000

"""Paths from ids, and hrefs that would leave the catalog."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from catalogs import layout
from catalogs.errors import UnsafeHrefError
from catalogs.records import Location

PLACE = Location("france-000412", 32631, (447000, 5408040, 449640, 5410680))


def test_paths_are_those_of_the_contract():
    folder = layout.Layout.of([PLACE]).folder(PLACE)
    stem = layout.stem(datetime(2023, 7, 14, 10, 50, 31, 24000, tzinfo=UTC), None, None)
    assert (
        f"{folder}/{layout.item_name(layout.item_id(PLACE.id, stem))}"
        == "31UDQ/france-000412/france-000412_20230714T105031.json"
    )
    assert layout.asset_name(stem, "10m") == "20230714T105031_10m.tif"


def test_a_vintage_is_named_by_its_days():
    assert layout.stem(None, datetime(2021, 4, 1, tzinfo=UTC), datetime(2021, 9, 30, tzinfo=UTC)) == "20210401_20210930"


def test_a_crowded_square_is_split_by_its_ten_kilometre_digits():
    many = [
        Location(f"a-{i:06d}", 32631, (447000 + 60 * (i % 800), 5408040, 449640 + 60 * (i % 800), 5410680)) for i in range(2001)
    ]
    assert layout.Layout.of(many[:2000]).folder(many[0]) == "31UDQ/a-000000"
    assert layout.Layout.of(many).folder(many[0]) == "31UDQ/40/a-000000"
    assert layout.Layout.of(many).folder(many[300]) == "31UDQ/60/a-000300"


def test_images_without_a_grid_square_lie_by_thousands():
    groundless = [Location(f"images-{i:06d}", None, (0, 0, 640, 640)) for i in range(12_000, 14_500)]
    elsewhere = Location("images-014999", 32632, (500_017, 5_400_009, 500_617, 5_400_609), off_lattice=True)
    where = layout.Layout.of([*groundless, elsewhere])
    assert where.crowded == frozenset()
    assert [where.folder(place) for place in (groundless[345], elsewhere)] == ["012/images-012345", "014/images-014999"]
    folders = Counter(where.folder(place).partition("/")[0] for place in groundless)
    assert folders == {"012": 1000, "013": 1000, "014": 500}
    assert layout.Layout().folder(Location("many-1234567", None, (0, 0, 9, 9))) == "1234/many-1234567"


@pytest.mark.parametrize(
    "href", ["../../../secret.tif", "/etc/passwd", "https://example.com/a.tif", "C:\\data\\a.tif", "..", "a/../../b"]
)
def test_an_href_that_leaves_the_root_is_refused(href):
    with pytest.raises(UnsafeHrefError, match="leaves the catalog's folder"):
        layout.join("", href)


def test_hrefs_within_the_root_are_joined():
    assert layout.join("31UDQ/a", "./b.tif") == "31UDQ/a/b.tif"
    assert layout.join("31UDQ/a", "../catalog.json") == "31UDQ/catalog.json"

"""USGS against its recorded item: which of an asset's addresses is read, what the numbers mean, who pays."""

import json
from datetime import UTC, datetime

import pytest

from curate.errors import CurateError
from curate.sources import PROVIDERS, open_source
from curate.sources.usgs import ABOUT, ADDRESS, COLLECTIONS, NAME, from_bucket, usgs
from tests.curate.sources.test_stac_api import EXTENDED, HERE, items, landing
from tests.curate.sources.told import assert_bands_as_told
from tests.servers import replay

LANDSAT = "landsat-c2-l2"
FILE = "stac_recorded/stacchip/landsat-c2l2-sr-LC09_L2SR_086107_20240311_20240312_02_T2_SR.json"
BUCKET = "s3://usgs-landsat/collection02/level-2/standard/oli-tirs/2024/086/107/LC09_L2SR_086107_20240311_20240312_02_T2/"
LOGIN = BUCKET.replace("s3://usgs-landsat/", "https://landsatlook.usgs.gov/data/")
DAYS = (datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
WORLD = (-180.0, -90.0, 180.0, 90.0)


@pytest.fixture
def item(shared_data):
    """The recorded item as the API gives it: with the addresses that want a login first."""
    found = json.loads((shared_data / FILE).read_text())
    for asset in found["assets"].values():
        asset["href"] = asset["href"].replace(BUCKET, LOGIN)
    return found | {"collection": "landsat-c2l2-sr"}


def search(item, **options):
    with replay([landing(EXTENDED), items(item)], instead_of=HERE) as api:
        scenes = usgs(address=api.url, **options).search(LANDSAT, WORLD, *DAYS)
        posts = [body for method, _, body in api.requests if method == "POST"]
    return scenes, posts


def test_files_are_read_from_the_bucket_that_the_item_names_as_its_alternate(item, aws):
    ((scene,), (asked,)) = search(item)
    assert asked["collections"] == ["landsat-c2l2-sr"]
    assert asked["query"] == {"platform": {"in": ["LANDSAT_8", "LANDSAT_9"]}}
    assert list(scene.bands) == ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "qa_pixel"]
    assert_bands_as_told("usgs", [scene])
    assert all(band.href.startswith(BUCKET) for band in scene.bands.values())
    assert scene.bands["B05"].href.endswith("_SR_B5.TIF")
    assert (scene.source, scene.platform, scene.cloud_percent) == ("usgs", "landsat-9", 22.28)


def test_landsat_7_is_not_asked_for_and_a_limit_on_cloud_is(item, aws):
    scenes, (asked,) = search(item, max_scene_cloud=20)
    assert asked["query"] == {"platform": {"in": ["LANDSAT_8", "LANDSAT_9"]}, "eo:cloud_cover": {"lte": 20}}
    assert item["properties"]["platform"] in asked["query"]["platform"]["in"]
    assert scenes == []


def test_an_item_is_not_changed_and_an_asset_without_an_alternate_keeps_its_address(item):
    before = json.dumps(item)
    del item["assets"]["red"]["alternate"]
    given = from_bucket(item)
    assert given["assets"]["red"]["href"].startswith(LOGIN)
    assert given["assets"]["blue"]["href"].startswith(BUCKET)
    assert item["assets"]["blue"]["href"].startswith(LOGIN)
    assert from_bucket(json.loads(before))["properties"] == item["properties"]


def test_without_an_account_that_pays_nothing_is_begun(item, aws):
    aws.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(CurateError, match=r"s3://usgs-landsat/.*_SR_B1\.TIF is in a bucket whose requester pays: AWS bills"):
        search(item)


def test_it_is_known_by_its_name_and_asks_nothing_when_it_is_opened():
    source = open_source("usgs", max_scene_cloud=40)
    assert (source.name, source.max_scene_cloud, source.sensors()) == ("usgs", 40, [LANDSAT])
    assert PROVIDERS[NAME] == "curate.sources.usgs"
    assert ADDRESS == "https://landsatlook.usgs.gov/stac-server"
    assert [(product.sensor, (product.collection,)) for product in ABOUT.products] == list(COLLECTIONS.items())
    with pytest.raises(CurateError, match="Unknown source 'usgs:me'"):
        open_source("usgs:me")

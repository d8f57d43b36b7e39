"""The source of Earth Engine: its search through Google's own library and a local double, its presets, one band by itself."""

import os
from datetime import UTC, datetime, timedelta

import ee
import numpy as np
import pytest

from catalogs.bands import SENSORS
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.planes import is_by_location, open_planes
from curate.sources import earth_engine, open_source
from curate.sources.earth_engine import ABOUT, EarthEngineSource
from curate.sources.earth_engine import calls as earth_engine_calls
from curate.sources.protocol import looks_at_all, opened_as, reads_files
from tests.curate.sources.engine_images import FIRST_DAY, S2, landsat, sentinel_1, sentinel_2
from tests.curate.sources.engine_places import IMPATIENCE, PROJECT, account
from tests.earth_engine_double import Failure, serve_earth_engine

S2_L2A, BOX = "sentinel-2-l2a", (3.0, 51.4, 3.1, 51.45)
START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
EAST = sentinel_2(4, left=700_000, tile="T31UFS")
SECO = [sentinel_2(n, collection="COPERNICUS/S2_SR", cloudy=cloudy) for n, cloudy in enumerate((0.02, 0.1, 0.0999, 0.5))]


@pytest.fixture(scope="module")
def served(shared_data):
    images = [*(sentinel_2(number, cloudy=number / 10) for number in range(4)), EAST, landsat(0), sentinel_1(0), *SECO]
    images[0].end = images[0].start + timedelta(minutes=5)
    with serve_earth_engine(images, shared_data / "earthengine") as double:
        yield double


@pytest.fixture
def double(served, monkeypatch):
    monkeypatch.setattr(earth_engine_calls, "PATIENCE", IMPATIENCE)
    monkeypatch.setenv("EARTHENGINE_URL", served.url)
    monkeypatch.setenv("EARTHENGINE_PROJECT", PROJECT)
    for name in ("EARTHENGINE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    served.forget()
    yield served
    served.failures.clear()
    served.page_size = 1000


@pytest.fixture
def source(double):
    return EarthEngineSource(account(double.url))


def test_it_has_what_it_says_it_has():
    assert [product.sensor for product in ABOUT.products] == list(earth_engine.COLLECTIONS)
    assert all(product.sensor in SENSORS for product in ABOUT.products)
    for product in ABOUT.products:
        assert product.collection == ", ".join(each.id for each in earth_engine.COLLECTIONS[product.sensor])
        told = {band.name for band in (*product.bands, product.mask) if band}
        assert all(told <= set(each.bands) for each in earth_engine.COLLECTIONS[product.sensor])


def test_opening_it_asks_nothing(double):
    source = open_source("earth-engine")
    assert (source.name, reads_files(source), looks_at_all(source)) == ("earth-engine", False, True)
    assert is_by_location(open_planes(source, connections=2))
    assert double.requests == []


def test_a_search_gives_the_scenes_of_box_and_span_in_order_of_time(double, source):
    scenes = source.search(S2_L2A, BOX, START, END)
    assert [scene.id[:8] for scene in scenes] == ["20230106", "20230116", "20230126", "20230205"]
    assert double.count("list") == 1


def test_a_search_reads_all_pages(double, source):
    double.page_size = 2
    assert len(source.search(S2_L2A, BOX, START, END)) == 4
    tokens = [asked.get("pageToken") for kind, asked in double.requests if kind == "list"]
    assert tokens == [None, "2"]


def test_the_first_instant_counts_and_the_last_does_not(source):
    day = timedelta(days=10)
    found = source.search(S2_L2A, BOX, FIRST_DAY, FIRST_DAY + day)
    assert [scene.datetime for scene in found] == [FIRST_DAY]
    assert source.search(S2_L2A, BOX, FIRST_DAY + timedelta(seconds=1), FIRST_DAY + day) == []


def test_cloudy_scenes_are_left_out_by_the_service_already(double):
    source = EarthEngineSource(account(double.url), max_scene_cloud=20)
    assert [scene.cloud_percent for scene in source.search(S2_L2A, BOX, START, END)] == [0, 10, 20]
    assert "properties.CLOUDY_PIXEL_PERCENTAGE<=20" in double.requests[-1][1]["filter"]


def test_both_collections_of_landsat_are_asked_and_one_that_is_gone_is_said(double, source):
    with pytest.raises(SourceUnavailableError, match="Earth Engine does not have LANDSAT/LC09/C02/T1_L2"):
        source.search("landsat-c2-l2", BOX, START, END)


def test_radar_is_found_though_its_acquisition_ends_later(source):
    (scene,) = source.search("sentinel-1-grd", BOX, START, datetime(2023, 1, 6, 17, 50, 32, tzinfo=UTC))
    assert list(scene.bands) == ["vv", "vh"]


def test_an_image_of_no_use_is_said(double, source):
    image = sentinel_2(5)
    image.footprint = {"type": "Polygon", "coordinates": image.footprint["coordinates"]}
    broken = image.bands["B2"]
    image.bands = {**image.bands, "B2": type(broken)(broken.pixels, broken.epsg, (10, 0, 0, 0, -20, 0))}
    double.images.append(image)
    try:
        assert len(source.search(S2_L2A, BOX, START, END)) == 4
    finally:
        double.images.remove(image)
    assert source.skipped == {image.id: "its pixels are rotated or oblong (10 x -20)"}


def test_secos_query_takes_images_below_ten_percent_of_the_collection_that_seco_took(double):
    source = open_source("earth-engine:seco")
    assert (source.name, source.max_scene_cloud, source.sensors()) == ("earth-engine:seco", 10, [S2_L2A])
    scenes = source.search(S2_L2A, BOX, START, END)
    assert [scene.cloud_percent for scene in scenes] == pytest.approx([2, 9.99])
    assert {scene.radiometry for scene in scenes} == {"baseline"}
    assert {scene.bands["B04"].offset for scene in scenes} == {-0.1}
    asked = double.requests[-1][1]["filter"]
    assert "CLOUDY_PIXEL_PERCENTAGE<10" in asked


def test_a_project_may_be_named_beside_the_preset_and_is_no_part_of_the_name(double):
    for text, name in (("earth-engine:a-project-1", "earth-engine"), ("earth-engine:seco:a-project-1", "earth-engine:seco")):
        source = open_source(text)
        assert source.name == name
        assert source.account.project == "a-project-1"
        assert opened_as(source) == f"{name}:a-project-1"
        assert open_source(opened_as(source)).account.project == "a-project-1"


def test_a_project_that_was_named_once_is_not_asked_for_later(double):
    open_source("earth-engine:a-project-1")
    assert os.environ["EARTHENGINE_PROJECT"] == PROJECT
    assert open_source("earth-engine").account.project == PROJECT


def test_two_of_it_are_not_joined_since_its_library_serves_one_account_at_a_time(double):
    words = r"names earth-engine and earth-engine:seco, both of earth-engine, whose library serves one account at a time"
    with pytest.raises(CurateError, match=words):
        open_source("earth-engine:a-project-1,earth-engine:seco")
    joined = open_source("earth-engine:a-project-1,earth-search")
    assert opened_as(joined) == "earth-engine:a-project-1,earth-search"
    assert joined.name == "earth-engine,earth-search"


def test_two_projects_are_refused(double):
    with pytest.raises(CurateError, match=r"names 2 projects: a-project-1, b-project-1\. Name one, or none"):
        open_source("earth-engine:a-project-1:b-project-1")


def test_a_sensor_that_it_lacks_is_refused(source):
    with pytest.raises(
        SourceSensorError, match=r"earth-engine has no naip\. Choose from: sentinel-2-l2a, sentinel-2-l1c, landsat"
    ):
        source.search("naip", BOX, START, END)


def test_one_band_is_read_by_itself(double, source):
    scene = source.search(S2_L2A, BOX, START, END)[0]
    image = next(each for each in double.images if each.id == f"{S2}/{scene.id}")
    with source.open(scene.bands["B05"]) as raster:
        pixels = raster.read((7, 11, 20, 30))
        assert (raster.data_type, raster.nodata, raster.checksum, raster.grid.gsd) == ("uint16", 0, None, 20)
    np.testing.assert_array_equal(pixels, image.bands["B5"].pixels[11:41, 7:27])


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("list", 401, "Earth Engine refuses no credentials"),
        ("list", 403, "may not use Earth Engine"),
        ("list", 429, "asks too much"),
        ("list", 500, "does not answer: HTTP 500"),
        ("list", 0, "does not answer: no connection"),
        ("algorithms", 403, "may not use Earth Engine"),
        ("algorithms", 401, "Earth Engine refuses no credentials"),
        ("discovery", 503, "does not answer: HTTP 503"),
    ],
)
def test_what_a_user_reads_when_a_search_fails(double, source, kind, status, words):
    double.failures.append(Failure(kind, status, "Made up. See https://host/?key=secret", times=99))
    ee.Reset()  # so that the algorithms are asked for again
    source._engine().stop()
    with pytest.raises(CurateError, match=words) as caught:
        source.search(S2_L2A, BOX, START, END)
    assert "secret" not in str(caught.value)
    source._engine().stop()


def test_a_check_says_what_answers(double):
    assert earth_engine.check() == f"answers for project {PROJECT}; 0 scenes over Toulouse in a week of June 2023"
    assert earth_engine.check("a-project-1").startswith("answers for project a-project-1;")


@pytest.mark.network
def test_earth_engine_itself_answers_and_gives_a_window(monkeypatch):
    monkeypatch.delenv("EARTHENGINE_URL", raising=False)
    assert earth_engine.check().startswith("answers for project")
    source = open_source("earth-engine")
    scene = source.search(S2_L2A, (1.4, 43.5, 1.5, 43.6), datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 6, 8, tzinfo=UTC))[0]
    with source.open(scene.bands["B05"]) as raster:
        assert raster.read((2_700, 2_700, 16, 16)).shape == (16, 16)

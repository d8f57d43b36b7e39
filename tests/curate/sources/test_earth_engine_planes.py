"""Planes through Earth Engine's own library and a local double: the very pixels of its images, one request a location."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from catalogs.bands import find_sensor
from catalogs.lattice import transformer
from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.fetch import band_asks, finish_plane, mask_ask, plan_plane
from curate.sources.earth_engine import calls as earth_engine_calls
from curate.sources.earth_engine import planes as earth_engine_planes
from curate.sources.earth_engine.calls import EarthEngine
from curate.sources.earth_engine.failures import AccountRefusedError
from curate.sources.earth_engine.images import COLLECTIONS, read_address, to_scene
from curate.sources.earth_engine.planes import EarthEnginePlanes
from tests.curate.sources.engine_images import landsat, sentinel_1, sentinel_2
from tests.curate.sources.engine_places import IMPATIENCE, account, running, square
from tests.earth_engine_double import Failure

LEFT, TOP = 501_000, 5_698_980
X, Y = transformer(32631, 32632).transform(LEFT + 300, TOP - 300)
OTHER_ZONE = sentinel_2(9, left=round(X / 60) * 60 - 3_000, top=round(Y / 60) * 60 + 3_000, epsg=32632, tile="T32ULB")
IMAGES = [
    sentinel_2(0),
    sentinel_2(1, cloudy=0.4),
    sentinel_2(2, left=499_980 - 3_000, tile="T31UDS"),
    landsat(0),
    sentinel_1(0),
]
SENSORS = {"COPERNICUS/S2": "sentinel-2-l2a", "LANDSAT": "landsat-c2-l2", "COPERNICUS/S1": "sentinel-1-grd"}


def sensor_of(image):
    return next(sensor for start, sensor in SENSORS.items() if image.id.startswith(start))


def scene_of(image):
    return to_scene(image.to_json(), sensor_of(image), COLLECTIONS[sensor_of(image)][0], source="earth-engine")


def asks_of(images, location, *, masks=False):
    asks = []
    for image in images:
        scene = scene_of(image)
        found = [mask_ask(scene, location)] if masks else band_asks(scene, find_sensor(scene.sensor).bands, location)
        asks += [((image.id, location.id, ask.band.href), ask) for ask in found]
    return asks


def plain_plane(ask, images):
    """The slow twin: the pixels of the arrays themselves, nodata where Earth Engine has none."""
    band = read_address(ask.band)
    held = next(image for image in images if image.id == band.image).bands[band.name]
    pixels = held.pixels if held.masked is None else np.where(held.masked, band.nodata, held.pixels)
    pixels = pixels if held.transform[0] > 0 else pixels[:, ::-1]
    plan = plan_plane(band, ask)
    column, row, width, height = plan.part
    return finish_plane(plan, pixels[row : row + height, column : column + width].astype(band.data_type))


@pytest.fixture(scope="module")
def served(shared_data):
    with running([*IMAGES, OTHER_ZONE], shared_data) as (double, engine):
        yield double, EarthEnginePlanes(engine, connections=8)


@pytest.fixture
def double(served, monkeypatch):
    monkeypatch.setattr(earth_engine_calls, "PATIENCE", IMPATIENCE)
    served[0].forget()
    yield served[0]
    served[0].failures.clear()
    served[0].headers, served[0].slowness_s, served[0].token = {}, 0.0, None


@pytest.fixture
def planes(served, double):
    return served[1]


@pytest.fixture
def fresh(double):
    """A reader of its own, which a test may stop or wear out."""
    reader = EarthEnginePlanes(EarthEngine(account(double.url)), connections=8)
    yield reader
    reader.close()


def check(read, asks, images):
    assert set(read) == {key for key, _ in asks}
    for key, ask in asks:
        expected = plain_plane(ask, images)
        assert read[key].pixels.dtype == expected.pixels.dtype
        np.testing.assert_array_equal(read[key].pixels, expected.pixels)
        assert (read[key].grid, read[key].source, read[key].resampling) == (expected.grid, expected.source, expected.resampling)


def test_all_bands_of_all_dates_of_a_location_are_one_request_for_its_own_pixels(double, planes):
    asks = asks_of(IMAGES[:3], square(LEFT, TOP))
    check(dict(planes.read(asks)), asks, IMAGES)
    assert len(asks) == 30
    assert double.count("pixels") == 1


def test_masks_of_a_location_are_one_request(double, planes):
    asks = asks_of(IMAGES[:3], square(LEFT, TOP), masks=True)
    check(dict(planes.read(asks)), asks, IMAGES)
    sizes = [asked["grid"]["dimensions"] for kind, asked in double.requests if kind == "pixels"]
    assert sizes == [{"width": 30, "height": 30}]


def test_each_lattice_and_each_location_has_its_own_request(double, planes):
    locations = [square(LEFT, TOP), square(LEFT + 60, TOP - 600)]
    asks = [ask for location in locations for ask in asks_of(IMAGES, location)]
    check(dict(planes.read(asks)), asks, IMAGES)
    assert double.count("pixels") == 2 * 3


def test_what_has_to_be_warped_is_read_on_its_own_lattice_and_warped_here(double, planes):
    asks = asks_of([OTHER_ZONE, IMAGES[3]], square(LEFT, TOP))
    read = dict(planes.read(asks))
    check(read, asks, [*IMAGES, OTHER_ZONE])
    assert {plane.resampling for plane in read.values()} == {"cubic"}
    codes = [asked["grid"]["crsCode"] for kind, asked in double.requests if kind == "pixels"]
    assert sorted(codes) == ["EPSG:32631", "EPSG:32632"]


def test_masked_pixels_and_those_beyond_an_image_are_nodata(planes):
    location = square(499_980 - 300, 5_700_000 + 300)
    for image, nodata in ((IMAGES[0], 0), (IMAGES[4], -32768)):
        asks = asks_of([image], location)
        read = dict(planes.read(asks))
        check(read, asks, IMAGES)
        for key, _ in asks:
            pixels = read[key].pixels
            assert (pixels[: pixels.shape[0] // 4] == nodata).all()
            assert 0.05 < (pixels == nodata).mean() < 1


def test_a_square_beside_all_images_asks_nothing(double, planes):
    asks = asks_of(IMAGES[:1], square(LEFT + 60_000, TOP))
    assert all((plane.pixels == 0).all() for plane in dict(planes.read(asks)).values())
    assert double.count("pixels") == 0


def test_an_image_that_was_withdrawn_spoils_no_other(double, planes):
    gone = sentinel_2(7)
    asks = asks_of([IMAGES[0], gone, IMAGES[1], IMAGES[2]], square(LEFT, TOP))
    read = dict(planes.read(asks))
    good = [(key, ask) for key, ask in asks if key[0] != gone.id]
    check({key: plane for key, plane in read.items() if key[0] != gone.id}, good, IMAGES)
    lost = [plane for key, plane in read.items() if key[0] == gone.id]
    assert len(lost) == 10
    assert all(isinstance(plane, SourceUnavailableError) for plane in lost)
    assert f"Earth Engine does not have {gone.id} (Google: Image.load: Image asset" in str(lost[0])
    assert double.count("pixels") == 5


def test_what_is_refused_whatever_is_asked_is_not_asked_for_image_by_image(double, planes, monkeypatch):
    monkeypatch.setattr(earth_engine_planes, "HALVINGS", 1)
    double.failures.append(Failure("pixels", 400, "Invalid JSON payload received.", times=99))
    read = dict(planes.read(asks_of(IMAGES[:3], square(LEFT, TOP))))
    assert all(isinstance(plane, SourceUnavailableError) for plane in read.values())
    assert len(read) == 30
    assert double.count("pixels") == 3


def test_a_computation_that_is_too_much_is_tried_in_halves(double, planes):
    double.failures.append(Failure("pixels", 400, "User memory limit exceeded."))
    asks = asks_of(IMAGES[:2], square(LEFT, TOP))
    check(dict(planes.read(asks)), asks, IMAGES)
    assert double.count("pixels") == 3


def test_a_refused_image_alone_fails_with_what_was_said(double, planes):
    double.failures.append(Failure("pixels", 400, "Computation timed out."))
    (error, *_) = dict(planes.read(asks_of(IMAGES[:1], square(LEFT, TOP)))).values()
    assert f"refuses what was asked of {IMAGES[0].id}: HTTP 400: Computation timed out.. What is done is kept" in str(error)


@pytest.mark.parametrize("content", [b"", b"no pixels", b"\x93NUMPY\x01\x00"])
def test_an_answer_that_is_no_array_fails_with_how_long_it_was(double, planes, content):
    double.failures.append(Failure("pixels", 200, content=content))
    (error, *_) = dict(planes.read(asks_of(IMAGES[:1], square(LEFT, TOP)))).values()
    assert f"gave {len(content)} bytes for {IMAGES[0].id} that are no pixels in NumPy's format" in str(error)


@pytest.mark.parametrize("status", [500, 503, 429, 0])
def test_what_passes_is_asked_again_and_counted(double, planes, status):
    before = planes.fetched
    double.failures.append(Failure("pixels", status, "Too many requests.", times=2))
    asks = asks_of(IMAGES[:1], square(LEFT, TOP))
    check(dict(planes.read(asks)), asks, IMAGES)
    now = planes.fetched
    assert (now.requests - before.requests, now.retries - before.retries) == (3, 2)
    assert now.throttled - before.throttled == (2 if status == 429 else 0)
    header = now.bytes - before.bytes - 60 * 60 * 10 * 2
    assert 0 < header < 1_000


def test_a_service_that_fails_for_good_fails_the_location_and_says_to_run_again(double, fresh):
    double.failures.append(Failure("pixels", 503, "Service unavailable", times=99))
    (error, *_) = dict(fresh.read(asks_of(IMAGES[:1], square(LEFT, TOP)))).values()
    assert isinstance(error, SourceUnavailableError)
    assert not isinstance(error, HostDownError)
    assert "does not answer: HTTP 503: Service unavailable. Check the network" in str(error)
    assert "run the same command again" in str(error)


def test_a_quota_that_stays_spent_is_told_with_what_it_is(double, fresh):
    double.failures.append(Failure("pixels", 429, "Quota exceeded for quota metric", times=99))
    (error, *_) = dict(fresh.read(asks_of(IMAGES[:1], square(LEFT, TOP)))).values()
    assert "project my-project-1 asks too much (Google: Quota exceeded for quota metric)" in str(error)
    assert "EECU-hours a month by its tier (Community 150)" in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, AccountRefusedError, r"refuses no credentials.*run `earthengine authenticate --force`"),
        (403, CurateError, r"Project my-project-1 may not use Earth Engine with no credentials \(Google: Not registered\)"),
    ],
)
def test_an_account_that_is_refused_ends_the_reading(double, fresh, status, kind, words):
    double.failures.append(Failure("pixels", status, "Not registered", times=99))
    with pytest.raises(kind, match=words) as caught:
        list(fresh.read(asks_of(IMAGES[:1], square(LEFT, TOP))))
    assert caught.value.exit_code == (4 if status == 401 else 2)


def test_an_image_that_is_refused_spoils_no_other(double, planes):
    refused = IMAGES[1].id
    said = f"Permission denied on resource projects/earthengine-public/assets/{refused}"
    double.failures.append(Failure("pixels", 403, said, times=99, only=refused))
    asks = asks_of(IMAGES[:3], square(LEFT, TOP))
    read = dict(planes.read(asks))
    good = [(key, ask) for key, ask in asks if key[0] != refused]
    check({key: plane for key, plane in read.items() if key[0] != refused}, good, IMAGES)
    (error, *_) = (plane for key, plane in read.items() if key[0] == refused)
    assert f"Earth Engine refuses what was asked of {refused}: HTTP 403: Permission denied" in str(error)


def test_a_fault_of_ours_leaves_the_gate_open_for_others(double, monkeypatch):
    monkeypatch.setattr(earth_engine_calls, "MOST_AT_ONCE", 1)
    engine = EarthEngine(account(double.url))
    with ThreadPoolExecutor(1) as pool:
        try:
            for _ in range(2):  # the second one waits for the first one's place, if that is not given back
                with pytest.raises(KeyError, match="a fault"):
                    pool.submit(engine._ask, lambda: {}["a fault"], "a").result(timeout=5)
        finally:
            engine.stop()


def test_who_waits_between_tries_does_so_unlike_other_processes(double):
    one, other = (EarthEngine(account(double.url))._chance for _ in range(2))
    assert one.random() != other.random()


def test_a_403_that_speaks_of_a_quota_is_a_matter_of_time(double, planes):
    double.failures.append(Failure("pixels", 403, "Quota exceeded for quota metric 'Requests'"))
    asks = asks_of(IMAGES[:1], square(LEFT, TOP))
    check(dict(planes.read(asks)), asks, IMAGES)


def test_many_locations_are_asked_at_once_but_no_more_than_the_connections(double, fresh):
    double.slowness_s = 0.05
    locations = [square(LEFT + 600 * number, TOP - 1_200 * row) for number in range(6) for row in range(2)]
    asks = [ask for location in locations for ask in asks_of(IMAGES[:1], location)]
    check(dict(fresh.read(asks)), asks, IMAGES)
    assert double.count("pixels") == 12
    assert 2 < double.most_at_once <= 8


def test_no_more_is_asked_than_fits_into_memory(double, fresh, monkeypatch):
    monkeypatch.setattr(earth_engine_planes, "OPEN_BYTES", 100_000)
    double.slowness_s, double.most_at_once = 0.02, 0
    locations = [square(LEFT + 600 * number, TOP) for number in range(6)]
    asks = [ask for location in locations for ask in asks_of(IMAGES[:1], location)]
    check(dict(fresh.read(asks)), asks, IMAGES)
    assert double.most_at_once == 1


def test_a_reading_that_is_stopped_ends_within_a_second_though_nothing_answers(double, fresh):
    double.slowness_s = 5.0
    reading = Thread(target=lambda: list(fresh.read(asks_of(IMAGES[:1], square(LEFT, TOP)))))
    reading.start()
    while not double.count("pixels"):
        time.sleep(0.01)
    fresh.stop()
    reading.join(2)
    assert not reading.is_alive()


def test_a_project_that_is_over_its_quota_is_told_once(double, fresh, caplog):
    double.headers = {"x-earth-engine-quota-status": "parallelism_restricted=true"}
    for _ in range(2):
        list(fresh.read(asks_of(IMAGES[:1], square(LEFT, TOP))))
    (told,) = (record.message for record in caplog.records if "EECU-hours" in record.message)
    assert told.startswith("The project has used up its EECU-hours of this month: Earth Engine goes on, slowly. https://dev")


def test_every_computation_bears_our_tag(double, planes):
    list(planes.read(asks_of(IMAGES[:1], square(LEFT, TOP))))
    assert [asked["workloadTag"] for kind, asked in double.requests if kind == "pixels"] == ["seastars"]


def test_an_address_of_another_source_fails_by_itself(planes):
    (key, ask), *_ = asks_of(IMAGES[:1], square(LEFT, TOP))
    wrong = replace(ask, band=replace(ask.band, href="https://host/B04.tif"))
    read = dict(planes.read([(key, ask), ("wrong", wrong)]))
    assert isinstance(read["wrong"], SourceUnavailableError)
    assert read[key].pixels.shape

"""Pixels, or an error that says why: a client against a local service that bans, breaks and says no."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from catalogs.records import Grid
from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.sources.geoplateforme import wms as module
from curate.sources.geoplateforme.wms import WmsClient
from curate.sources.pace import Pace
from tests.wms_double import DoubleLayer, Fault, exception, geotiff, serve_wms, shown

LAYERS = {"A": DoubleLayer(), "B": DoubleLayer(seed=1)}
GRID = Grid(2154, (1.5, 0.0, 600_000.0, 0.0, -1.5, 6_800_000.0), 40, 60)
BOUNDS = GRID.bounds


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr(module, "BAN_S", 0.05)


@pytest.fixture
def wms():
    with serve_wms(LAYERS) as double:
        yield double


@pytest.fixture
def client(wms):
    client = WmsClient(wms.url, Pace(1e6))
    yield client
    client.close()


def expected(layer, grid=GRID):
    x = grid.transform[2] + (np.arange(grid.width) + 0.5) * grid.gsd
    y = grid.transform[5] - (np.arange(grid.height) + 0.5) * grid.gsd
    return shown(layer, *np.meshgrid(x, y))


def test_pixels_are_those_of_the_place_and_the_layer(client, wms):
    for name, layer in LAYERS.items():
        np.testing.assert_array_equal(client.read(name, GRID), expected(layer))
    asked = wms.asked[0]
    assert asked["BBOX"] == "600000.000,6799940.000,600090.000,6800000.000", "easting first, as EPSG:2154 has its axes"
    assert (asked["VERSION"], asked["CRS"], asked["FORMAT"], asked["STYLES"]) == ("1.3.0", "EPSG:2154", "image/geotiff", "")
    assert client.counts.requests == 2
    assert client.counts.bytes > 2 * 40 * 60 * 3


def test_capabilities_are_those_of_the_service(client):
    assert set(client.capabilities().layers) == {"A", "B"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault(status=500, times=2),
        Fault(cut=True),
        Fault(media_type="image/geotiff", body=b"II*\0 cut off"),
    ],
)
def test_what_passes_is_asked_for_again(client, wms, fault):
    wms.faults.append(fault)
    np.testing.assert_array_equal(client.read("A", GRID), expected(LAYERS["A"]))
    assert wms.maps >= 2
    assert client.counts.retries == wms.maps - 1


def test_who_asks_too_fast_is_banned_and_waits_the_ban_out(monkeypatch):
    monkeypatch.setattr(module, "BAN_S", 0.6)
    monkeypatch.setattr(module, "PAUSES_S", (0.01,) * 6)
    with serve_wms(LAYERS, per_second=5, ban_s=0.5) as wms:
        client = WmsClient(wms.url, Pace(1e6))
        images = [client.read("A", GRID) for _ in range(8)]
        client.close()
    assert wms.banned
    assert client.counts.throttled == wms.banned
    assert all((image == images[0]).all() for image in images)


def test_at_the_service_s_pace_nobody_is_banned():
    with serve_wms(LAYERS, per_second=10) as wms:
        client = WmsClient(wms.url, Pace(9))
        for _ in range(13):
            client.read("A", GRID)
        client.close()
    assert not wms.banned


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault(body=exception("LayerNotDefined", "Layer A unknown.")),
            r"no image of layer A, but text/xml: LayerNotDefined Layer A",
        ),
        (Fault(status=400, body=exception("InvalidCRS", "no")), r"no image of layer A, but HTTP 400: InvalidCRS no\. Expected"),
        (
            Fault(status=404, media_type="text/html", body=b"gone"),
            r"but HTTP 404\. Expected image/geotiff: the layer may have been",
        ),
        (Fault(media_type="text/html", body=b"<html>Please log in</html>"), r"but text/html\. Expected image/geotiff"),
        (Fault(status=403, media_type="text/plain"), r"refuses layer A \(HTTP 403\)\. The service needs no account"),
        (Fault(status=401, body=exception("Key", "https://h/?apikey=s3cret")), r"refuses layer A \(HTTP 401\)\. The service"),
        (Fault(status=429, headers={"Retry-After": "3600"}), r"answers HTTP 429: it has too much to do.*wait 3600 s, then run"),
    ],
)
def test_a_refusal_is_told_at_once_and_is_never_pixels(client, wms, fault, words):
    wms.faults.append(fault)
    with pytest.raises(SourceUnavailableError, match=words) as caught:
        client.read("A", GRID)
    assert wms.maps == 1
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (geotiff(np.zeros((3, 40, 61), np.uint8), BOUNDS), "gives another image.*61 x 40 pixels"),
        (geotiff(np.zeros((1, 40, 60), np.uint8), BOUNDS), "gives another image than was asked for: 1 bands of uint8"),
        (geotiff(np.zeros((3, 40, 60), np.uint16), BOUNDS), "3 bands of uint16"),
        (geotiff(np.zeros((3, 40, 60), np.uint8), [edge + 1.5 for edge in BOUNDS]), "gives another image"),
        (geotiff(np.zeros((3, 40, 60), np.uint8), BOUNDS, epsg=3857), "gives another image"),
    ],
)
def test_an_image_of_another_place_or_kind_is_refused(client, wms, body, words):
    wms.faults.append(Fault(media_type="image/geotiff", body=body))
    with pytest.raises(SourceUnavailableError, match=words):
        client.read("A", GRID)


def test_an_image_without_a_place_is_refused(client, wms):
    from rasterio.io import MemoryFile

    with MemoryFile() as file:
        with pytest.warns(match="no geotransform"):  # noqa: SIM117
            with file.open(driver="GTiff", count=3, height=40, width=60, dtype="uint8") as image:
                image.write(np.zeros((3, 40, 60), np.uint8))
        wms.faults.append(Fault(media_type="image/tiff", body=bytes(file.getbuffer())))
    with pytest.raises(SourceUnavailableError, match=r"gives another image than was asked for"):
        client.read("A", GRID)


def test_a_failure_that_lasts_is_the_host_s_unless_it_has_answered_meanwhile(client, wms):
    wms.faults.append(Fault(status=502, times=3))
    with pytest.raises(HostDownError, match=r"answers HTTP 502 for layer A\. Check the network, then run"):
        client.read("A", GRID)
    wms.faults.append(Fault(status=502, times=3))
    client._last_success = float("inf")
    with pytest.raises(SourceUnavailableError) as caught:
        client.read("A", GRID)
    assert not isinstance(caught.value, HostDownError)


def test_nobody_at_the_address_is_a_host_that_is_down():
    client = WmsClient("http://127.0.0.1:9/wms-r", Pace(1e6))
    with pytest.raises(HostDownError, match=r"127.0.0.1:9 does not answer \(no connection, or it broke\)"):
        client.capabilities()
    assert client.counts.requests == 3


def test_an_image_with_opacity_keeps_it(client, wms):
    image = np.zeros((4, 40, 60), np.uint8)
    wms.faults.append(Fault(media_type="image/geotiff", body=geotiff(image, BOUNDS)))
    assert client.read("A", GRID).shape == (4, 40, 60)


@pytest.mark.parametrize(
    "body", [b'<?xml version="1.0" encoding="klingon"?><a/>', b'<?xml version="1.0" encoding="big5"?><a/>']
)
def test_xml_in_an_encoding_that_nobody_knows_is_no_image(client, wms, body):
    wms.faults.append(Fault(body=body))
    with pytest.raises(SourceUnavailableError, match=r"gives no image of layer A, but text/xml\. Expected"):
        client.read("A", GRID)


def test_an_answer_that_points_elsewhere_is_no_image(client, wms):
    wms.faults.append(Fault(status=302, headers={"Location": "http://127.0.0.1:9/"}))
    with pytest.raises(SourceUnavailableError, match=r"gives no image of layer A, but HTTP 302\. Expected"):
        client.read("A", GRID)


def test_an_answer_without_end_is_not_taken_in(client, wms):
    wms.faults.append(Fault(media_type="image/geotiff", body=bytes(8 << 20)))
    with pytest.raises(SourceUnavailableError, match=r"answers with more than 1,086,976 bytes; expected at most those"):
        client.read("A", GRID)
    assert wms.maps == 1
    np.testing.assert_array_equal(client.read("A", GRID), expected(LAYERS["A"]))


def test_a_silent_service_is_asked_again(client, wms, monkeypatch):
    monkeypatch.setattr(module, "STALL_S", 0.1)
    wms.faults.append(Fault(silent_s=60, times=3))
    with pytest.raises(HostDownError, match=r"does not answer \(no answer in time\)\. Check the network"):
        client.read("A", GRID)
    assert client.counts.retries == 2


@pytest.mark.parametrize("proceed", ["silent", "pausing"])
def test_a_stop_ends_what_is_being_asked(client, wms, monkeypatch, proceed):
    if proceed == "pausing":
        monkeypatch.setattr(module, "PAUSES_S", (60,))
    wms.faults.append(Fault(silent_s=60 if proceed == "silent" else 0, status=503 if proceed == "silent" else 500))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(client.read, "A", GRID)
        while not wms.maps or (proceed == "pausing" and not client.counts.retries):
            time.sleep(0.01)
        client.stop()
        with pytest.raises(StoppedError):
            reading.result(timeout=5)
    assert wms.maps == 1


def test_a_client_that_was_stopped_asks_nothing(client, wms):
    client.stop()
    with pytest.raises(StoppedError):
        client.read("A", GRID)
    assert not wms.asked

"""Files that GDAL reads from hosts that want a signature or a token: renewed in the middle, told to nobody, a few at once."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import obstore
import pytest
import rasterio
from obstore.store import S3Store
from rasterio.transform import Affine
from rasterio.windows import Window

from catalogs.foreign import SourceBand
from catalogs.records import Grid
from curate.errors import CurateError, SourceUnavailableError, StoppedError
from curate.reading.blocks import Cut
from curate.reading.gdal_blocks import read_blocks
from curate.reading.tiff_layout import FileHeader
from curate.reading.transport import Transport
from curate.sources import access, rasters
from curate.sources.access import Signed
from curate.sources.gdal_files import GdalFile
from tests.curate.reading.scripted_server import Answer, part_of, serve_script
from tests.curate.reading.signing import NumberedSigner, is_signed
from tests.servers import serve_s3

PIXELS = np.random.default_rng(5).integers(1, 10_000, (512, 512), dtype=np.uint16)
FIRST, LAST = Window(0, 0, 64, 64), Window(448, 448, 64, 64)
LAYOUTS = {
    "a.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "lzw"},
    "a.jp2": {"driver": "JP2OpenJPEG", "blockxsize": 64, "blockysize": 64, "QUALITY": "100", "REVERSIBLE": "YES"},
}
HEADER = FileHeader(
    Grid(32631, (10, 0, 501360, 0, -10, 5629680), 512, 512), ("uint16",), (None,), (Cut(512, 512, 64, 64),), packing=None
)
REFUSAL = Answer(403, b"<Error><Code>AccessDenied</Code></Error>")


@pytest.fixture(params=LAYOUTS)
def content(request, tmp_path):
    """A file of PIXELS, as GDAL alone reads it."""
    path = tmp_path / request.param
    place = {"crs": "EPSG:32631", "transform": Affine(10, 0, 501360, 0, -10, 5629680)}
    with rasterio.open(path, "w", dtype="uint16", count=1, height=512, width=512, **place, **LAYOUTS[request.param]) as file:
        file.write(PIXELS, 1)
    return path.read_bytes()


def read(file, window):
    return file.ask(lambda dataset: dataset.read(1, window=window))


@pytest.mark.parametrize("in_header", [False, True])
def test_a_file_is_read_with_its_signature_and_with_another_once_that_has_ended(content, quick, caplog, in_header):
    caplog.set_level(logging.DEBUG)
    signer, good = NumberedSigner(in_header=in_header), [0]
    with serve_script(lambda asked: part_of(content, asked) if is_signed(asked, good[0]) else REFUSAL) as server:
        file = GdalFile(f"{server.url}/a", signer)
        assert np.array_equal(read(file, FIRST), PIXELS[:64, :64])
        good[0] = 1
        assert np.array_equal(read(file, LAST), PIXELS[448:, 448:])
        assert signer.refused == [f"{server.url}/a"]
        assert np.array_equal(read(file, FIRST), PIXELS[:64, :64])
        file.close()
    assert all(is_signed(asked, 0) or is_signed(asked, 1) for asked in server.asked)
    assert "GDAL signalled an error" in caplog.text
    assert "number" not in caplog.text


@pytest.mark.parametrize("answered", range(3, 8))
def test_a_refusal_between_two_blocks_of_a_read_spoils_no_pixel(content, quick, answered):
    """GDAL's own threads would leave the blocks that they could not read as they were, and say nothing."""
    signer, asks = NumberedSigner(), iter(range(10_000))

    def answer(asked):
        return part_of(content, asked) if is_signed(asked, 1) or next(asks) < answered else REFUSAL

    with serve_script(answer) as server:
        file = GdalFile(f"{server.url}/a", signer)
        assert np.array_equal(read(file, Window(0, 0, 512, 512)), PIXELS)
        file.close()


def test_all_headers_of_a_signer_go_with_each_request(content):
    signer, headers = NumberedSigner(), {"Authorization": "Bearer a,b=", "X-Account": "mine, and nobody's"}
    signer.sign = lambda href: Signed(href, headers)
    with serve_script(lambda asked: part_of(content, asked)) as server:
        file = GdalFile(f"{server.url}/a", signer)
        assert np.array_equal(read(file, LAST), PIXELS[448:, 448:])
        file.close()
    assert len(server.asked) > 1
    for asked in server.asked:
        assert {name: asked.headers.get(name.lower()) for name in headers} == headers


def test_a_signature_is_replaced_before_its_end_without_being_refused(content, quick):
    signer = NumberedSigner(lifetime_s=600, clock=time.time)
    with serve_script(lambda asked: part_of(content, asked)) as server:
        file = GdalFile(f"{server.url}/a", signer)
        signer.began -= 599
        assert np.array_equal(read(file, LAST), PIXELS[448:, 448:])
        file.close()
    assert is_signed(server.asked[0], 0)
    assert is_signed(server.asked[-1], 1)


def test_a_file_that_stays_refused_is_told_with_what_to_check_and_without_the_signature(quick):
    with serve_script(lambda _: REFUSAL) as server:
        words = r"/a\.jp2 cannot be read \(GDAL: HTTP response code: 403.*\)\. Check MY_KEY, then run the same command again"
        with pytest.raises(SourceUnavailableError, match=words) as caught:
            GdalFile(f"{server.url}/a.jp2", NumberedSigner())
        assert "number" not in str(caught.value)
        assert caught.value.__context__ is None
        assert {is_signed(asked, 0) for asked in server.asked} == {True, False}
        assert len(server.asked) <= 4


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "Expected a raster at that address: check it"),
        (429, "It limits how often it is asked: wait some minutes, then run the same command again"),
        (503, "Check the network and the provider's status, then run the same command again"),
    ],
)
def test_a_server_that_does_not_give_a_file_is_told_by_what_it_says(quick, status, words):
    with serve_script(lambda _: Answer(status)) as server:
        with pytest.raises(SourceUnavailableError, match=rf"response code: {status}.*\)\. {words}") as caught:
            GdalFile(f"{server.url}/a.jp2", NumberedSigner())
        assert "MY_KEY" not in str(caught.value)


def test_a_file_that_is_cut_in_the_middle_is_told_without_the_signature(content, quick):
    whole = [True]
    with serve_script(lambda asked: part_of(content if whole[0] else content[:40_000], asked)) as server:
        file = GdalFile(f"{server.url}/a", NumberedSigner())
        whole[0] = False
        with pytest.raises(SourceUnavailableError, match="/a cannot be read") as caught:
            read(file, LAST)
        assert "number" not in str(caught.value)


def test_what_a_signer_raises_is_what_its_caller_gets():
    signer = NumberedSigner()

    def sign(_):
        raise CurateError("No account.")

    signer.sign = sign
    with pytest.raises(CurateError, match=r"No account\."):
        GdalFile("https://host.invalid/a.tif", signer)


def test_a_file_that_was_replaced_by_another_one_is_not_read_on(content, quick, tmp_path):
    other = tmp_path / "other.tif"
    place = {"crs": "EPSG:32632", "transform": Affine(10, 0, 501360, 0, -10, 5629680)}
    with rasterio.open(other, "w", dtype="uint16", count=1, height=512, width=512, **place, **LAYOUTS["a.tif"]) as file:
        file.write(PIXELS, 1)
    signer, good = NumberedSigner(), [0]

    def answer(asked):
        return part_of(other.read_bytes() if good[0] else content, asked) if is_signed(asked, good[0]) else REFUSAL

    with serve_script(answer) as server:
        file = GdalFile(f"{server.url}/a", signer)
        good[0] = 1
        with pytest.raises(SourceUnavailableError, match="/a was replaced by one of another grid"):
            read(file, LAST)


@pytest.mark.parametrize("content", ["a.jp2"], indirect=True)
def test_gdal_reads_an_object_of_a_stand_in_for_s3_by_a_presigned_address(content, aws):
    with serve_s3("usgs-landsat") as told:
        aws.setenv("AWS_ENDPOINT_URL", told["AWS_ENDPOINT_URL"])
        obstore.put(S3Store("usgs-landsat", client_options={"allow_http": True}), "a/B 4.tif", content)
        with rasters.open_raster(SourceBand("s3://usgs-landsat/a/B 4.tif")) as raster:
            assert "x-amz-request-payer=requester" in raster.dataset.name
            assert np.array_equal(raster.read((448, 448, 64, 64)), PIXELS[448:, 448:])
        with pytest.raises(SourceUnavailableError, match=r"s3://usgs-landsat/none\.tif cannot be read") as caught:
            rasters.open_raster(SourceBand("s3://usgs-landsat/none.tif")).__enter__()
        assert "X-Amz" not in str(caught.value)


class Crowd:
    """How many requests are answered at once."""

    def __init__(self, content):
        self.content, self.here, self.most = content, 0, 0
        self._lock = threading.Lock()

    def __call__(self, asked):
        with self._lock:
            self.here += 1
            self.most = max(self.most, self.here)
        time.sleep(0.01)
        with self._lock:
            self.here -= 1
        return part_of(self.content, asked)


def ask_from_all_sides(url):
    """Read by ranges and by GDAL at the same time."""

    def read_window(number):
        with rasters.open_raster(SourceBand(f"{url}/{number}")) as raster:
            return raster.read((0, 0, 512, 512))

    with Transport() as transport, ThreadPoolExecutor(12) as pool:
        ranges = [pool.submit(transport.fetch, f"{url}/a", start, start + 9) for start in range(12)]
        windows = [pool.submit(read_window, number) for number in range(6)]
        for window in windows:
            assert np.array_equal(window.result(), PIXELS)
        return [job.result().content for job in ranges]


def test_ranges_and_gdal_together_keep_to_the_connections_that_a_host_grants(content, monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "127.0.0.1", 2)
    crowd = Crowd(content)
    with serve_script(crowd) as server:
        assert ask_from_all_sides(server.url) == [content[start : start + 9] for start in range(12)]
    assert crowd.most == 2


def test_no_connection_is_kept_besides_those_that_a_host_grants(content, monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "127.0.0.1", 2)
    opened, done = threading.Barrier(6), threading.Barrier(7)
    with serve_script(lambda asked: part_of(content, asked)) as server, Transport() as transport:

        def keep_open(number):
            transport.fetch(f"{server.url}/a", number, number + 9)
            with rasters.open_raster(SourceBand(f"{server.url}/{number}")) as raster:
                assert np.array_equal(raster.read((0, 0, 512, 512)), PIXELS)
                opened.wait(20)
                done.wait(20)

        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(keep_open, number) for number in range(6)]
            done.wait(20)
            assert [job.result() for job in jobs] == [None] * 6
    assert server.sockets.most <= 2


def test_a_token_goes_to_its_own_host_alone_even_while_the_main_thread_reads_with_it(content):
    """rasterio takes options of the main thread for those of all."""
    reading, read_elsewhere = threading.Event(), threading.Event()

    def answer(asked):
        reading.set()
        read_elsewhere.wait(10)
        return part_of(content, asked)

    def read_other(url):
        assert reading.wait(10)
        with rasters.open_raster(SourceBand(f"{url}/b")) as raster:
            pixels = raster.read((0, 0, 64, 64))
        read_elsewhere.set()
        return pixels

    assert threading.current_thread() is threading.main_thread()
    with (
        serve_script(answer) as mine,
        serve_script(lambda asked: part_of(content, asked)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        pixels = pool.submit(read_other, other.url)
        file = GdalFile(f"{mine.url}/a", NumberedSigner(in_header=True))
        assert np.array_equal(pixels.result(), PIXELS[:64, :64])
        file.close()
    assert all(is_signed(asked, 0) for asked in mine.asked)
    assert [asked for asked in other.asked if "authorization" in asked.headers] == []


def test_headers_that_the_environment_asks_gdal_for_are_sent_on(content, monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "X-House: ours")
    with serve_script(lambda asked: part_of(content, asked)) as server:
        GdalFile(f"{server.url}/a").close()
    assert {asked.headers.get("x-house") for asked in server.asked} == {"ours"}


def test_who_waits_for_a_connection_of_gdal_stops_when_nobody_waits_for_the_file(content, monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "127.0.0.1", 1)
    monkeypatch.setattr(access, "LOOKS_S", 0.01)
    is_over = threading.Event()
    with serve_script(lambda asked: part_of(content, asked)) as server, ThreadPoolExecutor(1) as pool:
        with access.turn("127.0.0.1"):
            blocks = read_blocks(f"{server.url}/a", HEADER, [(1, 0)], is_over=is_over.is_set)
            waiting = pool.submit(next, blocks)
            time.sleep(0.05)
            is_over.set()
            with pytest.raises(StoppedError, match="is not asked any more: its reader was stopped"):
                waiting.result(10)
        assert server.asked == []


def test_a_file_that_nobody_waits_for_any_more_is_not_tried_again(quick):
    is_over = threading.Event()
    with serve_script(lambda _: (is_over.set(), Answer(404))[1]) as server, ThreadPoolExecutor(1) as pool:
        opening = pool.submit(GdalFile, f"{server.url}/a", lambda _: None, is_over=is_over.is_set)
        with pytest.raises(SourceUnavailableError, match="404"):
            opening.result(60)
        with serve_script(lambda _: (is_over.set(), Answer(500))[1]) as failing:
            opening = pool.submit(GdalFile, f"{failing.url}/a", lambda _: None, is_over=is_over.is_set)
            with pytest.raises(StoppedError, match="is not read any more: its reader was stopped"):
                opening.result(60)


def test_a_host_that_grants_no_number_is_asked_by_all(content):
    crowd = Crowd(content)
    with serve_script(crowd) as server:
        ask_from_all_sides(server.url)
    assert crowd.most > 2

"""A client of Web Map Services that give measurements: pixels as they are, or an error, never a picture of an error.

What comes back is taken only where it is the image that was asked for: a service tells of a failure in XML with status 200, and
a proxy in HTML. Where a service has too much to do, or bans whoever asks too fast, all threads pause together.

References:
    OGC 06-042, "Web Map Server Implementation Specification" 1.3.0, sections 6.7.3.3 (axes: easting first where EPSG has it
    so, as in EPSG:2154), 7.3.3 (GetMap) and 7.3.4 (service exceptions).
"""

from __future__ import annotations

import time
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from catalogs.secrets import has_secret
from curate.errors import HostDownError, SourceUnavailableError, StoppedError
from curate.reading.counts import Counts
from curate.reading.retries import SLOW_DOWN, is_passing, retry_after_s
from curate.sources.geoplateforme.wms_capabilities import NO_XML, Capabilities, read_capabilities
from curate.sources.geoplateforme.wms_transport import NoAnswerError, TooLongError, WmsTransport
from curate.sources.pace import Pace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.records import Grid

GEOTIFF = "image/geotiff"
"""The format that is lossless and says where its pixels lie, so that an answer can be held against what was asked."""
PAUSES_S = (1.0, 4.0, 15.0)
"""Before an image is asked for again."""
BAN_S = 5.0
"""For which nobody asks after a 429 that does not say for how long."""
LONGEST_BAN_S = 60.0
"""For which a service may ask to be left alone; where it is longer, it is down."""
STALL_S = 30.0
"""For which a service may be silent while it draws, seconds."""
MOST_AT_ONCE = 8
"""Connections of a client; who wants another one waits."""
MOST_CAPABILITIES_BYTES = 64 << 20
"""The Geoplateforme's take some 5 MB."""
MOST_PIXEL_BYTES = 16
"""An image may take for each of its pixels: four times what four bands do."""
MOST_HEADER_BYTES = 1 << 20
"""And so many more, for what is not pixels."""
SHOWN_CHARACTERS = 160
PLACE_TOLERANCE = 0.01
"""Of a pixel, in which an answer's place may differ from what was asked."""
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, whatever it is."""

    status: int
    media_type: str
    body: bytes
    retry_after_s: float | None


class _FailedError(Exception):
    """A try that failed, with a reason in words."""

    def __init__(self, reason: str, *, may_pass: bool, ban_s: float | None = None) -> None:
        super().__init__(reason)
        self.may_pass = may_pass
        self.ban_s = ban_s


class WmsClient:
    """Asks one Web Map Service, from any thread, at the pace that is given."""

    def __init__(self, address: str, pace: Pace) -> None:
        """Ask nothing yet.

        Args:
            address: Of the service, without a query.
            pace: Shared by all of this process that ask the same host.
        """
        self.address = address
        self.counts = Counts()
        self._pace = pace
        self._stop = Event()
        self._last_success = 0.0
        self._lock = Lock()
        self._connections: WmsTransport | None = None

    def capabilities(self) -> Capabilities:
        """What the service offers; asked anew each time.

        Raises:
            SourceUnavailableError: It does not answer, or not with its capabilities.
            StoppedError: `stop` was called.
        """
        query = {"REQUEST": "GetCapabilities"}
        return self._ask(query, lambda answer: read_capabilities(_content(answer), self._host), MOST_CAPABILITIES_BYTES)

    def read(self, layer: str, grid: Grid) -> NDArray[Any]:
        """A layer's pixels on a grid, (bands, height, width), uint8; a fourth band, where there is one, is opacity.

        Args:
            layer: Its name.
            grid: In a projected system whose first axis is easting; a service may be asked for so many pixels at most.

        Raises:
            SourceUnavailableError: The service does not answer, refuses, or gives something else than these pixels.
            StoppedError: `stop` was called.
        """
        query = {
            "REQUEST": "GetMap",
            "LAYERS": layer,
            "STYLES": "",
            "CRS": f"EPSG:{grid.epsg}",
            "BBOX": ",".join(f"{edge:.3f}" for edge in grid.bounds),
            "WIDTH": str(grid.width),
            "HEIGHT": str(grid.height),
            "FORMAT": GEOTIFF,
        }
        most = MOST_PIXEL_BYTES * grid.width * grid.height + MOST_HEADER_BYTES
        return self._ask(query, lambda answer: _read_geotiff(_content(answer, layer), grid), most)

    def stop(self) -> None:
        """Give up what is being asked, within a second or so; nothing is asked any more."""
        with self._lock:
            self._stop.set()
        if self._connections:
            self._connections.cut()

    def close(self) -> None:
        """Let go of the connections."""
        if self._connections:
            self._connections.close()

    @property
    def _host(self) -> str:
        return urlsplit(self.address).netloc.rpartition("@")[2]

    @property
    def _transport(self) -> WmsTransport:
        """Connections, made when they are needed first.

        Raises:
            StoppedError: `stop` was called.
        """
        with self._lock:
            if self._stop.is_set():
                raise StoppedError(_STOPPED)
            if self._connections is None:
                self._connections = WmsTransport(MOST_AT_ONCE, stall_s=STALL_S, opened=lambda: self.counts.add(connections=1))
            return self._connections

    def _ask(self, query: Mapping[str, str], read: Callable[[_Answer], Given], most_bytes: int) -> Given:
        """Ask, again after pauses where that may help.

        Raises:
            HostDownError: Nothing at all has succeeded since the first try.
            SourceUnavailableError: This did not.
            StoppedError: `stop` was called.
        """
        began = time.monotonic()
        for pause_s in (*PAUSES_S, None):
            try:
                given = read(self._try(query, most_bytes))
            except _FailedError as failed:
                if not failed.may_pass:
                    raise SourceUnavailableError(f"{self._host} {failed}") from None
                if pause_s is None:
                    kind = SourceUnavailableError if self._last_success > began else HostDownError
                    raise kind(f"{self._host} {failed}") from None
                self._wait(pause_s, failed)
            else:
                self._last_success = time.monotonic()
                return given
        raise AssertionError("the last round returns or raises")

    def _wait(self, pause_s: float, failed: _FailedError) -> None:
        self.counts.add(retries=1, throttled=failed.ban_s is not None)
        if failed.ban_s is None:
            self._stop.wait(pause_s)
        else:
            self._pace.pause(failed.ban_s)

    def _try(self, query: Mapping[str, str], most_bytes: int) -> _Answer:
        """Send one request in its turn, and take in what comes back."""
        self.counts.add(waited_s=self._pace.wait(self._stop), requests=1)
        address = f"{self.address}?{urlencode({'SERVICE': 'WMS', 'VERSION': '1.3.0', **query})}"
        failed = None
        try:
            received = self._transport.get(address, most_bytes=most_bytes)
        except NoAnswerError as error:
            failed = _FailedError(f"does not answer ({error}). {_AGAIN}", may_pass=True)
        except TooLongError as error:
            failed = _FailedError(
                f"answers with {error}; expected at most those. The service has changed: report it.", may_pass=False
            )
        if self._stop.is_set():  # what was cut may look like a failure, or like the end of an answer
            raise StoppedError(_STOPPED)
        if failed:
            raise failed
        self.counts.add(bytes=len(received.body))
        media_type = received.headers.get("content-type", "").partition(";")[0].strip().lower()
        return _Answer(received.status, media_type, received.body, retry_after_s(received.headers.get("retry-after")))


_STOPPED = "The reading was stopped."
_AGAIN = "Check the network, then run the same command again; what is done is kept."


def _content(answer: _Answer, layer: str | None = None) -> bytes:
    """The body of an answer that is none of the ways of saying no."""
    asked = f"layer {layer}" if layer else "its capabilities"
    if answer.status in SLOW_DOWN:
        ban_s = BAN_S if answer.retry_after_s is None else max(BAN_S, answer.retry_after_s)
        raise _FailedError(
            f"answers HTTP {answer.status}: it has too much to do, or is asked too often from here. End what else asks it, "
            f"wait {max(60, ban_s):.0f} s, then run the same command again; what is done is kept.",
            may_pass=ban_s <= LONGEST_BAN_S,
            ban_s=ban_s,
        )
    if is_passing(answer.status):
        raise _FailedError(f"answers HTTP {answer.status} for {asked}. {_AGAIN}", may_pass=True)
    said = _exception_of(answer)
    if answer.status in {401, 403}:
        raise _FailedError(
            f"refuses {asked} (HTTP {answer.status}{said}). The service needs no account: ask from another network, or from "
            "behind another proxy, then run the same command again.",
            may_pass=False,
        )
    if answer.status >= 300 or (layer and not answer.media_type.startswith("image/")):
        got = f"HTTP {answer.status}" if answer.status >= 300 else answer.media_type or "no media type"
        raise _FailedError(_not_given(layer, f"{got}{said}"), may_pass=False)
    return answer.body


def _not_given(layer: str | None, got: str) -> str:
    """Words for what came instead of a layer's image, or of the capabilities where no layer was asked for."""
    if layer is None:
        return (
            f"does not give its capabilities, but {got}. Expected XML: the service may be under repair, or have moved. "
            "Run the same command again later; if it stays so, report it."
        )
    return (
        f"gives no image of layer {layer}, but {got}. Expected {GEOTIFF}: the layer may have been withdrawn or renamed. "
        "Look with `curate sources geoplateforme --check` which years it has, or choose other dates."
    )


def _exception_of(answer: _Answer) -> str:
    """What a service exception says, as an addition to a sentence; empty where there is none."""
    try:
        root = ET.fromstring(answer.body)  # noqa: S314 # expat refuses entities that grow; the answer comes from a named service
    except NO_XML:
        return ""
    for element in root.iter():
        if element.tag.rpartition("}")[2] in {"ServiceException", "ExceptionText"}:
            text = " ".join(f"{element.get('code', '')} {element.text or ''}".split())[:SHOWN_CHARACTERS]
            return "" if not text or has_secret(text) else f": {text}"
    return ""


def _read_geotiff(body: bytes, grid: Grid) -> NDArray[Any]:
    """Pixels of a GeoTIFF that lies where it was asked for."""
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        with MemoryFile(body) as file, _open(file) as image:
            told = (image.count in {3, 4}, set(image.dtypes) == {"uint8"}, image.shape == grid.shape, _lies_at(image, grid))
            pixels: NDArray[Any] | None = image.read() if all(told) else None
            shown = f"{image.count} bands of {image.dtypes[0]}, {image.width} x {image.height} pixels at {image.bounds[:]}"
    except RasterioError:
        raise _FailedError(f"gives an image that cannot be read ({len(body)} bytes). {_AGAIN}", may_pass=True) from None
    if pixels is None:
        raise _FailedError(
            f"gives another image than was asked for: {shown}; expected 3 or 4 bands of uint8, {grid.width} x {grid.height} "
            f"pixels at {grid.bounds}. The service has changed: report it.",
            may_pass=False,
        )
    return pixels


def _open(file: Any) -> Any:
    """An image in memory; that it does not say where it lies is told as of any image that lies elsewhere."""
    from rasterio.errors import NotGeoreferencedWarning

    with _OPENING, warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        return file.open()


_OPENING = Lock()
"""Warnings are ignored for the whole process, so by one thread at a time."""


def _lies_at(image: Any, grid: Grid) -> bool:
    """Whether an image's edges are those asked for; a system without an EPSG code is taken for the one asked for."""
    near = PLACE_TOLERANCE * grid.gsd
    epsg = image.crs.to_epsg() if image.crs else None
    return epsg in {grid.epsg, None} and all(abs(a - b) < near for a, b in zip(image.bounds, grid.bounds, strict=True))

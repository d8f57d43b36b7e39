"""A double of the Geoplateforme's WMS-Raster on this machine: layers of a made-up France in Lambert-93, limits, bans, faults.

    with serve_wms(LAYERS, per_second=10) as wms:
        curate("build", folder, "--source", "geoplateforme")      # with GEOPLATEFORME_URL = wms.url
        assert wms.maps <= 12
        wms.faults.append(Fault(status=503))                      # strikes the next request of an image

What a pixel shows is a function of its place and its layer alone, so that whoever asks for the same ground gets the same
numbers, whatever the image's extent: `shown` is that function, for tests to hold what was built against; nearly so of a layer
`in_jpeg`, which is kept as the service keeps its own: tiles of JPEG in Web Mercator, resampled when they are asked for. Outside
a layer's `covered` box it draws white, as the service does, or black that is transparent where the layer has opacity; `roofs`
are white and measured.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

TILE_PX = 256
"""Side of a tile of a pyramid."""
WHOLE = (0.0, 6_000_000.0, 1_300_000.0, 7_200_000.0)
"""(left, bottom, right, top) of metropolitan France and more, Lambert-93."""


@dataclass(frozen=True)
class DoubleLayer:
    """A layer: where it has pixels, and how fine its capabilities say that it is."""

    covered: tuple[float, float, float, float] = WHOLE
    scale: float = 1066.364791925
    box: tuple[float, float, float, float] = (-5.5, 41.2, 10.0, 51.2)
    seed: int = 0
    roofs: tuple[tuple[float, float, float, float], ...] = ()
    has_opacity: bool = False
    in_jpeg: bool = False


@dataclass
class Fault:
    """What the next request of an image meets instead of its answer."""

    status: int = 200
    media_type: str = "text/xml"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    times: int = 1
    silent_s: float = 0.0


@dataclass
class Double:
    """A running double."""

    url: str
    layers: Mapping[str, DoubleLayer]
    per_second: float
    ban_s: float
    most_px: int
    formats: Sequence[str]
    faults: list[Fault] = field(default_factory=list)
    capabilities_status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)
    banned: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    _times: deque[float] = field(default_factory=deque)
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def maps(self) -> int:
        """Images that were asked for, in vain or not."""
        return sum(query["REQUEST"] == "GetMap" for query in self.asked)

    def is_banned(self) -> bool:
        """Whether whoever asks now asks too fast, or is still banned for it."""
        with self._lock:
            now = time.monotonic()
            self._times.append(now)
            while self._times[0] < now - 1:
                self._times.popleft()
            if len(self._times) > self.per_second:
                self._free_at = now + self.ban_s
            banned = now < self._free_at
            self.banned += banned
            return banned

    def take_fault(self) -> Fault | None:
        """The fault that strikes now."""
        with self._lock:
            if not self.faults:
                return None
            fault = self.faults[0]
            fault.times -= 1
            if fault.times <= 0:
                self.faults.pop(0)
            return fault


def shown(layer: DoubleLayer, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What a layer shows at places: smooth waves of some hundred metres, 40 to 215, (3, *places); white outside of it."""
    waves = [np.sin(x / (60 + 20 * band) + layer.seed) + np.cos(y / (80 + 15 * band)) for band in range(3)]
    pixels = np.round(127.5 + 43.75 * np.stack(waves)).astype(np.uint8)
    left, bottom, right, top = layer.covered
    for west, south, east, north in layer.roofs:
        pixels[:, (x >= west) & (x < east) & (y >= south) & (y < north)] = 255
    pixels[:, (x < left) | (x >= right) | (y < bottom) | (y >= top)] = 0 if layer.has_opacity else 255
    return pixels


@contextmanager
def serve_wms(
    layers: Mapping[str, DoubleLayer],
    *,
    per_second: float = 1e9,
    ban_s: float = 5.0,
    most_px: int = 10_000,
    formats: Sequence[str] = ("image/jpeg", "image/png", "image/tiff", "image/geotiff"),
) -> Iterator[Double]:
    """Serve layers at an address of this machine.

    Args:
        layers: By name.
        per_second: Requests above which the client is banned, by the server's own clock.
        ban_s: For so long; each request meanwhile is answered 429.
        most_px: MaxWidth and MaxHeight.
        formats: Of GetMap.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    url = f"http://127.0.0.1:{server.server_port}/wms-r"
    server.double = Double(url, layers, per_second, ban_s, most_px, formats)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.double
    finally:
        server.double.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        double = self.server.double
        query = {
            name.upper(): values[-1] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()
        }
        double.asked.append(query)
        if double.is_banned():
            self._send(429, "text/plain", b"too many requests")
            return
        if query["REQUEST"] == "GetCapabilities":
            self._send(double.capabilities_status, "text/xml", capabilities(double))
            return
        fault = double.take_fault()
        if fault is not None and double.over.wait(fault.silent_s):
            return
        body = _image(double, query) if fault is None or fault.cut else b""
        if fault is None:
            self._send(200, *(("text/xml", body) if body.startswith(b"<?xml") else ("image/geotiff", body)))
        elif fault.cut:
            self._send(200, "image/geotiff", body[: len(body) // 2])
        else:
            self._send(fault.status, fault.media_type, fault.body, fault.headers)

    def _send(self, status, media_type, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked may have been stopped
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def exception(code: str, text: str) -> bytes:
    """A service exception of WMS 1.3.0."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ServiceExceptionReport xmlns="http://www.opengis.net/ogc" version="1.3.0">'
        f'<ServiceException code="{code}">{text}</ServiceException></ServiceExceptionReport>'
    ).encode()


def capabilities(double: Double) -> bytes:
    """As the Geoplateforme writes them: one outer layer with the coordinate systems, pyramids in Web Mercator."""
    formats = "".join(f"<Format>{name}</Format>" for name in double.formats)
    layers = "".join(
        f"<Layer><Name>{name}</Name><Title>{name}</Title><EX_GeographicBoundingBox>"
        f"<westBoundLongitude>{layer.box[0]}</westBoundLongitude><eastBoundLongitude>{layer.box[2]}</eastBoundLongitude>"
        f"<southBoundLatitude>{layer.box[1]}</southBoundLatitude><northBoundLatitude>{layer.box[3]}</northBoundLatitude>"
        '</EX_GeographicBoundingBox><BoundingBox CRS="EPSG:3857" minx="-1" miny="-1" maxx="1" maxy="1" />'
        f"<MinScaleDenominator>{layer.scale}</MinScaleDenominator></Layer>"
        for name, layer in double.layers.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" ?><WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms">'
        f"<Service><Name>WMS service</Name><LayerLimit>2</LayerLimit><MaxWidth>{double.most_px}</MaxWidth>"
        f"<MaxHeight>{double.most_px}</MaxHeight></Service><Capability><Request><GetMap>{formats}</GetMap></Request>"
        f"<Layer><Title>WMS layers</Title><CRS>CRS:84</CRS><CRS>EPSG:2154</CRS>{layers}</Layer></Capability></WMS_Capabilities>"
    ).encode()


def _image(double: Double, query: Mapping[str, str]) -> bytes:
    width, height = int(query["WIDTH"]), int(query["HEIGHT"])
    if query["LAYERS"] not in double.layers:
        return exception("LayerNotDefined", f"Layer {query['LAYERS']} unknown.")
    if max(width, height) > double.most_px:
        return exception("InvalidParameterValue", "Width or height is too large.")
    if (query["CRS"], query["FORMAT"], query["VERSION"]) != ("EPSG:2154", "image/geotiff", "1.3.0"):
        return exception("InvalidFormat", "This double draws image/geotiff in EPSG:2154.")
    left, bottom, right, top = map(float, query["BBOX"].split(","))
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    y = top - (np.arange(height) + 0.5) * (top - bottom) / height
    layer = double.layers[query["LAYERS"]]
    pixels = (
        _from_tiles(layer, (left, bottom, right, top), (height, width)) if layer.in_jpeg else shown(layer, *np.meshgrid(x, y))
    )
    if layer.has_opacity:
        pixels = np.concatenate([pixels, np.where(pixels.any(axis=0), 255, 0)[np.newaxis].astype(np.uint8)])
    return geotiff(pixels, (left, bottom, right, top))


def _from_tiles(layer: DoubleLayer, bounds: Sequence[float], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pixels in Lambert-93 from the tiles of a pyramid whose pixels are about as large."""
    from rasterio import Affine, band
    from rasterio.enums import Resampling
    from rasterio.io import MemoryFile
    from rasterio.warp import reproject, transform, transform_bounds

    left, bottom, right, top = bounds
    gsd = 1.5 * (right - left) / shape[1]  # metres of Web Mercator are two thirds as long there
    tiles = [edge / (TILE_PX * gsd) for edge in transform_bounds("EPSG:2154", "EPSG:3857", *bounds)]
    west, south, east, north = np.floor(tiles) * TILE_PX + (0, 0, TILE_PX, TILE_PX)
    columns, rows = np.meshgrid(np.arange(west, east) + 0.5, np.arange(north, south, -1) - 0.5)
    x, y = transform("EPSG:3857", "EPSG:2154", columns.ravel() * gsd, rows.ravel() * gsd)
    pixels = shown(layer, np.reshape(x, columns.shape), np.reshape(y, rows.shape))
    tiled = {"tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX, "compress": "JPEG", "photometric": "YCbCr"}
    profile = {"driver": "GTiff", "count": 3, "width": columns.shape[1], "height": columns.shape[0], "dtype": "uint8", **tiled}
    drawn = np.zeros((3, *shape), np.uint8)
    with MemoryFile() as file:
        with file.open(**profile, crs="EPSG:3857", transform=Affine(gsd, 0, west * gsd, 0, -gsd, north * gsd)) as image:
            image.write(pixels)
        with file.open() as image:
            reproject(
                band(image, [1, 2, 3]),
                drawn,
                dst_transform=Affine((right - left) / shape[1], 0, left, 0, (bottom - top) / shape[0], top),
                dst_crs="EPSG:2154",
                resampling=Resampling.cubic,
            )
    return drawn


def geotiff(pixels: NDArray[np.uint8], bounds: Sequence[float], epsg: int = 2154) -> bytes:
    """(bands, height, width) as a GeoTIFF in memory."""
    from rasterio import Affine
    from rasterio.io import MemoryFile

    count, height, width = pixels.shape
    profile = {
        "driver": "GTiff",
        "count": count,
        "height": height,
        "width": width,
        "dtype": pixels.dtype,
        "crs": f"EPSG:{epsg}",
    }
    left, bottom, right, top = bounds
    transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    with MemoryFile() as file:
        with file.open(**profile, transform=transform) as image:
            image.write(pixels)
        return bytes(file.getbuffer())

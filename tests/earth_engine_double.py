"""A local double of the Earth Engine REST API, made of the recorded discovery document and the signatures of its algorithms.

It serves what `ee` asks: the discovery document, the algorithms, OAuth tokens for service accounts, `listAssets` over the
images of a collection and `computePixels`, whose expression it evaluates over real arrays, each on the grid of its own band, by
nearest neighbour, as Earth Engine does where nobody asks for more. The recorded document is of v1alpha; what v1 has beyond it
(the filter and the view of `listAssets`) is added.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from pyproj import Transformer
from shapely.geometry import shape

MOST_BYTES, MOST_SIDE, MOST_BANDS = 50_331_648, 32_768, 1024
PUBLIC = "projects/earthengine-public/assets/"
TYPES = {"toUint8": "uint8", "toUint16": "uint16", "toInt16": "int16", "toFloat": "float32", "toDouble": "float64"}
FILTERS = re.compile(
    r'startTime >= "(?P<start>[^"]+)"|endTime < "(?P<end>[^"]+)"|intersects\("(?P<region>[^"]+)"\)'
    r"|properties\.(?P<name>\w+) ?(?P<sign><=|<|>=|>) ?(?P<value>[\d.]+)"
)
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass
class DoubleBand:
    """One band of an image, on its own grid."""

    pixels: np.ndarray
    """(height, width)."""
    epsg: int
    """Of its projection."""
    transform: tuple[float, float, float, float, float, float]
    """Affine, row by row, as Earth Engine's scaleX, shearX, translateX, shearY, scaleY, translateY."""
    masked: np.ndarray | None = None
    """Where Earth Engine has no pixel, which is outside the image's footprint too, as at the edge of a swath; nowhere where
    none."""


@dataclass
class DoubleImage:
    """An image of a collection."""

    id: str
    """Such as `COPERNICUS/S2_SR_HARMONIZED/20180510T105031_20180510T105554_T31UES`."""
    start: datetime
    """UTC."""
    footprint: Mapping[str, Any]
    """GeoJSON, lon/lat."""
    properties: Mapping[str, Any]
    """As the collection documents them."""
    bands: Mapping[str, DoubleBand]
    """By Earth Engine's names."""
    end: datetime | None = None
    """UTC; that of the start where none."""

    def to_json(self) -> dict[str, Any]:
        """The image as an EarthEngineAsset; like the server, zeros of a transform are left out."""
        return {
            "type": "IMAGE",
            "name": f"{PUBLIC}{self.id}",
            "id": self.id,
            "startTime": f"{self.start:%Y-%m-%dT%H:%M:%S.%fZ}",
            "endTime": f"{self.end or self.start:%Y-%m-%dT%H:%M:%S.%fZ}",
            "geometry": self.footprint,
            "properties": dict(self.properties),
            "bands": [_band_json(name, band) for name, band in self.bands.items()],
        }


@dataclass
class Failure:
    """An answer that the double gives instead of its own."""

    kind: str
    """`list`, `pixels`, `algorithms` or `token`."""
    status: int
    """HTTP; 0 cuts the connection."""
    message: str = "made up"
    """As Google words it."""
    times: int = 1
    """How often."""
    only: str = ""
    """Only requests whose body or path holds this."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer."""
    content: bytes | None = None
    """With status 200: what is sent instead."""


@dataclass
class EarthEngineDouble:
    """A running double."""

    url: str
    """Its address, for EARTHENGINE_URL."""
    images: list[DoubleImage]
    """What it has."""
    page_size: int = 1000
    """Images of a page at most, whatever is asked."""
    token: str | None = None
    """What requests must bear; anybody may ask where none."""
    requests: list[tuple[str, Any]] = field(default_factory=list)
    """(kind, body or query) of all that was asked so far."""
    failures: list[Failure] = field(default_factory=list)
    """What goes wrong, in order."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of all answers."""
    slowness_s: float = 0.0
    """For which pixels are computed."""
    most_at_once: int = 0
    """Computations that ran at the same time."""
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str) -> int:
        """How often something was asked."""
        return sum(each == kind for each, _ in self.requests)

    def forget(self) -> None:
        """Count from here."""
        self.requests.clear()

    def failure(self, kind: str, text: str) -> Failure | None:
        """What goes wrong with a request, if anything does."""
        with self._lock:
            for each in self.failures:
                if each.kind == kind and each.times > 0 and each.only in text:
                    each.times -= 1
                    return each
        return None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Take note of a computation."""
        with self._lock:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            time.sleep(self.slowness_s)
            yield
        finally:
            with self._lock:
                self._running -= 1


@contextmanager
def serve_earth_engine(images: list[DoubleImage], recorded: Path, **settings: Any) -> Iterator[EarthEngineDouble]:
    """Run a double.

    Args:
        images: What it has.
        recorded: The folder `earthengine` of the shared data.
        settings: Fields of `EarthEngineDouble`.
    """
    documents = {
        "discovery": json.dumps(_as_v1(json.loads((recorded / "cloud_api_discovery_document.json").read_text()))).encode(),
        "algorithms": (recorded / "algorithms.json").read_bytes(),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    double = EarthEngineDouble(f"http://127.0.0.1:{server.server_port}", images, **settings)
    server.double, server.documents = double, documents  # type: ignore[attr-defined] # a handler knows its server alone
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        double: EarthEngineDouble = self.server.double  # type: ignore[attr-defined] # see serve_earth_engine
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        query = parts.query or (body.decode() if self.headers.get("x-http-method-override") == "GET" else "")
        kind = _kind(path)
        asked = json.loads(body) if kind == "pixels" else {key: value[0] for key, value in parse_qs(query).items()}
        double.requests.append((kind, asked))
        failure = double.failure(kind, f"{path} {body.decode(errors='replace')} {unquote(query)}")
        if failure and failure.status == 0:
            self.close_connection = True
            return
        try:
            self._refuse(double, kind, failure)
            instead = failure.content if failure else None
            status, content = 200, self._content(double, kind, path, asked) if instead is None else instead
        except _RefusedError as error:
            status = error.status
            content = json.dumps({"error": {"code": status, "message": str(error), "status": "MADE_UP"}}).encode()
        with suppress(ConnectionError):  # whoever asked may have been stopped
            self._send(status, content, {**double.headers, **(failure.headers if failure else {})})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, double: EarthEngineDouble, kind: str, failure: Failure | None) -> None:
        if failure and failure.content is None:
            raise _RefusedError(failure.status, failure.message)
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if kind not in ("discovery", "token") and double.token not in (None, bearer):
            raise _RefusedError(401, "Request had invalid authentication credentials.")

    def _content(self, double: EarthEngineDouble, kind: str, path: str, asked: Any) -> bytes:
        if kind in ("discovery", "algorithms"):
            return self.server.documents[kind]  # type: ignore[attr-defined,no-any-return] # see serve_earth_engine
        if kind == "token":
            return json.dumps({"access_token": double.token, "expires_in": 3600, "token_type": "Bearer"}).encode()
        if kind == "list":
            return json.dumps(_list(double, path.partition("/assets/")[2].removesuffix(":listAssets"), asked)).encode()
        if kind == "pixels":
            with double.computing():
                return compute(double.images, asked)
        raise _RefusedError(404, f"Not found: {path}")


def _kind(path: str) -> str:
    ends = {"/$discovery/rest": "discovery", "/algorithms": "algorithms", "/token": "token", ":listAssets": "list"}
    ends[":computePixels"] = "pixels"
    return next((kind for end, kind in ends.items() if path.endswith(end)), "unknown")


def _as_v1(document: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(json.dumps(document).replace("v1alpha", "v1"))
    parameters = document["resources"]["projects"]["resources"]["assets"]["methods"]["listAssets"]["parameters"]
    parameters |= {name: {"location": "query", "type": "string"} for name in ("filter", "view")}
    return document


def _band_json(name: str, band: DoubleBand) -> dict[str, Any]:
    names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    kind = band.pixels.dtype
    limits = {"range": {"max": int(np.iinfo(kind).max)}} if kind.kind in "iu" else {}
    return {
        "id": name,
        "dataType": {"precision": "INT" if kind.kind in "iu" else "FLOAT", **limits},
        "grid": {
            "crsCode": f"EPSG:{band.epsg}",
            "affineTransform": {key: value for key, value in zip(names, band.transform, strict=True) if value},
            "dimensions": {"width": band.pixels.shape[1], "height": band.pixels.shape[0]},
        },
        "pyramidingPolicy": "MEAN",
    }


def _list(double: EarthEngineDouble, collection: str, asked: Mapping[str, str]) -> dict[str, Any]:
    found = [image for image in double.images if image.id.rpartition("/")[0] == collection and _passes(image, asked["filter"])]
    if not any(image.id.startswith(collection) for image in double.images):
        raise _RefusedError(404, f"Asset '{collection}' does not exist or doesn't allow this operation.")
    size = min(int(asked.get("pageSize") or 1000), double.page_size)
    first = int(asked.get("pageToken") or 0)
    page: dict[str, Any] = {"assets": [image.to_json() for image in found[first : first + size]]}
    if first + size < len(found):
        page["nextPageToken"] = str(first + size)
    return page


def _passes(image: DoubleImage, text: str) -> bool:
    left = FILTERS.sub("", text).replace(" AND ", "").strip()
    if left:
        raise _RefusedError(400, f"Invalid filter: {left}")
    for found in FILTERS.finditer(text):
        if found["start"] and image.start < _time(found["start"]):
            return False
        if found["end"] and (image.end or image.start) >= _time(found["end"]):
            return False
        if found["region"]:
            region = shape(json.loads(found["region"].replace("'", '"')))
            if not region.intersects(shape(dict(image.footprint))):
                return False
        if found["name"] and not SIGNS[found["sign"]](image.properties[found["name"]], float(found["value"])):
            return False
    return True


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass
class _Band:
    """A band of a computed image: what it gives for any grid."""

    name: str
    kind: np.dtype[Any]
    at: Callable[[Mapping[str, Any]], tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Grid to (values, whether there is one, whether it lies in the footprint)."""


def compute(images: list[DoubleImage], asked: Mapping[str, Any]) -> bytes:
    """What `computePixels` answers: NPY with a field per band."""
    if asked["fileFormat"] != "NPY":
        raise _RefusedError(400, f"The double writes NPY only, not {asked['fileFormat']}.")
    grid, values = asked["grid"], asked["expression"]["values"]
    bands = _evaluate(values[asked["expression"]["result"]], values, {image.id: image for image in images})
    width, height = grid["dimensions"]["width"], grid["dimensions"]["height"]
    size = width * height * sum(band.kind.itemsize for band in bands)
    if size > MOST_BYTES:
        raise _RefusedError(400, f"Total request size ({size} bytes) must be less than or equal to {MOST_BYTES} bytes.")
    if max(width, height) > MOST_SIDE or len(bands) > MOST_BANDS:
        raise _RefusedError(400, f"Too large: {width} x {height} pixels of {len(bands)} bands.")
    pixels = np.zeros((height, width), [(band.name, band.kind) for band in bands])
    for band in bands:
        found, is_valid, _ = band.at(grid)
        pixels[band.name] = np.where(is_valid, found, 0)
    content = io.BytesIO()
    np.save(content, pixels)
    return content.getvalue()


def _evaluate(node: Mapping[str, Any], values: Mapping[str, Any], images: Mapping[str, DoubleImage]) -> Any:
    (kind, value), *_ = node.items()
    if kind == "valueReference":
        return _evaluate(values[value], values, images)
    if kind == "constantValue":
        return value
    if kind == "integerValue":
        return int(value)
    if kind == "arrayValue":
        return [_evaluate(each, values, images) for each in value["values"]]
    if kind == "functionInvocationValue":
        given = {name: _evaluate(each, values, images) for name, each in value.get("arguments", {}).items()}
        return _call(value["functionName"], given, images)
    raise _RefusedError(400, f"The double knows no {kind}.")


def _call(name: str, given: dict[str, Any], images: Mapping[str, DoubleImage]) -> list[_Band]:
    if name == "Image.load":
        if given["id"] not in images:
            raise _RefusedError(
                404, f"Image.load: Image asset '{given['id']}' not found (does not exist or caller does not have access)."
            )
        return [_of_asset(band, one) for band, one in images[given["id"]].bands.items()]
    if name == "Image.select":
        return _select(given["input"], given["bandSelectors"], given.get("newNames"))
    if name == "Image.constant":
        return [_constant(given["value"])]
    if name == "Image.unmask":
        return [_unmask(band, given["value"][0], same=given.get("sameFootprint", True)) for band in given["input"]]
    if name == "Image.cat":
        return _cat(given["images"])
    if name.removeprefix("Image.") in TYPES:
        return [_cast(band, np.dtype(TYPES[name.removeprefix("Image.")])) for band in given["value"]]
    raise _RefusedError(400, f"The double knows no {name}.")


def _of_asset(name: str, band: DoubleBand) -> _Band:
    def at(grid: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, columns = _indices(grid, band)
        height, width = band.pixels.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
        valid = inside if band.masked is None else inside & ~band.masked[rows, columns]
        return band.pixels[rows, columns], valid, valid

    return _Band(name, band.pixels.dtype, at)


def _indices(grid: Mapping[str, Any], band: DoubleBand) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a band in which the middles of a grid's pixels lie."""
    place, size = grid["affineTransform"], grid["dimensions"]
    columns, rows = np.meshgrid(np.arange(size["width"]) + 0.5, np.arange(size["height"]) + 0.5)
    x = place["translateX"] + columns * place["scaleX"] + rows * place.get("shearX", 0)
    y = place["translateY"] + rows * place["scaleY"] + columns * place.get("shearY", 0)
    if grid["crsCode"] != f"EPSG:{band.epsg}":
        x, y = Transformer.from_crs(grid["crsCode"], f"EPSG:{band.epsg}", always_xy=True).transform(x, y)
    a, b, left, d, e, top = band.transform
    assert not b, "the double's images are not rotated"
    assert not d, "the double's images are not rotated"
    return np.floor((y - top) / e).astype(int), np.floor((x - left) / a).astype(int)


def _constant(value: float) -> _Band:
    kind = np.dtype("float64") if isinstance(value, float) and not value.is_integer() else np.min_scalar_type(int(value))

    def at(grid: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shape_ = grid["dimensions"]["height"], grid["dimensions"]["width"]
        return np.full(shape_, value), np.ones(shape_, bool), np.ones(shape_, bool)

    return _Band("constant", kind, at)


def _select(bands: list[_Band], selectors: list[str], new_names: list[str] | None) -> list[_Band]:
    by_name = {band.name: band for band in bands}
    for selector in selectors:
        if selector not in by_name:
            raise _RefusedError(
                400, f"Image.select: Band pattern '{selector}' did not match any bands. Available bands: {list(by_name)}"
            )
    chosen = [by_name[selector] for selector in selectors]
    return [_Band(name, band.kind, band.at) for name, band in zip(new_names or selectors, chosen, strict=True)]


def _unmask(band: _Band, value: _Band, *, same: bool) -> _Band:
    def at(grid: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (found, is_valid, inside), (instead, _, _) = band.at(grid), value.at(grid)
        filled = np.where(is_valid, found, instead)
        everywhere = np.ones_like(inside)
        return (filled, inside, inside) if same else (filled, everywhere, everywhere)

    return _Band(band.name, np.promote_types(band.kind, value.kind), at)


def _cast(band: _Band, kind: np.dtype[Any]) -> _Band:
    def at(grid: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found, is_valid, inside = band.at(grid)
        if kind.kind in "iu":
            found = np.clip(found, np.iinfo(kind).min, np.iinfo(kind).max)
        return found.astype(kind), is_valid, inside

    return _Band(band.name, kind, at)


def _cat(images: list[list[_Band]]) -> list[_Band]:
    bands: list[_Band] = []
    for band in (band for image in images for band in image):
        taken = {each.name for each in bands}
        names = (f"{band.name}_{number}" if number else band.name for number in range(len(bands) + 1))
        bands.append(_Band(next(name for name in names if name not in taken), band.kind, band.at))
    return bands

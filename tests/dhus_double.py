"""A DHuS hub on this machine: OpenSearch in JSON page by page, OData of products, files with ranges, its usual refusals.

It answers what it is asked: queries are parsed and applied, dates, boxes, cloud and all.

References:
    DHuS, "Open Search API" and "Open Data Protocol (OData) API"; ESA, "Copernicus Long Term Archive Access".
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from shapely import from_wkt

from tests.safe_products import Product, corners

USER, PASSWORD = "somebody-at-the-hub", "planted-hub-password"
ACCOUNT = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
UUID = re.compile(r"/dhus/odata/v1/Products\('([^']+)'\)(.*)")


@dataclass
class Entry:
    """A product that the hub has."""

    product: Product
    content: bytes
    uuid: str
    online: bool = True
    algorithm: str = "MD5"

    @property
    def checksum(self):
        return {"MD5": hashlib.md5, "SHA3-256": hashlib.sha3_256}[self.algorithm](self.content).hexdigest().upper()

    @property
    def wkt(self):
        return f"MULTIPOLYGON ((({', '.join(f'{lon} {lat}' for lat, lon in corners())})))"

    def found(self):
        """As a search tells it."""
        product = self.product
        began = f"{product.when:%Y-%m-%dT%H:%M:%S}.024Z"
        texts = {
            "footprint": self.wkt, "size": f"{len(self.content) / 1024:.2f} KB", "orbitdirection": "DESCENDING",
            "platformname": "Sentinel-2", "producttype": self.type,
        }  # fmt: skip
        return {
            "title": product.title, "id": self.uuid, "summary": "x",
            "link": [{"href": f"https://hub/odata/v1/Products('{self.uuid}')/$value"}],
            "date": [{"name": "beginposition", "content": began}, {"name": "ingestiondate", "content": began}],
            "int": {"name": "relativeorbitnumber", "content": str(product.orbit)},
            "double": {"name": "cloudcoverpercentage", "content": str(product.cloud)},
            "str": [{"name": name, "content": text} for name, text in texts.items()],
        }  # fmt: skip

    @property
    def type(self):
        return f"S2MSI{self.product.kind}"

    def told(self, url):
        """As OData tells it."""
        stamp = f"/Date({int(self.product.when.timestamp() * 1000)})/"
        points = " ".join(f"{lat},{lon}" for lat, lon in corners())
        tag, space = "gml:Polygon", 'xmlns:gml="http://www.opengis.net/gml"'
        ring = f"<gml:LinearRing><gml:coordinates>{points}</gml:coordinates></gml:LinearRing>"
        return {
            "__metadata": {"media_src": f"{url}/odata/v1/Products('{self.uuid}')/$value"},
            "Id": self.uuid, "Name": self.product.title, "ContentLength": str(len(self.content)),
            "Checksum": {"Algorithm": self.algorithm, "Value": self.checksum},
            "ContentDate": {"Start": stamp, "End": stamp}, "CreationDate": stamp, "IngestionDate": stamp, "Online": self.online,
            "ContentGeometry": f"<{tag} {space}><gml:outerBoundaryIs>{ring}</gml:outerBoundaryIs></{tag}>",
            "Attributes": {"__deferred": {"uri": "x"}},
        }  # fmt: skip


@dataclass
class Fault:
    """Something that goes wrong with the next request of a kind."""

    kind: str
    """`search`, `product`, `online` or `value`."""
    status: int = 200
    """Of the answer; 200 is a whole one, but for what follows."""
    cause: str = ""
    """In the header `cause-message`."""
    cut: int | None = None
    """Bytes after which the connection ends."""
    spoiled: bool = False
    """Whether a byte in the middle is another."""
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    """Of the answer's body."""


@dataclass
class Hub:
    """The running hub."""

    url: str = ""
    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """Each happens once, to the first request of its kind."""
    ranges: bool = True
    """Whether it knows ranges."""
    open: bool = True
    """Whether files are given at once; else they wait until this is set."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, path with query, range of all so far."""
    sent: int = 0
    """Bytes of files."""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, path: Path, product: Product, **options) -> Entry:
        """Take in a product's zip file."""
        number = len(self.entries) + 1
        self.entries.append(Entry(product, path.read_bytes(), f"a8dd0cfd-613e-45ce-868c-{number:012}", **options))
        return self.entries[-1]

    def counted(self, kind):
        """How many requests of a kind there were."""
        return sum(each == kind for each, *_ in self.requests)

    @contextmanager
    def counting(self):
        """Count a file that is being given, once it may be."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            while not self.open:
                time.sleep(0.01)
            yield
        finally:
            with self.lock:
                self.at_once -= 1

    def fault(self, kind):
        with self.lock:
            found = next((fault for fault in self.faults if fault.kind == kind), None)
            if found:
                self.faults.remove(found)
            return found


@contextmanager
def serve_dhus() -> Iterator[Hub]:
    """Run an empty hub with one account, of `USER` and `PASSWORD`."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}/dhus"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.open = True
        server.shutdown()
        server.server_close()
        thread.join()


def search(entries, asked):
    """The answer to a search: one page; one product is no list."""
    assert asked["format"] == ["json"]
    start, rows = int(asked["start"][0]), int(asked["rows"][0])
    found = sorted((entry for entry in entries if matches(entry, asked["q"][0])), key=lambda entry: entry.product.when)
    page = [entry.found() for entry in found[start : start + rows]]
    told = {"entry": page[0] if len(page) == 1 else page} if page else {}
    return {"feed": {"opensearch:totalResults": str(len(found)), **told}}


def matches(entry: Entry, query: str) -> bool:
    """Whether a product is one that a Solr query asks for."""
    began = entry.product.when
    for name, first, last in re.findall(r"(\w+):\[(\S+) TO (\S+)\]", query):
        low, high = first.strip('"'), last.strip('"')
        if name == "beginPosition":
            if not _instant(low) <= began <= _instant(high):
                return False
        elif name == "cloudcoverpercentage" and not float(low) <= entry.product.cloud <= float(high):
            return False
    types = re.findall(r'producttype:"(\w+)"', query)
    area = re.search(r'footprint:"Intersects\((.*?)\)"', query)
    return (
        (not types or entry.type in types)
        and 'platformname:"Sentinel-2"' in query
        and (area is None or from_wkt(area[1]).intersects(from_wkt(entry.wkt)))
    )


def _instant(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        kind, answer = self.route()
        self.hub.requests.append((kind, self.path, self.headers.get("Range", "")))
        fault = self.hub.fault(kind) or Fault(kind)
        if self.headers.get("Authorization") != ACCOUNT:
            self.send(401, b"<html><body><h1>HTTP Status 401</h1></body></html>", "text/html")
        elif fault.status >= 400 or fault.text:
            headers = {"cause-message": fault.cause} if fault.cause else {}
            self.send(fault.status, fault.text.encode() or b"<html>no</html>", "text/html", headers | fault.headers)
        elif answer is None:
            self.send(404, json.dumps({"error": {"code": None, "message": {"value": "InvalidKey : Invalid key (x)"}}}).encode())
        elif isinstance(answer, Entry):
            self.send_file(answer, fault)
        else:
            self.send(200, json.dumps(answer).encode())

    def route(self):
        """Kind of a request and its answer, none where there is nothing."""
        parts = urlsplit(self.path)
        if parts.path == "/dhus/search":
            return "search", search(self.hub.entries, parse_qs(parts.query))
        match = UUID.fullmatch(unquote(parts.path))
        kind = {"": "product", "/Online/$value": "online", "/$value": "value"}.get(match[2]) if match else None
        entry = next((entry for entry in self.hub.entries if match and entry.uuid == match[1]), None)
        if kind is None or entry is None:
            return kind or "nowhere", None
        return kind, {"product": {"d": entry.told(self.hub.url)}, "online": entry.online, "value": entry}[kind]

    def send_file(self, entry, fault):
        content = bytearray(entry.content)
        if fault.spoiled:
            content[len(content) // 2] ^= 255
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if self.hub.ranges else None
        part = bytes(content[int(wanted[1]) :] if wanted else content)
        extra = {"Content-Range": f"bytes {wanted[1]}-{len(content) - 1}/{len(content)}"} if wanted else {}
        if not entry.online:
            self.send(202, b"")
            return
        with self.hub.counting():
            self.send(206 if wanted else 200, part, "application/octet-stream", extra, cut=fault.cut)
            self.hub.sent += len(part[: fault.cut])

    def send(self, status, body, kind="application/json", headers=(), *, cut=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.close_connection |= cut is not None

    def log_message(self, *_):
        """Say nothing."""

"""The whole build of the same scenes: `curate build` from their STAC items, written to disk, a fresh process each time.

It chooses by the classification, checks, writes GeoTIFFs and items, and journals, so it is told beside the readers and not
compared with them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalogs import open_catalog
from tests.benchmarks.curation.scenes import BANDS, EPSG, MARGIN, ORIGIN, Layout, scene_folder
from tests.benchmarks.curation.tasks import SIZE_M
from tests.benchmarks.curation.worker import peak_mb
from tests.range_server import ROOT, serve_ranges

ITEMS = "items.json"
PROGRAM = ("-m", "tests.benchmarks.curation.whole")
MADE_UP = ("--radiometry", "keep")
"""Noise has no dark ground that could bear out an offset."""
SENSOR = "sentinel-2-l2a"
KEPT_M = 10 * MARGIN + SIZE_M
"""Of the scenes' borders, that no square shall touch."""


@dataclass(frozen=True)
class Built:
    """One build."""

    patches: int
    """Items that were written."""
    seconds: float
    """Wall clock of the command, Python's start among it."""
    cpu_s: float
    """Of its process."""
    peak_mb: float
    """Most memory of its process."""
    base_mb: float
    """The same once its libraries are imported."""
    requests: int
    """As the server counted."""
    bytes: int
    """Of bodies."""
    written_bytes: int
    """Of all files of the catalog."""


def build(
    folder: Path,
    layout: Layout,
    *,
    patches: int,
    latency_ms: int,
    side_m: int = SIZE_M,
    workers: int = 64,
    program: Sequence[str] = PROGRAM,
) -> Built:
    """Sample, then build from a server.

    Args:
        folder: Of the scenes, which are the seasons: each square has a patch in each.
        layout: Of the scenes.
        patches: To be written, a multiple of the scenes.
        latency_ms: Of each request.
        side_m: Of a square.
        workers: Requests at once at most.
        program: Words after Python's name that begin the build's process.

    Raises:
        RuntimeError: A command failed; its last words are in the message.
    """
    write_items(folder, layout)
    with TemporaryDirectory() as home, serve_ranges(folder, latency_s=latency_ms / 1000) as server:
        region, out = Path(home) / "region.json", Path(home) / "catalog"
        region.write_text(json.dumps(_square(layout, KEPT_M)))
        where = ("--region", region, "--strategy", "uniform", "--count", patches // layout.scenes)
        _curate("sample", *where, "--patch-m", side_m, "--no-overlap", "--out", out, "--quiet")
        bands = ",".join(band.key for band in BANDS if band.data_type == "uint16")
        when = ("--seasons", layout.scenes, "--start", "2023-01-01", "--end", "2024-01-01", "--max-cloud", 100)
        server.reset()
        start = time.perf_counter()
        how = ("--source", f"{server.url}/{ITEMS}", "--bands", bands, *when, *MADE_UP, "--workers", workers, "--quiet")
        spent = _curate("build", out, *how, program=program)
        seconds, counts = time.perf_counter() - start, server.counts()
        written = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
        items = sum(1 for _ in open_catalog(out).items(sensor=SENSOR))
        return Built(items, seconds, requests=counts.requests, bytes=counts.bytes, written_bytes=sum(written), **spent)


def write_items(folder: Path, layout: Layout) -> None:
    """The scenes as an item collection of STAC, with addresses relative to it."""
    footprint = _square(layout, 0)
    ring = footprint["coordinates"][0]
    bounds = [min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring)]
    items = []
    for number in range(layout.scenes):
        month = 1 + (12 * number + 6) // layout.scenes
        assets = {band.key: _asset(layout, number, band.key) for band in BANDS}
        items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": scene_folder(folder, number).name,
                "collection": SENSOR,
                "geometry": footprint,
                "bbox": bounds,
                "properties": {"datetime": f"2023-{month:02d}-15T10:50:31Z", "platform": "sentinel-2a", "proj:epsg": EPSG},
                "assets": assets,
                "links": [],
            }
        )
    (folder / ITEMS).write_text(json.dumps({"type": "FeatureCollection", "features": items}))


def _asset(layout: Layout, number: int, key: str) -> dict[str, Any]:
    band = next(band for band in BANDS if band.key == key)
    side, (west, north) = layout.side(band.gsd), ORIGIN
    asset = {
        "href": f"./{scene_folder(Path(), number).name}/{key}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "gsd": band.gsd,
        "proj:shape": [side, side],
        "proj:transform": [band.gsd, 0, west, 0, -band.gsd, north],
        "raster:bands": [{"data_type": band.data_type, "nodata": 0}],
    }
    return asset if key == "SCL" else asset | {"eo:bands": [{"name": key}]}


def _square(layout: Layout, margin_m: int) -> dict[str, Any]:
    from pyproj import Transformer

    to_lonlat = Transformer.from_crs(EPSG, 4326, always_xy=True)
    (west, north), side_m = ORIGIN, 10 * layout.width
    near, far = margin_m, side_m - margin_m
    corners = [(near, near), (near, far), (far, far), (far, near), (near, near)]
    ring = [to_lonlat.transform(west + x, north - y) for x, y in corners]
    return {"type": "Polygon", "coordinates": [[[round(degrees, 7) for degrees in corner] for corner in ring]]}


def _curate(*words: object, program: Sequence[str] = PROGRAM) -> dict[str, float]:
    command = [sys.executable, *program, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"curate {words[0]} failed: {(done.stderr or done.stdout)[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Run a command, and print what it cost as one line of JSON."""
    from curate.cli import main as curate

    for library in ("numpy", "pyarrow", "rasterio", "requests", "scipy.stats", "shapely", "urllib3"):
        import_module(library)
    base_mb, cpu = peak_mb(), time.process_time()
    try:
        curate(sys.argv[1:])
    except SystemExit as ended:
        print(json.dumps({"cpu_s": time.process_time() - cpu, "peak_mb": peak_mb(), "base_mb": base_mb}))
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())

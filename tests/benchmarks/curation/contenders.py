"""The ways to read patches that are compared.

Each gets ready (imports, those too that a library puts off; what a catalog would tell of the files) and gives a run. A run goes
from addresses to arrays in memory, in the order of the task's reads. What the others are set to is what their documentation
recommends for files on a web server; 16 threads each, more of them were not faster on two cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.curation.scenes import BANDS, EPSG, ORIGIN, SceneBand
from tests.benchmarks.curation.tasks import SIZE_M, Patch, Task

Run = Callable[[], list[NDArray[Any]]]

THREADS = 16
GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
    "GDAL_CACHEMAX": "512",
}
"""For rasterio alone; odc-stac and stackstac bring their own."""
CACHED_BYTES = {"CPL_VSIL_CURL_CACHE_SIZE": "200000000"}
"""For all three: with GDAL's own 16 MB of compressed blocks, a fifth more requests and bytes."""


def ours(task: Task) -> Run:
    """`curate.reading`: all windows at once, each block once; set up as a build does it."""
    import_module("deflate")
    import_module("curate.reading.connections")
    import_module("curate.reading.exchange")
    import_module("requests.utils")
    from catalogs.foreign import SourceBand
    from curate.reading.arenas import limit_arenas
    from curate.reading.reader import BlockReader, WindowRead
    from curate.reading.transport import Transport
    from curate.sources.access import signer_for

    limit_arenas()
    signer_for(task.href(*next(iter(task.reads()))))

    def run() -> list[NDArray[Any]]:
        transport = Transport()
        reads = [WindowRead(SourceBand(task.href(patch, band)), patch.window(band)) for patch, band in task.reads()]
        try:
            arrays: dict[int, Any] = dict(BlockReader(transport).read(enumerate(reads)))
        finally:
            transport.close()
        return [arrays[number] for number in range(len(reads))]

    return run


def with_rasterio(task: Task) -> Run:
    """One open and window per band and patch."""
    os.environ.update(GDAL_OPTIONS | CACHED_BYTES)
    import rasterio
    from rasterio.windows import Window

    def read(one: tuple[Patch, SceneBand]) -> NDArray[Any]:
        patch, band = one
        with rasterio.open(task.href(patch, band)) as file:
            pixels: NDArray[Any] = file.read(1, window=Window(*patch.window(band)))
            return pixels

    def run() -> list[NDArray[Any]]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(read, task.reads()))

    return run


def with_odc(task: Task) -> Run:
    """odc-stac: one lazy load per patch and resolution, all computed at once by Dask's threads."""
    import odc.stac
    from affine import Affine
    from odc.geo.geobox import GeoBox

    odc.stac.configure_rio(cloud_defaults=True)
    os.environ.update(CACHED_BYTES)
    import_module("distributed")
    items = _items(task)

    def load(patch: Patch, gsd: int) -> list[Any]:
        side, (easting, northing) = SIZE_M // gsd, patch.corner()
        box = GeoBox((side, side), Affine(gsd, 0, easting, 0, -gsd, northing), EPSG)
        keys = [band.key for band in BANDS if band.gsd == gsd]
        loaded = odc.stac.load([items[patch.scene]], keys, geobox=box, chunks={})
        return [loaded[key].data for key in keys]

    def run() -> list[NDArray[Any]]:
        lazy = [array for patch in task.patches for gsd in (10, 20) for array in load(patch, gsd)]
        return [array[0] for array in _computed(lazy)]

    return run


def with_stackstac(task: Task) -> Run:
    """stackstac: one lazy stack per patch and resolution, all computed at once by Dask's threads."""
    import stackstac

    os.environ.update(CACHED_BYTES)
    import_module("distributed")
    items = _items(task)

    def stack(patch: Patch, gsd: int) -> Any:
        west, north = patch.corner()
        bounds = (west, north - SIZE_M, west + SIZE_M, north)
        keys = [band.key for band in BANDS if band.gsd == gsd]
        how = {"dtype": np.dtype("uint16"), "fill_value": np.uint16(0), "rescale": False, "xy_coords": False}
        stacked = stackstac.stack([items[patch.scene]], assets=keys, epsg=EPSG, resolution=gsd, bounds=bounds, **how)
        return stacked.data

    def run() -> list[NDArray[Any]]:
        lazy = [stack(patch, gsd) for patch in task.patches for gsd in (10, 20)]
        return [band for stacked in _computed(lazy) for band in stacked[0]]

    return run


CONTENDERS: dict[str, Callable[[Task], Run]] = {
    "ours": ours,
    "rasterio": with_rasterio,
    "odc-stac": with_odc,
    "stackstac": with_stackstac,
}


def _computed(lazy: list[Any]) -> tuple[Any, ...]:
    from dask.base import compute

    return tuple(compute(*lazy, scheduler="threads", num_workers=THREADS))


def _items(task: Task) -> dict[str, Any]:
    """A STAC item per scene that tells all that a reader need not open the file for."""
    import pystac

    items = {}
    for scene in {patch.scene: patch for patch in task.patches}.values():
        west, north = ORIGIN
        side_m = task.sides[10] * 10
        ring = [[2.9, 44.1], [4.4, 44.1], [4.4, 45.2], [2.9, 45.2], [2.9, 44.1]]
        bounds = [west, north - side_m, west + side_m, north]
        shared = {"proj:code": f"EPSG:{EPSG}", "proj:epsg": EPSG, "proj:bbox": bounds}
        item = pystac.Item(
            scene.scene.replace("/", "-").strip("@"),
            {"type": "Polygon", "coordinates": [ring]},
            [2.9, 44.1, 4.4, 45.2],
            datetime(2023, 7, 1, tzinfo=UTC),
            shared,
            stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
        )
        for band in BANDS:
            side = task.sides[band.gsd]
            place = {"proj:shape": [side, side], "proj:transform": [band.gsd, 0, west, 0, -band.gsd, north]}
            pixels = {"raster:bands": [{"data_type": band.data_type, "nodata": 0}]}
            item.add_asset(band.key, pystac.Asset(task.href(scene, band), media_type="image/tiff", extra_fields=place | pixels))
        items[scene.scene] = item
    return items

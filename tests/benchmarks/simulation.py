"""How fast the simulated world is rendered: `python -m tests.benchmarks.simulation`.

For each sensor and patch size: patches a second on one core, all bands and the mask, each band read by itself as the
pipeline does; a location's first date, and further dates of it, which find its landscape in memory. Then the search.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median

from catalogs.foreign import SourceScene
from catalogs.lattice import squares_around
from curate.sources.simulated import SimulatedSource
from tests.benchmarks.machine import asked, describe_machine

SPAN = (datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))
PLACES = ((2.35, 48.85), (4.83, 45.75), (-1.55, 47.22), (7.26, 44.1), (1.44, 43.6))
DATES = 4
LANDSAT_MARGIN_PX = 3
"""What a warp to another lattice reads beyond the square."""


def read_patch(source: SimulatedSource, scene: SourceScene, bounds: list[int]) -> tuple[float, float]:
    """Seconds of the processor for all bands of a square, and for the mask alone, which is read first."""
    begin, mask = time.thread_time(), 0.0
    for name, band in reversed(scene.bands.items()):
        with source.open(band) as raster:
            size, _, left, _, _, top = raster.grid.transform
            margin = LANDSAT_MARGIN_PX if scene.sensor == "landsat-c2-l2" else 0
            side = round((bounds[2] - bounds[0]) / size) + 2 * margin
            raster.read((int((bounds[0] - left) // size) - margin, int((top - bounds[3]) // size) - margin, side, side))
        if name in {"scl", "qa_pixel"}:
            mask = time.thread_time() - begin
    return time.thread_time() - begin, mask


def measure(sensor: str, side: int) -> None:
    """Print what a patch of a sensor costs."""
    first, further, masks = [], [], []
    for lon, lat in PLACES:
        source = SimulatedSource()
        (epsg,), (bounds,) = squares_around([lon], [lat], side)
        scenes = [scene for scene in source.search(sensor, (lon, lat, lon, lat), *SPAN) if scene.epsg == epsg]
        seconds = [read_patch(source, scene, bounds.tolist()) for scene in scenes[:DATES]]
        first.append(seconds[0][0])
        further += [total for total, _ in seconds[1:]]
        masks += [mask for _, mask in seconds if mask]
    later = f"{1000 * median(further):7.1f} ms a further date ({1 / median(further):6.1f}/s)" if further else ""
    mask_time = f", {1000 * median(masks):5.1f} ms its mask alone" if masks else ""
    print(
        f"{sensor:16} {side:5} m: {1000 * median(first):7.1f} ms the first date ({1 / median(first):6.1f}/s){later}{mask_time}"
    )


def measure_search() -> None:
    """Print what a year's search of a square degree costs."""
    year = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    source = SimulatedSource()
    for sensor in source.sensors():
        begin = time.thread_time()
        count = len(source.search(sensor, (2, 48, 3, 49), *year))
        once = time.thread_time() - begin
        begin = time.thread_time()
        source.search(sensor, (2, 48, 3, 49), *year)
        print(f"{sensor:16} {count:5} scenes of a degree and a year: {once:.2f} s, again {time.thread_time() - begin:.2f} s")


if __name__ == "__main__":
    asked(__doc__)
    print(describe_machine())
    for each in SimulatedSource().sensors():
        for metres in (2640, 600):
            measure(each, metres)
    measure_search()

"""What a build holds is bounded: with four times the scenes its memory is the same, and within what the README states."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.benchmarks.curation.scenes import BANDS, BLOCK, EPSG, ORIGIN, Layout, scene_folder
from tests.benchmarks.curation.whole import build

STATED_MB = 500
"""By README.md."""
SMALL, LARGE = 2, 8
"""Scenes, of 70 MB of needed blocks each."""
WIDTH = 3_300
"""Of a band of 10 m, px."""
SQUARES = 12
"""Each with a patch of each scene."""
GROWTH_MB = 60
"""For the records of the larger build's further patches, and for what the C library does not give back; measured: 2."""
SLOW = """
import sys, time
from curate.reading.decode import Encoding
from tests.benchmarks.curation.whole import main

unpack = Encoding.unpack

def unpack_slowly(*asked):
    time.sleep(0.02)
    return unpack(*asked)

Encoding.unpack = unpack_slowly
sys.exit(main())
"""
"""A build whose decoders have always more to do than they can, as where the network is faster than the processor."""


@pytest.fixture
def scenes(tmp_path):
    """As many as are wanted of the same pixels, as blocks that are not packed."""
    folder = tmp_path / "scenes"
    scene_folder(folder, 0).mkdir(parents=True)
    for band in BANDS:
        side = WIDTH * 10 // band.gsd
        pixels = np.full((side, side), 4 if band.data_type == "uint8" else 1500, band.data_type)
        place = {"crs": f"EPSG:{EPSG}", "transform": Affine(band.gsd, 0, ORIGIN[0], 0, -band.gsd, ORIGIN[1]), "nodata": 0}
        shape = {"width": side, "height": side, "count": 1, "dtype": band.data_type}
        blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        with rasterio.open(
            scene_folder(folder, 0) / f"{band.key}.tif", "w", driver="GTiff", **shape, **place, **blocks
        ) as file:
            file.write(pixels, 1)
    for number in range(1, LARGE):
        scene_folder(folder, number).symlink_to(scene_folder(folder, 0).name)
    return folder


@pytest.mark.slow
def test_four_times_the_scenes_take_no_more_memory(scenes):
    how = {"latency_ms": 200, "side_m": 600, "workers": 256, "program": ("-c", SLOW)}
    small, large = (build(scenes, Layout(WIDTH, count), patches=SQUARES * count, **how) for count in (SMALL, LARGE))
    assert (small.patches, large.patches) == (SQUARES * SMALL, SQUARES * LARGE)
    assert large.bytes > 500e6, "less than a build may hold"
    assert large.peak_mb - small.peak_mb < GROWTH_MB
    assert large.peak_mb < STATED_MB

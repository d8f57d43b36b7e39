"""Stacks in memory: any numbers, any layers, no catalog."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalogs.layers import Layer
from catalogs.stack import Stack


@dataclass(frozen=True)
class Arrays:
    """Pixels of each layer, (items, bands, height, width)."""

    layers: tuple

    def read_into(self, item, out):
        for room, layer in zip(out, self.layers, strict=True):
            room[...] = layer[item]


def make_stack(layers, bands, *, nodata=None, scale=1.0, offset=0.0, valid_percent=100.0, sensor="sentinel-2-l2a"):
    """A stack of arrays.

    Args:
        layers: {names of bands: (items, bands, height, width)}, finest first.
        bands: The order asked for.
        nodata: Of every band.
        scale: Of every item and band, or (items, bands).
        offset: See `scale`.
        valid_percent: Of every item, or (items,).
        sensor: Its id.
    """
    count = len(next(iter(layers.values())))
    size = (count, len(bands))
    return Stack(
        sensor=sensor,
        items=pa.table({"id": [f"item-{row}" for row in range(count)], "valid_percent": np.broadcast_to(valid_percent, count)}),
        bands=tuple(bands),
        layers=tuple(
            Layer(10.0 * 2**place, names, str(array.dtype), *array.shape[2:], (nodata,) * len(names))
            for place, (names, array) in enumerate(layers.items())
        ),
        scale=np.broadcast_to(scale, size).astype(np.float32),
        offset=np.broadcast_to(offset, size).astype(np.float32),
        index_hash="0" * 64,
        is_packed=False,
        pixels=Arrays(tuple(layers.values())),
    )

"""Stacks of places with dates, in memory: what a catalog would hold, to the day."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa

from tests.evaluate.stacks import make_stack

BANDS = ("B04", "B11", "B02")
INSTANT = pa.timestamp("us", tz="UTC")


def make_places(
    days, *, split="train", size_px=8, data_type="uint16", seed=0, valid_percent=100.0, vintage=(), nodata=0, low=1
):
    """A stack with an item of each day of each location, its pixels random.

    Args:
        days: Of each location, the items' days of 2023, from 0; a fraction is a time of that day.
        split: Of all locations, or of each by its id.
        size_px: Side of a patch of the finest layer, even.
        data_type: Of the pixels.
        seed: Of the pixels.
        valid_percent: Of every item, or (items,).
        vintage: Locations whose items have a start, and no instant.
        nodata: Of every band.
        low: The least number.
    """
    rows = [(location, day) for location, found in days.items() for day in found]
    rng = np.random.default_rng(seed)
    most = min(np.iinfo(data_type).max, 5000)
    fine = rng.integers(low, most, (len(rows), 2, size_px, size_px)).astype(data_type)
    coarse = rng.integers(low, most, (len(rows), 1, size_px // 2, size_px // 2)).astype(data_type)
    stack = make_stack(
        {("B04", "B02"): fine, ("B11",): coarse},
        BANDS,
        nodata=nodata,
        scale=rng.uniform(1e-4, 2e-4, (len(rows), 3)),
        offset=rng.uniform(-0.1, 0, (len(rows), 3)),
        valid_percent=valid_percent,
    )
    when = [np.datetime64("2023-01-01") + np.timedelta64(round(day * 86_400), "s") for _, day in rows]
    is_vintage = [location in vintage for location, _ in rows]
    columns = {
        "location": pa.array([location for location, _ in rows]),
        "split": pa.array([split if isinstance(split, str) else split[location] for location, _ in rows]),
        "datetime": _instants([None if late else each for each, late in zip(when, is_vintage, strict=True)]),
        "start_datetime": _instants([each if late else None for each, late in zip(when, is_vintage, strict=True)]),
    }
    table = stack.items
    for name, column in columns.items():
        table = table.append_column(name, column)
    return replace(stack, items=table)


def _instants(times):
    return pa.array([None if each is None else each.astype("datetime64[us]").astype(datetime) for each in times], INSTANT)

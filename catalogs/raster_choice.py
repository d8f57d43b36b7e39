"""Which bands of many items go together: those that all have, in one size, type and nodata value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from catalogs.bands import Sensor
from catalogs.errors import ContractError, MissingBandError
from catalogs.layers import Form
from catalogs.raster_table import RasterTable


def choose_bands(sensor: Sensor, table: RasterTable, bands: Sequence[str] | None, ids: pa.ChunkedArray) -> tuple[str, ...]:
    """The bands asked for, if every item has them; else all that every item has, in the sensor's order.

    Args:
        sensor: What the items are of.
        table: Their rasters.
        bands: Names; none for all.
        ids: Of the items, for messages.

    Raises:
        MissingBandError: The sensor has no such band, or some items lack it.
        ContractError: A band is asked for twice or is a mask, or no band is in every item.
    """
    if bands is None:
        found = tuple(band.name for band in sensor.bands if table.with_band(band.name).all())
        if not found:
            raise ContractError(
                f"No band of {sensor.id} is in all of {len(table)} items. Leave out the items without: see curate info."
            )
        return found
    check_names(sensor, bands)
    for name in bands:
        _check_present(sensor, table, name, ids)
    return tuple(bands)


def check_names(sensor: Sensor, bands: Sequence[str]) -> None:
    """Refuse names that no stack can have.

    Raises:
        MissingBandError: The sensor has no such band.
        ContractError: There are none, one is there twice or is a mask.
    """
    if not bands or len(set(bands)) < len(bands):
        raise ContractError(f"Bands {', '.join(bands) or 'none'} were asked for; expected at least one, and each once.")
    for name in bands:
        if sensor.band(name) == sensor.mask:
            raise ContractError(f"{name} is the mask of {sensor.id}: classes, no measurements. Read it with Catalog.read_mask.")


def common_forms(sensor: Sensor, table: RasterTable, bands: Sequence[str]) -> dict[str, Form]:
    """The form of the rasters that hold each band, of which every item has them.

    Raises:
        ContractError: They differ in size, type or nodata value, or some have no scale.
    """
    counts = table.counts()
    return {band: _common_form(sensor, table, band, counts) for band in bands}


def _check_present(sensor: Sensor, table: RasterTable, band: str, ids: pa.ChunkedArray) -> None:
    lacking = np.flatnonzero(~table.with_band(band))
    if not len(lacking):
        return
    common = " ".join(other.name for other in sensor.bands if table.with_band(other.name).all())
    raise MissingBandError(
        f"Band {band} is lacking in {len(lacking)} of {len(table)} items of {sensor.id} (first: {ids[int(lacking[0])]}). "
        f"Leave it out (all items have {common or 'no band in common'}), or build a catalog from a source that has it."
    )


def _common_form(sensor: Sensor, table: RasterTable, band: str, counts: dict[Form, int]) -> Form:
    mine = {form: count for form, count in counts.items() if band in form.bands and not form.is_mask}
    sizes, nodata = Counter[str](), Counter[str]()
    for form, count in mine.items():
        sizes[f"{form.width} x {form.height} px of {form.gsd:g} m, {form.data_type}"] += count
        nodata[f"nodata {form.nodata[form.bands.index(band)]}"] += count
    for differing in (sizes, nodata):
        if len(differing) > 1:
            listed = "; ".join(f"{count} with {what}" for what, count in differing.most_common())
            raise ContractError(
                f"The items of {sensor.id} differ in band {band}: {listed}. A batch holds patches of one kind: "
                "take the items of one kind alone (catalog.items, by location), or build a catalog with one --patch-m."
            )
    unscaled = int((np.isnan(table.scale[band]) | np.isnan(table.offset[band])).sum())
    if unscaled:
        raise ContractError(
            f"Band {band} has no scale and offset in {unscaled} of {len(table)} items of {sensor.id}. "
            "Leave the band out, or run curate verify to see what else is wrong."
        )
    return next(iter(mine))

"""What odc-stac must be told to find our bands.

odc-stac names the bands of an asset with several by asset and number, and does not read the names in STAC 1.1 `bands`. It
takes aliases instead, one table per collection, so all items of a collection must have their bands in the same places.

References:
    odc-stac, `odc.stac.load`, argument `stac_cfg`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from catalogs.bands import Sensor
from catalogs.errors import ContractError
from catalogs.records import LABEL_KEYS, LABEL_TYPE, UNKNOWN_LABEL
from catalogs.stores import BandOrder


def collection_config(sensor: Sensor, orders: Iterable[BandOrder]) -> dict[str, Any]:
    """Configuration of one collection.

    Args:
        sensor: What it holds.
        orders: All orders of bands that its assets come in.

    Returns:
        Types and nodata of its assets; aliases of band names, and of common names that only one band has.

    Raises:
        ContractError: A band has different places in different items.
    """
    places: dict[str, tuple[str, int]] = {}
    for order in orders:
        for number, name in enumerate(order.names, 1):
            place = places.setdefault(name, (order.key, number))
            if place != (order.key, number):
                raise ContractError(
                    f"Item {order.first_item} has band {name} as number {number} of asset {order.key}, others have it as "
                    f"number {place[1]} of {place[0]}: a source lacked a band. odc-stac has one table per collection; load "
                    "such items apart, naming their bands as `10m.3`."
                )
    mask = sensor.mask.name if sensor.mask else None
    common = {band.name: band.common_name for band in sensor.bands if band.name in places}
    counts = Counter(common.values())
    names = {alias: places[name] for name, alias in common.items() if alias and counts[alias] == 1}
    assets = {"*": {"data_type": sensor.data_type, "nodata": sensor.bands[0].nodata}}
    if mask in places and sensor.mask:
        assets[sensor.mask.name] = {"data_type": sensor.mask_type, "nodata": sensor.mask.nodata}
    assets |= {key: {"data_type": LABEL_TYPE, "nodata": UNKNOWN_LABEL} for key in LABEL_KEYS if key in places}
    by_key = (mask, *LABEL_KEYS)
    return {"assets": assets, "aliases": names | {name: place for name, place in places.items() if name not in by_key}}

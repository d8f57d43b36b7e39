"""Our own STAC properties: only where STAC has none, under one prefix, with a JSON schema beside this file."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from catalogs.errors import ContractError

CONTRACT_VERSION = "1.5"
PREFIX = "seastars:"

CONTRACT = "seastars:contract"
LOCATION = "seastars:location"
SPLIT = "seastars:split"
SEASON = "seastars:season"
LABELS = "seastars:labels"
VALID_PERCENT = "seastars:valid_percent"
UNCLASSIFIED_PERCENT = "seastars:unclassified_percent"
SOURCE_CLOUD_PERCENT = "seastars:source_cloud_percent"
SOURCE = "seastars:source"
SOURCE_ID = "seastars:source_id"
CLOUD_SOURCE = "seastars:cloud_source"
RADIOMETRY = "seastars:radiometry"
SHIFT_M = "seastars:shift_m"
SIMULATED = "seastars:simulated"
RESAMPLING = "seastars:resampling"
SOURCES = "seastars:sources"
REDISTRIBUTABLE = "seastars:redistributable"
"""Of a collection: false where the terms of a source that took part forbid to hand its pixels on; absent elsewhere."""
INDEX_HASH = "seastars:index_hash"
"""Of a collection's asset that is made from its index: SHA-256 of that index."""

CLASSES = "classification:classes"
"""Of a label raster: what its values mean."""
MASK_ROLE = "data-mask"
LABELS_ROLE = "labels"
NO_MEASUREMENTS = frozenset({MASK_ROLE, LABELS_ROLE})
"""Roles of assets that hold classes or bits: nothing that a band of a sensor measures."""


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of our own fields, as shipped with the package."""
    parsed: dict[str, Any] = json.loads(files("catalogs").joinpath("fields.schema.json").read_text("utf-8"))
    return parsed


def check_contract(version: str, where: str) -> None:
    """Refuse a catalog that another major version of the contract wrote.

    Raises:
        ContractError: The versions differ in their first number; the message names the remedy.
    """
    ours, theirs = CONTRACT_VERSION.partition(".")[0], str(version).partition(".")[0]
    if ours != theirs:
        newer = theirs.isdigit() and int(theirs) > int(ours)
        remedy = "Upgrade seastars to read it" if newer else "Build it again with this seastars, or read it with an older one"
        raise ContractError(f"{where} follows version {version} of the contract; this seastars reads {ours}.x. {remedy}.")

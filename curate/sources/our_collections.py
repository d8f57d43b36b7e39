"""What the collections of catalogs of ours ask of whoever hands their pixels on, wherever a source finds these collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from catalogs import fields
from catalogs.terms import SourceTerms, join_sources, read_terms
from catalogs.writer import GEONAMES_NOTICE


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether a STAC document is a collection that this software wrote."""
    return fields.CONTRACT in document and document.get("type") == "Collection"


def stated_terms(collections: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, SourceTerms]:
    """What collections ask, by the sensor's id; nothing of sensors of which none is ours.

    Args:
        collections: Sensors' ids, each with a collection of it.
    """
    by_sensor: dict[str, list[SourceTerms]] = {}
    for sensor, collection in collections:
        if is_ours(collection):
            by_sensor.setdefault(sensor, []).append(read_terms(collection, (GEONAMES_NOTICE,)))
    return {sensor: join_sources(found) for sensor, found in by_sensor.items()}

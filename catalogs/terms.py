"""What the sources of a collection ask of whoever hands it on: licences, words to be said, whether it may be at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from catalogs import fields
from catalogs.bands import SENSORS, Sensor

SEVERAL = "other"
"""STAC's word for the licence of a collection whose items have several."""
NOTICE_AFTER = "one item per acquisition and location. "
"""What stands before the attribution in a collection's description."""


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """Of the pixels of one sensor from one source."""

    hosts: tuple[Mapping[str, Any], ...] = ()
    """STAC provider objects of the source, and of those that it has its pixels from; none where only its address is known."""
    license: str | None = None
    """SPDX identifier, or `other`; none for the sensor's."""
    attribution: str | None = None
    """What is to be said, without a full stop; none for the sensor's, and its years."""
    is_redistributable: bool = True
    """Whether it may be handed on."""
    says_sensor: bool = False
    """Whether the sensor's attribution, and its years, are to be said beside the source's own."""


class TermsOf(Protocol):
    """Knows the terms of sources."""

    def __call__(self, source: str, sensor: str) -> SourceTerms:
        """Of a source by the name that items have, and a sensor by its id."""


@dataclass(frozen=True, slots=True)
class CollectionTerms:
    """Of all items of a collection."""

    license: str
    """SPDX identifier, or `other`."""
    notices: tuple[str, ...]
    """Attribution sentences."""
    hosts: tuple[Mapping[str, Any], ...]
    """STAC provider objects of the sources, each once, by name."""
    is_redistributable: bool
    """Whether all of it may be handed on."""


def unknown_terms(source: str, sensor: str) -> SourceTerms:  # noqa: ARG001 - of whatever source
    """Those of a source of which nothing is known: its sensor's."""
    return SourceTerms()


def join_terms(sensor: Sensor, terms: Sequence[SourceTerms], years: Sequence[int]) -> CollectionTerms:
    """The terms of a collection from those of its sources.

    Args:
        sensor: What it holds.
        terms: Of each source that it has items of, in any order; none where nobody knows a source.
        years: Of the first and the last acquisition, for the sensor's own attribution, unless it is a static layer, whose words
            have their own; none where there are no items.
    """
    of_all = list(terms) or [SourceTerms()]
    own = f"{sensor.attribution} {'' if sensor.is_static else '-'.join(map(str, years))}".strip()
    words = sorted({word for each in of_all for word in _words(each, own)}, key=lambda word: (word != own, word))
    return CollectionTerms(
        _one_license(each.license or sensor.license for each in of_all),
        tuple(f"{word.removesuffix('.')}." for word in words),
        _hosts(of_all),
        all(each.is_redistributable for each in of_all),
    )


def join_sources(terms: Sequence[SourceTerms]) -> SourceTerms:
    """The terms of a source of which several collections of one sensor tell.

    Args:
        terms: What each of them tells, all with their licences; at least one.
    """
    said = sorted({each.attribution for each in terms if each.attribution})
    apart = [text for text in said if not any(text != other and text in other for other in said)]
    return SourceTerms(
        _hosts(terms),
        _one_license(each.license for each in terms if each.license),
        ". ".join(apart) or None,
        all(each.is_redistributable for each in terms),
        says_sensor=bool(apart) and any(each.says_sensor or not each.attribution for each in terms),
    )


def read_terms(collection: Mapping[str, Any], notices: Iterable[str] = ()) -> SourceTerms:
    """What a collection of ours asks of whoever takes its pixels: what `join_terms` gave it.

    Args:
        collection: As `catalogs.to_stac.collection_to_stac` makes it.
        notices: What it says of its places, which is not of its pixels.
    """
    allowed = collection.get(fields.REDISTRIBUTABLE) is not False
    _, found, text = str(collection.get("description", "")).rpartition(NOTICE_AFTER)
    text, says_sensor = _without_own(text if found else "", SENSORS.get(str(collection.get("id"))))
    for notice in notices:
        text = text.replace(notice, "")
    said = " ".join(text.split()).removesuffix(".") or None
    hosts = tuple(collection.get("providers") or ())[1:]
    return SourceTerms(hosts, collection.get("license"), said, allowed, says_sensor=bool(said) and says_sensor)


def _without_own(text: str, sensor: Sensor | None) -> tuple[str, bool]:
    """An attribution without the sensor's own sentence, and whether that was there."""
    if sensor is None:
        return text, False
    rest, count = re.subn(rf"{re.escape(sensor.attribution.removesuffix('.'))}( \d{{4}}(-\d{{4}})?)?\.", "", text)
    return rest, bool(count)


def _words(terms: SourceTerms, own: str) -> list[str]:
    """What a source's terms want said, with the sensor's own where they want that."""
    said = [terms.attribution] if terms.attribution else []
    return [own, *said] if terms.says_sensor or not said else said


def _one_license(licenses: Iterable[str | None]) -> str:
    each = set(licenses)
    return (each.pop() or SEVERAL) if len(each) == 1 else SEVERAL


def _hosts(terms: Iterable[SourceTerms]) -> tuple[Mapping[str, Any], ...]:
    """Of all of them, each once, by name: in whatever order they are told, a catalog's bytes are the same."""
    hosts: list[Mapping[str, Any]] = []
    for host in (host for each in terms for host in each.hosts):
        if host not in hosts:
            hosts.append(host)
    return tuple(sorted(hosts, key=lambda host: (str(host.get("name")), str(sorted(host.items())))))

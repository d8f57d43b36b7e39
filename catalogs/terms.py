"""What the sources of a collection ask of whoever hands it on: licences, words to be said, whether it may be at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from catalogs.bands import Sensor

SEVERAL = "other"
"""STAC's word for the licence of a collection whose items have several."""


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """Of the pixels of one sensor from one source."""

    host: Mapping[str, Any] | None = None
    """STAC provider object of the source; none where nobody knows more of it than its address."""
    license: str | None = None
    """SPDX identifier, or `other`; none for the sensor's."""
    attribution: str | None = None
    """What is to be said, without a full stop; none for the sensor's, and its years."""
    is_redistributable: bool = True
    """Whether it may be handed on."""


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
    """STAC provider objects of the sources, each once."""
    is_redistributable: bool
    """Whether all of it may be handed on."""


def unknown_terms(source: str, sensor: str) -> SourceTerms:  # noqa: ARG001 - of whatever source
    """Those of a source of which nothing is known: its sensor's."""
    return SourceTerms()


def join_terms(sensor: Sensor, terms: Sequence[SourceTerms], years: Sequence[int]) -> CollectionTerms:
    """The terms of a collection from those of its sources.

    Args:
        sensor: What it holds.
        terms: Of each source that it has items of, in an order of their own; none where nobody knows a source.
        years: Of the first and the last acquisition, for the sensor's own attribution; none where there are no items.
    """
    of_all = list(terms) or [SourceTerms()]
    licenses = dict.fromkeys(each.license or sensor.license for each in of_all)
    words = dict.fromkeys(each.attribution or f"{sensor.attribution} {'-'.join(map(str, years))}".strip() for each in of_all)
    hosts: list[Mapping[str, Any]] = []
    for each in of_all:
        if each.host and each.host not in hosts:
            hosts.append(each.host)
    return CollectionTerms(
        next(iter(licenses)) if len(licenses) == 1 else SEVERAL,
        tuple(f"{word.removesuffix('.')}." for word in words),
        tuple(hosts),
        all(each.is_redistributable for each in of_all),
    )

"""The terms of the sources that a build names: what their collections have to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from catalogs.terms import SEVERAL, SourceTerms, TermsOf, join_sources, read_terms
from curate.sources import DETAIL, PROVIDERS, mapping_path
from curate.sources.about import Provider
from curate.sources.archives.mapping import read_mapping
from curate.sources.protocol import Source

ANY = ""
"""In place of a sensor: all that a source has."""


@runtime_checkable
class StatesTerms(Protocol):
    """A source whose own collections tell what they ask."""

    @property
    def terms(self) -> Mapping[str, SourceTerms]:
        """By sensor; nothing of sensors of which nothing is told."""


@runtime_checkable
class IsSeveral(Protocol):
    """Several sources as one."""

    @property
    def sources(self) -> Sequence[Source]:
        """The preferred one first."""


def terms_of(opened: Source) -> TermsOf:
    """Who knows the terms of a source, or of several as one.

    Args:
        opened: Of a build.

    Raises:
        CurateError: It is of a mapping file that is not there any more.
    """
    members = opened.sources if isinstance(opened, IsSeveral) else [opened]
    by_member = [(each, _terms(each.name)) for each in members]
    named = {name: found for _, terms in by_member for name, found in terms.items()}
    catalogs = {name: each for each, terms in by_member if isinstance(each, StatesTerms) for name in terms or [each.name]}

    def find(source: str, sensor: str) -> SourceTerms:
        known = _find(named, source, sensor)
        stated = catalogs[source].terms.get(sensor) if source in catalogs else None  # an address may be open by now
        return _within(known, stated) if stated else known

    return find


def _within(known: SourceTerms, stated: SourceTerms) -> SourceTerms:
    """What a mapping file says, within what the catalog that it maps says: where one forbids it, the other cannot allow it."""
    words = known if known.attribution else stated
    return SourceTerms(
        (*known.hosts, *stated.hosts),
        known.license or stated.license,
        words.attribution,
        known.is_redistributable and stated.is_redistributable,
        says_sensor=words.says_sensor,
    )


def terms_of_parts(collections: Mapping[str, Sequence[Mapping[str, Any]]], notices: Sequence[str]) -> TermsOf:
    """Who knows the terms of the sources of catalogs that were built already, wherever those sources are by now.

    Args:
        collections: Of each sensor those that have items.
        notices: What they say of their places.
    """
    told = {
        sensor: join_sources([read_terms(each, notices) for each in found]) for sensor, found in collections.items() if found
    }

    def find(source: str, sensor: str) -> SourceTerms:
        stated, provider = told.get(sensor, SourceTerms()), source.partition(DETAIL)[0]
        if provider not in PROVIDERS:
            return stated
        known = _find(_terms(provider), provider, sensor)
        return replace(known, is_redistributable=known.is_redistributable and stated.is_redistributable)

    return find


def _find(named: Mapping[str, Mapping[str, SourceTerms]], name: str, sensor: str) -> SourceTerms:
    found = named.get(name) or named.get(name.partition(DETAIL)[0]) or {}
    return found.get(sensor) or found.get(ANY) or SourceTerms()


def _terms(text: str) -> dict[str, Mapping[str, SourceTerms]]:
    """The terms of a provider or a mapping file by the sensor, or of any sensor, by the name that items have of it."""
    name, path = text.partition(DETAIL)[0], mapping_path(text)
    if name in PROVIDERS:
        about: Provider = import_module(PROVIDERS[name]).ABOUT
        kept = {each.sensor for each in about.products if not each.redistributable}
        own = {sensor: SourceTerms(_host(about), SEVERAL, is_redistributable=False) for sensor in kept}
        return {name: {ANY: SourceTerms(_host(about), is_redistributable=about.redistributable), **own}}
    if path is None:
        return {}
    mapping = read_mapping(path)
    return {
        mapping.name: {
            sensor: SourceTerms(_host(mapping.about), each.license, each.attribution, each.redistributable)
            for sensor, each in mapping.sensors.items()
        }
    }


def _host(about: Provider) -> tuple[Mapping[str, Any], ...]:
    return ({key: value for key, value in about.host.items() if value},)

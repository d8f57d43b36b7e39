"""The terms of the sources that a build names: what their collections have to repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from catalogs import fields, layout
from catalogs.secrets import without_secrets
from catalogs.terms import SEVERAL, SourceTerms, TermsOf
from curate.sources import DETAIL, MAPPING, PROVIDERS
from curate.sources.about import Provider
from curate.sources.failover import names_in
from curate.sources.mapped_source import CONTENTS
from curate.sources.mapping import read_mapping

ANY = ""
"""In place of a sensor: all that a source has."""


def terms_of(text: str) -> TermsOf:
    """Who knows the terms of the sources that a recipe names.

    Args:
        text: The source of its build section.

    Raises:
        CurateError: It names a mapping file that is not there any more.
    """
    named = {name: found for each in names_in(text) for name, found in _terms(each).items()}

    def find(source: str, sensor: str) -> SourceTerms:
        found = named.get(source) or named.get(source.partition(DETAIL)[0]) or {}
        return found.get(sensor) or found.get(ANY) or SourceTerms()

    return find


def _terms(text: str) -> dict[str, Mapping[str, SourceTerms]]:
    """The terms of one source by the sensor, or of any sensor, by the name that items have of it; none of a mere address."""
    name = text.partition(DETAIL)[0]
    if name in PROVIDERS:
        about: Provider = import_module(PROVIDERS[name]).ABOUT
        kept = {each.sensor for each in about.products if not each.redistributable}
        own = {sensor: SourceTerms(_host(about), SEVERAL, is_redistributable=False) for sensor in kept}
        return {name: {ANY: SourceTerms(_host(about), is_redistributable=about.redistributable), **own}}
    path = text.partition(CONTENTS)[0]
    if not path.endswith(MAPPING):
        return {without_secrets(text): _terms_of_catalog(Path(text).expanduser())}
    mapping = read_mapping(path)
    return {
        mapping.name: {
            sensor: SourceTerms(_host(mapping.about), each.license, each.attribution, each.redistributable)
            for sensor, each in mapping.sensors.items()
        }
    }


def _terms_of_catalog(folder: Path) -> dict[str, SourceTerms]:
    """What a catalog of ours says of its sensors; nothing of another catalog, or of an address."""
    found = {}
    for path in folder.glob(f"*/{layout.COLLECTION}") if (folder / layout.RECIPE).exists() else ():
        collection = json.loads(path.read_bytes())
        allowed = collection.get(fields.REDISTRIBUTABLE) is not False
        found[path.parent.name] = SourceTerms(license=collection.get("license"), is_redistributable=allowed)
    return found


def _host(about: Provider) -> dict[str, object]:
    return {key: value for key, value in about.host.items() if value}

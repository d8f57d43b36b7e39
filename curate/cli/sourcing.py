"""What `curate sources` tells: providers as lines of text or as JSON, and what they answer when they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from textwrap import wrap
from typing import Any

from catalogs.bands import find_sensor
from catalogs.console import emit, emit_json, progress
from catalogs.errors import CatalogError
from curate.errors import CurateError, SourceUnavailableError
from curate.sources import DETAIL, PROVIDERS
from curate.sources.about import Product, Provider

WIDTH = 120
LABEL_WIDTH = 10
INDENT = 2
FURTHER = """
Besides, --source takes the address of any STAC API, the path or address of a static STAC catalog, a mapping file
for bands of other names, and several sources at once, separated by commas: the first that has a scene gives it.
How to set one up: curate sources NAME"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said when it was asked."""

    is_good: bool
    """Whether scenes can be had from it now."""
    words: str
    """What it said, or what is wrong and what to do."""


def tell_sources(names: Sequence[str], *, check: bool, as_json: bool) -> int:
    """Tell of providers.

    Returns:
        The exit code: 4 where one of those that were named, or all of all that are asked over the network, were asked and did
        not answer well.

    Raises:
        CurateError: A name is none of a provider, or something follows one that takes nothing.
    """
    chosen = {name: _about(name) for name in names or PROVIDERS}
    answers = _ask(list(chosen)) if check else {}
    if as_json:
        emit_json({"sources": [_to_json(provider, answers.get(name)) for name, provider in chosen.items()]})
    else:
        blocks = [_lines(provider, answers.get(name), with_setup=bool(names)) for name, provider in chosen.items()]
        emit("\n\n".join("\n".join(block) for block in blocks) + ("" if names else f"\n{FURTHER}"))
    good = [answer.is_good for name, answer in answers.items() if names or chosen[name].url]
    return SourceUnavailableError.exit_code if good and not (all(good) if names else any(good)) else 0


def _about(text: str) -> Provider:
    name, _, detail = text.partition(DETAIL)
    if name not in PROVIDERS:
        guess = get_close_matches(name, PROVIDERS, 1, 0.4)
        raise CurateError(
            f"Unknown source {text!r}. Choose from: {', '.join(PROVIDERS)}.{f' Did you mean {guess[0]!r}?' if guess else ''}"
        )
    about: Provider = import_module(PROVIDERS[name]).ABOUT
    if detail and not about.detail:
        raise CurateError(f"Unknown source {text!r}. Nothing follows its name; say {name!r}.")
    return about


def _ask(texts: Sequence[str]) -> dict[str, Answer]:
    """Ask providers, all at once."""
    with progress(len(texts), "Asking") as bar, ThreadPoolExecutor(len(texts)) as pool:

        def ask(text: str) -> Answer:
            name, _, detail = text.partition(DETAIL)
            check = import_module(PROVIDERS[name]).check
            try:
                answer = Answer(is_good=True, words=check(detail) if detail else check())
            except (CurateError, CatalogError) as error:
                answer = Answer(is_good=False, words=str(error))
            bar.advance(ok=answer.is_good, failed=not answer.is_good)
            return answer

        return dict(zip(texts, pool.map(ask, texts), strict=True))


def _lines(provider: Provider, answer: Answer | None, *, with_setup: bool) -> Iterator[str]:
    yield f"{provider.name}: {provider.title}{f', {provider.url}' if provider.url else ''}"
    yield from _table([("sensor", "bands", "pixels", "years", "collection", ""), *map(_row, provider.products)])
    told = {
        "account": provider.account,
        "needs": f"pip install 'seastars[{provider.extra}]'" if provider.extra else "",
        "limits": provider.limits,
        "terms": provider.terms + ("" if provider.redistributable else ". What is built from it must not be handed on."),
        "set up": provider.setup if with_setup else "",
        "check": f"{'' if answer.is_good else 'NO: '}{answer.words}" if answer else "",
    }
    for label, text in told.items():
        lines = [line for part in text.split("\n") for line in wrap(part, WIDTH - INDENT - LABEL_WIDTH, break_on_hyphens=False)]
        for number, line in enumerate(lines):
            yield f"{'' if number else label:>{LABEL_WIDTH}}  {line}"


def _row(product: Product) -> tuple[str, ...]:
    sensor = find_sensor(product.sensor)
    gsds = sensor.gsds
    pixels = f"{gsds[0]:g} m" if len(gsds) == 1 else f"{gsds[0]:g}-{gsds[-1]:g} m"
    bands = f"{len(sensor.bands)}{f' + {sensor.mask.name}' if sensor.mask else ''}"
    return product.sensor, bands, pixels, product.years, product.collection, product.note


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns; the last column goes on below itself where it is long."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    start = INDENT + sum(widths) + 2 * len(widths)
    for row in rows:
        cells = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        notes = wrap(row[-1], max(WIDTH - start, 24), break_on_hyphens=False) or [""]
        yield f"{' ' * INDENT}{cells}  {notes[0]}".rstrip()
        yield from (f"{' ' * start}{note}" for note in notes[1:])


def _to_json(provider: Provider, answer: Answer | None) -> Mapping[str, Any]:
    products = []
    for product in provider.products:
        sensor = find_sensor(product.sensor)
        products.append(
            {
                "sensor": product.sensor,
                "collection": product.collection,
                "bands": {band.name: band.gsd for band in sensor.bands},
                "mask": sensor.mask and sensor.mask.name,
                "years": product.years,
                "note": product.note,
            }
        )
    told = {
        "name": provider.name, "title": provider.title, "url": provider.url, "products": products, "account": provider.account,
        "extra": provider.extra, "setup": provider.setup, "limits": provider.limits, "terms": provider.terms,
        "redistributable": provider.redistributable,
    }  # fmt: skip
    return told | ({"check": {"ok": answer.is_good, "words": answer.words}} if answer else {})

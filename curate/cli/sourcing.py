"""What `curate sources` tells: who has which sensor, providers as text or JSON, what they answer when they are asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from typing import Any

from catalogs.bands import SENSORS, find_sensor
from catalogs.console import emit, emit_json, progress
from catalogs.errors import CatalogError
from catalogs.secrets import without_secrets
from curate.clouds import S2CLOUDLESS, judged_by
from curate.daemons import do_each
from curate.errors import CurateError, SourceUnavailableError
from curate.sources import DETAIL, PROVIDERS, mapping_path
from curate.sources.about import ACCOUNT, FREE, PAID, Product, Provider
from curate.sources.offers import offered_sensors
from curate.sources.unknown import guess_provider

WIDTH = 120
LABEL_WIDTH = 10
INDENT = 2
FURTHER = """
Besides, --source takes the address of any STAC API, the path or address of a static STAC catalog, a mapping file
for bands of other names, and several sources at once, separated by commas: the first that has a scene gives it.
How to set one up: curate sources NAME. Who has a sensor: curate sources SENSOR"""
SHORT = {"s1": "sentinel-1", "s2": "sentinel-2"}
"""What sensors are called for short."""
NEAR = 0.8
"""From which likeness on a word is a sensor's id with a slip, rather than a provider's name."""
LEAST_LETTERS = 4
"""Of a word that sensors are known by, such as `land`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said when it was asked."""

    is_good: bool
    """Whether scenes can be had from it now."""
    words: str
    """What it said, or what is wrong and what to do."""


def tell_sources(names: Sequence[str], *, check: bool, as_json: bool) -> int:
    """Tell of providers.

    Args:
        names: Of providers, or of sensors, for those who have these; all where empty.
        check: Whether to ask them.
        as_json: Whether to print one JSON object.

    Returns:
        The exit code: 4 where one of those that were named, or all of all that are asked over the network, were asked and did
        not answer well.

    Raises:
        CurateError: A name is none of a provider and none of a sensor, or something follows one that takes nothing.
    """
    chosen = _chosen(names)
    sensors = [sensor for name in names for sensor in _sensors_called(name)]
    answers = _ask(list(chosen)) if check else {}
    if as_json:
        emit_json({"sources": [_to_json(provider, answers.get(name)) for name, provider in chosen.items()]})
    else:
        blocks: list[Iterable[str]] = [_by_sensor(sensors)] if sensors or not names else []
        blocks += [_lines(provider, answers.get(name), with_setup=bool(names)) for name, provider in chosen.items()]
        emit("\n\n".join("\n".join(block) for block in blocks) + ("" if names else f"\n{FURTHER}"))
    good = [answer.is_good for name, answer in answers.items() if names or chosen[name].url]
    return SourceUnavailableError.exit_code if good and not (all(good) if names else any(good)) else 0


def _chosen(names: Sequence[str]) -> dict[str, Provider]:
    """Providers by what was said of them; of a sensor those who have measured it, with what they have of it alone."""
    chosen: dict[str, Provider] = {}
    for text in names or PROVIDERS:
        sensors = _sensors_called(text)
        if not sensors:
            chosen[text] = _about(text)
        for name in PROVIDERS if sensors else ():
            about = _about(name)
            products = tuple(product for product in about.products if product.sensor in sensors and about.url)
            had = chosen[name].products if name in chosen else ()
            if products:
                chosen[name] = replace(about, products=tuple(each for each in about.products if each in {*had, *products}))
    return chosen


def _sensors_called(text: str) -> list[str]:
    """Ids of the sensors of providers that a word names or begins, such as `landsat`; none of a provider's name."""
    word = SHORT.get(text.lower(), text.lower())
    if word in PROVIDERS or len(word) < LEAST_LETTERS:
        return []
    offered = {product.sensor for name in PROVIDERS for product in _about(name).products}
    return [sensor for sensor in SENSORS if sensor in offered and sensor.startswith(word)]


def _by_sensor(chosen: Sequence[str]) -> list[str]:
    """A table of who has which sensor, by what it takes to read it there; all sensors where none is chosen."""
    told = [_about(name) for name in PROVIDERS]
    offered = [(product, about) for about in told if about.url for product in about.products]
    rows: list[tuple[str, ...]] = [("sensor", FREE, ACCOUNT, PAID, "")]
    for sensor in SENSORS:
        who = {
            access: ", ".join(about.name for product, about in offered if (product.sensor, product.access) == (sensor, access))
            for access in (FREE, ACCOUNT, PAID)
        }
        if any(who.values()) and (not chosen or sensor in chosen):
            rows.append((sensor, *(names or "-" for names in who.values()), ""))
    rendered = [product.sensor for about in told if not about.url for product in about.products]
    shown = [sensor for sensor in rendered if not chosen or sensor in chosen]
    words = f"{' ' * INDENT}Without a network, --source simulated renders: {', '.join(shown)}."
    return [*_table(rows), *([words] if shown else [])]


def _about(text: str) -> Provider:
    name, _, detail = text.partition(DETAIL)
    if name not in PROVIDERS:
        raise _unknown(text)
    about: Provider = import_module(PROVIDERS[name]).ABOUT
    if detail and not about.detail:
        raise CurateError(f"Unknown source {text!r}. Nothing follows its name; say {name!r}.")
    return about


def _unknown(text: str) -> CurateError:
    """The words for what is no provider: several in one, an archive of the user's own, or a name of another spelling."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > 1 and all(word.partition(DETAIL)[0] in PROVIDERS for word in words):
        return CurateError(f"Unknown source {text!r}. Several have spaces between them here: curate sources {' '.join(words)}")
    shown = without_secrets(text)
    if "/" in text or mapping_path(text) or Path(text).expanduser().exists():
        return CurateError(
            f"{shown!r} is no provider, and `curate sources` tells of providers alone. Whether an address or a path can be a "
            f"source is told by: curate build CATALOG --source {shown} --dry-run"
        )
    if text in SENSORS:
        offered = dict.fromkeys(product.sensor for name in PROVIDERS for product in _about(name).products)
        return CurateError(f"No source has {text}: it is of `curate convert`. Sensors of sources: {', '.join(offered)}.")
    guess = next(iter(get_close_matches(text.lower(), offered_sensors(), 1, NEAR)), None) or guess_provider(text)
    return CurateError(
        f"Unknown source {text!r}. Choose from: {', '.join(PROVIDERS)}.{f' Did you mean {guess!r}?' if guess else ''}"
    )


def _ask(texts: Sequence[str]) -> dict[str, Answer]:
    """Ask providers, all at once."""
    with progress(len(texts), "Asking") as bar:

        def ask(text: str) -> Answer:
            name, _, detail = text.partition(DETAIL)
            check = import_module(PROVIDERS[name]).check
            try:
                answer = Answer(is_good=True, words=check(detail) if detail else check())
            except (CurateError, CatalogError) as error:
                answer = Answer(is_good=False, words=str(error))
            bar.advance(ok=answer.is_good, failed=not answer.is_good)
            return answer

        return dict(zip(texts, do_each(ask, texts, at_once=len(texts)), strict=True))


def _lines(provider: Provider, answer: Answer | None, *, with_setup: bool) -> Iterator[str]:
    yield f"{provider.name}: {provider.title}{f', {provider.url}' if provider.url else ''}"
    yield from _table([("sensor", "bands", "pixels", "years", "collection", ""), *map(_row, provider.products)])
    told = {
        "account": provider.account,
        "needs": _needs(provider),
        "limits": provider.limits,
        "terms": provider.terms + ("" if provider.redistributable else ". What is built from it must not be handed on."),
        "set up": provider.setup if with_setup else "",
        "check": f"{'' if answer.is_good else 'NO: '}{answer.words}" if answer else "",
    }
    for label, text in told.items():
        lines = [line for part in text.split("\n") for line in wrap(part, WIDTH - INDENT - LABEL_WIDTH, break_on_hyphens=False)]
        for number, line in enumerate(lines):
            yield f"{'' if number else label:>{LABEL_WIDTH}}  {line}"


def _needs(provider: Provider) -> str:
    """What has to be installed besides: for the provider, and for sensors without a mask, whose clouds are judged by pixels."""
    judged = [
        product.sensor
        for product in provider.products
        if not product.mask and judged_by(find_sensor(product.sensor), [band.name for band in product.bands]) == S2CLOUDLESS
    ]
    needs = [f"pip install 'seastars[{provider.extra}]'"] if provider.extra else []
    return "; ".join([*needs, *(f"pip install 'seastars[clouds]' for {sensor}" for sensor in judged)])


def _row(product: Product) -> tuple[str, ...]:
    gsds = sorted({band.gsd for band in product.bands})
    pixels = f"{gsds[0]:g} m" if len(gsds) == 1 else f"{gsds[0]:g}-{gsds[-1]:g} m"
    bands = f"{len(product.bands)}{f' + {product.mask.name}' if product.mask else ''}"
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
    products = [
        {
            "sensor": product.sensor,
            "collection": product.collection,
            "bands": {band.name: band.gsd for band in product.bands},
            "mask": product.mask and product.mask.name,
            "access": product.access,
            "years": product.years,
            "note": product.note,
        }
        for product in provider.products
    ]
    told = {
        "name": provider.name, "title": provider.title, "url": provider.url, "products": products, "account": provider.account,
        "extra": provider.extra, "needs": _needs(provider), "setup": provider.setup, "limits": provider.limits,
        "terms": provider.terms, "redistributable": provider.redistributable,
    }  # fmt: skip
    return told | ({"check": {"ok": answer.is_good, "words": answer.words}} if answer else {})

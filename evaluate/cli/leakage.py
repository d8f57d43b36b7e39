"""`evaluate leakage`: how much of what is tested had been seen before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluate.leakage import Leakage
    from evaluate.leakage_pixels import Alike
    from evaluate.leakage_scores import Cleared, Scored

SHOWN = 10
"""Pairs of images that people are shown, the nearest; all are in the file."""


def leakage(
    *,
    catalog: str,
    pretrain: str,
    buffer_m: float = 0,
    pixels: str | None = None,
    result: list[Path] | None = None,
    workers: int = 2,
    out: Path | None = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    r"""Measure how much of a labelled catalog's ground was in a pre-training catalog, by the squares of their locations.

    A labelled location counts as overlapping where its square, grown by the buffer, shares ground with a square of the other
    catalog, across UTM zones too; squares that only touch share none. Pre-training reads the locations of its training split,
    which are counted apart. Where nobody knows the ground, `--pixels` finds images that look alike. `--result` shows scores
    with and without the tested items that pre-training read: on such ground, or alike to such an image.

        evaluate leakage --catalog data/demo --pretrain data/france \
            --buffer-m 100 --result results/knn.json

    Args:
        catalog: A labelled catalog's folder, or its `http(s)://` or `s3://` address.
        pretrain: The same of the catalog that weights were trained on.
        buffer_m: How far each labelled square is grown to each side, 0 to 100,000 m.
        pixels: Name of a band, such as `B04`, or its common name, such as `red`: compare that of every image of both catalogs
            too, as 8 x 8 means.
        result: File that `evaluate knn --catalog CATALOG --out` and its like wrote, its table of items beside it; repeat it for
            several.
        workers: Processes that read pixels; 0 reads in the command's own.
        out: File to keep the result in: `.parquet`, a table of the overlapping locations, or `.json`, all there is to say.
        json: Print all there is to say as one JSON object.
        quiet: Say nothing but errors.
    """
    from catalogs.console import emit, emit_json, say
    from evaluate.leakage import check_out, measure_leakage, write_leakage
    from evaluate.leakage_scores import open_results, score_without_seen

    if out:
        check_out(out)
    results = open_results(catalog, result or ())
    found = measure_leakage(pretrain, catalog, buffer_m=buffer_m)
    if pixels:
        from evaluate.leakage_pixels import compare_pixels

        found = replace(found, alike=compare_pixels(pretrain, catalog, pixels, workers=workers, quiet=quiet))
    if results:
        found = replace(found, scored=score_without_seen(found, catalog, results))
    if json:
        emit_json(found.to_json())
    else:
        emit("\n".join(leakage_lines(found)))
    if out:
        write_leakage(out, found)
        say(f"Wrote {out}.", quiet=quiet)


def leakage_lines(found: Leakage) -> Iterator[str]:
    """What was found, for people: a table by split, and what cannot be known."""
    from catalogs.console import counted

    total = sum(share.locations for share in found.shares)
    grown = f", grown by {found.buffer_m:g} m" if found.buffer_m else ""
    yield f"{found.catalog}: {counted(total, 'location')}{grown}, against {found.pretrain}: {found.pretrain_locations:,}"
    for name, unknown in ((found.catalog, found.unknown), (found.pretrain, found.pretrain_unknown)):
        if unknown:
            yield (
                f"Of {counted(unknown, 'location')} of {name} the ground is not known: "
                "whether others share it cannot be told, and they are not counted. --pixels finds images that look alike."
            )
    if total:
        yield ""
        yield from _shares(found)
    if found.alike:
        yield ""
        yield from _alike(found.alike)
    for each in found.scored:
        yield ""
        yield from _scored(each)


def _shares(found: Leakage) -> Iterator[str]:
    yield f"{'split':5}  {'locations':>9}  {'overlapping':>18}  {'with training split':>19}"
    for share in found.shares:
        counts = (_part(share.overlapping, share.locations), _part(share.trained, share.locations))
        yield f"{share.split:5}  {share.locations:9,}  {counts[0]:>18}  {counts[1]:>19}"


def _alike(alike: Alike) -> Iterator[str]:
    """How many images look like others, and the nearest."""
    from catalogs.console import counted

    flat = f"; {counted(alike.flat, 'image')} the same everywhere, not compared" if alike.flat else ""
    images = len(set(alike.pairs["item"].to_pylist()))
    compared = f"{alike.band} of {counted(alike.images, 'image')}, against {alike.pretrain_images:,}"
    yield f"{compared}: {_part(images, alike.images)} look like another ({counted(len(alike.pairs), 'pair')}){flat}"
    nearest = alike.pairs.sort_by([("distance", "ascending"), ("item", "ascending"), ("pretrain_item", "ascending")])
    for row in nearest.slice(0, SHOWN).to_pylist():
        yield f"{row['distance']:.4f}  {row['item']}  {row['pretrain_item']}"


def _scored(scored: Scored) -> Iterator[str]:
    """Each score of a result with and without what was seen."""
    told = f"; of {scored.unknown:,} nobody knows the ground, and they stay" if scored.unknown else ""
    yield f"{scored.file}: {_part(scored.seen, scored.items)} of the tested items were seen in pre-training{told}"
    names = [_name(score) for score in scored.scores]
    rows = [_figures(score) for score in scored.scores]
    width = max(map(len, names))
    yield f"{'':{width}}  {'all':>7}  {'interval':>13}  {'without':>7}  {'interval':>13}  difference, points"
    yield from (f"{name:{width}}  {row}" for name, row in zip(names, rows, strict=True))


def _figures(score: Cleared) -> str:
    from evaluate.words import between, points

    without = f"{score.cleared:7.1%}  {between(score.cleared_interval):>13}"
    difference = points(score.difference, score.difference_interval)
    return f"{score.value:7.1%}  {between(score.interval):>13}  {without}  {difference}"


def _name(score: Cleared) -> str:
    return score.name if score.fraction is None else f"{score.name}, {100 * score.fraction:g} % of the labels"


def _part(count: int, total: int) -> str:
    return f"{count:,} ({count / max(total, 1):.1%})"

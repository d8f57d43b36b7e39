"""A catalog's summary for people, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogs.bands import find_sensor
from catalogs.console import counted
from curate.summary import CatalogSummary, SensorSummary

LABEL_WIDTH = 11
UNITS = ("bytes", "kB", "MB", "GB", "TB")
SHORT = {
    "sample": ("region", "strategy", "count", "seed", "patch_m", "no_overlap"),
    "convert": ("kind", "in_place", "limit", "seed", "splits"),
    "build": ("source", "seasons", "start", "end", "window_days", "max_cloud", "max_delta_days", "bands"),
}
"""What of a recipe is told."""
LABELS_SHOWN = 10


def summary_lines(summary: CatalogSummary) -> Iterator[str]:
    """Everything that `curate info` tells."""
    counts = f"{counted(summary.locations, 'location')}, {counted(summary.items, 'item')}"
    yield f"{summary.name}: {counts}, {size_words(summary.size)}"
    if summary.simulated:
        share = "all" if summary.simulated == summary.items else f"{summary.simulated:,} of {summary.items:,}"
        yield f"SIMULATED: {share} items are rendered from a made-up landscape, not measured."
    yield ""
    yield from _location_lines(summary)
    for sensor in summary.sensors:
        yield ""
        yield from _sensor_lines(sensor)
    yield ""
    yield from _failure_lines(summary)
    yield from _recipe_lines(summary.recipe)


def size_words(size: float) -> str:
    """Bytes in words.

    Examples:
        >>> size_words(999), size_words(1_234_567)
        ('999 bytes', '1.2 MB')
    """
    unit = 0
    while size >= 999.95 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit else f"{size:.0f} {UNITS[0]}"


def _line(label: str, value: str, indent: int = 0) -> str:
    return f"{' ' * indent}{label:<{LABEL_WIDTH - indent}} {value}".rstrip()


def _location_lines(summary: CatalogSummary) -> Iterator[str]:
    sides = " and ".join(f"{side:,} m" for side in summary.sides_m)
    yield _line("locations", f"{summary.locations:,}, squares of {sides}; {_pairs(summary.splits)}" if sides else "none")
    state = f"{summary.complete:,}; incomplete {summary.incomplete:,}; not built yet {summary.unbuilt:,}"
    if summary.is_being_written:
        state += "; a build is writing it now"
    elif summary.stopped:
        state += "; the last run was stopped, build again to finish it"
    yield _line("complete", state)


def _sensor_lines(sensor: SensorSummary) -> Iterator[str]:
    yield sensor.sensor
    dates = f", {sensor.first:%Y-%m-%d} to {sensor.last:%Y-%m-%d}" if sensor.first and sensor.last else ""
    yield _line("items", f"{sensor.items:,} of {counted(sensor.locations, 'location')}{dates}", 2)
    yield _line("seasons", "none: a static layer" if find_sensor(sensor.sensor).is_static else _pairs(sensor.seasons), 2)
    yield _line("splits", _pairs(sensor.splits), 2)
    if sensor.sources:
        yield _line("sources", _pairs(sensor.sources), 2)
    if sensor.labels:
        yield _line("labels", _labels(sensor), 2)
    if sensor.label_rasters:
        yield _line("pixels", "labelled: " + ", ".join(f"{key} of {n:,} items" for key, n in sensor.label_rasters.items()), 2)
    sizes = ", ".join(f"{key} {size_words(size)}" for key, size in sensor.sizes.items() if size)
    yield _line("size", f"{size_words(sensor.size)}: {sizes}", 2)
    if sensor.cloud_percent:
        cloud = sensor.cloud_percent
        yield _line("cloud", f"{cloud.least:.1f} % least, {cloud.median:.1f} % median, {cloud.most:.1f} % most", 2)
    yield _line("bands", " ".join(sensor.bands), 2)
    if sensor.absent and sensor.items:
        yield _line("absent", f"{_absent(sensor)} (the source lacks them)", 2)
    if sensor.pack:
        state = "fresh" if sensor.pack.is_fresh else "stale: curate pack renews it"
        yield _line("pack", f"{size_words(sensor.pack.size)}: {' '.join(sensor.pack.bands)}; {state}", 2)
    forbidden = "" if sensor.is_redistributable else "; a source forbids to hand its pixels on"
    yield _line("licence", f"{sensor.license}{forbidden}", 2)
    yield _line("notice", sensor.notice, 2)


def _labels(sensor: SensorSummary) -> str:
    shown = dict(list(sensor.labels.items())[:LABELS_SHOWN])
    return _pairs(shown) + (f", and {len(sensor.labels) - len(shown)} more" if len(sensor.labels) > len(shown) else "")


def _absent(sensor: SensorSummary) -> str:
    everywhere = [name for name, without in sensor.absent.items() if without == sensor.items]
    partly = [
        f"{name} in {without:,} of {sensor.items:,} items" for name, without in sensor.absent.items() if without < sensor.items
    ]
    return ", ".join([*([" ".join(everywhere)] if everywhere else []), *partly])


def _failure_lines(summary: CatalogSummary) -> Iterator[str]:
    if not summary.failures:
        yield _line("failures", "none")
    for failure in summary.failures:
        yield _line("failures", f"{failure.count:,} x {failure.reason}, at {counted(failure.locations, 'location')}")
        yield _line("", f"for example: {failure.example}")


def _recipe_lines(recipe: Mapping[str, Any]) -> Iterator[str]:
    for section, names in SHORT.items():
        values = recipe.get(section, {})
        told = [f"{name} {_short(values[name])}" for name in names if values.get(name) not in (None, [], False)]
        if told:
            yield _line(section, ", ".join(told))


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("bbox") or value.get("file") or next(iter(value.values()), ""))
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pairs(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())

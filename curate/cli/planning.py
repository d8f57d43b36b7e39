"""What `curate plan` tells and `curate build` tells of its cost: a forecast as a table, in words and as JSON; the budget."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from catalogs.console import Progress, counted, duration, emit, emit_json, progress, say
from catalogs.recipe import read_recipe
from curate.budget import Budget
from curate.build_request import BuildRequest
from curate.cli.summary_lines import size_words
from curate.errors import CurateError
from curate.file_shapes import decoding_speed
from curate.foresight import foresee, foresee_rest, free_bytes
from curate.parts import Part
from curate.pipeline import Build, Todo
from curate.plan import Forecast, SensorForecast
from curate.reading.counts import Counts
from curate.sample_command import another_folder, sample_command
from curate.search import Searches
from curate.sources.protocol import FetchesWhole, Source, looks_at_all, members_of, opened_as
from curate.static_layers import of_seasons

SEARCHES_AT_ONCE = 16
USUAL_MBPS = 100.0
SHOWN_FROM = 2_000
"""Locations from which a forecast takes so long that its progress is shown: of 50,000 a minute, where the build takes hours."""
FLAGS = (
    "source", "seasons", "start", "end", "window_days", "max_cloud", "max_scene_cloud", "max_delta_days", "radiometry", "items",
)  # fmt: skip
"""Of a recipe's section, beside sensors and bands."""
HEAD = ("", "candidates", "scenes read", "patches", "requests", "fetched", "on disk")
HEAD_OF_LOCAL = ("", "candidates", "scenes read", "patches", "reads", "read", "on disk")
"""Of files on this machine, which nobody fetches."""


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """How a plan is made and told."""

    workers: int | None
    """Searches at once."""
    part: str | None
    """Which part of the locations."""
    retry_failed: bool
    """Plan for what failed for good too."""
    mbps: float
    """Speed of the network, megabits per second."""
    as_json: bool
    """Print it as JSON."""
    quiet: bool
    """Show no progress."""


def run_plan(catalog: Path, request: BuildRequest, options: PlanOptions) -> None:
    """Make a plan and print it.

    Raises:
        CurateError: A speed that is none, and whatever the build with these flags would be refused for.
    """
    from curate.sources import open_source

    check_workers(options.workers)
    if not 0 < options.mbps < float("inf"):
        raise CurateError(f"--mbps is {options.mbps:g}; expected megabits per second, above 0, such as 100.")
    part = Part.parse(options.part) if options.part is not None else None
    build = Build.prepare(catalog, request, open_source, part=part, dry_run=True)
    forecast = foresee(
        build,
        workers=options.workers or SEARCHES_AT_ONCE,
        retry_failed=options.retry_failed,
        watch=partial(progress, quiet=options.quiet),
    )
    tell_unanswered(build, quiet=options.quiet)
    cost = Cost.of(build, forecast, options.mbps)
    if options.as_json:
        emit_json(cost.to_json(build))
        return
    emit("\n".join(cost.lines(build)))
    if forecast.locations:
        for command in _next_commands(build, options):
            say(f"Next: {command}", quiet=options.quiet)


def _next_commands(build: Build, options: PlanOptions) -> Iterator[str]:
    """What builds what was planned, in another folder where this one has items of another recipe."""
    folder = str(build.folder)
    if build.is_elsewhere:
        folder = another_folder(build.folder)
        yield sample_command(read_recipe(build.folder)["sample"], folder)
    yield f"curate build {' '.join([shlex.quote(folder), *_flags(build, options)])}"


def _flags(build: Build, options: PlanOptions) -> Iterator[str]:
    """What makes a build the one that was planned: all of its recipe that is no default, unless the catalog has it already.

    A project, which no recipe has, is said each time.
    """
    recipe = {} if "build" in read_recipe(build.folder) and not build.changes else dict(build.recipe)
    if opened_as(build.source) != build.source.name:
        recipe["source"] = opened_as(build.source)
    for sensor in recipe.get("sensors", ()):
        yield f"--sensor {sensor}"
    if recipe.get("bands"):
        yield f"--bands {','.join(recipe['bands'])}"
    for name in FLAGS:
        if recipe.get(name) is not None:
            value = recipe[name]
            text = f"{value:g}" if isinstance(value, float) else str(value)
            yield f"--{name.replace('_', '-')} {shlex.quote(text)}"
    if options.part:
        yield f"--part {options.part}"
    if options.retry_failed:
        yield "--retry-failed"


@dataclass(frozen=True)
class Cost:
    """A forecast on this machine and this network."""

    forecast: Forecast
    """Of the build."""
    mbps: float
    """Speed of the network, megabits per second."""
    cores: int
    """Of this machine."""
    decoded_per_s: float | None
    """Bytes of pixels that one core decodes in a second; none where nothing is fetched."""
    free: int
    """Room on the disk, bytes."""

    @classmethod
    def of(cls, build: Build, forecast: Forecast, mbps: float) -> Cost:
        """Here and now."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        speed = decoding_speed() if forecast.bytes else None
        return cls(forecast, mbps, cores, speed, free_bytes(build.folder))

    @property
    def decoding_s(self) -> float:
        """Time to decode all blocks on all cores, seconds."""
        return self.forecast.total("decoded_bytes") / self.decoded_per_s / self.cores if self.decoded_per_s else 0.0

    @property
    def fetching_s(self) -> float:
        """Time to fetch all bytes, seconds."""
        return self.forecast.hours(mbps=self.mbps) * 3600

    def lines(self, build: Build) -> Iterator[str]:
        """The forecast for people."""
        told = self.forecast
        which = f" (part {build.part})" if build.part else ""
        seasons = f" with {counted(told.seasons, 'season')}" if told.seasons else ""  # static layers have none
        left = f"{counted(told.locations, 'location')}{seasons} to do"
        when = f"{build.recipe['start']} to {build.recipe['end']}"
        yield f"{build.folder}{which}: {left}, from {build.source.name}, {when}"
        if not told.locations:
            yield "Everything is done: a build would fetch nothing. --retry-failed plans for what could not be completed."
            return
        yield ""
        yield from _aligned([HEAD_OF_LOCAL if told.is_local else HEAD, *_rows(told)])
        yield ""
        yield self._range()
        yield from self._footing(build)

    def _range(self) -> str:
        """How far the figures may be off."""
        told = self.forecast
        items = f"range {_counts_between(told.items)} item{'' if told.items[1] == 1 else 's'}"
        if not told.bytes:
            return items
        requests = f"{_counts_between(told.likely('requests'))} {_request_word(told)}s"
        return f"{items}; {requests}, {_sizes_between(told.likely('bytes'))}"

    def _footing(self, build: Build) -> Iterator[str]:
        disk = self.forecast.total("disk_bytes")
        if self.decoded_per_s:
            fetch = "" if self.forecast.is_local else f"{duration(self.fetching_s)} to fetch at {self.mbps:g} Mbit/s (--mbps); "
            speed = f"{counted(self.cores, 'core')} at {self.decoded_per_s / 1e6:.0f} MB/s each"
            yield f"time  {fetch}{duration(self.decoding_s)} to decode on {speed}"
        elif build.source.simulated:
            yield "time  nothing is fetched: the scenes are rendered here"
        room = "" if disk < self.free else ": too little room, give another disk or want less"
        yield f"disk  {size_words(disk)} of {size_words(self.free)} that are free{room}"
        for sensor, each in self.forecast.sensors.items():
            if self.decoded_per_s and not each.is_sampled:
                yield f"note  the sizes of {sensor} are usual ones: no header of its scenes could be read"
            if each.proofs >= 1:
                yield (
                    f"note  of {sensor} {each.proofs:,.0f} scenes are expected to be held against another date: nobody vouches "
                    "for their offset, and the dark pixels of a square in four are taken not to tell it"
                )
        for note in (*fetch_notes(build.source), *plan_notes(build.source)):
            yield f"note  {note}"
        if build.is_elsewhere:
            yield f"note  {build.folder} has items of another recipe ({build.changes}): this needs another folder"
        if not (seasonal := of_seasons(self.forecast.sensors)):
            return
        most, fewest = (self.forecast.seasons - count for count in self.forecast.found)
        missing = self.forecast.seasons - min(each.patches for each in seasonal.values())
        if most:
            about = _between(missing, (fewest, most))
            yield f"note  {about} of {counted(self.forecast.seasons, 'season')} are expected to find no clear scene"

    def to_json(self, build: Build) -> dict[str, Any]:
        """The forecast for machines."""
        hours = {"fetching": _hours(self.fetching_s), "decoding": _hours(self.decoding_s)}
        sizes = {"disk_bytes": round(self.forecast.total("disk_bytes")), "free_bytes": self.free}
        speeds = {"mbps": self.mbps, "cores": self.cores, "decoded_bytes_per_s": round(self.decoded_per_s or 0)}
        head = {"catalog": str(build.folder), "source": build.source.name, "part": str(build.part) if build.part else None}
        head |= unanswered_json(build) | ({"needs_other_folder": build.changes} if build.is_elsewhere else {})
        return head | forecast_json(self.forecast) | sizes | {"hours": hours} | speeds


def fetch_notes(source: Source) -> Iterator[str]:
    """What a user should know of how a source is asked, or of each of several."""
    for each in members_of(source):
        prefix = "" if each is source else f"{each.name}: "
        if isinstance(each, FetchesWhole):
            yield f"{prefix}{each.whole_words}"
        if looks_at_all(each) and not looks_at_all(source):
            yield f"{prefix}Beside others its masks are asked for one by one. Name it alone to save requests."


def plan_notes(source: Source) -> Iterator[str]:
    """What a user should know of what a source charges or limits."""
    for each in members_of(source):
        if note := getattr(each, "plan_note", ""):
            yield note if each is source else f"{each.name}: {note}"


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 4)


def forecast_json(forecast: Forecast) -> dict[str, Any]:
    """A forecast in JSON's types, its expectations rounded."""
    sensors = {sensor: _sensor_json(each) for sensor, each in forecast.sensors.items()}
    totals = {"requests": round(forecast.requests), "bytes": round(forecast.bytes)}
    likely = {name: [round(value) for value in forecast.likely(name)] for name in totals}
    head = {"locations": forecast.locations, "seasons": forecast.seasons, "sensors": sensors}
    return head | totals | {"likely": {"items": list(forecast.items), **likely}, "is_local": forecast.is_local}


def _sensor_json(sensor: SensorForecast) -> dict[str, Any]:
    names = ("candidates", "scenes", "looks", "patches", "proofs")
    costs = ("mask_requests", "mask_bytes", "requests", "bytes", "decoded_bytes", "disk_bytes")
    return {name: round(getattr(sensor, name)) for name in (*names, *costs)} | {"is_sampled": sensor.is_sampled}


def _rows(told: Forecast) -> Iterator[tuple[str, ...]]:
    for sensor, each in told.sensors.items():
        requests, fetched = each.mask_requests + each.requests, each.mask_bytes + each.bytes
        counts = (f"{each.candidates:,}", f"{each.scenes:,.0f}", f"{each.patches:,.0f}")
        yield (sensor, *counts, _count(requests), _size(fetched), size_words(each.disk_bytes))
        if fetched and each.mask_bytes:
            yield ("  masks", "", "", f"{each.looks:,.0f} looks", _count(each.mask_requests), _size(each.mask_bytes), "")
            yield ("  measurements", "", "", "", _count(each.requests), _size(each.bytes), "")
    if len(told.sensors) > 1:
        patches, disk = told.total("patches"), told.total("disk_bytes")
        yield ("together", "", "", f"{patches:,.0f}", _count(told.requests), _size(told.bytes), size_words(disk))


def _count(value: float) -> str:
    return f"{value:,.0f}" if value else "-"


def _size(value: float) -> str:
    return size_words(value) if value else "-"


def _between(value: float, limits: tuple[int, int]) -> str:
    """A count that is expected, with its limits unless it is sure."""
    low, high = limits
    return f"{high:,}" if low == high else f"about {value:,.0f} ({low:,} to {high:,})"


def _counts_between(limits: tuple[float, float]) -> str:
    low, high = limits
    return f"{high:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def _sizes_between(limits: tuple[float, float]) -> str:
    return f"{size_words(limits[0])} to {size_words(limits[1])}"


def _request_word(told: Forecast | None) -> str:
    """What one asks of a server, and one does with a file of this machine."""
    return "read" if told and told.is_local else "request"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def tell_unanswered(build: Build, *, quiet: bool) -> None:
    """Say which of several sources did not answer, before anything is fetched in its stead."""
    for name, (count, why) in build.unanswered.items():
        say(
            f"{name} did not answer {count:,} search{'' if count == 1 else 'es'}: {why}\n"
            "  What is built of their locations comes from the other sources, as its items say, and stays so. "
            "To have it too, stop (Ctrl-C) and run the same command later: it is then asked again.",
            quiet=quiet,
        )


def unanswered_json(build: Build) -> dict[str, Any]:
    """Searches without an answer by the source's name, for machines; nothing where all were answered."""
    return {"unanswered": {name: count for name, (count, _) in build.unanswered.items()}} if build.unanswered else {}


def check_workers(workers: int | None) -> None:
    """Refuse a number of workers that is none.

    Raises:
        CurateError: It is.
    """
    if workers is not None and workers < 1:
        raise CurateError(f"--workers is {workers}; expected 1 or more. Leave it out for as many as suit the source.")


class Expectation:
    """What a build says of its cost before it begins and once it ends."""

    def __init__(self, build: Build, *, budget: Budget, quiet: bool, as_json: bool) -> None:
        """Expect nothing yet."""
        self._build = build
        self._budget = budget
        self._quiet = quiet
        self._is_wanted = budget.is_limited or as_json or not quiet
        self.forecast: Forecast | None = None

    def before(self, searches: Searches, todo: Todo) -> None:
        """Say what is expected, and who does not answer; refuse what exceeds the budget.

        Raises:
            CurateError: It does.
        """
        tell_unanswered(self._build, quiet=self._quiet)
        if self._build.source.simulated or not self._is_wanted:
            return
        watch = partial(_quietly, quiet=self._quiet or len(todo) < SHOWN_FROM)
        told = self.forecast = foresee_rest(self._build, searches, todo, watch=watch)
        say(_expected_words(told), quiet=self._quiet)
        for note in fetch_notes(self._build.source):
            say(note, quiet=self._quiet)
        exceeded = self._budget.exceeded(told)
        if exceeded:
            raise CurateError(
                f"This build is expected to {'read' if told.is_local else 'fetch'} about {size_words(told.bytes)} in "
                f"{counted(round(told.requests), _request_word(told))} ({_sizes_between(told.likely('bytes'))}); "
                f"{exceeded}. Nothing was fetched. Raise the budget, or want less: fewer --seasons, --bands or locations; "
                "`curate plan` tells more."
            )

    def after(self, fetched: Counts | None, *, is_spent: bool) -> None:
        """Say what was fetched, beside what was expected, and that the budget is spent."""
        if fetched and fetched.requests:
            told = self.forecast
            verb = "Read" if told and told.is_local else "Fetched"
            said = f"{verb} {size_words(fetched.bytes)} in {counted(fetched.requests, _request_word(told))}"
            sizes = f"{size_words(told.bytes)} in {told.requests:,.0f}" if told else ""
            hoped = f"; about {sizes} were expected ({_sizes_between(told.likely('bytes'))})" if told else ""
            say(f"{said}{hoped}.", quiet=self._quiet)
        spent = fetched and self._budget.spent(fetched)
        if is_spent and spent:
            limit, flag = spent
            say(
                f"The budget of {limit} is spent. What is done is kept and valid: raise {flag} and run the same command again, "
                "and it continues."
            )

    def to_json(self, fetched: Counts | None) -> dict[str, Any]:
        """What was expected and what was fetched, for machines; null where nobody knows."""
        told = self.forecast and forecast_json(self.forecast)
        return {"expected": told, "fetched": fetched and {"requests": fetched.requests, "bytes": fetched.bytes}}


def _expected_words(told: Forecast) -> str:
    """A forecast in a sentence."""
    items = f"{_between(told.total('patches'), told.items)} item{'' if told.items[1] == 1 else 's'}"
    scenes = f"about {counted(round(told.total('scenes')), 'scene')}"
    requests = f"about {counted(round(told.requests), _request_word(told))}"
    at = "" if told.is_local else f"; {duration(told.hours(mbps=USUAL_MBPS) * 3600)} at {USUAL_MBPS:g} Mbit/s"
    verb, sizes = "read" if told.is_local else "fetch", _sizes_between(told.likely("bytes"))
    return (
        f"Expected: {items} of {scenes}; {requests}, {size_words(told.bytes)} to {verb} ({sizes}{at}), "
        f"{size_words(told.total('disk_bytes'))} on disk."
    )


def _quietly(total: int, description: str, *, quiet: bool) -> AbstractContextManager[Progress]:
    return progress(total, description, quiet=quiet)

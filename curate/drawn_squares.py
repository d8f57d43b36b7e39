"""What a build costs of sources that draw each square anew, so that squares share no blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from catalogs.records import Location
from curate.assemble import Wanted
from curate.plan import Forecast, SensorForecast
from curate.sources.protocol import DrawsSquares, Source, members_of

NONE_LEFT = 1e-9
"""Share of scenes that is none but for rounding."""


def with_drawn_squares(told: Forecast, source: Source, wanted: Wanted, locations: Iterable[Location]) -> Forecast:
    """A forecast in which the patches of such sources cost what they say, and those of others what they did.

    Args:
        told: As if all were fetched in blocks.
        source: Of the build.
        wanted: The same.
        locations: To do; all are taken for as large as the largest.
    """
    drawn = {each.name: each for each in members_of(source) if isinstance(each, DrawsSquares)}
    if not drawn:
        return told
    side_m = max((location.side_m for location in locations), default=0)
    sensors = {}
    for sensor, each in told.sensors.items():
        names = [band.name for band in wanted.sensors[sensor]]
        costs = {name: one.square_cost(sensor, names, side_m) for name, one in drawn.items()}
        sensors[sensor] = _with_costs(each, costs)
    return replace(told, sensors=sensors)


def _with_costs(told: SensorForecast, costs: Mapping[str, tuple[float, float]]) -> SensorForecast:
    """The same of a sensor, by the source's name: requests and bytes of a square."""
    shares = {name: count / told.scenes for name, count in told.scenes_by_source.items() if name in costs and count}
    if not shares:
        return told
    left = max(0.0, 1 - sum(shares.values()))
    requests, size = (sum(told.patches * share * costs[name][which] for name, share in shares.items()) for which in (0, 1))
    return replace(
        told,
        requests=told.requests * left + requests,
        bytes=told.bytes * left + size,
        decoded_bytes=told.decoded_bytes * left + size,
        is_sampled=told.is_sampled or left < NONE_LEFT,
    )

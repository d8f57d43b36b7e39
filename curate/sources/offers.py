"""Which sensors the providers say that they have, without opening any of them: for words and for checks beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from catalogs.bands import SENSORS
from curate.errors import SourceSensorError
from curate.sources import DETAIL, PROVIDERS
from curate.sources.about import Provider


def providers_with(sensor: str) -> list[str]:
    """Names of the providers that measured scenes of a sensor can be had from.

    Args:
        sensor: Its id.
    """
    return [name for name in PROVIDERS if sensor in _sensors(name) and _about(name).url]


def offered_sensors() -> list[str]:
    """Ids of the sensors that measured scenes can be had of, in our order."""
    offered = {product.sensor for name in PROVIDERS if _about(name).url for product in _about(name).products}
    return [sensor for sensor in SENSORS if sensor in offered]


def check_offered(text: str, sensors: Sequence[str]) -> None:
    """Refuse a sensor that none of the providers that a user names has: before an account is made for it in vain.

    Args:
        text: As of `--source`; nothing is known of other sources than providers.
        sensors: Ids.

    Raises:
        SourceSensorError: There is such a sensor.
    """
    from curate.sources.failover import names_in

    names = [name.partition(DETAIL)[0] for name in names_in(text)]
    if not all(name in PROVIDERS for name in names):
        return
    offered = list(dict.fromkeys(sensor for name in names for sensor in _sensors(name)))
    for sensor in sensors:
        if sensor not in offered:
            raise SourceSensorError(f"Source {','.join(names)} has no {sensor}. {choice(sensor, offered)}")


def choice(sensor: str, has: Sequence[str]) -> str:
    """What a source has instead of a sensor, and what to do.

    Args:
        sensor: Its id.
        has: Ids of those that the source has.
    """
    others = ", ".join(providers_with(sensor))
    another = f"another --source{f' for {sensor}: {others}' if others else ''}."
    return f"It has: {', '.join(has)}. Choose one of them with --sensor, or {another}" if has else f"Choose {another}"


def _sensors(name: str) -> list[str]:
    return [product.sensor for product in _about(name).products]


def _about(name: str) -> Provider:
    about: Provider = import_module(PROVIDERS[name]).ABOUT
    return about

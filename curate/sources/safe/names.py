"""What the name of a Sentinel-2 product tells: satellite, level, time, baseline, orbit and tile. Pure.

References:
    ESA, Sentinel-2 MSI user guide, "Naming convention" of December 2016:
    MMM_MSIXXX_YYYYMMDDTHHMMSS_Nxxyy_ROOO_Txxxxx_<discriminator>.SAFE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

SENSORS_OF_LEVELS = {"L1C": "sentinel-2-l1c", "L2A": "sentinel-2-l2a"}
_NAME = re.compile(
    r"S2(?P<satellite>[A-D])_MSI(?P<level>L1C|L2A)_(?P<when>\d{8}T\d{6})_N(?P<baseline>\d{4})_R(?P<orbit>\d{3})"
    r"_T(?P<zone>\d\d)(?P<band>[C-HJ-NP-X])(?P<square>[A-HJ-NP-Z]{2})_\d{8}T\d{6}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ProductName:
    """A product's name, read."""

    title: str
    """The name itself, without `.SAFE` or `.zip`."""
    sensor: str
    """Our id of the sensor."""
    platform: str
    """Such as `sentinel-2a`."""
    datetime: datetime
    """When the satellite began to record, UTC: the same of all tiles of one pass."""
    baseline: str
    """Processing baseline, such as `05.09`."""
    relative_orbit: int
    """From 1 to 143."""
    tile: str
    """Of the military grid, such as `31UES`."""
    epsg: int
    """Of the tile's UTM zone."""


def read_name(text: str) -> ProductName | None:
    """The product that a file, a folder or a title names; none where it names none of ours.

    Products made before December 2016 have other names, and several tiles each; ESA has made all of them anew since.

    Args:
        text: A name without its path, with or without `.SAFE` or `.zip`.

    Examples:
        >>> name = read_name("S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE")
        >>> name.sensor, name.baseline, name.epsg
        ('sentinel-2-l2a', '04.00', 32629)
    """
    match = _NAME.match(text)
    if match is None:
        return None
    try:
        when = datetime.strptime(match["when"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return ProductName(
        title=match[0],
        sensor=SENSORS_OF_LEVELS[match["level"]],
        platform=f"sentinel-2{match['satellite'].lower()}",
        datetime=when,
        baseline=f"{match['baseline'][:2]}.{match['baseline'][2:]}",
        relative_orbit=int(match["orbit"]),
        tile=match["zone"] + match["band"] + match["square"],
        epsg=(32600 if match["band"] >= "N" else 32700) + int(match["zone"]),
    )

"""What the metadata of a Sentinel-2 product say: who recorded it when, what turns its numbers into reflectance, where it lies.

Of each level's offsets there is one per band, from processing baseline 04.00 on; products before it have none and need none.
Elements are found by their names, wherever they stand: the schema has moved them about from baseline to baseline.

References:
    ESA, Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, issue 15: MTD_MSIL1C.xml, MTD_MSIL2A.xml, MTD_TL.xml;
    reflectance = (DN + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE, and with RADIO_ADD_OFFSET and QUANTIFICATION_VALUE for L1C.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from catalogs.errors import ContractError
from catalogs.foreign_footprints import read_footprint
from catalogs.radiometry import may_carry_offset
from curate.errors import SourceUnavailableError

OWN_BASELINE = "99.99"
"""Processing baseline of products that users have made themselves, by Sen2Cor."""
BAND_ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""By `bandId`, where a product does not say itself which is which."""
QUANTIFICATIONS = {
    "L1C": ("QUANTIFICATION_VALUE",),
    "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
}
OFFSETS = {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}
LEVELS = {"Level-1C": "L1C", "Level-2A": "L2A"}
"""By what a product calls it, less the `p` of the pilot production."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductMetadata:
    """What `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml` says."""

    title: str
    """The product's name, without `.SAFE`."""
    level: str
    """`L1C` or `L2A`."""
    platform: str
    """Such as `sentinel-2a`."""
    datetime: datetime
    """When the satellite began to record, UTC."""
    baseline: str
    """Processing baseline, such as `05.09`."""
    relative_orbit: int | None
    """From 1 to 143."""
    orbit_state: str | None
    """`ascending` or `descending`."""
    created: str | None
    """When this version was made, as the product writes it."""
    cloud_percent: float | None
    """Cloud cover of the whole tile."""
    quantification: float
    """What numbers are divided by, above 0."""
    offsets: Mapping[str, float]
    """What is added to the numbers of a band before, by our names; empty before baseline 04.00."""
    footprint: Mapping[str, Any]
    """GeoJSON geometry, lon/lat."""


@dataclass(frozen=True, slots=True)
class TileMetadata:
    """What `MTD_TL.xml` says."""

    epsg: int
    """Of the tile's grid."""
    sun_elevation: float | None
    """Mean over the tile, degrees; some products have a NaN there, which is none."""
    sun_azimuth: float | None
    """See `sun_elevation`."""


def read_metadata(content: bytes, shown: str) -> ProductMetadata:
    """Read a product's own metadata.

    Args:
        content: Of the file.
        shown: The product, for messages.

    Raises:
        SourceUnavailableError: They are damaged, or lack what is needed.
    """
    root = _parse(content, shown)
    try:
        metadata = _read(root)
    except (KeyError, ValueError, ContractError) as error:
        raise _unreadable(shown, error) from None
    if metadata.baseline == OWN_BASELINE and not metadata.offsets:
        raise SourceUnavailableError(
            f"{shown} was made by Sen2Cor outside of ESA (baseline {OWN_BASELINE}), and states no {OFFSETS[metadata.level]}: "
            "nobody can tell whether its numbers carry one. Expected offsets, as Sen2Cor 2.10 and later state them: process it "
            "with that, or take ESA's own product."
        )
    return metadata


def read_tile(content: bytes, shown: str) -> TileMetadata:
    """Read a tile's metadata; arguments and errors as of `read_metadata`."""
    root = _parse(content, shown)
    try:
        sun = _element(root, "Mean_Sun_Angle")
        code = _text(root, "HORIZONTAL_CS_CODE").upper().removeprefix("EPSG:")
        zenith, azimuth = (float(_text(sun, name)) for name in ("ZENITH_ANGLE", "AZIMUTH_ANGLE"))
        return TileMetadata(int(code), _finite(90 - zenith), _finite(azimuth))
    except (KeyError, ValueError) as error:
        raise _unreadable(shown, error) from None


def read_sizes(content: bytes, shown: str) -> dict[str, int]:
    """Bytes of a product's files, by name, as its `manifest.safe` tells them; arguments and errors as of `read_metadata`."""
    sizes = {}
    for stream in _all(_parse(content, shown), "byteStream"):
        place = next(_all(stream, "fileLocation"), None)
        if place is not None and stream.get("size", "").isdecimal():
            sizes[place.get("href", "").removeprefix("./")] = int(stream.get("size", ""))
    return sizes


def _read(root: ET.Element) -> ProductMetadata:
    stated = _text(root, "PROCESSING_LEVEL")
    level = LEVELS.get(stated.removesuffix("p"))
    if level is None:
        raise ValueError(f"its PROCESSING_LEVEL is {stated}, neither Level-1C nor Level-2A")
    baseline, orbit, cloud = _text(root, "PROCESSING_BASELINE"), _find(root, "SENSING_ORBIT_NUMBER"), _cloud(root)
    quantification = float(_text(root, *QUANTIFICATIONS[level]))
    if not quantification > 0:
        raise ValueError(f"its {QUANTIFICATIONS[level][0]} is {quantification:g}, not above 0")
    return ProductMetadata(
        title=_text(root, "PRODUCT_URI", "PRODUCT_URI_2A", "PRODUCT_URI_1C").removesuffix(".SAFE"),
        level=level,
        platform=_text(root, "SPACECRAFT_NAME").lower(),
        datetime=_time(_text(root, "PRODUCT_START_TIME")),
        baseline=baseline,
        relative_orbit=int(orbit) if orbit else None,
        orbit_state=(_find(root, "SENSING_ORBIT_DIRECTION") or "").lower() or None,
        created=_find(root, "GENERATION_TIME"),
        cloud_percent=float(cloud) if cloud else None,
        quantification=quantification,
        offsets=_offsets(root, level, baseline),
        footprint=_footprint(_text(root, "EXT_POS_LIST")),
    )


def _offsets(root: ET.Element, level: str, baseline: str) -> dict[str, float]:
    stated = {each.get("band_id", ""): float(each.text or "") for each in _all(root, OFFSETS[level])}
    if not stated and baseline != OWN_BASELINE and may_carry_offset(baseline, None):
        raise ValueError(f"its baseline is {baseline}, and it states no {OFFSETS[level]}")
    names = {str(number): name for number, name in enumerate(BAND_ORDER)}
    names |= {each.get("bandId", ""): _our_name(each.get("physicalBand", "")) for each in _all(root, "Spectral_Information")}
    offsets = {names[number]: value for number, value in stated.items()}
    lacking = [name for name in BAND_ORDER if stated and name not in offsets and not (level == "L2A" and name == "B10")]
    if lacking:
        raise ValueError(f"it states {OFFSETS[level]} of some bands, and none of {', '.join(lacking)}")
    return offsets


def _our_name(physical: str) -> str:
    """`B02` of what the metadata call `B2`."""
    return f"B0{physical[1:]}" if len(physical) == 2 else physical


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _cloud(root: ET.Element) -> str | None:
    return _find(root, "Cloud_Coverage_Assessment", "CLOUD_COVERAGE_ASSESSMENT")


def _footprint(positions: str) -> Mapping[str, Any]:
    """Of `lat lon lat lon ...`."""
    numbers = [float(number) for number in positions.split()]
    ring = [list(point) for point in zip(numbers[1::2], numbers[::2], strict=True)]
    return read_footprint({"geometry": {"type": "Polygon", "coordinates": [ring]}})


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _parse(content: bytes, shown: str) -> ET.Element:
    try:
        return ET.fromstring(content)  # noqa: S314 # expat since 2.4.1 bounds what entities expand to
    except ET.ParseError as error:
        raise _unreadable(shown, error) from None


def _all(root: ET.Element, *names: str) -> Iterator[ET.Element]:
    return (each for each in root.iter() if each.tag.rpartition("}")[2] in names)


def _element(root: ET.Element, name: str) -> ET.Element:
    found = next(_all(root, name), None)
    if found is None:
        raise KeyError(name)
    return found


def _find(root: ET.Element, *names: str) -> str | None:
    return next((each.text.strip() for each in _all(root, *names) if each.text and each.text.strip()), None)


def _text(root: ET.Element, *names: str) -> str:
    found = _find(root, *names)
    if found is None:
        raise KeyError(names[0])
    return found


def _unreadable(shown: str, error: Exception) -> SourceUnavailableError:
    why = f"they lack {error.args[0]}" if isinstance(error, KeyError) else str(error)
    return SourceUnavailableError(
        f"The metadata of {shown} cannot be read: {why}. Expected those of a whole product; fetch it again."
    )

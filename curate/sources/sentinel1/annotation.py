"""What ESA's annotation of a Sentinel-1 product says: where its lines and pixels lie on the ground, and what its numbers weigh.

Of a measurement there are three documents: the product's annotation (its size and the geolocation grid, some ten by twenty one
points), its calibration (by how much to divide, some thirty lines of some six hundred points) and its noise, which is not read.
Elements are taken as the specification and the tests of other readers have them; no document of the archive was at hand here.
What the calibration's `absoluteCalibrationConstant` is to be used for there is said nowhere; it is 1, and left alone.

References:
    ESA, Sentinel-1 Product Specification, S1-RS-MDA-52-7441: `geolocationGridPoint`, `calibrationVector`.
    bopen/xarray-sentinel, `sentinel1.py` and README, and nansencenter/nansat on names and places of elements.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODE = "IW"
"""Interferometric wide swath, the mode over land; of the others pixels are of another size."""
SPACING_M = 10.0
"""Of the pixels of products of high resolution, on the ground, along and across."""
_REPAIR = "Tell its provider, or take another scene."


@dataclass(frozen=True, slots=True, eq=False)
class GeolocationGrid:
    """Where some lines and pixels of an image lie on the ground; integers are the centres of pixels."""

    lines: NDArray[np.float64]
    """(rows,), rising."""
    pixels: NDArray[np.float64]
    """(columns,), rising: from near to far of the satellite."""
    lons: NDArray[np.float64]
    """(rows, columns), degrees, of points at `heights`."""
    lats: NDArray[np.float64]
    """(rows, columns), degrees."""
    heights: NDArray[np.float64]
    """(rows, columns), metres above the ellipsoid: of the terrain as the processor took it to be."""
    incidences: NDArray[np.float64]
    """(rows, columns), degrees between the view and the ellipsoid's normal."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """By what the amplitude is divided, at some pixels of some lines; each line has pixels of its own."""

    lines: NDArray[np.float64]
    """(vectors,), rising; the first may lie before the image, the last behind it."""
    pixels: Sequence[NDArray[np.float64]]
    """Of each vector, (points,), rising."""
    values: Sequence[NDArray[np.float64]]
    """Of each vector, (points,), above 0: ESA's `sigmaNought`."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """What the annotation of one polarisation of a product says."""

    polarisation: str
    """Such as `VV`."""
    height: int
    """Lines of the image."""
    width: int
    """Pixels of a line."""
    grid: GeolocationGrid
    """Where they lie."""


def read_annotation(content: bytes, href: str) -> Annotation:
    """Read a product's annotation.

    Args:
        content: Of the document.
        href: Its address, for messages.

    Raises:
        SourceUnavailableError: It is another document, or of another mode or pixel size, or has no geolocation grid.
    """
    root = _parse(content, href, "product")
    mode = _text(root, "adsHeader/mode", href)
    if mode != MODE:
        raise SourceUnavailableError(f"{_name(href)} is of mode {mode}; expected {MODE}, which alone has pixels of 10 m.")
    for element in ("rangePixelSpacing", "azimuthPixelSpacing"):
        spacing = _number(root, f"imageAnnotation/imageInformation/{element}", href)
        if abs(spacing - SPACING_M) > 1:
            raise SourceUnavailableError(
                f"{_name(href)} is of pixels of {spacing:g} m ({element}); expected {SPACING_M:g} m, those of high resolution."
            )
    height, width = (
        int(_number(root, f"imageAnnotation/imageInformation/{element}", href))
        for element in ("numberOfLines", "numberOfSamples")
    )
    return Annotation(_text(root, "adsHeader/polarisation", href).upper(), height, width, _geolocation_grid(root, href))


def read_calibration(content: bytes, href: str) -> Calibration:
    """Read the calibration of one polarisation.

    Args:
        content: Of the document.
        href: Its address, for messages.

    Raises:
        SourceUnavailableError: It is another document, or has less than two vectors, or vectors that are no table.
    """
    root = _parse(content, href, "calibration")
    vectors = root.findall("calibrationVectorList/calibrationVector")
    rows = [
        (_number(vector, "line", href), _numbers(vector, "pixel", href), _numbers(vector, "sigmaNought", href))
        for vector in vectors
    ]
    rows.sort(key=lambda row: row[0])
    lines = np.array([line for line, _, _ in rows])
    is_whole = all(
        len(pixels) == len(values) > 1 and _is_rising(pixels) and float(values.min()) > 0 for _, pixels, values in rows
    )
    if len(rows) < 2 or not _is_rising(lines) or not is_whole:
        raise SourceUnavailableError(
            f"{_name(href)} has {len(rows)} calibration vectors that make no table; expected two or more, of rising lines, "
            f"each with as many values above 0 as rising pixels. {_REPAIR}"
        )
    return Calibration(lines, [pixels for _, pixels, _ in rows], [values for _, _, values in rows])


def _geolocation_grid(root: ET.Element, href: str) -> GeolocationGrid:
    elements = ("line", "pixel", "longitude", "latitude", "height", "incidenceAngle")
    points = sorted(
        tuple(_number(point, element, href) for element in elements)
        for point in root.iterfind("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    )
    rows = len({point[0] for point in points})
    columns = len({point[1] for point in points})
    if min(rows, columns) < 2 or len(points) != rows * columns:
        raise SourceUnavailableError(
            f"{_name(href)} has {len(points)} points of a geolocation grid, on {rows} lines and {columns} pixels; expected a "
            f"point at each of two or more lines and pixels: its image has no place on the ground. {_REPAIR}"
        )
    table = np.array(points).reshape(rows, columns, len(elements))
    return GeolocationGrid(table[:, 0, 0], table[0, :, 1], *(table[:, :, place] for place in range(2, 6)))


def _parse(content: bytes, href: str, expected: str) -> ET.Element:
    try:
        root = ET.fromstring(content)  # noqa: S314 # expat as built today refuses to blow entities up
    except ET.ParseError as error:
        raise SourceUnavailableError(f"{_name(href)} is no XML ({error}). {_REPAIR}") from None
    if root.tag != expected:
        raise SourceUnavailableError(
            f"{_name(href)} is a document <{root.tag[:40]}>; expected <{expected}>, as ESA's products have it. {_REPAIR}"
        )
    return root


def _text(element: ET.Element, path: str, href: str) -> str:
    text = element.findtext(path)
    if text is None or not text.strip():
        raise SourceUnavailableError(f"{_name(href)} lacks {element.tag}/{path}, which ESA's products have. {_REPAIR}")
    return text.strip()


def _number(element: ET.Element, path: str, href: str) -> float:
    return float(_numbers(element, path, href)[0])


def _numbers(element: ET.Element, path: str, href: str) -> NDArray[np.float64]:
    text = _text(element, path, href)
    try:
        numbers = np.array([float(word) for word in text.split()])
    except ValueError:
        numbers = np.array([math.nan])
    if not np.isfinite(numbers).all():
        raise SourceUnavailableError(f"{_name(href)} has {text[:40]!r} as {path}; expected numbers. {_REPAIR}")
    return numbers


def _is_rising(values: NDArray[np.float64]) -> bool:
    return bool((np.diff(values) > 0).all())


def _name(href: str) -> str:
    return without_secrets(href)

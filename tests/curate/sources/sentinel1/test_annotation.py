"""ESA's documents, read, and what is said of those that are something else."""

import re

import numpy as np
import pytest

from curate.errors import SourceUnavailableError
from curate.sources.sentinel1.annotation import read_annotation, read_calibration
from tests.curate.sources.sentinel1.orbit import Orbit
from tests.curate.sources.sentinel1.products import annotation_xml, calibration_xml

HREF = "s3://bucket/S1A/annotation/iw-vv.xml?X-Amz-Signature=0f3a"


@pytest.fixture(scope="module")
def grid():
    orbit = Orbit.over(2.5, 46.5, ascending=True, height=900, width=1200)
    return orbit.grid(lambda line, pixel: line + pixel / 10, shape=(3, 4))


def annotation(grid, **words):
    return annotation_xml(grid, **({"height": 900, "width": 1200} | words))


def test_an_annotation_tells_the_size_the_polarisation_and_where_the_grid_lies(grid):
    found = read_annotation(annotation(grid, polarisation="VH").encode(), HREF)
    assert (found.polarisation, found.height, found.width) == ("VH", 900, 1200)
    tables = (found.grid.lines, found.grid.pixels, found.grid.lons, found.grid.lats, found.grid.heights, found.grid.incidences)
    for table, expected in zip(tables, grid, strict=True):
        np.testing.assert_allclose(table, expected, rtol=1e-12)


def test_points_may_come_in_any_order(grid):
    text = annotation(grid)
    points = re.findall("<geolocationGridPoint>.*?</geolocationGridPoint>", text)
    turned = text.replace("".join(points), "".join(reversed(points)))
    assert turned != text
    np.testing.assert_array_equal(
        read_annotation(turned.encode(), HREF).grid.lons, read_annotation(text.encode(), HREF).grid.lons
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: "<rfi/>", r"is a document <rfi>; expected <product>, as ESA's products have it"),
        (lambda _: "<product>", r"iw-vv\.xml is no XML \(no element found"),
        (lambda text: text.replace("<mode>IW</mode>", "<mode>EW</mode>"), "is of mode EW; expected IW, which alone has pixels"),
        (lambda text: text.replace("<mode>IW</mode>", ""), "lacks product/adsHeader/mode, which ESA's products have"),
        (
            lambda text: re.sub("<rangePixelSpacing>[^<]*", "<rangePixelSpacing>40", text),
            r"is of pixels of 40 m \(rangePixelSpacing\); expected 10 m",
        ),
        (
            lambda text: re.sub("<numberOfLines>[^<]*", "<numberOfLines>many", text),
            "has 'many' as imageAnnotation/imageInformation/numberOfLines; expected numbers",
        ),
        (
            lambda text: re.sub("<geolocationGridPoint>.*</geolocationGridPoint>", "", text),
            "has 0 points of a geolocation grid, on 0 lines and 0 pixels; .* no place on the ground",
        ),
        (
            lambda text: re.sub("<geolocationGridPoint>.*?</geolocationGridPoint>", "", text, count=1),
            "has 11 points of a geolocation grid, on 3 lines and 4 pixels; expected a point at each",
        ),
        (
            lambda text: re.sub("<latitude>[^<]*", "<latitude>nan", text, count=1),
            "has 'nan' as latitude; expected numbers",
        ),
    ],
)
def test_what_is_wrong_with_an_annotation_is_told(grid, change, words):
    with pytest.raises(SourceUnavailableError, match=words) as raised:
        read_annotation(change(annotation(grid)).encode(), HREF)
    assert "Signature" not in str(raised.value)


def test_a_calibration_tells_its_vectors_by_line():
    found = read_calibration(calibration_xml(height=600, width=100).encode(), HREF)
    assert found.lines.tolist() == [-1, 299, 599, 899]
    assert [len(pixels) for pixels in found.pixels] == [4] * 4
    assert found.values[0][0] == pytest.approx(399.95)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: "<noise/>", "is a document <noise>; expected <calibration>"),
        (lambda _: "<calibration/>", "has 0 calibration vectors that make no table; expected two or more, of rising lines"),
        (lambda text: text.replace("<line>299</line>", "<line>599</line>"), "has 4 calibration vectors that make no table"),
        (lambda text: re.sub(r'(<sigmaNought count="4">)\S+', r"\g<1>", text, count=1), "make no table"),
        (lambda text: re.sub(r'(<sigmaNought count="4">)\S+', r"\g<1>0.0", text, count=1), "as many values above 0 as rising"),
        (lambda text: text.replace('<pixel count="4">0 40', '<pixel count="4">40 0'), "make no table"),
        (lambda text: text.replace("<line>299</line>", ""), "lacks calibrationVector/line"),
    ],
)
def test_what_is_wrong_with_a_calibration_is_told(change, words):
    with pytest.raises(SourceUnavailableError, match=words):
        read_calibration(change(calibration_xml(height=600, width=100)).encode(), HREF)

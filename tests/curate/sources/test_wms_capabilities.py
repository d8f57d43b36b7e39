"""What a service says of itself, and what is none of that."""

import pytest

from curate.errors import SourceUnavailableError
from curate.sources.geoplateforme.wms_capabilities import read_capabilities
from tests.geoplateforme_layers import capabilities

ANNOUNCED = capabilities()
HOST = "data.geopf.fr"
SMALL = (
    '<WMS_Capabilities xmlns="http://www.opengis.net/wms"><Service/><Capability>'
    "<Layer><Layer><Name>{name}</Name>{more}</Layer></Layer></Capability></WMS_Capabilities>"
)


def test_formats_systems_and_limits_are_read():
    offered = read_capabilities(ANNOUNCED, HOST)
    assert offered.most_px == (10_000, 10_000)
    assert offered.formats == {"image/jpeg", "image/png", "image/tiff", "image/geotiff", "image/x-bil;bits=32"}
    assert {"EPSG:2154", "EPSG:32631", "CRS:84"} <= offered.systems
    assert len(offered.layers) == 13


@pytest.mark.parametrize(
    ("name", "finest_m"),
    [
        ("ORTHOIMAGERY.ORTHO-SAT.SPOT.2022", 0.826),
        ("ORTHOIMAGERY.ORTHOPHOTOS2019", 0.417),
        ("ORTHOIMAGERY.ORTHOPHOTOS2020", 0.207),
        ("ORTHOIMAGERY.ORTHOPHOTOS.IRC.2019", 0.208),
    ],
)
def test_a_layer_s_finest_pixel_is_told_in_metres_on_the_ground(name, finest_m):
    layer = read_capabilities(ANNOUNCED, HOST).layers[name]
    assert layer.finest_m == pytest.approx(finest_m, abs=0.001)
    assert layer.title
    assert layer.box is not None
    assert layer.box[0] < layer.box[2]


def test_what_is_not_stated_is_none():
    offered = read_capabilities(SMALL.format(name="A", more="").encode(), HOST)
    assert (offered.layers["A"].box, offered.layers["A"].finest_m, offered.layers["A"].title) == (None, None, "A")
    assert offered.most_px[0] > 10**6
    broken = SMALL.format(name="A", more="<MinScaleDenominator>fine</MinScaleDenominator>")
    assert read_capabilities(broken.encode(), HOST).layers["A"].finest_m is None


def test_a_scale_is_in_the_metres_of_the_layer_s_own_system():
    more = '<BoundingBox CRS="{}" minx="0"/><MinScaleDenominator>1000</MinScaleDenominator>'
    offered = read_capabilities(SMALL.format(name="A", more=more.format("EPSG:2154")).encode(), HOST)
    assert offered.layers["A"].finest_m == pytest.approx(0.28)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<html><body>Log in</body></html>", "XML that begins with html"),
        (b"Service unavailable", "XML with a fault"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "XML with a fault .unknown encoding"),
        (b'<WMS_Capabilities xmlns="http://www.opengis.net/wms"/>', "XML that begins with WMS_Capabilities"),
    ],
)
def test_another_document_is_refused_with_its_beginning(document, words):
    with pytest.raises(SourceUnavailableError, match=f"{HOST} answers GetCapabilities with {words}.*Expected the WMS_Cap"):
        read_capabilities(document, HOST)

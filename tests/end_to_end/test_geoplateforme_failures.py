"""What a user reads when the Geoplateforme refuses, lacks, limits or fails, and that a later run does the rest."""

import pytest

from catalogs.validate import check_catalog
from curate import outage
from curate.sources import geoplateforme
from curate.sources.geoplateforme import wms
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.provider_scenes import place_at, sampled
from tests.wms_double import DoubleLayer, Fault, serve_wms

SPOT = "spot-ortho"
LAYER = "ORTHOIMAGERY.ORTHO-SAT.SPOT.2021"
PARIS = (2.345, 48.86)
NO_ACCOUNT = "The service needs no account: ask from another network, or from behind another proxy"
TOO_MUCH = "it has too much to do, or is asked too often from here. End what else asks it, wait 60 s"


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(geoplateforme, "REQUESTS_PER_S", 1e6)
    monkeypatch.setattr(wms, "PAUSES_S", (0.01,))
    monkeypatch.setattr(wms, "BAN_S", 0.01)
    monkeypatch.setattr(outage, "OUTAGE_S", 0.1)
    monkeypatch.setattr(outage, "LOOK_S", 0.06)
    with serve_wms({LAYER: DoubleLayer(seed=1)}) as double:
        monkeypatch.setenv(geoplateforme.ADDRESS_VARIABLE, double.url)
        yield double


@pytest.fixture
def catalog(tmp_path):
    return sampled(tmp_path / "cat", place_at(*PARIS)[0])


def build(catalog):
    dates = ("--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01")
    return curate("build", catalog, "--source", "geoplateforme", "--sensor", SPOT, *dates)


def assert_empty(catalog):
    """A catalog that is in order and has nothing."""
    assert not items_of(catalog, SPOT)
    assert not [path for path in catalog.rglob("*") if ".tif" in path.name]
    assert not check_catalog(str(catalog)).problems


@pytest.mark.parametrize(
    ("status", "of_capabilities", "of_images"),
    [
        (401, f"refuses its capabilities (HTTP 401). {NO_ACCOUNT}", f"refuses layer {LAYER} (HTTP 401). {NO_ACCOUNT}"),
        (403, f"refuses its capabilities (HTTP 403). {NO_ACCOUNT}", f"refuses layer {LAYER} (HTTP 403). {NO_ACCOUNT}"),
        (
            404,
            "does not give its capabilities, but HTTP 404. Expected XML: the service may be under repair, or have moved",
            f"gives no image of layer {LAYER}, but HTTP 404. Expected image/geotiff: the layer may have been withdrawn",
        ),
        (429, f"answers HTTP 429: {TOO_MUCH}", f"answers HTTP 429: {TOO_MUCH}"),
        (503, f"answers HTTP 503: {TOO_MUCH}", f"answers HTTP 503: {TOO_MUCH}"),
    ],
)
def test_what_fails_is_told_leaves_nothing_half_written_and_is_done_once_it_works(
    served, catalog, capfd, status, of_capabilities, of_images
):
    served.capabilities_status = status
    assert build(catalog) == 4
    assert of_capabilities in capfd.readouterr().err
    assert_empty(catalog)
    served.capabilities_status = 200
    served.faults.append(Fault(status=status, times=1000))
    assert build(catalog) == 4
    said = capfd.readouterr().err
    assert of_images in said
    assert "run the same command again" in said
    assert_empty(catalog)
    served.faults.clear()
    assert build(catalog) == 0
    assert len(items_of(catalog, SPOT)) == 1
    assert curate("verify", catalog, "--quiet") == 0

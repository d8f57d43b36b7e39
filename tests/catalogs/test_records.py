"""Records refuse what breaks the contract, and say so."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from catalogs.errors import ContractError
from catalogs.records import Location, Scene, check_side


def location(**changes):
    values = {"id": "a-000000", "epsg": 32631, "bounds": (500040, 5000040, 502680, 5002680), "split": "train"}
    return Location(**{**values, **changes})


def test_default_square_has_the_pixels_that_the_contract_promises():
    sizes = {gsd: location().grid(gsd).width for gsd in (10, 20, 60, 30, 1.5)}
    assert sizes == {10: 264, 20: 132, 60: 44, 30: 88, 1.5: 1760}


def test_grid_spans_the_square_exactly():
    assert location().grid(20).bounds == (500040, 5000040, 502680, 5002680)


def test_southern_lattice_is_forty_metres_off():
    bounds = (500040, 8000020, 502680, 8002660)
    assert (8000020 - 40) % 60 == 0
    assert location(epsg=32731, bounds=bounds).bounds == bounds
    with pytest.raises(
        ContractError, match=r"lower-left corner at 500040, 8000040; expected multiples of 60 \(northing: 40 more\)"
    ):
        location(epsg=32731, bounds=(500040, 8000040, 502680, 8002680))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bounds": (500040, 5000040, 502680, 5002620)}, "2640 x 2580 m; a location is a square"),
        ({"bounds": (500041, 5000040, 502681, 5002680)}, "lower-left corner at 500041"),
        ({"epsg": 2154}, "EPSG:2154; expected a UTM zone"),
        ({"split": "training"}, "split 'training'; expected one of train, val, test, none"),
    ],
)
def test_a_square_off_the_contract_is_refused(changes, words):
    with pytest.raises(ContractError, match=words):
        location(**changes)


@pytest.mark.parametrize(
    ("side", "words"), [(1000, "nearest: 960 or 1020"), (12000, "60 to 9780; nearest: 9780"), (30, "nearest: 60")]
)
def test_a_patch_size_that_does_not_divide_names_the_nearest(side, words):
    with pytest.raises(ContractError, match=words):
        check_side(side)


def test_a_pixel_size_that_does_not_divide_the_square_is_refused():
    with pytest.raises(ContractError, match="2640 m is no whole number of 7 m pixels"):
        location().grid(7)


def test_a_scene_has_an_instant_or_an_interval_in_utc():
    noon = datetime(2023, 7, 1, 12, tzinfo=UTC)
    Scene("spot-ortho", location(), (), start_datetime=noon, end_datetime=noon + timedelta(days=90))
    for times in ({}, {"start_datetime": noon}, {"datetime": noon, "start_datetime": noon, "end_datetime": noon}):
        with pytest.raises(ContractError, match="either one datetime or a start and an end"):
            Scene("spot-ortho", location(), (), **times)
    for when in (noon.replace(tzinfo=None), noon.astimezone(timezone(timedelta(hours=2)))):
        with pytest.raises(ContractError, match="expected UTC"):
            Scene("sentinel-2-l2a", location(), (), datetime=when)

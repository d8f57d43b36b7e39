"""Records refuse what breaks the contract, and say so."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from catalogs.errors import ContractError
from catalogs.records import Grid, Location, Scene, check_side


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


@pytest.mark.parametrize("side", [1, 640, 2640, 25_000])
def test_an_image_whose_ground_is_not_known_has_a_frame_of_its_own(side):
    place = location(epsg=None, bounds=(0, 0, side, side))
    assert (place.side_m, place.is_sampled) == (side, False)
    assert place.grid(side / 8) == Grid(None, (side / 8, 0.0, 0.0, 0.0, -side / 8, float(side)), 8, 8)
    with pytest.raises(ContractError, match="a-000000 is an image whose ground is not known: it has no place on the globe"):
        _ = place.zone


def test_ground_off_the_lattice_may_lie_anywhere_with_any_side():
    place = location(bounds=(500_017, 5_400_009, 500_657, 5_400_649), off_lattice=True)
    assert (place.zone, place.side_m, place.is_sampled, location().is_sampled) == (32631, 640, False, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epsg": None}, r"has no zone and bounds \(500040, .*expected \(0, 0, side, side\) metres of an image whose ground"),
        ({"epsg": None, "bounds": (0, 0, 0, 0)}, r"has no zone and bounds \(0, 0, 0, 0\)"),
        ({"epsg": None, "bounds": (0, 0, 640, 600)}, "640 x 600 m; a location is a square"),
        ({"epsg": None, "bounds": (0, 0, 60, 60), "off_lattice": True}, "off the lattice; .*and no word of a lattice"),
        ({"epsg": None, "bounds": (0, 0, 60, 60), "split": "dev"}, "split 'dev'"),
        ({"bounds": (0, 0, 0, 0), "off_lattice": True}, "has a side of 0 m; expected a side above 0"),
        ({"epsg": 2154, "off_lattice": True}, "EPSG:2154; expected a UTM zone"),
    ],
)
def test_other_peoples_images_have_rules_too(changes, words):
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


@pytest.mark.parametrize("labels", [("",), ("lake", "lake")])
def test_labels_are_words_each_once(labels):
    with pytest.raises(ContractError, match=r"has labels \[.*\]; expected words, each once"):
        Scene("naip", location(), (), datetime=datetime(2023, 7, 1, tzinfo=UTC), labels=labels)

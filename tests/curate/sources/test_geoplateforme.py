"""Which vintages the Geoplateforme has, from what it announces, and what it says where it has none."""

from datetime import UTC, datetime

import pytest

from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.sources import open_source
from curate.sources.geoplateforme import (
    ABOUT,
    ADDRESS,
    ADDRESS_VARIABLE,
    AERIAL,
    SPOT,
    GeoplateformeSource,
    check,
    pace_of,
    scenes_of,
)
from curate.sources.geoplateforme.wms_capabilities import read_capabilities
from tests.curate.sources.told import assert_bands_as_told
from tests.geoplateforme_layers import capabilities
from tests.wms_double import DoubleLayer, serve_wms

ANNOUNCED = read_capabilities(capabilities(), "data.geopf.fr")
PARIS = (2.3, 48.8, 2.4, 48.9)
SPOT_2022, SPOT_2023 = "ORTHOIMAGERY.ORTHO-SAT.SPOT.2022", "ORTHOIMAGERY.ORTHO-SAT.SPOT.2023"
AERIAL_2021, INFRARED_2021 = "ORTHOIMAGERY.ORTHOPHOTOS2021", "ORTHOIMAGERY.ORTHOPHOTOS.IRC.2021"


def year(number, month=1, day=1):
    return datetime(number, month, day, tzinfo=UTC)


def test_layers_of_a_year_become_vintages_with_that_year_as_interval():
    scenes = {scene.id: scene for scene in scenes_of(ANNOUNCED, SPOT, ADDRESS, {})}
    assert list(scenes) == [f"ORTHOIMAGERY.ORTHO-SAT.SPOT.{number}" for number in (2013, 2014, 2022, 2023)]
    scene = scenes[SPOT_2022]
    assert (scene.datetime, scene.start_datetime, scene.end_datetime) == (
        None,
        year(2022),
        datetime(2022, 12, 31, 23, 59, 59, tzinfo=UTC),
    )
    assert (scene.sensor, scene.epsg, scene.cloud_percent, scene.source) == (SPOT, 2154, None, "geoplateforme")
    told = {name: (band.href, band.index, band.nodata) for name, band in scene.bands.items()}
    href = f"{ADDRESS}?LAYERS={SPOT_2022}"
    assert told == {"red": (href, 1, 0), "green": (href, 2, 0), "blue": (href, 3, 0)}
    assert_bands_as_told("geoplateforme", list(scenes.values()))


def test_a_footprint_is_what_of_the_extent_lies_in_metropolitan_france():
    scenes = {scene.id: scene for scene in scenes_of(ANNOUNCED, SPOT, ADDRESS, {})}
    (ring,) = scenes["ORTHOIMAGERY.ORTHO-SAT.SPOT.2014"].footprint["coordinates"]
    assert (min(x for x, _ in ring), max(y for _, y in ring)) == (-5.3, 51.2)
    (ring,) = scenes["ORTHOIMAGERY.ORTHO-SAT.SPOT.2013"].footprint["coordinates"]
    assert min(x for x, _ in ring) == pytest.approx(0.6)


def test_near_infrared_comes_from_the_infrared_layer_of_the_year():
    (scene,) = scenes_of(ANNOUNCED, AERIAL, ADDRESS, {})
    assert scene.id == "ORTHOIMAGERY.ORTHOPHOTOS2020"
    assert list(scene.bands) == ["red", "green", "blue", "nir"]
    assert_bands_as_told("geoplateforme", [scene])
    assert scene.bands["nir"].href == f"{ADDRESS}?LAYERS=ORTHOIMAGERY.ORTHOPHOTOS.IRC.2020"
    assert scene.bands["nir"].index == 1


def test_what_is_not_offered_is_said_with_its_reason():
    skipped = {}
    scenes_of(ANNOUNCED, AERIAL, ADDRESS, skipped)
    assert skipped["ORTHOIMAGERY.ORTHOPHOTOS"].startswith("a mosaic without a year")
    assert skipped["ORTHOIMAGERY.ORTHOPHOTOS.IRC"].startswith("a mosaic without a year")
    assert skipped["ORTHOIMAGERY.ORTHOPHOTOS2019"] == "its own pixels are 0.4 m, those of aerial-ortho 0.2 m"
    assert "ORTHOIMAGERY.ORTHOPHOTOS.ORTHO-EXPRESS.2023" not in skipped, "another product"


def test_a_layer_overseas_or_an_infrared_layer_that_is_coarser_is_not_offered():
    guadeloupe, coarse = DoubleLayer(box=(-62.0, 15.8, -61.0, 16.6)), DoubleLayer(scale=4000.0)
    with serve_wms({SPOT_2022: guadeloupe, AERIAL_2021: DoubleLayer(), INFRARED_2021: coarse}) as wms:
        source = GeoplateformeSource(address=wms.url)
        (scene,) = source.search(AERIAL, PARIS, year(2021), year(2022))
        assert list(scene.bands) == ["red", "green", "blue"]
        assert SPOT_2022 not in source.skipped, "nobody has asked for it yet"
        assert source.search(SPOT, PARIS, year(2022), year(2023)) == []
        assert source.skipped[SPOT_2022].startswith("it does not touch metropolitan France")
        assert source.skipped[INFRARED_2021].endswith(f"{AERIAL_2021} is offered without near infrared")


def test_what_is_left_out_of_one_sensor_is_not_told_to_who_asks_for_another():
    with serve_wms({SPOT_2022: DoubleLayer(), "ORTHOIMAGERY.ORTHOPHOTOS": DoubleLayer()}) as wms:
        source = GeoplateformeSource(address=wms.url)
        assert len(source.search(SPOT, PARIS, year(2022), year(2023))) == 1
        assert source.skipped == {}
        assert source.search(AERIAL, PARIS, year(2022), year(2023)) == []
        assert list(source.skipped) == ["ORTHOIMAGERY.ORTHOPHOTOS"]


def test_a_search_finds_vintages_by_place_and_by_overlapping_year_and_asks_once():
    corsica = DoubleLayer(box=(8.5, 41.3, 9.6, 43.1))
    with serve_wms({SPOT_2022: DoubleLayer(), SPOT_2023: corsica}) as wms:
        source = GeoplateformeSource(address=wms.url)
        assert not wms.asked, "nothing is asked before a search"
        assert list(source.sensors()) == [SPOT, AERIAL]
        assert [scene.id for scene in source.search(SPOT, PARIS, year(2022, 6), year(2022, 8))] == [SPOT_2022]
        assert source.search(SPOT, PARIS, year(2023), year(2024)) == []
        assert [scene.id for scene in source.search(SPOT, (8.9, 42.0, 9.0, 42.1), year(2022), year(2024))] == [
            SPOT_2022,
            SPOT_2023,
        ]
        assert source.search(SPOT, (-60.0, 14.0, -59.0, 15.0), year(2022), year(2023)) == []
        assert len(wms.asked) == 1
        with pytest.raises(SourceSensorError, match=r"geoplateforme has no naip\. It has spot-ortho, aerial-ortho"):
            source.search("naip", PARIS, year(2022), year(2023))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"most_px": 512}, r"no longer offers answers of 1024 x 1024 pixels, which reading needs"),
        ({"formats": ("image/jpeg",)}, r"no longer offers the format image/geotiff"),
    ],
)
def test_a_service_that_has_changed_is_told(changed, words):
    with serve_wms({SPOT_2022: DoubleLayer()}, **changed) as wms:
        source = GeoplateformeSource(address=wms.url)
        with pytest.raises(SourceUnavailableError, match=words):
            source.search(SPOT, PARIS, year(2022), year(2023))


def test_it_is_opened_by_its_name_and_takes_nothing_else(monkeypatch):
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    source = open_source("geoplateforme")
    assert (source.name, source.simulated) == ("geoplateforme", False)
    with pytest.raises(CurateError, match=r"--source geoplateforme:2022 says '2022' to a source that takes nothing"):
        open_source("geoplateforme:2022")


def test_a_check_tells_the_years(monkeypatch):
    with serve_wms({SPOT_2022: DoubleLayer(), SPOT_2023: DoubleLayer()}) as wms:
        monkeypatch.setenv(ADDRESS_VARIABLE, wms.url)
        assert check() == "answers; spot-ortho 2022 to 2023, no aerial-ortho"


def test_a_square_costs_its_tiles_of_each_layer_and_a_glance_where_they_are_many():
    source = GeoplateformeSource()
    requests, size = source.square_cost(SPOT, ["red", "green", "nir"], 1536)
    assert (requests, size) == (4.0, 4 * 3 * 1024**2)
    both, twice = source.square_cost(AERIAL, ["red", "nir"], 1024)
    assert (both, twice) == (2 * (36 + 1), 2 * 36 * 3 * 1024**2)
    assert source.square_cost("sentinel-2-l2a", ["B04"], 2640) == (0, 0)


def test_all_of_a_process_share_the_pace_of_a_host():
    assert pace_of("data.geopf.fr") is pace_of("data.geopf.fr")
    assert pace_of("data.geopf.fr") is not pace_of("127.0.0.1:80")
    assert {product.sensor for product in ABOUT.products} == {SPOT, AERIAL}


@pytest.mark.network
def test_the_real_service_gives_a_small_window():
    assert check().startswith("answers; spot-ortho 20")
    source = open_source("geoplateforme")
    scene = source.search(SPOT, PARIS, year(2022), year(2023))[0]
    with source.open(scene.bands["green"]) as raster:
        column, row = round(652_000 / 1.5), round((7_200_000 - 6_862_000) / 1.5)
        pixels = raster.read((column, row, 64, 64))
    assert pixels.std() > 1

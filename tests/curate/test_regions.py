"""From what a user types to a region, and which points belong to it."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from curate.areas import BoxRegion, CountryRegion, PolygonRegion
from curate.cells import areas
from curate.errors import RegionError
from curate.places import load_places
from curate.refusal import Refusal
from curate.regions import find_region, fold, slugify


def reasons(region, *lonlats, near_place=False):
    lon, lat = np.array(lonlats, float).T
    return [Refusal(reason) for reason in region.refuse(lon, lat, near_place=near_place)]


def write_geojson(path: Path, *shapes) -> Path:
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("text", ["france", "France", " FRANCE ", "FR", "fr", "FRA"])
def test_a_country_is_known_by_its_name_and_both_codes_whatever_the_case(text):
    region = find_region(text)
    assert isinstance(region, CountryRegion)
    assert (region.slug, region.codes, region.identity) == ("france", ("FR",), "country:FR")


@pytest.mark.parametrize(
    ("text", "code", "slug"),
    [("usa", "US", "united-states"), ("Côte d'Ivoire", "CI", "ivory-coast"), ("netherlands", "NL", "netherlands"),
     ("The Netherlands", "NL", "netherlands"), ("south-korea", "KR", "south-korea"), ("GF", "GF", "french-guiana"),
     ("réunion", "RE", "reunion"), ("UK", "GB", "united-kingdom"), ("NA", "NA", "namibia"), ("georgia", "GE", "georgia")],
)  # fmt: skip
def test_other_names_and_codes_are_known(text, code, slug):
    region = find_region(text)
    assert (region.codes, region.slug) == ((code,), slug)


def test_france_is_metropolitan():
    region = find_region("france")
    paris, corte, cayenne, brussels, bay_of_biscay = (2.35, 48.86), (9.15, 42.3), (-52.33, 4.94), (4.35, 50.85), (-4.5, 46.0)
    found = reasons(region, paris, corte, cayenne, brussels, bay_of_biscay)
    assert found == [Refusal.NONE, Refusal.NONE, Refusal.OUTSIDE, Refusal.OUTSIDE, Refusal.SEA]


def test_a_continent_is_its_countries():
    assert {"FR", "DE", "RU"} <= set(find_region("Europe").codes)
    assert find_region("north america").slug == "north-america"
    found = reasons(find_region("europe"), (2.35, 48.86), (100.0, 60.0), (35.0, 39.0))
    assert found == [Refusal.NONE, Refusal.NONE, Refusal.OUTSIDE]


def test_the_world_is_all_land_and_antarctica_is_no_countrys():
    south = (0.0, -75.0)
    assert reasons(find_region("world"), (2.35, 48.86), (-30, 40), south) == [Refusal.NONE, Refusal.SEA, Refusal.NONE]
    assert reasons(find_region("antarctica"), south, (2.35, 48.86)) == [Refusal.NONE, Refusal.OUTSIDE]
    assert reasons(find_region("south america"), (-65.0, -70.0), (-64.0, -35.0)) == [Refusal.OUTSIDE, Refusal.NONE]
    assert reasons(find_region("GB"), (0.0, -72.0)) == [Refusal.OUTSIDE]


def test_only_where_it_is_asked_for_a_place_has_to_be_within_15_km():
    desert = (132.0, -25.5)
    assert reasons(find_region("australia"), desert) == [Refusal.NONE]
    assert reasons(find_region("australia"), desert, near_place=True) == [Refusal.FAR]
    assert reasons(find_region("130,-27,134,-24"), desert, near_place=True) == [Refusal.FAR]


@pytest.mark.parametrize(
    ("text", "guess"), [("frnace", '"france"'), ("Germny", '"germany"'), ("wrld", '"world"'), ("autralia", '"australia"')]
)
def test_a_typo_gets_a_guess(text, guess):
    with pytest.raises(RegionError, match=f'^Unknown region "{text}". Did you mean .*{guess}.* Expected a country'):
        find_region(text)


def test_what_resembles_nothing_gets_what_is_expected():
    with pytest.raises(
        RegionError, match=r'^Unknown region "qqqqqq"\. Expected a country.s English name or ISO code, a continent'
    ):
        find_region("qqqqqq")


def test_a_country_without_a_place_is_empty():
    with pytest.raises(RegionError, match=r'Region "TF" is empty: GeoNames knows no place of 500 inhabitants.*Pass a file'):
        find_region("TF")


def test_a_box_is_its_land():
    region = find_region("-5.2,41.3,9.6,51.1")
    assert isinstance(region, BoxRegion)
    assert region.slug == "bbox"
    assert reasons(region, (2.35, 48.86), (4.35, 50.85), (-4.5, 46.0), (12.5, 41.9)) == [
        Refusal.NONE, Refusal.NONE, Refusal.SEA, Refusal.OUTSIDE]  # fmt: skip


def test_a_box_may_cross_180_degrees():
    region = find_region("177,-19,-179.5,-16")
    assert reasons(region, (178.0, -18.0), (-179.95, -16.8), (0.0, -18.0)) == [Refusal.NONE, Refusal.NONE, Refusal.SEA]
    assert (region.is_home(load_places()) == (np.isin(load_places().country, ["FJ"]) & region.is_home(load_places()))).all()
    assert (region.cells[:, 0] >= -180).all()
    assert (region.cells[:, 2] <= 180).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [("1,2,3", "is not four numbers"), ("1,2,3,4,5", "is not four numbers"), ("1,2,3,4e", "is not four numbers"),
     ("5,50,6,40", "out of order or range"), ("5,50,190,60", "out of order or range"), ("5,50,6,91", "out of order or range"),
     ("1.6,43.7,1.4,43.5", r"south below north\. Did you mean 1\.4,43\.5,1\.6,43\.7\?$"),
     ("43.5,91,43.7,92", r"Did you mean 91,43\.5,92,43\.7\?$"), ("200,50,210,60", "south below north\\.$"),
     ("1.4 43.5 1.6 43.7", r"commas and nothing else between them\. Say --region=1\.4,43\.5,1\.6,43\.7$"),
     ("[-1.4, 43.5, 1.6, 43.7]", r"Say --region=-1\.4,43\.5,1\.6,43\.7$"),
     ("5,50,5,60", "is empty: it has no area"), ("5,50,6,50", "is empty: it has no area"),
     ("5,85,6,89", "between 80 S and 84 N")],
)  # fmt: skip
def test_a_wrong_box_is_refused(text, words):
    with pytest.raises(RegionError, match=words):
        find_region(text)


def test_a_file_gives_exact_borders_in_any_coordinate_system(tmp_path):
    square = shapely.box(500_000, 5_400_000, 510_000, 5_410_000)
    geopandas.GeoDataFrame(geometry=[square], crs=32631).to_file(tmp_path / "Île-de-France 2.gpkg")
    region = find_region(str(tmp_path / "Île-de-France 2.gpkg"))
    assert isinstance(region, PolygonRegion)
    assert region.slug == "ile-de-france-2"
    west, south, east, north = shapely.bounds(region.geometry)
    assert reasons(region, ((west + east) / 2, (south + north) / 2), (west - 0.01, south)) == [Refusal.NONE, Refusal.OUTSIDE]


def test_a_file_holds_sea_too(tmp_path):
    region = find_region(str(write_geojson(tmp_path / "sea.geojson", shapely.box(-31, 39, -29, 41))))
    assert reasons(region, (-30, 40), near_place=True) == [Refusal.NONE]


def test_polygons_beyond_180_degrees_are_wrapped(tmp_path):
    region = find_region(str(write_geojson(tmp_path / "fiji.geojson", shapely.box(177, -19, 182, -16))))
    assert reasons(region, (178, -18), (-179, -18), (-177, -18)) == [Refusal.NONE, Refusal.NONE, Refusal.OUTSIDE]


def test_the_same_file_under_another_name_is_the_same_region(tmp_path):
    one, other = (write_geojson(tmp_path / name, shapely.box(0, 0, 1, 1)) for name in ("a.geojson", "b.geojson"))
    third = write_geojson(tmp_path / "c.geojson", shapely.box(0, 0, 1, 2))
    first, second = find_region(str(one)), find_region(str(other))
    assert first.identity == second.identity != find_region(str(third)).identity
    assert first.recipe()["file"] == "a.geojson"


def test_a_broken_polygon_is_mended(tmp_path):
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    region = find_region(str(write_geojson(tmp_path / "tie.geojson", bow_tie, shapely.Point(9, 9))))
    assert reasons(region, (0.2, 1.0), (1.0, 1.8)) == [Refusal.NONE, Refusal.OUTSIDE]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("absent.geojson", None, "absent.geojson is not there"),
     ("bad.geojson", "hello", "cannot be read as a vector file"),
     ("empty.geojson", '{"type": "FeatureCollection", "features": []}', "is empty; expected at least one geometry"),
     ("point.geojson", '{"type": "Point", "coordinates": [3, 50]}', "is empty as a region.*--strategy file --from FILE"),
     ("pole.geojson", '{"type": "Polygon", "coordinates": [[[0, 85], [9, 85], [9, 86], [0, 85]]]}', "between 80 S and 84 N"),
     ("metres.geojson", '{"type": "Polygon", "coordinates": [[[0, 0], [9000, 0], [9000, 9000], [0, 0]]]}', "no degrees")],
)  # fmt: skip
def test_a_file_without_a_region_is_refused(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(RegionError, match=words):
        find_region(str(tmp_path / name))


def test_a_file_without_an_extension_is_no_region_by_accident(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("france").write_text("")
    assert find_region("france").identity == "country:FR"


def test_a_name_replaces_the_slug():
    assert find_region("france", name="Ma France").slug == "ma-france"
    assert find_region("1,2,3,4", name="box").slug == "box"
    assert find_region("1,2,3,4", name="box").identity == find_region("1,2,3,4").identity


def test_a_name_without_letters_is_refused():
    with pytest.raises(RegionError, match="has no letter or digit"):
        slugify("-- --")
    assert fold("Saint-Barthélemy") == "saint barthelemy"


@pytest.mark.parametrize("text", ["fiji", "RU", "NZ", "MC", "europe", "world", "177,-19,-179.5,-16", "RE"])
def test_no_point_of_a_region_lies_outside_its_cells(text):
    region = find_region(text)
    rng = np.random.default_rng(4)
    home = load_places().subset(region.is_home(load_places()))
    start = rng.integers(0, len(home), 3000)
    lon = (home.lon[start] + rng.normal(0, 1, 3000) + 180) % 360 - 180
    lat = np.clip(home.lat[start] + rng.normal(0, 1, 3000), -79, 83)
    lon[::2], lat[::2] = home.lon[start[::2]], home.lat[start[::2]]
    inside = region.refuse(lon, lat, near_place=False) == Refusal.NONE
    assert inside.sum() > 50
    west, south, east, north = (edge[:, None] for edge in region.cells.T)
    held = ((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).any(axis=0)
    assert held[inside].all()


@pytest.mark.parametrize(("text", "area_km2"), [("fiji", 18_000), ("RU", 17_000_000), ("NZ", 268_000), ("france", 550_000)])
def test_cells_are_little_more_than_the_region(text, area_km2):
    assert area_km2 * 0.9 < areas(find_region(text).cells).sum() * 6371**2 < area_km2 * (4 if area_km2 < 1e5 else 1.6)

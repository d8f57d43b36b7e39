"""`curate verify` holds the items of a location against each other."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs.checks import grounds as compared
from catalogs.checks import scenes as judging
from catalogs.checks.grounds import Grounds
from catalogs.checks.scenes import judge_offset
from catalogs.radiometry import check_scene
from catalogs.records import Radiometry
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter, Patch
from tests.catalogs.damage import messages
from tests.catalogs.radiometry_scenes import S2, TEN_M, as_planes, ground
from tests.catalogs.scenes import make_location, make_rasters, make_scene

SIDE = 264
"""Pixels of 10 m of a location's square."""
BRIGHTER = 0.045
"""Of all bands: so that an offset too many does not lie far enough below zero to be told by itself."""


def dated(visit, convention, *, has_plants):
    """A scene of fields, its bands as stated, with its pixels; whether its classification tells the plants among them."""
    bands, scl = ground(seed=visit, side=SIDE)
    planes = as_planes({name: values + BRIGHTER for name, values in bands.items()}, convention)
    scene = make_scene(make_location(), visit=visit, baseline="05.11")
    scene = replace(scene, rasters=make_rasters(scene, [band for band, _ in planes]))
    classes = scl[::2, ::2] if has_plants else np.full((SIDE // 2, SIDE // 2), 5, "uint8")
    return scene, {"10m": np.stack([pixels for _, pixels in planes]), "scl": classes[None]}


def problems(*scenes):
    grounds = Grounds()
    for number, (scene, pixels) in enumerate(scenes):
        grounds.add(scene, pixels, f"item {number}", judge_offset(scene, pixels))
    return list(grounds.problems())


@pytest.mark.parametrize("convention", ["missing", "one too many"])
def test_an_item_that_differs_by_an_offset_from_a_date_that_is_proven_is_found(convention):
    right, wrong = dated(0, "applied", has_plants=True), dated(1, convention, has_plants=False)
    (problem,) = problems(right, wrong)
    assert (problem.kind, problem.where) == ("offset", "item 1")
    stated = "0" if convention == "missing" else "-0.1"
    assert f"Contradicts its offset {stated} next to item 0, another date of its location" in problem.message
    assert "--radiometry strict or pixels, or, if it is of a provider whose word a build takes" in problem.message


@pytest.mark.parametrize("convention", ["applied", "not needed"])
def test_items_of_either_convention_agree(convention):
    assert not problems(dated(0, "applied", has_plants=True), dated(1, convention, has_plants=False))


def test_nothing_is_said_where_no_date_is_proven_or_its_own_dark_pixels_have_told():
    assert not problems(dated(0, "applied", has_plants=False), dated(1, "missing", has_plants=False))
    assert not problems(dated(0, "applied", has_plants=True), dated(1, "missing", has_plants=True))


@pytest.mark.parametrize(
    ("check", "evidence", "is_found"),
    [("consistent", "provider", 0), ("consistent", "date", 0), ("consistent", "dark", 1), ("unchecked", None, 1)],
)
def test_what_a_build_has_found_right_by_another_scene_is_not_held_against_a_date_again(check, evidence, is_found):
    scene, pixels = dated(1, "missing", has_plants=False)
    told = replace(scene, radiometry=Radiometry("metadata", check, "not_needed", evidence))
    assert len(problems(dated(0, "applied", has_plants=True), (told, pixels))) == is_found


def test_a_collection_that_is_all_shifted_lacks_no_offset():
    scene, pixels = dated(1, "missing", has_plants=False)
    shifted = replace(scene, radiometry=Radiometry("collection", "unchecked", "not_needed"))
    assert not problems(dated(0, "applied", has_plants=True), (shifted, pixels))


def test_items_without_a_mask_or_of_other_sensors_are_passed_over():
    scene, pixels = dated(0, "missing", has_plants=False)
    radar = make_scene(make_location(), "sentinel-1-rtc")
    unmasked = {"10m": pixels["10m"]}
    seen = [dated(1, "applied", has_plants=True), (scene, unmasked), (radar, {"10m": np.ones((2, SIDE, SIDE), "float32")})]
    assert not problems(*seen)


def test_it_is_found_in_a_catalog_whose_items_are_each_judged_once(tmp_path, monkeypatch):
    judged = []

    def count(*args, **options):
        judged.append(args)
        return check_scene(*args, **options)

    monkeypatch.setattr(judging, "check_scene", count)
    location = make_location()
    writer = CatalogWriter(tmp_path / "cat", [location], {S2.id: [S2.band(name) for name in TEN_M]}, description="Two dates.")
    items = []
    for scene, pixels in (dated(0, "applied", has_plants=True), dated(1, "missing", has_plants=False)):
        patches = [
            Patch(raster.key, pixels[raster.key], raster.bands, raster.grid, raster.sources, is_mask=raster.is_mask)
            for raster in scene.rasters
        ]
        offset = scene.rasters[0].bands[0].offset
        radiometry = Radiometry("metadata", "unchecked", "applied" if offset else "not_needed")
        clear = {"cloud_percent": 0.0, "snow_percent": 0.0, "unclassified_percent": 0.0, "labels": ()}
        told = replace(scene, rasters=(), radiometry=radiometry, **clear)
        items.append(writer.scenes.write_scene(told, patches))
    writer.finish(location, items, [])
    writer.close()
    report = check_catalog(tmp_path / "cat")
    assert report.counts == {"offset": 1, "missing-file": 2}, messages(report)
    assert "Contradicts its offset 0 next to" in messages(report)
    assert len(judged) == 2
    assert not hasattr(compared, "check_scene")


def test_an_item_of_an_interval_is_compared_by_its_first_instant():
    scene, pixels = dated(1, "missing", has_plants=False)
    interval = replace(scene, datetime=None, start_datetime=scene.datetime, end_datetime=scene.datetime)
    assert len(problems(dated(0, "applied", has_plants=True), (interval, pixels))) == 1

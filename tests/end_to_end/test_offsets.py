"""One ground as four providers publish it, through `curate build`: the same reflectance; and items that lie are caught."""

import json
from datetime import date

import numpy as np
import pytest

from catalogs import layout, open_catalog
from catalogs.failures import read_failures
from catalogs.locations import write_locations
from catalogs.recipe import read_recipe, write_section
from catalogs.records import Location
from curate.build_request import BuildRequest, read_wanted, resolve_request
from curate.errors import CurateError
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.offset_scenes import BANDS, DARK_ROW, GAP, MANNERS, SHADE, SQUARE, lying, publish, reflectance
from tests.trees import tree

S2 = "sentinel-2-l2a"
DAY = "2023-06-10"
JUNE = ("--seasons", 1, "--start", "2023-06-01", "--end", "2023-07-01", "--quiet")
DECIDED = {
    "earth-search-c1": ("metadata", "applied", -0.1),
    "earth-search-shifted": ("metadata", "not_needed", 0),
    "earth-search-unshifted": ("metadata", "applied", -0.1),
    "microsoft": ("baseline", "applied", -0.1),
    "microsoft-old": ("baseline", "not_needed", 0),
}
LIARS = {"earth-search-shifted": (-0.1, 0), "earth-search-unshifted": (0, -0.1)}
"""Offset that a scene states which lies, and the one that its pixels call for."""


@pytest.fixture
def place(tmp_path):
    """A catalog's folder with one location, before it is built."""

    def make(name="cat"):
        out = tmp_path / name
        out.mkdir()
        write_section(out, "sample", {"region": "test", "seed": 0})
        write_locations(out / layout.LOCATIONS, [Location("test-000000", 32631, SQUARE, "train")])
        return out

    return make


def read_back(out):
    """Reflectance of the only item, by band."""
    catalog = open_catalog(out)
    (item,) = catalog.items(sensor=S2)
    return {name: catalog.read(item, [name], reflectance=True)[0] for name in BANDS}


def of_square(values, gsd):
    """What a location's square has of the ground."""
    start, count = 300 // gsd, 600 // gsd
    return values[start : start + count, start : start + count]


@pytest.mark.parametrize("manner", MANNERS)
def test_the_same_ground_has_the_same_reflectance_whoever_publishes_it(tmp_path, place, manner):
    source, out = publish(tmp_path / "source", ("s", MANNERS[manner], DAY)), place()
    assert curate("build", out, "--source", source, *JUNE) == 0
    assert curate("verify", out, "--quiet") == 0
    ((path, item),) = items_of(out, S2)
    decision, harmonized, offset = DECIDED[manner]
    told = {"decision": decision, "check": "consistent", "harmonized": harmonized, "evidence": "dark"}
    assert item["properties"]["seastars:radiometry"] == told
    assert {band.get("raster:offset") for key in ("10m", "20m") for band in item["assets"][key]["bands"]} == {offset}
    found, made = read_back(out), reflectance()
    least = SHADE if offset else 1e-4
    for name, (_, gsd) in BANDS.items():
        np.testing.assert_allclose(found[name], np.maximum(of_square(made[name], gsd), least), atol=1e-6)
    assert found["B04"][DARK_ROW - 30, 0] == pytest.approx(least, abs=1e-6)
    assert np.isnan(found["B04"][(GAP[0].start - 15) * 2, (GAP[1].start - 15) * 2])
    catalog = open_catalog(out)
    (scene,) = catalog.items(sensor=S2)
    assert catalog.read(scene, ["B04"])[0, (GAP[0].start - 15) * 2, (GAP[1].start - 15) * 2] == 0
    mask = catalog.read_mask(scene)
    assert sorted(set(mask.ravel().tolist())) == [0, 4]
    assert not any(name.startswith("raster:") for name in item["assets"]["scl"]["bands"][0])
    assert path.exists()


@pytest.mark.parametrize("manner", LIARS)
def test_a_lying_flag_is_caught_both_ways(tmp_path, place, manner):
    source, out = publish(tmp_path / "source", ("liar", lying(manner), DAY)), place()
    stated, right = LIARS[manner]
    assert curate("build", out, "--source", source, *JUNE) == 2
    (failure,) = read_failures(out)
    assert (failure.reason, failure.transient) == ("radiometry", False)
    assert (
        f"scene liar states an offset of {stated:g}, but its dark pixels contradict that (they call for {right:g})"
        in failure.message
    )
    assert not items_of(out, S2)
    assert read_recipe(out)["build"]["radiometry"] == "strict"


@pytest.mark.parametrize("manner", LIARS)
def test_pixels_are_believed_where_that_is_asked_for(tmp_path, place, manner):
    source, out = publish(tmp_path / "source", ("liar", lying(manner), DAY)), place()
    assert curate("build", out, "--source", source, *JUNE, "--radiometry", "pixels") == 0
    assert curate("verify", out, "--quiet") == 0
    ((_, item),) = items_of(out, S2)
    told = item["properties"]["seastars:radiometry"]
    assert (told["decision"], told["check"], told["evidence"]) == ("pixels", "consistent", "dark")
    found, made = read_back(out), reflectance()
    for name, (_, gsd) in BANDS.items():
        least = SHADE if LIARS[manner][1] else 1e-4
        np.testing.assert_allclose(found[name], np.maximum(of_square(made[name], gsd), least), atol=1e-6)


def test_a_scene_that_lies_is_kept_where_that_is_asked_for_and_verify_says_so(tmp_path, place, capsys):
    source, out = publish(tmp_path / "source", ("liar", lying("earth-search-shifted"), DAY)), place()
    assert curate("build", out, "--source", source, *JUNE, "--radiometry", "keep") == 0
    ((_, item),) = items_of(out, S2)
    told = {"decision": "metadata", "check": "conflict", "harmonized": "conflict", "evidence": "dark"}
    assert item["properties"]["seastars:radiometry"] == told
    capsys.readouterr()
    assert curate("verify", out) == 3
    assert "offset" in capsys.readouterr().out


@pytest.mark.parametrize("manner", LIARS)
def test_over_a_desert_another_date_catches_a_lying_flag(tmp_path, place, manner):
    scenes = [("liar", lying(manner), DAY), ("earlier", MANNERS["microsoft-old"], "2021-06-12")]
    source, out = publish(tmp_path / "source", *scenes, kind="desert"), place()
    dates = ("--seasons", 2, "--start", "2021-06-01", "--end", "2025-06-01", "--quiet")
    assert curate("build", out, "--source", source, *dates) == 0
    (failure,) = read_failures(out)
    assert "next to earlier, another date, all its visible bands are off by as much" in failure.message
    assert [item["properties"]["seastars:source_id"] for _, item in items_of(out, S2)] == ["earlier"]


def test_another_scene_is_used_and_a_second_run_writes_nothing(tmp_path, place):
    scenes = [("liar", lying("earth-search-shifted"), DAY), ("right", MANNERS["earth-search-c1"], "2023-06-20")]
    source, out = publish(tmp_path / "source", *scenes), place()
    assert curate("build", out, "--source", source, *JUNE) == 0
    ((_, item),) = items_of(out, S2)
    assert item["properties"]["seastars:source_id"] == "right"
    before = tree(out)
    assert curate("build", out, "--source", source, *JUNE) == 0
    assert tree(out) == before


def test_a_recipe_without_the_key_goes_on_as_it_was_begun(tmp_path, place, capsys):
    source, out = publish(tmp_path / "source", ("liar", lying("earth-search-shifted"), DAY)), place()
    assert curate("build", out, "--source", source, *JUNE, "--radiometry", "keep") == 0
    built, older = tree(out), read_recipe(out)
    del older["build"]["radiometry"]
    old = place("old")
    (old / layout.RECIPE).write_text(json.dumps(older, indent=2, ensure_ascii=False) + "\n")
    assert curate("build", old, "--quiet") == 0
    assert "radiometry" not in read_recipe(old)["build"]
    names = {name for name in built if name.startswith(S2)}
    assert {name: tree(old)[name] for name in names} == {name: built[name] for name in names}
    assert curate("build", old, "--radiometry", "strict", "--quiet") == 2
    assert 'radiometry was absent, now "strict"' in capsys.readouterr().err


def test_a_plan_names_the_choice_and_a_recipe_with_another_word_is_refused(tmp_path, place, capsys):
    source, out = publish(tmp_path / "source", ("s", MANNERS["microsoft"], DAY)), place()
    assert curate("plan", out, "--source", source, *JUNE[:-1], "--radiometry", "pixels") == 0
    assert "--radiometry pixels" in capsys.readouterr().err
    section = resolve_request(BuildRequest(), None, today=date(2024, 1, 1), locations=1)
    assert section["radiometry"] == "strict"
    with pytest.raises(CurateError, match=r"radiometry is 'belief'; expected strict, keep, pixels\. Repair it"):
        read_wanted(section | {"radiometry": "belief"}, 0)
    assert read_wanted({name: value for name, value in section.items() if name != "radiometry"}, 0).radiometry == "keep"


def test_a_word_that_is_no_choice_is_told(place, capsys):
    assert curate("build", place(), "--radiometry", "stric") == 2
    words = capsys.readouterr().err
    assert "strict" in words
    assert "Did you mean" in words

"""A sound catalog has no problem; a large one is sampled; a report says what it must."""

import json
from contextlib import contextmanager

import pytest

from catalogs import layout
from catalogs.bands import SENSORS
from catalogs.errors import NotACatalogError
from catalogs.locations import write_locations
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from tests.catalogs.damage import (
    SIGNED,
    asset_path,
    messages,
    remove_asset,
    set_asset,
    set_property,
    state_file,
    truncate_asset,
)


def test_a_sound_catalog_of_every_sensor_has_no_problem(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=make_locations(2, side_m=120), sensors=list(SENSORS))
    report = check_catalog(folder)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.left_out is None
    items = 2 * sum(1 if sensor.is_static else 2 for sensor in SENSORS.values())
    assert report.checked["items"] == items
    assert report.checked["locations"] == 2
    assert report.checked["assets"] == report.checked["assets read"] == len(list(folder.rglob("*.tif")))
    assert report.checked["documents"] == len(list(folder.rglob("*.json")))


def test_a_sound_catalog_whose_items_are_rows_alone_has_no_problem(index_only):
    report = check_catalog(str(index_only / layout.CATALOG))
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.checked["assets read"] == 16


def test_a_catalog_of_both_hemispheres_and_across_the_antimeridian_has_no_problem(tmp_path):
    places = [
        make_locations(1, lon=lon, lat=lat, slug=f"p{number}")[0]
        for number, (lon, lat) in enumerate([(179.999, -17.8), (-68.1, -16.5), (5.32, 60.39), (15.6, 78.2)])
    ]
    assert check_catalog(make_catalog(tmp_path / "test", locations=places)).problems == ()


def test_of_a_large_catalog_the_files_of_the_same_locations_are_read_every_time(tmp_path, monkeypatch):
    monkeypatch.setattr("catalogs.validate.FILES_READ", 32)
    folder = make_catalog(tmp_path / "test", locations=make_locations(12, side_m=120), json_items=False)
    reports = [check_catalog(folder) for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].is_valid
    assert 0 < reports[0].checked["assets read"] < reports[0].checked["assets"] == 12 * 2 * 4
    assert "only looked for, not read" in reports[0].left_out
    assert "--deep" in reports[0].left_out
    deep = check_catalog(folder, deep=True)
    assert deep.checked["assets read"] == 12 * 2 * 4
    assert deep.left_out is None


@pytest.mark.parametrize("json_items", [True, False])
def test_of_a_sample_the_files_of_so_many_locations_are_read(tmp_path, json_items):
    folder = make_catalog(tmp_path / "test", locations=make_locations(5, side_m=120), json_items=json_items)
    for count, read in ((0, 0), (1, 8), (3, 24), (5, 40), (99, 40)):
        report = check_catalog(folder, sample=count)
        assert report.is_valid, messages(report)
        assert (report.checked.get("assets read", 0), report.checked["assets"]) == (read, 40)
        assert (report.left_out is None) == (read == 40)
    assert check_catalog(folder, sample=2) == check_catalog(folder, sample=2)


def test_a_sample_is_drawn_of_what_is_built_and_holds_the_smaller_one(tmp_path):
    places = make_locations(6, side_m=120)
    folder = make_catalog(tmp_path / "test", locations=places[:4])
    write_locations(folder / layout.LOCATIONS, places)
    for path in folder.rglob("*_10m.tif"):
        path.write_bytes(bytes(path.stat().st_size))  # only who reads it sees that
    found = [{problem.where.split("/")[2] for problem in check_catalog(folder, sample=n).problems} for n in range(5)]
    assert [len(places) for places in found] == [0, 1, 2, 3, 4]
    assert found[1] < found[2] < found[3]


def test_a_sample_of_everything_makes_no_sense(index_only):
    with pytest.raises(ValueError, match="Asked for both a sample and all files"):
        check_catalog(index_only, deep=True, sample=3)
    with pytest.raises(ValueError, match="Asked for a sample of -1 locations"):
        check_catalog(index_only, sample=-1)


def test_of_a_large_catalog_size_secrets_and_equal_files_are_found_though_nothing_is_read(index_only, monkeypatch):
    monkeypatch.setattr("catalogs.validate.FILES_READ", 0)
    assert check_catalog(index_only).is_valid
    first, second = (asset_path(index_only, "20m", number) for number in (0, 1))
    second.write_bytes(first.read_bytes())
    state_file(index_only, "20m", 1)
    asset_path(index_only, "10m", 2).unlink()
    truncate_asset(index_only)
    set_property("seastars:source_id", SIGNED)(index_only)
    set_asset("href", "../../../a.tif", "60m")(index_only)
    report = check_catalog(index_only)
    expected = {"duplicate-pixels": 1, "missing-asset": 1, "truncated-asset": 1, "secret": 1, "unsafe-href": 1}
    assert report.counts == expected, messages(report)
    assert "assets read" not in report.checked


def test_many_problems_of_one_kind_are_counted_and_some_are_told(catalog, monkeypatch):
    monkeypatch.setattr("catalogs.checks.report.KEPT", 3)
    for path in catalog.rglob("*.tif"):
        path.unlink()
    report = check_catalog(catalog)
    assert report.counts == {"missing-asset": 16}
    assert len(report.problems) == 3


def test_progress_counts_every_item(catalog):
    told = []

    class Bar:
        def advance(self, ok=1, *, failed=0):
            told.append((ok, failed))

    @contextmanager
    def watch(total, description):
        told.append((total, description))
        yield Bar()

    remove_asset(catalog)
    check_catalog(catalog, watch=watch)
    assert told == [(4, "Checking"), (0, 2), (2, 0)]


def test_a_folder_that_is_no_catalog_is_refused(tmp_path):
    with pytest.raises(
        NotACatalogError,
        match=r"is no catalog: it holds neither catalog\.json nor recipe\.json\. Give the folder or the address",
    ):
        check_catalog(tmp_path)


def test_every_problem_of_the_report_is_in_its_json(catalog):
    remove_asset(catalog)
    report = check_catalog(catalog).to_json()
    assert report["valid"] is False
    assert report["counts"] == {"missing-asset": 1}
    assert report["problems"][0].keys() == {"kind", "where", "message", "remedy"}
    assert json.loads(json.dumps(report)) == report

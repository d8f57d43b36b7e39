"""What a build that was stopped leaves is unfinished, not wrong."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.index import merge_items
from catalogs.journal import Entry, Journal
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from tests.catalogs import damage
from tests.catalogs.damage import SENSOR
from tests.trees import tree

LOCATIONS = make_locations(2, side_m=600)


def start(folder: Path, *, seasons: int = 1) -> CatalogWriter:
    """What `curate sample` makes, and an opened writer."""
    write_section(folder, "sample", {"seed": 0})
    write_locations(folder / layout.LOCATIONS, LOCATIONS)
    write_section(folder, "build", {"sensors": [SENSOR], "seasons": seasons})
    return CatalogWriter(folder, LOCATIONS, {SENSOR: find_sensor(SENSOR).bands}, description="A catalog for tests.")


def write(writer: CatalogWriter, number: int) -> list:
    return [writer.write_scene(*make_scene(find_sensor(SENSOR), LOCATIONS[number], 0, seed=number))]


def build(folder: Path) -> None:
    writer = start(folder)
    for number in range(2):
        writer.finish(LOCATIONS[number], write(writer, number), [])
    writer.close()


def told(report):
    return "\n".join(report.unfinished)


def test_a_catalog_of_locations_alone_is_not_built_yet(tmp_path):
    write_section(tmp_path, "sample", {"seed": 0})
    write_locations(tmp_path / layout.LOCATIONS, LOCATIONS)
    report = check_catalog(tmp_path)
    assert report.is_valid
    assert told(report).startswith("2 of 2 locations are not built yet.\nRun `curate build`")


def test_a_sample_that_was_stopped_is_not_sampled_yet(tmp_path):
    write_section(tmp_path, "sample", {"seed": 0})
    report = check_catalog(tmp_path)
    assert report.is_valid
    assert report.unfinished[0] == "No locations are sampled yet: run `curate sample` again."


def test_a_build_that_has_not_come_to_a_location_is_unfinished(tmp_path):
    writer = start(tmp_path)
    writer.finish(LOCATIONS[0], write(writer, 0), [])
    writer.close()
    report = check_catalog(tmp_path)
    assert report.is_valid
    assert "1 of 2 locations are not built yet." in report.unfinished


def test_an_item_that_is_complete_but_neither_journalled_nor_linked_is_unfinished(tmp_path):
    writer = start(tmp_path)
    item = write(writer, 0)[0]
    report = check_catalog(tmp_path)
    assert report.is_valid
    assert f"1 x item not linked yet, first: {SENSOR}/31TCJ/test-000000/{item['id']}.json" in report.unfinished
    assert any(line.startswith("4 x file that no item names, first: ") for line in report.unfinished)


def test_a_journal_makes_what_it_holds_unfinished(tmp_path):
    writer = start(tmp_path)
    writer.finish(LOCATIONS[0], write(writer, 0), [])
    report = check_catalog(tmp_path)
    assert report.is_valid
    assert report.unfinished[0] == "The last run was stopped: what it finished is not all linked yet."


def test_a_build_at_work_is_not_called_stopped_and_nobody_is_sent_to_run_it_again(tmp_path):
    writer = start(tmp_path)
    writer.finish(LOCATIONS[0], write(writer, 0), [])
    with (tmp_path / layout.LOCATIONS).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        report = check_catalog(tmp_path)
    assert report.is_valid
    assert report.unfinished[0].startswith("A build is writing it now: what it has finished is not all linked yet. Check it")
    assert not any("stopped" in line or line.startswith("Run ") for line in report.unfinished)
    assert check_catalog(tmp_path).unfinished[0].startswith("The last run was stopped")


def test_a_checkpoint_that_was_stopped_after_the_index_is_unfinished_while_its_journal_is_there(tmp_path):
    writer = start(tmp_path)
    items = write(writer, 0)
    writer.finish(LOCATIONS[0], items, [])
    index = tmp_path / SENSOR / layout.INDEX
    merge_items(index, items, damage.pq.read_schema(index))
    report = check_catalog(tmp_path)
    assert report.is_valid, report.problems
    assert f"1 x item not linked yet, first: {SENSOR}/31TCJ/test-000000/{items[0]['id']}.json" not in report.unfinished
    Journal(tmp_path).clear()
    assert set(check_catalog(tmp_path).counts) == {"collection", "index"}


def test_a_journal_does_not_excuse_a_damaged_file(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS)
    Journal(folder).append(Entry("test-000000", [], []))
    damage.asset_path(folder).unlink()
    assert set(check_catalog(folder).counts) == {"missing-asset"}


@pytest.mark.parametrize(
    "href",
    [
        "x.json.part",
        f"{SENSOR}/31TCJ/test-000000/x.tif.part",
        f"{SENSOR}/31TCJ/test-000777/x.tif.part",
        f"{layout.WORK}/search/x.part",
    ],
)
def test_a_temporary_file_is_unfinished_wherever_it_is(tmp_path, href):
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS)
    (folder / href).parent.mkdir(parents=True, exist_ok=True)
    (folder / href).write_bytes(b"half")
    report = check_catalog(folder)
    assert report.is_valid
    assert f"1 x temporary file, first: {href}" in report.unfinished


class Killed(BaseException):
    """Nothing catches it."""


def kill_after(monkeypatch, count):
    """End the process, as it were, before the `count`-th file takes its name."""
    left, replace = [count], os.replace

    def replace_or_die(*args):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        replace(*args)

    monkeypatch.setattr("os.replace", replace_or_die)


def test_a_catalog_is_valid_whenever_its_build_is_killed_and_ends_the_same(tmp_path, monkeypatch):
    build(tmp_path / "whole" / "test")
    expected = tree(tmp_path / "whole" / "test")
    folder = tmp_path / "killed" / "test"
    for count in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with monkeypatch.context() as patch:
                kill_after(patch, count + 1)
                build(folder)
        except Killed:
            report = check_catalog(folder)
            assert report.is_valid, (count, report.problems)
            assert report.unfinished, count
            if count % 4 == 0:
                build(folder)
                assert tree(folder) == expected
            continue
        break
    assert count > 15
    assert tree(folder) == expected
    report = check_catalog(folder)
    assert report.is_valid
    assert not report.unfinished

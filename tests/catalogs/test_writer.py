"""Writing a catalog: whole files, one order of bytes, and whatever a kill leaves behind."""

import errno
import json
import random
from contextlib import closing
from pathlib import Path

import pystac
import pytest

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.failures import read_failures
from catalogs.index import read_items
from catalogs.journal import Entry, Failure, Journal
from catalogs.records import Location
from catalogs.testing import make_catalog, make_locations, make_scene
from catalogs.writer import CatalogWriter
from tests.trees import tree

SENSOR = find_sensor("sentinel-2-l2a")


def open_writer(folder, locations, **options):
    return CatalogWriter(folder, locations, {SENSOR.id: SENSOR.bands}, description="For a test.", **options)


def write_location(writer, location, seasons=2, failures=()):
    items = [writer.write_scene(*make_scene(SENSOR, location, season, seed=season)) for season in range(seasons)]
    writer.finish(location, items, list(failures))


def failure(location, season=1, *, transient=False):
    return Failure(location.id, season, SENSOR.id, "not-clear", "The clearest has 23 %.", transient)


def test_the_same_scenes_in_any_order_give_the_same_bytes(tmp_path):
    locations = make_locations(6)
    trees = []
    for number, order in enumerate((locations, locations[::-1], random.Random(1).sample(locations, 6))):
        writer = open_writer(tmp_path / str(number) / "cat", locations)
        for i, location in enumerate(order):
            write_location(writer, location, failures=[failure(location)] if location.id.endswith("3") else [])
            if i % (number + 1) == 0:
                writer.checkpoint()
        writer.close()
        trees.append(tree(tmp_path / str(number) / "cat"))
    assert trees[0] == trees[1] == trees[2]
    assert len(trees[0]) > 6 * 2 * 5


def test_what_was_journalled_before_a_kill_is_taken_in_by_the_next_run(tmp_path):
    locations = make_locations(3)
    writer = open_writer(tmp_path / "cat", locations)
    write_location(writer, locations[0])
    write_location(writer, locations[1], failures=[failure(locations[1])])
    again = open_writer(tmp_path / "cat", locations)
    assert again.done == {locations[0].id, locations[1].id}
    assert [f.location for f in again.failures] == [locations[1].id]
    assert len(read_items(tmp_path / "cat" / SENSOR.id / layout.INDEX)) == 4


def test_a_torn_last_line_of_the_journal_is_forgotten(tmp_path):
    journal = Journal(tmp_path)
    journal.append(Entry("a-000000", [], []))
    journal.append(Entry("a-000001", [], []))
    path = tmp_path / layout.WORK / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert [entry.location for entry in journal.entries()] == ["a-000000"]
    journal.trim()
    journal.append(Entry("a-000002", [], []))
    assert [entry.location for entry in journal.entries()] == ["a-000000", "a-000002"]


def test_leftovers_of_a_killed_run_are_removed_when_their_location_is_finished(tmp_path):
    locations = make_locations(1)
    writer = open_writer(tmp_path / "cat", locations)
    folder = tmp_path / "cat" / SENSOR.id / layout.Layout.of(locations).folder(locations[0])
    folder.mkdir(parents=True)
    (folder / "20230101T000000_10m.tif").write_bytes(b"left")
    (folder / f"20230101T000000_20m.tif{layout.TEMPORARY}").write_bytes(b"half")
    write_location(writer, locations[0])
    assert sorted(path.name[:8] for path in folder.iterdir()) == sorted(["20230115", "20230416"] * 4 + ["test-000"] * 2)


def test_a_location_that_failed_wholly_leaves_no_folder(tmp_path):
    locations = make_locations(1)
    writer = open_writer(tmp_path / "cat", locations)
    writer.finish(locations[0], [], [failure(locations[0])])
    writer.close()
    assert not (tmp_path / "cat" / SENSOR.id / "31TCJ").exists()
    assert read_failures(tmp_path / "cat") == [failure(locations[0])]
    assert open_writer(tmp_path / "cat", locations).done == {locations[0].id}


def test_a_second_try_replaces_the_failures_of_a_location(tmp_path):
    locations = make_locations(2)
    writer = open_writer(tmp_path / "cat", locations)
    for location in locations:
        writer.finish(location, [], [failure(location, 0), failure(location, 1)])
    writer.checkpoint()
    write_location(writer, locations[0], seasons=1, failures=[failure(locations[0], 1)])
    writer.close()
    left = {(f.location, f.season) for f in read_failures(tmp_path / "cat")}
    assert left == {(locations[0].id, 1), (locations[1].id, 0), (locations[1].id, 1)}


def test_items_of_finished_locations_come_back_as_they_were_written(tmp_path):
    locations = make_locations(3)
    writer = open_writer(tmp_path / "cat", locations)
    for location in locations:
        write_location(writer, location)
    writer.checkpoint()
    with closing(writer.items_of([locations[1].id])) as found:
        assert list(found) == [locations[1].id]
        assert [item["properties"]["seastars:season"] for item in found[locations[1].id]] == [0, 1]


def test_locations_with_items_are_told_from_those_with_failures_alone(tmp_path):
    locations = make_locations(3)
    writer = open_writer(tmp_path / "cat", locations)
    for location in locations[:2]:
        write_location(writer, location, seasons=1)
    writer.finish(locations[2], [], [failure(locations[2])])
    writer.checkpoint()
    assert writer.with_items([locations[1].id, locations[2].id]) == {locations[1].id}
    assert writer.with_items([]) == frozenset()


def test_a_crowded_square_is_split_and_pystac_walks_it(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "CROWDED", 3)
    locations = make_locations(5)
    writer = open_writer(tmp_path / "cat", locations)
    for location in locations:
        write_location(writer, location, seasons=1)
    writer.close()
    catalog = pystac.Catalog.from_file(str(tmp_path / "cat" / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 5
    assert all(item.get_root() is catalog and item.get_collection().id == SENSOR.id for item in items)
    assert len(list((tmp_path / "cat" / SENSOR.id / "31TCJ").glob("*/catalog.json"))) > 1


def test_index_only_catalogs_have_no_json_items(tmp_path):
    make_catalog(tmp_path / "cat", json_items=False)
    assert not list((tmp_path / "cat" / SENSOR.id).rglob("test-*.json"))
    assert len(read_items(tmp_path / "cat" / SENSOR.id / layout.INDEX)) == 6
    assert (
        json.loads((tmp_path / "cat" / SENSOR.id / "collection.json").read_text())["assets"]["items"]["href"]
        == "./items.parquet"
    )


def test_a_catalog_opens_before_its_first_item(tmp_path):
    open_writer(tmp_path / "cat", make_locations(2))
    catalog = pystac.Catalog.from_file(str(tmp_path / "cat" / "catalog.json"))
    assert list(catalog.get_items(recursive=True)) == []
    assert [child.id for child in catalog.get_children()] == [SENSOR.id]


def test_a_full_disk_leaves_every_finished_item_whole(tmp_path, monkeypatch):
    locations = make_locations(2)
    writer = open_writer(tmp_path / "cat", locations)
    write_location(writer, locations[0])
    real = Path.write_bytes

    def fill(self, content):
        if "_20m" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left"):
        write_location(writer, locations[1])
    monkeypatch.undo()
    again = open_writer(tmp_path / "cat", locations)
    assert again.done == {locations[0].id}
    write_location(again, locations[1])
    again.close()
    whole = open_writer(tmp_path / "other" / "cat", locations)
    for location in locations:
        write_location(whole, location)
    whole.close()
    assert tree(tmp_path / "cat") == tree(tmp_path / "other" / "cat")


def test_locations_of_two_hemispheres_and_both_sides_of_the_antimeridian_share_a_catalog(tmp_path):
    places = [
        Location("w-000000", 32760, (830040, 8100040, 830640, 8100640)),
        Location("w-000001", 32601, (170040, 5400000, 170640, 5400600)),
    ]
    make_catalog(tmp_path / "cat", locations=places)
    items = read_items(tmp_path / "cat" / SENSOR.id / layout.INDEX)
    assert {item["properties"]["proj:code"] for item in items} == {"EPSG:32760", "EPSG:32601"}
    pystac.Catalog.from_file(str(tmp_path / "cat" / "catalog.json")).make_all_asset_hrefs_absolute()

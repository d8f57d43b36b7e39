"""What a catalog's summary counts, against counting its items one by one."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.errors import ContractError, NotACatalogError
from catalogs.index import read_items
from catalogs.journal import Entry, Failure, Journal
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_images, make_locations, make_scene
from catalogs.writer import CatalogWriter
from curate.cli import main
from curate.cli.summary_lines import size_words, summary_lines
from curate.locking import only_writer
from curate.summary import summarize

S2, LANDSAT = "sentinel-2-l2a", "landsat-c2-l2"
LOCATIONS = make_locations(4, side_m=120)


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """Four locations: whole, without 60 m bands, half failed, not built; its clouds differ; one sensor measured."""
    folder = tmp_path_factory.mktemp("made") / "partial"
    write_section(folder, "sample", {"region": {"name": "france"}, "seed": 7, "no_overlap": False})
    write_section(folder, "build", {"source": "earth-search", "sensors": [S2, LANDSAT], "seasons": 2, "bands": []})
    write_locations(folder / layout.LOCATIONS, LOCATIONS)
    bands = {sensor: find_sensor(sensor).bands for sensor in (S2, LANDSAT)}
    writer = CatalogWriter(folder, LOCATIONS, bands, description="A catalog for tests.", notices=("Places: GeoNames.",))
    for number, location in enumerate(LOCATIONS[:3]):
        items = [
            write(writer, sensor, location, number, season) for season in range(1 if number == 2 else 2) for sensor in bands
        ]
        failure = Failure(location.id, 1, S2, "not-clear", "The clearest of 14 candidates has 23 %. Raise --max-cloud.")
        writer.finish(location, items, [failure] if number == 2 else [])
    writer.close()
    return folder


def write(writer, sensor, location, number, season):
    scene, patches = make_scene(find_sensor(sensor), location, season, seed=10 * number + season)
    kept = [patch for patch in patches if patch.key != "60m" or number != 1]
    source = ("one", "one", None)[number]
    changes = {"cloud_percent": 3.0 * number + season, "simulated": sensor == LANDSAT, "source": "two" if season else source}
    return writer.write_scene(replace(scene, **changes), kept)


def slowly(folder: Path, sensor: str) -> dict:
    """The same counts, item by item and file by file."""
    items = read_items(folder / sensor / layout.INDEX)
    properties = [item["properties"] for item in items]
    clouds = [p["eo:cloud_cover"] for p in properties]
    return {
        "items": len(items),
        "locations": len({p["seastars:location"] for p in properties}),
        "seasons": dict(sorted(Counter(p["seastars:season"] for p in properties).items())),
        "splits": dict(Counter(p["seastars:split"] for p in properties).most_common()),
        "cloud": (min(clouds), median(clouds), max(clouds)),
        "size": sum(path.stat().st_size for path in (folder / sensor).rglob("*.tif")),
        "sizes": {
            key: sum(path.stat().st_size for path in (folder / sensor).rglob(f"*_{key}.tif"))
            for key in sorted({key for item in items for key in item["assets"]})
        },
        "bands": Counter(band["name"] for item in items for asset in item["assets"].values() for band in asset["bands"]),
        "simulated": sum(p["seastars:simulated"] for p in properties),
        "sources": dict(Counter(p["seastars:source"] for p in properties if "seastars:source" in p).most_common()),
        "first": min(p["datetime"] for p in properties),
        "last": max(p["datetime"] for p in properties),
    }


@pytest.mark.parametrize("number", [0, 1])
def test_the_counts_are_those_of_counting_item_by_item(partial, number):
    found, expected = summarize(str(partial)).sensors[number], slowly(partial, (S2, LANDSAT)[number])
    spread = (found.cloud_percent.least, found.cloud_percent.median, found.cloud_percent.most)
    assert spread == expected.pop("cloud")
    bands = expected.pop("bands")
    assert dict(found.bands) == {name: bands[name] for name in found.bands}
    assert set(bands) - set(found.bands) <= {"scl", "qa_pixel"}
    for name in ("first", "last"):
        assert getattr(found, name).isoformat().replace("+00:00", "Z") == expected.pop(name)
    assert {name: getattr(found, name) for name in expected} == expected


def test_bands_that_a_source_lacks_are_named(partial):
    s2, landsat = summarize(str(partial)).sensors
    assert dict(s2.absent) == {"B01": 2, "B09": 2}
    assert landsat.absent == {}
    assert "absent    B01 in 2 of 5 items, B09 in 2 of 5 items (the source lacks them)" in "\n".join(text(partial))


def test_only_bands_that_were_asked_for_are_missed(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS[:1])
    recipe = json.loads((folder / layout.RECIPE).read_text())
    recipe["build"]["bands"] = ["B02", "B03"]
    (folder / layout.RECIPE).write_text(json.dumps(recipe))
    assert summarize(str(folder)).sensors[0].absent == {}


def test_locations_are_complete_incomplete_or_not_built(partial):
    summary = summarize(str(partial))
    assert (summary.complete, summary.incomplete, summary.unbuilt) == (2, 1, 1)
    assert summary.locations == 4
    assert summary.splits == {"train": 2, "val": 1, "test": 1}
    assert summary.sides_m == [120]
    assert not summary.stopped


def test_failures_are_grouped_by_reason_with_an_example(partial):
    failure = summarize(str(partial)).failures[0]
    assert (failure.reason, failure.count, failure.locations) == ("not-clear", 1, 1)
    assert failure.example == "The clearest of 14 candidates has 23 %. Raise --max-cloud."


def test_a_stopped_build_is_told(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS[:1])
    Journal(folder).append(Entry(LOCATIONS[0].id, [], []))
    assert summarize(str(folder)).stopped
    assert "the last run was stopped, build again to finish it" in "\n".join(text(folder))


def test_a_build_at_work_is_not_called_stopped(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS[:1])
    Journal(folder).append(Entry(LOCATIONS[0].id, [], []))
    with only_writer(folder):
        summary, words = summarize(str(folder)), "\n".join(text(folder))
    assert (summary.stopped, summary.is_being_written) == (False, True)
    assert "; a build is writing it now" in words
    assert "stopped" not in words
    assert summarize(str(folder)).stopped


def test_a_catalog_of_locations_alone_has_a_summary(tmp_path):
    write_section(tmp_path, "sample", {"name": "spain", "seed": 1})
    write_locations(tmp_path / layout.LOCATIONS, LOCATIONS)
    summary = summarize(str(tmp_path))
    assert (summary.name, summary.locations, summary.items, summary.unbuilt) == ("spain", 4, 0, 4)
    assert summary.sensors == []
    assert text(tmp_path)[0] == "spain: 4 locations, 0 items, 0 bytes"


def text(folder):
    return list(summary_lines(summarize(str(folder))))


def test_the_text_says_it_all(partial):
    lines = text(partial)
    assert lines[0].startswith("partial: 4 locations, 10 items, ")
    assert lines[1] == "SIMULATED: 5 of 10 items are rendered from a made-up landscape, not measured."
    for line in (
        "locations   4, squares of 120 m; train: 2, val: 1, test: 1",
        "complete    2; incomplete 1; not built yet 1",
        "  items     5 of 3 locations, 2023-01-15 to 2023-04-16",
        "  seasons   0: 3, 1: 2",
        "  splits    train: 4, val: 1",
        "  sources   one: 2, two: 2",
        "  cloud     0.0 % least, 3.0 % median, 6.0 % most",
        "  licence   CC0-1.0",
        "  notice    Contains modified Copernicus Sentinel data 2023. Places: GeoNames.",
        "failures    1 x not-clear, at 1 location",
        "            for example: The clearest of 14 candidates has 23 %. Raise --max-cloud.",
        "sample      region france, seed 7",
        "build       source earth-search, seasons 2",
    ):
        assert line in lines
    assert all(line == line.rstrip() for line in lines)


def test_the_most_frequent_labels_are_told(tmp_path):
    words = [f"cover {number:02d}" for number in range(12)]
    folder = make_catalog(tmp_path / "test", locations=make_locations(13), labels=words, sensors=("naip",), seasons=1)
    (sensor,) = summarize(str(folder)).sensors
    assert list(sensor.labels.items()) == [("cover 00", 2), *((word, 1) for word in words[1:])]
    shown = ", ".join(["cover 00: 2", *(f"{word}: 1" for word in words[1:10])])
    assert f"  labels    {shown}, and 2 more" in text(folder)


def test_what_must_not_be_handed_on_is_told(partial, tmp_path):
    assert all(sensor.is_redistributable for sensor in summarize(str(partial)).sensors)
    folder = make_catalog(tmp_path / "test", locations=LOCATIONS[:1])
    path = folder / S2 / layout.COLLECTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seastars:redistributable": False}))
    assert not summarize(str(folder)).sensors[0].is_redistributable
    assert "  licence   CC0-1.0; a source forbids to hand its pixels on" in text(folder)


def test_items_without_labels_have_no_line_of_them(partial):
    assert [dict(sensor.labels) for sensor in summarize(str(partial)).sensors] == [{}, {}]
    assert not any("labels" in line for line in text(partial))


def test_images_whose_ground_is_not_known_are_counted(tmp_path):
    folder = make_catalog(tmp_path / "test", locations=make_images(4), sensors=("naip",), labels=("lake",))
    summary = summarize(str(folder))
    assert (summary.complete, summary.sides_m, summary.splits) == (4, [640], {"train": 2, "val": 1, "test": 1})
    assert summary.sensors[0].labels == {"lake": 8}


def test_sizes_are_told_in_units():
    assert [size_words(size) for size in (0, 999, 1000, 999_960, 12_345_678_901)] == [
        "0 bytes", "999 bytes", "1.0 kB", "1.0 MB", "12.3 GB"]  # fmt: skip


def test_the_json_has_json_types_alone(partial):
    summary = summarize(str(partial)).to_json()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["items"] == 10
    assert summary["sensors"][0]["first"] == "2023-01-15T10:50:31+00:00"
    assert summary["recipe"]["sample"]["seed"] == 7


def test_a_folder_that_is_no_catalog_is_refused(tmp_path):
    with pytest.raises(NotACatalogError, match="is no catalog"):
        summarize(str(tmp_path))


def test_a_catalog_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "catalog.json").write_text('{"type": "Catalog"}')
    with pytest.raises(ContractError, match=r"`curate info` counts what curate has made\. Give the folder"):
        summarize(str(tmp_path))


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_the_command_writes_its_result_to_standard_output(partial, capsys, flags):
    with pytest.raises(SystemExit) as end:
        main(["info", str(partial), *flags])
    told = capsys.readouterr()
    assert end.value.code == 0
    assert told.err == ""
    assert json.loads(told.out)["items"] == 10 if flags else told.out.startswith("partial: 4 locations")

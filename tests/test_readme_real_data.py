"""What README.md says of real data, without asking a provider: each build has its own sampled folder, and every flag is taken.

Commands of blocks that are not run are read by the command line, and go as far as a build goes before it asks its source.
"""

import re
import shlex
import tomllib
from datetime import date
from importlib import import_module

import pytest

import curate.cli
import evaluate.cli
import train.cli
from catalogs.bands import SENSORS
from curate.build_request import resolve_request
from curate.sources import PROVIDERS, open_source
from curate.sources.about import ACCOUNT, FREE, PAID, Provider
from curate.sources.failover import names_in
from curate.sources.offers import check_offered
from tests.conftest import ROOT
from tests.curate.sources.archive import archive_items
from tests.end_to_end.commands import curate as run_curate
from tests.end_to_end.commands import items_of
from tests.servers import serve_api
from tests.test_readme import BLOCKS, Block

APPS = {"curate": curate.cli.make_app, "train": train.cli.make_app, "evaluate": evaluate.cli.make_app}
TODAY = date(2026, 1, 1)
README = (ROOT / "README.md").read_text()


def commands(block: Block) -> list[list[str]]:
    """The words of a block's commands, a line each; what a here-document holds is left out."""
    code = re.sub(r"<<'END'\n.*?^END$", "", block.code.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    return [words for line in code.splitlines() if (words := shlex.split(line, comments=True))]


def parse(words: list[str]):
    """What one of our commands is called with."""
    _, bound, _ = APPS[words[0]](words[1:]).parse_args(words[1:], print_error=False, exit_on_error=False)
    return bound.arguments


def block_with(text: str) -> Block:
    """The one block of README.md that says something."""
    (found,) = (block for block in BLOCKS if block.page == "README.md" and text in block.code)
    return found


REAL = commands(block_with("data/earth-search"))
"""Those of the block of real data."""


def called(*verbs: str):
    """What those verbs of `curate` are called with in the block of real data, in order."""
    return [parse(words) for words in REAL if words[0] == "curate" and words[1] in verbs]


def source_of(build) -> str:
    """The source of a build."""
    return build["flags"].source or "earth-search"


def abouts(source: str) -> list[Provider]:
    """What is said of the providers behind a source."""
    return [import_module(PROVIDERS[name.partition(":")[0]]).ABOUT for name in names_in(source)]


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "bash"], ids=lambda block: block.place)
def test_every_flag_of_every_command_is_taken(block):
    for words in commands(block):
        if words[0] in APPS:
            parse(words)
        assert not set(words[1:]) & set(APPS), f"{block.place} has a command that is not read"


def test_each_folder_of_real_data_is_sampled_once_and_before_it_is_built():
    sampled = []
    for each in called("sample", "plan", "build"):
        if "out" in each:
            sampled.append(each["out"])
        else:
            assert each["catalog"] == sampled[-1]
    assert sampled == [build["catalog"] for build in called("build")], "each folder is built, and built once"
    assert len(set(sampled)) == len(sampled)


def test_every_provider_has_its_commands_and_the_sources_have_what_is_asked_of_them():
    named = {about.name for build in called("build") for about in abouts(source_of(build))}
    assert named == set(PROVIDERS) - {"simulated"}
    for build in called("plan", "build"):
        section = resolve_request(build["flags"].request(), None, today=TODAY, locations=100)
        check_offered(section["source"], section["sensors"])
        assert build["flags"].end is not None, "dates must not hang on the clock"


def test_squares_are_of_a_size_that_the_geoplateforme_takes():
    builds = [build for build in called("build") if source_of(build).startswith("geoplateforme")]
    sides = {each["out"]: each["patch_m"] for each in called("sample") if "patch_m" in each}
    assert len(builds) == 3
    for build in builds:
        side_m = sides[build["catalog"]]
        open_source("geoplateforme").check_squares(build["flags"].sensor, side_m)


def test_what_a_provider_needs_is_installed_and_exported_before_it_is_asked():
    extras, exported = set(), set()
    for words in REAL:
        line = " ".join(words)
        extras |= set(re.findall(r"pip install \.\[([\w-]+)\]", line))
        exported |= set(re.findall(r"\b([A-Z0-9_]+)=", line))
        if words[:2] == ["curate", "build"]:
            asked = abouts(source_of(parse(words)))
            assert {about.extra for about in asked if about.extra} <= extras | {"clouds"}, line
            needed = {
                name for about in asked if is_needed(about, parse(words)) for name in re.findall(r"\b[A-Z0-9_]+\b", about.setup)
            }
            assert not needed or needed & exported, line
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras <= set(declared)


def is_needed(about: Provider, build) -> bool:
    """Whether a build of a provider's products takes an account."""
    sensors = build["flags"].sensor or ("sentinel-2-l2a",)
    return any(product.access != FREE for product in about.products if product.sensor in sensors)


def test_the_table_of_sensors_says_who_has_them_and_what_it_takes():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in README.splitlines() if line.startswith("| `")]
    told = {}
    for sensors, *cells in (row for row in rows if len(row) == 4):
        for sensor in re.findall(r"`([^`]+)`", sensors):
            told |= {
                (sensor, name): access
                for access, cell in zip((FREE, ACCOUNT, PAID), cells, strict=True)
                for name in re.findall(r"`([^`]+)`", cell)
            }
    products = [(name, each) for name in PROVIDERS if name != "simulated" for about in abouts(name) for each in about.products]
    assert told == {(product.sensor, name): product.access for name, product in products}
    assert {sensor for sensor, _ in told} <= set(SENSORS)


def test_the_mapping_of_an_api_in_the_readme_works(tmp_path, shared_data):
    archive = shared_data / "archive"
    items = [item for item in archive_items(archive, archive.as_uri()) if item["collection"] == "sentinel-2-l2a"]
    block = block_with("stac.example.org")
    (mapping,) = re.findall(r"<<'END'\n(.*?)^END$", block.code, re.MULTILINE | re.DOTALL)
    (build,) = (words for words in commands(block) if words[:2] == ["curate", "build"])
    place = "--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600
    assert run_curate("sample", *place, "--out", tmp_path / "mine", "--quiet") == 0
    with serve_api([item | {"collection": "s2-boa"} for item in items]) as url:
        (tmp_path / "mine.toml").write_text(mapping.replace("https://stac.example.org/v1", url))
        words = [word.replace("data/mine", (tmp_path / "mine").as_posix()) for word in build[1:]]
        assert run_curate(*words, "--quiet") == 0
    found = [item for _, item in items_of(tmp_path / "mine", "sentinel-2-l2a")]
    assert len(found) == 4
    assert {item["properties"]["seastars:cloud_source"] for item in found} == {"scl"}
    bands = {band["name"] for item in found for band in item["assets"]["10m"]["bands"]}
    assert bands == {"B02", "B03", "B04"}
    assert run_curate("verify", tmp_path / "mine", "--quiet") == 0

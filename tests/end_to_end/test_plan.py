"""`curate plan` and `--budget-gb` on scenes behind a web server: what is predicted is near what happens."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from catalogs.failures import read_failures
from curate.plan import WITHIN
from tests.curate.cloudy_scenes import ITEMS, SCENES, footprint, make_cloudy_scenes
from tests.end_to_end.commands import curate, items_of
from tests.range_server import serve_ranges
from tests.trees import tree

S2 = "sentinel-2-l2a"
NEAR = WITHIN
"""Factor within which a forecast of some megabytes holds; of small figures chance decides."""
COUNT = 24


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    make_cloudy_scenes(folder)
    return folder


@pytest.fixture(scope="module")
def server(scenes):
    with serve_ranges(scenes) as running:
        yield running


@pytest.fixture(scope="module")
def asked(server):
    when = ("--seasons", 4, "--start", "2023-01-01", "--end", "2024-01-01")
    return "--source", f"{server.url}/{ITEMS}", "--bands", "B02,B04,B11", *when, "--radiometry", "keep"


@pytest.fixture(scope="module")
def in_doubt(asked):
    """The same, with other dates read where a square's own pixels do not tell its offset."""
    return asked[:-2]


@pytest.fixture
def folder(tmp_path):
    return sample(tmp_path)


@pytest.fixture(scope="module")
def planned(asked, server, tmp_path_factory):
    """A folder, its plan, how many requests that took, and which folders and files it made."""
    out = sample(tmp_path_factory.mktemp("planned"))
    server.reset()
    code, plan, _ = run("plan", out, *asked, "--json")
    assert code == 0
    return out, plan, server.counts().requests, {path.relative_to(out).parts[0] for path in out.rglob("*")}


@pytest.fixture(scope="module")
def built(planned, asked):
    """The same folder, built: what the build said as JSON and in words."""
    code, told, words = run("build", planned[0], *asked, "--json")
    assert code == 0
    return planned[0], told, words


def sample(home):
    region = home / "region.json"
    region.write_text(json.dumps(footprint(100)))
    where = ("--region", region, "--strategy", "uniform", "--count", COUNT, "--patch-m", 600)
    assert curate("sample", *where, "--out", home / "cat", "--quiet") == 0
    return home / "cat"


def run(*words):
    """The exit code, the object or text on standard output, and the words on standard error."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as told:
        code = curate(*words)
    text = out.getvalue()
    return code, json.loads(text) if text.startswith("{") else text, told.getvalue()


def near(one, other):
    return one <= NEAR * other and other <= NEAR * one


def test_a_plan_asks_little_and_writes_the_answers_alone(planned):
    _, _, requests, made = planned
    assert requests < 12  # the collection's documents, and four headers
    assert made == {"locations.parquet", "recipe.json", ".seastars"}


def test_a_forecast_is_near_the_outcome_and_told_beside_it(planned, built):
    plan, (folder, told, words) = planned[1], built
    sensor, fetched = plan["sensors"][S2], told["fetched"]
    assert near(sensor["patches"], told["items_written"])
    assert near(plan["requests"], fetched["requests"])
    assert near(plan["bytes"], fetched["bytes"])
    written = sum(path.stat().st_size for path in (folder / S2).rglob("*") if path.is_file())
    assert near(plan["disk_bytes"], written)
    used = {item["properties"]["seastars:source_id"] for _, item in items_of(folder, S2)}
    assert len(used) <= sensor["scenes"] <= sensor["candidates"] == SCENES
    assert told["expected"]["bytes"] == plan["bytes"]
    for name, outcome in (("items", told["items_written"]), *fetched.items()):
        low, high = plan["likely"][name]
        assert low <= outcome <= high
    assert not plan["is_local"]
    assert f"{plan['requests']:,} were expected" in words


def test_a_plan_of_what_is_left_shrinks_to_nothing_and_one_of_another_recipe_names_another_folder(built):
    folder = built[0]
    missing = len(read_failures(folder))
    assert missing > 0
    code, left, words = run("plan", folder)
    assert (code, words) == (0, "")
    assert "0 locations to do" in left
    assert "Everything is done" in left
    code, again, _ = run("plan", folder, "--retry-failed", "--json")
    assert again["seasons"] == missing < 4 * COUNT
    before = tree(folder)
    code, other, words = run("plan", folder, "--max-cloud", 5)
    assert code == 0
    assert f"{COUNT} locations with {4 * COUNT} seasons to do" in other
    assert f"note  {folder} has items of another recipe (max_cloud was 10.0, now 5.0): this needs another folder" in other
    sample, build = words.splitlines()[-2:]
    assert sample.startswith("Next: curate sample --region")
    assert sample.endswith(f"--out {folder}-2")
    assert build.startswith(f"Next: curate build {folder}-2 --sensor")
    assert "--max-cloud 5" in build
    assert run("plan", folder, "--max-cloud", 5, "--json")[1]["needs_other_folder"] == "max_cloud was 10.0, now 5.0"
    assert tree(folder) == before
    assert run("build", folder, "--max-cloud", 5, "--dry-run")[0] == 2


def test_a_plan_is_a_table_for_people(folder, asked, server):
    code, table, words = run("plan", folder, *asked, "--mbps", 8)
    assert code == 0
    lines = table.splitlines()
    assert (
        lines[0]
        == f"{folder}: {COUNT} locations with {4 * COUNT} seasons to do, from {server.url}/{ITEMS}, 2023-01-01 to 2024-01-01"
    )
    assert lines[2].split() == ["candidates", "scenes", "read", "patches", "requests", "fetched", "on", "disk"]
    assert [line.split()[0] for line in lines[3:6]] == [S2, "masks", "measurements"]
    assert len({len(line) for line in (lines[2], lines[3])}) == 1
    assert "to fetch at 8 Mbit/s" in table
    assert "expected to find no clear scene" in table
    assert f"Next: curate build {folder} --sensor {S2} --bands B02,B04,B11 --source {server.url}" in words
    assert "--start 2023-01-01 --end 2024-01-01" in words


def test_a_plan_counts_the_other_dates_that_are_read_for_offsets_in_doubt_and_says_so(folder, asked, in_doubt):
    _, sure, _ = run("plan", folder, *asked, "--json")
    _, doubted, _ = run("plan", folder, *in_doubt, "--json")
    one, other = sure["sensors"][S2], doubted["sensors"][S2]
    assert one["proofs"] == 0
    assert other["proofs"] == pytest.approx(other["patches"] / 4, abs=1)
    assert other["requests"] > 1.25 * one["requests"]
    words = (
        f"note  of {S2} {other['proofs']} scenes are expected to be held against another date: nobody vouches for their offset"
    )
    assert words in run("plan", folder, *in_doubt)[1]
    assert "another date" not in run("plan", folder, *asked)[1]


def test_where_no_header_can_be_read_usual_sizes_are_taken_and_told(folder, asked, scenes, tmp_path):
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / ITEMS).write_bytes((scenes / ITEMS).read_bytes())
    source = ("--source", tmp_path / "items" / ITEMS)
    code, table, _ = run("plan", folder, *source, *asked[2:], "--quiet")
    assert code == 0
    assert f"the sizes of {S2} are usual ones: no header of its scenes could be read" in table


def test_a_build_beyond_its_budget_is_refused_before_a_pixel_is_fetched(folder, asked):
    code, _, words = run("build", folder, *asked, "--budget-gb", 0.001)
    assert code == 2
    assert "This build is expected to fetch" in words
    assert "--budget-gb allows 0.001 GB. Nothing was fetched." in words
    assert not list(folder.rglob("*.tif"))
    assert "budget" not in (folder / "recipe.json").read_text()
    assert run("verify", folder, "--quiet")[0] == 0


def test_a_spent_budget_ends_a_build_that_the_same_command_continues(folder, asked, built, monkeypatch):
    monkeypatch.setattr("curate.plan.Forecast.bytes", 0)  # the forecast was far too low
    monkeypatch.setattr("curate.unit.OPEN_BYTES", 100_000)
    code, told, words = run("build", folder, *asked, "--budget-gb", 0.002, "--json", "--quiet")
    assert code == 4
    assert "The budget of 0.002 GB is spent. What is done is kept and valid: raise --budget-gb and run the same" in words
    assert "Next: curate verify" not in words
    assert told["stopped"] is True
    assert told["fetched"]["bytes"] >= 2e6
    assert 0 < told["items_written"] < 100
    assert run("verify", folder, "--quiet")[0] == 0
    assert run("build", folder, *asked, "--budget-gb", 1, "--quiet")[0] == 0
    assert tree(folder) == tree(built[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--mbps", 0), "--mbps is 0; expected megabits per second, above 0"),
        (("build", "--budget-gb", -1), "--budget-gb is -1; expected gigabytes that may be fetched, above 0"),
        (("build", "--workers", -3), "--workers is -3; expected 1 or more"),
        (("plan", "--workers", -3), "--workers is -3; expected 1 or more"),
        (("plan", "--part", "3"), "--part"),
        (("plan", "--seasons", "x"), "--seasons is 'x'"),
        (("plan", "--sensor", "spot"), "Unknown sensor 'spot'"),
        (("plan", "--source", "simulatd"), "Did you mean 'simulated'?"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_words(folder, words, said):
    command, *flags = words
    source = () if "--source" in flags else ("--source", "simulated")
    code, _, told = run(command, folder, *source, *flags)
    assert code == 2
    assert said in told
    assert "build" not in json.loads((folder / "recipe.json").read_text())


def test_simulated_scenes_cost_disk_alone(folder):
    code, table, _ = run("plan", folder, "--source", "simulated", "--seasons", 1, "--start", "2023-06-01", "--quiet")
    assert code == 0
    assert "nothing is fetched: the scenes are rendered here" in table
    assert not (folder / ".seastars").exists()


@pytest.mark.slow
def test_in_the_simulated_world_items_and_scenes_are_foreseen_to_a_tenth(tmp_path):
    """Narrow windows, so that about a quarter of the seasons find nothing clear."""
    where = ("--region", "france", "--count", 25, "--seed", 3, "--patch-m", 1200)
    assert curate("sample", *where, "--out", tmp_path / "cat", "--quiet") == 0
    flags = ("--source", "simulated", "--bands", "B01", "--seasons", 6, "--window-days", 12)
    when = ("--start", "2023-01-01", "--end", "2024-01-01")
    plan = run("plan", tmp_path / "cat", *flags, *when, "--json")[1]
    told = run("build", tmp_path / "cat", *flags, *when, "--json")[1]
    assert plan["seasons"] == 150 > told["items_written"] > 100
    assert plan["sensors"][S2]["patches"] == pytest.approx(told["items_written"], rel=0.1)
    used = {item["properties"]["seastars:source_id"] for _, item in items_of(tmp_path / "cat", S2)}
    assert len(used) < plan["sensors"][S2]["scenes"] < plan["sensors"][S2]["candidates"]
    assert told["expected"] is None  # nothing is fetched, so nothing is told of it
    assert told["fetched"] is None

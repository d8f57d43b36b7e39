"""`curate build --source earth-engine` and Google's own library against a local double: pixels, requests, failures, secrets."""

import json
import logging
import shutil

import numpy as np
import pytest

from catalogs import layout
from catalogs.failures import read_failures
from catalogs.locations import write_locations
from catalogs.pixels import read_raster
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations
from curate.sources.earth_engine import calls as earth_engine_calls
from tests.curate.sources.engine_images import LANDSAT, S1, S2, archive_images, landsat, sentinel_1, sentinel_2
from tests.curate.sources.engine_places import IMPATIENCE, PROJECT
from tests.curate.sources.test_earth_engine_account import service_key
from tests.earth_engine_double import Failure, serve_earth_engine
from tests.end_to_end.commands import curate, items_of
from tests.planted import assert_nowhere
from tests.trees import tree

S2_L2A = "sentinel-2-l2a"
TOKEN = "made-up-access-token-of-the-double"
SPAN = ("--start", "2023-01-01", "--end", "2023-05-01")
CENTRES = [(3.03, 51.43), (3.05, 51.43), (3.06, 51.42)]


@pytest.fixture(scope="module")
def served(shared_data):
    images = [sentinel_2(number, cloudy=(0.9, 0.0, 0.3, 0.02)[number % 4]) for number in range(9)]
    images += [landsat(number) for number in range(3)] + [sentinel_1(number) for number in range(4)]
    other = landsat(4)
    other.id = other.id.replace("LC08", "LC09")
    with serve_earth_engine([*images, other], shared_data / "earthengine") as double:
        yield double


@pytest.fixture
def double(served, monkeypatch):
    use(served, monkeypatch)
    yield served
    served.failures.clear()
    served.token = None


def use(double, monkeypatch):
    """Have Earth Engine's users talk to a double, and not wait."""
    monkeypatch.setattr(earth_engine_calls, "PATIENCE", IMPATIENCE)
    monkeypatch.setenv("EARTHENGINE_URL", double.url)
    monkeypatch.setenv("EARTHENGINE_PROJECT", PROJECT)
    for name in ("EARTHENGINE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    double.forget()


@pytest.fixture
def sampled(tmp_path):
    return sample(tmp_path / "data")


def sample(out, centres=CENTRES):
    out.mkdir(parents=True)
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(
        out / layout.LOCATIONS,
        [location for lon, lat in centres for location in make_locations(1, lon=lon, lat=lat, slug=f"at-{lon:.2f}")],
    )
    return out


def build(out, *flags):
    return curate("build", out, "--source", "earth-engine", "--seasons", 2, *SPAN, *flags)


def test_a_build_asks_twice_a_location_and_keeps_the_pixels_of_the_images(double, sampled, capsys):
    assert build(sampled) == 0
    assert (double.count("list"), double.count("pixels")) == (1, 2 * len(CENTRES))
    assert curate("verify", sampled, "--quiet") == 0
    items = items_of(sampled, S2_L2A)
    assert len(items) == 2 * len(CENTRES)
    by_id = {image.id: image for image in double.images}
    for path, item in items:
        image = by_id[f"{S2}/{item['properties']['seastars:source_id']}"]
        for asset in item["assets"].values():
            pixels = read_raster(str(path.parent / asset["href"]))
            for band, plane in zip(asset["seastars:sources"], pixels, strict=True):
                name, (column, row, width, height) = band["href"].partition("?")[0].rpartition("/")[2], band["window"]
                held = image.bands[name]
                np.testing.assert_array_equal(plane, held.pixels[row : row + height, column : column + width])
    properties = items[0][1]["properties"]
    assert properties["seastars:source"] == "earth-engine"
    assert properties["seastars:radiometry"]["decision"] == "collection"
    told = json.loads((sampled / S2_L2A / "collection.json").read_text())["providers"]
    assert "Google Earth Engine" in [provider["name"] for provider in told]
    assert f"in {2 * len(CENTRES)} requests" in capsys.readouterr().err


@pytest.mark.slow
def test_pixels_are_those_that_files_of_the_same_scenes_give(shared_data, tmp_path, monkeypatch):
    archive = shared_data / "archive"
    span = ("--seasons", 4, "--start", "2018-01-01", "--end", "2018-11-01", "--quiet")
    for name in ("files", "engine"):
        words = ("--strategy", "file", "--from", archive / "flanders_centre.geojson", "--patch-m", 600)
        assert curate("sample", *words, "--out", tmp_path / name, "--quiet") == 0
    with serve_earth_engine(archive_images(archive, least="2018"), shared_data / "earthengine") as double:
        use(double, monkeypatch)
        assert curate("build", tmp_path / "engine", "--source", "earth-engine", *span) == 0
        assert (double.count("list"), double.count("pixels")) == (1, 2)
    assert curate("build", tmp_path / "files", "--source", archive, *span) == 0
    files, engine = ({name: hashed for name, hashed in tree(tmp_path / each).items() if name.endswith(".tif")}
                     for each in ("files", "engine"))  # fmt: skip
    assert engine == files
    assert len(files) == 12


def test_a_second_build_writes_the_same_bytes_and_a_repeated_one_asks_nothing(double, sampled, tmp_path):
    again = tmp_path / "again" / sampled.name
    shutil.copytree(sampled, again)
    assert build(sampled, "--quiet") == build(again, "--quiet", "--workers", 1) == 0
    assert {name: each for name, each in tree(sampled).items() if "search" not in name} == {
        name: each for name, each in tree(again).items() if "search" not in name
    }
    double.forget()
    assert build(sampled, "--quiet") == 0
    assert double.requests == []


def test_a_build_that_was_interrupted_continues_from_saved_searches(double, sampled):
    double.failures.append(Failure("pixels", 401, "Request had invalid authentication credentials.", times=99))
    assert build(sampled, "--quiet") == 4
    double.failures.clear()
    double.forget()
    assert build(sampled, "--quiet") == 0
    assert (double.count("list"), double.count("pixels")) == (0, 2 * len(CENTRES))


def test_landsat_is_read_on_its_own_lattice_and_radar_without_masks(double, sampled):
    both = ("--sensor", "landsat-c2-l2", "--sensor", "sentinel-1-grd", "--seasons", 1, "--start", "2023-01-01", "--end")
    assert curate("build", sampled, "--source", "earth-engine", *both, "2023-02-20", "--quiet") == 0
    assert double.count("list") == 3
    assert double.count("pixels") == 3 * len(CENTRES)
    assert curate("verify", sampled, "--quiet") == 0
    for sensor, start in (("landsat-c2-l2", LANDSAT), ("sentinel-1-grd", S1)):
        items = items_of(sampled, sensor)
        assert len(items) == len(CENTRES)
        hrefs = [
            source["href"] for _, item in items for asset in item["assets"].values() for source in asset["seastars:sources"]
        ]
        assert all(href.startswith(f"earth-engine://{start}/") for href in hrefs)


def test_secos_query_builds_five_dates_of_below_ten_percent(shared_data, tmp_path, monkeypatch):
    name = "COPERNICUS/S2_SR"
    images = [sentinel_2(n, collection=name, cloudy=0.02, left=501_000, side_m=3_600, days=14) for n in range(60)]
    out = sample(tmp_path / "data", CENTRES[:2])
    with serve_earth_engine(images, shared_data / "earthengine") as double:
        use(double, monkeypatch)
        flags = ("--seasons", "seco", "--end", "2025-04-01", "--max-cloud", 5)
        assert curate("build", out, "--source", "earth-engine:seco", *flags, "--quiet") == 0
        assert double.count("pixels") <= 4
    items = items_of(out, S2_L2A)
    assert len(items) == 10
    assert max(item["properties"]["seastars:source_cloud_percent"] for _, item in items) < 10
    assert json.loads((out / "recipe.json").read_text())["build"]["source"] == "earth-engine:seco"
    assert {item["properties"]["seastars:radiometry"]["decision"] for _, item in items} == {"baseline"}


def test_it_fills_the_gaps_of_another_source(double, sampled, tmp_path):
    elsewhere = make_catalog(tmp_path / "elsewhere")
    flags = ("--source", f"{elsewhere},earth-engine", "--seasons", 2, *SPAN, "--quiet")
    assert curate("build", sampled, *flags) == 0
    items = items_of(sampled, S2_L2A)
    assert len(items) == 2 * len(CENTRES)
    assert {item["properties"]["seastars:source"] for _, item in items} == {"earth-engine"}


@pytest.mark.slow
def test_workers_of_a_cluster_open_it_for_the_same_project_and_write_the_same_bytes(double, sampled, tmp_path, monkeypatch):
    there = tmp_path / "cluster" / sampled.name
    shutil.copytree(sampled, there)
    assert build(sampled, "--quiet") == 0
    double.forget()
    monkeypatch.delenv("EARTHENGINE_PROJECT")
    named = ("--source", f"earth-engine:{PROJECT}", "--seasons", 2, *SPAN)
    assert curate("build", there, *named, "--scheduler", "local:2", "--quiet") == 0
    assert double.count("pixels") == 2 * len(CENTRES)
    assert tree(there) == tree(sampled)


def test_a_plan_says_what_is_not_predicted(double, sampled, capsys):
    assert curate("plan", sampled, "--source", "earth-engine", "--seasons", 2, *SPAN, "--quiet") == 0
    assert "EECU-hours a month, is not predicted" in capsys.readouterr().out


def test_the_next_command_of_a_plan_names_the_project_which_no_recipe_has(double, sampled, capsys, monkeypatch):
    monkeypatch.delenv("EARTHENGINE_PROJECT")
    named = ("--source", f"earth-engine:{PROJECT}")
    assert curate("plan", sampled, *named, "--seasons", 2, *SPAN) == 0
    assert (
        f"Next: curate build {sampled} --sensor {S2_L2A} --source earth-engine:{PROJECT} --seasons 2 "
        in capsys.readouterr().err
    )
    assert curate("build", sampled, *named, "--seasons", 2, *SPAN, "--max-cloud", 0, "--quiet") == 0
    assert curate("plan", sampled, *named, "--retry-failed") == 0
    assert capsys.readouterr().err.endswith(f"Next: curate build {sampled} --source earth-engine:{PROJECT} --retry-failed\n")


def test_a_plan_predicts_the_requests_and_nearly_the_bytes(double, sampled, capsys):
    flags = ("--source", "earth-engine", "--seasons", 2, *SPAN)
    assert curate("plan", sampled, *flags, "--json", "--quiet") == 0
    planned = json.loads(capsys.readouterr().out)
    assert (double.count("list"), double.count("pixels")) == (1, 0)
    assert build(sampled, "--json", "--quiet") == 0
    fetched = json.loads(capsys.readouterr().out)["fetched"]
    assert planned["requests"] == fetched["requests"] == 2 * len(CENTRES)
    assert planned["bytes"] == pytest.approx(fetched["bytes"], rel=0.4)
    assert planned["sensors"][S2_L2A]["mask_requests"] == len(CENTRES)


def test_a_budget_of_requests_is_held_against_the_plan_and_ends_a_run(double, sampled, capsys, monkeypatch):
    assert build(sampled, "--budget-requests", 5, "--quiet") == 2
    assert "--budget-requests allows 5. Nothing was fetched. Raise the budget" in capsys.readouterr().err
    assert double.count("pixels") == 0
    monkeypatch.setattr("curate.pipeline.MOST_BY_LOCATION", 1)
    monkeypatch.setattr("curate.pipeline.UNITS_AT_ONCE", 1)
    monkeypatch.setattr("curate.budget.Budget.exceeded", lambda self, amounts: None)
    assert build(sampled, "--budget-requests", 3, "--quiet") == 4
    told = capsys.readouterr().err
    assert "The budget of 3 requests is spent. What is done is kept and valid: raise --budget-requests and run" in told
    assert double.count("pixels") < 2 * len(CENTRES)
    assert build(sampled, "--quiet") == 0
    assert len(items_of(sampled, S2_L2A)) == 2 * len(CENTRES)
    assert build(sampled, "--budget-requests", 0) == 2
    assert "--budget-requests is 0; expected requests that may be made, such as 10000." in capsys.readouterr().err


def test_an_image_that_is_withdrawn_after_the_search_costs_one_season(double, sampled):
    assert curate("plan", sampled, "--source", "earth-engine", "--seasons", 2, *SPAN, "--quiet") == 0
    clear = next(image for image in double.images if image.id.startswith(f"{S2}/20230116"))
    double.images.remove(clear)
    try:
        assert build(sampled, "--quiet") == 4
    finally:
        double.images.insert(0, clear)
    failures = list(read_failures(sampled))
    assert {failure.season for failure in failures} == {0}
    assert all(f"Earth Engine does not have {clear.id}" in failure.message for failure in failures)
    double.images.remove(clear)
    try:
        shutil.rmtree(sampled / layout.WORK / "search")
        assert build(sampled, "--quiet") == 0
    finally:
        double.images.insert(0, clear)
    assert len(items_of(sampled, S2_L2A)) == 2 * len(CENTRES)


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (
            Failure("pixels", 401, "Invalid"),
            4,
            "run `earthengine authenticate --force`, or give EARTHENGINE_SERVICE_ACCOUNT_KEY",
        ),
        (Failure("list", 403, "Not signed up"), 2, "Register it at https://code.earthengine.google.com/register, enable its"),
        (Failure("list", 404, "Asset gone"), 4, f"Earth Engine does not have {S2} (Google: Asset gone). Check the name"),
        (Failure("pixels", 429, "Quota exceeded"), 4, "run the same command again later, next month if the month's are spent"),
        (Failure("list", 502, f"at https://host/?access_token={TOKEN}"), 4, "does not answer: HTTP 502. Check the network"),
        (
            Failure("token", 400, "invalid_grant"),
            4,
            "Its credentials have ended or were withdrawn: run `earthengine authenticate",
        ),
    ],
)
def test_what_a_user_reads_and_that_no_secret_is_in_it(double, tmp_path, capfd, caplog, monkeypatch, failure, code, words):
    caplog.set_level(logging.INFO)
    out, secrets = sample(tmp_path / "data", CENTRES[:1]), with_secrets(double, tmp_path, monkeypatch)
    double.failures.append(Failure(failure.kind, failure.status, failure.message, times=99))
    assert build(out) == code
    told = capfd.readouterr()
    assert words in " ".join(told.err.split())
    assert_nowhere(secrets, out, told.out, told.err, *(record.getMessage() for record in caplog.records))


def test_no_secret_is_in_what_is_built_with_a_service_account(double, tmp_path, capfd, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    out, secrets = sample(tmp_path / "data", CENTRES[:1]), with_secrets(double, tmp_path, monkeypatch)
    assert build(out) == 0
    assert (double.count("token"), double.count("pixels")) == (1, 2)
    told = capfd.readouterr()
    assert_nowhere([*secrets, PROJECT], out, told.out, told.err, *(record.getMessage() for record in caplog.records))


def with_secrets(double, folder, monkeypatch):
    """Have a double want a service account's token, and give what nobody may see of it."""
    double.token = TOKEN
    key = service_key(folder, token_uri=f"{double.url}/token")
    monkeypatch.setenv("EARTHENGINE_SERVICE_ACCOUNT_KEY", str(key))
    return [TOKEN, json.loads(key.read_text())["private_key"].splitlines()[1]]


def test_a_source_that_is_misspelt_or_lacks_a_project_says_so(double, sampled, capsys, monkeypatch):
    assert curate("build", sampled, "--source", "earth-engin") == 2
    assert "Did you mean 'earth-engine'?" in capsys.readouterr().err
    monkeypatch.delenv("EARTHENGINE_PROJECT")
    assert curate("build", sampled, "--source", "earth-engine") == 2
    assert "Name it: --source earth-engine:PROJECT, or export EARTHENGINE_PROJECT=PROJECT." in capsys.readouterr().err
    assert "build" not in json.loads((sampled / "recipe.json").read_text())
    assert curate("build", sampled, "--source", f"earth-engine:{PROJECT}", "--seasons", 2, *SPAN, "--quiet") == 0

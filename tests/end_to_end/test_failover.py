"""`--source ONE,TWO`: a provider with gaps, one that has not the sensor, one that is down; with the archive's real pixels.

The second provider has everything under other ids, with the time at which the strip was begun, as Planetary Computer has it.
"""

import json
from datetime import date, datetime, timedelta
from functools import partial

import pyarrow.parquet as pq
import pytest

from catalogs import find_sensor, open_catalog
from catalogs.console import progress
from curate.build_request import BuildRequest
from curate.pipeline import Build
from curate.sources import documents, earth_search, planetary_computer
from curate.sources.failover import FailoverSource
from curate.sources.stac_api import StacApiSource
from tests.curate.sources.archive import archive_items
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.test_archive import sample_flanders
from tests.servers import free_port, serve_api, serve_dask, serve_files
from tests.trees import tree

S2, LANDSAT = "sentinel-2-l2a", "landsat-c2-l2"
HALF = ("--seasons", 2, "--start", "2017-09-01", "--end", "2018-03-01")


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    """Between two tries at a source that does not answer."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0.0)


@pytest.fixture(scope="module")
def archive(shared_data):
    return shared_data / "archive"


@pytest.fixture(scope="module")
def alone(archive, tmp_path_factory):
    """What the archive itself gives."""
    out = sample_flanders(archive, tmp_path_factory.mktemp("alone") / "cat")
    assert curate("build", out, "--source", archive, *HALF, "--quiet") == 0
    return items_of(out, S2)


@pytest.fixture(scope="module")
def items(archive):
    with serve_files(archive) as files:
        yield archive_items(archive, files)


@pytest.fixture(scope="module")
def gappy(items, alone):
    """A provider that lacks Landsat, and the acquisition that the archive's first item is of."""
    lacking = alone[0][1]["properties"]["seastars:source_id"]
    with serve_api([item for item in items if item["collection"] == S2 and item["id"] != lacking]) as address:
        yield address


@pytest.fixture(scope="module")
def whole(items):
    """A provider that has all, in its own words."""
    with serve_api([_elsewhere(item) for item in items]) as address:
        yield address


@pytest.fixture
def sampled(archive, tmp_path):
    return sample_flanders(archive, tmp_path / "cat")


def _elsewhere(item):
    properties = item["properties"]
    begun = datetime.fromisoformat(properties["datetime"]) - timedelta(minutes=17)
    told = {**properties, "datetime": begun.isoformat(), "platform": properties["platform"].upper()}
    return {**item, "id": f"TWIN_{item['id']}", "properties": told}


def sources_of(folder, sensor=S2):
    return [item["properties"]["seastars:source"] for _, item in items_of(folder, sensor)]


def ids_of(items):
    return [item["properties"]["seastars:source_id"] for _, item in items]


def test_gaps_are_filled_from_the_second_and_each_item_says_whose_it_is(sampled, gappy, whole, alone, archive, capsys):
    assert curate("build", sampled, "--source", f"{gappy},{whole}", *HALF) == 0
    assert "did not answer" not in capsys.readouterr().err
    assert sources_of(sampled) == [whole, gappy]
    first, second = ids_of(items_of(sampled, S2))
    assert [first, second] == [f"TWIN_{ids_of(alone)[0]}", ids_of(alone)[1]]
    for (_, ours), (_, theirs) in zip(items_of(sampled, S2), alone, strict=True):
        hashes = [{key: asset["file:checksum"] for key, asset in item["assets"].items()} for item in (ours, theirs)]
        assert hashes[0] == hashes[1]
    assert curate("verify", sampled, "--deep", "--quiet") == 0
    assert [scene.source for scene in open_catalog(sampled).items()] == [whole, gappy]
    assert json.loads((sampled / "recipe.json").read_text())["build"]["source"] == f"{gappy},{whole}"


@pytest.mark.parametrize("part", ["", "scl"])
def test_what_the_first_lists_and_cannot_give_is_read_from_the_second(sampled, items, whole, alone, part):
    """All files of an acquisition are gone, or its mask alone."""
    lost = ids_of(alone)[0]
    with serve_api([_without_files(item, part) if item["id"] == lost else item for item in items]) as listed:
        assert curate("build", sampled, "--source", f"{listed},{whole}", *HALF, "--quiet") == 0
        assert sources_of(sampled) == [whole, listed]
    assert ids_of(items_of(sampled, S2)) == [f"TWIN_{lost}", ids_of(alone)[1]]
    assert curate("verify", sampled, "--quiet") == 0


def _without_files(item, part):
    assets = {
        name: {**asset, "href": f"{asset['href']}.gone"} if part in name else asset for name, asset in item["assets"].items()
    }
    return {**item, "assets": assets}


def test_the_second_stands_in_for_a_sensor_that_the_first_has_not(sampled, gappy, whole):
    words = ("--source", f"{gappy},{whole}", "--sensor", S2, "--sensor", LANDSAT, *HALF, "--quiet")
    assert curate("build", sampled, *words) == 0
    assert set(sources_of(sampled, LANDSAT)) == {whole}
    assert sources_of(sampled) == [gappy] * 2


def test_a_collection_names_the_providers_that_its_items_are_from(sampled, gappy, whole):
    collections = {S2: S2, LANDSAT: LANDSAT}

    def open_both(text, *, max_scene_cloud):
        assert text == "earth-search,planetary-computer,usgs"
        pairs = zip(text.split(","), (gappy, whole, whole), strict=True)
        return FailoverSource(
            [StacApiSource(url, name=name, collections=collections, max_scene_cloud=max_scene_cloud) for name, url in pairs]
        )

    request = BuildRequest(
        source="earth-search,planetary-computer,usgs", seasons="2", start=date(2017, 9, 1), end=date(2018, 3, 1)
    )
    build = Build.prepare(sampled, request, open_both)
    assert build.run(workers=4, watch=partial(progress, quiet=True)).failures == []
    collection = json.loads((sampled / S2 / "collection.json").read_text())
    hosts = [earth_search.ABOUT.host, planetary_computer.ABOUT.host]
    assert collection["providers"] == [find_sensor(S2).provider, *hosts]
    assert "seastars:redistributable" not in collection
    assert sources_of(sampled) == ["planetary-computer", "earth-search"]


def test_an_earlier_answer_of_both_outlives_them(sampled, items, gappy, archive):
    """Searched while both are up, built when neither answers a search any more."""
    with serve_api([_elsewhere(item) for item in items]) as second:
        words = ("--source", f"{gappy},{second}", *HALF, "--quiet")
        assert curate("plan", sampled, *words) == 0
    assert curate("build", sampled, *words) == 0
    assert sources_of(sampled) == [second, gappy]


def test_one_that_is_down_is_named_before_anything_is_fetched(sampled, whole, capsys):
    down = f"http://127.0.0.1:{free_port()}"
    words = ("--source", f"{down},{whole}", *HALF)
    assert curate("plan", sampled, *words) == 0
    assert f"{down} did not answer 1 search: " in capsys.readouterr().err
    assert curate("build", sampled, *words) == 0
    said = capsys.readouterr().err
    assert said.index(f"{down} did not answer 1 search: ") < said.index("Expected: ") < said.index("Wrote 2 items")
    assert "To have it too, stop (Ctrl-C) and run the same command later: it is then asked again." in said
    assert sources_of(sampled) == [whole] * 2
    assert curate("verify", sampled, "--quiet") == 0


def test_what_failed_for_want_of_an_answer_is_done_once_it_comes(archive, tmp_path, items, whole, capsys):
    """The first has nothing of autumn; the second is down at first. In the end the catalog is that of an undisturbed build."""
    disturbed, undisturbed = (sample_flanders(archive, tmp_path / name / "cat") for name in ("disturbed", "undisturbed"))
    late = [item for item in items if item["collection"] == S2 and item["properties"]["datetime"] > "2017-12-01"]
    port = free_port()
    with serve_api(late) as first:
        words = ("--source", f"{first},http://127.0.0.1:{port}", *HALF)
        assert curate("build", disturbed, *words, "--json") == 4
        out, said = capsys.readouterr()
        assert json.loads(out)["unanswered"] == {f"http://127.0.0.1:{port}": 1}
        assert "run the same command again to try these" in said
        (failure,) = pq.read_table(disturbed / "failures.parquet").to_pylist()
        assert (failure["season"], failure["reason"], failure["transient"]) == (0, "no-scene", True)
        assert sources_of(disturbed) == [first]
        with serve_api([_elsewhere(item) for item in items], port=port) as second:
            assert curate("build", disturbed, *words, "--json") == 0
            assert "unanswered" not in json.loads(capsys.readouterr().out)
            assert sources_of(disturbed) == [second, first]
            assert curate("build", undisturbed, *words, "--quiet") == 0
    assert tree(disturbed) == tree(undisturbed)


@pytest.mark.slow
def test_workers_of_a_cluster_write_the_same_bytes(archive, tmp_path, gappy, whole):
    threads, cluster = (sample_flanders(archive, tmp_path / name / "cat") for name in ("threads", "cluster"))
    words = ("--source", f"{gappy},{whole}", *HALF, "--quiet")
    assert curate("build", threads, *words) == 0
    with serve_dask(1) as dask:
        assert curate("build", cluster, *words, "--scheduler", dask.address) == 0
    assert sources_of(cluster) == [whole, gappy]
    assert tree(cluster) == tree(threads)


def test_where_none_answers_nothing_is_built(sampled, capsys):
    one, other = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    assert curate("build", sampled, "--source", f"{one},{other}", *HALF) == 4
    said = capsys.readouterr().err
    assert "No source answers that may have it. " in said
    assert one in said
    assert other in said
    assert not (sampled / "catalog.json").exists()
    assert "build" not in json.loads((sampled / "recipe.json").read_text())

"""Parts of a build, joined: the bytes of the undivided build, and refusals of what is no part of it."""

import errno
import json
import os
import pkgutil
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from catalogs import fields, layout, open_catalog, partitions, writer
from catalogs.console import progress
from catalogs.errors import ContractError, MissingAssetError
from catalogs.failures import read_failures, write_failures
from catalogs.index import read_items, write_items
from catalogs.journal import Entry, Failure, Journal
from catalogs.locations import read_locations, write_locations
from catalogs.publication import RECORD
from catalogs.recipe import write_section
from catalogs.records import Location
from catalogs.terms import SourceTerms
from catalogs.testing import make_locations
from catalogs.validate import check_catalog
from curate.build_request import BuildRequest
from curate.errors import CurateError, RecipeError
from curate.merge import merge_parts
from curate.merge_checks import check_same_build
from curate.parts import Part
from curate.pipeline import Build
from curate.placing import Placed
from curate.saved_searches import Question, load_answer, save_answer
from curate.sources import open_source
from tests.trees import tree

S2 = "sentinel-2-l2a"
PARTS = 3
SQUARES = [make_locations(2, lon=lon, side_m=120) for lon in (1.3, 2.9, 4.2)]
LOCATIONS = [
    Location(f"test-{number:06d}", place.epsg, place.bounds, ("train", "val")[number % 2])
    for number, place in enumerate(square[row] for row in range(2) for square in SQUARES)
]
"""In three grid squares, their ids by turns: the rows of the parts interleave."""
ASKED = {
    "source": "simulated",
    "seasons": "2",
    "start": date(2023, 3, 1),
    "end": date(2023, 9, 1),
    "max_cloud": 1.0,
    "window_days": 10,
}


def quiet(total, description):
    return progress(total, description, quiet=True)


def sample(folder, locations=LOCATIONS, **values):
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 3, **values})
    write_locations(folder / layout.LOCATIONS, locations)
    return folder


def build(folder, part=None, **changes):
    prepared = Build.prepare(folder, BuildRequest(**{**ASKED, **changes}), open_source, part=part)
    return prepared.run(workers=2, watch=quiet)


def merge(folders, out):
    return merge_parts(list(folders), out, watch=quiet)


def build_parts(home, **changes):
    folders = [sample(home / f"p{number}") for number in range(1, PARTS + 1)]
    for number, folder in enumerate(folders, start=1):
        build(folder, Part(PARTS, number), **changes)
    return folders


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An undivided build, and its parts."""
    home = tmp_path_factory.mktemp("made")
    build(sample(home / "whole" / "cat"))
    return home / "whole" / "cat", build_parts(home)


@pytest.fixture(scope="module")
def made_in_files(tmp_path_factory):
    """The same with items as rows of an index in three files."""
    home = tmp_path_factory.mktemp("made_in_files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "LOCATIONS_PER_FILE", 2)
        build(sample(home / "whole" / "cat"), items="parquet")
        yield home / "whole" / "cat", build_parts(home, items="parquet")


@pytest.fixture(params=["made", "made_in_files"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def parts(made, tmp_path):
    """The parts, to be spoiled."""
    return [shutil.copytree(folder, tmp_path / folder.name) for folder in made[1]]


def test_joined_parts_are_the_undivided_build_byte_for_byte(either, tmp_path):
    whole, folders = either
    before = [tree(folder) for folder in folders]
    summary = merge(folders, tmp_path / "cat")
    assert tree(tmp_path / "cat") == tree(whole)
    assert [tree(folder) for folder in folders] == before
    assert (summary.parts, summary.locations) == (PARTS, len(LOCATIONS))
    assert min(summary.items, summary.failures) > 0
    assert summary.items + summary.failures == 2 * len(LOCATIONS)
    assert set(summary.placed) == {Placed.LINKED}
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid
    assert not report.unfinished


def test_what_an_archive_asks_is_joined_where_that_archive_is_not(tmp_path, monkeypatch):
    """Its path is of the machine that built the parts."""
    host = {"name": "Example host", "roles": ["host"]}
    monkeypatch.setattr(writer, "_is_simulated", lambda index: False)

    def open_archive(text, *, max_scene_cloud):
        source = open_source("simulated", max_scene_cloud=max_scene_cloud)
        source.name = "/elsewhere/archive"
        source.terms = {S2: SourceTerms((host,), "CC-BY-NC-4.0", "Example archive", is_redistributable=False)}
        return source

    folders = [sample(tmp_path / name) for name in ("whole", "p1", "p2")]
    for folder, part in zip(folders, (None, Part(2, 1), Part(2, 2)), strict=True):
        Build.prepare(folder, BuildRequest(**ASKED), open_archive, part=part).run(workers=2, watch=quiet)
    merge(folders[1:], tmp_path / "joined" / "whole")
    assert tree(tmp_path / "joined" / "whole") == tree(tmp_path / "whole")
    collection = json.loads((tmp_path / "joined" / "whole" / S2 / layout.COLLECTION).read_text())
    assert (collection["license"], collection["seastars:redistributable"]) == ("CC-BY-NC-4.0", False)
    assert host in collection["providers"]
    assert collection["description"].endswith(" Example archive.")


def test_an_index_of_several_files_is_joined_as_such(made_in_files, tmp_path):
    merge(made_in_files[1], tmp_path / "cat")
    names = {path.name for path in (tmp_path / "cat" / S2 / layout.INDEX_FOLDER).iterdir()}
    assert names == {"00000.parquet", "00001.parquet", "00002.parquet"}


def test_a_build_of_the_joined_catalog_has_nothing_to_do(made, tmp_path):
    merge(made[1], tmp_path / "cat")
    assert build(tmp_path / "cat").locations_done == 0
    assert tree(tmp_path / "cat") == tree(made[0])


def test_every_part_builds_its_own_locations_alone(made):
    counts = [len({item.location.id for item in open_catalog(folder).items()}) for folder in made[1]]
    assert min(counts) > 0
    assert sum(counts) <= len(LOCATIONS)
    for number, folder in enumerate(made[1], start=1):
        mine = {location.id for location in Part(PARTS, number).of(LOCATIONS)}
        assert {item.location.id for item in open_catalog(folder).items()} <= mine
        assert {failure.location for failure in read_failures(folder)} <= mine


def test_a_part_is_valid_and_says_what_it_is(made):
    for number, folder in enumerate(made[1], start=1):
        report = check_catalog(folder)
        assert report.is_valid, report.problems
        left = len(LOCATIONS) - len(Part(PARTS, number).of(LOCATIONS))
        words = (
            f"{left} of {len(LOCATIONS)} locations are not built here: it is part {number}/3. `curate merge` joins the parts."
        )
        assert report.unfinished == (words,)


def test_a_part_is_continued_without_being_named(parts):
    assert build(parts[0]).locations == len(Part(PARTS, 1).of(LOCATIONS))
    with pytest.raises(RecipeError, match="builds part 1/3, and --part is 2/3"):
        build(parts[0], Part(PARTS, 2))


def test_a_dry_run_remembers_no_part(tmp_path):
    folder = sample(tmp_path / "p")
    Build.prepare(folder, BuildRequest(**ASKED), open_source, part=Part(2, 1), dry_run=True)
    assert not (folder / layout.WORK).exists()


def test_too_many_parts_are_refused_before_anything_is_written(tmp_path):
    folder = sample(tmp_path / "p")
    with pytest.raises(CurateError, match="which stay whole"):
        build(folder, Part(9, 1))
    assert {path.name for path in folder.iterdir()} == {layout.RECIPE, layout.LOCATIONS}


def test_parts_are_copied_where_they_cannot_be_linked(made, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", fail)
    summary = merge(made[1], tmp_path / "cat")
    assert set(summary.placed) == {Placed.COPIED}
    assert tree(tmp_path / "cat") == tree(made[0])


def test_joining_again_changes_nothing(made, tmp_path):
    merge(made[1], tmp_path / "cat")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")}
    summary = merge(made[1], tmp_path / "cat")
    assert set(summary.placed) == {Placed.THERE}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")} == before
    assert tree(tmp_path / "cat") == tree(made[0])


def test_the_sampled_folder_itself_can_take_the_parts(made, tmp_path):
    merge(made[1], sample(tmp_path / "cat"))
    assert tree(tmp_path / "cat") == tree(made[0])


class Killed(BaseException):
    """What nothing handles."""


QUICK = ("at a later file", "between index and links")
STOPS = {
    "at the first file": ("curate.merge.place_file", 0),
    "at a later file": ("curate.merge.place_file", 20),
    "before the first index": ("catalogs.index_writer.write_rows", 0),
    "between two indices": ("catalogs.index_writer.write_rows", 1),
    "between index and links": ("catalogs.writer.CatalogWriter._write_collection", 1),
}


@pytest.mark.parametrize("stop", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in STOPS])
def test_a_stopped_merge_leaves_a_catalog_and_is_continued(either, tmp_path, monkeypatch, stop):
    out, (where, calls) = tmp_path / "cat", STOPS[stop]
    if stop == "between two indices" and not (either[0] / S2 / layout.INDEX_FOLDER).exists():
        return
    module, _, name = where.rpartition(".")
    owner = pkgutil.resolve_name(module.replace(".CatalogWriter", ":CatalogWriter"))
    real, left = getattr(owner, name), iter(range(calls))

    def stopping(*args):
        if next(left, None) is None:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stopping)
        with pytest.raises(Killed):
            merge(either[1], out)
    report = check_catalog(out)
    assert report.is_valid, report.problems
    assert report.unfinished
    merge(either[1], out)
    assert tree(out) == tree(either[0])


def test_parts_that_share_locations_are_joined_where_they_agree(made, tmp_path):
    merge([*made[1], made[0]], tmp_path / "cat")
    assert tree(tmp_path / "cat") == tree(made[0])


def test_different_items_of_one_location_are_refused_with_both_sides(made, parts, tmp_path):
    index = parts[0] / S2 / layout.INDEX
    items = read_items(index)
    items[1]["properties"]["eo:cloud_cover"] = 3.25
    schema = next(iter(open_catalog(parts[0])._store(S2).file._files)).schema_arrow
    write_items(index, items, schema)
    with pytest.raises(RecipeError, match=rf"both have {items[1]['id']}, and differ: properties\.eo:cloud_cover is .* in the"):
        merge([*parts, made[0]], tmp_path / "cat")
    write_items(index, items[1:], schema)
    with pytest.raises(RecipeError, match=rf"both have {items[0]['id']}, and differ: only one of them has it\. Leave one"):
        merge([*parts, made[0]], tmp_path / "cat")
    assert not (tmp_path / "cat").exists()


def test_different_failures_of_one_location_are_refused(parts, made, tmp_path):
    failed = next(folder for folder in parts if read_failures(folder))
    first, *others = read_failures(failed)
    write_failures(failed, [replace(first, message="The clearest has 99 %."), *others])
    with pytest.raises(RecipeError, match=rf"both have {first.location}, and differ: what could not be completed differs\. L"):
        merge([*parts, made[0]], tmp_path / "cat")


def test_a_missing_part_is_named(made, tmp_path):
    with pytest.raises(RecipeError, match=r"^Part 2/3 is missing\. Build what is missing, and name all parts"):
        merge([made[1][0], made[1][2]], tmp_path / "cat")
    with pytest.raises(RecipeError, match=r"^Parts 1/3, 2/3 are missing\. Build"):
        merge(made[1][2:], tmp_path / "cat")
    assert not (tmp_path / "cat").exists()


def test_parts_that_remember_nothing_lack_locations(parts, tmp_path):
    for folder in parts:
        shutil.rmtree(folder / layout.WORK)
    count = len(Part(PARTS, 3).of(LOCATIONS))
    with pytest.raises(RecipeError, match=rf"^No part has {count} locations?, such as test-00000\d\. Build what is missing"):
        merge(parts[:2], tmp_path / "cat")


def test_a_part_that_is_not_done_is_named(parts, tmp_path):
    fresh = sample(tmp_path / "fresh")
    Build.prepare(fresh, BuildRequest(**ASKED, items=json.loads((parts[0] / "recipe.json").read_text())["build"]["items"]),
                  open_source, part=Part(PARTS, 2))  # fmt: skip
    with pytest.raises(RecipeError, match=rf"Nothing is built in {fresh} yet\. Build it first: curate build {fresh}$"):
        merge([parts[0], fresh, parts[2]], tmp_path / "cat")
    shutil.copytree(parts[0] / S2, fresh / S2)
    shutil.copy(parts[0] / layout.CATALOG, fresh)
    with pytest.raises(RecipeError, match=rf"^{fresh}, part 2/3, is not built to its end: curate build {fresh} Build what"):
        merge([parts[0], fresh, parts[2]], tmp_path / "cat")


def test_a_stopped_part_is_refused(parts, tmp_path):
    Journal(parts[1]).append(Entry("test-000000", [], []))
    with pytest.raises(RecipeError, match=r"The build of .*p2 was stopped\. Run it again to its end: curate build .*p2"):
        merge(parts, tmp_path / "cat")


def test_another_recipe_is_refused_with_both_sides(parts, tmp_path):
    path = parts[1] / layout.RECIPE
    recipe = json.loads(path.read_text())
    recipe["build"]["end"] = "2023-10-01"
    path.write_text(json.dumps(recipe))
    words = r'p1 and .*p2 were made from different recipes: build\.end is "2023-09-01" and "2023-10-01"\. Parts of one'
    with pytest.raises(RecipeError, match=words):
        merge(parts, tmp_path / "cat")


def moved(location, metres=60):
    left, bottom, right, top = location.bounds
    return Location(location.id, location.epsg, (left + metres, bottom, right + metres, top), location.split)


def test_one_id_with_two_bounds_is_refused_with_both(parts, tmp_path):
    locations = read_locations(parts[1] / layout.LOCATIONS)
    write_locations(parts[1] / layout.LOCATIONS, [*locations[:4], moved(locations[4]), *locations[5:]])
    with pytest.raises(RecipeError) as error:
        merge(parts, tmp_path / "cat")
    words, zone = str(error.value), f"of EPSG:{locations[4].epsg} (train)"
    assert words.startswith(f"Location test-000004 is {locations[4].bounds} {zone} in {parts[0]}, ")
    assert f"and {moved(locations[4]).bounds} {zone} in {parts[1]}." in words


def test_samples_of_other_seeds_are_told_with_their_recipes(parts, tmp_path):
    other = parts[1]
    write_locations(other / layout.LOCATIONS, [moved(LOCATIONS[0]), *LOCATIONS[1:]])
    recipe = json.loads((other / layout.RECIPE).read_text())
    recipe["sample"]["seed"] = 4
    (other / layout.RECIPE).write_text(json.dumps(recipe))
    with pytest.raises(RecipeError, match=r"test-000000 is \(.*They were made from different recipes: sample\.seed is 3 and 4"):
        merge([parts[0], other], tmp_path / "cat")


def test_locations_that_one_side_lacks_are_named(parts, tmp_path):
    write_locations(parts[1] / layout.LOCATIONS, LOCATIONS[:-1])
    with pytest.raises(RecipeError, match=r"p2 lacks location test-000005, which .*p1 has"):
        merge(parts, tmp_path / "cat")
    with pytest.raises(RecipeError, match=r"p2 lacks location test-000005, which .*p3 has"):
        merge(parts[::-1], tmp_path / "cat")
    write_locations(parts[1] / layout.LOCATIONS, LOCATIONS[::-1])
    with pytest.raises(RecipeError, match="have their locations in different order"):
        merge(parts, tmp_path / "cat")


def test_what_is_no_part_is_refused(parts, tmp_path):
    with pytest.raises(CurateError, match="No part was named"):
        merge([], tmp_path / "cat")
    with pytest.raises(CurateError, match="p1 is named twice"):
        merge([parts[0], parts[0].parent / "p2" / ".." / "p1"], tmp_path / "cat")
    with pytest.raises(RecipeError, match="is no catalog that curate sampled"):
        merge([tmp_path / "absent"], tmp_path / "cat")
    with pytest.raises(RecipeError, match=r"Nothing is built in .*: curate build .*/new --part K/N, with the flags of the ot"):
        merge([sample(tmp_path / "new")], tmp_path / "cat")
    (parts[0] / layout.WORK).mkdir(exist_ok=True)
    (parts[0] / RECORD).write_text(json.dumps({"to": "s3://bucket/cat", "documents": {}}))
    with pytest.raises(RecipeError, match=r"The files of .*p1 are in s3://bucket/cat, and parts are joined where"):
        merge(parts, tmp_path / "cat")


def test_a_folder_that_holds_something_else_is_refused(parts, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.doc").write_text("")
    with pytest.raises(ContractError, match=r"is not a catalog of seastars: it holds 'thesis\.doc'"):
        merge(parts, tmp_path / "home")
    with pytest.raises(CurateError, match=r"--out .*p1 is the part .*p1 or lies in it"):
        merge(parts, parts[0])
    with pytest.raises(CurateError, match="or lies in it"):
        merge(parts, parts[0] / "cat")
    with pytest.raises(RecipeError, match=r"different recipes: sample\.seed is 3 and 9"):
        merge(parts, sample(tmp_path / "another", seed=9))
    with pytest.raises(RecipeError, match="builds part 3/3 itself"):
        merge(parts[:2], parts[2])


def test_a_folder_in_the_middle_of_a_build_is_refused(parts, made, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "cat")
    Journal(out).append(Entry("test-000000", [], []))
    with pytest.raises(RecipeError, match=r"A build of .*cat was stopped\. Run it again to its end, or join the parts"):
        merge(parts, out)


def test_a_file_that_a_part_lacks_is_named(parts, tmp_path):
    path = next(parts[1].rglob("*.tif"))
    path.unlink()
    with pytest.raises(MissingAssetError, match=rf"{path} is not there, though the part's index names it\. Look what else"):
        merge(parts, tmp_path / "cat")


def test_search_answers_come_along(parts, made, tmp_path):
    for number, folder in enumerate(parts):
        saved = folder / layout.WORK / "search" / S2 / f"{number}.parquet"
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_text(folder.name)
        saved.with_name("left.part").write_text("")
    merge(parts, tmp_path / "cat")
    work = tmp_path / "cat" / layout.WORK
    assert sorted(path.name for path in work.rglob("*") if path.is_file()) == ["0.parquet", "1.parquet", "2.parquet"]
    assert not check_catalog(tmp_path / "cat").unfinished


def test_of_two_answers_the_whole_one_comes_along(parts, tmp_path):
    span = datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC)
    question = Question(
        source="earth-search,cdse", sensor=S2, boxes=[(0.0, 43.0, 1.0, 44.0)], start=span[0], end=span[1], max_scene_cloud=80
    )
    saved = [folder / layout.WORK / "search" / S2 / "0.parquet" for folder in parts]
    for path, missing in zip(saved, (["earth-search"], [], ["cdse"]), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_answer(path, [], question, unanswered=missing)
    for name, order in (("first", parts), ("last", [parts[0], parts[2], parts[1]]), ("first", parts)):
        merge(order, tmp_path / name)
        found = tmp_path / name / saved[0].relative_to(parts[0])
        assert found.read_bytes() == saved[1].read_bytes()
        assert load_answer(found, question) == []
    assert load_answer(saved[0], question) is None


def test_what_is_not_asked_for_yet_does_not_differ(made, tmp_path):
    from curate.built_part import BuiltPart

    part = BuiltPart.open(made[1][0])
    sampled = {name: part.recipe[name] for name in ("contract", "sample")}
    check_same_build(part, BuiltPart(sample(tmp_path / "s"), sampled, None))


def fail_for_now(folder):
    """Make a part one that could not read a scene when it was built; gives the id of its item."""
    index = folder / S2 / layout.INDEX
    first, *others = read_items(index)
    write_items(index, others, next(iter(open_catalog(folder)._store(S2).file._files)).schema_arrow)
    place, season = first["properties"][fields.LOCATION], first["properties"][fields.SEASON]
    failed = Failure(place, season, S2, "unreadable", "It did not answer. Run again.", transient=True)
    write_failures(folder, [*read_failures(folder), failed])
    return first["id"]


def test_a_part_that_was_tried_again_is_joined_again(made, parts, tmp_path):
    missing, out = fail_for_now(parts[1]), tmp_path / "cat"
    merge(parts, out)
    assert missing not in {item["id"] for item in read_items(out / S2 / layout.INDEX)}
    assert [failure.reason for failure in read_failures(out) if failure.transient] == ["unreadable"]
    assert build(parts[1]).items_written == 1
    merge(parts, out)
    assert tree(out) == tree(made[0])
    assert check_catalog(out, deep=True).is_valid


def test_a_season_that_was_tried_again_may_take_the_scene_of_another(parts, tmp_path):
    """As with annual images: there is one item, of the last season that keeps it."""
    part = next(folder for folder in parts if two_of_one_place(read_items(folder / S2 / layout.INDEX)))
    schema = next(iter(open_catalog(part)._store(S2).file._files)).schema_arrow
    fail_for_now(part)
    merge(parts, tmp_path / "cat")
    item, *others = read_items(part / S2 / layout.INDEX)
    season = 1 - item["properties"][fields.SEASON]
    item["properties"][fields.SEASON] = season
    write_items(part / S2 / layout.INDEX, [item, *others], schema)
    failures = read_failures(part)
    write_failures(part, [failure for failure in failures if not failure.transient])
    merge(parts, tmp_path / "cat")
    (joined,) = (each for each in read_items(tmp_path / "cat" / S2 / layout.INDEX) if each["id"] == item["id"])
    assert joined["properties"][fields.SEASON] == season
    assert not any(failure.transient for failure in read_failures(tmp_path / "cat"))
    item["properties"][fields.SEASON] = 1 - season
    write_items(part / S2 / layout.INDEX, [item, *others], schema)
    with pytest.raises(RecipeError, match=rf"has {item['id']}, and .* differs: properties\.seastars:season is {season} in"):
        merge(parts, tmp_path / "cat")


def two_of_one_place(items):
    """Whether the first two items are of one location."""
    return len({item["properties"][fields.LOCATION] for item in items[:2]}) == 1


def test_what_the_joined_catalog_has_and_no_part_is_kept(made, parts, tmp_path):
    """It was tried again there, and not in the part."""
    missing, out = fail_for_now(parts[1]), tmp_path / "cat"
    merge(parts, out)
    assert build(out).items_written == 1
    words = rf"--out {out} has {missing}, and {parts[1]} differs: only one of them has it\. .* give another --out\.$"
    with pytest.raises(RecipeError, match=words):
        merge(parts, out)
    assert tree(out) == tree(made[0])


def test_an_item_of_another_form_than_the_joined_catalog_has_is_refused(made, parts, tmp_path):
    merge(made[1], tmp_path / "cat")
    index = parts[0] / S2 / layout.INDEX
    items = read_items(index)
    items[1]["properties"]["eo:cloud_cover"] = 3.25
    write_items(index, items, next(iter(open_catalog(parts[0])._store(S2).file._files)).schema_arrow)
    with pytest.raises(RecipeError, match=rf"has {items[1]['id']}, and .*p1 differs: properties\.eo:cloud_cover is .* 3\.25"):
        merge(parts, tmp_path / "cat")
    assert tree(tmp_path / "cat") == tree(made[0])


def test_a_folder_whose_files_would_go_elsewhere_is_refused(made, tmp_path):
    out = sample(tmp_path / "cat")
    (out / layout.WORK).mkdir()
    (out / RECORD).write_text(json.dumps({"to": "s3://bucket/cat", "documents": {}}))
    with pytest.raises(RecipeError, match=r"--out .*cat would have its files in s3://bucket/cat.* Join the parts in another"):
        merge(made[1], out)

"""Licences, words and hosts of the sources of a collection, and who may hand it on."""

import json
from dataclasses import replace

import pytest

from catalogs import fields, layout
from catalogs.bands import find_sensor
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.terms import CollectionTerms, SourceTerms, join_sources, join_terms, read_terms
from catalogs.testing import make_locations, make_scene
from catalogs.to_stac import collection_to_stac
from catalogs.validate import check_catalog
from catalogs.writer import CatalogWriter
from tests.catalogs.damage import messages

S2 = find_sensor("sentinel-2-l2a")
HOSTS = tuple({"name": name, "roles": ["host"], "url": f"https://{name}.example"} for name in ("a", "b"))


def test_a_source_of_which_nothing_is_known_has_the_terms_of_its_sensor():
    expected = CollectionTerms(S2.license, (f"{S2.attribution} 2022-2023.",), (), is_redistributable=True)
    assert join_terms(S2, [SourceTerms()], [2022, 2023]) == join_terms(S2, [], [2022, 2023]) == expected


def test_hosts_are_named_once_each_by_name_in_whatever_order_they_come():
    terms = [SourceTerms(HOSTS[1:]), SourceTerms(), SourceTerms(HOSTS[:1]), SourceTerms(HOSTS)]
    found = join_terms(S2, terms, [2023])
    assert found.hosts == HOSTS
    assert found == join_terms(S2, terms[::-1], [2023])
    assert found.notices == (f"{S2.attribution} 2023.",)


def test_what_a_source_says_of_licence_and_attribution_wins_over_the_sensor():
    found = join_terms(S2, [SourceTerms(license="CC-BY-4.0", attribution="Example archive 2024.")], [2023])
    assert (found.license, found.notices) == ("CC-BY-4.0", ("Example archive 2024.",))


def test_of_several_licences_none_is_chosen_and_all_words_are_said():
    found = join_terms(S2, [SourceTerms(license="CC-BY-4.0", attribution="Example"), SourceTerms()], [2023])
    assert (found.license, found.notices) == ("other", (f"{S2.attribution} 2023.", "Example."))


def test_one_source_that_forbids_it_forbids_all():
    found = join_terms(S2, [SourceTerms(), SourceTerms(is_redistributable=False)], [])
    assert not found.is_redistributable


def as_collection(terms, years, places=()):
    joined = join_terms(S2, terms, years)
    told = replace(joined, notices=(*joined.notices, *places))
    return collection_to_stac(S2, S2.bands, bbox=None, interval=None, children=(), index=None, terms=told)


@pytest.mark.parametrize(
    "terms",
    [
        SourceTerms(license=S2.license),
        SourceTerms(HOSTS, "CC-BY-4.0", "Example archive. Second sentence", is_redistributable=False),
        SourceTerms(HOSTS[:1], "other", "Example archive", says_sensor=True),
    ],
)
@pytest.mark.parametrize("years", [[], [2023], [2019, 2023]])
def test_a_collection_tells_what_its_sources_asked(terms, years):
    assert read_terms(as_collection([terms], years, ["Places: somebody."]), ["Places: somebody."]) == terms


def test_a_description_of_other_words_is_no_attribution():
    assert read_terms({"description": "All of it. Licensed somehow.", "license": "CC0-1.0"}) == SourceTerms(license="CC0-1.0")


def test_what_collections_of_parts_tell_is_what_one_of_all_would():
    own, archive = SourceTerms(HOSTS[:1]), SourceTerms(HOSTS[1:], "CC-BY-4.0", "Example", is_redistributable=False)
    parts = [[own], [archive], [own, archive]]
    for divided in (parts, parts[::-1], parts[:2], parts[2:]):
        told = join_sources([read_terms(as_collection(terms, [2020 + len(terms)])) for terms in divided])
        assert join_terms(S2, [told], [2021, 2022]) == join_terms(S2, [own, archive], [2021, 2022])


def make_from(folder, sources, terms, **changes):
    """A catalog with an item of each source."""
    locations = make_locations(len(sources), side_m=120)
    write_section(folder, "sample", {"region": "test"})
    write_section(folder, "build", {"source": ",".join(map(str, sources)), "sensors": [S2.id], "seasons": 1})
    write_locations(folder / layout.LOCATIONS, locations)
    known = terms.get
    writer = CatalogWriter(
        folder, locations, {S2.id: S2.bands}, description="For tests.", terms_of=lambda source, _: known(source, SourceTerms())
    )
    for number, (location, source) in enumerate(zip(locations, sources, strict=True)):
        scene, patches = make_scene(S2, location, 0, seed=number)
        writer.finish(
            location, [writer.write_scene(replace(scene, source=source, **{"simulated": False, **changes}), patches)], []
        )
    writer.close()
    return json.loads((folder / S2.id / layout.COLLECTION).read_text())


def test_a_collection_names_the_hosts_of_those_sources_that_its_items_are_from(tmp_path):
    terms = {"b": SourceTerms(HOSTS[1:]), "a": SourceTerms(HOSTS[:1]), "unused": SourceTerms(({"name": "unused"},))}
    collection = make_from(tmp_path / "cat", ["b", "a", "b", "elsewhere", None], terms)
    assert collection["providers"] == [S2.provider, *HOSTS]
    assert collection["license"] == S2.license
    assert fields.REDISTRIBUTABLE not in collection
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid, messages(report)


def test_a_collection_says_that_it_must_not_be_handed_on(tmp_path):
    collection = make_from(tmp_path / "cat", ["a", "b"], {"b": SourceTerms(is_redistributable=False, license="other")})
    assert (collection[fields.REDISTRIBUTABLE], collection["license"]) == (False, "other")


def test_what_must_not_be_handed_on_stays_so_where_nobody_answers_for_it_any_more(tmp_path):
    folder, locations = tmp_path / "cat", make_locations(2, side_m=120)
    terms = {"a": SourceTerms(is_redistributable=False)}
    make_from(folder, ["a"], terms)
    write_locations(folder / layout.LOCATIONS, locations)
    writer = CatalogWriter(folder, locations, {S2.id: S2.bands}, description="For tests.")
    scene, patches = make_scene(S2, locations[1], 0, seed=1)
    writer.finish(locations[1], [writer.write_scene(replace(scene, source="a", simulated=False), patches)], [])
    writer.close()
    collection = json.loads((folder / S2.id / layout.COLLECTION).read_text())
    assert collection[fields.REDISTRIBUTABLE] is False


def test_what_is_rendered_is_nobodys(tmp_path):
    terms = {"a": SourceTerms(HOSTS[:1], "CC-BY-4.0", "Example", is_redistributable=False)}
    collection = make_from(tmp_path / "cat", ["a"], terms, simulated=True)
    assert (collection["license"], [each["name"] for each in collection["providers"]]) == ("CC0-1.0", ["seastars"])
    assert fields.REDISTRIBUTABLE not in collection
    assert "Example" not in collection["description"]

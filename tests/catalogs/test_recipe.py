"""`recipe.json`: the same command continues, another one is refused with both sides of every difference."""

import json

import pytest

from catalogs.errors import ContractError
from catalogs.recipe import check_ours, read_recipe, write_section

SAMPLE = {"region": "country:FR", "seed": 7, "count": 1000, "splits": (0.9, 0.05, 0.05), "from": None}


def test_a_section_is_kept_with_the_contracts_version(tmp_path):
    write_section(tmp_path / "new", "sample", SAMPLE)
    assert read_recipe(tmp_path / "new") == {"contract": "1.5", "sample": {**SAMPLE, "splits": [0.9, 0.05, 0.05]}}


def test_there_is_no_recipe_before_the_first_section(tmp_path):
    assert read_recipe(tmp_path) == {}
    assert read_recipe(tmp_path / "absent") == {}


def test_other_sections_are_kept(tmp_path):
    write_section(tmp_path, "sample", SAMPLE)
    write_section(tmp_path, "build", {"source": "simulated"})
    assert list(read_recipe(tmp_path)) == ["contract", "sample", "build"]
    assert read_recipe(tmp_path)["sample"]["seed"] == 7


def test_the_same_values_again_write_nothing(tmp_path):
    write_section(tmp_path, "sample", SAMPLE)
    before = (tmp_path / "recipe.json").stat().st_mtime_ns
    write_section(tmp_path, "sample", dict(reversed(SAMPLE.items())))
    assert (tmp_path / "recipe.json").stat().st_mtime_ns == before


def test_other_values_are_refused_with_both_sides_of_each(tmp_path):
    write_section(tmp_path, "sample", SAMPLE)
    text = (tmp_path / "recipe.json").read_text()
    other = {**SAMPLE, "seed": 8, "region": "country:DE", "tile": True}
    with pytest.raises(ContractError) as caught:
        write_section(tmp_path, "sample", other)
    words = str(caught.value)
    assert f"{tmp_path} was made from another recipe (sample)" in words
    assert 'region was "country:FR", now "country:DE"; seed was 7, now 8; tile was absent, now true.' in words
    assert "pass the same values again, or choose another folder (--out)" in words
    assert (tmp_path / "recipe.json").read_text() == text


def test_a_key_that_is_no_longer_asked_for_is_a_difference(tmp_path):
    write_section(tmp_path, "sample", SAMPLE)
    with pytest.raises(ContractError, match="seed was 7, now absent"):
        write_section(tmp_path, "sample", {key: value for key, value in SAMPLE.items() if key != "seed"})


def test_what_may_change_replaces_the_old_value(tmp_path):
    write_section(tmp_path, "sample", SAMPLE)
    write_section(tmp_path, "sample", {**SAMPLE, "count": 2000}, may_change=("count",))
    assert read_recipe(tmp_path)["sample"]["count"] == 2000
    with pytest.raises(ContractError, match="seed was 7, now 9"):
        write_section(tmp_path, "sample", {**SAMPLE, "count": 3000, "seed": 9}, may_change=("count",))


def test_an_absent_or_an_empty_folder_is_ours(tmp_path):
    check_ours(tmp_path / "absent")
    check_ours(tmp_path)


def test_a_recipe_that_was_never_finished_does_not_make_a_folder_foreign(tmp_path):
    (tmp_path / "recipe.json.part").write_text("{")
    write_section(tmp_path, "sample", SAMPLE)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.json"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    (tmp_path / "zebra.png").write_text("")
    for check in (check_ours, lambda folder: write_section(folder, "sample", SAMPLE)):
        with pytest.raises(
            ContractError, match=r"is not a catalog of seastars: it holds 'thesis\.tex' and more.*Choose an empty folder"
        ):
            check(tmp_path)
    assert not (tmp_path / "recipe.json").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "france").write_text("")
    with pytest.raises(ContractError, match="france is a file; expected a folder"):
        check_ours(tmp_path / "france")


@pytest.mark.parametrize("text", ['{"eggs": 3}', "[1]", "no JSON", ""])
def test_a_recipe_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ContractError, match=r"recipe\.json is no recipe of seastars.*Choose another folder"):
        check_ours(tmp_path)


def test_another_major_version_is_refused_with_the_remedy_and_a_minor_one_is_taken(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps({"contract": "2.0", "sample": {}}))
    with pytest.raises(ContractError, match=r"version 2\.0 of the contract.*Upgrade seastars"):
        read_recipe(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({"contract": "1.7", "sample": SAMPLE}))
    assert read_recipe(tmp_path)["contract"] == "1.7"

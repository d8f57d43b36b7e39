"""`curate build --part` and `curate merge` from outside: what they print where, and their exit codes."""

import json
import shutil

import pytest

from catalogs import layout, open_catalog
from catalogs.locations import write_locations
from catalogs.publication import RECORD
from catalogs.recipe import write_section
from catalogs.testing import make_locations
from catalogs.validate import check_catalog
from curate.cli import main
from tests.catalogs.damage import messages
from tests.catalogs.older import make_contract_1_4

BUILD = ("--source", "simulated", "--seasons", "1", "--start", "2023-05-01", "--end", "2023-09-01", "--workers", "1")


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, words)))
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Three locations in two grid squares."""
    out = tmp_path_factory.mktemp("sampled") / "cat"
    write_section(out, "sample", {"region": "test", "seed": 3})
    write_locations(out / layout.LOCATIONS, make_locations(3, lon=2.95, side_m=120))
    return out


def test_parts_are_built_and_joined(sampled, tmp_path, capsys):
    folders = [shutil.copytree(sampled, tmp_path / f"p{number}") for number in (1, 2)]
    for number, folder in enumerate(folders, start=1):
        code, _, err = run(capsys, "build", folder, "--part", f"{number}/2", *BUILD)
        assert code == 0
        assert f"of {folder} (part {number}/2) from simulated" in err
        assert f"It is part {number}/2. Once all are built, join them: curate merge PART... --out FOLDER" in err
    code, out, err = run(capsys, "merge", *folders, "--out", tmp_path / "cat", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["parts"], told["locations"]) == (2, 3)
    assert told["items"] + told["failures"] == 3
    assert told["files"]["linked"] > 0
    assert err.startswith(f"Joining 2 parts in {tmp_path / 'cat'}.\n")
    assert f"files linked, 0 copied.\nNext: curate verify {tmp_path / 'cat'}\n" in err
    assert check_catalog(tmp_path / "cat").is_valid
    assert len(open_catalog(tmp_path / "cat").items()) == told["items"]
    code, _, err = run(capsys, "merge", folders[0], "--out", tmp_path / "other", "--quiet")
    assert code == 2
    assert err.startswith("Part 2/2 is missing. Build what is missing, and name all parts: curate merge PART... --out FOLDER")


def test_a_part_of_contract_1_4_is_joined_with_one_of_today(sampled, tmp_path, capsys):
    """Both of a folder that was sampled then."""
    folders = [shutil.copytree(sampled, tmp_path / f"p{number}") for number in (1, 2)]
    for number, folder in enumerate(folders, start=1):
        assert run(capsys, "build", folder, "--part", f"{number}/2", *BUILD)[0] == 0
    make_contract_1_4(folders[0])
    shutil.copy(folders[0] / layout.RECIPE, folders[1] / layout.RECIPE)
    assert run(capsys, "merge", *folders, "--out", tmp_path / "cat", "--quiet")[0] == 0
    report = check_catalog(tmp_path / "cat", deep=True)
    assert report.is_valid, messages(report)
    sources = [scene.source for scene in open_catalog(tmp_path / "cat").items()]
    assert sorted(set(sources), key=str) == [None, "simulated"]


def test_a_dry_run_counts_the_part(sampled, tmp_path, capsys):
    folder = shutil.copytree(sampled, tmp_path / "p")
    counts = []
    for part in ("1/2", "2/2"):
        code, out, _ = run(capsys, "build", folder, "--part", part, *BUILD, "--dry-run", "--json")
        assert code == 0
        counts.append(json.loads(out)["locations"])
    assert sum(counts) == 3
    assert min(counts) > 0
    assert not (folder / ".seastars").exists()


def test_a_part_needs_dates_that_hold_on_another_day(sampled, tmp_path, capsys):
    folder = shutil.copytree(sampled, tmp_path / "p")
    code, _, err = run(capsys, "build", folder, "--part", "1/2", "--source", "simulated")
    assert code == 2
    assert "--part is given without --start or --end: the period would end four weeks before today" in err
    assert {path.name for path in folder.iterdir()} == {layout.RECIPE, layout.LOCATIONS}
    for dates in (("--end", "2023-09-01"), ("--start", "2023-05-01")):
        assert run(capsys, "build", folder, "--part", "1/2", "--source", "simulated", *dates, "--dry-run")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("merge", "--out", "x"), "No part was named"),
        (("merge", "nowhere", "--out", "x"), "nowhere is no catalog that curate sampled; expected the parts of a build"),
        (("merge", "a"), "--out"),
        (("build", "a", "--part", "4/3"), "--part is '4/3'; expected a number and how many parts there are"),
        (("build", "a", "--prt", "1/3"), "Did you mean"),
    ],
)
def test_what_cannot_be_ends_with_2_in_words(tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(capsys):
    code, out, _ = run(capsys, "merge", "--help")
    assert code == 0
    assert "curate merge data/p1 data/p2 --out data/france" in out


def test_a_part_whose_files_would_go_elsewhere_is_refused_before_anything_is_done(sampled, tmp_path, capsys):
    folder, there = shutil.copytree(sampled, tmp_path / "p"), tmp_path / "there"
    for more in ((), ("--dry-run",)):
        code, _, err = run(capsys, "build", folder, "--part", "1/2", *BUILD, "--to", there, *more)
        assert code == 2
        assert f"Part 1/2 of {folder} would have its files in {there}, and parts are joined where their files are." in err
        assert f"Build the parts without --to, join them (curate merge PART... --out FOLDER), and copy that to {there}" in err
        assert {path.name for path in folder.iterdir()} == {layout.RECIPE, layout.LOCATIONS}
        assert not there.exists()
    assert run(capsys, "build", folder, "--part", "1/2", *BUILD)[0] == 0
    code, _, err = run(capsys, "build", folder, "--to", there)
    assert (code, "Part 1/2 of" in err) == (2, True)


def test_what_an_older_version_built_of_a_part_elsewhere_is_brought_home_and_joined(sampled, tmp_path, capsys):
    first, second = (shutil.copytree(sampled, tmp_path / f"p{number}") for number in (1, 2))
    for number, folder in enumerate((first, second), start=1):
        assert run(capsys, "build", folder, "--part", f"{number}/2", *BUILD)[0] == 0
    there = tmp_path / "there"
    shutil.copytree(first, there, ignore=shutil.ignore_patterns(layout.WORK))
    for path in first.rglob("*.tif"):
        path.unlink()
    (first / RECORD).write_text(json.dumps({"to": str(there), "documents": {}}))
    way = f"Copy what is there into {first}, remove {first / RECORD}, and "
    code, _, err = run(capsys, "build", first)
    assert (code, f"{way}run the same command again" in err) == (2, True)
    code, _, err = run(capsys, "merge", first, second, "--out", tmp_path / "cat")
    assert (code, f"{way}merge again." in err) == (2, True)
    shutil.copytree(there, first, dirs_exist_ok=True)
    (first / RECORD).unlink()
    assert run(capsys, "build", first)[0] == 0
    assert run(capsys, "merge", first, second, "--out", tmp_path / "cat")[0] == 0
    assert check_catalog(tmp_path / "cat", deep=True).is_valid

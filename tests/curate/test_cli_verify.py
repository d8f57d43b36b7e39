"""`curate verify` from outside: what it prints where, and its exit code."""

import json
import shutil

import pytest

from catalogs import layout
from catalogs.checks.report import KEPT, Problem, Report
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.testing import make_catalog, make_locations
from curate.cli import main
from curate.cli.verifying import SHOWN, report_lines
from tests.servers import free_port


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_catalog(tmp_path_factory.mktemp("sound") / "test", locations=make_locations(2, side_m=240))


@pytest.fixture
def damaged(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / "test")
    for path in folder.rglob("*_20m.tif"):
        path.unlink()
    next(folder.rglob("*_10m.tif")).write_bytes(b"short")
    (folder / "left.part").write_bytes(b"")
    return folder


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["verify", *map(str, words)])
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


def test_a_valid_catalog_ends_with_0_and_the_next_command(sound, capsys):
    code, out, err = run(capsys, sound)
    assert code == 0
    assert out.startswith(f"{sound} is valid. Checked 2 locations, 4 items, 16 of 16 files read, ")
    assert "Unfinished" not in out
    assert err.splitlines()[0] == f"Checking {sound}."
    assert err.splitlines()[-1] == f"Next: curate info {sound}"


def test_what_is_valid_and_empty_is_not_called_valid_alone(tmp_path, capsys):
    locations = make_locations(2)
    write_section(tmp_path, "sample", {"name": "spain", "seed": 1})
    write_locations(tmp_path / layout.LOCATIONS, locations)
    code, out, _ = run(capsys, tmp_path)
    assert code == 0
    assert out.startswith(f"{tmp_path} is valid, and holds no item. Checked 2 locations, 0 items, ")


def test_a_catalog_that_is_not_valid_ends_with_3_and_its_problems_by_kind(damaged, capsys):
    code, out, err = run(capsys, damaged)
    assert code == 3
    lines = out.splitlines()
    assert lines[0].startswith(f"{damaged} is not valid: 5 problems. Checked 2 locations")
    assert "4 x missing-asset. Restore the file from a copy, or build the catalog again in another folder." in lines
    assert any(line.startswith("  sentinel-2-l2a/31TCJ/test-000000/20230115T105031_20m.tif  Is not there;") for line in lines)
    assert "1 x truncated-asset. Restore" in out
    assert "Unfinished, which is no error:\n  1 x temporary file, first: left.part\n" in out
    assert "Next:" not in err


def test_json_is_one_object_on_standard_output(damaged, capsys):
    code, out, _ = run(capsys, damaged, "--json", "--quiet")
    report = json.loads(out)
    assert code == 3
    assert report["valid"] is False
    assert report["counts"] == {"missing-asset": 4, "truncated-asset": 1}
    assert len(report["problems"]) == 5
    assert report["unfinished"][0] == "1 x temporary file, first: left.part"


def test_quiet_says_nothing_of_a_valid_catalog_and_all_of_another(sound, damaged, capsys):
    assert run(capsys, sound, "--quiet") == (0, "", "")
    code, out, err = run(capsys, damaged, "--quiet")
    assert (code, err) == (3, "")
    assert "4 x missing-asset" in out


def test_a_sampled_catalog_says_what_was_left_out_and_deep_reads_it_all(sound, capsys, monkeypatch):
    monkeypatch.setattr("catalogs.validate.FILES_READ", 0)
    code, out, _ = run(capsys, sound)
    assert code == 0
    assert "0 of 16 files read" in out
    assert "Of 2 of 2 locations the files were only looked for, not read" in out
    code, out, _ = run(capsys, sound, "--deep")
    assert (code, "16 of 16 files read" in out) == (0, True)


def test_a_sample_of_so_many_locations_is_read(sound, capsys):
    code, out, _ = run(capsys, sound, "--sample", 1)
    assert (code, "8 of 16 files read" in out) == (0, True)
    assert "Of 1 of 2 locations the files were only looked for, not read" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--sample", 3, "--deep"), "both --deep and --sample are given"), (("--sample", -1), "--sample is -1; expected")],
)
def test_a_sample_that_makes_no_sense_ends_with_2_in_words(sound, capsys, words, told):
    code, out, err = run(capsys, sound, *words)
    assert (code, out) == (2, "")
    assert told in err


def test_many_problems_of_a_kind_are_told_in_part():
    problems = tuple(Problem("missing-asset", f"{number}.tif", "Is not there.") for number in range(KEPT))
    lines = list(report_lines(Report("cat", problems, {"missing-asset": 5 * KEPT}, (), {})))
    assert len([line for line in lines if line.endswith("Is not there.")]) == SHOWN
    assert lines[-1] == f"  and {5 * KEPT - SHOWN} more; --json tells up to a thousand of a kind."


def test_a_folder_that_is_no_catalog_ends_with_2_in_words(tmp_path, capsys):
    code, out, err = run(capsys, tmp_path)
    assert (code, out) == (2, "")
    assert "is no catalog: it holds neither catalog.json nor recipe.json" in err


def test_a_server_that_does_not_answer_ends_with_4_in_words(capsys):
    code, out, err = run(capsys, f"http://127.0.0.1:{free_port()}/cat")
    assert (code, out) == (4, "")
    assert "its server does not answer" in err

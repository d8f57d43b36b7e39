"""Where weights come from: the record, and the commit of the code wherever it lies."""

import shutil
import subprocess

import pytest

from tests.train.exporting import make_provenance
from train.config import from_json, to_json
from train.errors import ConfigError
from train.provenance import Provenance, git_commit

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path):
    """A repository with one committed file in `code`."""
    if shutil.which("git") is None:
        pytest.skip("the program git is not installed")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("a = 1\n")
    for words in (["init", "-q"], ["add", "code"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    return tmp_path


def head(folder):
    return subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_provenance_comes_back_from_json():
    provenance = make_provenance(settings={"epochs": 3, "views": [{"name": "query"}]}, created="2026-03-01T12:00:00Z")
    assert from_json(Provenance, to_json(provenance)) == provenance


def test_the_commit_is_that_of_the_working_tree(repository):
    assert git_commit(repository / "code") == head(repository)


def test_changed_files_are_told(repository):
    (repository / "code" / "a.py").write_text("a = 2\n")
    assert git_commit(repository / "code") == f"{head(repository)}-dirty"


def test_a_tag_does_not_hide_the_commit(repository):
    subprocess.run([*GIT, "tag", "v1"], cwd=repository, check=True)
    assert git_commit(repository / "code") == head(repository)


def test_code_installed_within_somebody_elses_repository_has_no_commit(repository):
    (repository / "site-packages").mkdir()
    (repository / "site-packages" / "a.py").write_text("a = 1\n")
    assert git_commit(repository / "site-packages") is None


def test_outside_a_repository_there_is_no_commit(tmp_path):
    assert git_commit(tmp_path) is None
    assert git_commit(tmp_path / "missing") is None


def test_without_git_there_is_no_commit(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_commit(repository / "code") is None


@pytest.mark.parametrize("name", ["", "a", "1st", "with space", "trailing-", "sla/sh"])
def test_names_that_no_item_could_have_are_refused(name):
    with pytest.raises(ConfigError, match=r"cannot be the name of weights\. Expected two or more letters"):
        make_provenance(name=name)


def test_a_box_upside_down_is_refused():
    with pytest.raises(ConfigError, match="expected west, south, east, north in degrees"):
        make_provenance(bbox=(1.0, 50.0, 2.0, 40.0))

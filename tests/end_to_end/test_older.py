"""A catalog that contract 1.0 or 1.4 wrote: every command still takes it."""

import json

import pytest

from catalogs import open_catalog
from catalogs.testing import make_catalog, make_locations
from tests.catalogs.older import make_contract_1_0, make_contract_1_4
from tests.end_to_end.commands import curate


@pytest.fixture(params=[True, False], ids=["files", "rows"])
def old(request, tmp_path):
    folder = make_catalog(tmp_path / "old", locations=make_locations(3), labels=("lake",), json_items=request.param)
    return make_contract_1_0(folder)


def test_it_verifies_is_counted_and_packed(old, capsys):
    assert curate("verify", old, "--deep", "--quiet") == 0
    assert curate("info", old, "--json") == 0
    out = capsys.readouterr().out
    sensor = json.loads(out[out.index("{") :])["sensors"][0]
    assert (sensor["items"], sensor["labels"]) == (6, {})
    assert curate("info", old) == 0
    assert "labels" not in capsys.readouterr().out
    assert curate("pack", old, "--quiet") == 0
    assert curate("verify", old, "--quiet") == 0
    assert open_catalog(old).items().table["labels"].null_count == 6


@pytest.mark.parametrize("json_items", [True, False], ids=["files", "rows"])
def test_so_does_one_of_contract_1_4(tmp_path, json_items, capsys):
    young = make_catalog(tmp_path / "old", locations=make_locations(3), labels=("lake",), json_items=json_items)
    assert curate("info", young) == 0
    assert "sources   testing: 6" in capsys.readouterr().out
    old = make_contract_1_4(young)
    assert curate("verify", old, "--deep", "--quiet") == 0
    assert curate("info", old, "--json") == 0
    (sensor,) = json.loads(capsys.readouterr().out)["sensors"]
    assert (sensor["items"], sensor["labels"], sensor["sources"]) == (6, {"lake": 6}, {})
    assert curate("info", old) == 0
    assert "sources" not in capsys.readouterr().out
    assert curate("pack", old, "--quiet") == 0
    assert curate("verify", old, "--quiet") == 0

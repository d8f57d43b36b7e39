"""The examples in docstrings are true."""

import doctest
import importlib

import pytest

from tests.conftest import ROOT

WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("catalogs", "curate", "train", "evaluate")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_give_what_they_say(name):
    told = doctest.testmod(importlib.import_module(name))
    assert told.attempted
    assert not told.failed


def test_there_are_examples():
    assert len(WITH_EXAMPLES) > 5

"""What `--hook` names: found, called with what follows the equals sign, or refused with words."""

import sys
from types import ModuleType

import pytest
import torch

from train.config import InputSpec
from train.errors import ConfigError
from train.hooks import HookContext, find_hook


@pytest.fixture
def module(monkeypatch):
    made = ModuleType("hooks_of_a_user")
    made.heard = []
    made.listen = lambda context, *argument: made.heard.append((context, *argument))
    made.number = 3
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


@pytest.fixture
def context():
    spec = InputSpec("sentinel-2-l2a", ("B04",), (0.0,), (1.0,), (0.5,), (0.2,), 8)
    figures = {}
    return HookContext(12, 3, torch.nn.Identity(), spec, torch.device("cpu"), figures.__setitem__)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("hooks_of_a_user:listen=data/labelled", ("data/labelled",)),
        ("hooks_of_a_user:listen=s3://bucket/cat?a=b:c", ("s3://bucket/cat?a=b:c",)),
        ("hooks_of_a_user:listen=", ("",)),
        ("hooks_of_a_user:listen", ()),
    ],
)
def test_a_hook_is_called_with_the_context_and_what_follows_the_equals_sign(module, context, text, arguments):
    find_hook(text)(context)
    assert module.heard == [(context, *arguments)]


def test_a_hook_is_not_called_before_its_time(module):
    find_hook("hooks_of_a_user:listen=x")
    assert module.heard == []


@pytest.mark.parametrize(
    "text", ["", "knn", "evaluate.online", ":knn", "evaluate.online:", "=x", ".online:knn", "a..b:knn", "a-b:c"]
)
def test_words_that_name_no_function_are_refused_with_the_form(text):
    with pytest.raises(ConfigError, match=r"names no function. Expected MODULE:FUNCTION or MODULE:FUNCTION=ARGUMENT") as raised:
        find_hook(text)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no_such_module:knn=x", r"--hook 'no_such_module:knn=x': there is no module 'no_such_module'. Install it, or correct"),
        ("train.hoks:find", "there is no module 'train.hoks'"),
        ("hooks_of_a_user:lisen", r"module hooks_of_a_user has no function 'lisen'. Did you mean 'listen'\?"),
        ("hooks_of_a_user:zzzzzz", r"module hooks_of_a_user has no function 'zzzzzz'\.$"),
        ("hooks_of_a_user:number", "module hooks_of_a_user has no function 'number'"),
    ],
)
def test_a_module_or_function_that_is_not_there_is_named(module, text, words):
    with pytest.raises(ConfigError, match=words):
        find_hook(text)


def test_a_module_that_a_hooks_module_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import absent_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="there is no module 'absent_library'"):
        find_hook("needs_more:score")

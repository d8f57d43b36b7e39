"""The kNN during a training."""

import pytest
import timm
import torch

from catalogs.errors import MissingBandError
from evaluate import online
from evaluate.features import extract_features
from train.config import InputSpec
from train.hooks import HookContext, find_hook

BANDS = ("B04", "B03", "B02")
SPEC = InputSpec("sentinel-2-l2a", BANDS, (0.0,) * 3, (0.4,) * 3, (0.5,) * 3, (0.2,) * 3, size_px=32)


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return timm.create_model("resnet10t", in_chans=3, num_classes=0).eval()


def call(backbone, labelled, spec=SPEC):
    """Call it as the trainer does; what it logged."""
    logged = []
    hook = find_hook(f"evaluate.online:knn={labelled}")
    hook(HookContext(7, 1, backbone, spec, torch.device("cpu"), lambda name, value: logged.append((name, value))))
    return logged


def test_it_logs_one_figure_and_the_same_again(backbone, labelled):
    (name, value), *rest = call(backbone, labelled)
    assert (name, rest) == ("knn", [])
    assert 0.5 < value <= 1
    assert call(backbone, labelled) == [("knn", value)]


def test_it_draws_nothing_and_leaves_the_backbone_as_it_was(backbone, labelled):
    generator, weights = torch.get_rng_state(), {name: value.clone() for name, value in backbone.state_dict().items()}
    call(backbone.train(), labelled)
    assert backbone.training
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(weights[name], value) for name, value in backbone.state_dict().items())


def test_a_large_catalog_is_asked_in_part_and_that_is_said_once(backbone, labelled, monkeypatch, capsys):
    online._open_once.cache_clear()
    monkeypatch.setattr(online, "ITEMS", 10)
    asked = []
    monkeypatch.setattr(
        online, "extract_features", lambda *args, **options: asked.append(len(args[3])) or extract_features(*args, **options)
    )
    call(backbone, labelled)
    call(backbone, labelled)
    online._open_once.cache_clear()
    assert asked == [20, 20]
    words = capsys.readouterr().err
    assert words.count("3 classes, 10 training items, 10 items tested (split test); 28 items not used.") == 1


def test_a_catalog_without_the_bands_of_the_training_is_told(backbone, labelled):
    lacking = InputSpec("sentinel-2-l2a", ("B04", "B03", "B10"), SPEC.low, SPEC.high, SPEC.mean, SPEC.std, size_px=32)
    with pytest.raises(MissingBandError, match="B10"):
        call(backbone, labelled, lacking)

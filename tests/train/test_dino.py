"""DINO step by step: its loss against plain loops, what moves and what does not, what hangs on how far training is."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from timm.layers import DropPath

from tests.reference.dino import PlainDino, cosine
from tests.train.stubs import Drawn, Linear, Normalised
from train.backbones import make_backbone
from train.config import Distillation
from train.methods.dino import Dino
from train.methods.uniform import uniform_terms
from train.recipes import RECIPES

CONSTANTS = Distillation(out_dim=9, head_hidden=8, bottleneck=5, ema_momentum=0.5, freeze_last_layer=0)
BATCH = 4
NOTHING = Drawn(torch.arange(BATCH), torch.zeros(BATCH, 1))


def make(backbone=Linear, *, global_crops=2, **changes):
    torch.manual_seed(0)
    return Dino(backbone(), replace(CONSTANTS, **changes), global_crops=global_crops)


def draw(step=0, crops=5):
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(BATCH, 2, 3, 3, generator=generator) for _ in range(crops)]


def scores_of(encoder, crops):
    """Crop by crop, from the layers one by one."""
    head, found = encoder.head, []
    for crop in crops:
        embedding = head.layers(encoder.backbone(crop))
        directions = head.prototypes.parametrizations.weight.original1
        unit = directions / directions.norm(dim=1, keepdim=True)
        found.append((embedding / embedding.norm(dim=1, keepdim=True)) @ unit.T)
    return torch.stack(found).detach()


def move(method, terms, lr=0.5):
    method.zero_grad()
    sum(terms.values()).backward()
    learned = [each for each in method.student.parameters() if each.grad is not None]
    with torch.no_grad():
        torch._foreach_sub_(learned, [lr * each.grad for each in learned])
    method.after_step()


@pytest.mark.parametrize("global_crops", [2, 3])
def test_dino_is_the_plain_loops_step_after_step(global_crops):
    method = make(global_crops=global_crops)
    plain = PlainDino(9, teacher_temperature=0.04, student_temperature=0.1, center_momentum=0.9)
    for step in range(4):
        crops = draw(step)
        given = [scores_of(method.student, crops).tolist(), scores_of(method.teacher, crops[:global_crops]).tolist()]
        (expected,) = plain.step([given])
        terms = method(crops, NOTHING)
        assert list(terms) == ["distillation"]
        assert terms["distillation"].item() == pytest.approx(expected, rel=1e-4)
        move(method, terms)
        torch.testing.assert_close(method.center.mean, torch.tensor(plain.center), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm_last_layer", [True, False])
def test_the_loss_alone_moves_the_backbone_and_the_head(norm_last_layer):
    method = make(norm_last_layer=norm_last_layer)
    method(draw(), NOTHING)["distillation"].backward()
    unmoved = [name for name, each in method.student.named_parameters() if each.grad is None or not each.grad.any()]
    assert unmoved == (["head.prototypes.parametrizations.weight.original0"] if norm_last_layer else [])
    assert all(each.grad is None for each in method.teacher.parameters())


def test_nothing_moves_the_teacher_but_its_following():
    method = make(Normalised)
    before = copy.deepcopy(dict(method.teacher.named_parameters()))
    terms = method(draw(), NOTHING)
    assert all(torch.equal(value, before[name]) for name, value in method.teacher.named_parameters())
    move(method, terms)
    for (name, after), student in zip(method.teacher.named_parameters(), method.student.parameters(), strict=True):
        torch.testing.assert_close(after, 0.5 * before[name] + 0.5 * student)


def test_the_teacher_starts_as_the_student_and_drops_no_paths():
    backbone = make_backbone("test_vit", bands=2, size_px=32, drop_path=0.3)
    method = Dino(backbone, CONSTANTS, global_crops=2)
    assert all(torch.equal(a, b) for a, b in zip(method.student.parameters(), method.teacher.parameters(), strict=True))
    rates = [
        max(each.drop_prob for each in model.modules() if isinstance(each, DropPath))
        for model in (method.student, method.teacher)
    ]
    assert rates == [pytest.approx(0.3), 0.0]


@pytest.mark.parametrize(("packs", "attention"), [(False, False), (True, False), (True, True)])
def test_crops_of_a_vit_are_packed_where_the_constants_say_so(packs, attention):
    backbone = make_backbone("test_vit", bands=3, size_px=32, further_sizes=[16])
    student = Dino(backbone, replace(CONSTANTS, pack_crops=packs, pack_attention=attention), global_crops=2).student
    assert (student.packs, student.packs_attention) == (packs, attention)


def test_attention_in_one_call_moves_the_weights_as_size_by_size():
    backbone = make_backbone("test_vit", bands=2, size_px=32, further_sizes=[16])
    generator = torch.Generator().manual_seed(0)
    crops = [torch.randn(BATCH, 2, size, size, generator=generator) for size in (32, 32, 16)]
    found = []
    for attention in (False, True):
        torch.manual_seed(0)
        method = Dino(copy.deepcopy(backbone), replace(CONSTANTS, pack_attention=attention), global_crops=2)
        for _ in range(2):
            move(method, method(crops, NOTHING), lr=0.1)
        found.append([each.detach() for each in method.parameters()])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)
    moved = [(one - other).abs().max() for one, other in zip(found[0], backbone.parameters(), strict=False)]
    assert max(moved) > 1e-3


def test_the_momentum_rises_by_a_cosine_to_its_last_step():
    method = make(ema_momentum=0.9, final_ema_momentum=1.0)
    for step in range(5):
        method.at_step(step, steps=5, steps_per_epoch=2)
        assert method._pace.momentum == pytest.approx(cosine(step, 5, 0.9, 1.0))
    before = copy.deepcopy(list(method.teacher.parameters()))
    move(method, method(draw(), NOTHING))
    assert all(torch.equal(a, b) for a, b in zip(before, method.teacher.parameters(), strict=True)), "1 is no step at all"


def test_the_teachers_temperature_warms_up_by_epochs():
    method = make(first_teacher_temperature=0.04, teacher_temperature=0.07, teacher_warmup_epochs=4)
    found = []
    for step in range(0, 12, 2):
        method.at_step(step, steps=12, steps_per_epoch=2)
        found.append(method._pace.temperature)
    assert found == pytest.approx([0.04, 0.05, 0.06, 0.07, 0.07, 0.07])


def test_the_prototypes_are_frozen_in_the_first_epochs():
    method = make(freeze_last_layer=2, norm_last_layer=False)
    prototypes = set(method.student.head.prototypes.parameters())
    assert len(prototypes) == 2
    for step, frozen in ((0, True), (3, True), (4, False)):
        method.at_step(step, steps=9, steps_per_epoch=2)
        assert set(method.frozen()) == (prototypes if frozen else set())


def test_prototypes_have_unit_length_and_scores_are_cosines():
    method = make()
    lengths = method.student.head.prototypes.weight.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(9))
    with torch.autocast("cpu", torch.bfloat16):
        scores, features = method.student(draw())
    assert scores.dtype == torch.float32
    assert scores.shape == (5, BATCH, 9)
    assert scores.abs().max() <= 1 + 1e-6
    assert features.shape == (BATCH, 5)
    assert not features.requires_grad


def test_what_the_teacher_tells_is_diagnosed():
    method = make()
    method(draw(), NOTHING)
    found = method.diagnostics()
    assert sorted(found) == ["features", "teacher_entropy"]
    assert 0 < found["teacher_entropy"].item() < math.log(9)


def test_a_collapsed_teacher_stands_on_the_plateau_that_is_known():
    method = make()
    for each in (method.student, method.teacher):
        torch.nn.init.zeros_(each.head.layers[-1].weight)
    terms = method(draw(), NOTHING)
    assert terms["distillation"].item() == pytest.approx(math.log(9), rel=1e-5)
    assert method.diagnostics()["teacher_entropy"].item() == pytest.approx(math.log(9), rel=1e-5)
    uniform = uniform_terms(RECIPES["dino_mc"](), queue=0, processes=2)
    assert uniform["distillation"] == pytest.approx(11.090, abs=1e-3)


def test_the_state_has_all_that_is_carried_and_nothing_twice():
    names = make(Normalised).state_dict()
    assert {name.partition(".")[0] for name in names} == {"student", "teacher", "center"}
    assert "center.mean" in names
    assert "teacher.head.prototypes.parametrizations.weight.original1" in names

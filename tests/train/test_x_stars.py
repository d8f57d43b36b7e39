"""X-STARS step by step: its terms against plain loops, what each of them moves, what adapting to a sensor leaves alone."""

import copy
import math
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from lightning.fabric import Fabric

from tests.reference.dino import PlainDino
from tests.reference.xstars import alignment
from tests.train.aligned import BANDS, aligned_config, draw_sensors
from tests.train.stubs import Drawn
from train.alignment_loss import multi_sensor_alignment
from train.backbones import make_backbone
from train.config import Alignment
from train.errors import ConfigError
from train.methods import check_method, make_method, x_stars
from train.methods.dino import Dino
from train.methods.uniform import uniform_terms
from train.sensor_backbones import ground_tokens
from train.steps import make_optimizer, train_step

BATCH = 4
PLACES = Drawn(torch.arange(BATCH), torch.zeros(BATCH, 1))
FIXED = "encoder.head.prototypes.parametrizations.weight.original0"
"""The length of the prototypes, which is 1."""


def make(bands=BANDS, backbone=None, embeddings=None, **settings):
    return make_method(aligned_config(**settings), bands, queue=0, backbone=backbone, embeddings=embeddings)


def moved(method, *, part=""):
    """Names of the student's parameters that have a gradient, and those that have none, below a name."""
    named = [(name, each) for name, each in method.student.named_parameters() if name.startswith(part)]
    has = {name for name, each in named if each.grad is not None and each.grad.any()}
    return has, {name for name, _ in named} - has


def embeddings_of(method, views):
    with torch.no_grad():
        return method.student(views.crops, dict(zip(method.sensors, views.ground, strict=True)), {})[2]


def move(method, terms, lr=0.05):
    method.zero_grad()
    sum(terms.values()).backward()
    with torch.no_grad():
        for each in method.student.parameters():
            if each.grad is not None:
                each.sub_(lr * each.grad)
    method.after_step()


def test_both_terms_are_the_plain_loops_step_after_step():
    method = make(weight=0.3)
    plain = PlainDino(32, teacher_temperature=0.04, student_temperature=0.1, center_momentum=0.9)
    for step in range(3):
        views = draw_sensors(aligned_config(), step=step)
        generator = torch.Generator().manual_seed(step)
        views.valid = tuple(torch.rand(BATCH, 4, generator=generator) < 0.7 for _ in BANDS)
        places = Drawn(torch.tensor([0, 1, 0, 3]), torch.zeros(BATCH, 1))
        with torch.no_grad():
            student = method.student.encoder(views.crops)[0].tolist()
            teacher = method.teacher([crops[:2] for crops in views.crops])[0].tolist()
            temperature = method.student.alignment.temperature().item()
        embeddings = [each.tolist() for each in embeddings_of(method, views)]
        valid = [each.tolist() for each in views.valid]
        aligned = alignment(embeddings, valid, places.locations.tolist(), temperature)
        (distilled,) = plain.step([(student, teacher)])
        terms = method(views, places)
        assert list(terms) == ["distillation", "alignment"]
        assert terms["distillation"].item() == pytest.approx(distilled, rel=1e-4)
        assert terms["alignment"].item() == pytest.approx(0.3 * aligned, rel=1e-4)
        move(method, terms)
        torch.testing.assert_close(method.center.mean, torch.tensor(plain.center), rtol=1e-4, atol=1e-6)


def test_distillation_alone_moves_the_backbones_and_dinos_head_alone():
    method = make()
    method(draw_sensors(aligned_config()), PLACES)["distillation"].backward()
    assert moved(method, part="encoder")[1] == {FIXED}
    assert moved(method, part="alignment")[0] == set()
    assert all(each.grad is None for each in method.teacher.parameters())


def test_alignment_alone_moves_the_backbones_with_every_patch_embedding_and_projector_heads_and_temperature():
    method = make()
    method(draw_sensors(aligned_config()), PLACES)["alignment"].backward()
    assert moved(method, part="encoder.backbones")[1] == set()
    assert moved(method, part="alignment")[1] == set()
    assert moved(method, part="encoder.head")[0] == set()
    names = moved(method)[0]
    for sensor in BANDS:
        assert f"encoder.backbones.{sensor}.patch_embed.proj.weight" in names
        assert f"alignment.heads.{sensor}.first.weight" in names
    assert {"alignment.projector.first.weight", "alignment.temperature.logarithm"} <= names


def test_at_weight_0_the_gradient_is_dinos_of_both_sensors_side_by_side_and_heads_are_reached():
    bands = dict.fromkeys(BANDS, 3)
    method = make(bands, weight=0.0, shared_patch_embedding=True)
    config = aligned_config()
    backbone = make_backbone("test_vit", bands=3, size_px=32, further_sizes=[16])
    backbone.load_state_dict(method.backbone().state_dict())
    plain = Dino(backbone, config.distillation, global_crops=2)
    plain.student.head.load_state_dict(method.student.encoder.head.state_dict())
    plain.teacher = copy.deepcopy(plain.student).requires_grad_(requires_grad=False)
    views = draw_sensors(config, bands)
    (plain([torch.cat(pair) for pair in zip(*views.crops, strict=True)], PLACES)["distillation"]).backward()
    sum(method(views, PLACES).values()).backward()
    ours, theirs = dict(method.backbone().named_parameters()), dict(backbone.named_parameters())
    assert len(theirs) > 50
    for name, each in theirs.items():
        torch.testing.assert_close(ours[name].grad, each.grad, rtol=1e-4, atol=1e-7)
    unreached = [name for name, each in method.student.named_parameters() if each.grad is None]
    assert unreached == [FIXED], "or several processes would wait for a gradient"
    assert moved(method, part="alignment")[0] == set()


@pytest.mark.parametrize(("weight", "moves"), [(0.0, False), (0.1, True)])
def test_at_weight_0_a_step_with_decay_leaves_the_heads_as_they_were_drawn(weight, moves):
    method = make(weight=weight)
    heads = {name: each.detach().clone() for name, each in method.student.alignment.named_parameters()}
    config = aligned_config(weight=weight)
    config = replace(config, optimizer=replace(config.optimizer, lr=0.1, weight_decay=0.1))
    fabric = Fabric(accelerator="cpu", devices=1)
    bare = method.student
    method.student, optimizer = fabric.setup(bare, make_optimizer(config.optimizer, bare))
    for step in range(2):
        views = draw_sensors(config, step=step)
        train_step(fabric, method, optimizer, [PLACES, PLACES], make=lambda _, views=views: views, config=config)
    assert all(torch.equal(each, heads[name]) is not moves for name, each in bare.alignment.named_parameters())


def test_the_weight_multiplies_the_alignment_alone():
    views = draw_sensors(aligned_config())
    light, heavy = (make(weight=weight)(views, PLACES) for weight in (0.1, 1.0))
    assert heavy["alignment"].item() == pytest.approx(10 * light["alignment"].item(), rel=1e-5)
    assert torch.equal(light["distillation"], heavy["distillation"])


def test_nothing_valid_is_a_zero_that_reaches_every_head():
    method, views = make(), draw_sensors(aligned_config())
    views.valid = tuple(torch.zeros_like(each) for each in views.valid)
    term = method(views, PLACES)["alignment"]
    assert term.item() == 0
    term.backward()
    grads = {name: each.grad for name, each in method.student.named_parameters() if name.startswith("alignment")}
    assert all(each is not None and not each.any() for each in grads.values())


def test_two_dates_of_one_location_are_no_negatives():
    """Four samples of one place have nothing to tell apart; of two places, each has the two of the other."""
    method, views = make(), draw_sensors(aligned_config())
    one = Drawn(torch.zeros(BATCH, dtype=torch.int64), PLACES.scenes)
    assert method(views, one)["alignment"].item() == pytest.approx(0, abs=1e-6)
    views.ground = tuple(each[:1].expand_as(each) for each in views.ground)
    two = Drawn(torch.tensor([0, 0, 1, 1]), PLACES.scenes)
    assert method(views, two)["alignment"].item() == pytest.approx(0.1 * math.log(3), rel=1e-4)
    assert method(views, PLACES)["alignment"].item() == pytest.approx(0.1 * math.log(4), rel=1e-4)


def test_ground_that_one_sensor_does_not_see_moves_nothing_by_way_of_any():
    """The pixels of a sample that are not valid in one sensor have no gradient, nor have those of the other at that place."""
    method, views = make(), draw_sensors(aligned_config())
    views.ground = tuple(each.requires_grad_() for each in views.ground)
    views.valid[1][2] = False
    method(views, PLACES)["alignment"].backward()
    for ground in views.ground:
        assert [bool(each.any()) for each in ground.grad] == [True, True, False, True]


def test_a_sensor_of_which_nothing_is_valid_has_no_gradient_of_its_patch_embedding():
    bands = {**BANDS, "spot-ortho": 1}
    method, views = make(bands), draw_sensors(aligned_config(), bands)
    views.valid[2][:] = False
    method(views, PLACES)["alignment"].backward()
    found = {sensor: bool(each.patch_embed.proj.weight.grad.any()) for sensor, each in method.backbones().items()}
    assert found == {"landsat-c2-l2": True, "sentinel-2-l2a": True, "spot-ortho": False}


@pytest.mark.parametrize(("ground", "token"), [([True, True, False, False], True), ([True, False, False, False], False)])
def test_the_class_token_is_compared_too_where_half_of_its_ground_is_valid(monkeypatch, ground, token):
    method, views, seen = make(class_token=True), draw_sensors(aligned_config()), []
    views.valid = tuple(torch.tensor([ground] * BATCH) for _ in BANDS)

    def listen(own, **options):
        seen.append(own)
        return multi_sensor_alignment(own, **options)

    monkeypatch.setattr(x_stars, "multi_sensor_alignment", listen)
    method(views, PLACES)
    for valid, embeddings in zip(seen[0].valid, seen[0].embeddings, strict=True):
        assert valid.tolist() == [[token, *ground]] * BATCH
        assert embeddings.shape == (BATCH, 5, 16)


def test_the_teacher_starts_as_the_student_and_follows_it_and_nothing_else_moves_it():
    method = make()
    method.at_step(0, steps=9, steps_per_epoch=3)
    before = copy.deepcopy(dict(method.teacher.named_parameters()))
    student = dict(method.student.encoder.named_parameters())
    assert before.keys() == student.keys()
    assert all(torch.equal(each, student[name]) for name, each in before.items())
    terms = method(draw_sensors(aligned_config()), PLACES)
    assert all(torch.equal(each, before[name]) for name, each in method.teacher.named_parameters())
    move(method, terms)
    momentum = aligned_config().distillation.ema_momentum
    for name, each in method.teacher.named_parameters():
        torch.testing.assert_close(each, momentum * before[name] + (1 - momentum) * student[name])
    trunk = [method.teacher.backbones[sensor].pos_embed for sensor in BANDS]
    assert trunk[0] is trunk[1], "the teacher's sensors share a trunk too"


@pytest.mark.parametrize(("packs", "attention"), [(False, False), (True, False), (True, True)])
def test_crops_are_packed_where_the_constants_say_so_and_the_terms_stay(packs, attention):
    config = aligned_config(weight=0.3)
    changed = replace(config, distillation=replace(config.distillation, pack_crops=packs, pack_attention=attention))
    methods = [make_method(each, BANDS, queue=0) for each in (config, changed)]
    encoder = methods[1].student.encoder
    assert (encoder.packs, encoder.packs_attention) == (packs, attention)
    expected, found = (method(draw_sensors(config), PLACES) for method in methods)
    assert {name: term.item() for name, term in found.items()} == pytest.approx(
        {name: term.item() for name, term in expected.items()}, rel=1e-4
    )


def test_prototypes_are_frozen_in_the_first_epochs():
    config = aligned_config()
    method = make_method(replace(config, distillation=replace(config.distillation, freeze_last_layer=1)), BANDS, queue=0)
    for step, frozen in ((0, True), (1, True), (2, False)):
        method.at_step(step, steps=6, steps_per_epoch=2)
        assert set(method.frozen()) == (set(method.student.encoder.head.prototypes.parameters()) if frozen else set())


def test_the_teacher_computes_in_the_loops_precision_and_the_terms_in_float32():
    method, entered = make(), []

    @contextmanager
    def autocast():
        entered.append(True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            yield

    method.autocast = autocast
    terms = method(draw_sensors(aligned_config()), PLACES)
    assert entered == [True]
    assert {each.dtype for each in terms.values()} == {torch.float32}


def test_what_was_found_is_diagnosed_over_all_sensors():
    method = make()
    method(draw_sensors(aligned_config()), PLACES)
    found = method.diagnostics()
    assert sorted(found) == ["alignment_temperature", "features", "teacher_entropy"]
    assert found["features"].shape == (2 * BATCH, 64)
    assert found["alignment_temperature"].item() == pytest.approx(0.07)
    assert 0 < found["teacher_entropy"].item() < math.log(32)
    assert not any(each.requires_grad for each in found.values())


def test_the_uniform_value_is_of_the_distillation_alone():
    """That of the alignment hangs on how many tokens are valid."""
    uniform = uniform_terms(aligned_config(), queue=0, processes=2)
    assert uniform == {"distillation": pytest.approx(math.log(32)), "teacher_entropy": pytest.approx(math.log(32))}


def test_backbones_are_had_by_sensor_the_first_one_by_itself():
    method = make()
    assert list(method.backbones()) == list(BANDS)
    assert method.backbone() is method.backbones()["landsat-c2-l2"]


def test_the_state_has_all_that_is_carried():
    names = make().state_dict()
    assert {name.partition(".")[0] for name in names} == {"student", "teacher", "center"}
    for name in ("student.alignment.temperature.logarithm", "student.alignment.heads.sentinel-2-l2a.second.weight",
                 "student.encoder.backbones.sentinel-2-l2a.patch_embed.proj.bias", "teacher.head.layers.0.bias"):  # fmt: skip
        assert name in names


def test_three_sensors_are_aligned_pair_by_pair():
    """As the plain loop over all six ordered pairs, of which each pair of sensors has its own valid tokens."""
    bands = {**BANDS, "spot-ortho": 1}
    method, views = make(bands, weight=0.3), draw_sensors(aligned_config(), bands)
    generator = torch.Generator().manual_seed(1)
    views.valid = tuple(torch.rand(BATCH, 4, generator=generator) < share for share in (0.9, 0.7, 0.5))
    embeddings, valid = ([each.tolist() for each in kind] for kind in (embeddings_of(method, views), views.valid))
    term = method(views, PLACES)["alignment"]
    wanted = alignment(embeddings, valid, PLACES.locations.tolist(), 0.07)
    assert term.item() == pytest.approx(0.3 * wanted, rel=1e-4)
    term.backward()
    assert moved(method, part="encoder.backbones")[1] == set()


LEARNT = {"sentinel-2-l2a": 2, "spot-ortho": 3}
"""The weights are Sentinel-2's."""


def adapting(sensors=LEARNT, **settings):
    torch.manual_seed(5)
    backbone = make_backbone("test_vit", bands=2, size_px=32, further_sizes=[16])
    return make(sensors, backbone, adapt_sensor="spot-ortho", **settings), copy.deepcopy(backbone)


def test_a_frozen_copy_encodes_the_other_sensor_and_never_moves():
    method, initial = adapting(weight=1.0)
    views = draw_sensors(aligned_config(), LEARNT)
    with torch.no_grad():
        tokens = ground_tokens(initial.eval(), views.ground[0])
        own = ground_tokens(method.backbones()["spot-ortho"], views.ground[1])
        expected = method.student.alignment([tokens, own])
        found = method.student([views.crops[1]], {"spot-ortho": views.ground[1]}, method._given(views))[2]
    torch.testing.assert_close(found, expected)
    for step in range(3):
        move(method, method(draw_sensors(aligned_config(), LEARNT, step=step), PLACES))
    assert all(torch.equal(each, initial.state_dict()[name]) for name, each in method.source.state_dict().items())
    assert all(each.grad is None and not each.requires_grad for each in method.source.parameters())
    trained = method.backbones()["spot-ortho"]
    assert not torch.equal(trained.blocks[0].attn.qkv.weight, initial.blocks[0].attn.qkv.weight)


def test_the_frozen_copy_is_in_evaluation_mode_whatever_the_mode_of_the_method():
    method, _ = adapting()
    method.train()
    method(draw_sensors(aligned_config(), LEARNT), PLACES)
    assert not any(each.training for each in method.source.modules())


def test_adapting_trains_one_sensor_and_the_heads_of_both():
    method, _ = adapting()
    views = draw_sensors(aligned_config(), LEARNT)
    assert list(method.backbones()) == ["spot-ortho"]
    assert not any("sentinel-2-l2a.patch_embed" in name for name, _ in method.student.named_parameters())
    terms = method(views, PLACES)
    assert method.diagnostics()["features"].shape == (BATCH, 64), "DINO sees the crops of one sensor"
    terms["alignment"].backward()
    has, _ = moved(method)
    assert moved(method, part="encoder.backbones")[1] == set()
    assert {"alignment.heads.sentinel-2-l2a.first.weight", "alignment.heads.spot-ortho.first.weight"} <= has


def test_dino_does_not_look_at_the_crops_of_the_frozen_sensor():
    method, _ = adapting()
    views = draw_sensors(aligned_config(), LEARNT)
    before = method(views, PLACES)["distillation"]
    views.crops = (None, views.crops[1])
    assert torch.equal(method(views, PLACES)["distillation"], before)


def test_adapting_goes_on_from_its_state_though_made_of_another_backbone():
    method, _ = adapting()
    resumed = make(LEARNT, adapt_sensor="spot-ortho")
    assert not torch.equal(resumed.source.pos_embed, method.source.pos_embed)
    resumed.load_state_dict(method.state_dict())
    views = draw_sensors(aligned_config(), LEARNT)
    for name, term in method(views, PLACES).items():
        assert torch.equal(term, resumed(views, PLACES)[name])


def test_the_order_of_sensors_tells_nothing_of_which_is_frozen():
    method, initial = adapting({"spot-ortho": 3, "sentinel-2-l2a": 2})
    assert torch.equal(method.source.pos_embed, initial.pos_embed)
    views = draw_sensors(aligned_config(), {"spot-ortho": 3, "sentinel-2-l2a": 2})
    sum(method(views, PLACES).values()).backward()


@pytest.mark.parametrize("copied", [True, False])
def test_a_learnt_patch_embedding_is_where_the_trained_sensor_begins_if_it_is_given(copied):
    torch.manual_seed(5)
    backbone = make_backbone("test_vit", bands=2, size_px=32, further_sizes=[16])
    given = {"spot-ortho": backbone.patch_embed} if copied else {}
    method = make({"sentinel-2-l2a": 2, "spot-ortho": 2}, backbone, given, adapt_sensor="spot-ortho")
    own, theirs = method.backbones()["spot-ortho"].patch_embed.proj.weight, method.source.patch_embed.proj.weight
    assert torch.equal(own, theirs) is copied
    assert own is not theirs
    teachers = method.teacher.backbones["spot-ortho"].patch_embed.proj.weight
    assert torch.equal(own, teachers), "the teacher begins as the student"


@pytest.mark.parametrize(
    ("bands", "settings", "words"),
    [
        ({"a": 2}, {}, r"a cannot be aligned with another one\. Name two sensors or more"),
        ({"a": 2, "b": 3}, {"adapt_sensor": "c"}, "Adapting to c takes it and the one sensor that the initial weights are of"),
        ({"a": 2, "b": 3}, {"shared_patch_embedding": True}, "needs as many bands of each, and there are of a 2, b 3"),
    ],
)
def test_sensors_that_cannot_be_aligned_are_refused(bands, settings, words):
    with pytest.raises(ConfigError, match=words):
        make(bands, **settings)


def test_weights_of_other_bands_than_the_frozen_sensor_has_are_refused():
    words = "The initial weights read 2 bands, and sentinel-2-l2a, which a frozen copy of them encodes, has 4. Name the bands"
    with pytest.raises(ConfigError, match=words):
        adapting({"sentinel-2-l2a": 4, "spot-ortho": 2})


def test_a_configuration_that_does_not_fit_the_method_is_refused():
    config = aligned_config()
    with pytest.raises(ConfigError, match=r"x-stars needs constants of alignment, which are missing\. Start from a recipe"):
        check_method(replace(config, alignment=None))
    with pytest.raises(ConfigError, match=r"dino aligns no sensors\. Start from a recipe of it"):
        check_method(replace(config, method="dino", alignment=Alignment()))
    with pytest.raises(ConfigError, match="x-stars takes 2 global crops first, of the scenes 0, 0"):
        check_method(replace(config, views=config.views[1:]))
    with pytest.raises(ConfigError, match="test_resnet has no tokens that several sensors can share"):
        make_method(replace(config, backbone="test_resnet"), BANDS, queue=0)

import copy
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from tests.reference.contrast import PlainSeco, Process, contrast, mean
from tests.reference.released_seco import Released
from tests.train.aligned import BANDS, aligned_config, draw_sensors
from tests.train.stubs import Drawn, Linear, Normalised
from train.config import Contrast
from train.errors import ConfigError
from train.losses import SPACES
from train.methods import METHODS, make_method
from train.methods.crops import with_local_sizes
from train.methods.moco import Moco
from train.methods.seco import Seco
from train.recipes import DEFAULTS, find_recipe, with_view_size

BATCH, QUEUE = 4, 12
AS_RELEASED = {"distinct_dates": False, "mask_same_date": False, "mask_own_location": False, "gather_negatives": False}


def seed_all(seed=0):
    torch.manual_seed(seed)


def make(kind=Seco, backbone=Linear, **constants):
    seed_all()
    return kind(backbone(), Contrast(dim=6, **constants), queue=QUEUE, batch_size=BATCH, seed=3)


def draw(step=0, views=4):
    """Views of a step, and a batch of few locations, so that they meet themselves again, with repeated dates."""
    generator = torch.Generator().manual_seed(100 + step)
    images = [torch.randn(BATCH, 2, 3, 3, generator=generator) for _ in range(views)]
    locations = torch.randperm(7, generator=generator)[:BATCH]
    return images, Drawn(locations, torch.randint(0, 3, (BATCH, 3), generator=generator))


def embeddings_of(method, views):
    """What student and teacher give before a step, from their layers one by one."""
    encoder, teacher = method.student, method.teacher.encoder
    with torch.no_grad():
        query = torch.stack([normalize(head.layers(encoder.backbone(views[0])), dim=1) for head in encoder.projectors])
        keys = torch.stack(
            [
                torch.stack([normalize(head.layers(teacher.backbone(view)), dim=1) for view in views[1:]])
                for head in teacher.projectors
            ]
        )
    return query, keys


def move(method, terms, lr=0.5):
    """An optimizer step, written out."""
    method.zero_grad()
    sum(terms.values()).backward()
    with torch.no_grad():
        learned = [each for each in method.student.parameters() if each.requires_grad]
        torch._foreach_sub_(learned, [lr * each.grad for each in learned])
    method.after_step()


@pytest.mark.parametrize(
    "constants",
    [{}, {"mask_same_date": False}, {"mask_own_location": False}, AS_RELEASED],
    ids=["default", "same dates stay", "own location stays", "as released"],
)
def test_seco_is_the_plain_loops_step_after_step(constants):
    method = make(ema_momentum=0.5, **constants)
    settings = method.constants
    plain = PlainSeco(
        method.queue.keys.tolist(),
        [-1] * QUEUE,
        temperature=0.07,
        own_location=settings.mask_own_location,
        same_date=settings.mask_same_date,
        gather=settings.gather_negatives,
    )
    for step in range(6):
        views, batch = draw(step)
        query, keys = embeddings_of(method, views)
        terms = method(views, batch)
        process = Process(query.tolist(), keys.tolist(), batch.locations.tolist(), batch.scenes.tolist())
        (expected,) = plain.step([process])
        assert [terms[space].item() for space in SPACES] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        torch.testing.assert_close(method.queue.keys, torch.tensor(plain.queue))
        assert method.queue.locations.tolist() == plain.locations
        assert method.queue.pointer.item() == plain.pointer
        move(method, terms)


def test_the_plain_loops_mask_something():
    """Or the test above would show nothing of masks."""
    for mask in ("mask_same_date", "mask_own_location"):
        with_mask, without = make(), make(**{mask: False})
        losses = []
        for method in (with_mask, without):
            for step in range(3):
                terms = method(*draw(step))
            losses.append([round(term.item(), 5) for term in terms.values()])
        changed = [a < b for a, b in zip(*losses, strict=True)]
        assert changed == ([False, False, True] if mask == "mask_same_date" else [True, True, True])


@pytest.mark.parametrize("backbone", [Linear, Normalised])
def test_seco_as_released_is_the_released_step(backbone):
    """With the teacher moved before the forward pass there and after the step here, and batch statistics of each view."""
    method = make(backbone=backbone, ema_momentum=0.9, **AS_RELEASED)
    student, teacher = copy.deepcopy(method.student), copy.deepcopy(method.teacher.encoder)
    heads = [nn.ModuleList(head.layers for head in each.projectors) for each in (student, teacher)]
    queue = method.queue.keys.transpose(1, 2).clone()
    released = Released(student.backbone, teacher.backbone, *heads, queue=queue, momentum=0.9)
    for step in range(5):
        views, batch = draw(step)
        terms = method(views, batch)
        theirs = released.losses(views[0], views[1:])
        torch.testing.assert_close(list(terms.values()), theirs, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(method.queue.keys, queue.transpose(1, 2))
        move(method, terms, lr=0.1)
        student.zero_grad()
        sum(theirs).backward()
        with torch.no_grad():
            torch._foreach_sub_(list(student.parameters()), [0.1 * each.grad for each in student.parameters()])
    torch.testing.assert_close(dict(method.student.state_dict()), dict(student.state_dict()))
    released.follow()
    ours = method.teacher.encoder.state_dict()
    assert max((ours[name] - value).abs().max() for name, value in teacher.state_dict().items()) < 1e-5


@pytest.mark.parametrize("own_location", [False, True])
def test_moco_is_the_plain_loop_step_after_step(own_location):
    method = make(Moco, mask_own_location=own_location, ema_momentum=0.5)
    queue, queue_locations, pointer = method.queue.keys[0].tolist(), [-1] * QUEUE, 0
    for step in range(5):
        views, batch = draw(step, views=2)
        query, keys = embeddings_of(method, views)
        query, keys = query[0], keys[0, 0]
        locations = batch.locations.tolist()
        terms = method(views, batch)
        expected = [
            contrast(
                query[n].tolist(),
                keys[n].tolist(),
                [
                    key
                    for key, place in zip(queue, queue_locations, strict=True)
                    if not (own_location and place == locations[n])
                ],
                0.07,
            )
            for n in range(BATCH)
        ]
        assert terms["contrast"].item() == pytest.approx(mean(expected), rel=1e-5, abs=1e-6)
        for n, location in enumerate(locations):
            queue[pointer], queue_locations[pointer] = keys[n].tolist(), location
            pointer = (pointer + 1) % QUEUE
        torch.testing.assert_close(method.queue.keys[0], torch.tensor(queue))
        move(method, terms)


@pytest.mark.parametrize("space", SPACES)
def test_each_term_alone_moves_the_backbone_and_its_own_projector(space):
    method = make()
    views, batch = draw()
    method(views, batch)[space].backward()
    assert all(each.grad.abs().max() > 1e-4 for each in method.student.backbone.parameters())
    for name, projector in zip(SPACES, method.student.projectors, strict=True):
        gradients = [each.grad for each in projector.parameters()]
        if name == space:
            assert all(each.abs().max() > 1e-4 for each in gradients)
        else:
            assert all(each is None or not each.any() for each in gradients)


@pytest.mark.parametrize("kind", [Seco, Moco])
def test_no_term_moves_teacher_or_queue(kind):
    method = make(kind)
    views, batch = draw(views=4 if kind is Seco else 2)
    terms = method(views, batch)
    before = copy.deepcopy({**method.teacher.state_dict(), **method.queue.state_dict()})
    sum(terms.values()).backward()
    assert all(each.grad is None for each in method.teacher.parameters())
    after = {**method.teacher.state_dict(), **method.queue.state_dict()}
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(each.requires_grad for each in method.queue.state_dict(keep_vars=True).values())


@pytest.mark.parametrize("view", [0, 1, 2])
def test_the_positive_of_each_subspace_is_the_key_view_of_the_paper(view):
    views, batch = draw()
    method = make()
    method(views, batch)
    before = method.diagnostics()
    method = make()
    views[1 + view] = views[1 + view].flip(0)
    method(views, batch)
    after = method.diagnostics()
    moved = [before[f"positive_cosine/{space}"].item() != after[f"positive_cosine/{space}"].item() for space in SPACES]
    assert moved == [space == view for space in range(3)]


def test_the_teacher_follows_after_the_step_and_not_before():
    method = make(ema_momentum=0.75)
    before = copy.deepcopy(list(method.teacher.encoder.parameters()))
    terms = method(*draw())
    assert all(torch.equal(a, b) for a, b in zip(before, method.teacher.encoder.parameters(), strict=True))
    move(method, terms)
    for old, new, student in zip(before, method.teacher.encoder.parameters(), method.student.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), (0.75 * old + 0.25 * student).detach())


def test_separation_is_how_differently_two_spaces_see_a_change_of_season():
    method = make()
    views, batch = draw()
    query, keys = embeddings_of(method, views)
    method(views, batch)
    told = method.diagnostics()
    season = [(query[space] * keys[space, 1]).sum(1).mean() for space in (1, 2)]
    synthetic = [(query[space] * keys[space, 2]).sum(1).mean() for space in (2, 1)]
    torch.testing.assert_close(told["separation/season"], season[0] - season[1])
    torch.testing.assert_close(told["separation/synthetic"], synthetic[0] - synthetic[1])
    torch.testing.assert_close(told["features"], method.backbone()(views[0]).detach())


@pytest.mark.parametrize("kind", [Seco, Moco])
def test_diagnostics_carry_no_gradient_and_are_scalars_beside_the_features(kind):
    method = make(kind)
    assert method.diagnostics() == {}
    method(*draw(views=4 if kind is Seco else 2))
    told = dict(method.diagnostics())
    assert told.pop("features").shape == (BATCH, 5)
    assert all(each.shape == () and not each.requires_grad for each in told.values())
    assert all(0 <= value <= 1 for name, value in told.items() if name.startswith("top_1"))


class Wrapper(nn.Module):
    """As Fabric's: nothing but `forward` goes through."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return self.module(images)


def test_a_wrapped_student_is_called_once_a_step_and_followed_all_the_same():
    plain, wrapped = make(ema_momentum=0.5), make(ema_momentum=0.5)
    wrapped.student = Wrapper(wrapped.student)
    for step in range(2):
        for method in (plain, wrapped):
            terms = method(*draw(step))
            move(method, terms)
    assert wrapped.student.calls == 2
    assert wrapped.backbone() is wrapped.student.module.backbone
    theirs = wrapped.teacher.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in plain.teacher.state_dict().items())


def test_the_teacher_computes_in_the_loops_precision_and_the_loss_in_float32():
    method = make()
    entered = []

    @contextmanager
    def autocast():
        entered.append(True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            yield

    method.autocast = autocast
    views, batch = draw()
    terms = method(views, batch)
    assert entered == [True]
    assert {term.dtype for term in terms.values()} == {torch.float32}
    torch.testing.assert_close(method.queue.keys.norm(dim=2), torch.ones(3, QUEUE))
    exact = make()(views, batch)
    assert all(0 < abs(terms[space] - exact[space]) < 0.2 for space in SPACES)


def test_parts_of_a_batch_enter_the_queue_one_after_the_other():
    whole, parted = make(), make()
    views, batch = draw()
    whole(views, batch)
    for part in (slice(2), slice(2, None)):
        parted([view[part] for view in views], Drawn(batch.locations[part], batch.scenes[part]))
    torch.testing.assert_close(whole.queue.keys, parted.queue.keys)
    assert whole.queue.locations.tolist() == parted.queue.locations.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_four_steps_are_two_and_two_from_its_state(method):
    config = small(method)

    def steps(model, numbers):
        for step in numbers:
            generator = torch.Generator().manual_seed(step)
            views = [torch.randn(4, 3, 32, 32, generator=generator) for _ in config.views]
            if config.alignment is not None:
                views = draw_sensors(config, step=step)
            batch = Drawn(torch.arange(4) + 4 * step, torch.arange(4 * config.scenes).view(4, -1))
            seed_all(step)
            model.at_step(step, steps=4, steps_per_epoch=2)
            move(model, model(views, batch), lr=0.01)

    bands = 3 if config.alignment is None else BANDS
    through, first, second = (make_method(config, bands, queue=16) for _ in range(3))
    steps(through, range(4))
    steps(first, range(2))
    second.load_state_dict(first.state_dict())
    steps(second, range(2, 4))
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in through.state_dict().items())


def small(method, backbone="resnet10t"):
    if method == "x-stars":
        return aligned_config()
    recipe = find_recipe(DEFAULTS[method], method=method)
    few = recipe.distillation and replace(recipe.distillation, out_dim=32, head_hidden=16, bottleneck=8)
    return replace(with_view_size(recipe, 32), backbone=backbone, batch_size=4, distillation=few)


@pytest.mark.parametrize("backbone", ["resnet10t", "vit_tiny_patch16_224", "test_convnext", "swin_tiny_patch4_window7_224"])
def test_every_parameter_of_the_student_has_a_gradient(backbone):
    """Or several processes would wait for one that never comes."""
    model = make_method(small("seco", backbone), 4, queue=8)
    terms = model([torch.randn(4, 4, 32, 32) for _ in range(4)], Drawn(torch.arange(4), torch.arange(12).view(4, 3)))
    sum(terms.values()).backward()
    assert [name for name, each in model.student.named_parameters() if each.grad is None] == []


@pytest.mark.parametrize("backbone", ["resnet10t", "test_vit", "swin_tiny_patch4_window7_224"])
def test_every_parameter_of_dinos_student_has_a_gradient_but_the_fixed_lengths(backbone):
    config = small("dino-tp", backbone)
    config = replace(config, views=with_local_sizes(config.views, (16, 16), method="dino-tp"), drop_path=0.0)
    model = make_method(config, 2, queue=0)
    views = [torch.randn(2, 2, view.crop.size_px, view.crop.size_px) for view in config.views]
    sum(model(views, Drawn(torch.arange(2), torch.zeros(2, 3))).values()).backward()
    without = [name for name, each in model.student.named_parameters() if each.grad is None]
    assert without == ["head.prototypes.parametrizations.weight.original0"]


def test_a_method_hangs_on_its_seed_alone():
    config = small("seco")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make_method(config, 3, queue=8)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second, third = make_method(config, 3, queue=8), make_method(replace(config, seed=1), 3, queue=8)
    same, other = second.state_dict(), third.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in first.state_dict().items())
    for name in ("student.backbone.conv1.0.weight", "student.projectors.0.layers.0.weight", "queue.keys"):
        assert not torch.equal(same[name], other[name])


def test_a_backbone_that_was_made_before_is_taken_and_the_teacher_copies_it():
    backbone = Linear(features=7)
    model = make_method(small("seco"), 3, queue=8, backbone=backbone)
    assert model.backbone() is backbone
    assert torch.equal(model.teacher.encoder.backbone.layer.weight, backbone.layer.weight)


def test_a_state_holds_the_student_once():
    names = make_method(small("moco"), 3, queue=8).state_dict()
    assert {name.split(".")[0] for name in names} == {"student", "teacher", "queue"}


def test_impossible_methods_are_refused():
    config = small("seco")
    with pytest.raises(ConfigError, match=r"Unknown method 'sec'\. Choose from: moco, .*, x-stars\. Did you mean 'seco'\?"):
        make_method(replace(config, method="sec"), 3, queue=8)
    with pytest.raises(ConfigError, match=r"no backbone 'resnet-10t'\. Did you mean 'resnet10t'"):
        make_method(replace(config, backbone="resnet-10t"), 3, queue=8)
    with pytest.raises(ConfigError, match="moco takes 2 views"):
        make_method(replace(config, method="moco"), 3, queue=8)
    with pytest.raises(ConfigError, match="queue of 9 keys is no multiple of the batch of 4"):
        make_method(config, 3, queue=9)


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_a_step_never_waits_for_the_device(method):
    config = small(method)
    model = make_method(config, 3 if config.alignment is None else BANDS, queue=16).to("cuda")
    model.autocast = lambda: torch.autocast("cuda", dtype=torch.bfloat16)
    views = [torch.randn(4, 3, 32, 32, device="cuda") for _ in config.views]
    if config.alignment is not None:
        views = draw_sensors(config, device="cuda")
    batch = Drawn(torch.arange(4, device="cuda"), torch.arange(4 * config.scenes, device="cuda").view(4, -1))
    for mode in ("default", "error"):
        torch.cuda.set_sync_debug_mode(mode)
        try:
            sum(model(views, batch).values()).backward()
            model.after_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")

import copy

import pytest
import torch

from tests.train.stubs import Linear, Normalised
from train.encoder import Encoder
from train.errors import ConfigError
from train.state import NO_LOCATION, Queue, Teacher, copy_teacher, queue_capacity, update_ema


def make_queue(capacity=6, batch_size=2, seed=0):
    return Queue(spaces=3, capacity=capacity, dim=4, batch_size=batch_size, seed=seed)


def test_a_queue_starts_with_random_directions_of_no_location():
    queue = make_queue()
    torch.testing.assert_close(queue.keys.norm(dim=2), torch.ones(3, 6))
    assert (queue.locations == NO_LOCATION).all()
    assert torch.equal(queue.keys, make_queue().keys)
    assert not torch.equal(queue.keys, make_queue(seed=1).keys)


def test_a_queue_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    make_queue()
    assert torch.equal(before, torch.get_rng_state())


def test_keys_enter_in_order_and_replace_the_oldest():
    queue = make_queue()
    for step in range(4):
        keys = torch.full((3, 2, 4), float(step)) + torch.tensor([0.0, 0.5])[:, None]
        queue.enqueue(keys, torch.tensor([10 * step, 10 * step + 1]))
    assert queue.keys[:, :, 0].tolist() == [[3.0, 3.5, 1.0, 1.5, 2.0, 2.5]] * 3
    assert queue.locations.tolist() == [30, 31, 10, 11, 20, 21]
    assert queue.pointer.item() == 2


def test_all_of_a_queue_is_in_its_state():
    queue, other = make_queue(), make_queue(seed=1)
    queue.enqueue(torch.ones(3, 2, 4), torch.tensor([1, 2]))
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.enqueue(torch.zeros(3, 2, 4), torch.tensor([3, 4]))
    assert torch.equal(queue.keys, other.keys)
    assert queue.locations.tolist() == other.locations.tolist() == [1, 2, 3, 4, -1, -1]


def test_a_queue_knows_which_keys_are_of_which_location():
    queue = make_queue()
    queue.enqueue(torch.ones(3, 2, 4), torch.tensor([7, 8]))
    assert queue.is_of(torch.tensor([8, 9])).nonzero().tolist() == [[0, 1]]


def test_a_queue_that_the_batch_does_not_divide_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"A queue of 1,000 keys is no multiple of the batch of 256 .* --queue 768 or 1024\."):
        make_queue(1000, 256)
    with pytest.raises(ConfigError, match=r"Choose --queue 256\."):
        make_queue(100, 256)


@pytest.mark.parametrize(
    ("locations", "batch_size", "expected"),
    [(20_000, 256, 9984), (1_000_000, 256, 65_536), (1_000_000, 96, 65_472), (513, 256, 256)],
)
def test_a_queue_nobody_asked_for_is_the_largest_that_fits(locations, batch_size, expected):
    assert queue_capacity(None, batch_size=batch_size, locations=locations, force=False) == expected


def test_a_queue_may_hold_half_of_the_locations_and_no_more_unless_forced():
    assert queue_capacity(9984, batch_size=256, locations=20_000, force=False) == 9984
    with pytest.raises(
        ConfigError, match=r"10,240 keys .* half of the 20,000 training locations.* --queue 9984 or less, or force it"
    ):
        queue_capacity(10_240, batch_size=256, locations=20_000, force=False)
    assert queue_capacity(10_240, batch_size=256, locations=20_000, force=True) == 10_240


def test_a_forced_queue_must_still_be_divided_by_the_batch():
    with pytest.raises(ConfigError, match="no multiple of the batch"):
        queue_capacity(10_000, batch_size=256, locations=20_000, force=True)


def test_locations_for_not_even_one_batch_are_refused_with_the_batch_that_would_do():
    with pytest.raises(ConfigError, match=r"half of 500 is less than one batch of 256\. Choose --batch-size 250 or less"):
        queue_capacity(None, batch_size=256, locations=500, force=False)
    assert queue_capacity(None, batch_size=250, locations=500, force=False) == 250


def test_ema_is_the_plain_mean_of_every_parameter():
    teacher, student = Encoder(Linear(), spaces=2, dim=4), Encoder(Linear(), spaces=2, dim=4)
    plain = [
        0.9 * old.detach() + (1 - 0.9) * new.detach()
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True)
    ]
    update_ema(teacher, student, 0.9)
    for ours, expected in zip(teacher.parameters(), plain, strict=True):
        torch.testing.assert_close(ours.detach(), expected)


def test_ema_leaves_the_teachers_batch_statistics_and_the_student_alone():
    teacher, student = Encoder(Normalised(), spaces=1, dim=4), Encoder(Normalised(), spaces=1, dim=4)
    student(torch.randn(8, 2, 3, 3))
    before, kept = copy.deepcopy(student.state_dict()), teacher.backbone.norm.running_mean.clone()
    update_ema(teacher, student, 0.5)
    assert torch.equal(teacher.backbone.norm.running_mean, kept)
    assert teacher.backbone.norm.num_batches_tracked == 0
    assert all(torch.equal(before[name], value) for name, value in student.state_dict().items())


def test_ema_of_equals_changes_no_bit():
    student = Encoder(Linear(), spaces=1, dim=4)
    teacher = copy_teacher(student)
    update_ema(teacher, student, 0.999)
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), student.parameters(), strict=True))


def test_a_teacher_is_a_copy_without_gradient():
    student = Encoder(Linear(), spaces=1, dim=4)
    teacher = Teacher(student, seed=0, shuffle=True)
    views = [torch.randn(5, 2, 3, 3) for _ in range(3)]
    keys = teacher(views)
    assert keys.shape == (1, 3, 5, 4)
    assert not keys.requires_grad
    assert not any(each.requires_grad for each in teacher.parameters())
    assert all(each.requires_grad for each in student.parameters())
    torch.testing.assert_close(keys[:, 1], student(views[1])[0].detach())


def test_each_view_has_batch_statistics_of_its_own():
    student = Encoder(Normalised(), spaces=2, dim=4)
    views = [torch.randn(6, 2, 3, 3), 5 + 3 * torch.randn(6, 2, 3, 3)]
    keys = Teacher(student, seed=0, shuffle=True)(views)
    for number, view in enumerate(views):
        torch.testing.assert_close(keys[:, number], student(view)[0].detach())


def test_a_teacher_counts_its_calls_in_its_state():
    student = Encoder(Linear(), spaces=1, dim=4)
    teacher, other = (Teacher(student, seed=0, shuffle=True) for _ in range(2))
    for _ in range(3):
        teacher([torch.randn(2, 2, 3, 3)])
    other.load_state_dict(teacher.state_dict())
    assert other.calls == 3

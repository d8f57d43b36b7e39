import pytest
import torch
from torch import distributed

from tests.train.stubs import Linear, Normalised, run_processes
from train.distributed import draw_order, exchange, gather, mean_of_all, rank, world_size
from train.encoder import Encoder
from train.state import Queue, Teacher

COUNT = 6


def test_one_process_is_a_world_of_its_own():
    tensor = torch.randn(3, 2, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert torch.equal(gather(tensor, dim=1), tensor)
    assert not gather(tensor).requires_grad
    assert torch.equal(mean_of_all(tensor), tensor)
    assert not mean_of_all(tensor).requires_grad


def test_an_order_is_a_permutation_that_hangs_on_seed_and_call_alone():
    torch.manual_seed(0)
    order = draw_order(7, 1, 100)
    torch.manual_seed(1)
    assert torch.equal(order, draw_order(7, 1, 100))
    assert order.sort().values.tolist() == list(range(100))
    assert not torch.equal(order, draw_order(7, 2, 100))
    assert not torch.equal(order, draw_order(8, 1, 100))
    assert order.tolist() != list(range(100))


def test_one_process_reorders_its_own():
    order = torch.tensor([2, 0, 1])
    samples = torch.arange(3.0)
    assert exchange(samples, order).tolist() == [2.0, 0.0, 1.0]
    assert torch.equal(exchange(exchange(samples, order), torch.argsort(order)), samples)


def in_two_processes(number, folder):
    here = torch.arange(COUNT) + COUNT * number
    images = (
        torch.stack([here, 100 + here], 1)[:, :, None, None]
        .float()
        .expand(-1, -1, 3, 3)
        .contiguous(memory_format=torch.channels_last)
    )
    order = draw_order(3, 1, COUNT * world_size())
    moved = exchange(images, order)
    torch.manual_seed(0)
    plain = Encoder(Linear(), spaces=2, dim=4)
    mixing = Encoder(Normalised(), spaces=2, dim=4)
    views = [torch.randn(COUNT, 2, 3, 3, generator=torch.Generator().manual_seed(10 * view + number)) for view in range(3)]
    queue = Queue(spaces=2, capacity=4 * COUNT, dim=4, batch_size=2 * COUNT, seed=0)
    for step in range(3):
        queue.enqueue(torch.full((2, COUNT, 4), 10.0 * step + number), here + 100 * step)
    return {
        "rank": (rank(), world_size()),
        "gathered": gather(here[None].float().requires_grad_(), dim=1).tolist(),
        "order": order,
        "moved": moved[:, 0, 0, 0].long(),
        "second channel": moved[:, 1, 1, 2].long(),
        "back": torch.equal(exchange(moved, torch.argsort(order)), images),
        "linear": [Teacher(plain, seed=3, shuffle=shuffle)(views) for shuffle in (False, True)],
        "normalised": [Teacher(mixing, seed=3, shuffle=shuffle)(views) for shuffle in (False, True)],
        "locations": queue.locations.tolist(),
        "keys": queue.keys[1, :, 3].tolist(),
        "barrier": distributed.barrier(),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run_processes(in_two_processes, tmp_path_factory.mktemp("processes"))


def test_processes_gather_in_the_order_of_ranks(results):
    assert [each["rank"] for each in results] == [(0, 2), (1, 2)]
    assert all(each["gathered"] == [list(range(2 * COUNT))] for each in results)


def test_keys_of_all_processes_enter_in_the_order_of_ranks(results):
    for each in results:
        assert each["locations"] == [*range(200, 212), *range(100, 112)]
        assert each["keys"] == [20.0] * COUNT + [21.0] * COUNT + [10.0] * COUNT + [11.0] * COUNT


def test_samples_go_where_the_order_says_and_come_back(results):
    order = results[0]["order"]
    assert torch.equal(order, results[1]["order"])
    moved = torch.cat([each["moved"] for each in results])
    assert torch.equal(moved, order)
    assert torch.equal(torch.cat([each["second channel"] for each in results]), order + 100)
    assert all(each["back"] for each in results)


def test_an_order_mixes_the_processes(results):
    assert {index // COUNT for index in results[0]["order"][:COUNT].tolist()} == {0, 1}


def test_shuffling_changes_no_key_where_samples_do_not_mix(results):
    for each in results:
        torch.testing.assert_close(*each["linear"])


def test_shuffled_keys_are_normalised_with_those_of_other_processes(results):
    """Equal to what the whole batch in the drawn order gives, in halves."""
    torch.manual_seed(0)
    Encoder(Linear(), spaces=2, dim=4)
    student = Encoder(Normalised(), spaces=2, dim=4)
    views = [
        torch.cat(
            [torch.randn(COUNT, 2, 3, 3, generator=torch.Generator().manual_seed(10 * view + number)) for number in (0, 1)]
        )
        for view in range(3)
    ]
    order = draw_order(3, 1, 2 * COUNT)
    halves = [student.encode_views([view[order][half] for view in views]) for half in (slice(COUNT), slice(COUNT, None))]
    expected = torch.cat(halves, 2)[:, :, torch.argsort(order)].detach()
    found = [torch.cat([each["normalised"][shuffle] for each in results], 2) for shuffle in (0, 1)]
    torch.testing.assert_close(found[1], expected)
    assert (found[0] - expected).abs().max() > 1e-2

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from curate.errors import StoppedError
from curate.reading.buckets import BucketSigner
from curate.sources import access
from curate.sources.access import MARGIN_S, Signed, most_connections, renew, sign, signer_for, turn
from tests.curate.reading.signing import NumberedSigner

HREF = "https://host.invalid/a.tif"


def test_who_signs_is_a_matter_of_the_address_alone():
    assert isinstance(signer_for("s3://some-bucket-of-mine/a.tif"), BucketSigner)
    assert signer_for("s3://some-bucket-of-mine/b.tif") is signer_for("S3://some-other/a.tif")
    for href in ("https://host.invalid/a.tif", "data/a.tif", "file:///data/a.tif"):
        assert signer_for(href) is None


def test_the_more_particular_signer_is_asked_first(monkeypatch):
    mine = NumberedSigner()
    monkeypatch.setattr(access, "_signers", lambda: (mine, BucketSigner()))
    assert signer_for(HREF) is mine
    assert isinstance(signer_for("s3://bucket/a.tif"), BucketSigner)


def test_a_signature_does_not_show_itself():
    assert repr(Signed("https://host/a?sig=s3cr3t", {"Authorization": "Bearer s3cr3t"}, 7.0)) == "Signed(until=7.0)"


@pytest.mark.parametrize(("now", "number"), [(0.0, 0), (600 - MARGIN_S - 1, 0), (600 - MARGIN_S, 1), (700.0, 1)])
def test_a_signature_that_is_about_to_end_is_replaced(now, number):
    clock = [0.0]
    signer = NumberedSigner(lifetime_s=600, clock=lambda: clock[0])
    clock[0] = now
    assert sign(signer, HREF, clock=lambda: clock[0]).address.endswith(f"number-{number}")


def test_one_that_lives_shorter_than_the_margin_is_used_all_the_same():
    signer = NumberedSigner(lifetime_s=MARGIN_S / 2)
    assert sign(signer, HREF, clock=lambda: 0.0).address.endswith("number-1")


def test_of_many_threads_that_were_refused_one_has_it_renewed():
    signer = NumberedSigner()
    refused = signer.sign(HREF)
    with ThreadPoolExecutor(8) as pool:
        renewed = list(pool.map(lambda _: renew(signer, HREF, refused), range(50)))
    assert signer.refused == [HREF]
    assert {signed.address for signed in renewed} == {f"{HREF}?X-Amz-Signature=number-1"}


def test_a_slow_renewal_holds_up_no_file_of_another_signer():
    slow, quick_one, go = NumberedSigner(), NumberedSigner(), threading.Event()
    plain = slow.sign
    slow.sign = lambda href: (go.wait(10), plain(href))[1]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(renew, slow, HREF, plain(HREF))
        assert renew(quick_one, HREF, quick_one.sign(HREF)).address.endswith("number-1")
        assert not waiting.done()
        go.set()
        assert waiting.result(10).address.endswith("number-1")


def test_a_host_s_connections_are_known_by_its_name_however_written(monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "store.invalid", 4)
    assert most_connections("STORE.invalid") == 4
    assert most_connections("other.invalid") is None


def test_no_more_threads_than_granted_have_their_turn(monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "three.invalid", 3)
    here, most, together = [], [], threading.Barrier(3)

    def visit(_):
        with turn("three.invalid"):
            here.append(1)
            together.wait(10)
            most.append(len(here))
            together.wait(10)
            here.pop()

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(visit, range(9)))
    assert max(most) == 3
    with pytest.raises(RuntimeError, match="within"), turn("three.invalid"):
        raise RuntimeError("within")
    with turn("three.invalid"), turn("three.invalid"), turn("three.invalid"):
        pass


def test_threads_that_come_at_once_share_the_same_turns(monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "new.invalid", 1)
    made, together = [], threading.Barrier(4)

    class Slow(threading.BoundedSemaphore):
        """Whose making takes until all threads are at it."""

        def __init__(self, value):
            made.append(value)
            together.wait(10)
            super().__init__(value)

    monkeypatch.setattr(access.threading, "BoundedSemaphore", Slow)
    here, most = [], []

    def visit(_):
        with turn("new.invalid"):
            here.append(1)
            most.append(len(here))
            time.sleep(0.01)
            here.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(visit, range(4)))
    assert (len(made), max(most)) == (4, 1)


def test_whose_turn_comes_after_the_end_asks_nothing(monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "late.invalid", 1)
    with pytest.raises(StoppedError, match=r"late\.invalid is not asked any more"), turn("late.invalid", lambda: True):
        raise AssertionError("it was taken")
    with turn("late.invalid"):
        pass


def test_who_waits_for_a_turn_can_be_told_to_stop(monkeypatch):
    monkeypatch.setitem(access.MOST_CONNECTIONS, "one.invalid", 1)
    monkeypatch.setattr(access, "LOOKS_S", 0.01)
    stopped = threading.Event()

    def wait():
        with turn("one.invalid", stopped.is_set):
            raise AssertionError("it was taken")

    with turn("one.invalid"), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        stopped.set()
        with pytest.raises(StoppedError, match=r"one\.invalid is not asked any more: its reader was stopped"):
            waiting.result(10)

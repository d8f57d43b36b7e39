import threading

import pytest

from curate.reading.counts import Counts


def test_no_count_of_many_threads_is_lost():
    counts = Counts()

    def work():
        for _ in range(2_000):
            counts.add(requests=1, bytes=3)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.snapshot() == Counts(requests=16_000, bytes=48_000)


def test_a_snapshot_stays_as_it_was():
    counts = Counts()
    counts.add(retries=1, throttled=True, connections=2, waited_s=0.5)
    before = counts.snapshot()
    counts.add(retries=1)
    assert before == Counts(retries=1, throttled=1, connections=2, waited_s=0.5)
    assert counts.retries == 2


def test_what_is_not_counted_cannot_be_added():
    with pytest.raises(AttributeError, match="fetches"):
        Counts().add(fetches=1)

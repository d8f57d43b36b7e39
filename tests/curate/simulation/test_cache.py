from threading import Thread

import numpy as np

from curate.simulation.cache import Cache


def test_a_result_is_made_once():
    cache, made = Cache(10_000), []
    for _ in range(3):
        cache.get("key", lambda: made.append(1) or np.zeros(10))
    assert len(made) == 1


def test_the_least_lately_used_result_is_forgotten_first():
    cache, made = Cache(3 * 800), []

    def ask(key):
        return cache.get(key, lambda: made.append(key) or np.full(100, key))

    for key in (1, 2, 3, 1, 4, 1, 3, 2):
        assert ask(key)[0] == key
    assert made == [1, 2, 3, 4, 2]
    assert cache.held == 3 * 800


def test_a_result_larger_than_the_cache_is_not_kept():
    cache = Cache(100)
    cache.get("small", lambda: np.zeros(10))
    cache.get("large", lambda: np.zeros(1000))
    assert cache.held == 80


def test_threads_get_the_right_results_within_the_bound():
    cache, wrong = Cache(5 * 800), []

    def work(start):
        for step in range(300):
            key = (start + step * 7) % 20
            if cache.get(key, lambda key=key: np.full(100, key))[0] != key:
                wrong.append(key)

    threads = [Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.held <= 5 * 800

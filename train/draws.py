"""Everything that training draws at random, as pure functions of what is drawn for.

A counter-based generator needs no state: the numbers of one location in one epoch are computed from the seed, the purpose,
the epoch, the location and the view, and from nothing else. They are the same whatever the batch, its order, the worker or
the process that asks, and after a restart.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)

_MOST_BLOCKS = 1 << 16
_MOST_VIEWS = 1 << 16


def philox(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox4x32-10: 128 random bits for each counter.

    Args:
        counter: (4, ...), four words below 2**32 each.
        key: Two words below 2**32.

    Returns:
        (4, ...), four words below 2**32 each.

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011, https://doi.org/10.1145/2063384.2063405

    Examples:
        >>> [f"{word:08x}" for word in philox(np.zeros(4, np.uint64), (0, 0))]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    first, second, third, fourth = counter
    for turn in range(ROUNDS):
        keys = [np.uint64((word + turn * step) & 0xFFFFFFFF) for word, step in zip(key, KEY_STEPS, strict=True)]
        left, right = first * np.uint64(MULTIPLIERS[0]), third * np.uint64(MULTIPLIERS[1])
        first, second, third, fourth = (
            (right >> WORD) ^ second ^ keys[0],
            right & LOW,
            (left >> WORD) ^ fourth ^ keys[1],
            left & LOW,
        )
    return np.stack((first, second, third, fourth))


def location_key(location: str) -> int:
    """The 64 bits that stand for a location's id."""
    return int.from_bytes(blake2b(location.encode(), digest_size=8).digest(), "little")


def uniforms(
    seed: int,
    purpose: str,
    *,
    epoch: int,
    locations: NDArray[np.uint64],
    view: int,
    count: int,
    sensor: str | None = None,
) -> NDArray[np.float64]:
    """Independent uniform numbers for each location.

    Args:
        seed: Of the training.
        purpose: What is drawn, such as `crop`: another purpose gets other numbers.
        epoch: From 0, below 2**32.
        locations: (batch,), keys as `location_key` makes them.
        view: Number of the view, from 0, below 65,536.
        count: Numbers for each location, at most 131,072. The first of them do not hang on how many are asked for.
        sensor: Of several, each of which gets other numbers; none where there is one.

    Returns:
        (batch, count), 53 random bits each, 0 or more and below 1.

    Examples:
        >>> both = uniforms(7, "crop", epoch=0, locations=np.array([1, 2], np.uint64), view=0, count=3)
        >>> one = uniforms(7, "crop", epoch=0, locations=np.array([2], np.uint64), view=0, count=3)
        >>> bool((both[1] == one[0]).all())
        True
    """
    purpose = purpose if sensor is None else f"{purpose} of {sensor}"
    words = _words(seed, purpose, epoch=epoch, locations=locations, view=view, blocks=-(-count // 2))
    high, low = words[::2] >> np.uint64(5), words[1::2] >> np.uint64(6)
    numbers = (high * 2.0**26 + low) * 2.0**-53
    return np.ascontiguousarray(numbers.transpose(1, 2, 0).reshape(len(locations), -1)[:, :count])


def permutation(seed: int, purpose: str, *, epoch: int, locations: NDArray[np.uint64]) -> NDArray[np.int64]:
    """A random order of locations.

    Args:
        seed: Of the training.
        purpose: What is drawn, such as `order`.
        epoch: From 0, below 2**32.
        locations: (count,), keys as `location_key` makes them.

    Returns:
        (count,), indexes into `locations`. The order of the locations themselves is the same however they were listed.
    """
    words = _words(seed, purpose, epoch=epoch, locations=locations, view=0, blocks=1)[:, :, 0]
    return np.lexsort((locations, words[0] << WORD | words[1])).astype(np.int64)


def _words(seed: int, purpose: str, *, epoch: int, locations: NDArray[np.uint64], view: int, blocks: int) -> NDArray[np.uint64]:
    """(4, batch, blocks) words: the key is seed and purpose, the counter is location, epoch, view and block."""
    assert 0 <= view < _MOST_VIEWS, f"view {view} does not fit the counter"
    assert blocks <= _MOST_BLOCKS, f"{blocks} blocks do not fit the counter"
    assert 0 <= epoch <= int(LOW), f"epoch {epoch} does not fit the counter"
    key = location_key(f"{seed}:{purpose}")
    counter = np.empty((4, len(locations), blocks), np.uint64)
    counter[0] = (locations & LOW)[:, None]
    counter[1] = (locations >> WORD)[:, None]
    counter[2] = epoch
    counter[3] = np.arange(blocks, dtype=np.uint64) + np.uint64(view * _MOST_BLOCKS)
    return philox(counter, (key & 0xFFFFFFFF, key >> 32))

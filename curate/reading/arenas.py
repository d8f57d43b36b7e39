"""How much memory the C library keeps for itself while many threads fetch and decode."""

from __future__ import annotations

import ctypes

ARENAS = 2
"""Places that threads take memory from, at most. glibc has up to eight per core, and each keeps what was freed in it: a build
of 800 patches peaked at 510 MB, and at 444 MB with two of them, no slower (`python -m tests.benchmarks.curation FOLDER --whole
800`)."""
KEPT_BYTES = 4 << 20
"""Blocks up to this size are taken from an arena, and twice as much that was freed stays in it: else each fetched and each
inflated block, of one and of two megabytes, is new memory that the system has to clear first: a tenth of the CPU time of a
reading, half of it where only as much stays. With four times as much a build of 800 patches peaks 20 MB higher."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""`M_TRIM_THRESHOLD`, `M_MMAP_THRESHOLD` and `M_ARENA_MAX` of glibc's malloc.h."""


def limit_arenas() -> bool:
    """Have this process keep to `ARENAS` and reuse their memory; gives whether it does, which not every C library may.

    References:
        mallopt(3).
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    options = ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, KEPT_BYTES), (_TRIM_THRESHOLD, 2 * KEPT_BYTES))
    are_set = [bool(set_option(option, value)) for option, value in options]
    return all(are_set)

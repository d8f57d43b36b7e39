"""How much memory the C library keeps for itself while many threads fetch and decode."""

from __future__ import annotations

import ctypes

ARENAS = 2
"""Places that threads take memory from, at most. glibc has up to eight per core, and each keeps what was freed in it: a build
of 800 patches peaked at 510 MB, and at 444 MB with two of them, no slower (`python -m tests.benchmarks.curation FOLDER --whole
800`)."""
_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""


def limit_arenas() -> bool:
    """Have this process keep to `ARENAS`; gives whether it does, which a C library other than glibc may not.

    References:
        mallopt(3).
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_option(_ARENA_MAX, ARENAS))

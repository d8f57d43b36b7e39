"""Memory that many threads have taken and freed goes back, instead of staying with each."""

import platform
import subprocess
import sys

import pytest

TAKE_AND_FREE = """
import ctypes, sys, threading
from curate.reading.arenas import limit_arenas
if sys.argv[1] == "limited":
    assert limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
together = threading.Barrier(16)
def take():
    together.wait()
    taken = [libc.malloc(1000) for _ in range(2000)]
    together.wait()
    for each in taken:
        libc.free(each)
threads = [threading.Thread(target=take) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with open("/proc/self/maps") as maps:
    print(sum(64 << 20 >= int(e, 16) - int(s, 16) >= 130 << 10 and int(s, 16) % (64 << 20) == 0
              for s, e in (line.split()[0].split("-") for line in maps)))
"""


def count_arenas(how):
    done = subprocess.run([sys.executable, "-c", TAKE_AND_FREE, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such arenas")
def test_threads_share_two_arenas():
    assert count_arenas("limited") <= 2 < count_arenas("as it is")

"""What GDAL fetches from servers, as GDAL itself counts it.

rasterio does not pass these counts on. They are asked of the library that it is linked with, by the names of C functions that
GDAL documents; where these are not found, as with a GDAL before 3.2 or on Windows, nothing is told.

References:
    GDAL, "VSI*L file API": VSINetworkStatsGetAsSerializedJSON; configuration option CPL_VSIL_NETWORK_STATS_ENABLED.
"""

from __future__ import annotations

import ctypes
import json
from functools import cache
from importlib import import_module
from threading import Lock

LONGEST = 1 << 20
"""Characters of GDAL's report, which lists every file, from which it is begun anew."""


@cache
def begin_counting() -> ctypes.CDLL | None:
    """Have GDAL count from now on; to be called before it opens a file.

    Returns:
        Its library, the same each time; none where it cannot be asked.
    """
    try:
        library = ctypes.CDLL(str(import_module("rasterio._base").__file__))
        library.VSINetworkStatsGetAsSerializedJSON.argtypes = [ctypes.c_void_p]
        library.VSINetworkStatsGetAsSerializedJSON.restype = ctypes.c_void_p
        library.VSIFree.argtypes = [ctypes.c_void_p]
        library.VSIFree.restype = None
        library.CPLSetConfigOption(b"CPL_VSIL_NETWORK_STATS_ENABLED", b"YES")
        library.VSINetworkStatsReset()  # it may have found the option unset before
    except (AttributeError, ImportError, OSError):
        return None
    return library


class NetworkCounts:
    """What GDAL has fetched in this process since it was asked last; any thread may ask."""

    def __init__(self) -> None:
        """Nothing has been told yet."""
        self._lock = Lock()
        self._told = (0, 0)

    def take(self) -> tuple[int, int] | None:
        """What came since, each byte told once.

        GDAL does not say for whom it fetched: what other threads caused meanwhile is among it. What comes in the instant in
        which a long report is begun anew is lost.

        Returns:
            (requests, bytes of bodies); none where GDAL cannot be asked.
        """
        library = begin_counting()
        if library is None:
            return None
        with self._lock:
            text = _report(library)
            methods = json.loads(text or b"{}").get("methods", {}).values()
            total = sum(each["count"] for each in methods), sum(each.get("downloaded_bytes", 0) for each in methods)
            if total[0] < self._told[0]:  # somebody else began it anew
                self._told = (0, 0)
            since = total[0] - self._told[0], total[1] - self._told[1]
            self._told = total
            if len(text) > LONGEST:
                library.VSINetworkStatsReset()
                self._told = (0, 0)
            return since


def _report(library: ctypes.CDLL) -> bytes:
    place = library.VSINetworkStatsGetAsSerializedJSON(None)
    if not place:
        return b""
    try:
        return ctypes.string_at(place)
    finally:
        library.VSIFree(place)


fetched_by_gdal = NetworkCounts()
"""Of this process."""

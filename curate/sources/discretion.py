"""What the logs of other people's libraries must not tell: the queries of addresses, which may sign them, and who asks."""

from __future__ import annotations

import logging
import re

LOGGERS = (
    "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry",
    "pystac_client.stac_api_io", "rasterio", "rasterio._base", "rasterio._env", "rasterio._err", "rasterio._io", "rasterio.env",
)  # fmt: skip
"""That tell of addresses: urllib3 of a malformed header as a warning and of each request where somebody debugs, as
pystac-client does with all its headers, rasterio of each file that it opens, and GDAL through it of each that it cannot
read."""
_QUERY = re.compile(r"\?[^\s\"'<>]*")
_AUTHORIZATION = re.compile(r"(authorization['\"]?\s*[:=]\s*['\"]?)[^\s'\"][^'\"\r\n]*", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^\s/\"'<>@?#]+@")


def without_queries(text: str) -> str:
    """A text without the queries of the addresses in it, without users and passwords before their hosts, or in a header.

    Examples:
        >>> without_queries("GET https://me:pw@host/a.tif?token=abc failed")
        'GET https://host/a.tif?... failed'
    """
    return _AUTHORIZATION.sub(r"\1...", _USER.sub("", _QUERY.sub("?...", text)))


def hide_queries() -> None:
    """Leave the queries of addresses, and users and passwords before their hosts, out of what is logged from now on."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_hide)


def _hide(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_queries(record.getMessage()), ()
    return True

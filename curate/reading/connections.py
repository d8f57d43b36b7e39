"""Connections to one host, that can all be cut at once from another thread.

Proxies and certificates are the environment's, as they are for searches.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import make_headers

from curate.sources.discretion import hide_queries

if TYPE_CHECKING:
    from curate.reading.addresses import Place
    from curate.reading.retries import Patience

hide_queries()


class OpenSockets:
    """The sockets of all connections."""

    def __init__(self, opened: Callable[[], None]) -> None:
        """Know none yet.

        Args:
            opened: Called when a connection stands.
        """
        self.opened = opened
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()
        self._cut = False

    def add(self, opened: socket.socket) -> None:
        """Take up a socket, connected or about to be; one that comes after the cut is cut."""
        with self._lock:
            self._sockets.add(opened)
            if self._cut:
                _shut(opened)

    def cut(self) -> None:
        """End whatever is sent or received, so that no thread waits for a byte any more."""
        with self._lock:
            self._cut = True
            for opened in self._sockets:
                _shut(opened)


def open_pool(place: Place, most: int, patience: Patience, sockets: OpenSockets) -> HTTPConnectionPool:
    """Connections to the host of a file, made as they are needed.

    Args:
        place: The file.
        most: Connections at once; who wants another one waits.
        patience: How long one takes to open, and how long it may be silent.
        sockets: Where they are taken up.
    """
    from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

    proxy = select_proxy(place.address, get_environ_proxies(place.address))
    secure, host, port = place.scheme == "https", place.host, place.port
    options: dict[str, Any] = {
        "maxsize": most,
        "block": True,
        "timeout": Timeout(connect=patience.connect_s, read=patience.stall_s),
        "sockets": sockets,
    }
    if proxy:
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        user = ":".join(get_auth_from_url(proxy))
        through = ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=user) if user != ":" else None)
        options |= {name: value for name, value in through.connection_pool_kw.items() if name.startswith("_proxy")}
        if not secure and through.proxy is not None:  # it is asked itself, for whole addresses
            secure, host, port = through.proxy.scheme == "https", through.proxy.host or "", through.proxy.port or 80
    if secure:
        return _SecurePool(host, port, ca_certs=_certificates(), **options)
    return _Pool(host, port, **options)


def _certificates() -> str:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH


class _Connection(HTTPConnection):
    """A connection that tells of its socket."""

    def __init__(self, *args: Any, sockets: OpenSockets, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sockets = sockets

    def _new_conn(self) -> socket.socket:
        return _dial(self, self._sockets)

    def connect(self) -> None:
        super().connect()
        assert self.sock is not None, "a connection that stands has a socket"
        self._sockets.add(self.sock)
        self._sockets.opened()


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS: here `super()` of the methods above is urllib3's secure connection."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _dial(connection: HTTPConnection, sockets: OpenSockets) -> socket.socket:
    """Connect as urllib3 does, with a socket that is known before, so that a silent host can be left at once."""
    try:
        return _connect(connection, sockets)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no connection in time") from error
    except OSError as error:
        raise NewConnectionError(connection, "no connection") from error


def _connect(connection: HTTPConnection, sockets: OpenSockets) -> socket.socket:
    failure: OSError | None = None
    name = connection._dns_host.strip("[]")  # noqa: SLF001 # with the dot at its end that `host` lacks
    for family, kind, protocol, _, place in socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM):
        opened = socket.socket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                opened.setsockopt(*option)
            opened.settimeout(connection.timeout)
            sockets.add(opened)
            opened.connect(place)
        except OSError as error:
            opened.close()
            failure = error
        else:
            return opened
    raise failure or OSError("its name has no address")


def _shut(opened: socket.socket) -> None:
    try:
        socket.socket.shutdown(opened, socket.SHUT_RDWR)  # past TLS, whose state the thread that reads still needs
    except OSError:  # not connected yet, or no more
        return

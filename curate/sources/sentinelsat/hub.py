"""A hub of ESA's Data Hub System (DHuS), asked through `sentinelsat`: what it finds, what it says of a product, its bytes.

The package is imported where it is used, for it is an extra (GPL). Its requests wait for ever, and its log repeats what a hub
says of its user; here each request has its time, busy hubs are asked again, and the log is silent.

References:
    sentinelsat 1.2.1, https://sentinelsat.readthedocs.io; DHuS, "Open Search API" and "Open Data Protocol (OData) API".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curate.sources.documents import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, patience
from curate.sources.protocol import LonLatBox
from curate.sources.sentinelsat.account import checked_address, find_account, require_package
from curate.sources.sentinelsat.refusals import told

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from sentinelsat import SentinelAPI

PRODUCT_TYPES = {"sentinel-2-l2a": {"S2MSI2A", "S2MSI2Ap"}, "sentinel-2-l1c": {"S2MSI1C"}}
"""By sensor; `p` is the pilot production of 2017."""
CHECKSUMS = ("sha3-256", "md5")
A_SEARCH = "a search"


@dataclass(frozen=True, slots=True)
class HubProduct:
    """What a hub says of a product."""

    uuid: str
    """Its id at the hub."""
    title: str
    """Its name, without `.SAFE`."""
    size: int
    """Bytes of its zip file."""
    checksum: tuple[str, str]
    """Name of the algorithm, one of `CHECKSUMS`, and the value, hexadecimal."""


class Hub:
    """One hub, with its user's account; any thread may ask."""

    def __init__(self, address: str) -> None:
        """Ask nothing yet.

        Args:
            address: Of the hub, `http(s)://`.

        Raises:
            CurateError: It is no address of a hub that can work, there are no credentials, or the package is not installed.
        """
        self.address = checked_address(address)
        require_package()
        self._account = find_account(self.address)

    @property
    def host(self) -> str:
        """Its name, with a port where that is unusual."""
        return urlsplit(self.address).netloc

    def find(
        self, sensor: str, box: LonLatBox, span: tuple[datetime, datetime], *, max_scene_cloud: float
    ) -> Mapping[str, Mapping[str, Any]]:
        """What a hub's search knows of all products of a sensor, by their ids there, page by page.

        Args:
            sensor: Of `PRODUCT_TYPES`.
            box: (west, south, east, north), degrees.
            span: First and last instant at which recording may begin.
            max_scene_cloud: Percent of a whole tile above which none is asked for.

        Raises:
            SourceUnavailableError: The hub does not answer, or refuses.
        """
        west, south, east, north = box
        wanted: dict[str, Any] = {"platformname": "Sentinel-2", "producttype": PRODUCT_TYPES[sensor]}
        if max_scene_cloud < 100:
            wanted["cloudcoverpercentage"] = (0, max_scene_cloud)
        with told(self.address, A_SEARCH):
            found: Mapping[str, Mapping[str, Any]] = self._api.query(
                f"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))",
                tuple(when.astimezone(UTC) for when in span),
                order_by="beginposition",
                **wanted,
            )
        return found

    def count(self) -> int:
        """How many products of Sentinel-2 it has: a cheap question.

        Raises:
            SourceUnavailableError: It does not answer, or refuses.
        """
        with told(self.address, A_SEARCH):
            return int(self._api.count(platformname="Sentinel-2"))

    def product(self, uuid: str, title: str) -> HubProduct:
        """What a product's file is.

        Args:
            uuid: Its id at the hub.
            title: Its name, for messages.

        Raises:
            SourceUnavailableError: The hub does not answer, refuses, or has no such product.
        """
        with told(self.address, title):
            found = self._api.get_product_odata(uuid)
            checksum = next((name, str(found[name]).lower()) for name in CHECKSUMS if name in found)
            return HubProduct(uuid, title, int(found["size"]), checksum)

    @contextmanager
    def stream(self, product: HubProduct, start: int) -> Iterator[Response]:
        """The bytes of a product's file from one on, or all of them: the answer's headers say which.

        Raises:
            SourceUnavailableError: The hub does not answer, refuses, or has it in its archive; then it was ordered from there.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        with told(self.address, product.title), self._api.get_stream(product.uuid, headers=headers) as answer:
            yield answer

    @cached_property
    def _api(self) -> SentinelAPI:
        from sentinelsat import SentinelAPI

        api = SentinelAPI(*self._account, api_url=self.address, show_progressbars=False)
        adapter = _timely_adapter()
        for scheme in ("http://", "https://"):
            api.session.mount(scheme, adapter)
        silent = logging.Logger("sentinelsat")  # noqa: LOG001 # of its own, so that no handler of the user's shows it
        silent.addHandler(logging.NullHandler())
        api.logger = api.downloader.logger = silent
        return api


def _timely_adapter() -> Any:
    from requests.adapters import HTTPAdapter

    class TimelyAdapter(HTTPAdapter):
        """Waits for an answer as long as others do, and asks a busy server again."""

        def send(self, request: PreparedRequest, **options: Any) -> Response:  # type: ignore[override] # all go by name
            """Send with a time-out."""
            return super().send(request, **options | {"timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)})

    return TimelyAdapter(max_retries=patience())

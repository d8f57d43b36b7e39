"""What is known of the measurements that are read: their annotation and calibration, fetched once and kept for a while.

The two documents of a polarisation are some 2 MB together, once per scene, whatever number of squares is read of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from catalogs.foreign import SourceBand
from catalogs.secrets import without_secrets
from curate.errors import HostDownError, SourceUnavailableError
from curate.sources.sentinel1.addresses import documents_of
from curate.sources.sentinel1.annotation import Annotation, Calibration, read_annotation, read_calibration

if TYPE_CHECKING:
    from curate.reading.transport import Transport

PIECE_BYTES = 4 << 20
"""Asked for at once: nearly every document whole."""
LONGEST_BYTES = 64 << 20
"""Of a document; a longer one is none."""
KEPT = 128
"""Measurements that are remembered, some 0.3 MB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What turns an image of the radar into sigma nought on the ground."""

    annotation: Annotation
    """Where its pixels lie."""
    calibration: Calibration
    """What its numbers are divided by."""


class Measurements:
    """The measurements that were asked for last; any thread may ask."""

    def __init__(self, transport: Transport, *, fetchers: int) -> None:
        """Fetch nothing yet.

        Args:
            transport: By which documents are fetched.
            fetchers: Documents at once at most.
        """
        self._transport, self._fetchers = transport, fetchers
        self._known: OrderedDict[str, Future[Measurement]] = OrderedDict()
        self._lock = Lock()

    def read_all(self, bands: Iterable[SourceBand]) -> dict[str, Measurement | SourceUnavailableError]:
        """By address, what is known of bands, or why it cannot be had; they are fetched at the same time."""
        distinct = {band.href: band for band in bands}
        with self._lock:
            unknown = [band for href, band in distinct.items() if href not in self._known]
        found = {}
        if unknown:
            with ThreadPoolExecutor(min(self._fetchers, len(unknown)), thread_name_prefix="annotation") as pool:
                found = dict(zip((band.href for band in unknown), pool.map(self._try, unknown), strict=True))
        return {href: found.get(href) or self._try(band) for href, band in distinct.items()}

    def _try(self, band: SourceBand) -> Measurement | SourceUnavailableError:
        try:
            return self._get(band)
        except SourceUnavailableError as error:
            return error

    def _get(self, band: SourceBand) -> Measurement:
        """A measurement; another thread that asks for the same one meanwhile waits for it."""
        with self._lock:
            known = self._known.get(band.href)
            if known is not None:
                self._known.move_to_end(band.href)
            else:
                mine: Future[Measurement] = Future()
                self._known[band.href] = mine
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            mine.set_result(self._read(band))
        except BaseException as error:  # noqa: BLE001 # whoever waits for it must be told
            with self._lock:
                self._known.pop(band.href, None)
            mine.set_exception(error)
        return mine.result()

    def _read(self, band: SourceBand) -> Measurement:
        files = documents_of(band)
        annotation = read_annotation(self._document(files.annotation, "annotation"), files.annotation)
        if annotation.polarisation != files.polarisation:
            raise SourceUnavailableError(
                f"{without_secrets(files.annotation)} is of polarisation {annotation.polarisation}; expected "
                f"{files.polarisation}, as its name says. Tell its provider, or take another scene."
            )
        return Measurement(annotation, read_calibration(self._document(files.calibration, "calibration"), files.calibration))

    def _document(self, href: str, what: str) -> bytes:
        try:
            return fetch_whole(self._transport, href)
        except HostDownError:
            raise
        except SourceUnavailableError as error:
            raise SourceUnavailableError(
                f"Without its {what} a radar image cannot be calibrated and brought to the ground: {error}"
            ) from None


def fetch_whole(transport: Transport, href: str) -> bytes:
    """All of a small file.

    Raises:
        SourceUnavailableError: It cannot be had, or is far too long.
    """
    content = b""
    while len(content) < LONGEST_BYTES:
        fetched = transport.fetch(href, len(content), len(content) + PIECE_BYTES)
        content += fetched.content
        if len(fetched.content) < PIECE_BYTES or fetched.size == len(content):
            return content
    raise SourceUnavailableError(
        f"{without_secrets(href)} is longer than {LONGEST_BYTES >> 20} MB; expected a document of some 2 MB. Tell its provider."
    )

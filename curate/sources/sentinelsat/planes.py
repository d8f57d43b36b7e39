"""Planes of products at a DHuS hub: each is downloaded when the first of its bands is asked for, then read as a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from catalogs.foreign import SourceBand, SourceScene
from catalogs.secrets import without_secrets
from curate.errors import SourceUnavailableError, StoppedError
from curate.fetch import Plane, PlaneAsk
from curate.planes import FilePlanes
from curate.reading.counts import Counts
from curate.sources.safe.product import read_product
from curate.sources.sentinelsat.downloads import Downloads
from curate.sources.sentinelsat.scenes import ProductBand, read_href

Key = TypeVar("Key", bound=Hashable)


class HubPlanes:
    """Reads planes of whole products; see `curate.planes.PlaneReader`."""

    gathers = True

    def __init__(self, downloads: Downloads, files: FilePlanes) -> None:
        """Download nothing yet.

        Args:
            downloads: Of the hub.
            files: Reads what was downloaded; closed with this.
        """
        self.turn = files.turn
        self.outage = files.outage
        self._downloads = downloads
        self._files = files

    @property
    def fetched(self) -> Counts:
        """What was downloaded so far."""
        return self._downloads.counts.snapshot()

    def read(self, asks: Sequence[tuple[Key, PlaneAsk]]) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        """Each plane once its product is there; fewer where it is stopped."""
        by_product: dict[str, list[tuple[Key, PlaneAsk, ProductBand]]] = defaultdict(list)
        for key, ask in asks:
            band = read_href(ask.band.href)
            by_product[band.uuid].append((key, ask, band))
        products = [(uuid, wanted[0][2].title) for uuid, wanted in by_product.items()]
        try:
            for uuid, place in self._downloads.fetch_all(products):
                yield from self._read_product(place, by_product[uuid])
        except StoppedError:
            return

    def stop(self) -> None:
        """Give up downloads and wake all that waits."""
        self._downloads.stop()
        self._files.stop()

    def close(self) -> None:
        """Give up downloads and let go of threads."""
        self._downloads.stop()
        self._files.close()

    def _read_product(
        self, place: Path | SourceUnavailableError, wanted: Sequence[tuple[Key, PlaneAsk, ProductBand]]
    ) -> Iterator[tuple[Key, Plane | SourceUnavailableError]]:
        hrefs = {key: ask.band.href for key, ask, _ in wanted}
        local: list[tuple[Key, PlaneAsk]] = []
        for key, ask, band in wanted:
            try:
                local.append((key, replace(ask, band=band_in_product(place, ask.band, band))))
            except SourceUnavailableError as error:
                yield key, error
        for key, plane in self._files.read(local):
            if isinstance(plane, SourceUnavailableError):
                yield key, plane
            else:
                yield key, replace(plane, source=replace(plane.source, href=hrefs[key]))


def band_in_product(place: Path | SourceUnavailableError, stated: SourceBand, band: ProductBand) -> SourceBand:
    """The file of a band in a product that is there, once its metadata agree with what was known before.

    Args:
        place: The product's zip file, or why there is none.
        stated: The band, as the search gave it.
        band: Which it is.

    Raises:
        SourceUnavailableError: There is no product, it is damaged or another, or its metadata state another scale or offset.
    """
    if isinstance(place, SourceUnavailableError):
        raise place
    product = _product(place)
    if product.id != band.title:
        raise SourceUnavailableError(
            f"{without_secrets(place.as_posix())} holds {product.id}; expected {band.title}. Remove that file, then run the "
            "same command again, and it is downloaded."
        )
    found = product.bands[band.band]
    if (found.scale, found.offset) != (stated.scale, stated.offset):
        raise SourceUnavailableError(
            f"{band.title} states scale {found.scale} and offset {found.offset} of {band.band} in its metadata; expected "
            f"{stated.scale} and {stated.offset}, as of its processing baseline. Give the folder that holds it as --source: "
            "that goes by the metadata."
        )
    return found


@lru_cache(maxsize=64)
def _product(place: Path) -> SourceScene:
    return read_product(place)

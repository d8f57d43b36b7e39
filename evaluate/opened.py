"""A catalog opened for an evaluation, whatever is asked of it: items of one sensor, and their pixels by the names of bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalogs.cache import cache_for
from catalogs.items import Items
from catalogs.reader import Catalog, open_catalog
from catalogs.stack import Stack
from evaluate.band_matching import BandReader, read_fill, shows_pictures
from evaluate.errors import InputError, LabelError
from evaluate.settings import Settings
from train.config import InputSpec


@dataclass(frozen=True, eq=False)
class Opened:
    """Items of one sensor, and their pixels."""

    reader: BandReader
    """Opens their pixels by the names that weights have for bands."""
    stack: Stack
    """Their pixels, with the bands for whatever says nothing of its own."""
    size_px: int
    """Side of the image for whatever says nothing of its own."""

    @property
    def catalog(self) -> Catalog:
        """Where they are."""
        return self.reader.catalog

    @property
    def items(self) -> Items:
        """All items of the sensor (and season), labelled or not, in the order of their ids: the rows of tables and stacks."""
        return self.reader.items

    def pixels(self, bands: Sequence[str], made_for: str | None = None) -> Stack:
        """The same items with the bands that weights ask for; see `BandReader.open`.

        Args:
            bands: As the weights call them.
            made_for: Id of the sensor that the weights were made for; the catalog's own where absent.

        Raises:
            MissingBandError: Some items lack one, and it is not filled.
            InputError: What is filled cannot be, or need not be.
        """
        sensor = self.stack.sensor
        is_filled = not self.reader.fill.keys().isdisjoint(bands)
        is_alike = shows_pictures(made_for or sensor) == shows_pictures(sensor)
        if self.stack.bands == tuple(bands) and is_alike and not is_filled:
            return self.stack
        return self.reader.open(bands, made_for)


def find_sensors(href: str, settings: Settings) -> Sequence[str]:
    """Ids of the sensors that may be asked about: the one that is chosen, or all that a catalog has.

    Args:
        href: Its path or address.
        settings: With the sensor, if it is chosen.

    Raises:
        CatalogError: The catalog cannot be read.
    """
    return (settings.sensor,) if settings.sensor else open_catalog(href).sensors


def open_reader(href: str, settings: Settings, like: InputSpec | None) -> BandReader:
    """Open a catalog and find the items that are asked about.

    Args:
        href: Its path or address.
        settings: Sensor and season, as far as they are chosen; fills, white and cache.
        like: Input of the weights that decide what was left open.

    Raises:
        InputError: The sensor is left open, and cannot be told; or a fill is none.
        LabelError: There are no such items.
        CatalogError: The catalog cannot be read.
    """
    catalog = open_catalog(href)
    sensor = settings.sensor or _choose_sensor(catalog, like)
    items = _in_order(catalog.items(sensor=sensor, season=settings.season))
    if not len(items):
        which = "" if settings.season is None else f" of season {settings.season}"
        raise LabelError(f"{catalog} has no item of {sensor}{which}. curate info counts what there is.")
    return BandReader(catalog, items, sensor, read_fill(settings.fill), settings.white, cache_for(href, settings.cache))


def open_pixels(reader: BandReader, settings: Settings, like: InputSpec | None) -> Opened:
    """Open the pixels for whatever says nothing of its own.

    Args:
        reader: Of the items.
        settings: Bands and size, as far as they are chosen.
        like: Input of the weights that decide what was left open.

    Raises:
        MissingBandError: The catalog lacks a band.
    """
    stack = reader.chosen(settings.bands, like)
    return Opened(reader, stack, settings.size_px or (like.size_px if like else stack.layers[0].height))


def _in_order(items: Items) -> Items:
    """The items in the order of their ids, so that nothing that is drawn or measured hangs on the catalog's own order."""
    ids = np.asarray(items.table["id"].to_pylist(), dtype=np.str_)
    order = np.argsort(ids, kind="stable")
    return items if (np.diff(order) > 0).all() else Items(items.picks.at(order))


def _choose_sensor(catalog: Catalog, like: InputSpec | None) -> str:
    """The sensor of the weights, or the only one."""
    if like and like.sensor in catalog.sensors:
        return like.sensor
    if len(catalog.sensors) == 1:
        return catalog.sensors[0]
    raise InputError(
        f"{catalog} has items of {', '.join(catalog.sensors) or 'no sensor'}. "
        f"Say which to score, such as --sensor {next(iter(catalog.sensors), 'sentinel-2-l2a')}."
    )

"""What people should know of a provider before they choose it: what it has, what it needs, what it allows.

Each provider's file states this once, as `ABOUT`; `curate sources` prints it, the catalog's collections repeat host and terms.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalogs.bands import find_sensor
from catalogs.records import Band

FREE, ACCOUNT, PAID = "free, no account", "free account", "paid"
"""What reading a product takes, the easiest first."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a provider has of one sensor."""

    sensor: str
    """Our id of the sensor."""
    collection: str
    """The provider's own name of it."""
    years: str
    """Of acquisition, such as `2015-`."""
    note: str = ""
    """What is peculiar to it: that its requester pays, which bands it lacks; empty where nothing is."""
    redistributable: bool = True
    """Whether what was built from it may be handed on, as far as its own owner is concerned; see `Provider.redistributable`."""
    lacks: tuple[str, ...] = ()
    """Bands of the sensor, its mask among them, that no scene of it has."""
    access: str = FREE
    """What reading it takes: `FREE`, `ACCOUNT` or `PAID`."""

    @property
    def bands(self) -> tuple[Band, ...]:
        """The sensor's bands that it has."""
        return tuple(band for band in find_sensor(self.sensor).bands if band.name not in self.lacks)

    @property
    def mask(self) -> Band | None:
        """The sensor's mask, if there is one and it has it."""
        mask = find_sensor(self.sensor).mask
        return mask if mask and mask.name not in self.lacks else None


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who has scenes."""

    name: str
    """What the user writes after `--source`."""
    title: str
    """For people."""
    url: str
    """Of its page for people."""
    products: tuple[Product, ...]
    """What it has that we can read."""
    account: str
    """What a user needs beforehand: `none`, or in a few words what."""
    setup: str
    """How a user gets and gives that: variables of the environment, commands; empty where nothing is needed."""
    limits: str
    """Of requests, connections and volume, in a few words."""
    terms: str
    """Licence of the pixels in words, and what it asks for."""
    detail: str = ""
    """What may follow the name after a colon, in a few words, such as `a project`; empty where nothing may. The
    module's `check` takes it."""
    extra: str | None = None
    """Extra of this package that has to be installed: `pip install 'seastars[EXTRA]'`."""
    redistributable: bool = True
    """Whether what was built from it may be handed on; where not, the catalog's collections say so and `share` refuses."""

    @property
    def host(self) -> dict[str, object]:
        """STAC provider object, for the collections of a catalog that was built from it."""
        return {"name": self.title, "roles": ["host"], "url": self.url}

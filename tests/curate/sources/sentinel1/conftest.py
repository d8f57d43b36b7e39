"""A product over a place in France, read from a folder."""

import numpy as np
import pytest

from catalogs.lattice import squares_around, transformer
from catalogs.records import Location
from tests.curate.sources.sentinel1.orbit import Orbit
from tests.curate.sources.sentinel1.products import NAME, write_product

PLACE = (2.6, 48.4)
EPSG = 32631
SIZE = {"height": 640, "width": 700}


def swells(lon, lat):
    """Sigma nought of waves some 400 m long, whose height is a function of the ground alone."""
    x, y = transformer(4326, EPSG).transform(lon, lat)
    return 0.1 * (1 + 0.5 * np.sin(x / 70) * np.cos(y / 60))


def square_at(lon, lat, name="place-000000", side_m=600):
    epsg, bounds = squares_around([lon], [lat], side_m)
    return Location(name, int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")


@pytest.fixture(scope="session")
def orbit():
    return Orbit.over(*PLACE, ascending=False, **SIZE)


@pytest.fixture(scope="session")
def product(orbit, tmp_path_factory):
    """Swells, with a border of 40 pixels that were not measured on the image's left."""
    folder = tmp_path_factory.mktemp("bucket") / NAME

    def power_of(lon, lat):
        power = swells(lon, lat)
        power[:, :40] = np.nan
        return power

    return write_product(folder, orbit, power_of)

"""A labelled catalog whose labels can be told from its pixels."""

from dataclasses import replace

import numpy as np
import pytest

from catalogs import testing

LABELS = ("forest", "heath", "water")
LOCATIONS = 24


def striped_scene(sensor, location, season, *, seed):
    """A scene with stripes as wide as its location's class says: seen by a network, not by means and deviations."""
    scene, patches = make_scene(sensor, location, season, seed=seed)
    width = 2 ** (1 + int(location.id[-6:]) % len(LABELS))
    striped = []
    for patch in patches:
        columns = np.arange(patch.pixels.shape[2]) * round(patch.grid.gsd / 10)
        stripes = (600 * (columns // width % 2)).astype(patch.pixels.dtype)
        striped.append(patch if patch.is_mask else replace(patch, pixels=patch.pixels + stripes))
    return scene, striped


make_scene = testing.make_scene


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """24 locations of 3 classes with two dates each: 12 for training, 6 of val, 6 of test."""
    folder = tmp_path_factory.mktemp("catalogs") / "labelled"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(testing, "make_scene", striped_scene)
        return testing.make_catalog(folder, locations=testing.make_locations(LOCATIONS, side_m=480), labels=LABELS)


@pytest.fixture(scope="session")
def rastered(tmp_path_factory):
    """12 locations of 24 x 24 pixels with two dates each, and label rasters of brightness and of its change; see `testing`."""
    classes = {"labels": ("dark", "middle", "bright"), "change": ("unchanged", "changed")}
    folder = tmp_path_factory.mktemp("catalogs") / "rastered"
    return testing.make_catalog(folder, locations=testing.make_locations(12, side_m=240), label_rasters=classes)

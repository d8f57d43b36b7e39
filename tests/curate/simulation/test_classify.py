import numpy as np

from catalogs.masks import is_clear
from curate.simulation.atmosphere import Sky
from curate.simulation.classify import classify_scene, judge_quality

GREEN, SOIL, WATER = 0, 2, 6


def pixels(**values):
    """A row of pixels under an open sky, but for what is given."""
    count = max((len(value) for value in values.values()), default=1)
    defaults = {"cloud": -1.0, "shade": -1.0, "cirrus": 0.0, "haze": 0.0, "light": 1.0, "edge": 100.0}
    fields = [np.array([values.get(name, [default] * count)], np.float32) for name, default in defaults.items()]
    return Sky(*fields)


def ground(*materials):
    mixture = np.zeros((10, 1, len(materials)), np.float32)
    for index, material in enumerate(materials):
        mixture[material, 0, index] = 1
    return mixture


def test_land_under_an_open_sky_is_vegetation_soil_or_water():
    assert classify_scene(ground(GREEN, SOIL, WATER), pixels(cloud=[-1] * 3)).tolist() == [[4, 5, 6]]


def test_clouds_shadows_cirrus_and_missing_data_come_before_the_land():
    sky = pixels(
        cloud=[-1, 0.07, 0.2, 1, -1, -1, 1, 1], shade=[1, 1, -1, 1, -1, 0.1, -1, 1], cirrus=[0, 0, 0.06, 0, 0.06, 0, 0, 0],
        edge=[1, 1, 1, 1, 1, 1, 1, -1],
    )  # fmt: skip
    assert classify_scene(ground(*[GREEN] * 8), sky).tolist() == [[3, 7, 8, 9, 10, 4, 9, 0]]


def test_landsats_bits_are_those_that_usgs_writes():
    sky = pixels(cloud=[-1, 1, -1, -1, 1], shade=[-1, -1, 1, -1, -1], edge=[1, 1, 1, 1, -1])
    found = judge_quality(ground(GREEN, GREEN, GREEN, WATER, GREEN), sky)
    assert found.tolist() == [[21824, 22280, 23888, 21952, 1]]
    assert found.dtype == np.uint16


def test_the_neighbourhood_of_a_cloud_is_dilated_cloud():
    found = judge_quality(ground(GREEN, GREEN), pixels(cloud=[-0.05, -0.2]))
    assert (found & 2).tolist() == [[2, 0]]
    assert is_clear(found, "qa_pixel").tolist() == [[False, True]]


def test_both_masks_agree_on_what_is_clear():
    rng = np.random.default_rng(0)
    sky = pixels(
        cloud=rng.normal(0, 0.5, 500).round(3), shade=rng.normal(0, 0.5, 500), cirrus=rng.uniform(0, 0.04, 500), edge=[1] * 500
    )
    mixture = ground(*[GREEN] * 500)
    scl, quality = is_clear(classify_scene(mixture, sky), "scl"), is_clear(judge_quality(mixture, sky), "qa_pixel")
    edge = (sky.cloud > -0.1) & (sky.cloud <= 0.1)
    assert np.array_equal(scl[~edge], quality[~edge])

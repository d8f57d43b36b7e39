"""Whether the scenes of a provider have the bands that `curate sources` says it has."""

from importlib import import_module

from curate.sources import PROVIDERS


def assert_bands_as_told(name, scenes):
    """Scenes of one sensor have all bands that the provider tells of, one with another, and none that it does not."""
    (sensor,) = {scene.sensor for scene in scenes}
    (product,) = [each for each in import_module(PROVIDERS[name]).ABOUT.products if each.sensor == sensor]
    told = {band.name for band in (*product.bands, product.mask) if band}
    assert {band for scene in scenes for band in scene.bands} == told, f"{name} and its {sensor}"

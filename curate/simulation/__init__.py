"""A deterministic world: land, seasons and sky as a pure function of (seed, position on the globe, time).

Nothing is stored and nothing is drawn from a generator, so any number of locations costs nothing and every process sees the
same. Read it from the bottom up:

    noise -> ground                      numbers from places, places of pixels
    covers -> regions -> parcels -> textures -> landscape      the ground as it stays
    phenology, spectra -> mixture        what it wears at a date, as shares of ten materials
    sun, orbits -> tiles -> acquisitions which scenes there are
    atmosphere -> world -> render        what a sensor measures
    truth                                what it ought to be found

It is land everywhere: lakes and rivers there are, but not the coasts of our Earth.
"""

from curate.simulation.covers import COVER_NAMES
from curate.simulation.truth import Truth, cloud_truth, truth

__all__ = ["COVER_NAMES", "Truth", "cloud_truth", "truth"]

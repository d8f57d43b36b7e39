"""What is truly there: the answers that a simulated scene can be marked against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import SourceUnavailableError
from curate.simulation.acquisitions import Acquisition, acquisition_named
from curate.simulation.covers import COVER_NAMES
from curate.simulation.ground import cells_of
from curate.simulation.landscape import cover_of
from curate.simulation.world import World

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from catalogs.foreign import SourceScene
    from catalogs.records import Grid, Location

HREF = re.compile(r"^simulated://world/(-?\d+)/([0-9A-Z]+)/([0-9A-Z_]+)(?:/(\w+))?$")
"""Address of a scene or of one of its bands: seed, tile, id of the scene, band."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The land cover of a location, which does not change with time."""

    cover: NDArray[np.uint8]
    """Cover at the centre of each pixel, an index of `cover_names`, (height, width)."""
    cover_names: tuple[str, ...]
    """What the numbers mean."""
    shift_m: tuple[float, float] = (0.0, 0.0)
    """How far scenes are displaced to the east and north against the ground: not at all, in any sensor."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of the square under each cover."""
        counts = np.bincount(self.cover.ravel(), minlength=len(self.cover_names)) / self.cover.size
        return dict(zip(self.cover_names, counts.tolist(), strict=True))

    @property
    def dominant(self) -> str:
        """The cover with the largest share."""
        return max(self.shares, key=lambda name: self.shares[name])


def truth(location: Location, *, gsd: float = 10.0, seed: int = 0) -> Truth:
    """What a location is made of.

    Args:
        location: Any square of ground.
        gsd: Pixel size of the answer, metres.
        seed: The world's.

    Raises:
        ContractError: The side is not a whole number of such pixels.
    """
    return Truth(cover_of(cells_of(location.grid(gsd)), seed), COVER_NAMES)


def cloud_truth(scene: SourceScene | str, grid: Grid, *, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where clouds are, and where their shadows, at the centres of a grid's pixels; never both.

    Args:
        scene: A scene of the simulated source, or its id.
        grid: In the zone of the scene's tile.
        seed: The world's; a scene that is given whole brings its own.

    Raises:
        SourceUnavailableError: The simulated world has no such scene.
    """
    if not isinstance(scene, str):
        match = HREF.match(next(iter(scene.bands.values())).href)
        scene, seed = scene.id, int(match[1]) if match else seed
    sky = _world(seed).sky(find_acquisition(scene, seed), cells_of(grid))
    return sky.is_cloud(), sky.is_shadow()


def find_acquisition(scene_id: str, seed: int) -> Acquisition:
    """The scene of that id.

    Raises:
        SourceUnavailableError: The simulated world has no such scene.
    """
    found = acquisition_named(scene_id, seed)
    if found is None:
        raise SourceUnavailableError(
            f"The simulated world of seed {seed} has no scene {scene_id!r}. Expected an id that its search gave, such as "
            "SIM_31UDQ_20230712T105619. Search again: scenes depend on the seed and on the version of seastars."
        )
    return found


@lru_cache(maxsize=2)
def _world(seed: int) -> World:
    return World(seed)

"""What a decision wishes to see of scenes, and what it learned of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from catalogs.foreign import SourceScene
from catalogs.masks import MaskShares
from catalogs.records import Radiometry
from catalogs.writer import Patch
from curate.clouds import Judgement
from curate.errors import SourceUnavailableError

Answer = list[Patch] | SourceUnavailableError
"""What was read of a scene: its mask, or its measurements by pixel size; or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Scenes that a decision needs to see before it goes on; it is sent one `Answer` for each, in this order."""

    scenes: tuple[SourceScene, ...]
    """All of which may be read at once."""
    masks: bool
    """Whether their masks are meant, or their measurements."""


@dataclass
class Look:
    """What was learned of one scene over the square."""

    scene: SourceScene
    """Which."""
    mask: Patch | None = None
    """Its own classification; none where it has none, and dropped where it is not clear."""
    shares: MaskShares | None = None
    """Of the mask."""
    patches: list[Patch] = field(default_factory=list)
    """Its measurements, once they are read; dropped where too many are missing."""
    judgement: Judgement | None = None
    """Of a scene without a mask, by its measurements; none where these do not tell."""
    not_clear: float = 0.0
    """Share of the square that is not clear or not measured, percent."""
    missing: float = 0.0
    """Of that, the share without a measurement, by the mask or by the measurements."""
    radiometry: Radiometry | None = None
    """Whether its offset fits its pixels, once that is asked; none of sensors without reflectance."""
    is_weighed: bool = False
    """Whether it was asked."""
    refusal: str | None = None
    """Why it is not used, in words: its offset contradicts its pixels."""
    is_believable: bool = False
    """Of a refused one: whether it can be used by the offset that its pixels call for."""


Given = TypeVar("Given")
Steps = Generator[Wish, Sequence[Answer], Given]
"""Wishes out, answers in, and something in the end."""


def scene_key(scene: SourceScene) -> str:
    """What tells a scene from all others of its source."""
    return f"{scene.sensor}/{scene.id}"


def unless_failed(answer: Answer) -> list[Patch]:
    """What was read.

    Raises:
        SourceUnavailableError: It could not be.
    """
    if isinstance(answer, SourceUnavailableError):
        raise answer
    return answer

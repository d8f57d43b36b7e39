"""Pixels from another source: a copy of an acquisition stands in for a scene that cannot be read."""

from __future__ import annotations

from catalogs.foreign import SourceScene
from curate.choose import Candidate
from curate.errors import HostDownError, SourceUnavailableError
from curate.looks import scene_key


class StandIns:
    """Which copies stand in for the scenes of one decision."""

    def __init__(self) -> None:
        """None does yet."""
        self._scenes: dict[str, SourceScene] = {}
        self._left: dict[str, list[SourceScene]] = {}
        self._errors: dict[str, list[str]] = {}

    def scene(self, scene: SourceScene) -> SourceScene:
        """What is read for a scene: itself, or the copy that stands in for it."""
        return self._scenes.get(scene_key(scene), scene)

    def move_on(self, candidate: Candidate, error: SourceUnavailableError) -> bool:
        """Let the next copy stand in for a candidate whose scene cannot be read.

        Args:
            candidate: Which.
            error: Why not. A host that is down is waited for, here and by the next run: no copy stands in.

        Returns:
            Whether there is another copy.
        """
        key = scene_key(candidate.scene)
        self._errors.setdefault(key, []).append(f"{self.scene(candidate.scene).source}: {error}")
        left = self._left.setdefault(key, copies_elsewhere(candidate))
        if isinstance(error, HostDownError) or not left:
            return False
        self._scenes[key] = left.pop(0)
        return True

    def failure(self, candidate: Candidate, error: SourceUnavailableError) -> SourceUnavailableError:
        """Why neither a candidate's scene nor any copy can be read; the last error itself where no copy was tried."""
        errors = self._errors[scene_key(candidate.scene)]
        if len(errors) == 1:
            return error
        return SourceUnavailableError(f"No source gives {candidate.scene.id}. {' '.join(errors)}")


def copies_elsewhere(candidate: Candidate) -> list[SourceScene]:
    """The same acquisition as other sources have it, that of the preferred one first."""
    elsewhere = [copy for copy in candidate.copies if copy.source != candidate.scene.source]
    return sorted(elsewhere, key=lambda copy: copy.rank)

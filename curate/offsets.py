"""Whether the offset of a scene that was chosen is right: by its own dark pixels, else by other scenes of the same ground.

Others are read only where a scene's own pixels do not tell and its source's word alone is not good enough: that of Earth
Search's `sentinel-2-l2a`, which is wrong both ways now and then, and that of catalogs that we do not know. First the same
acquisition as another provider has it, then other dates. What they say counts where their own offset is beyond doubt. Of one
that cannot be read the next takes the place; where none tells and one could not be read, the season is tried again, for
what a build keeps must not rest on which request failed.

Nobody is asked where whatever they say would be kept (`keep`): its own dark pixels alone are recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from catalogs.bands import find_sensor
from catalogs.foreign import SourceScene
from catalogs.radiometry import OFFSET_SENSORS, check_scene, first_instant, may_carry_offset, other_offset, word_harmonized
from catalogs.records import Band, Radiometry
from catalogs.same_ground import Ground, check_moved, moved_between, see_ground
from catalogs.writer import Patch
from curate.choose import Candidate, middle
from curate.errors import SourceUnavailableError
from curate.fetch import has_mask
from curate.looks import Look, Steps, Wish, unless_failed
from curate.sources import PROVIDERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRICT, KEEP, PIXELS = MODES = ("strict", "keep", "pixels")
"""What to do with a scene whose pixels contradict its offset: use another one, use it as it is, or believe its pixels."""
OTHER_DATES = 2
"""How many are read at most."""
UNTOLD = 0.25
"""Share of clear squares whose own dark pixels do not tell: 219 of 878 squares of some two kilometres in Flanders, over a year,
under the offset of baseline 04.00. In deserts and over snow more; it is for estimates alone."""
UNREADABLE = 2
"""How many other scenes may fail before no more are tried."""
CLOUDY = 50.0
"""Stated cloud cover above which another date is not worth reading, percent."""
_ESA_METADATA = re.compile(r"/MTD_MSIL(?:1C|2A)\.xml$")
"""Address of the item of a product that is read as ESA packs it (`sources.safe`)."""
DARK, DATE, PROVIDER = "dark", "date", "provider"
SAYS = {
    DARK: "its dark pixels contradict that",
    DATE: "next to {other}, another date, all its visible bands are off by as much",
    PROVIDER: "next to {other}, the same acquisition from elsewhere, all its bands are off by as much",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pixels say to an offset."""

    check: str
    """`consistent`, `conflict` or `unchecked`."""
    evidence: str | None = None
    """`dark`, `date` or `provider`; none where unchecked."""
    other: str | None = None
    """Id of the scene that told."""


def weigh_offset(look: Look, candidate: Candidate, others: Sequence[Candidate], mode: str) -> Steps[None]:
    """Find out whether a scene's offset fits its pixels, and what follows; the look is told.

    Args:
        look: At a scene whose measurements are there.
        candidate: The scene, with copies of its acquisition.
        others: All scenes of the sensor over the location.
        mode: One of `MODES`.
    """
    look.is_weighed = True
    check = _check_dark(look.scene, look.patches, look.mask)
    if check is None:
        return
    verdict = Verdict(check, DARK if check != "unchecked" else None)
    if check == "unchecked" and mode != KEEP and needs_proof(look.scene):
        verdict = yield from _ask_others(look, candidate, others)
    _settle(look, verdict, mode)


def _settle(look: Look, verdict: Verdict, mode: str) -> None:
    """What follows from a verdict.

    Bright plants of a scene whose provider is right that it has no offset may lie under haze: it is not shifted for them.
    """
    sensor, stated = find_sensor(look.scene.sensor), _offset(look.patches)
    check, decision = verdict.check, look.scene.radiometry
    right = other_offset(sensor, stated) if stated or not _is_vouched(look.scene) else None
    if check == "conflict" and mode != KEEP:
        shifted = _shifted(look, right)
        if shifted and mode == PIXELS:
            look.patches, check, decision = shifted, "consistent", "pixels"
        else:
            look.refusal, look.is_believable = _refusal(look.scene, stated, right, verdict), bool(shifted)
    harmonized = word_harmonized(sensor, _offset(look.patches), check)
    look.radiometry = Radiometry(decision, check, harmonized, verdict.evidence)


def _shifted(look: Look, right: float | None) -> list[Patch]:
    """Measurements under the other offset; none where there is no other, or where dark pixels contradict that one too."""
    patches = [] if right is None else [_with_offset(patch, right) for patch in look.patches]
    return patches if patches and _check_dark(look.scene, patches, look.mask) != "conflict" else []


def _refusal(scene: SourceScene, stated: float | None, right: float | None, verdict: Verdict) -> str:
    says = SAYS[verdict.evidence or DARK].format(other=verdict.other)
    instead = "" if right is None else f" (they call for {right:g})"
    return f"scene {scene.id} states an offset of {stated or 0:g}, but {says}{instead}"


def _ask_others(look: Look, candidate: Candidate, others: Sequence[Candidate]) -> Steps[Verdict]:
    """What other scenes of the ground say; the first that tells anything.

    Many seasons may wait for theirs at once: the scene's own measurements are let go meanwhile, and read again.
    """
    references = list(_references(candidate, others))
    if not references:
        return Verdict("unchecked")
    ground = see_ground(find_sensor(look.scene.sensor), _planes(look.patches), _pixels(look.mask))
    offset, look.patches = _offset(look.patches), []
    verdict = yield from _hold_against(look.scene, ground, offset, references)
    (answer,) = yield Wish((look.scene,), masks=False)
    look.patches = unless_failed(answer)
    return verdict


def _hold_against(
    held: SourceScene, ground: Ground, offset: float | None, references: Sequence[tuple[str, SourceScene]]
) -> Steps[Verdict]:
    """What references say of a scene's ground, seen with an offset.

    Raises:
        SourceUnavailableError: None tells, and one that might have told cannot be read.
    """
    failed: list[SourceUnavailableError] = []
    dates = 0
    for evidence, scene in references:
        if dates == OTHER_DATES or len(failed) == UNREADABLE:
            break
        try:
            patches, mask = yield from _read(scene)
        except SourceUnavailableError as error:
            failed.append(error)
            continue
        dates += evidence == DATE
        if not patches or (not _is_vouched(scene) and _check_dark(scene, patches, mask) != "consistent"):
            continue
        other = see_ground(find_sensor(scene.sensor), _planes(patches), _pixels(mask))
        check = check_moved(moved_between(ground, other), offset, may_lack=_may_carry(held))
        if check != "unchecked":
            return Verdict(check, evidence, scene.id)
    if failed:
        raise SourceUnavailableError(
            f"The offset of scene {held.id} can be told only next to others, of which one fails: {failed[0]}"
        )
    return Verdict("unchecked")


def _references(candidate: Candidate, others: Sequence[Candidate]) -> Iterator[tuple[str, SourceScene]]:
    """Scenes to hold a scene against, with what they are: those beyond doubt first, then whole ones, then near ones in time."""
    yield from ((PROVIDER, copy) for copy in vouched_copies(candidate))
    yield from ((DATE, date.scene) for date in sorted(_dates(candidate.scene, others), key=_worth(candidate.scene)))


def first_reference(candidate: Candidate, others: Sequence[Candidate]) -> SourceScene | None:
    """The scene that another is held against first; none where there is none.

    Args:
        candidate: A scene, with copies of its acquisition.
        others: All scenes of the sensor over the location.
    """
    if copies := vouched_copies(candidate):
        return copies[0]
    dates = _dates(candidate.scene, others)
    return min(dates, key=_worth(candidate.scene)).scene if dates else None


def _dates(own: SourceScene, others: Sequence[Candidate]) -> list[Candidate]:
    """Other dates that a scene may be held against; none where it has no mask: who knows which of their pixels are cloud?"""
    if not has_mask(own):
        return []
    return [
        other
        for other in others
        if other.scene.id != own.id and has_mask(other.scene) and (other.scene.cloud_percent or 0) <= CLOUDY
    ]


def _worth(own: SourceScene) -> Callable[[Candidate], tuple[bool, bool, timedelta, str]]:
    """What puts the dates in order that a scene is held against, the best first."""
    when = middle(own)
    return lambda one: (not _is_vouched(one.scene), not one.covers, abs(middle(one.scene) - when), one.scene.id)


def vouched_copies(candidate: Candidate) -> list[SourceScene]:
    """The same acquisition as others have it whose offset is beyond doubt."""
    return [copy for copy in candidate.copies if _is_vouched(copy)]


def _read(scene: SourceScene) -> Steps[tuple[list[Patch], Patch | None]]:
    """The measurements of a scene and its mask, where it has one.

    Raises:
        SourceUnavailableError: They cannot be read.
    """
    mask: Patch | None = None
    if has_mask(scene):
        (answer,) = yield Wish((scene,), masks=True)
        (mask,) = unless_failed(answer)
    (answer,) = yield Wish((scene,), masks=False)
    return unless_failed(answer), mask


def needs_proof(scene: SourceScene) -> bool:
    """Whether a scene's offset may be wrong though its source says so."""
    return scene.sensor in OFFSET_SENSORS and not _is_vouched(scene)


def _is_vouched(scene: SourceScene) -> bool:
    """Whether a scene's offset is beyond doubt: made by us, from before there was one, or of a provider that tells it right.

    ESA's own metadata tell it right wherever they lie.
    """
    if scene.simulated or _ESA_METADATA.search(scene.href or ""):
        return True
    if not _may_carry(scene) and not any(band.offset for band in scene.bands.values()):
        return True
    return not scene.disputed and (scene.source or "").partition(":")[0] in PROVIDERS


def _may_carry(scene: SourceScene) -> bool:
    return may_carry_offset(scene.baseline, first_instant(scene))


def _check_dark(scene: SourceScene, patches: Sequence[Patch], mask: Patch | None) -> str | None:
    sensor, when = find_sensor(scene.sensor), first_instant(scene)
    return check_scene(sensor, _planes(patches), _pixels(mask), scene.baseline, when=when, decision=scene.radiometry)


def _planes(patches: Sequence[Patch]) -> list[tuple[Band, NDArray[Any]]]:
    return [plane for patch in patches for plane in zip(patch.bands, patch.pixels, strict=True)]


def _pixels(mask: Patch | None) -> NDArray[Any] | None:
    return mask.pixels[0] if mask else None


def _offset(patches: Sequence[Patch]) -> float | None:
    """The offset that bands state; of several the one that is furthest from none."""
    return min((band.offset for patch in patches for band in patch.bands if band.offset is not None), default=None)


def _with_offset(patch: Patch, offset: float) -> Patch:
    """Measurements whose bands state another offset; numbers stay as they are."""
    return replace(patch, bands=tuple(replace(band, offset=offset) for band in patch.bands))

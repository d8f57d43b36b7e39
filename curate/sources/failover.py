"""Several sources as one: what the first lacks comes from the next, and each scene says whose it is.

Every source that has a sensor is asked for its scenes, and all of them are given. Of the copies of one acquisition over a
square, that of the source named first is taken if it holds the square (`curate.choose.merge_copies`): so the others fill its
gaps, tile by tile, and stand in for it where it lacks the sensor.

A source that does not answer is left out, and named: `ask` gives it beside the scenes, so that nobody takes what the others
gave for all that there is.

Pixels too come from the next where a file cannot be had, for want of it, of a right or of quota: a copy of the acquisition
stands in for it (`curate.stand_ins`). A host that is down is waited for instead; if it stays away, what needs it is recorded as
unreadable, and the same command tries it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from catalogs.foreign import SourceBand, SourceScene
from curate.choose import middle
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.several_planes import HoldsBands, SeveralPlanes, held_by_none
from curate.sources import CONTENTS, DETAIL, mapping_path
from curate.sources.alike import add_scenes
from curate.sources.archives.mapping import read_mapping
from curate.sources.documents import is_web
from curate.sources.member import Member, Opener, UnopenedSource
from curate.sources.protocol import Answer, LonLatBox, Source, SourceRaster, for_sensors, opened_as, reads_files

if TYPE_CHECKING:
    from curate.planes import PlaneReader

SEPARATOR = ","
"""Between the sources that a user names, the preferred one first."""
_PARTS = re.compile(r"(?:^|,)((?:://[^/?#@]*@|[^,])*)")
"""Each of them: a comma within the user name or password of an address parts nothing (RFC 3986, section 3.2.1)."""


def names_in(text: str) -> list[str]:
    """The sources that a user, or a recipe, names, the preferred one first; a path that holds a comma is one.

    Examples:
        >>> names_in("earth-search, planetary-computer"), names_in("earth-search")
        (['earth-search', 'planetary-computer'], ['earth-search'])
        >>> names_in("https://me:a,b@one.example/stac,earth-search")
        ['https://me:a,b@one.example/stac', 'earth-search']
    """
    path, _, digest = text.rpartition(CONTENTS)
    is_one = SEPARATOR not in digest and Path(path or text).expanduser().exists()
    if SEPARATOR not in text or is_one or Path(text).expanduser().exists():
        return [text]
    return [name.strip() for name in _PARTS.findall(text)]


def open_several(names: Sequence[str], open_one: Opener, *, max_scene_cloud: float) -> FailoverSource:
    """Several sources as one.

    Args:
        names: As a user writes them, the preferred one first.
        open_one: Makes one of them.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: A name is no source, two archives have one name, or they cannot be joined.
        SourceUnavailableError: A source that is no address cannot be opened; an address that does not answer is asked again.
    """
    opened: list[Source] = []
    for name in names:
        if not name:
            raise CurateError(
                f"--source {SEPARATOR.join(names)} has a name that is empty; expected sources with a comma between them. "
                f"Say --source {SEPARATOR.join(filter(None, names))}"
            )
        try:
            opened.append(open_one(name, max_scene_cloud=max_scene_cloud))
        except SourceUnavailableError as error:
            if not is_web(name):
                raise
            opened.append(UnopenedSource(name, error, open_one, max_scene_cloud=max_scene_cloud))
    _check_archives(names)
    return FailoverSource(opened)


class FailoverSource:
    """Several sources, the preferred one first; safe to ask from several threads."""

    simulated = False

    def __init__(self, sources: Sequence[Source]) -> None:
        """Join sources; nothing is asked of them yet.

        Args:
            sources: Two or more, the preferred one first.

        Raises:
            CurateError: One is named twice, or renders its scenes; or two are of a provider that serves one account at a time.
        """
        names = [source.name for source in sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise CurateError(f"--source names {twice} twice; expected different sources, the preferred one first.")
        rendered = next((source.name for source in sources if source.simulated), None)
        if rendered:
            raise CurateError(
                f"--source names {rendered} beside others: what is rendered fills no gap of what was measured. "
                f"Name it alone: --source {rendered}"
            )
        _check_accounts(sources)
        self.name = SEPARATOR.join(names)
        self.opened_as = SEPARATOR.join(map(opened_as, sources))
        self.reads_files = all(map(reads_files, sources))
        if not self.reads_files:
            self.planes = self._planes  # only then: whoever has `planes` is read by them
        for source in sources:
            _check_told_apart(source)
        self.max_scene_cloud = max(float(getattr(source, "max_scene_cloud", 100)) for source in sources)
        self._members = [Member(source, rank) for rank, source in enumerate(sources)]

    @property
    def sources(self) -> Sequence[Source]:
        """The preferred one first."""
        return [member.source for member in self._members]

    @property
    def skipped(self) -> dict[str, str]:
        """Why an item, by its id, or a document, by its address, is of no use to one of them."""
        return {what: f"{why} ({source.name})" for source in reversed(self.sources) for what, why in source.skipped.items()}

    def only(self, sensors: Sequence[str]) -> FailoverSource:
        """The same sources for some sensors; see `curate.sources.protocol.for_sensors`."""
        narrowed = [for_sensors(source, sensors) for source in self.sources]
        is_same = all(one is other for one, other in zip(narrowed, self.sources, strict=True))
        return self if is_same else FailoverSource(narrowed)

    def sensors(self) -> Sequence[str]:
        """Ids of the sensors of those that answer.

        Raises:
            SourceUnavailableError: None answers.
        """
        found: dict[str, None] = {}
        unanswered: dict[str, SourceUnavailableError] = {}
        for member in self._members:
            try:
                found |= dict.fromkeys(member.sensors())
            except SourceUnavailableError as error:
                unanswered[member.source.name] = error
        if len(unanswered) == len(self._members):
            raise _none_answers(unanswered)
        return list(found)

    def check_answered(self) -> None:
        """Make sure that all have answered what they were asked last.

        Raises:
            SourceUnavailableError: One has not.
        """
        unanswered = {member.source.name: member.failure for member in self._members if member.failure}
        if len(unanswered) == len(self._members):
            raise _none_answers(unanswered)
        if unanswered:
            raise SourceUnavailableError(f"Not all sources answer. {_each(unanswered)}")

    def search(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> list[SourceScene]:
        """The scenes of those that answer; `ask` also tells who does not."""
        return list(self.ask(sensor, box, start, end).scenes)

    def ask(self, sensor: str, box: LonLatBox, start: datetime, end: datetime) -> Answer:
        """The scenes of those that answer, and why others are left out; see `curate.sources.protocol.Source.search`.

        Returns:
            Of an id that several have, the scenes of all: those of the later ones with their source's name beside the id.

        Raises:
            SourceSensorError: None of them has the sensor.
            SourceUnavailableError: None that may have it answers.
        """
        found: dict[str, SourceScene] = {}
        unanswered: dict[str, SourceUnavailableError] = {}
        answered = 0
        for member in self._members:
            try:
                scenes = member.search(sensor, box, start, end)
            except SourceUnavailableError as error:
                unanswered[member.source.name] = error
                continue
            answered += scenes is not None
            add_scenes(found, scenes or ())
        if not answered:
            raise _none_answers(unanswered) if unanswered else _none_has(sensor, self.name)
        return Answer(sorted(found.values(), key=lambda scene: (middle(scene), scene.id)), unanswered)

    def open(self, band: SourceBand) -> AbstractContextManager[SourceRaster]:
        """Open one band: what one of them holds, or a file, which any of them opens by its address.

        Raises:
            SourceUnavailableError: It is of none of them, or cannot be opened.
        """
        own = [source for source in self.sources if isinstance(source, HoldsBands) and source.holds(band)]
        opener = next(iter([*own, *filter(reads_files, self.sources)]), None)
        if opener is None:
            raise held_by_none(band)
        return opener.open(band)

    def _planes(self, *, connections: int) -> PlaneReader:
        """A reader for each source whose planes are read in a way of its own, and one for all files.

        Args:
            connections: Requests, or ranges of files, at once at most, of each reader.
        """
        from curate.planes import open_planes
        from curate.tasks import GivenFiles

        own = [source for source in self.sources if isinstance(source, HoldsBands)]
        readers = [(source.holds, source.planes(connections=connections)) for source in own]
        return SeveralPlanes([*readers, (lambda _: True, open_planes(GivenFiles(self.name), connections=connections))])


def _check_archives(texts: Sequence[str]) -> None:
    """Refuse two mapping files of one name: items say no more than that, so nobody could tell whose terms hold for them.

    Raises:
        CurateError: There are two.
    """
    known: dict[str, str] = {}
    for path in filter(None, map(mapping_path, texts)):
        name = read_mapping(path).name
        other = known.setdefault(name, path)
        if other != path:
            raise CurateError(
                f"--source names {other} and {path}, and items of both would say that they are from {name!r}; expected "
                f'archives of different names. Give {path} one of its own: name = "..." at its top.'
            )


def _check_accounts(sources: Sequence[Source]) -> None:
    """Refuse two sources of a provider whose library serves one account at a time: requests might go on the other's.

    Raises:
        CurateError: There are two; a source is of such a provider that has an attribute `one_account` that is true.
    """
    first: dict[str, str] = {}
    for source in sources:
        provider = source.name.partition(DETAIL)[0]
        if getattr(source, "one_account", False) and first.setdefault(provider, source.name) != source.name:
            raise CurateError(
                f"--source names {first[provider]} and {source.name}, both of {provider}, whose library serves one account at "
                "a time; expected one of them. Build the other into a folder of its own, and join them by `curate merge`."
            )


def _check_told_apart(source: Source) -> None:
    """Refuse a source whose bands cannot be told from those of others.

    Raises:
        CurateError: It neither reads files nor says which bands are its own.
    """
    if not reads_files(source) and not isinstance(source, HoldsBands):
        raise CurateError(
            f"--source names {source.name} beside others, and its bands cannot be told from theirs. Name it alone: "
            f"--source {source.name}"
        )


def _none_answers(unanswered: Mapping[str, SourceUnavailableError]) -> SourceUnavailableError:
    return SourceUnavailableError(f"No source answers that may have it. {_each(unanswered)}")


def _each(unanswered: Mapping[str, SourceUnavailableError]) -> str:
    return " ".join(f"{name}: {error}" for name, error in unanswered.items())


def _none_has(sensor: str, names: str) -> SourceSensorError:
    return SourceSensorError(f"None of {names} has {sensor}. Choose another --sensor, or another --source.")

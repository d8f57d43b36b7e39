"""What the name of a file tells: when it was taken, and which band it is where each band is a file.

A date without a time of day stands for all instants of that day: none is made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

LAST_SECOND = timedelta(seconds=1)
_DAY = r"\d{4}-\d\d-\d\d|\d{4}_\d\d_\d\d|\d{8}"
TOKENS = {
    "date": _DAY,
    "start": _DAY,
    "end": _DAY,
    "datetime": r"(?:\d{4}-\d\d-\d\d|\d{8})[T_](?:\d\d:\d\d:\d\d|\d\d-\d\d-\d\d|\d{6})Z?",
    "year": r"\d{4}",
    "band": r"[A-Za-z0-9]+",
}
"""What stands for a time, or a band, in a pattern, and how it may be written in a name."""
BAND = "band"
TIMES = ({"date"}, {"datetime"}, {"year"}, {"start", "end"})
"""What a pattern has of times, one of these sets."""
_PARTS = re.compile(r"\{([^{}]*)\}|(\*)")

Span = tuple[datetime, datetime]
"""First and last instant, UTC; the same where the instant is known."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the name of a file tells."""

    scene: str
    """The name; where each band is a file, with `{band}` in place of the band, and `*` for what each `*` behind it stands for,
    since that may be the band's too, such as its pixel size."""
    span: Span
    """When it was taken."""
    band: str = ""
    """As the name has it; empty where the file is the whole scene."""


class FilePattern:
    """Names of files with a time in them, such as `Boadella_{date}.tif`."""

    def __init__(self, text: str, *, span: Span | None = None) -> None:
        """Read a pattern.

        Args:
            text: Path from the folder, with forward slashes; `{date}`, `{datetime}`, `{year}` or `{start}` and `{end}` stand
                for a time, `{band}` for the band where each band is a file, `*` for anything but a slash.
            span: Of all files, where their names do not have to tell a time, and are not asked for it: of a static layer.

        Raises:
            ValueError: What was expected instead.
        """
        self.text = text
        tokens = [match[1] for match in _PARTS.finditer(text) if match[1] is not None]
        for token in tokens:
            if token not in TOKENS:
                guess = get_close_matches(token, TOKENS, 1, 0.5)
                meant = f"; did you mean {{{guess[0]}}}?" if guess else ""
                raise ValueError(f"one of {', '.join(f'{{{name}}}' for name in TOKENS)} where {{{token}}} stands{meant}")
        times = [*TIMES, set()] if span else TIMES
        if set(tokens) - {BAND} not in times or len(tokens) != len(set(tokens)):
            raise ValueError('one {date}, {datetime} or {year}, or one {start} and one {end}, such as "S2_{date}.tif"')
        self._of_all = span
        self.has_band = BAND in tokens
        """Whether each band is a file."""
        self._regex = re.compile(_as_regex(text))
        self._stars = set(range(1, self._regex.groups + 1)) - set(self._regex.groupindex.values())

    def read(self, name: str) -> Told | None:
        """What the name of a file tells; none where it is not of this pattern.

        Args:
            name: Path from the folder, with forward slashes.

        Raises:
            ValueError: It has a date that is none, or ends before it starts.

        Examples:
            >>> told = FilePattern("{date}/{band}.tif").read("20200113/B02.tif")
            >>> told.scene, told.band, str(told.span[1])
            ('20200113/{band}.tif', 'B02', '2020-01-13 23:59:59+00:00')
        """
        match = self._regex.fullmatch(name)
        if match is None:
            return None
        span = self._of_all or _span(match.groupdict())
        if not self.has_band:
            return Told(name, span)
        return Told(self._scene(match), span, match[BAND])

    def _scene(self, match: re.Match[str]) -> str:
        """The name with `{band}` for the band, and with the stars behind it."""
        name, (start, place) = match.string, match.span(BAND)
        scene = f"{name[:start]}{{{BAND}}}"
        for group, (first, last) in enumerate(match.regs[1:], 1):
            if group in self._stars and first >= place:
                scene, place = f"{scene}{name[place:first]}*", last
        return scene + name[place:]


def _span(found: dict[str, str]) -> Span:
    if "datetime" in found:
        when = _instant(found["datetime"])
        return when, when
    if "year" in found:
        return _day(f"{found['year']}0101"), _last(_day(f"{found['year']}1231"))
    start, end = found.get("start", found.get("date")), found.get("end", found.get("date"))
    span = _day(str(start)), _last(_day(str(end)))
    if span[0] > span[1]:
        raise ValueError(f"its end {end} is before its start {start}")
    return span


def _as_regex(text: str) -> str:
    pieces, place = [], 0
    for match in _PARTS.finditer(text):
        pieces.append(re.escape(text[place : match.start()]))
        pieces.append("([^/]*)" if match[2] else f"(?P<{match[1]}>{TOKENS[match[1]]})")
        place = match.end()
    return "".join([*pieces, re.escape(text[place:])])


def _day(text: str) -> datetime:
    return _instant(f"{text}T000000")


def _instant(text: str) -> datetime:
    digits = re.sub(r"\D", "", text)
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text.removesuffix('T000000')} is no date") from None


def _last(day: datetime) -> datetime:
    return day + timedelta(days=1) - LAST_SECOND

"""Tables of a TOML file that a person wrote: every mistake in one is told with file, key, value and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from curate.errors import CurateError

NUMBER = (int, float)


class Table:
    """One table, whose keys are taken one by one; a key that nobody takes is a mistake."""

    def __init__(self, file: str, values: Mapping[str, Any], within: str = "") -> None:
        """Take nothing yet.

        Args:
            file: Name of the file, for messages.
            values: The table.
            within: Where it stands in the file, such as `sensors.naip`; empty for the file's own.
        """
        self._file = file
        self._values = values
        self._within = within
        self._known: list[str] = []

    def text(self, key: str, expected: str, default: str | None = None) -> str | None:
        """A string that is not empty, or the default."""
        value = self._take(key, default)
        if value is not default and not (isinstance(value, str) and value):
            raise self.wrong(key, value, expected)
        return value

    def number(self, key: str, expected: str) -> float | None:
        """A number, or none."""
        value = self._take(key, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, NUMBER)):
            raise self.wrong(key, value, expected)
        return None if value is None else float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def texts(self, key: str, expected: str) -> tuple[str, ...]:
        """A string or a list of strings; empty where absent."""
        value = self._take(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) and each for each in listed):
            raise self.wrong(key, value, expected)
        return tuple(listed)

    def table(self, key: str, expected: str) -> Table | None:
        """A table within; none where absent."""
        value = self._take(key, None)
        if value is None:
            return None
        if not isinstance(value, dict) or not value:
            raise self.wrong(key, value, expected)
        return Table(self._file, value, self.name(key))

    def any(self, key: str) -> Any:
        """Whatever stands there; none where absent."""
        return self._take(key, None)

    def keys(self) -> list[str]:
        """Of the whole table."""
        return list(self._values)

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            CurateError: There is such a key.
        """
        for key in self._values:
            if key not in self._known:
                raise self.unknown(self.name(key), key, self._known, "Known here:")

    def name(self, key: str) -> str:
        """A key as it is called in the whole file."""
        return f"{self._within}.{key}" if self._within else key

    def wrong(self, key: str, value: object, expected: str) -> CurateError:
        """The words for a value that is none."""
        return CurateError(f"{self._file}: {self.name(key)} is {value!r}; expected {expected}.")

    def lacking(self, key: str, expected: str) -> CurateError:
        """The words for a key that is not there."""
        return CurateError(f"{self._file}: {self.name(key)} is missing; expected {expected}.")

    def unknown(self, key: str, word: str, known: Iterable[str], lead: str, *, guess: str | None = None) -> CurateError:
        """The words for a word that is none of those known, with a guess.

        Args:
            key: Where it stands.
            word: It.
            known: The others.
            lead: Said before these.
            guess: What may be meant, empty where nothing is; the nearest of those known if not given.
        """
        listed = list(known)
        near = guess if guess is not None else next(iter(get_close_matches(word, listed, 1, 0.5)), None)
        meant = f" Did you mean {near!r}?" if near else ""
        return CurateError(f"{self._file}: {key} is unknown. {lead} {', '.join(listed) or 'nothing'}.{meant}")

    def _take(self, key: str, default: Any) -> Any:
        self._known.append(key)
        return self._values.get(key, default)

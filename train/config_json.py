"""Records as values that JSON can hold, and back, exactly."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, TypeVar

from train.checks import guess_name
from train.errors import ConfigError

Record = TypeVar("Record")


def to_json(record: Any) -> dict[str, Any]:
    """A record as values that JSON can hold; its tuples are written as lists."""
    return asdict(record)


def from_json(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """The exact inverse of `to_json`.

    Args:
        kind: A record of these, or one made of them.
        content: What `to_json` gave, also after a pass through a file.

    Raises:
        ConfigError: A field is missing or unknown, or has too many or too few values.
    """
    assert is_dataclass(kind), f"{kind} is no record"
    known = {each.name: each for each in fields(kind)}
    for name in content:
        if name not in known:
            raise ConfigError(
                f"Unknown setting {name!r} of {kind.__name__}.{guess_name(name, known)} Was it written by another version?"
            )
    missing = [name for name, each in known.items() if name not in content and each.default is each.default_factory is MISSING]
    if missing:
        raise ConfigError(f"{kind.__name__} lacks {', '.join(missing)}. Was it written by another version?")
    hints = typing.get_type_hints(kind)
    made: Record = kind(**{name: _read(hints[name], value) for name, value in content.items()})
    return made


def _read(hint: Any, value: Any) -> Any:
    """A value of JSON as its field's type."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if value is None:
        return None
    if is_dataclass(hint):
        return from_json(typing.cast("type[Any]", hint), value)
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(value):
            raise ConfigError(f"{value} has {len(value)} values; expected {len(kinds)}. Was it written by another version?")
        return tuple(_read(kind, each) for kind, each in zip(kinds, value, strict=True))
    return value

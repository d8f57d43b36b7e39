"""Whether two names mean one source: archives of the user's own are named by paths, which look different from elsewhere."""

from __future__ import annotations

from pathlib import Path

from curate.errors import CurateError
from curate.sources import CONTENTS, DETAIL, PROVIDERS, WEB, mapping_path
from curate.sources.archives.mapping import read_mapping
from curate.sources.failover import names_in


def is_same_source(one: str, other: str) -> bool:
    """Whether a recipe's source and the one that is opened now are the same, however their paths are written.

    A mapping file is known by what it says and by what items call its archive, wherever it lies. Of a path that is not there,
    as seen from the current folder, the last name decides: the archive was moved, or the command is run elsewhere.

    Args:
        one: As the recipe names it.
        other: As it is named now, and there.

    Examples:
        >>> is_same_source("earth-search", "earth-search"), is_same_source("earth-search", "cdse")
        (True, False)
    """
    left, right = names_in(one), names_in(other)
    return len(left) == len(right) and all(map(_is_same, left, right))


def lost_path(text: str) -> str | None:
    """The first path of a recipe's source that is not there, as seen from the current folder; none where all are."""
    paths = (mapping_path(name) or _path(name) for name in names_in(text))
    return next((path for path in paths if path and not Path(path).expanduser().exists()), None)


def _is_same(one: str, other: str) -> bool:
    if one == other:
        return True
    if mapping_path(one) and mapping_path(other):
        return _digest(one) == _digest(other) != "" and _has_same_name(one, other)
    before, now = _path(one), _path(other)
    if not before or not now:
        return False
    was, is_ = (Path(path).expanduser().resolve() for path in (before, now))
    return was == is_ or (not was.exists() and was.name == is_.name)


def _path(name: str) -> str | None:
    """The path that a name is; none of a provider, an address or a mapping file."""
    is_other = name.partition(DETAIL)[0] in PROVIDERS or name.lower().startswith(WEB) or mapping_path(name)
    return None if is_other else name


def _digest(name: str) -> str:
    return name.partition(CONTENTS)[2]


def _has_same_name(one: str, other: str) -> bool:
    """Whether items call the archive of two mapping files that say the same by one name: its own, or that of the file."""
    was, now = (Path(mapping_path(name) or "").stem for name in (one, other))
    try:
        archive = read_mapping(mapping_path(other) or "").name
    except CurateError:
        return False
    return archive != now or archive == was

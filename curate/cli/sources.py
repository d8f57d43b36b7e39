"""`curate sources`: who has scenes, what that needs, and whether it answers."""

from __future__ import annotations


def sources(*names: str, check: bool = False, json: bool = False) -> int:
    """Say where scenes can come from: sensors, bands, pixel sizes, years, what account is needed, limits and terms.

        curate sources

        curate sources earth-search --check

        curate sources landsat

    Args:
        names: Sources to tell of, with how to set them up, or sensors, for those who have them; all, more briefly, where
            left out. What --source takes after a name may follow it here too: earth-engine:MY-PROJECT.
        check: Ask each of them one cheap question, with your own credentials where it needs some.
        json: Print one JSON object.
    """
    from curate.cli.sourcing import tell_sources

    return tell_sources(names, check=check, as_json=json)

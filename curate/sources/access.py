"""How a file of a provider is reached: a matter of its address alone, whoever found it.

Some hosts want a signature in the address, some a token in a header, for a while each; the hrefs of scenes carry neither.
`signer_for` finds who can give it, from the credentials of this process's environment, so that searching, reading by range,
reading by GDAL and workers of a cluster all reach a file in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from math import inf
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Signed:
    """An address that can be asked for now."""

    address: str = field(repr=False)
    """`http(s)://`, with what it is signed by."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of each request, such as a token."""
    until: float = inf
    """Until when it holds, seconds since 1970."""


class Signer(Protocol):
    """Who can make the files of some hosts or buckets readable; one per process, any thread may ask."""

    def signs(self, href: str) -> bool:
        """Whether a file is one of those."""

    def sign(self, href: str) -> Signed:
        """The file's address, signed for some while; what was given before is given again as long as it holds.

        Raises:
            SourceUnavailableError: Credentials are missing, refused, or cannot be had now; the message says what to do.
        """

    def refuse(self, href: str) -> None:
        """Take note that what was given for a file was refused by its host: get another one next time."""


SIGNERS: tuple[str, ...] = ()
"""Modules with a function `signer()`, the more particular first; loaded when the first remote file is asked for."""


def signer_for(href: str) -> Signer | None:
    """Who makes a file readable; none where its address is enough.

    Args:
        href: A path, or a `file://`, `http(s)://` or `s3://` address, unsigned.
    """
    return next((signer for signer in _signers() if signer.signs(href)), None)


@cache
def _signers() -> tuple[Signer, ...]:
    return tuple(import_module(name).signer() for name in SIGNERS)

"""How much one run may fetch: bytes, for who pays by volume or has little; requests, for who has so many a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from catalogs.console import counted
from curate.errors import CurateError

GB = 1e9


class Amounts(Protocol):
    """What was fetched, or what is expected to be."""

    @property
    def requests(self) -> float:
        """Sent."""

    @property
    def bytes(self) -> float:
        """Received."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may fetch at most."""

    gigabytes: float | None = None
    """As much as it takes where none."""
    requests: int | None = None
    """As many as it takes where none."""

    def __post_init__(self) -> None:
        """Refuse a budget that is none.

        Raises:
            CurateError: It is not above 0.
        """
        if self.gigabytes is not None and not self.gigabytes > 0:
            raise CurateError(
                f"--budget-gb is {self.gigabytes:g}; expected gigabytes that may be fetched, above 0, such as 50."
            )
        if self.requests is not None and self.requests < 1:
            raise CurateError(f"--budget-requests is {self.requests}; expected requests that may be made, such as 10000.")

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.gigabytes is not None or self.requests is not None

    def exceeded(self, amounts: Amounts) -> str | None:
        """The flag whose limit is below what is expected, with its value in words; none where all of it is allowed."""
        if self.gigabytes is not None and amounts.bytes > self.gigabytes * GB:
            return f"--budget-gb allows {self.gigabytes:g} GB"
        if self.requests is not None and amounts.requests > self.requests:
            return f"--budget-requests allows {self.requests:,}"
        return None

    def spent(self, amounts: Amounts) -> tuple[str, str] | None:
        """The limit that was reached, in words, and its flag; none while there is something left."""
        if self.gigabytes is not None and amounts.bytes >= self.gigabytes * GB:
            return f"{self.gigabytes:g} GB", "--budget-gb"
        if self.requests is not None and amounts.requests >= self.requests:
            return counted(self.requests, "request"), "--budget-requests"
        return None
